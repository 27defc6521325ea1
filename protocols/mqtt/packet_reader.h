#pragma once

#include <cstdint>
#include <string_view>

#include "protocols/mqtt/packet.h"
#include "protocols/mqtt/wire.h"

// The bodies of packets, behind the fixed header; used by the parser alone.

namespace pabal::mqtt {

/// What is wrong with a packet; texts are literals.
struct Fault {
  ReasonCode reason = ReasonCode::success;  ///< success: nothing
  std::string_view text;
  std::string_view subject;  ///< the name of the property at fault, or empty
};

/// Walks the bytes of one body. After the first fault everything reads as zero and empty, so that
/// it is enough to ask at the end.
class BodyReader {
 public:
  BodyReader(const char* begin, const char* end) noexcept : at_(begin), end_(end) {}

  [[nodiscard]] bool at_end() const noexcept { return at_ == end_; }
  [[nodiscard]] const char* position() const noexcept { return at_; }
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  std::uint32_t byte() noexcept {
    if (left() < 1) return run_out();
    return load_byte(at_++);
  }
  std::uint32_t two() noexcept {
    if (left() < 2) return run_out();
    at_ += 2;
    return load_two(at_ - 2);
  }
  std::uint32_t four() noexcept {
    if (left() < 4) return run_out();
    at_ += 4;
    return load_four(at_ - 4);
  }
  std::uint32_t variable() noexcept;
  /// Bytes behind their length (MQTT 5.0 §1.5.6).
  std::string_view binary() noexcept {
    const std::uint32_t size = two();
    if (left() < size) {
      run_out();
      return {};
    }
    at_ += size;
    return {at_ - size, size};
  }
  /// A string (MQTT 5.0 §1.5.4).
  std::string_view text() noexcept;
  /// Everything that is left.
  std::string_view rest() noexcept {
    const std::string_view rest(at_, left());
    at_ = end_;
    return rest;
  }
  /// A reader of the next `size` bytes, which this one passes over.
  BodyReader part(std::size_t size) noexcept {
    at_ += size;
    return {at_ - size, at_};
  }

  bool fail(ReasonCode reason, std::string_view text, std::string_view subject = {}) noexcept {
    if (ok()) fault_ = {reason, text, subject};
    at_ = end_;
    return false;
  }
  [[nodiscard]] bool ok() const noexcept { return fault_.reason == ReasonCode::success; }
  [[nodiscard]] const Fault& fault() const noexcept { return fault_; }

 private:
  std::uint32_t run_out() noexcept {
    fail(ReasonCode::malformed_packet, "the packet ends within a field");
    return 0;
  }

  const char* at_;
  const char* end_;
  Fault fault_;
};

/// The circumstances in which a body is read.
struct BodyRules {
  Level level = Level::v5;
  Sender sender = Sender::client;
  std::uint32_t user_properties_max = 0;
  std::uint32_t filters_max = 0;
};

/// Reads a property list with its length in front. `in_packet`: holder(type), or kWillHolder.
/// Only 5.0.
bool read_properties(BodyReader& in, PropertyHolders in_packet, const BodyRules& rules,
                     Properties& properties);

/// CONNECT says its level itself.
bool read_connect(BodyReader& in, const BodyRules& rules, Connect& connect);
/// `flags`: the low half of the first byte.
bool read_publish(BodyReader& in, unsigned flags, const BodyRules& rules, Publish& publish);
/// Any other; `type` is one that this level has.
bool read_body(BodyReader& in, PacketType type, const BodyRules& rules, Packet& packet);

}  // namespace pabal::mqtt
