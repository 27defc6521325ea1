#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pabal::cli::bench {

/// What a benchmark's message says about itself, at the start of its body in fixed columns:
///   pabal-bench RRRRRRRR PPPP p SSSSSSSSSSSS TTTTTTTTTTTTTTTT …filler
/// run (hexadecimal), producer, priority, sequence of the producer, time of the intended send in
/// nanoseconds of the monotonic clock (0: not measured). Columns, so that a producer only patches
/// digits in a prepared frame.
struct BodyId {
  std::uint32_t run = 0;
  std::uint16_t producer = 0;
  std::uint8_t priority = 4;
  std::uint64_t sequence = 0;  ///< below 2^48
  std::uint64_t time = 0;
};

inline constexpr std::size_t kBodyIdSize = 58;
inline constexpr std::size_t kSequenceOffset = 28;
inline constexpr std::size_t kSequenceDigits = 12;
inline constexpr std::size_t kTimeOffset = 41;
inline constexpr std::size_t kTimeDigits = 16;

/// A body of `size` bytes, at least kBodyIdSize. The filler is the same for every message.
std::string make_body(const BodyId& id, std::size_t size);

/// Reads the columns. False: this is not a body of ours.
bool read_body(std::string_view body, BodyId& id) noexcept;

/// Writes `digits` hexadecimal digits, an even number of them.
void write_hex(char* out, std::uint64_t value, std::size_t digits) noexcept;
/// False: there is something else than digits.
bool read_hex(const char* text, std::size_t digits, std::uint64_t& value) noexcept;

}  // namespace pabal::cli::bench
