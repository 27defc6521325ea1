#include "protocols/mqtt/packet_reader.h"
#include "protocols/mqtt/topic_names.h"
#include "protocols/mqtt/utf8.h"

namespace pabal::mqtt {
namespace {

std::string_view read_utf8(BodyReader& in, const PropertyRow& row) {
  const std::string_view text = in.binary();
  if (!is_utf8(text)) {
    in.fail(ReasonCode::malformed_packet, "ill-formed UTF-8 in a property", row.name);
  }
  return text;
}

void read_number(BodyReader& in, const PropertyRow& row, Properties& properties) {
  std::uint32_t value = 0;
  switch (row.kind) {
    case PropertyKind::byte:
      value = in.byte();
      break;
    case PropertyKind::two_bytes:
      value = in.two();
      break;
    case PropertyKind::four_bytes:
      value = in.four();
      break;
    default:
      value = in.variable();
  }
  if (!in.ok()) return;
  if (value < row.min || value > row.max) {
    // MQTT 5.0 §3.3.2.3.4 has a reason of its own for alias 0 [MQTT-3.3.2-8].
    in.fail(row.id == PropertyId::topic_alias ? ReasonCode::topic_alias_invalid
                                              : ReasonCode::protocol_error,
            "a property has a value that is not allowed", row.name);
    return;
  }
  properties.set(row.id, value);
}

void read_value(BodyReader& in, const PropertyRow& row, Properties& properties) {
  switch (row.kind) {
    case PropertyKind::text: {
      const std::string_view text = read_utf8(in, row);
      // [MQTT-3.3.2-13] [MQTT-3.3.2-14] [MQTT-4.7.3-1]
      if (row.id == PropertyId::response_topic && in.ok() && !is_topic_name(text)) {
        in.fail(ReasonCode::topic_name_invalid, "the response topic is no topic name");
        return;
      }
      properties.set(row.id, text);
      return;
    }
    case PropertyKind::binary:
      properties.set(row.id, in.binary());
      return;
    default:
      read_number(in, row, properties);
  }
}

/// The list without its length.
bool read_list(BodyReader& in, PropertyHolders in_packet, const BodyRules& rules,
               Properties& properties) {
  const std::string_view encoded(in.position(), in.left());
  std::uint32_t users = 0;
  while (!in.at_end()) {
    // Identifiers are variable byte integers, but there is none above 127 (MQTT 5.0 §2.2.2.2).
    const PropertyRow& row = property_row(static_cast<std::uint8_t>(in.byte()));
    if (row.kind == PropertyKind::none) {
      return in.fail(ReasonCode::malformed_packet, "an unknown property");
    }
    if ((row.holders(rules.sender) & in_packet) == 0) {
      // [MQTT-3.3.4-6], MQTT 5.0 §3.14.2.2.2: what only the other side sends in such a packet.
      const bool other_side = ((row.from_client | row.from_server) & in_packet) != 0;
      return in.fail(other_side ? ReasonCode::protocol_error : ReasonCode::malformed_packet,
                     "a property that this packet does not have", row.name);
    }
    if (row.kind == PropertyKind::pair) {
      if (++users > rules.user_properties_max) {
        return in.fail(ReasonCode::quota_exceeded, "too many user properties");
      }
      (void)read_utf8(in, row);  // [MQTT-1.5.7-1]
      (void)read_utf8(in, row);
      continue;
    }
    const bool repeats = properties.has(row.id);
    if (repeats &&
        (row.id != PropertyId::subscription_id || in_packet != holder(PacketType::publish))) {
      return in.fail(ReasonCode::protocol_error, "a property stands there twice", row.name);
    }
    if (repeats) {
      Properties further;
      read_value(in, row, further);
    } else {
      read_value(in, row, properties);
    }
  }
  if (!in.ok()) return false;
  properties.user = UserProperties(encoded, users);
  if (properties.has(PropertyId::subscription_id)) properties.subscription_ids = encoded;
  return true;
}

}  // namespace

std::uint32_t BodyReader::variable() noexcept {
  std::uint32_t value = 0;
  switch (read_variable(at_, end_, value)) {
    case VariableStatus::done:
      return value;
    case VariableStatus::need_more:
      return run_out();
    case VariableStatus::malformed:
      break;
  }
  fail(ReasonCode::malformed_packet, "a variable byte integer is not in its shortest form");
  return 0;
}

std::string_view BodyReader::text() noexcept {
  const std::string_view text = binary();
  if (!is_utf8(text)) fail(ReasonCode::malformed_packet, "ill-formed UTF-8");
  return text;
}

bool read_properties(BodyReader& in, PropertyHolders in_packet, const BodyRules& rules,
                     Properties& properties) {
  const std::uint32_t size = in.variable();
  if (size == 0) return in.ok();
  if (size > in.left()) {
    return in.fail(ReasonCode::malformed_packet, "the properties are longer than the packet");
  }
  BodyReader list = in.part(size);
  if (read_list(list, in_packet, rules, properties)) return true;
  return in.fail(list.fault().reason, list.fault().text, list.fault().subject);
}

}  // namespace pabal::mqtt
