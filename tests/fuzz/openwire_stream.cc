#include "tests/fuzz/openwire_stream.h"

#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "protocols/openwire/frame_parser.h"
#include "protocols/openwire/wire_format.h"

namespace pabal::tests {
namespace {

using namespace openwire;

constexpr std::uint32_t kFrameBytesMax = 64 * 1024;

// The second byte of an input.
constexpr unsigned kVersionMask = 3;
constexpr unsigned kStackTraces = 4;

void check_offer(const WireFormatInfo& info) {
  const auto offer = read_offer(info);
  if (!offer) {
    PABAL_CHECK(!offer.error().text.empty(), "a reason");
    return;
  }
  std::string frame;
  append_offer(frame, *offer);
  AnyCommand command;
  std::string error;
  PABAL_CHECK(read_command(std::string_view(frame).substr(4), {}, command, error), error.c_str());
  const auto again = read_offer(std::get<WireFormatInfo>(command));
  PABAL_CHECK(again.has_value(), "an offer of ours");
  PABAL_CHECK(again->version == offer->version && again->host == offer->host &&
                  again->cache_enabled == offer->cache_enabled &&
                  again->max_inactivity_duration == offer->max_inactivity_duration,
              "an offer comes back as it was");
  const auto ours = broker_offer(core::milliseconds(1000), core::milliseconds(1000), 1000, "1");
  if (const auto agreement = agree(ours, *offer)) {
    PABAL_CHECK(agreement->format.version >= kVersionMin, "at least");
    PABAL_CHECK(agreement->format.version <= kVersionMax, "at most");
    PABAL_CHECK(agreement->max_frame_size <= 1000, "ours is the bound");
    PABAL_CHECK(agreement->inactivity.count() >= 0, "no time before none");
  }
}

/// What the codec makes of one frame.
std::string check_frame(std::string_view frame, const WireFormat& format) {
  // A heap block of its own, so that a sanitizer sees a read beyond it.
  const std::vector<char> block(frame.begin(), frame.end());
  AnyCommand command;
  std::string error;
  if (!read_command({block.data(), block.size()}, format, command, error)) {
    PABAL_CHECK(!error.empty(), "a reason");
    return "refused: " + error;
  }
  std::string written;
  append_frame(written, command, format);
  PABAL_CHECK(std::string_view(written).substr(4) == frame, "what was read is written again");
  if (const auto* info = std::get_if<WireFormatInfo>(&command)) check_offer(*info);
  return std::string(type_name(static_cast<std::uint8_t>(frame.front())));
}

std::vector<std::string> read_all(std::string_view bytes, std::size_t portion_max,
                                  const WireFormat& format) {
  FrameParser parser(kFrameBytesMax);
  std::vector<std::string> read;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, portion_max);
    bytes.remove_prefix(part.size());
    const std::vector<char> block(part.begin(), part.end());
    parser.feed({block.data(), block.size()});
    std::string_view frame;
    ParseStatus status = parser.next(frame);
    for (; status == ParseStatus::frame; status = parser.next(frame)) {
      PABAL_CHECK(!frame.empty() && frame.size() <= kFrameBytesMax, "within its bounds");
      read.push_back(check_frame(frame, format));
    }
    if (status == ParseStatus::failed) {
      PABAL_CHECK(!parser.error().empty(), "a reason");
      read.push_back("failed: " + parser.error());
      return read;
    }
  }
  return read;
}

}  // namespace

void play_openwire_stream(const std::uint8_t* bytes, std::size_t size) {
  if (size < 2) return;
  WireFormat format;
  format.version = kVersionMin + static_cast<std::int32_t>(bytes[1] & kVersionMask);
  format.stack_traces = (bytes[1] & kStackTraces) != 0;
  const std::string_view stream(reinterpret_cast<const char*>(bytes) + 2, size - 2);
  const auto whole = read_all(stream, stream.size() + 1, format);
  const auto parts = read_all(stream, bytes[0] == 0 ? 1 : bytes[0], format);
  PABAL_CHECK(whole == parts, "it does not matter how the stream is cut");
}

std::string openwire_stream_input(const std::string& bytes, const openwire::WireFormat& format,
                                  std::uint8_t portion) {
  const unsigned how = static_cast<unsigned>(format.version - kVersionMin) |
                       (format.stack_traces ? kStackTraces : 0);
  return std::string(1, static_cast<char>(portion)) + static_cast<char>(how) + bytes;
}

}  // namespace pabal::tests
