#include <cstring>
#include <utility>

#include "server/cli/bench/body.h"
#include "server/cli/bench/wire.h"

namespace pabal::cli::bench {
namespace {

constexpr std::string_view kPing{"\xC0\0", 2};
constexpr std::string_view kDisconnect{"\xE0\0", 2};

enum : unsigned {
  kConnack = 2,
  kPublish = 3,
  kPuback = 4,
  kPubrec = 5,
  kPubrel = 6,
  kPubcomp = 7,
  kSuback = 9,
  kPingresp = 13,
  kServerDisconnect = 14,
};

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}
unsigned two_at(std::string_view bytes, std::size_t at) {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}
void append_two(std::string& out, std::size_t number) {
  out += static_cast<char>(number >> 8 & 0xFF);
  out += static_cast<char>(number & 0xFF);
}
void append_string(std::string& out, std::string_view text) {
  append_two(out, text.size());
  out += text;
}
void append_length(std::string& out, std::size_t length) {
  do {
    out += static_cast<char>((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
    length >>= 7;
  } while (length != 0);
}
/// A variable byte integer at the start of `bytes`. Answers its bytes; 0: more are needed, or it is
/// none.
std::size_t read_length(std::string_view bytes, std::size_t& length) {
  length = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 4; ++i) {
    length |= std::size_t{byte_at(bytes, i) & 0x7F} << 7 * i;
    if ((byte_at(bytes, i) & 0x80) == 0) return i + 1;
  }
  return 0;
}
std::string packet(unsigned char first, std::string_view body) {
  std::string out(1, static_cast<char>(first));
  append_length(out, body.size());
  out += body;
  return out;
}

/// MQTT 3.1.1 or 5.0, with a codec of its own: it must not share the broker's mistakes. A unit is a
/// PUBLISH; it is confirmed by PUBACK or PUBCOMP.
class MqttWire final : public Wire {
 public:
  MqttWire(const Scenario& scenario, Role role, unsigned index)
      : scenario_(scenario), role_(role), index_(index) {
    if (role == Role::producer) {
      topics_ = scenario.destinations_of(index);
      if (scenario.qos > 0) sent_.resize(65'536);
    }
  }

  std::string login() override;
  std::string subscribe() override;
  Unit make_unit(std::size_t slot) override;
  void stamp(char* unit, std::uint64_t number) override;
  std::string_view bye() const override { return kPing; }
  std::string_view last_words() const override { return kDisconnect; }
  Event next(std::string_view bytes, std::string& replies) override;

 private:
  /// What the broker has still to say about a packet id.
  enum class Sent : std::uint8_t { free, published, released };

  Event publish(unsigned flags, std::string_view body, std::string& replies);
  Event acknowledgement(unsigned type, std::string_view body, std::string& replies);
  Event connack(std::string_view body);
  Event suback(std::string_view body);
  Event refusal(std::string_view what, unsigned code);
  static void append_ack(unsigned type, unsigned id, std::string& out) {
    const char bytes[] = {static_cast<char>(type << 4 | (type == kPubrel ? 2U : 0U)), 2,
                          static_cast<char>(id >> 8), static_cast<char>(id & 0xFF)};
    out.append(bytes, sizeof bytes);
  }
  [[nodiscard]] std::string client_id() const;

  const Scenario& scenario_;
  const Role role_;
  const unsigned index_;
  std::vector<std::string> topics_;
  std::size_t id_at_ = 0;  ///< of the packet id in a unit
  std::uint16_t last_id_ = 0;
  std::vector<Sent> sent_;  ///< by packet id
  std::string text_;        ///< what an event's text points to, if not to its bytes
};

std::string MqttWire::client_id() const {
  const std::string number = std::to_string(index_);
  if (role_ == Role::consumer && scenario_.durable) return "pabal-bench-" + number;
  const char letter = role_ == Role::consumer ? 'c' : role_ == Role::producer ? 'p' : 'i';
  return "pabal-bench-" + std::to_string(scenario_.nonce) + letter + number;
}

std::string MqttWire::login() {
  const bool kept = role_ == Role::consumer && scenario_.durable;
  const bool from_url = scenario_.connect.login.empty();
  const std::string& user = from_url ? scenario_.endpoint.login : scenario_.connect.login;
  const std::string& password = from_url ? scenario_.endpoint.passcode : scenario_.connect.passcode;
  std::string body;
  append_string(body, "MQTT");
  body += static_cast<char>(scenario_.mqtt_level);
  body += static_cast<char>((kept ? 0 : 2) | (user.empty() ? 0 : 0xC0));
  append_two(body, 0);  // keep alive: none
  if (scenario_.mqtt_level == 5) {
    std::string properties;
    if (kept) properties += std::string("\x11\xFF\xFF\xFF\xFF", 5);  // session expiry: never
    if (scenario_.prefetch > 0) {
      properties += '\x21';  // receive maximum
      append_two(properties, std::min(scenario_.prefetch, 65'535U));
    }
    append_length(body, properties.size());
    body += properties;
  }
  append_string(body, client_id());
  if (!user.empty()) {
    append_string(body, user);
    append_string(body, password);
  }
  return packet(0x10, body);
}

std::string MqttWire::subscribe() {
  std::string body;
  append_two(body, 1);
  if (scenario_.mqtt_level == 5) body += '\0';
  const std::string& topic = scenario_.destinations[index_ % scenario_.destinations.size()];
  append_string(body, scenario_.share.empty() ? topic : "$share/" + scenario_.share + "/" + topic);
  body += static_cast<char>(scenario_.qos);
  return packet(0x82, body);
}

Unit MqttWire::make_unit(std::size_t slot) {
  BodyId id;
  id.run = scenario_.run;
  id.producer = static_cast<std::uint16_t>(index_);
  std::string body;
  append_string(body, topics_[slot % topics_.size()]);
  const std::size_t id_at = body.size();
  if (scenario_.qos > 0) append_two(body, 0);
  if (scenario_.mqtt_level == 5) body += '\0';
  const std::size_t payload_at = body.size();
  body += make_body(id, scenario_.body_size);
  Unit unit;
  unit.bytes = packet(
      static_cast<unsigned char>(0x30 | scenario_.qos << 1 | (scenario_.retain ? 1 : 0)), body);
  const std::size_t header = unit.bytes.size() - body.size();
  unit.bodies.push_back(header + payload_at);
  if (scenario_.qos > 0) id_at_ = header + id_at;
  return unit;
}

void MqttWire::stamp(char* unit, std::uint64_t /*number*/) {
  if (id_at_ == 0) return;
  do {
    ++last_id_;  // fewer than all are out, so one is free soon
  } while (last_id_ == 0 || sent_[last_id_] != Sent::free);
  sent_[last_id_] = Sent::published;
  unit[id_at_] = static_cast<char>(last_id_ >> 8);
  unit[id_at_ + 1] = static_cast<char>(last_id_ & 0xFF);
}

Event MqttWire::next(std::string_view bytes, std::string& replies) {
  if (bytes.size() < 2) return {};
  std::size_t length = 0;
  const std::size_t digits = read_length(bytes.substr(1), length);
  if (digits == 0) {
    if (bytes.size() < 5) return {};
    return {Event::Kind::malformed, "a packet without a length", 0};
  }
  const std::size_t header = 1 + digits;
  if (bytes.size() < header + length) return {};
  const std::string_view body = bytes.substr(header, length);
  const unsigned type = byte_at(bytes, 0) >> 4;
  Event event{Event::Kind::nothing, {}, 0};
  switch (type) {
    case kPublish:
      event = publish(byte_at(bytes, 0) & 0x0F, body, replies);
      break;
    case kPuback:
    case kPubrec:
    case kPubrel:
    case kPubcomp:
      event = acknowledgement(type, body, replies);
      break;
    case kConnack:
      event = connack(body);
      break;
    case kSuback:
      event = suback(body);
      break;
    case kPingresp:
      event.kind = Event::Kind::finished;
      break;
    case kServerDisconnect:
      event = refusal("it says DISCONNECT with code ", body.empty() ? 0 : byte_at(body, 0));
      break;
    default:
      event = {Event::Kind::malformed, "a packet that no server sends", 0};
      break;
  }
  event.size = header + length;
  return event;
}

Event MqttWire::publish(unsigned flags, std::string_view body, std::string& replies) {
  constexpr Event kMalformed{Event::Kind::malformed, "a PUBLISH that ends too early", 0};
  if (body.size() < 2) return kMalformed;
  const unsigned qos = flags >> 1 & 3;
  std::size_t at = 2 + two_at(body, 0);
  if (body.size() < at + (qos > 0 ? 2 : 0)) return kMalformed;
  if (qos > 0) {
    append_ack(qos == 1 ? kPuback : kPubrec, two_at(body, at), replies);
    at += 2;
  }
  if (scenario_.mqtt_level == 5) {
    std::size_t properties = 0;
    const std::size_t digits = read_length(body.substr(at), properties);
    if (digits == 0 || body.size() < at + digits + properties) return kMalformed;
    at += digits + properties;
  }
  // What was asked for, for messages that this run sends.
  if (scenario_.producers > 0 && qos != scenario_.qos) {
    return {Event::Kind::malformed, "a message at another QoS", 0};
  }
  return {Event::Kind::message, body.substr(at), 0};
}

Event MqttWire::acknowledgement(unsigned type, std::string_view body, std::string& replies) {
  if (body.size() < 2) return {Event::Kind::malformed, "an acknowledgement without an id", 0};
  const unsigned id = two_at(body, 0);
  if (type == kPubrel) {
    append_ack(kPubcomp, id, replies);
    return {Event::Kind::nothing, {}, 0};
  }
  if (body.size() > 2 && byte_at(body, 2) >= 0x80) {
    return refusal("it refused a message with code ", byte_at(body, 2));
  }
  const Sent awaited = type == kPubcomp ? Sent::released : Sent::published;
  const bool right = scenario_.qos == 1 ? type == kPuback : type != kPuback;
  if (sent_.empty() || !right || sent_[id] != awaited) {
    return {Event::Kind::malformed, "an acknowledgement of what was not sent", 0};
  }
  if (type == kPubrec) {
    sent_[id] = Sent::released;
    append_ack(kPubrel, id, replies);
    return {Event::Kind::nothing, {}, 0};
  }
  sent_[id] = Sent::free;
  return {Event::Kind::confirmed, {}, 0};
}

Event MqttWire::refusal(std::string_view what, unsigned code) {
  text_ = std::string(what) + std::to_string(code);
  return {Event::Kind::refused, text_, 0};
}

Event MqttWire::connack(std::string_view body) {
  if (body.size() < 2) return {Event::Kind::malformed, "a CONNACK that ends too early", 0};
  if (byte_at(body, 1) != 0) return refusal("CONNACK has code ", byte_at(body, 1));
  return {Event::Kind::connected, scenario_.mqtt_level == 5 ? "MQTT 5.0" : "MQTT 3.1.1", 0};
}

Event MqttWire::suback(std::string_view body) {
  if (body.empty()) return {Event::Kind::malformed, "an empty SUBACK", 0};
  const unsigned granted = byte_at(body, body.size() - 1);
  if (granted != scenario_.qos) return refusal("SUBACK has code ", granted);
  return {Event::Kind::subscribed, {}, 0};
}

}  // namespace

std::unique_ptr<Wire> make_mqtt_wire(const Scenario& scenario, Role role, unsigned index) {
  return std::make_unique<MqttWire>(scenario, role, index);
}

std::unique_ptr<Wire> make_wire(const Scenario& scenario, Role role, unsigned index) {
  return scenario.mqtt ? make_mqtt_wire(scenario, role, index)
                       : make_stomp_wire(scenario, role, index);
}

}  // namespace pabal::cli::bench
