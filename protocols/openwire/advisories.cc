#include "protocols/openwire/advisories.h"

#include <memory>
#include <utility>

#include "protocols/openwire/codec.h"
#include "protocols/openwire/message_mapping.h"

namespace pabal::openwire {
namespace {

constexpr std::string_view kAdvisoryType = "Advisory";
constexpr std::string_view kTempQueueTopic = "ActiveMQ.Advisory.TempQueue";
constexpr std::string_view kTempTopicTopic = "ActiveMQ.Advisory.TempTopic";

/// The command as the body of a message of core: a frame without its length.
std::string destination_info(const core::Destination& destination, std::string_view connection_id,
                             bool added) {
  DestinationInfo info;
  info.connection_id = ConnectionId{connection_id};
  info.destination = Destination{type_of(destination.kind), destination.name};
  info.operation_type = added ? DestinationInfo::kAdd : DestinationInfo::kRemove;
  std::string frame;
  append_frame(frame, info, WireFormat{});
  return frame.substr(4);
}

void fill_advisory(core::MessageBuilder& builder, const SessionOptions& options,
                   const core::Destination& destination, std::string_view body) {
  builder.destination_kind = core::DestinationKind::topic;
  builder.destination_name = temporary_advisory_topic(destination.kind);
  builder.type = kAdvisoryType;
  builder.priority = 0;
  builder.body_kind = core::BodyKind::bytes;
  builder.body = body;
  builder.add_string("originBrokerId", options.broker_id);
  builder.add_string("originBrokerName", options.broker_name);
}

}  // namespace

std::string_view temporary_advisory_topic(core::DestinationKind kind) noexcept {
  return kind == core::DestinationKind::temporary_queue ? kTempQueueTopic : kTempTopicTopic;
}

void announce_temporary(core::Engine& engine, const SessionOptions& options,
                        const core::Destination& destination, std::string_view connection_id,
                        bool added, core::TimePoint now) {
  const std::string body = destination_info(destination, connection_id, added);
  core::MessageBuilder builder;
  fill_advisory(builder, options, destination, body);
  // It waits for no room; what could still refuse it is a topic that may not be.
  (void)engine.announce(builder, now);
}

void append_temporary_advisory(std::string& out, const SessionOptions& options,
                               const core::Destination& destination, const ConsumerId& target,
                               std::int64_t sequence, const WireFormat& format) {
  // Its name begins with its owner's connection id.
  const std::string_view name = destination.name;
  const std::string body = destination_info(destination, name.substr(0, name.rfind(':')), true);
  core::MessageBuilder builder;
  fill_advisory(builder, options, destination, body);
  const std::string id = options.broker_id + ':' + std::string(target.connection_id) +
                         ":-1:1:" + std::to_string(sequence);
  builder.foreign_id = id;
  const auto message = builder.build();
  if (!message) return;
  OutgoingScratch scratch;
  MessageDispatch dispatch;
  dispatch.message = wire_message(**message, nullptr, scratch);
  word_advisory(**message, *dispatch.message);
  dispatch.message->target_consumer_id = target;
  dispatch.consumer_id = target;
  dispatch.destination = dispatch.message->destination;
  append_frame(out, dispatch, format);
}

void word_advisory(const core::Message& message, Message& wire) {
  if (message.type() != kAdvisoryType || message.body().empty() ||
      !is_advisory_topic(message.destination_kind(), message.destination_name())) {
    return;
  }
  auto command = std::make_shared<Command>();
  std::string error;
  if (!read_command(message.body(), WireFormat{}, command->value, error)) return;
  wire.type_code = MessageType::plain;
  wire.content = {};
  wire.data_structure = std::move(command);
  wire.timestamp = 0;
}

}  // namespace pabal::openwire
