#include <algorithm>
#include <optional>
#include <string>

#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// MessageAck. Source: reference §6.4, §6.5.

namespace pabal::openwire {
namespace {

/// Transactions in a row in which a consumer acknowledged what is not out. One is no wonder: a
/// client that has come back after a failure repeats what it did in the transaction that was open.
constexpr std::uint32_t kUnmatchedMax = 2;

core::AckKind kind_of_ack(AckType type, bool browser) noexcept {
  if (browser) return core::AckKind::consumed;  // whatever it is, it only moves the window
  switch (type) {
    case AckType::poison:
      return core::AckKind::poisoned;
    case AckType::expired:
      return core::AckKind::expired;
    default:
      return core::AckKind::consumed;
  }
}

}  // namespace

void OpenWireSession::apply_ack(Request& request, core::Engine& engine, core::TimePoint now) {
  const AckRequest& ack = request.ack;
  const CommandHead head{request.command_id, request.response_required};
  if (state_ != State::connected) return reject(head, kIllegalState, "not connected");
  Consumer* consumer = registry_.find_consumer(ack.consumer);
  // A late one after the consumer was closed, or from before a failover, is about nothing here.
  if (consumer == nullptr) return ignore_ack(request, "its consumer is not there");
  if (consumer->advisory) return confirm(head, core::kNoTicket);
  if (ack.type == AckType::delivered) {
    extend_window(*consumer, ack.count, engine, now);
    return confirm(head, core::kNoTicket);
  }
  if (ack.type == AckType::redelivered || ack.type == AckType::unmatched) {
    return confirm(head, core::kNoTicket);
  }
  Transaction* transaction = nullptr;
  // What a browser acknowledges only moves its window. What has expired is gone whatever becomes of
  // the transaction.
  if (ack.transaction.present() && consumer->kind != ConsumerKind::browser &&
      ack.type != AckType::expired) {
    transaction = find_transaction(ack.transaction);
    if (transaction == nullptr) {
      return reject(head, kJmsException, "the transaction has not been started");
    }
    if (transaction->replayed) return confirm(head, core::kNoTicket);
  }
  const auto range = range_of(ack, *consumer);
  if (transaction != nullptr) {
    if (!range || !is_whole(ack, *range, *consumer))
      return refuse_unmatched(request, *transaction, *consumer, engine, now);
    consumer->unmatched = 0;
  }
  if (!range) return confirm(head, core::kNoTicket);
  const core::Outcome outcome = engine.acknowledge(
      consumer->id, *range, kind_of_ack(ack.type, consumer->kind == ConsumerKind::browser),
      request.text, transaction != nullptr ? std::optional(transaction->id) : std::nullopt, now);
  if (outcome.disposition == core::Disposition::failed) {
    const core::Error error = outcome.error.value_or(core::Error{core::Errc::bad_state, "failed"});
    // All of it has been acknowledged before.
    if (error.code == core::Errc::not_found) return confirm(head, outcome.after);
    doom(ack.transaction, error.text);
    return reject(head, error, outcome.after);
  }
  if (transaction != nullptr) {
    // The engine has given the credit back, so that no transaction waits for its own end; what
    // DELIVERED acks have lent for the same messages goes.
    if (ack.type == AckType::standard) {
      shrink_window(*consumer, consumer->in_flight.count(range->first, range->last), engine, now);
    }
    transaction->settled.push_back({consumer->tag, *range});
  } else {
    shrink_window(*consumer, consumer->in_flight.settle(range->first, range->last), engine, now);
  }
  if (consumer->in_flight.wants_pruning()) {
    consumer->in_flight.prune([&](core::DeliveryId id) { return engine.holds(consumer->id, id); });
  }
  confirm(head, outcome.after);
}

/// Changes nothing by itself. But a transaction must not commit what was sent in it without what
/// was received: it can only roll back, and its commit says so.
void OpenWireSession::ignore_ack(const Request& request, std::string_view why) {
  const AckType type = request.ack.type;
  const bool takes = type == AckType::standard || type == AckType::individual;
  const CommandHead head{request.command_id, request.response_required};
  if (!takes || !request.ack.transaction.present()) return confirm(head, core::kNoTicket);
  const std::string text = "Unmatched acknowledge: " + std::string(why);
  doom(request.ack.transaction, text);
  if (request.response_required) reject(head, kJmsException, text);
}

/// A client with `failover:` that loses its connection while messages which it rolled back wait to
/// be delivered once more (redeliveryDelay) keeps them, though they may be somebody else's by then.
/// It acknowledges them, the commit fails, it rolls back, and so on for ever; and what it has by
/// right counts as delivered each time, until the client takes it for poison. It forgets them only
/// when its connection is lost in the transaction, before the answer. To the application that is a
/// transaction that was rolled back; the client comes back by itself.
void OpenWireSession::refuse_unmatched(const Request& request, const Transaction& transaction,
                                       Consumer& consumer, core::Engine& engine,
                                       core::TimePoint now) {
  if (transaction.doomed_by.empty()) ++consumer.unmatched;
  if (!reads_fault_tolerant_ || consumer.unmatched < kUnmatchedMax) {
    return ignore_ack(request, "it names what is not out");
  }
  hang_up(
      "transaction after transaction it acknowledges what is not out; it is to come back and begin "
      "anew",
      engine, now);
}

/// In the order of dispatch, inclusive. nullopt: it is about nothing that is out.
std::optional<core::DeliveryRange> OpenWireSession::range_of(const AckRequest& ack,
                                                             Consumer& consumer) const {
  const auto last = consumer.in_flight.find(ack.last);
  if (!last) return std::nullopt;
  core::DeliveryId first = *last;
  if (ack.first) {
    first = consumer.in_flight.find(*ack.first).value_or(*last);
  } else if (ack.type != AckType::individual) {
    first = consumer.in_flight.oldest().value_or(*last);
  }
  first = std::min(first, *last);
  // A first one that is not known acknowledges nothing but the last, and so does a range with more
  // in it than the client has counted: a message too few comes again, one too many would be lost.
  if (ack.count > 0 &&
      consumer.in_flight.count(first, *last) > static_cast<std::size_t>(ack.count)) {
    first = *last;
  }
  return core::DeliveryRange{first, *last};
}

/// Whether all that the client has counted is out, and nothing else: what it may have in between
/// and is somebody else's by now would be done twice.
bool OpenWireSession::is_whole(const AckRequest& ack, const core::DeliveryRange& range,
                               Consumer& consumer) {
  if (ack.type == AckType::individual) return true;
  return (!ack.first || consumer.in_flight.find(*ack.first) == range.first) &&
         (ack.count <= 0 ||
          consumer.in_flight.count(range.first, range.last) == static_cast<std::size_t>(ack.count));
}

/// In sessions that acknowledge late, the application would wait for ever on a small window.
void OpenWireSession::extend_window(Consumer& consumer, std::int32_t count, core::Engine& engine,
                                    core::TimePoint now) {
  if (count <= 0 || consumer.prefetch == 0) return;
  // No more than there is out: a client cannot have been given more.
  consumer.extension = std::min<std::uint64_t>(
      consumer.extension + static_cast<std::uint64_t>(count), consumer.in_flight.size());
  set_window(consumer, engine, now);
}

void OpenWireSession::shrink_window(Consumer& consumer, std::size_t count, core::Engine& engine,
                                    core::TimePoint now) {
  if (consumer.extension == 0) return;
  consumer.extension -= std::min<std::uint64_t>(consumer.extension, count);
  set_window(consumer, engine, now);
}

void OpenWireSession::settle(const std::vector<Settled>& settled) {
  for (const Settled& one : settled) {
    Consumer* consumer = registry_.find_tag(one.tag);
    if (consumer != nullptr) consumer->in_flight.settle(one.range.first, one.range.last);
  }
}

}  // namespace pabal::openwire
