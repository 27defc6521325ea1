#include "protocols/openwire/frame_parser.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace pabal::openwire {
namespace {

std::string sized(std::string_view body) {
  std::string frame(4, '\0');
  frame[2] = static_cast<char>(body.size() >> 8);
  frame[3] = static_cast<char>(body.size());
  return frame += body;
}

TEST(OpenWireFrameParser, HandsOutWholeFramesInPlace) {
  FrameParser parser(100);
  const std::string bytes = sized("abc") + sized("d");
  parser.feed(bytes);
  std::string_view frame;
  ASSERT_EQ(parser.next(frame), ParseStatus::frame);
  EXPECT_EQ(frame, "abc");
  EXPECT_EQ(frame.data(), bytes.data() + 4);
  ASSERT_EQ(parser.next(frame), ParseStatus::frame);
  EXPECT_EQ(frame, "d");
  EXPECT_EQ(parser.next(frame), ParseStatus::need_more);
}

TEST(OpenWireFrameParser, CollectsWhatStraddles) {
  const std::string bytes = sized("abcdef") + sized("gh");
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    FrameParser parser(100);
    std::string read;
    std::string_view frame;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      parser.feed(part);
      while (parser.next(frame) == ParseStatus::frame) read.append(frame).append("|");
    }
    EXPECT_EQ(read, "abcdef|gh|");
  }
}

TEST(OpenWireFrameParser, RefusesALengthAboveItsMaximumBeforeTheFrameComes) {
  FrameParser parser(5);
  parser.feed(std::string_view("\0\0\0\6", 4));
  std::string_view frame;
  EXPECT_EQ(parser.next(frame), ParseStatus::failed);
  EXPECT_EQ(parser.error(), "a frame longer than the maximum of 5 bytes");
  parser.feed(sized("a"));
  EXPECT_EQ(parser.next(frame), ParseStatus::failed) << "a failure is final";
}

TEST(OpenWireFrameParser, RefusesALengthThatIsNegativeOrZero) {
  for (const std::string_view length :
       {std::string_view("\xFF\xFF\xFF\xFF", 4), std::string_view("\x80\0\0\0", 4),
        std::string_view("\0\0\0\0", 4)}) {
    FrameParser parser(0x7FFF'FFFF);
    parser.feed(length);
    std::string_view frame;
    EXPECT_EQ(parser.next(frame), ParseStatus::failed);
    EXPECT_FALSE(parser.error().empty());
    // The same in portions.
    FrameParser slow(0x7FFF'FFFF);
    slow.feed(length.substr(0, 3));
    EXPECT_EQ(slow.next(frame), ParseStatus::need_more);
    slow.feed(length.substr(3));
    EXPECT_EQ(slow.next(frame), ParseStatus::failed);
  }
}

TEST(OpenWireFrameParser, ChangesItsMaximumForTheNextFrame) {
  FrameParser parser(3);
  const std::string first = sized("abc");
  parser.feed(first);
  std::string_view frame;
  ASSERT_EQ(parser.next(frame), ParseStatus::frame);
  parser.set_frame_bytes_max(1000);
  const std::string second = sized(std::string(1000, 'x'));
  parser.feed(second);
  ASSERT_EQ(parser.next(frame), ParseStatus::frame);
  EXPECT_EQ(frame.size(), 1000U);
}

}  // namespace
}  // namespace pabal::openwire
