#include <string>
#include <string_view>

#include "protocols/stomp/stomp_session.h"
#include "protocols/stomp/text.h"

namespace pabal::stomp {
namespace {

/// 1.2's `ack` header, "<tag>-<delivery>", read back; false if it is none of ours.
bool parse_token(std::string_view text, AckTarget& target) noexcept {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  const auto tag = parse_number<std::uint64_t>(text.substr(0, dash));
  const auto delivery = parse_number<std::uint64_t>(text.substr(dash + 1));
  if (!tag || !delivery || *tag == 0 || *delivery == 0) return false;
  target.tag = *tag;
  target.delivery = *delivery;
  return true;
}

constexpr std::string_view kDefaultCause = "rejected by the consumer with NACK";

}  // namespace

void StompSession::read_ack(const Frame& frame, Command& command, core::TimePoint /*now*/) {
  read_target(frame, command);
}

void StompSession::read_nack(const Frame& frame, Command& command, core::TimePoint /*now*/) {
  if (reads_version_ == Version::v1_0) {
    refuse(command, "NACK received but connection is in v1.0 mode.");
    return;
  }
  const auto* requeue = frame.find("requeue");
  command.requeue = requeue != nullptr && *requeue == "true";
  const auto* cause = frame.find("cause");
  command.text = keep(cause != nullptr && !cause->empty() ? *cause : kDefaultCause);
  read_target(frame, command);
}

/// STOMP 1.2 "ACK": the id of the `ack` header. 1.1: message-id and subscription. 1.0: message-id.
void StompSession::read_target(const Frame& frame, Command& command) {
  const std::string name(to_string(command.kind));
  AckTarget& target = command.target;
  if (reads_version_ == Version::v1_2) {
    const auto* id = frame.find("id");
    if (id == nullptr) {
      refuse(command, name + " received without an id for acknowledge!");
      return;
    }
    target.id = keep(*id);
    if (!parse_token(*id, target)) target.tag = 0;
    return;
  }
  const auto* id = frame.find("message-id");
  if (id == nullptr) {
    refuse(command, name + " received without a message-id to acknowledge!");
    return;
  }
  const auto* subscription = frame.find("subscription");
  if (subscription == nullptr && reads_version_ == Version::v1_1) {
    refuse(command, name + " received without a subscription id for acknowledge!");
    return;
  }
  target.id = keep(*id);
  if (subscription != nullptr) target.subscription = keep(*subscription);
}

Subscription* StompSession::find_delivery(const AckTarget& target, core::DeliveryId& delivery) {
  if (version_ == Version::v1_2) {
    Subscription* subscription = target.tag == 0 ? nullptr : subscriptions_.find(target.tag);
    delivery = core::DeliveryId(target.delivery);
    // Core would take a range that ends beyond what the client has seen.
    if (subscription == nullptr || delivery > subscription->last_sent) return nullptr;
    return subscription;
  }
  const MessageKey key = parse_message_id(view(target.id));
  Subscription* subscription = target.subscription.present()
                                   ? subscriptions_.find_named(view(target.subscription))
                                   : subscriptions_.find_message(key);
  if (subscription == nullptr) return nullptr;
  const auto found = subscription->unacked.find(key);
  if (!found) return nullptr;
  delivery = *found;
  return subscription;
}

/// reference/stomp.md §7: ACK is cumulative in client mode, NACK never is.
void StompSession::apply_ack(Command& command, core::Engine& engine, core::TimePoint now) {
  Transaction* transaction = nullptr;
  if (!find_transaction(command, transaction)) return;
  const auto unexpected = [&] {
    return "Unexpected " + std::string(to_string(command.kind)) + " received for message-id [" +
           std::string(view(command.target.id)) + "]";
  };
  core::DeliveryId delivery{};
  const Subscription* subscription = find_delivery(command.target, delivery);
  if (subscription == nullptr || !subscription->explicit_acks) {
    fail(command, unexpected());
    return;
  }
  core::DeliveryRange range{delivery, delivery};
  core::AckKind kind = core::AckKind::consumed;
  if (command.kind == CommandKind::nack) {
    kind = command.requeue ? core::AckKind::requeued : core::AckKind::poisoned;
  } else if (subscription->cumulative) {
    range.first = core::DeliveryId(1);
  }
  const Settled settled{subscription->tag, range};
  const core::Outcome outcome = engine.acknowledge(
      subscription->id, range, kind, view(command.text),
      transaction != nullptr ? std::optional(transaction->id) : std::nullopt, now);
  if (outcome.disposition == core::Disposition::failed) {
    // The NACK's cause must not be taken for the error's text.
    const bool gone = outcome.error && outcome.error->code == core::Errc::not_found;
    fail(command, gone || !outcome.error ? unexpected() : outcome.error->text, outcome.after);
    return;
  }
  if (transaction == nullptr) {
    settle(settled);
  } else if (version_ != Version::v1_2) {
    transaction->settled.push_back(settled);
  }
  confirm(command, outcome.after);
}

/// Forgets the message-ids of 1.0 and 1.1; a 1.2 token needs no memory.
void StompSession::settle(const Settled& settled) {
  if (version_ == Version::v1_2) return;
  Subscription* subscription = subscriptions_.find(settled.tag);
  if (subscription == nullptr) return;
  if (settled.range.first == settled.range.last) {
    subscription->unacked.settle(settled.range.last);
  } else {
    subscription->unacked.settle_up_to(settled.range.last);
  }
}

}  // namespace pabal::stomp
