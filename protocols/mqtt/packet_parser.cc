#include "protocols/mqtt/packet_parser.h"

#include "protocols/mqtt/packet_reader.h"

// The grammar (MQTT 5.0 §2):
//
//   packet     = first byte, remaining length, that many bytes
//   first byte = type (4 bits), flags (4 bits)
//   remaining length = variable byte integer
//   bodies: packet_reader.cc; property lists: property_reader.cc

namespace pabal::mqtt {
namespace {

/// A packet is given its whole memory at once only after the peer has sent so much of it.
constexpr std::size_t kReserveAfterBytes = 1024 * 1024;

constexpr unsigned bit(PacketType type) noexcept {
  return 1U << static_cast<unsigned>(type);
}
constexpr unsigned kFromBoth = bit(PacketType::publish) | bit(PacketType::puback) |
                               bit(PacketType::pubrec) | bit(PacketType::pubrel) |
                               bit(PacketType::pubcomp);
constexpr unsigned kFromClient = kFromBoth | bit(PacketType::connect) | bit(PacketType::subscribe) |
                                 bit(PacketType::unsubscribe) | bit(PacketType::pingreq) |
                                 bit(PacketType::disconnect) | bit(PacketType::auth);
constexpr unsigned kFromServer = kFromBoth | bit(PacketType::connack) | bit(PacketType::suback) |
                                 bit(PacketType::unsuback) | bit(PacketType::pingresp) |
                                 bit(PacketType::disconnect) | bit(PacketType::auth);

PacketType type_in(unsigned char first) noexcept {
  return static_cast<PacketType>(first >> 4);
}

/// MQTT 5.0 table 2-2.
unsigned flags_of(PacketType type) noexcept {
  constexpr unsigned kTwo =
      bit(PacketType::pubrel) | bit(PacketType::subscribe) | bit(PacketType::unsubscribe);
  return (kTwo & bit(type)) != 0 ? 2 : 0;
}

}  // namespace

ParseStatus PacketParser::next(Packet& packet) {
  if (failed_) return ParseStatus::failed;
  if (handed_out_collected_) {
    handed_out_collected_ = false;
    header_ = {};
    std::string().swap(collected_);  // an idle connection owns no buffer
  }
  if (!collected_.empty()) return collect(packet);
  if (input_.empty()) return ParseStatus::need_more;

  FixedHeader header;
  const ParseStatus status = read_fixed_header(input_, header);
  if (status == ParseStatus::failed) return status;
  const std::size_t size = header.size + std::size_t{header.remaining};
  if (status == ParseStatus::need_more || input_.size() < size) {
    collected_.assign(input_);
    header_ = header;
    input_ = {};
    return ParseStatus::need_more;
  }
  const std::string_view whole = input_.substr(0, size);
  input_.remove_prefix(size);
  return read_whole(whole, header, packet);
}

std::size_t PacketParser::missing() const noexcept {
  if (collected_.empty() || handed_out_collected_) return 0;
  if (header_.size == 0) return 1;
  return header_.size + std::size_t{header_.remaining} - collected_.size();
}

/// Goes on with the packet in `collected_`, taking from the input nothing of the one behind it.
ParseStatus PacketParser::collect(Packet& packet) {
  while (header_.size == 0) {
    if (input_.empty()) return ParseStatus::need_more;
    collected_ += input_.front();
    input_.remove_prefix(1);
    const ParseStatus status = read_fixed_header(collected_, header_);
    if (status == ParseStatus::failed) return status;
  }
  const std::size_t size = header_.size + std::size_t{header_.remaining};
  const std::string_view portion = input_.substr(0, size - collected_.size());
  if (collected_.size() >= kReserveAfterBytes && collected_.capacity() < size) {
    collected_.reserve(size);
  }
  collected_.append(portion);
  input_.remove_prefix(portion.size());
  if (collected_.size() < size) return ParseStatus::need_more;
  handed_out_collected_ = true;
  return read_whole(collected_, header_, packet);
}

/// Status packet: `header` is whole and sound. Need_more: what is there of it is sound.
ParseStatus PacketParser::read_fixed_header(std::string_view bytes, FixedHeader& header) {
  const auto first = static_cast<unsigned char>(bytes.front());
  const bool plain_publish =
      type_in(first) == PacketType::publish && (connected_ || sender_ == Sender::server);
  if (!plain_publish && !check_first_byte(first)) return ParseStatus::failed;
  const char* at = bytes.data() + 1;
  std::uint32_t remaining = 0;
  switch (read_variable(at, bytes.data() + bytes.size(), remaining)) {
    case VariableStatus::need_more:
      return ParseStatus::need_more;
    case VariableStatus::malformed:
      return fail(ReasonCode::malformed_packet,
                  "the remaining length is not a variable byte integer in its shortest form");
    case VariableStatus::done:
      break;
  }
  header.first = first;
  header.size = static_cast<std::uint8_t>(at - bytes.data());
  header.remaining = remaining;
  return check_remaining(header) ? ParseStatus::packet : ParseStatus::failed;
}

bool PacketParser::check_first_byte(unsigned char first) {
  const PacketType type = type_in(first);
  const bool from_client = sender_ == Sender::client;
  if (static_cast<unsigned>(type) == 0) {
    fail(ReasonCode::malformed_packet, "packet type 0");
    return false;
  }
  if (from_client && !connected_ && type != PacketType::connect) {
    fail(ReasonCode::protocol_error, "the first packet is no CONNECT");  // [MQTT-3.1.0-1]
    return false;
  }
  if (from_client && connected_ && type == PacketType::connect) {
    fail(ReasonCode::protocol_error, "a second CONNECT");  // [MQTT-3.1.0-2]
    return false;
  }
  if (level_ != Level::v5 && type == PacketType::auth) {
    fail(ReasonCode::malformed_packet, "packet type 15");
    return false;
  }
  const bool old_disconnect = level_ != Level::v5 && type == PacketType::disconnect;
  if (((from_client ? kFromClient : kFromServer) & bit(type)) == 0 ||
      (!from_client && old_disconnect)) {
    fail(ReasonCode::protocol_error, "a packet that only the other side sends");
    return false;
  }
  // [MQTT-2.1.3-1]; 3.1.1: [MQTT-2.2.2-1]. 3.1 has DUP and QoS there, and they mean nothing.
  if (type != PacketType::publish && (first & 0x0FU) != flags_of(type) &&
      (level_ != Level::v3_1 || type == PacketType::connect)) {
    fail(ReasonCode::malformed_packet, "reserved flags of the fixed header");
    return false;
  }
  return true;
}

bool PacketParser::check_remaining(const FixedHeader& header) {
  const PacketType type = type_in(header.first);
  const std::uint64_t size = header.size + std::uint64_t{header.remaining};
  if (size > options_->packet_bytes_max) return fail_size(options_->packet_bytes_max);
  if (type == PacketType::publish) return true;
  if (type == PacketType::connect && size > options_->connect_bytes_max) {
    return fail_size(options_->connect_bytes_max);
  }
  // What has a fixed length is refused before a body is waited for that makes no sense.
  constexpr unsigned kPings = bit(PacketType::pingreq) | bit(PacketType::pingresp);
  constexpr unsigned kOldAcknowledgements = bit(PacketType::puback) | bit(PacketType::pubrec) |
                                            bit(PacketType::pubrel) | bit(PacketType::pubcomp) |
                                            bit(PacketType::unsuback) | bit(PacketType::connack);
  const bool empty =
      (kPings & bit(type)) != 0 || (level_ != Level::v5 && type == PacketType::disconnect);
  const bool two = level_ != Level::v5 && (kOldAcknowledgements & bit(type)) != 0;
  if ((empty && header.remaining != 0) || (two && header.remaining != 2)) {
    fail(ReasonCode::malformed_packet, "a remaining length that such a packet does not have");
    return false;
  }
  return true;
}

bool PacketParser::fail_size(std::uint32_t bytes_max) {
  fail(ReasonCode::packet_too_large, "more bytes than the maximum of " + std::to_string(bytes_max));
  return false;
}

ParseStatus PacketParser::read_whole(std::string_view bytes, const FixedHeader& header,
                                     Packet& packet) {
  BodyReader in(bytes.data() + header.size, bytes.data() + bytes.size());
  const BodyRules rules{level_, sender_, options_->user_properties_max, options_->filters_max};
  const PacketType type = type_in(header.first);
  bool sound = false;
  if (type == PacketType::publish) {
    sound = read_publish(in, header.first & 0x0FU, rules, packet.emplace<Publish>());
  } else if (type == PacketType::connect) {
    Connect& connect = packet.emplace<Connect>();
    sound = read_connect(in, rules, connect);
    if (sound) {
      connected_ = true;
      level_ = connect.level;
    } else if (in.fault().reason == ReasonCode::unsupported_protocol_version) {
      // Behind the name stands the level; Mosquitto's bridges set its highest bit.
      const std::size_t at = 2 + load_two(bytes.data() + header.size);
      old_form_ = (load_byte(bytes.data() + header.size + at) & 0x7FU) < 5;
    } else {
      level_ = connect.level;
    }
  } else {
    sound = read_body(in, type, rules, packet);
  }
  if (sound) return ParseStatus::packet;
  return fail(in.fault().reason, in.fault().text, in.fault().subject);
}

ParseStatus PacketParser::fail(ReasonCode reason, std::string_view text, std::string_view subject) {
  failed_ = true;
  error_.reason = reason;
  error_.text = text;
  if (!subject.empty()) error_.text.append(": ").append(subject);
  input_ = {};
  std::string().swap(collected_);
  return ParseStatus::failed;
}

}  // namespace pabal::mqtt
