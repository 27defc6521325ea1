#include "protocols/stomp/stomp_session.h"

namespace pabal::stomp {

void StompSession::read_disconnect(const Frame& /*frame*/, Command& /*command*/,
                                   core::TimePoint /*now*/) {
  // STOMP 1.2 "DISCONNECT": clients must not send any more frames after it.
  end_reading();
}

/// The receipt says that everything before it is settled, so it waits for what is submitted, and
/// for sends that wait for room. The connection ends in core before the client can hear of it: it
/// may come back at once under the same client-id.
void StompSession::apply_disconnect(Command& command, core::Engine& engine, core::TimePoint now) {
  if (!parked_.empty()) {
    // What it holds unacknowledged may be what stands in the way of its sends.
    for (auto slot = subscriptions_.begin_all(); slot != subscriptions_.end_all(); ++slot) {
      if (*slot != nullptr) (void)engine.unsubscribe((*slot)->id, now);
    }
    subscriptions_.clear();
    last_words_ = Parked{0, CommandKind::disconnect, std::nullopt, {}, {}, engine.submitted()};
    if (command.receipt.present()) last_words_->receipt = view(command.receipt);
    state_ = State::leaving;
    return;
  }
  subscriptions_.clear();
  engine.disconnect(*connection_, now);
  state_ = State::closed;
  confirm(command, engine.submitted());
  Answer& answer = batch_->answers.emplace_back();
  answer.kind = AnswerKind::close;
  answer.close = true;
}

}  // namespace pabal::stomp
