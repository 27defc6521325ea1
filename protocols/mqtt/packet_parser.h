#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/mqtt/packet.h"

namespace pabal::mqtt {

/// What a peer may make the parser work and hold. Each limit has a reason code as its answer.
struct ParserOptions {
  /// Of one packet, all its bytes; of a server, what its CONNACK announces. 0x95.
  std::uint32_t packet_bytes_max = kPacketBytesMax;
  /// The same for the CONNECT: nothing is known of its sender yet. 0x95.
  std::uint32_t connect_bytes_max = 128 * 1024;
  /// Of one packet, and of a will. 0x97.
  std::uint32_t user_properties_max = 1'000;
  /// Of one SUBSCRIBE or UNSUBSCRIBE. 0x97.
  std::uint32_t filters_max = 10'000;
};

enum class ParseStatus : std::uint8_t { need_more, packet, failed };

/// Why the stream cannot be read on. Malformed packets and protocol errors end the connection
/// [MQTT-4.13.1-1]; 5.0 says the reason in CONNACK or DISCONNECT, 3.1 and 3.1.1 just close.
struct ParseError {
  ReasonCode reason = ReasonCode::success;
  std::string text;  ///< for people: fit for a reason string or a log line; no contents of packets
};

/// Bytes to packets, in any portions. A packet that lies whole in the input is handed out as views
/// of the input, without a copy or an allocation; only one that straddles two portions is
/// collected. Flags, length and direction are judged as soon as the fixed header is there, before
/// anything is set aside for the rest.
///
///   parser.feed(bytes);
///   while (parser.next(packet) == ParseStatus::packet) …
///
/// `bytes` must stay valid until next() answers need_more or failed, and the views of a packet are
/// valid until the next call of next(). A failure is final.
///
/// Of a client, the first packet has to be a CONNECT [MQTT-3.1.0-1], the only one [MQTT-3.1.0-2];
/// it sets the level for those behind it. Everything that the specification says about packets one
/// by one is checked here; what depends on the session (aliases, packet identifiers in use, receive
/// maximum, what was announced) is not.
class PacketParser {
 public:
  /// `options` outlives the parser.
  PacketParser(const ParserOptions& options, Sender sender) noexcept
      : options_(&options), sender_(sender) {}

  /// Reading a server: the level that CONNECT asked for.
  void set_level(Level level) noexcept { level_ = level; }
  /// Before a CONNECT was read: 5.0.
  [[nodiscard]] Level level() const noexcept { return level_; }

  void feed(std::string_view bytes) noexcept { input_ = bytes; }
  ParseStatus next(Packet& packet);

  /// After need_more: at least so many bytes are missing of the packet that has begun, all of them
  /// as soon as its length is known; 0: none has begun.
  [[nodiscard]] std::size_t missing() const noexcept;
  /// After failed.
  [[nodiscard]] const ParseError& error() const noexcept { return error_; }
  /// After a failed CONNECT with a level that is not spoken here: whether its sender expects the
  /// answer in the form of 3.1 and 3.1.1, which all levels below 5 have.
  [[nodiscard]] bool answer_in_old_form() const noexcept { return old_form_; }

 private:
  /// The fixed header, when it is whole.
  struct FixedHeader {
    unsigned char first = 0;
    std::uint8_t size = 0;
    std::uint32_t remaining = 0;
  };

  ParseStatus read_fixed_header(std::string_view bytes, FixedHeader& header);
  bool check_first_byte(unsigned char first);
  bool check_remaining(const FixedHeader& header);
  bool fail_size(std::uint32_t bytes_max);
  ParseStatus read_whole(std::string_view bytes, const FixedHeader& header, Packet& packet);
  ParseStatus collect(Packet& packet);
  ParseStatus fail(ReasonCode reason, std::string_view text, std::string_view subject = {});

  const ParserOptions* options_;
  Sender sender_;
  Level level_ = Level::v5;
  bool connected_ = false;  // a CONNECT was read
  bool failed_ = false;
  bool old_form_ = false;
  bool handed_out_collected_ = false;
  FixedHeader header_;  // of the packet in `collected_`; size 0: not known yet
  std::string_view input_;
  std::string collected_;  // the packet that straddles portions, from its first byte
  ParseError error_;
};

}  // namespace pabal::mqtt
