#include "protocols/mqtt/packet_encoder.h"

#include <algorithm>
#include <bit>
#include <type_traits>

#include "protocols/mqtt/wire.h"

// A packet is written behind room for the longest fixed header, which is moved up to it when its
// length is known: these packets are short, or a client's. What a server sends to many goes through
// PublishEncoder.

namespace pabal::mqtt {
namespace {

constexpr std::size_t kFixedHeaderBytesMax = 5;

/// What an answer goes without to fit, in this order.
enum class LeftOut : std::uint8_t { nothing, user_properties, reason_string_too };

/// Appends to a packet that has begun. A text that is too long makes the whole unsound.
class BodyWriter {
 public:
  explicit BodyWriter(std::string& out) : out_(out) {}

  void byte(std::uint32_t value) { out_ += static_cast<char>(value); }
  void two(std::uint32_t value) { append_two(out_, value); }
  void text(std::string_view text) {
    if (text.size() > kTextBytesMax) {
      sound_ = false;
    } else {
      append_text(out_, text);
    }
  }
  void raw(std::string_view bytes) { out_.append(bytes); }
  /// With their length in front.
  void properties(const Properties& properties, PropertyHolders in_packet, LeftOut left_out);

  [[nodiscard]] bool sound() const noexcept { return sound_; }

 private:
  void property(const Properties& properties, const PropertyRow& row);
  std::string& out_;
  bool sound_ = true;
};

std::size_t size_of(const Properties& properties, const PropertyRow& row) {
  switch (row.kind) {
    case PropertyKind::byte:
      return 2;
    case PropertyKind::two_bytes:
      return 3;
    case PropertyKind::four_bytes:
      return 5;
    case PropertyKind::text:
    case PropertyKind::binary:
      return 3 + properties.text(row.id).size();
    case PropertyKind::variable: {
      if (properties.subscription_ids.empty()) {
        return 1 + variable_size(properties.number(row.id));
      }
      std::size_t size = 0;
      std::string_view ids = properties.subscription_ids;
      while (const std::uint32_t id = next_subscription_id(ids)) size += 1 + variable_size(id);
      return size;
    }
    case PropertyKind::pair:
    case PropertyKind::none:
      break;
  }
  return 0;
}

/// The present ones among those that the packet may have, one bit per id.
std::uint64_t to_write(const Properties& properties, PropertyHolders in_packet, LeftOut left_out) {
  std::uint64_t ids = 0;
  for (std::uint64_t left = properties.present(); left != 0; left &= left - 1) {
    const auto id = static_cast<std::uint8_t>(std::countr_zero(left));
    const PropertyRow& row = property_row(id);
    if (((row.from_client | row.from_server) & in_packet) == 0) continue;
    if (row.id == PropertyId::reason_string && left_out == LeftOut::reason_string_too) continue;
    ids |= std::uint64_t{1} << id;
  }
  return ids;
}

void BodyWriter::property(const Properties& properties, const PropertyRow& row) {
  if (row.kind == PropertyKind::variable && !properties.subscription_ids.empty()) {
    std::string_view ids = properties.subscription_ids;
    while (const std::uint32_t id = next_subscription_id(ids)) {
      byte(static_cast<std::uint32_t>(row.id));
      append_variable(out_, id);
    }
    return;
  }
  byte(static_cast<std::uint32_t>(row.id));
  switch (row.kind) {
    case PropertyKind::byte:
      return byte(properties.number(row.id));
    case PropertyKind::two_bytes:
      return two(properties.number(row.id));
    case PropertyKind::four_bytes:
      return append_four(out_, properties.number(row.id));
    case PropertyKind::variable:
      return append_variable(out_, properties.number(row.id));
    default:
      return text(properties.text(row.id));
  }
}

void BodyWriter::properties(const Properties& properties, PropertyHolders in_packet,
                            LeftOut left_out) {
  const std::uint64_t ids = to_write(properties, in_packet, left_out);
  const bool writes_user = left_out == LeftOut::nothing && !properties.user.empty();
  std::size_t size = 0;
  for (std::uint64_t left = ids; left != 0; left &= left - 1) {
    size += size_of(properties, property_row(static_cast<std::uint8_t>(std::countr_zero(left))));
  }
  if (writes_user) {
    for (const UserProperty& user : properties.user)
      size += 5 + user.name.size() + user.value.size();
  }
  if (size > kVariableIntegerMax) {
    sound_ = false;
    return;
  }
  append_variable(out_, static_cast<std::uint32_t>(size));
  for (std::uint64_t left = ids; left != 0; left &= left - 1) {
    property(properties, property_row(static_cast<std::uint8_t>(std::countr_zero(left))));
  }
  if (!writes_user) return;
  for (const UserProperty& user : properties.user) {
    byte(static_cast<std::uint32_t>(PropertyId::user_property));
    text(user.name);
    text(user.value);
  }
}

/// Whether the list that properties() writes would be empty.
bool writes_none(const Properties& properties, PropertyHolders in_packet, LeftOut left_out) {
  return to_write(properties, in_packet, left_out) == 0 &&
         (left_out != LeftOut::nothing || properties.user.empty());
}

/// Appends first byte, length and what `write_body` appends; false and nothing if it does not fit.
template <class WriteBody>
bool append_framed(std::string& out, std::uint32_t first, std::uint32_t packet_bytes_max,
                   WriteBody write_body) {
  const std::size_t start = out.size();
  out.append(kFixedHeaderBytesMax, '\0');
  BodyWriter writer(out);
  write_body(writer);
  const std::size_t remaining = out.size() - start - kFixedHeaderBytesMax;
  if (!writer.sound() || remaining > kVariableIntegerMax ||
      1 + variable_size(static_cast<std::uint32_t>(remaining)) + remaining > packet_bytes_max) {
    out.resize(start);
    return false;
  }
  char* const end = store_variable(out.data() + start + 1, static_cast<std::uint32_t>(remaining));
  out[start] = static_cast<char>(first);
  const auto header = static_cast<std::size_t>(end - (out.data() + start));
  out.erase(start + header, kFixedHeaderBytesMax - header);
  return true;
}

std::uint32_t first_byte(PacketType type, std::uint32_t flags = 0) {
  return static_cast<std::uint32_t>(type) << 4 | flags;
}

/// An answer: with everything, or without what may be left out.
template <class WriteBody>
bool append_answer(std::string& out, PacketType type, std::uint32_t flags,
                   const Properties& properties, std::uint32_t packet_bytes_max,
                   WriteBody write_body) {
  for (const LeftOut left_out :
       {LeftOut::nothing, LeftOut::user_properties, LeftOut::reason_string_too}) {
    if (left_out == LeftOut::user_properties && properties.user.empty()) continue;
    if (append_framed(out, first_byte(type, flags), packet_bytes_max,
                      [&](BodyWriter& body) { write_body(body, left_out); })) {
      return true;
    }
  }
  return false;
}

void write_will(BodyWriter& body, const Will& will, Level level) {
  if (level == Level::v5) body.properties(will.properties, kWillHolder, LeftOut::nothing);
  body.text(will.topic);
  body.text(will.payload);
}

std::uint32_t connect_flags(const Connect& packet) {
  std::uint32_t flags = packet.clean_start ? 0x02 : 0;
  if (packet.will) {
    flags |= 0x04U | static_cast<std::uint32_t>(packet.will->qos) << 3 |
             (packet.will->retain ? 0x20U : 0U);
  }
  if (packet.user_name) flags |= 0x80;
  if (packet.password) flags |= 0x40;
  return flags;
}

template <PacketType kType>
bool append_acknowledgement_of(std::string& out, const Acknowledgement<kType>& packet, Level level,
                               std::uint32_t packet_bytes_max) {
  constexpr std::uint32_t kFlags = kType == PacketType::pubrel ? 2 : 0;
  return append_answer(out, kType, kFlags, packet.properties, packet_bytes_max,
                       [&](BodyWriter& body, LeftOut left_out) {
                         body.two(packet.packet_id);
                         if (level != Level::v5) return;
                         const bool bare = writes_none(packet.properties, holder(kType), left_out);
                         if (bare && packet.reason == ReasonCode::success) return;
                         body.byte(static_cast<std::uint32_t>(packet.reason));
                         if (!bare) body.properties(packet.properties, holder(kType), left_out);
                       });
}

}  // namespace

bool append_packet(std::string& out, const Connect& packet, std::uint32_t packet_bytes_max) {
  return append_framed(
      out, first_byte(PacketType::connect), packet_bytes_max, [&](BodyWriter& body) {
        body.text(packet.level == Level::v3_1 ? "MQIsdp" : "MQTT");
        body.byte(static_cast<std::uint32_t>(packet.level));
        body.byte(connect_flags(packet));
        body.two(packet.keep_alive);
        if (packet.level == Level::v5) {
          body.properties(packet.properties, holder(PacketType::connect), LeftOut::nothing);
        }
        body.text(packet.client_id);
        if (packet.will) write_will(body, *packet.will, packet.level);
        if (packet.user_name) body.text(*packet.user_name);
        if (packet.password) body.text(*packet.password);
      });
}

bool append_packet(std::string& out, const Connack& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  const auto return_code = to_return_code(packet.reason);
  if (level != Level::v5 && !return_code) return false;
  return append_answer(out, PacketType::connack, 0, packet.properties, packet_bytes_max,
                       [&](BodyWriter& body, LeftOut left_out) {
                         body.byte(packet.session_present && level != Level::v3_1 ? 1 : 0);
                         if (level != Level::v5) return body.byte(*return_code);
                         body.byte(static_cast<std::uint32_t>(packet.reason));
                         body.properties(packet.properties, holder(PacketType::connack), left_out);
                       });
}

bool append_packet(std::string& out, const Publish& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  const std::uint32_t flags = (packet.dup ? 8U : 0U) | static_cast<std::uint32_t>(packet.qos) << 1 |
                              (packet.retain ? 1U : 0U);
  return append_framed(
      out, first_byte(PacketType::publish, flags), packet_bytes_max, [&](BodyWriter& body) {
        body.text(packet.topic);
        if (packet.qos != QoS::at_most_once) body.two(packet.packet_id);
        if (level == Level::v5) {
          body.properties(packet.properties, holder(PacketType::publish), LeftOut::nothing);
        }
        body.raw(packet.payload);
      });
}

bool append_packet(std::string& out, const Puback& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_acknowledgement_of(out, packet, level, packet_bytes_max);
}
bool append_packet(std::string& out, const Pubrec& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_acknowledgement_of(out, packet, level, packet_bytes_max);
}
bool append_packet(std::string& out, const Pubrel& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_acknowledgement_of(out, packet, level, packet_bytes_max);
}
bool append_packet(std::string& out, const Pubcomp& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_acknowledgement_of(out, packet, level, packet_bytes_max);
}

bool append_packet(std::string& out, const Subscribe& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_framed(
      out, first_byte(PacketType::subscribe, 2), packet_bytes_max, [&](BodyWriter& body) {
        body.two(packet.packet_id);
        if (level == Level::v5) {
          body.properties(packet.properties, holder(PacketType::subscribe), LeftOut::nothing);
          return body.raw(packet.requests.encoded());
        }
        for (const SubscriptionRequest& request : packet.requests) {
          body.text(request.filter);
          body.byte(static_cast<std::uint32_t>(request.qos));
        }
      });
}

bool append_packet(std::string& out, const Suback& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_answer(
      out, PacketType::suback, 0, packet.properties, packet_bytes_max,
      [&](BodyWriter& body, LeftOut left_out) {
        body.two(packet.packet_id);
        if (level == Level::v5) {
          body.properties(packet.properties, holder(PacketType::suback), left_out);
          return body.raw(packet.reasons);
        }
        for (const char reason : packet.reasons) {
          body.byte(std::min<std::uint32_t>(static_cast<unsigned char>(reason), 0x80));
        }
      });
}

bool append_packet(std::string& out, const Unsubscribe& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_framed(
      out, first_byte(PacketType::unsubscribe, 2), packet_bytes_max, [&](BodyWriter& body) {
        body.two(packet.packet_id);
        if (level == Level::v5) {
          body.properties(packet.properties, holder(PacketType::unsubscribe), LeftOut::nothing);
        }
        body.raw(packet.filters.encoded());
      });
}

bool append_packet(std::string& out, const Unsuback& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_answer(out, PacketType::unsuback, 0, packet.properties, packet_bytes_max,
                       [&](BodyWriter& body, LeftOut left_out) {
                         body.two(packet.packet_id);
                         if (level != Level::v5) return;
                         body.properties(packet.properties, holder(PacketType::unsuback), left_out);
                         body.raw(packet.reasons);
                       });
}

bool append_packet(std::string& out, const Pingreq&, Level, std::uint32_t packet_bytes_max) {
  return append_framed(out, first_byte(PacketType::pingreq), packet_bytes_max, [](BodyWriter&) {});
}

bool append_packet(std::string& out, const Pingresp&, Level, std::uint32_t packet_bytes_max) {
  return append_framed(out, first_byte(PacketType::pingresp), packet_bytes_max, [](BodyWriter&) {});
}

bool append_packet(std::string& out, const Disconnect& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return append_answer(out, PacketType::disconnect, 0, packet.properties, packet_bytes_max,
                       [&](BodyWriter& body, LeftOut left_out) {
                         constexpr PropertyHolders kHolder = holder(PacketType::disconnect);
                         if (level != Level::v5) return;
                         const bool bare = writes_none(packet.properties, kHolder, left_out);
                         if (bare && packet.reason == ReasonCode::success) return;
                         body.byte(static_cast<std::uint32_t>(packet.reason));
                         if (!bare) body.properties(packet.properties, kHolder, left_out);
                       });
}

bool append_packet(std::string& out, const Auth& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  if (level != Level::v5) return false;
  return append_answer(out, PacketType::auth, 0, packet.properties, packet_bytes_max,
                       [&](BodyWriter& body, LeftOut left_out) {
                         constexpr PropertyHolders kHolder = holder(PacketType::auth);
                         if (packet.reason == ReasonCode::success &&
                             writes_none(packet.properties, kHolder, left_out)) {
                           return;
                         }
                         body.byte(static_cast<std::uint32_t>(packet.reason));
                         body.properties(packet.properties, kHolder, left_out);
                       });
}

bool append_packet(std::string& out, const Packet& packet, Level level,
                   std::uint32_t packet_bytes_max) {
  return std::visit(
      [&](const auto& one) {
        using One = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<One, std::monostate>) {
          return false;
        } else if constexpr (std::is_same_v<One, Connect>) {
          return append_packet(out, one, packet_bytes_max);
        } else {
          return append_packet(out, one, level, packet_bytes_max);
        }
      },
      packet);
}

void append_acknowledgement(std::string& out, PacketType type, std::uint16_t packet_id, Level level,
                            ReasonCode reason) {
  const bool with_reason = level == Level::v5 && reason != ReasonCode::success;
  char bytes[5];
  bytes[0] = static_cast<char>(first_byte(type, type == PacketType::pubrel ? 2 : 0));
  bytes[1] = with_reason ? 3 : 2;
  char* end = store_two(bytes + 2, packet_id);
  if (with_reason) *end++ = static_cast<char>(reason);
  out.append(bytes, static_cast<std::size_t>(end - bytes));
}

}  // namespace pabal::mqtt
