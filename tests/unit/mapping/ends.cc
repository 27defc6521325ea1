#include "tests/unit/mapping/ends.h"

#include <cstdlib>
#include <zlib.h>

#include <gtest/gtest.h>

#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/mqtt/message_mapping.h"
#include "protocols/mqtt/packet_parser.h"
#include "protocols/openwire/codec.h"

namespace pabal::tests {
namespace {

using core::BodyKind;

/// Values that have no room for every character, and are not what is tested here.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == ':') {
      out += "\\c";
    } else if (c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'c' ? ':' : '\\';
  }
  return out;
}

/// One MESSAGE, read as STOMP 1.2 says.
Got read_stomp(std::string_view frame) {
  Got got;
  const std::size_t end = frame.find("\n\n");
  if (!frame.starts_with("MESSAGE\n") || end == frame.npos) return got;
  got.valid = core::is_utf8(frame.substr(0, end));
  for (std::size_t at = 8; at < end;) {
    const std::size_t line_end = frame.find('\n', at);
    const std::string_view line = frame.substr(at, line_end - at);
    const std::size_t colon = line.find(':');
    got.headers.emplace(unescaped(line.substr(0, colon)), unescaped(line.substr(colon + 1)));
    at = line_end + 1;
  }
  const std::string_view rest = frame.substr(end + 2);
  const auto length = got.headers.find("content-length");
  const std::size_t size = length == got.headers.end()
                               ? rest.find('\0')
                               : std::strtoul(length->second.c_str(), nullptr, 10);
  got.valid = got.valid && size < rest.size() && rest.substr(size) == std::string_view("\0\n", 2);
  got.body = rest.substr(0, size);
  return got;
}

}  // namespace

std::string shown(std::string_view java) {
  std::string out;
  EXPECT_TRUE(core::to_utf8(java, out));
  return out;
}

std::string deflated(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size,
           reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  out.resize(size);
  return out;
}

std::string counted(std::string_view text) {
  std::string out;
  core::append_primitive_count(out, static_cast<std::uint32_t>(text.size()));
  return out += text;
}

std::string wire_content(const Told& told) {
  std::string content = told.kind == BodyKind::text ? counted(told.java)
                        : told.kind == BodyKind::map || told.kind == BodyKind::stream ? told.values
                                                                                      : told.bytes;
  if (!told.compressed) return content;
  if (told.kind == BodyKind::bytes) {
    std::string out;
    core::append_primitive_count(out, static_cast<std::uint32_t>(content.size()));
    return out + deflated(content);
  }
  return deflated(content);
}

Ends::Ends() {
  core::engine_role.assert_held();
  peer_ = broker_.accept();
  broker_.receive(peer_, std::string_view("CONNECT\naccept-version:1.2\nhost:h\n\n\0", 36));
  broker_.receive(peer_, std::string_view("SUBSCRIBE\nid:0\ndestination:/queue/out\n"
                                          "transformation:jms-map-json\n\n\0",
                                          68));
  broker_.take(peer_);
  core::ConnectOptions options;
  options.home = core::HomeId(1);
  const auto connected = broker_.engine().connect(options, broker_.now());
  EXPECT_TRUE(connected);
  other_ = connected->id;
  core::SubscribeOptions subscribe;
  subscribe.interests.push_back({{core::DestinationKind::queue, "in"}, "", false});
  EXPECT_TRUE(broker_.engine().subscribe(other_, subscribe, broker_.now()));
}

core::MessageRef Ends::from_openwire(const Told& told) {
  openwire::Message message;
  message.type_code = told.kind == BodyKind::text     ? openwire::MessageType::text
                      : told.kind == BodyKind::bytes  ? openwire::MessageType::bytes
                      : told.kind == BodyKind::map    ? openwire::MessageType::map
                      : told.kind == BodyKind::stream ? openwire::MessageType::stream
                      : told.kind == BodyKind::object ? openwire::MessageType::object
                                                      : openwire::MessageType::plain;
  message.destination = openwire::Destination{openwire::DestinationType::queue, "out"};
  message.message_id = openwire::MessageId{std::nullopt, {"ID:h-1:1", 1, 1}, 5, 0};
  message.producer_id = message.message_id->producer_id;
  const std::string content = wire_content(told);
  if (!content.empty()) message.content.value = content;
  message.compressed = told.compressed;
  message.correlation_id = told.java_word;
  message.type = told.java_word;
  std::string properties;
  core::Property word, number;
  word.type = core::PropertyType::string;
  word.encoding = core::Encoding::openwire;
  word.text = told.java_word;
  number.type = core::PropertyType::int64;
  number.integer = told.number;
  core::append_primitive_count(properties, 2);
  core::append_primitive_name(properties, "word");
  // As Java writes it: modified, which nothing else needs to.
  core::append_primitive(properties, word, core::StringPlace::nested);
  core::append_primitive_name(properties, "number");
  core::append_primitive(properties, number);
  message.marshalled_properties.value = properties;
  // Over the wire.
  std::string frame;
  openwire::append_frame(frame, message, openwire::WireFormat{});
  openwire::AnyCommand command;
  std::string error;
  EXPECT_TRUE(openwire::read_command(std::string_view(frame).substr(4), {}, command, error))
      << error;
  core::MessageBuilder builder;
  openwire::IncomingScratch scratch;
  const auto filled =
      openwire::fill_message(builder, std::get<openwire::Message>(command), scratch);
  EXPECT_TRUE(filled) << (filled ? "" : filled.error().text);
  return *builder.build();
}

core::MessageRef Ends::from_stomp(const Told& told) {
  core::engine_role.assert_held();
  const bool is_text = told.kind == BodyKind::text;
  const std::string body = is_text ? shown(told.java) : told.bytes;
  const std::string word = escaped(shown(told.java_word));
  std::string frame = "SEND\ndestination:/queue/in\nword:" + word + "\ntype:" + word +
                      "\ncorrelation-id:" + word + "\nnumber:" + std::to_string(told.number) + "\n";
  // A text with a NUL needs its length, and then the word for what it is.
  if (!is_text || body.find('\0') != body.npos) {
    frame += "content-length:" + std::to_string(body.size()) + "\n";
    frame += is_text ? "amq-msg-type:text\n" : "";
  }
  broker_.receive(peer_, frame + "\n" + body + '\0');
  EXPECT_EQ(broker_.take(peer_), "");
  auto& outbox = broker_.engine().outbox(core::HomeId(1));
  EXPECT_EQ(outbox.deliveries.size(), 1U);
  const core::Delivery delivery = outbox.deliveries.front();
  outbox.deliveries.clear();
  broker_.engine().written(delivery.connection, delivery.number, broker_.now());
  return delivery.message;
}

core::MessageRef Ends::from_mqtt(const Told& told) {
  mqtt::Properties properties;
  const bool is_text = told.kind == BodyKind::text;
  const std::string body = is_text ? shown(told.java) : told.bytes;
  const std::string word = shown(told.java_word);
  const std::string number = std::to_string(told.number);
  if (is_text) properties.set(mqtt::PropertyId::payload_format, std::uint32_t{1});
  properties.set(mqtt::PropertyId::correlation_data, word);
  std::string user;
  const auto put = [&user](std::string_view text) {
    user += static_cast<char>(text.size() >> 8);
    user += static_cast<char>(text.size());
    user += text;
  };
  for (const auto& [name, value] : {std::pair("word", word), std::pair("number", number)}) {
    user += '\x26';
    put(name);
    put(value);
  }
  properties.user = mqtt::UserProperties(user, 2);
  core::MessageBuilder builder;
  std::string name, reply_to;
  const auto target = mqtt::parse_topic_name("out");
  mqtt::fill_message(builder, {*target, mqtt::QoS::at_least_once, false, body, &properties}, 1000,
                     {name, reply_to});
  return *builder.build();
}

Got Ends::to_openwire(const core::Message& message) {
  openwire::OutgoingScratch scratch;
  const openwire::Message out = openwire::wire_message(message, nullptr, scratch);
  std::string frame;
  openwire::append_frame(frame, out, openwire::WireFormat{});
  openwire::AnyCommand command;
  std::string error;
  Got got;
  got.valid = openwire::read_command(std::string_view(frame).substr(4), {}, command, error);
  if (!got.valid) return got;
  const auto& read = std::get<openwire::Message>(command);
  got.type = read.type_code;
  got.body = read.content.value.value_or("");
  core::PropertyReader reader(core::Encoding::openwire,
                              read.marshalled_properties.value.value_or(""));
  while (const auto property = reader.next()) {
    std::string text;
    property->append_text(text);
    got.headers[std::string(property->name)] = text;
  }
  got.valid = reader.complete();
  if (read.type) got.headers["type"] = shown(*read.type);
  if (read.correlation_id) got.headers["correlation-id"] = shown(*read.correlation_id);
  return got;
}

Got Ends::to_stomp(const core::MessageRef& message) {
  core::engine_role.assert_held();
  core::MessageBuilder builder(*message);
  builder.destination_kind = core::DestinationKind::queue;
  builder.destination_name = "out";
  (void)broker_.engine().publish(other_, *builder.build(), std::nullopt, 0, broker_.now());
  broker_.settle();
  return read_stomp(broker_.take(peer_));
}

Got Ends::to_mqtt(const core::Message& message) {
  mqtt::PublishEncoder encoder;
  core::MessageBuilder builder(message);
  builder.destination_kind = core::DestinationKind::topic;
  const auto copy = *builder.build();
  Got got;
  if (!mqtt::begin_publish(encoder, *copy, nullptr)) return got;
  std::string packet_bytes;
  EXPECT_TRUE(encoder.append(packet_bytes, mqtt::Level::v5, {}));
  const mqtt::ParserOptions options;
  mqtt::PacketParser parser(options, mqtt::Sender::server);
  parser.set_level(mqtt::Level::v5);
  parser.feed(packet_bytes);
  mqtt::Packet packet;
  got.valid = parser.next(packet) == mqtt::ParseStatus::packet;
  if (!got.valid) return got;
  const auto& publish = std::get<mqtt::Publish>(packet);
  got.body = publish.payload;
  for (const auto& each : publish.properties.user) {
    got.headers.emplace(std::string(each.name), std::string(each.value));
  }
  got.content_type = publish.properties.text(mqtt::PropertyId::content_type);
  got.headers.emplace("correlation-id",
                      std::string(publish.properties.text(mqtt::PropertyId::correlation_data)));
  const bool says_text = publish.properties.has(mqtt::PropertyId::payload_format) &&
                         publish.properties.number(mqtt::PropertyId::payload_format) == 1;
  got.valid = !says_text || core::is_utf8(got.body);
  return got;
}

}  // namespace pabal::tests
