#include "protocols/openwire/message_mapping.h"

#include <map>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "core/primitive_values.h"
#include "core/selector.h"
#include "protocols/openwire/codec.h"
#include "tests/conformance/openwire/frame_file.h"

namespace pabal::openwire {
namespace {

using core::BodyKind;
using core::Encoding;
using core::PropertyType;
using tests::CapturedFrame;
using std::string_view_literals::operator""sv;

std::vector<CapturedFrame> frames() {
  std::string error;
  auto read = tests::read_frame_files(PABAL_VECTOR_FOLDER, error);
  EXPECT_TRUE(error.empty()) << error;
  return read;
}

core::Result<core::MessageRef> stored(const Message& message, Incoming* incoming = nullptr) {
  core::MessageBuilder builder;
  IncomingScratch scratch;
  auto read = fill_message(builder, message, scratch);
  if (!read) return read.error();
  if (incoming != nullptr) *incoming = std::move(*read);
  builder.origin = 7;
  builder.sequence = 99;
  auto built = builder.build();
  if (!built) return built.error();
  return core::Message::from_flat((*built)->flat());  // as a store would give it back
}

std::string frame_of(const Message& message) {
  std::string out;
  append_frame(out, message, WireFormat{});
  return out;
}

/// What a broker sets or forgets, taken out of a captured message.
Message without_the_brokers(Message message) {
  message.command_id = 0;
  message.response_required = false;
  message.transaction_id.reset();
  message.original_destination.reset();
  message.original_transaction_id.reset();
  message.message_id->broker_sequence_id = 0;
  message.data_structure.reset();
  message.redelivery_counter = 0;
  message.arrival = 0;
  message.user_id.reset();
  message.broker_in_time = 0;
  message.broker_out_time = 0;
  message.first_for_consumer = false;
  message.target_consumer_id.reset();
  message.broker_path.reset();
  message.cluster.reset();
  message.received_by_df_bridge = false;
  message.producer_id = message.message_id->producer_id;  // a scheduler's has the first sender's
  return message;
}

// Everything that a real client sent, and a real broker delivered, in the captures: what comes out
// is written as the same bytes, but for what a broker says itself.
TEST(OpenWireMappingTest, CapturedMessagesComeBackByteByByte) {
  std::map<MessageType, int> seen;
  for (const CapturedFrame& frame : frames()) {
    if (!frame.readable) continue;
    AnyCommand command;
    std::string error;
    ASSERT_TRUE(
        read_command(std::string_view(frame.bytes).substr(4), frame.format, command, error));
    const Message* message = std::get_if<Message>(&command);
    if (const auto* dispatch = std::get_if<MessageDispatch>(&command);
        dispatch && dispatch->message) {
      message = &*dispatch->message;
    }
    if (message == nullptr || message->data_structure) continue;  // an advisory has no body of ours
    SCOPED_TRACE(frame.where() + " " + frame.comment);
    const auto kept = stored(*message);
    ASSERT_TRUE(kept) << kept.error().text;
    OutgoingScratch scratch;
    const Message out = wire_message(**kept, nullptr, scratch);
    EXPECT_EQ(frame_of(out), frame_of(without_the_brokers(*message)));
    ++seen[message->type_code];
  }
  EXPECT_EQ(seen.size(), 7U);  // all kinds
}

Message text_message(std::string_view content) {
  Message message;
  message.type_code = MessageType::text;
  message.destination = Destination{DestinationType::queue, "q"};
  message.message_id = MessageId{std::nullopt, {"ID:host-1:1", 1, 1}, 5, 0};
  message.producer_id = message.message_id->producer_id;
  message.content.value = content;
  return message;
}

TEST(OpenWireMappingTest, SelectorsSeeThePropertiesWithTheirTypes) {
  Message message = text_message("\0\0\0\2hi"sv);
  message.marshalled_properties.value = "\0\0\0\2\0\5color\x09\0\3red\0\1n\x05\0\0\0\7"sv;
  const auto kept = stored(message);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(core::Selector::compile("color = 'red' AND n > 6")->matches(**kept, {}));
  EXPECT_FALSE(core::Selector::compile("n = '7'")->matches(**kept, {}));
  EXPECT_EQ((*kept)->properties(), *message.marshalled_properties.value);
}

TEST(OpenWireMappingTest, NullAndEmptyTextsDiffer) {
  Message null_text = text_message("");
  null_text.content.value.reset();
  OutgoingScratch scratch;
  EXPECT_FALSE(wire_message(**stored(null_text), nullptr, scratch).content.value);
  EXPECT_EQ(wire_message(**stored(text_message("\0\0\0\0"sv)), nullptr, scratch).content.value,
            "\0\0\0\0"sv);
}

TEST(OpenWireMappingTest, IdsAreKeptOrMade) {
  OutgoingScratch scratch;
  const auto kept = *stored(text_message("\0\0\0\0"sv));
  EXPECT_EQ(kept->id(), "ID:host-1:1:1:1:5");
  Message out = wire_message(*kept, nullptr, scratch);
  EXPECT_EQ(out.message_id->producer_id.connection_id, "ID:host-1:1");
  EXPECT_EQ(out.message_id->producer_sequence_id, 5);
  EXPECT_FALSE(out.message_id->text_view);

  Message seen = text_message("\0\0\0\0"sv);
  seen.message_id->text_view = "ID:somebody's";
  const auto viewed = *stored(seen);
  EXPECT_EQ(viewed->id(), "ID:somebody's");
  out = wire_message(*viewed, nullptr, scratch);
  EXPECT_EQ(out.message_id->text_view, "ID:somebody's");
  EXPECT_EQ(out.message_id->producer_id.connection_id, "ID:pabal-0-7");
  EXPECT_EQ(out.message_id->producer_id.session_id, -1);
  EXPECT_EQ(out.message_id->producer_id.value, 1);
  EXPECT_EQ(out.message_id->producer_sequence_id, 99);

  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.origin = (std::uint64_t{3} << 32) + 4;
  builder.sequence = 12;
  out = wire_message(**builder.build(), nullptr, scratch);
  EXPECT_EQ(out.message_id->producer_id.connection_id, "ID:pabal-3-4");
  EXPECT_EQ(out.message_id->producer_sequence_id, 12);
  EXPECT_FALSE(out.message_id->text_view);
}

TEST(OpenWireMappingTest, IdTextsAreReadFromBehind) {
  for (const auto text : {"a:1:2:3", "ID:h:1:-1:9223372036854775807:-9223372036854775808"}) {
    const auto id = read_id_text(text);
    ASSERT_TRUE(id) << text;
    std::string again;
    append_id_text(again, *id);
    EXPECT_EQ(again, text);
  }
  for (const auto text : {"", "a", "1:2:3", ":1:2:3", "a:1:2:03", "a:1:2:", "a:1:-:3", "a:1:2:-0",
                          "a:1:2:+3", "a:1:2:9223372036854775808", "a:b:2:3"}) {
    EXPECT_FALSE(read_id_text(text)) << text;
  }
}

TEST(OpenWireMappingTest, HeadersAreUtf8InCore) {
  Message message = text_message("\0\0\0\0"sv);
  message.destination = Destination{DestinationType::temp_topic, "t\xED\xA0\xBD\xED\xB8\x80"};
  message.reply_to = Destination{DestinationType::temp_queue, "r\xC0\x80"};
  message.correlation_id = "c\xED\xA0\xBD\xED\xB8\x80";
  message.type = "파발";
  message.group_id = "g\xED\xA0\xBD";  // half a pair is no character
  message.group_sequence = -1;
  message.user_id = "forged";
  const auto kept = *stored(message);
  EXPECT_EQ(kept->destination_name(), "t😀");
  EXPECT_EQ(kept->destination_kind(), core::DestinationKind::temporary_topic);
  EXPECT_EQ(kept->reply_to()->name, "r\0"sv);
  EXPECT_EQ(kept->correlation(), "c😀");
  EXPECT_EQ(kept->type(), "파발");
  EXPECT_EQ(kept->group_id(), "g\uFFFD");
  EXPECT_EQ(kept->user_id(), "");
  OutgoingScratch scratch;
  const Message out = wire_message(*kept, nullptr, scratch);
  EXPECT_EQ(out.destination->physical_name, message.destination->physical_name);
  EXPECT_EQ(out.reply_to->physical_name, message.reply_to->physical_name);
  EXPECT_EQ(out.correlation_id, message.correlation_id);
  EXPECT_EQ(out.group_sequence, -1);
  EXPECT_FALSE(out.user_id);
}

TEST(OpenWireMappingTest, WhereItWasSentIsSaid) {
  const auto kept = *stored(text_message("\0\0\0\0"sv));
  OutgoingScratch scratch;
  const core::Destination place{core::DestinationKind::topic, "elsewhere"};
  const Message out = wire_message(*kept, &place, scratch);
  EXPECT_EQ(out.destination->physical_name, "elsewhere");
  EXPECT_EQ(out.destination->type, DestinationType::topic);
  EXPECT_EQ(out.original_destination->physical_name, "q");
}

TEST(OpenWireMappingTest, WhatASchedulerMustKnowIsFound) {
  std::string properties;
  const auto add = [&properties](std::string_view name, PropertyType type, std::int64_t integer,
                                 std::string_view text) {
    core::Property value;
    value.type = type;
    value.integer = integer;
    value.text = text;
    core::add_to_primitive_count(properties);
    core::append_primitive_name(properties, name);
    core::append_primitive(properties, value);
  };
  Message message = text_message("\0\0\0\0"sv);
  Incoming incoming;
  message.marshalled_properties.value = properties;
  ASSERT_TRUE(stored(message, &incoming));
  EXPECT_FALSE(incoming.schedule);
  add("AMQ_SCHEDULED_DELAY", PropertyType::int64, 500, "");
  add("AMQ_SCHEDULED_PERIOD", PropertyType::string, 0, "250");  // any spelling
  add("AMQ_SCHEDULED_REPEAT", PropertyType::int16, 2, "");
  message.marshalled_properties.value = properties;
  ASSERT_TRUE(stored(message, &incoming));
  ASSERT_TRUE(incoming.schedule);
  EXPECT_EQ(incoming.schedule->delay, 500);
  EXPECT_EQ(incoming.schedule->period, 250);
  EXPECT_EQ(incoming.schedule->repeat, 2);
  add("scheduledJobId", PropertyType::string, 0, "ID:x");  // it comes from a scheduler
  message.marshalled_properties.value = properties;
  ASSERT_TRUE(stored(message, &incoming));
  EXPECT_FALSE(incoming.schedule);
}

TEST(OpenWireMappingTest, RetainIsAPropertyHereToo) {
  Message message = text_message("\0\0\0\0"sv);
  EXPECT_FALSE((*stored(message))->retain());
  message.marshalled_properties.value =
      "\0\0\0\1\0\x0F"
      "ActiveMQ.Retain\1\1"sv;
  EXPECT_TRUE((*stored(message))->retain());
  message.marshalled_properties.value =
      "\0\0\0\1\0\x0F"
      "ActiveMQ.Retain\1\0"sv;
  EXPECT_FALSE((*stored(message))->retain());
}

TEST(OpenWireMappingTest, WhatMakesNoSenseIsRefused) {
  EXPECT_FALSE(stored(text_message("\0\0\0\3hi"sv)));
  EXPECT_FALSE(stored(text_message("\0\0\0\1hi"sv)));
  EXPECT_FALSE(stored(text_message("hi"sv)));
  EXPECT_FALSE(stored(text_message("\xFF\xFF\xFF\xFF"sv)));
  Message message = text_message("\0\0\0\1\0\1a\x63"sv);
  message.type_code = MessageType::map;
  EXPECT_FALSE(stored(message));
  message.type_code = MessageType::stream;
  EXPECT_FALSE(stored(message));
  message.type_code = MessageType::bytes;
  EXPECT_TRUE(stored(message));
  message.marshalled_properties.value = "\0\0\0\1\0\1a\x63"sv;
  EXPECT_FALSE(stored(message));
  message.marshalled_properties.value = "\0\0\0\0more"sv;
  EXPECT_FALSE(stored(message));
  message.marshalled_properties.value.reset();
  message.destination.reset();
  EXPECT_FALSE(stored(message));
  message = text_message("\0\0\0\0"sv);
  message.message_id.reset();
  EXPECT_FALSE(stored(message));
}

TEST(OpenWireMappingTest, ACompressedBodyIsNotLookedInto) {
  for (const auto type : {MessageType::text, MessageType::bytes, MessageType::map,
                          MessageType::stream, MessageType::object}) {
    Message message = text_message("any bytes"sv);
    message.type_code = type;
    message.compressed = true;
    const auto kept = *stored(message);
    EXPECT_TRUE(kept->compressed());
    EXPECT_EQ(kept->body_encoding(), Encoding::openwire);
    OutgoingScratch scratch;
    const Message out = wire_message(*kept, nullptr, scratch);
    EXPECT_TRUE(out.compressed);
    EXPECT_EQ(out.content.value, "any bytes");
    EXPECT_EQ(out.type_code, type);
  }
}

// --- messages of STOMP and MQTT ------------------------------------------------------------------

TEST(OpenWireMappingTest, TextOfOthersIsModifiedUtf8) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = BodyKind::text;
  OutgoingScratch scratch;
  builder.body = "";
  Message out = wire_message(**builder.build(), nullptr, scratch);
  EXPECT_EQ(out.type_code, MessageType::text);
  EXPECT_EQ(out.content.value, "\0\0\0\0"sv);
  builder.body = "😀\0 파발"sv;
  const auto text = *builder.build();
  EXPECT_EQ(wire_message(*text, nullptr, scratch).content.value,
            "\0\0\0\x0F\xED\xA0\xBD\xED\xB8\x80\xC0\x80 파발"sv);
  builder.body = "no UTF-8: \xFF"sv;  // which STOMP lets pass, and Java would throw at
  const auto damaged = *builder.build();
  EXPECT_EQ(wire_message(*damaged, nullptr, scratch).content.value, "\0\0\0\x0Dno UTF-8: \uFFFD"sv);
  builder.body_kind = BodyKind::bytes;
  const auto bytes = *builder.build();
  EXPECT_EQ(wire_message(*bytes, nullptr, scratch).content.value, "no UTF-8: \xFF"sv);
  EXPECT_EQ(wire_message(*bytes, nullptr, scratch).type_code, MessageType::bytes);
}

TEST(OpenWireMappingTest, PropertiesOfOthersKeepTypesAndTheFirstOfAName) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.content_type = "text/plain";
  builder.reply_to = core::Address{std::nullopt, "somewhere"};
  builder.correlation = "\xFF\0"sv;
  builder.correlation_is_bytes = true;
  builder.add_string("s", "first 😀");
  builder.add_string("s", "second");
  builder.add_string("", "nameless");
  builder.add_integer("ActiveMQ.MQTT.QoS", PropertyType::int32, 1);
  builder.add_boolean("b", true);
  const auto message = *builder.build();
  OutgoingScratch scratch;
  Message out = wire_message(*message, nullptr, scratch);
  EXPECT_EQ(out.correlation_id, "ID:BINARY:ff00");
  EXPECT_FALSE(out.reply_to);
  // As its receiver would send it on.
  const auto again = *stored(out);
  EXPECT_EQ(again->property("s")->text, "first 😀");
  EXPECT_EQ(again->property("b")->type, PropertyType::boolean);
  EXPECT_EQ(again->property("ActiveMQ.MQTT.QoS")->integer, 1);
  EXPECT_EQ(again->property("content-type")->text, "text/plain");
  EXPECT_EQ(again->property("reply-to")->text, "somewhere");
  EXPECT_FALSE(again->property(""));
  EXPECT_TRUE(again->correlation_is_bytes());
  EXPECT_EQ(again->correlation(), "\xFF\0"sv);
}

TEST(OpenWireMappingTest, WhatIsTooLongForAHeaderIsCut) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  const std::string type = std::string(65'534, 'x') + "파";
  builder.type = type;
  const std::string property(70'000, 'y');
  builder.add_string("large", property);
  const auto message = *builder.build();
  OutgoingScratch scratch;
  const Message out = wire_message(*message, nullptr, scratch);
  EXPECT_EQ(out.type->size(), 65'534U);
  EXPECT_EQ((*stored(out))->property("large")->text, property);
}

}  // namespace
}  // namespace pabal::openwire
