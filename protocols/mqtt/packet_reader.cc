#include "protocols/mqtt/packet_reader.h"

#include "protocols/mqtt/topic_names.h"
#include "protocols/mqtt/utf8.h"

// Where the levels differ: 3.1 is read as its clients were written, that is without a look at what
// its specification leaves open (flags "not used", the will bits without a will, a user name that
// the flags promise and the packet has not); 3.1.1 and 5.0 are read to the letter.

namespace pabal::mqtt {
namespace {

using enum ReasonCode;

// The connect flags (MQTT 5.0 §3.1.2.3).
constexpr std::uint32_t kReservedFlag = 0x01;
constexpr std::uint32_t kCleanStartFlag = 0x02;
constexpr std::uint32_t kWillFlag = 0x04;
constexpr std::uint32_t kWillRetainFlag = 0x20;
constexpr std::uint32_t kPasswordFlag = 0x40;
constexpr std::uint32_t kUserNameFlag = 0x80;

bool expect_end(BodyReader& in) {
  if (!in.ok()) return false;
  if (in.at_end()) return true;
  return in.fail(malformed_packet, "bytes behind the end of the packet");
}

std::uint16_t read_packet_id(BodyReader& in) {
  const std::uint32_t id = in.two();
  // [MQTT-2.2.1-3] [MQTT-2.2.1-4]; 3.1.1: [MQTT-2.3.1-1]
  if (id == 0) in.fail(protocol_error, "packet identifier 0");
  return static_cast<std::uint16_t>(id);
}

/// The protocol name and level [MQTT-3.1.2-1] [MQTT-3.1.2-2].
bool read_level(BodyReader& in, Level& level) {
  const std::string_view name = in.binary();
  const std::uint32_t number = in.byte();
  if (!in.ok()) return false;
  if (name == "MQTT" && (number == 4 || number == 5)) {
    level = static_cast<Level>(number);
    return true;
  }
  if (name == "MQIsdp" && number == 3) {
    level = Level::v3_1;
    return true;
  }
  if (name != "MQTT" && name != "MQIsdp") {
    return in.fail(unsupported_protocol_version, "the protocol name is not MQTT");
  }
  return in.fail(unsupported_protocol_version, "a protocol level other than 3.1, 3.1.1 and 5.0");
}

bool check_connect_flags(BodyReader& in, std::uint32_t flags, Level level) {
  const std::uint32_t will_qos = flags >> 3 & 3;
  if (will_qos == 3) return in.fail(malformed_packet, "will QoS 3");  // [MQTT-3.1.2-12]
  if (level == Level::v5) {
    // A password without a user name is allowed here.
  } else if ((flags & kPasswordFlag) != 0 && (flags & kUserNameFlag) == 0) {
    return in.fail(malformed_packet, "a password without a user name");  // 3.1.1: [MQTT-3.1.2-22]
  }
  if (level == Level::v3_1) return true;
  if ((flags & kReservedFlag) != 0) {
    return in.fail(malformed_packet, "the reserved connect flag is set");  // [MQTT-3.1.2-3]
  }
  if ((flags & kWillFlag) == 0 && will_qos != 0) {
    return in.fail(malformed_packet, "will QoS without a will");  // [MQTT-3.1.2-11]
  }
  if ((flags & kWillFlag) == 0 && (flags & kWillRetainFlag) != 0) {
    return in.fail(malformed_packet, "will retain without a will");  // [MQTT-3.1.2-13]
  }
  return true;
}

bool read_will(BodyReader& in, std::uint32_t flags, const BodyRules& rules, Will& will) {
  will.qos = static_cast<QoS>(flags >> 3 & 3);
  will.retain = (flags & kWillRetainFlag) != 0;
  if (rules.level == Level::v5 && !read_properties(in, kWillHolder, rules, will.properties)) {
    return false;
  }
  will.topic = in.text();  // [MQTT-3.1.3-11]
  will.payload = in.binary();
  if (in.ok() && !is_topic_name(will.topic)) {
    return in.fail(topic_name_invalid, "the will topic is no topic name");
  }
  return in.ok();
}

/// Whether there is something for the flag. 3.1 lets a client set the flag and end the packet.
bool has_credential(const BodyReader& in, std::uint32_t flags, std::uint32_t flag, Level level) {
  return (flags & flag) != 0 && !(level == Level::v3_1 && in.at_end());
}

/// Of an AUTH, and of CONNECT and CONNACK that have one.
bool check_authentication(BodyReader& in, const Properties& properties) {
  if (properties.has(PropertyId::authentication_data) &&
      !properties.has(PropertyId::authentication_method)) {
    return in.fail(protocol_error, "authentication data without a method");
  }
  return true;
}

bool read_connack(BodyReader& in, const BodyRules& rules, Connack& connack) {
  const std::uint32_t flags = in.byte();
  const std::uint32_t code = in.byte();
  if (!in.ok()) return false;
  if (rules.level != Level::v5) {
    const auto reason = from_return_code(static_cast<std::uint8_t>(code));
    if (!reason) return in.fail(protocol_error, "an unknown return code in CONNACK");
    connack.reason = *reason;
  } else {
    connack.reason = static_cast<ReasonCode>(code);
    if (!is_allowed(connack.reason, PacketType::connack, rules.sender)) {
      return in.fail(protocol_error, "a reason code that CONNACK does not have");
    }
  }
  // [MQTT-3.2.2-1]; 3.1 has no flags here.
  if (rules.level != Level::v3_1 && flags > 1) {
    return in.fail(malformed_packet, "reserved bits in CONNACK");
  }
  connack.session_present = rules.level != Level::v3_1 && flags == 1;
  if (connack.session_present && connack.reason != success) {
    return in.fail(protocol_error, "session present in a refusal");  // [MQTT-3.2.2-6]
  }
  if (rules.level == Level::v5 &&
      (!read_properties(in, holder(PacketType::connack), rules, connack.properties) ||
       !check_authentication(in, connack.properties))) {
    return false;
  }
  return expect_end(in);
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP (MQTT 5.0 §3.4.2.1: what may be left out).
template <PacketType kType>
bool read_acknowledgement(BodyReader& in, const BodyRules& rules, Acknowledgement<kType>& packet) {
  packet.packet_id = read_packet_id(in);
  if (rules.level == Level::v5 && !in.at_end()) {
    packet.reason = static_cast<ReasonCode>(in.byte());
    if (!is_allowed(packet.reason, kType, rules.sender)) {
      // [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
      return in.fail(protocol_error, "a reason code that the packet does not have");
    }
    if (!in.at_end() && !read_properties(in, holder(kType), rules, packet.properties)) {
      return false;
    }
  }
  return expect_end(in);
}

bool check_filter(BodyReader& in, std::string_view filter, Level level) {
  if (!is_utf8(filter)) {
    // [MQTT-3.8.3-1] [MQTT-3.10.3-1]
    return in.fail(malformed_packet, "ill-formed UTF-8 in a topic filter");
  }
  if (filter.empty()) return in.fail(topic_filter_invalid, "an empty topic filter");
  if (!has_legal_wildcards(filter)) {
    return in.fail(topic_filter_invalid, "a wildcard where none may stand in a topic filter");
  }
  // Before 5.0 such a filter is one like others; that nothing can match it is for the session.
  if (level == Level::v5 && !parse_topic_filter(filter)) {
    return in.fail(topic_filter_invalid, "a topic filter without a name behind $share or $queue");
  }
  return true;
}

bool check_options(BodyReader& in, std::uint32_t options, std::string_view filter, Level level) {
  if (level == Level::v3_1) {
    options &= 3;
  } else if (level == Level::v3_1_1 && options > 3) {
    return in.fail(malformed_packet, "reserved bits of a requested QoS");  // [MQTT-3-8.3-4]
  } else if ((options & 0xC0) != 0) {
    return in.fail(malformed_packet, "reserved bits of subscription options");  // [MQTT-3.8.3-5]
  }
  if ((options & 3) == 3) {
    return in.fail(level == Level::v5 ? protocol_error : malformed_packet,
                   "a subscription's QoS 3");
  }
  if ((options >> 4 & 3) == 3) return in.fail(protocol_error, "retain handling 3");
  if ((options & 4) != 0 && is_shared(filter)) {
    return in.fail(protocol_error, "no local in a shared subscription");  // [MQTT-3.8.3-4]
  }
  return true;
}

bool read_subscribe(BodyReader& in, const BodyRules& rules, Subscribe& packet) {
  packet.packet_id = read_packet_id(in);
  if (rules.level == Level::v5 &&
      !read_properties(in, holder(PacketType::subscribe), rules, packet.properties)) {
    return false;
  }
  const char* const first = in.position();
  while (!in.at_end()) {
    if (packet.count == rules.filters_max) return in.fail(quota_exceeded, "too many topic filters");
    ++packet.count;
    const std::string_view filter = in.binary();
    const std::uint32_t options = in.byte();
    if (!in.ok()) return false;
    if (!check_filter(in, filter, rules.level)) return false;
    if (!check_options(in, options, filter, rules.level)) return false;
  }
  if (!in.ok()) return false;
  // [MQTT-3.8.3-2]; 3.1.1: [MQTT-3.8.3-3]
  if (packet.count == 0) return in.fail(protocol_error, "no topic filter");
  packet.requests =
      SubscriptionRequests({first, static_cast<std::size_t>(in.position() - first)}, rules.level);
  return true;
}

bool read_unsubscribe(BodyReader& in, const BodyRules& rules, Unsubscribe& packet) {
  packet.packet_id = read_packet_id(in);
  if (rules.level == Level::v5 &&
      !read_properties(in, holder(PacketType::unsubscribe), rules, packet.properties)) {
    return false;
  }
  const char* const first = in.position();
  while (!in.at_end()) {
    if (packet.count == rules.filters_max) return in.fail(quota_exceeded, "too many topic filters");
    ++packet.count;
    const std::string_view filter = in.binary();
    if (!in.ok() || !check_filter(in, filter, rules.level)) return false;
  }
  if (!in.ok()) return false;
  if (packet.count == 0) return in.fail(protocol_error, "no topic filter");  // [MQTT-3.10.3-2]
  packet.filters = TopicFilters({first, static_cast<std::size_t>(in.position() - first)});
  return true;
}

/// The codes of SUBACK and UNSUBACK.
bool read_reasons(BodyReader& in, PacketType type, const BodyRules& rules,
                  std::string_view& reasons) {
  if (!in.ok()) return false;
  reasons = in.rest();
  if (reasons.empty()) return in.fail(protocol_error, "no reason code");
  for (const char c : reasons) {
    const auto code = static_cast<ReasonCode>(static_cast<unsigned char>(c));
    // [MQTT-3.9.3-2] [MQTT-3.11.3-2]; 3.1.1 has one code for failure.
    const bool known = is_allowed(code, type, rules.sender) &&
                       (rules.level == Level::v5 || !is_error(code) || code == unspecified_error);
    if (!known) return in.fail(protocol_error, "a reason code that the packet does not have");
  }
  return true;
}

bool read_suback(BodyReader& in, const BodyRules& rules, Suback& packet) {
  packet.packet_id = read_packet_id(in);
  if (rules.level == Level::v5 &&
      !read_properties(in, holder(PacketType::suback), rules, packet.properties)) {
    return false;
  }
  return read_reasons(in, PacketType::suback, rules, packet.reasons);
}

bool read_unsuback(BodyReader& in, const BodyRules& rules, Unsuback& packet) {
  packet.packet_id = read_packet_id(in);
  if (rules.level != Level::v5) return expect_end(in);
  if (!read_properties(in, holder(PacketType::unsuback), rules, packet.properties)) return false;
  return read_reasons(in, PacketType::unsuback, rules, packet.reasons);
}

bool read_disconnect(BodyReader& in, const BodyRules& rules, Disconnect& packet) {
  if (rules.level == Level::v5 && !in.at_end()) {
    packet.reason = static_cast<ReasonCode>(in.byte());
    if (!is_allowed(packet.reason, PacketType::disconnect, rules.sender)) {
      // [MQTT-3.14.2-1]
      return in.fail(protocol_error, "a reason code that DISCONNECT does not have");
    }
    if (!in.at_end() &&
        !read_properties(in, holder(PacketType::disconnect), rules, packet.properties)) {
      return false;
    }
  }
  return expect_end(in);
}

bool read_auth(BodyReader& in, const BodyRules& rules, Auth& packet) {
  if (in.at_end()) return true;
  packet.reason = static_cast<ReasonCode>(in.byte());
  if (!is_allowed(packet.reason, PacketType::auth, rules.sender)) {
    return in.fail(protocol_error, "a reason code that AUTH does not have");  // [MQTT-3.15.2-1]
  }
  if (!read_properties(in, holder(PacketType::auth), rules, packet.properties)) return false;
  if (!packet.properties.has(PropertyId::authentication_method)) {
    return in.fail(protocol_error, "AUTH without an authentication method");
  }
  return expect_end(in);
}

}  // namespace

bool read_connect(BodyReader& in, const BodyRules& given, Connect& connect) {
  BodyRules rules = given;
  if (!read_level(in, rules.level)) return false;
  connect.level = rules.level;
  const std::uint32_t flags = in.byte();
  connect.keep_alive = static_cast<std::uint16_t>(in.two());
  if (!in.ok() || !check_connect_flags(in, flags, rules.level)) return false;
  connect.clean_start = (flags & kCleanStartFlag) != 0;
  if (rules.level == Level::v5 &&
      (!read_properties(in, holder(PacketType::connect), rules, connect.properties) ||
       !check_authentication(in, connect.properties))) {
    return false;
  }
  // The payload, in this order [MQTT-3.1.3-1].
  connect.client_id = in.text();  // [MQTT-3.1.3-3] [MQTT-3.1.3-4]
  if ((flags & kWillFlag) != 0) {
    connect.will.emplace();
    if (!read_will(in, flags, rules, *connect.will)) return false;
  }
  if (has_credential(in, flags, kUserNameFlag, rules.level)) {
    connect.user_name = in.text();  // [MQTT-3.1.3-12]
  }
  if (has_credential(in, flags, kPasswordFlag, rules.level)) connect.password = in.binary();
  if (!expect_end(in)) return false;
  const bool needs_client_id =
      rules.level == Level::v3_1 || (rules.level == Level::v3_1_1 && !connect.clean_start);
  if (connect.client_id.empty() && needs_client_id) {
    // 3.1.1: [MQTT-3.1.3-8]
    return in.fail(client_identifier_not_valid, "an empty client identifier");
  }
  return true;
}

bool read_publish(BodyReader& in, unsigned flags, const BodyRules& rules, Publish& publish) {
  const unsigned qos = flags >> 1 & 3;
  publish.qos = static_cast<QoS>(qos);
  publish.dup = (flags & 8) != 0;
  publish.retain = (flags & 1) != 0;
  if (qos == 3) return in.fail(malformed_packet, "QoS 3");  // [MQTT-3.3.1-4]
  if (publish.dup && qos == 0 && rules.level != Level::v3_1) {
    return in.fail(malformed_packet, "DUP with QoS 0");  // [MQTT-3.3.1-2]
  }
  publish.topic = in.binary();
  if (!is_utf8_without_wildcards(publish.topic)) {
    // [MQTT-3.3.2-1] [MQTT-3.3.2-2]
    return is_utf8(publish.topic) ? in.fail(topic_name_invalid, "a wildcard in a topic name")
                                  : in.fail(malformed_packet, "ill-formed UTF-8 in a topic name");
  }
  if (qos != 0) publish.packet_id = read_packet_id(in);
  if (rules.level == Level::v5 &&
      !read_properties(in, holder(PacketType::publish), rules, publish.properties)) {
    return false;
  }
  publish.payload = in.rest();
  if (publish.topic.empty() && in.ok()) {
    if (rules.level != Level::v5) return in.fail(topic_name_invalid, "an empty topic name");
    if (!publish.properties.has(PropertyId::topic_alias)) {
      return in.fail(protocol_error, "an empty topic name without an alias");
    }
  }
  return in.ok();
}

bool read_body(BodyReader& in, PacketType type, const BodyRules& rules, Packet& packet) {
  switch (type) {
    case PacketType::connack:
      return read_connack(in, rules, packet.emplace<Connack>());
    case PacketType::puback:
      return read_acknowledgement(in, rules, packet.emplace<Puback>());
    case PacketType::pubrec:
      return read_acknowledgement(in, rules, packet.emplace<Pubrec>());
    case PacketType::pubrel:
      return read_acknowledgement(in, rules, packet.emplace<Pubrel>());
    case PacketType::pubcomp:
      return read_acknowledgement(in, rules, packet.emplace<Pubcomp>());
    case PacketType::subscribe:
      return read_subscribe(in, rules, packet.emplace<Subscribe>());
    case PacketType::suback:
      return read_suback(in, rules, packet.emplace<Suback>());
    case PacketType::unsubscribe:
      return read_unsubscribe(in, rules, packet.emplace<Unsubscribe>());
    case PacketType::unsuback:
      return read_unsuback(in, rules, packet.emplace<Unsuback>());
    case PacketType::pingreq:
      packet.emplace<Pingreq>();
      return expect_end(in);
    case PacketType::pingresp:
      packet.emplace<Pingresp>();
      return expect_end(in);
    case PacketType::disconnect:
      return read_disconnect(in, rules, packet.emplace<Disconnect>());
    case PacketType::auth:
      return read_auth(in, rules, packet.emplace<Auth>());
    case PacketType::connect:
    case PacketType::publish:
      break;
  }
  PABAL_UNREACHABLE();
}

}  // namespace pabal::mqtt
