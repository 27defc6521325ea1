#include <string>
#include <utility>

#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

namespace pabal::openwire {

/// Source: reference §6.13: for every message without a Response, once it is accepted; one that is
/// refused takes up no window either.
std::uint32_t OpenWireSession::window_bytes_of(const Request& request) const {
  if (request.response_required || request.send.window_bytes == 0) return 0;
  const Producer* producer = registry_.find_producer(request.send.producer);
  return producer != nullptr && producer->window > 0 ? request.send.window_bytes : 0;
}

void OpenWireSession::apply_send(Request& request, core::Engine& engine, core::TimePoint now) {
  SendRequest& send = request.send;
  const CommandHead head{request.command_id, request.response_required};
  const std::uint32_t window_bytes = window_bytes_of(request);
  const auto give_back = [&] {
    if (window_bytes == 0) return;
    append_producer_ack(bytes(), send.producer, window_bytes);
    end_piece(core::kNoTicket);
  };
  const auto fail = [&](std::string_view exception_class, const std::string& text,
                        core::Ticket after) {
    reject(head, exception_class, text, after);
    doom(send.transaction, text);
    give_back();
  };
  if (state_ != State::connected) return fail(kIllegalState, "not connected", core::kNoTicket);
  Transaction* transaction = nullptr;
  if (send.transaction.present()) {
    transaction = find_transaction(send.transaction);
    if (transaction == nullptr) {
      return fail(kJmsException, "the transaction has not been started", core::kNoTicket);
    }
    if (transaction->replayed) {  // the branch has it
      confirm(head, engine.submitted());
      return give_back();
    }
  }
  if (send.incomplete) {
    core::MessageBuilder builder(*send.message);
    builder.origin = origin_;
    auto built = builder.build();
    if (!built) return fail(kJmsException, built.error().text, core::kNoTicket);
    send.message = std::move(*built);
  }
  const core::DestinationKind kind = send.message->destination_kind();
  const core::ReplyToken token = ++token_;
  core::SendOptions options;
  if (transaction != nullptr) options.transaction = transaction->id;
  options.token = token;
  options.targets = std::move(send.targets);
  options.schedule = std::move(send.schedule);
  options.identity = std::move(send.identity);
  const core::Outcome outcome = engine.publish(*connection_, std::move(send.message), options, now);
  switch (outcome.disposition) {
    case core::Disposition::done:
      confirm(head, outcome.after);
      give_back();
      return;
    case core::Disposition::parked: {
      Parked parked;
      parked.token = token;
      parked.asker = {head.command_id, head.response_required};
      parked.producer = send.producer;
      parked.window_bytes = window_bytes;
      parked.transaction = std::move(send.transaction);
      parked_.push_back(std::move(parked));
      return;
    }
    case core::Disposition::failed: {
      const core::Error error =
          outcome.error.value_or(core::Error{core::Errc::bad_state, "failed"});
      // Source: reference §6.17.
      const bool gone = core::is_temporary(kind) && error.code == core::Errc::bad_destination;
      return fail(gone ? kNoTemporary : java_class_of(error.code), error.text, outcome.after);
    }
  }
}

}  // namespace pabal::openwire
