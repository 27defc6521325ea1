#include "tests/fuzz/mqtt_stream.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/packet_parser.h"
#include "protocols/mqtt/publish_encoder.h"
#include "protocols/mqtt/topic_names.h"
#include "protocols/mqtt/utf8.h"
#include "tests/conformance/mqtt/packet_vector.h"
#include "tests/support/mqtt_text.h"

namespace pabal::tests {
namespace {

using namespace mqtt;

// The second byte of an input.
constexpr unsigned kFromServer = 1;
constexpr unsigned kConnected = 2;
constexpr unsigned kLevelShift = 2;

struct Circumstances {
  Sender sender = Sender::client;
  Level level = Level::v5;
  bool connected = false;
};

ParserOptions small_options() {
  ParserOptions options;
  options.packet_bytes_max = 8192;
  options.connect_bytes_max = 4096;
  options.user_properties_max = 16;
  options.filters_max = 16;
  return options;
}

const ParserOptions kOptions = small_options();

/// A parser that has come so far.
std::unique_ptr<PacketParser> parser_of(const Circumstances& circumstances) {
  auto parser = std::make_unique<PacketParser>(kOptions, circumstances.sender);
  if (circumstances.sender == Sender::server) {
    parser->set_level(circumstances.level);
  } else if (circumstances.connected) {
    const std::string connect = some_connect(circumstances.level);
    parser->feed(connect);
    Packet packet;
    PABAL_CHECK(parser->next(packet) == ParseStatus::packet, "a CONNECT of ours");
    PABAL_CHECK(parser->next(packet) == ParseStatus::need_more, "and no more");
  }
  return parser;
}

/// The one packet that `bytes` are, as text.
std::string read_one(const std::string& bytes, Circumstances circumstances, bool is_connect) {
  circumstances.connected = !is_connect;
  const auto parser = parser_of(circumstances);
  const std::vector<char> block(bytes.begin(), bytes.end());
  parser->feed({block.data(), block.size()});
  Packet packet;
  PABAL_CHECK(parser->next(packet) == ParseStatus::packet, parser->error().text.c_str());
  const std::string text = describe(packet);
  PABAL_CHECK(parser->next(packet) == ParseStatus::need_more, "one packet");
  PABAL_CHECK(parser->missing() == 0, "and nothing behind it");
  return text;
}

void check_topic(std::string_view topic) {
  PABAL_CHECK(swapped(swapped(topic)) == topic, "the swap is its own inverse");
  if (!is_topic_name(topic)) return;
  const auto target = parse_topic_name(topic);
  if (!target) return;
  const core::Destination destination = target->to_destination();
  std::string back;
  if (append_topic_name(back, destination.kind, destination.name)) {
    PABAL_CHECK(back == topic, "a name comes back as it was");
  } else {
    PABAL_CHECK(false, "what came from MQTT has a name there");
  }
}

void check_filter(std::string_view filter, Level level) {
  PABAL_CHECK(is_topic_filter(filter), "the parser lets only filters pass");
  const auto target = parse_topic_filter(filter);
  PABAL_CHECK(target || level != Level::v5, "5.0 knows no other");
  if (!target) return;
  const std::string pattern = swapped(target->target.name);
  (void)matches_filter(pattern, "$SYS.a");
  (void)matches_filter(pattern, "a.b");
}

/// Delivers what was published, to every level.
void check_delivery(const Publish& publish) {
  PublishEncoder encoder;
  const std::string_view topic = publish.topic.empty() ? "alias" : publish.topic;
  PABAL_CHECK(encoder.begin_topic(topic, publish.payload), "a topic name");
  const Properties& properties = publish.properties;
  if (properties.has(PropertyId::payload_format)) {
    encoder.payload_format(properties.number(PropertyId::payload_format) == 1);
  }
  if (properties.has(PropertyId::message_expiry)) encoder.with_message_expiry();
  if (properties.has(PropertyId::content_type)) {
    PABAL_CHECK(encoder.content_type(properties.text(PropertyId::content_type)), "checked before");
  }
  encoder.user_properties(properties.user);
  const std::uint32_t ids[] = {1, 1'000'000};
  for (const Level level : {Level::v3_1, Level::v3_1_1, Level::v5}) {
    PublishDelivery delivery{.qos = publish.qos,
                             .dup = publish.dup,
                             .retain = publish.retain,
                             .packet_id = publish.packet_id,
                             .topic_alias = static_cast<std::uint16_t>(publish.payload.size() & 1),
                             .subscription_ids = ids};
    std::string out;
    if (encoder.append(out, level, delivery, kOptions.packet_bytes_max)) {
      (void)read_one(out, {Sender::server, level, true}, false);
    }
  }
}

/// What must hold for a packet that was read.
void check_packet(const Packet& packet, const Circumstances& circumstances, Level level) {
  const bool is_connect = type_of(packet) == PacketType::connect;
  Circumstances own = circumstances;
  own.level = level;
  const std::string text = describe(packet);
  std::string out;
  PABAL_CHECK(append_packet(out, packet, level), text.c_str());
  // The maximum in the middle of what it needs: shorter, or refused.
  std::string less;
  const auto half = static_cast<std::uint32_t>(out.size() / 2);
  if (append_packet(less, packet, level, half)) {
    PABAL_CHECK(less.size() <= half, "the maximum is kept");
    (void)read_one(less, own, is_connect);
  } else {
    PABAL_CHECK(less.empty(), "nothing is written in part");
  }
  if (out.size() <= kOptions.packet_bytes_max) {
    PABAL_CHECK(read_one(out, own, is_connect) == text, text.c_str());
  }
  if (const auto* publish = std::get_if<Publish>(&packet)) {
    check_topic(publish->topic);
    check_delivery(*publish);
  } else if (const auto* subscribe = std::get_if<Subscribe>(&packet)) {
    for (const SubscriptionRequest& request : subscribe->requests) {
      check_filter(request.filter, level);
    }
  } else if (const auto* unsubscribe = std::get_if<Unsubscribe>(&packet)) {
    for (const std::string_view filter : unsubscribe->filters) check_filter(filter, level);
  }
}

/// Everything that the parser makes of the bytes.
std::vector<std::string> read_all(std::string_view bytes, std::size_t portion_max,
                                  const Circumstances& circumstances, bool checks) {
  const auto parser = parser_of(circumstances);
  std::vector<std::string> read;
  Packet packet;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, portion_max);
    bytes.remove_prefix(part.size());
    // A heap block of its own, so that a sanitizer sees a read beyond it or after its time.
    const std::vector<char> block(part.begin(), part.end());
    parser->feed({block.data(), block.size()});
    ParseStatus status = parser->next(packet);
    for (; status == ParseStatus::packet; status = parser->next(packet)) {
      if (checks) check_packet(packet, circumstances, parser->level());
      read.push_back(describe(packet));
    }
    if (status == ParseStatus::failed) {
      PABAL_CHECK(is_error(parser->error().reason), "a reason");
      PABAL_CHECK(!parser->error().text.empty(), "a text");
      PABAL_CHECK(is_utf8(parser->error().text), "a text that can be sent");
      read.push_back("failed: " + std::to_string(static_cast<int>(parser->error().reason)) + " " +
                     parser->error().text);
      return read;
    }
  }
  if (parser->missing() != 0) read.push_back("missing " + std::to_string(parser->missing()));
  return read;
}

}  // namespace

void play_mqtt_stream(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return;
  const unsigned how = bytes[1];
  Circumstances circumstances;
  circumstances.sender = (how & kFromServer) != 0 ? Sender::server : Sender::client;
  circumstances.connected = (how & kConnected) != 0;
  circumstances.level = static_cast<Level>(3 + (how >> kLevelShift) % 3);
  const std::string_view stream(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  const auto whole = read_all(stream, stream.size() + 1, circumstances, true);
  const std::size_t portion = bytes[0] == 0 ? 1 : bytes[0];
  const auto parts = read_all(stream, portion, circumstances, false);
  PABAL_CHECK(whole == parts, "it does not matter how the stream is cut");
}

std::string mqtt_stream_input(const std::string& bytes, Sender sender, Level level, bool connected,
                              std::uint8_t portion) {
  const unsigned how = (sender == Sender::server ? kFromServer : 0) | (connected ? kConnected : 0) |
                       (static_cast<unsigned>(level) - 3) << kLevelShift;
  return std::string(1, static_cast<char>(portion)) + static_cast<char>(how) + bytes;
}

}  // namespace pabal::tests
