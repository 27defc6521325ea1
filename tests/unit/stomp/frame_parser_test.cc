#include "protocols/stomp/frame_parser.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pabal::stomp {
namespace {

using namespace std::string_literals;

/// A frame as text, for comparison.
std::string show(const Frame& frame) {
  std::string text(frame.command);
  for (const Header& header : frame.headers) {
    text += "|" + std::string(header.name) + "=" + std::string(header.value);
  }
  return text + "|" + (frame.has_content_length ? "counted:" : "open:") + std::string(frame.body);
}

/// Everything that the parser makes of `portions`, the failure included.
std::vector<std::string> parse(const std::vector<std::string>& portions, Version version,
                               const SessionOptions& options = {}) {
  FrameParser parser(options);
  parser.set_version(version);
  std::vector<std::string> frames;
  for (const std::string& portion : portions) {
    // A heap block of its own, so that a sanitizer sees a read beyond it.
    const std::vector<char> bytes(portion.begin(), portion.end());
    parser.feed({bytes.data(), bytes.size()});
    Frame frame;
    ParseStatus status = parser.next(frame);
    for (; status == ParseStatus::frame; status = parser.next(frame)) {
      frames.push_back(show(frame));
    }
    if (status == ParseStatus::failed) {
      frames.push_back("failed: " + parser.error());
      break;
    }
  }
  return frames;
}

const std::string kStream =
    "\n\r\nSEND\ndestination:/queue/a\n\nhello\0\n\n"
    "SEND\r\ncontent-length:5\r\nx:a\\cb\r\n\r\na\0b\0c\0"
    "ACK\nid:1\n\n\0"
    "CONNECT\npasscode:a\\nb\n\n\0"
    "SEND\n\n\0"s;

TEST(FrameParserTest, ReadsFramesInOnePortion) {
  const std::vector<std::string> expected = {
      "SEND|destination=/queue/a|open:hello",
      "SEND|content-length=5|x=a:b|counted:a\0b\0c"s,
      "ACK|id=1|open:",
      "CONNECT|passcode=a\\nb|open:",
      "SEND|open:",
  };
  EXPECT_EQ(parse({kStream}, Version::v1_2), expected);
}

// Goal: where a portion ends must not matter. Method: every way to cut the stream in two, and one
// byte at a time.
TEST(FrameParserTest, ReadsTheSameHoweverItIsCut) {
  for (const Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
    const auto whole = parse({kStream}, version);
    for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
      EXPECT_EQ(parse({kStream.substr(0, cut), kStream.substr(cut)}, version), whole) << cut;
    }
    std::vector<std::string> bytes;
    for (const char c : kStream) bytes.emplace_back(1, c);
    EXPECT_EQ(parse(bytes, version), whole);
  }
}

TEST(FrameParserTest, FailsTheSameHoweverItIsCut) {
  SessionOptions options;
  options.command_line_bytes_max = 12;
  options.header_line_bytes_max = 20;
  options.headers_max = 2;
  options.body_bytes_max = 10;
  options.frame_bytes_max = 60;
  const std::string streams[] = {
      "SENDSENDSENDSEND\n\n\0"s,
      "SEND\nx:aaaaaaaaaaaaaaaaaaaaaaaaaaa\n\n\0"s,
      "SEND\na:1\nb:2\nc:3\n\n\0"s,
      "SEND\ncontent-length:11\n\n01234567890\0"s,
      "SEND\n\n01234567890\0"s,
      "SEND\ncontent-length:2\n\nabc\0"s,
      "SEND\ncontent-length:x\n\nabc\0"s,
      "SEND\nnonsense\n\nabc\0"s,
      "SEND\n:empty\n\nabc\0"s,
      "SEND\na\0b:c\n\nabc\0"s,
      "SE\0ND\n\nabc\0"s,
      "SEND\na:b\0\n\nabc\0"s,
  };
  for (const std::string& stream : streams) {
    const auto whole = parse({stream}, Version::v1_2, options);
    ASSERT_EQ(whole.size(), 1U) << stream;
    ASSERT_EQ(whole[0].substr(0, 8), "failed: ") << stream;
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
      const auto parts = parse({stream.substr(0, cut), stream.substr(cut)}, Version::v1_2, options);
      ASSERT_EQ(parts.size(), 1U) << stream << " cut at " << cut;
      // A NUL may be seen before the line that it spoils is complete.
      if (whole[0].find("Malformed") == std::string::npos &&
          stream.find('\0') + 1 == stream.size()) {
        EXPECT_EQ(parts, whole) << stream << " cut at " << cut;
      }
    }
  }
}

TEST(FrameParserTest, AcceptsWhatIsExactlyAtALimit) {
  SessionOptions options;
  options.command_line_bytes_max = 4;
  options.header_line_bytes_max = 17;
  options.headers_max = 1;
  options.body_bytes_max = 10;
  options.frame_bytes_max = 4 + 1 + 17 + 1 + 1 + 10 + 1;
  EXPECT_EQ(parse({"SEND\ncontent-length:10\n\n0123456789\0"s}, Version::v1_2, options),
            std::vector<std::string>{"SEND|content-length=10|counted:0123456789"});
}

TEST(FrameParserTest, FramesBeforeConnectHaveALimitOfTheirOwn) {
  SessionOptions options;
  options.unconnected_frame_bytes_max = 100;
  const std::string stream = "SEND\ncontent-length:200\n\n"s;
  FrameParser parser(options);
  parser.feed(stream);
  Frame frame;
  EXPECT_EQ(parser.next(frame), ParseStatus::failed);
  EXPECT_EQ(parser.error(), "The maximum frame size was exceeded");
  EXPECT_EQ(parser.error_detail(), "frame_bytes_max is 100");
}

TEST(FrameParserTest, AFailureIsFinal) {
  const auto frames = parse({"SEND\nbad\n\n\0"s, "SEND\n\n\0"s}, Version::v1_2);
  EXPECT_EQ(frames, std::vector<std::string>{"failed: Unable to parse header line"});
}

TEST(FrameParserTest, HandsOutViewsOfTheInput) {
  const std::string stream = "SEND\ndestination:/queue/a\n\nhello\0"s;
  const SessionOptions options;
  FrameParser parser(options);
  parser.set_version(Version::v1_2);
  parser.feed(stream);
  Frame frame;
  ASSERT_EQ(parser.next(frame), ParseStatus::frame);
  EXPECT_EQ(frame.body.data(), stream.data() + stream.find("hello"));
  EXPECT_EQ(frame.headers[0].value.data(), stream.data() + stream.find("/queue/a"));
}

// Goal: a large body in small portions costs linear time. Method: the same bytes are scanned once,
// so a body of 64 MB in portions of 64 bytes is done in a moment; quadratic work (a million
// portions over megabytes) would run into the test's time-out.
TEST(FrameParserTest, ALargeBodyInSmallPortionsCostsLinearTime) {
  constexpr std::size_t kBody = 64 << 20;
  constexpr std::size_t kPortion = 64;
  const SessionOptions options;
  for (const bool counted : {true, false}) {
    FrameParser parser(options);
    parser.set_version(Version::v1_2);
    std::string head = "SEND\ndestination:/queue/a\n";
    if (counted) head += "content-length:" + std::to_string(kBody) + "\n";
    head += "\n";
    parser.feed(head);
    Frame frame;
    ASSERT_EQ(parser.next(frame), ParseStatus::need_more);
    const std::string portion(kPortion, 'x');
    for (std::size_t sent = 0; sent < kBody; sent += kPortion) {
      parser.feed(portion);
      ASSERT_EQ(parser.next(frame), ParseStatus::need_more);
    }
    parser.feed(std::string_view("\0", 1));
    ASSERT_EQ(parser.next(frame), ParseStatus::frame);
    EXPECT_EQ(frame.body.size(), kBody);
  }
}

TEST(FrameParserTest, UnescapesByVersion) {
  const std::string stream = "SEND\nk\\cy:a\\nb\\cc\\\\d\\re\\tf\\\n\n\0"s;
  EXPECT_EQ(parse({stream}, Version::v1_2),
            std::vector<std::string>{"SEND|k:y=a\nb:c\\d\re\\tf\\|open:"});
  EXPECT_EQ(parse({stream}, Version::v1_1),
            std::vector<std::string>{"SEND|k:y=a\nb:c\\d\\re\\tf\\|open:"});
  EXPECT_EQ(parse({stream}, Version::v1_0),
            std::vector<std::string>{"SEND|k\\cy=a\nb:c\\d\\re\\tf\\|open:"});
}

TEST(FrameParserTest, TrimsByVersion) {
  const std::string stream = "SEND \n a : b \r\n\n\0"s;
  EXPECT_EQ(parse({stream}, Version::v1_0), std::vector<std::string>{"SEND|a=b|open:"});
  EXPECT_EQ(parse({stream}, Version::v1_1), std::vector<std::string>{"SEND| a = b \r|open:"});
  EXPECT_EQ(parse({stream}, Version::v1_2), std::vector<std::string>{"SEND| a = b |open:"});
}

}  // namespace
}  // namespace pabal::stomp
