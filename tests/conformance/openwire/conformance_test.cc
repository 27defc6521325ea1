#include <map>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "protocols/openwire/frame_parser.h"
#include "protocols/openwire/wire_format.h"
#include "tests/conformance/openwire/frame_file.h"

// The captured frames: each is read completely and written as the same bytes; and what is made of
// it by damage is refused, or is a frame in its own right. Source: reference §10.

namespace pabal::tests {
namespace {

using namespace openwire;

constexpr std::size_t kFrameBytesMax = 1 << 20;

std::vector<CapturedFrame> frames() {
  std::string error;
  auto read = read_frame_files(PABAL_VECTOR_FOLDER, error);
  EXPECT_TRUE(error.empty()) << error;
  return read;
}

std::string_view body_of(const CapturedFrame& frame) {
  return std::string_view(frame.bytes).substr(4);
}

TEST(OpenWireFrames, AreReadAndWrittenAgain) {
  std::map<std::string, int> counts;
  for (const CapturedFrame& frame : frames()) {
    if (!frame.readable) continue;
    SCOPED_TRACE(frame.where() + " " + frame.comment);
    AnyCommand command;
    std::string error;
    ASSERT_TRUE(read_command(body_of(frame), frame.format, command, error)) << error;
    std::string written;
    append_frame(written, command, frame.format);
    ASSERT_EQ(written, frame.bytes);
    // The comment of each frame names what it is.
    const std::string_view name = type_name(static_cast<std::uint8_t>(frame.bytes[4]));
    ASSERT_NE(frame.comment.find(name), std::string::npos) << name;
    ++counts[std::string(name)];
  }
  // Each kind that the captures have, and not by chance none of it.
  for (const char* name : {"WireFormatInfo",
                           "BrokerInfo",
                           "ConnectionInfo",
                           "SessionInfo",
                           "ConsumerInfo",
                           "ProducerInfo",
                           "TransactionInfo",
                           "DestinationInfo",
                           "RemoveSubscriptionInfo",
                           "ShutdownInfo",
                           "RemoveInfo",
                           "ConnectionError",
                           "ConsumerControl",
                           "ConnectionControl",
                           "ProducerAck",
                           "MessagePull",
                           "MessageDispatch",
                           "MessageAck",
                           "ActiveMQTextMessage",
                           "ActiveMQBytesMessage",
                           "ActiveMQMapMessage",
                           "ActiveMQObjectMessage",
                           "ActiveMQStreamMessage",
                           "ActiveMQBlobMessage",
                           "Response",
                           "ExceptionResponse",
                           "DataArrayResponse",
                           "IntegerResponse"}) {
    EXPECT_GT(counts[name], 0) << name;
  }
}

TEST(OpenWireFrames, OffersAgreeToTheEncodingThatTheFileIsIn) {
  int offers = 0;
  for (const CapturedFrame& frame : frames()) {
    if (!frame.comment.starts_with("WireFormatInfo") || !frame.from_client) continue;
    SCOPED_TRACE(frame.where());
    AnyCommand command;
    std::string error;
    ASSERT_TRUE(read_command(body_of(frame), WireFormat{}, command, error)) << error;
    const auto offer = read_offer(std::get<WireFormatInfo>(command));
    ASSERT_TRUE(offer.has_value()) << offer.error().text;
    EXPECT_EQ(offer->version, 12);
    EXPECT_EQ(offer->provider_name, "ActiveMQ");
    EXPECT_EQ(offer->provider_version, "5.17.2");
    // The clients of that file named loose encoding in their URL.
    const bool wants_all = !frame.file.ends_with("failover.hex");
    EXPECT_EQ(offer->tight_encoding_enabled, wants_all);
    EXPECT_EQ(offer->cache_enabled, wants_all);
    EXPECT_EQ(offer->cache_size, 1024);
    EXPECT_EQ(offer->max_frame_size, INT64_MAX);
    auto ours = broker_offer(core::milliseconds(30'000), core::milliseconds(10'000), 100, "1");
    ours.version = frame.format.version;
    const auto agreement = agree(ours, *offer);
    ASSERT_TRUE(agreement.has_value()) << agreement.error().text;
    EXPECT_EQ(agreement->format.version, frame.format.version);
    EXPECT_FALSE(agreement->format.stack_traces);
    EXPECT_EQ(agreement->max_frame_size, 100);
    ++offers;
  }
  EXPECT_GT(offers, 50);
}

/// What comes out of damage is refused with a reason, or it is written as it was read.
void expect_refused_or_sound(const std::string& bytes, const WireFormat& format) {
  AnyCommand command;
  std::string error;
  if (read_command(std::string_view(bytes).substr(4), format, command, error)) {
    std::string written;
    append_frame(written, command, format);
    ASSERT_EQ(written, bytes);
  } else {
    ASSERT_FALSE(error.empty());
  }
}

TEST(OpenWireFrames, CutAnywhereAreRefused) {
  std::map<std::string, bool> seen;
  for (const CapturedFrame& frame : frames()) {
    // One of each kind and length is enough.
    const std::string kind =
        std::to_string(frame.bytes.size()) + "/" + std::to_string(frame.bytes[4]);
    if (!frame.readable || !seen.emplace(kind, true).second || frame.bytes.size() > 4096) continue;
    SCOPED_TRACE(frame.where() + " " + frame.comment);
    for (std::size_t size = 0; size + 4 < frame.bytes.size(); ++size) {
      // A copy that ends there, so that a sanitizer sees a read beyond it.
      const std::string body(frame.bytes, 4, size);
      AnyCommand command;
      std::string error;
      ASSERT_FALSE(read_command(body, frame.format, command, error)) << size;
      ASSERT_FALSE(error.empty());
    }
    std::string error;
    AnyCommand command;
    ASSERT_FALSE(read_command(frame.bytes.substr(4) + '\0', frame.format, command, error));
    EXPECT_NE(error.find("bytes behind the last field"), std::string::npos) << error;
  }
}

TEST(OpenWireFrames, WithAnyByteChangedAreRefusedOrSound) {
  std::map<std::string, bool> seen;
  for (const CapturedFrame& frame : frames()) {
    const std::string kind =
        std::to_string(frame.bytes.size()) + "/" + std::to_string(frame.bytes[4]);
    if (!frame.readable || !seen.emplace(kind, true).second || frame.bytes.size() > 1024) continue;
    SCOPED_TRACE(frame.where() + " " + frame.comment);
    for (std::size_t at = 4; at < frame.bytes.size(); ++at) {
      for (const int value : {0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF}) {
        std::string bytes = frame.bytes;
        bytes[at] = static_cast<char>(value);
        expect_refused_or_sound(bytes, frame.format);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(OpenWireFrames, ComeOutOfAnyPortions) {
  std::map<std::string, std::string> streams;
  std::map<std::string, std::vector<std::string>> expected;
  for (const CapturedFrame& frame : frames()) {
    streams[frame.file] += frame.bytes;
    expected[frame.file].push_back(frame.bytes.substr(4));
  }
  for (const auto& [file, stream] : streams) {
    for (const std::size_t portion :
         {std::size_t{1}, std::size_t{3}, std::size_t{64}, std::size_t{4096}, stream.size()}) {
      SCOPED_TRACE(file + " by " + std::to_string(portion));
      FrameParser parser(kFrameBytesMax);
      std::vector<std::string> read;
      for (std::size_t at = 0; at < stream.size(); at += portion) {
        const std::string part = stream.substr(at, portion);
        parser.feed(part);
        std::string_view frame;
        while (parser.next(frame) == ParseStatus::frame) read.emplace_back(frame);
      }
      EXPECT_EQ(read, expected[file]);
    }
  }
}

}  // namespace
}  // namespace pabal::tests
