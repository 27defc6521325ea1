#include "core/advisory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/check.h"
#include "core/record.h"

// The body of an advisory's message is a record: its version, then the fields of Advisory in their
// order. It lives no longer than the process, for advisories are never persistent.

namespace pabal::core {
namespace {

constexpr std::uint64_t kRecordVersion = 1;
constexpr std::string_view kType = "Advisory";

/// By AdvisoryTopic.
constexpr std::array<std::string_view, kAdvisoryTopics> kTopicNames = {"TempQueue",
                                                                       "TempTopic",
                                                                       "Queue",
                                                                       "Topic",
                                                                       "Connection",
                                                                       "Consumer",
                                                                       "Producer",
                                                                       "Expired",
                                                                       "MessageDLQd",
                                                                       "NoConsumer",
                                                                       "SlowConsumer",
                                                                       "FastProducer",
                                                                       "MessageDelivered",
                                                                       "MessageConsumed",
                                                                       "MessageDiscarded",
                                                                       "FULL",
                                                                       "MasterBroker"};

std::string_view name_of(AdvisoryTopic topic) noexcept {
  return kTopicNames[static_cast<std::size_t>(topic)];
}

AdvisoryTopic topic_of(const Advisory& advisory) noexcept {
  switch (advisory.kind) {
    case AdvisoryKind::connection_started:
    case AdvisoryKind::connection_ended:
      return AdvisoryTopic::connection;
    case AdvisoryKind::destination_added:
    case AdvisoryKind::destination_removed:
      // In the order of DestinationKind.
      switch (advisory.destination ? advisory.destination->kind : DestinationKind::queue) {
        case DestinationKind::queue:
          return AdvisoryTopic::queue;
        case DestinationKind::topic:
          return AdvisoryTopic::topic;
        case DestinationKind::temporary_queue:
          return AdvisoryTopic::temporary_queue;
        case DestinationKind::temporary_topic:
          return AdvisoryTopic::temporary_topic;
      }
      break;
    case AdvisoryKind::consumer_started:
    case AdvisoryKind::consumer_ended:
    case AdvisoryKind::durable_removed:
      return AdvisoryTopic::consumer;
    case AdvisoryKind::producer_started:
    case AdvisoryKind::producer_ended:
      return AdvisoryTopic::producer;
    case AdvisoryKind::message_expired:
      return AdvisoryTopic::expired;
    case AdvisoryKind::message_dead:
      return AdvisoryTopic::dead;
    case AdvisoryKind::message_arrived:
      return AdvisoryTopic::arrived;
    case AdvisoryKind::message_consumed:
      return AdvisoryTopic::consumed;
    case AdvisoryKind::message_discarded:
      return AdvisoryTopic::discarded;
    case AdvisoryKind::consumer_slow:
      return AdvisoryTopic::slow_consumer;
    case AdvisoryKind::producer_fast:
      return AdvisoryTopic::fast_producer;
    case AdvisoryKind::destination_full:
      return AdvisoryTopic::full;
    case AdvisoryKind::broker_active:
      return AdvisoryTopic::broker_active;
  }
  PABAL_UNREACHABLE();
}

/// ActiveMQ has two spellings: some topics know queues and topics only.
std::string_view kind_name(DestinationKind kind, bool with_temporaries) noexcept {
  const bool temporary = with_temporaries && is_temporary(kind);
  if (is_queue(kind)) return temporary ? "TempQueue" : "Queue";
  return temporary ? "TempTopic" : "Topic";
}

/// A comma would make a composite of the name.
void append_name(std::string& out, std::string_view name) {
  for (const char c : name) {
    if (c == ',') {
      out += "&sbquo;";
    } else {
      out += c;
    }
  }
}

void put_signed(std::string& out, std::int64_t number) {
  put(out, static_cast<std::uint64_t>(number));
}

void put_number(std::string& out, const ClientNumber& number) {
  put_signed(out, number.session);
  put_signed(out, number.value);
}

void encode(std::string& out, const Advisory& advisory) {
  put(out, kRecordVersion);
  put(out, static_cast<std::uint64_t>(advisory.kind));
  for (const auto* text :
       {&advisory.connection, &advisory.client_id, &advisory.user, &advisory.remote,
        &advisory.selector, &advisory.durable_name, &advisory.usage, &advisory.target_connection}) {
    put(out, *text);
  }
  put_number(out, advisory.number);
  put_number(out, advisory.target);
  put(out, advisory.destination ? static_cast<std::uint64_t>(advisory.destination->kind) + 1 : 0);
  if (advisory.destination) put(out, advisory.destination->name);
  put(out, std::uint64_t{advisory.prefetch});
  put_signed(out, advisory.priority);
  put(out, (advisory.browser ? 1U : 0U) | (advisory.no_local ? 2U : 0U) |
               (advisory.exclusive ? 4U : 0U) | (advisory.retroactive ? 8U : 0U));
  put_signed(out, advisory.count);
  std::string_view flat;
  if (advisory.message) {
    const auto bytes = advisory.message->flat();
    flat = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  put(out, flat);
}

ClientNumber read_number(RecordReader& in) {
  ClientNumber number;
  number.session = static_cast<std::int64_t>(in.number());
  number.value = static_cast<std::int64_t>(in.number());
  return number;
}

std::optional<Advisory> decode(std::string_view body) {
  RecordReader in{body};
  if (in.number() != kRecordVersion) return std::nullopt;
  Advisory advisory;
  const std::uint64_t kind = in.number();
  if (kind > static_cast<std::uint64_t>(AdvisoryKind::broker_active)) return std::nullopt;
  advisory.kind = static_cast<AdvisoryKind>(kind);
  for (auto* text :
       {&advisory.connection, &advisory.client_id, &advisory.user, &advisory.remote,
        &advisory.selector, &advisory.durable_name, &advisory.usage, &advisory.target_connection}) {
    *text = in.text();
  }
  advisory.number = read_number(in);
  advisory.target = read_number(in);
  const std::uint64_t destination = in.number();
  if (destination > 4) return std::nullopt;
  if (destination > 0) {
    advisory.destination = Destination{static_cast<DestinationKind>(destination - 1), in.text()};
  }
  advisory.prefetch = static_cast<std::uint32_t>(in.number());
  advisory.priority = static_cast<std::int32_t>(static_cast<std::int64_t>(in.number()));
  const std::uint64_t flags = in.number();
  advisory.browser = (flags & 1) != 0;
  advisory.no_local = (flags & 2) != 0;
  advisory.exclusive = (flags & 4) != 0;
  advisory.retroactive = (flags & 8) != 0;
  advisory.count = static_cast<std::int64_t>(in.number());
  const std::string flat = in.text();
  if (!in.complete()) return std::nullopt;
  if (!flat.empty()) {
    auto message =
        Message::from_flat({reinterpret_cast<const std::byte*>(flat.data()), flat.size()});
    if (!message) return std::nullopt;
    advisory.message = std::move(*message);
  }
  return advisory;
}

/// Source: reference §6.18, "extra properties"; `orignal…` is spelt so.
void add_properties(MessageBuilder& builder, const Advisory& advisory) {
  const auto consumer_id = [&] {
    builder.add_string("consumerId", advisory.connection + ':' +
                                         std::to_string(advisory.number.session) + ':' +
                                         std::to_string(advisory.number.value));
  };
  const auto message_id = [&] { builder.add_string("orignalMessageId", advisory.message->id()); };
  switch (advisory.kind) {
    case AdvisoryKind::consumer_started:
    case AdvisoryKind::consumer_ended:
    case AdvisoryKind::durable_removed:
      builder.add_integer("consumerCount", PropertyType::int32, advisory.count);
      return;
    case AdvisoryKind::producer_started:
    case AdvisoryKind::producer_ended:
      builder.add_integer("producerCount", PropertyType::int32, advisory.count);
      return;
    case AdvisoryKind::message_expired:
      return message_id();
    case AdvisoryKind::message_arrived:
    case AdvisoryKind::message_consumed:
      message_id();
      builder.add_string("orignalDestination", advisory.destination->to_text());
      return;
    case AdvisoryKind::message_discarded:
      message_id();
      builder.add_string("orignalDestination", advisory.destination->to_text());
      consumer_id();
      builder.add_integer("discardedCount", PropertyType::int32, advisory.count);
      return;
    case AdvisoryKind::consumer_slow:
      return consumer_id();
    case AdvisoryKind::producer_fast:
      builder.add_string("producerId", advisory.connection + ':' +
                                           std::to_string(advisory.number.session) + ':' +
                                           std::to_string(advisory.number.value));
      return;
    case AdvisoryKind::destination_full:
      builder.add_string("usageName", advisory.usage);
      builder.add_integer("usageCount", PropertyType::int64, advisory.count);
      return;
    default:
      return;
  }
}

}  // namespace

AdvisoryTopics advisory_topics_of(std::string_view pattern, bool by_name) noexcept {
  if (by_name && !pattern.starts_with("ActiveMQ.")) return 0;
  AdvisoryTopics found = 0;
  constexpr AdvisoryTopics kAll = (AdvisoryTopics{1} << kAdvisoryTopics) - 1;
  const auto next_level = [&pattern] {
    const auto dot = pattern.find('.');
    const auto level = pattern.substr(0, dot);
    pattern = dot == std::string_view::npos ? std::string_view{} : pattern.substr(dot + 1);
    return level;
  };
  for (const std::string_view wanted : {"ActiveMQ", "Advisory"}) {
    const auto level = next_level();
    if (level == ">" && pattern.data() == nullptr) return kAll;
    if (level != "*" && level != wanted) return 0;
    if (pattern.data() == nullptr) return 0;
  }
  const auto level = next_level();
  if (level == ">" || level == "*") return kAll;
  for (std::size_t i = 0; i < kAdvisoryTopics; ++i) {
    if (kTopicNames[i] == level) found |= AdvisoryTopics{1} << i;
  }
  return found;
}

std::string advisory_topic(const Advisory& advisory) {
  const AdvisoryTopic topic = topic_of(advisory);
  std::string name(kAdvisoryPrefix);
  name += name_of(topic);
  switch (topic) {
    case AdvisoryTopic::temporary_queue:
    case AdvisoryTopic::temporary_topic:
    case AdvisoryTopic::queue:
    case AdvisoryTopic::topic:
    case AdvisoryTopic::connection:
    case AdvisoryTopic::broker_active:
      return name;
    case AdvisoryTopic::producer:
      if (!advisory.destination) return name + ".Anonymous";
      break;
    default:
      break;
  }
  const bool with_temporaries = topic != AdvisoryTopic::consumer &&
                                topic != AdvisoryTopic::producer && topic != AdvisoryTopic::expired;
  name += '.';
  name += kind_name(advisory.destination->kind, with_temporaries);
  name += '.';
  append_name(name, advisory.destination->name);
  return name;
}

std::string no_consumer_topic(const Destination& destination) {
  std::string name(kAdvisoryPrefix);
  name += name_of(AdvisoryTopic::no_consumer);
  name += '.';
  name += kind_name(destination.kind, false);
  name += '.';
  append_name(name, destination.name);
  return name;
}

void fill_advisory(MessageBuilder& builder, const Advisory& advisory, const AdvisorySource& source,
                   std::string& topic, std::string& body) {
  topic = advisory_topic(advisory);
  body.clear();
  encode(body, advisory);
  builder.destination_kind = DestinationKind::topic;
  builder.destination_name = topic;
  builder.type = kType;
  builder.priority = 0;
  builder.body = body;
  builder.add_string("originBrokerId", source.broker_id);
  builder.add_string("originBrokerName", source.broker_name);
  if (!source.broker_url.empty()) builder.add_string("originBrokerURL", source.broker_url);
  add_properties(builder, advisory);
}

std::optional<Advisory> read_advisory(const Message& message) {
  if (!may_be_advisory(message) || message.type() != kType) return std::nullopt;
  const auto rest = message.destination_name().substr(kAdvisoryPrefix.size());
  if (rest.starts_with(name_of(AdvisoryTopic::no_consumer))) return std::nullopt;
  return decode(message.body());
}

}  // namespace pabal::core
