#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/dead_letter.h"
#include "core/engine_state.h"

// Where a message goes that cannot be delivered, by the strategy of its destination, and how it
// comes back from there.
//
// A dead letter says where it stood (original_destination), and in four properties why, after how
// many deliveries and when it died, and when it would have expired.

namespace pabal::core {
namespace {

constexpr std::string_view kCause = "dlqDeliveryFailureCause";
constexpr std::string_view kExpiration = "originalExpiration";
constexpr std::string_view kDeliveries = "dlqDeliveryCount";
constexpr std::string_view kTime = "dlqTime";
constexpr std::array kTraces = {kCause, kExpiration, kDeliveries, kTime};

bool is_trace(const Property& property) noexcept {
  return std::find(kTraces.begin(), kTraces.end(), property.name) != kTraces.end();
}

/// Takes the traces of an earlier death out: a client may have sent a dead letter on as it was, and
/// of two properties with one name readers see the first.
void drop_traces(MessageBuilder& builder, const Message& message) {
  PropertyReader look(message);
  bool any = false;
  while (const auto property = look.next()) any = any || is_trace(*property);
  if (any) builder.copy_properties(message, is_trace);
}

/// `subscription` (client id and name of a durable one) may be empty.
Destination target_of(const DeadLetterStrategy& strategy, const Address& origin,
                      const std::string& subscription) {
  if (strategy.kind == DeadLetterStrategy::Kind::shared) return strategy.destination;
  const bool from_queue = is_queue(*origin.kind);
  const bool to_queue =
      from_queue ? strategy.queue_for_queue_messages : strategy.queue_for_topic_messages;
  std::string name = from_queue ? strategy.queue_prefix : strategy.topic_prefix;
  name += origin.name;
  if (strategy.per_durable_subscriber && !subscription.empty()) name += "." + subscription;
  name += from_queue ? strategy.queue_suffix : strategy.topic_suffix;
  // Better in the queue for everybody's than nowhere.
  if (!validate_destination_name(name) || Destination::is_pattern_name(name)) {
    return DeadLetterStrategy{}.destination;
  }
  return {to_queue ? DestinationKind::queue : DestinationKind::topic, std::move(name)};
}

std::string subscription_of(const Reader* reader) {
  if (reader == nullptr || reader->list.is_queue()) return {};
  return reader->description.client_id + ":" + reader->description.name;
}

struct Death {
  const Destination& target;
  Address origin;
  std::string_view cause;
  std::uint32_t delivered = 0;
  TimePoint now;
  milliseconds expiration{0};
};

Result<MessageRef> dead_copy(const Message& message, const Death& death) {
  MessageBuilder builder(message);
  builder.original_destination = death.origin;
  builder.destination_kind = death.target.kind;
  builder.destination_name = death.target.name;
  builder.expiration = death.expiration.count() > 0 ? to_millis(death.now + death.expiration) : 0;
  drop_traces(builder, message);
  builder.add_string(kCause, death.cause);
  builder.add_integer(kExpiration, PropertyType::int64, message.expiration());
  builder.add_integer(kDeliveries, PropertyType::int32, death.delivered);
  builder.add_integer(kTime, PropertyType::int64, to_millis(death.now));
  return builder.build();
}

/// What dead_copy() makes of a message at most.
std::uint64_t dead_bytes_max(const Message& message, const Address& origin,
                             const Destination& target, std::string_view cause) {
  constexpr std::uint64_t kNamesAndPadding = 256;
  return message.flat().size() + origin.name.size() + target.name.size() + cause.size() +
         kNamesAndPadding;
}

}  // namespace

Address Engine::State::where_it_stands(const Reader* reader, const Message& message) {
  if (reader != nullptr && !reader->list.collects_pattern()) {
    return {reader->list.destination.kind, reader->list.destination.name};
  }
  return {message.destination_kind(), message.destination_name()};
}

std::string_view Engine::State::dead_letter_cause(AckKind kind, std::string_view cause) noexcept {
  if (!cause.empty()) return cause;
  return kind == AckKind::expired ? "the client found it expired" : "refused by the consumer";
}

std::shared_ptr<const DestinationPolicy> Engine::State::policy_of(const Reader* reader,
                                                                  const Message& message) const {
  if (reader != nullptr && reader->list.is_queue()) return reader->list.policy;
  const Address place = where_it_stands(reader, message);
  return settings.policies.find(*place.kind, place.name);
}

/// Whether `message` died already and stands where it was sent for that: there it does not die
/// again, or it would go round for ever. A client cannot make one look so: it has no say in
/// original_destination.
bool Engine::State::is_dead_letter_at(const Destination& place, const Message& message) const {
  const auto origin = message.original_destination();
  if (!origin || !origin->kind) return false;
  const auto policy = settings.policies.find(*origin->kind, origin->name);
  const DeadLetterStrategy& strategy = policy->dead_letter;
  if (strategy.kind == DeadLetterStrategy::Kind::discard) return false;
  const Destination target = target_of(strategy, *origin, {});
  if (target == place) return true;
  if (strategy.kind == DeadLetterStrategy::Kind::shared || !strategy.per_durable_subscriber ||
      is_queue(*origin->kind)) {
    return false;
  }
  // Prefix and topic, then whichever subscription it was, then the suffix.
  const std::string head = strategy.topic_prefix + std::string(origin->name) + ".";
  return place.kind == target.kind && place.name.starts_with(head) &&
         place.name.ends_with(strategy.topic_suffix);
}

std::optional<Destination> Engine::State::dead_letter_target(const Reader* reader,
                                                             const Message& message,
                                                             bool expired) const {
  const auto policy = policy_of(reader, message);
  const DeadLetterStrategy& strategy = policy->dead_letter;
  if (strategy.kind == DeadLetterStrategy::Kind::discard) return std::nullopt;
  if (expired && !strategy.process_expired) return std::nullopt;
  // As in ActiveMQ, nobody keeps a non-persistent message that nobody wanted in time; but one that
  // was refused is kept, unless configured otherwise.
  if (!message.persistent() && !strategy.process_non_persistent &&
      (expired || !strategy.process_refused_non_persistent)) {
    return std::nullopt;
  }
  const Address place = where_it_stands(reader, message);
  auto target = target_of(strategy, place, subscription_of(reader));
  const Destination here{*place.kind, std::string(place.name)};
  if (target == here || is_dead_letter_at(here, message)) return std::nullopt;
  return target;
}

Result<std::uint64_t> Engine::State::admit_dead_letter(const Reader* reader, const Message& message,
                                                       std::string_view cause, bool expired) {
  const auto target = dead_letter_target(reader, message, expired);
  if (!target) return std::uint64_t{0};
  const std::uint64_t bytes =
      dead_bytes_max(message, where_it_stands(reader, message), *target, cause);
  if (bytes > kMessageBytesMax) {
    return Error{Errc::invalid_argument, "the message is too large for a dead letter"};
  }
  if (is_queue(target->kind)) {
    if (auto made = queue_named(target->name, target->kind, true); !made) return made.error();
  }
  if (!message.persistent()) return std::uint64_t{0};
  if (store.admit(bytes, Purpose::move) != Admission::granted) {
    return Error{Errc::store_full, "no room for the dead letter: " + store.refusal()};
  }
  return bytes;
}

void Engine::State::dead_letter(Reader* reader, int priority, Entry& entry, std::string_view cause,
                                bool expired, Batch* batch, std::uint32_t delivered) {
  const Message& message = *entry.message;
  const auto target = dead_letter_target(reader, message, expired);
  if ((target && hears(AdvisoryTopic::dead)) || (expired && hears(AdvisoryTopic::expired))) {
    const Address at = where_it_stands(reader, message);
    const Destination here{*at.kind, std::string(at.name)};
    const auto policy = policy_of(reader, message);
    if (target) advise_message(AdvisoryKind::message_dead, here, message, *policy);
    if (expired) advise_message(AdvisoryKind::message_expired, here, message, *policy);
  }
  if (!target) {
    if (reader != nullptr) {
      release(*reader, priority, entry, batch);
    } else {
      unhold(message);
    }
    return;
  }
  const Address origin = where_it_stands(reader, message);
  const auto copy = dead_copy(message, {*target, origin, cause, delivered, now,
                                        policy_of(reader, message)->dead_letter.expiration});
  PABAL_CHECK(copy, "a dead letter that was admitted can be built");
  const std::uint64_t bytes = (*copy)->flat().size();
  const std::uint64_t admitted =
      message.persistent() ? dead_bytes_max(message, origin, *target, cause) : 0;
  PABAL_CHECK(bytes <= dead_bytes_max(message, origin, *target, cause),
              "a dead letter is no larger than admitted");

  Batch own;
  Batch& together = batch != nullptr ? *batch : own;
  if (is_queue(target->kind)) {
    route_.assign(1, *queue_named(target->name, target->kind, true));
  } else {
    const Topic& topic = *resolve_alone(target->name, target->kind);
    route_.assign(topic.lists.begin(), topic.lists.end());
    together.announced.push_back(*copy);
  }
  const auto operations = together.operations.size();
  prepare(*copy, together);
  const std::uint64_t used = together.operations.size() > operations ? bytes : 0;
  if (reader != nullptr) {
    ++reader->list.counters.dead_lettered;
    release(*reader, priority, entry, &together);
  } else {
    unhold(message);
  }
  ++totals.dead_lettered;
  if (batch == nullptr) {
    Ticket ticket = kNoTicket;
    if (!own.operations.empty()) {
      flush_acks();
      ticket = store.append(own.operations);
    }
    place(own, ticket, ticket);
  }
  if (admitted > used) store.release(admitted - used);
}

Result<MessageRef> revive_dead_letter(const Message& dead, TimePoint now) {
  const auto origin = dead.original_destination();
  if (!origin || !origin->kind || !dead.property(kCause)) {
    return Error{Errc::invalid_argument,
                 "message " + dead.id() + " is not a dead letter: it does not say where it died"};
  }
  MessageBuilder builder(dead);
  builder.destination_kind = *origin->kind;
  builder.destination_name = origin->name;
  builder.original_destination.reset();
  builder.expiration = 0;
  const auto expiration = dead.property(kExpiration);
  if (expiration && expiration->integer > to_millis(now)) builder.expiration = expiration->integer;
  drop_traces(builder, dead);
  return builder.build();
}

}  // namespace pabal::core
