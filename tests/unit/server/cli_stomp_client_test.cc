#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/frame_scanner.h"
#include "server/cli/stomp_client.h"
#include "tests/support/cli_loopback_broker.h"

namespace pabal::cli {
namespace {

using ::testing::HasSubstr;
using Milliseconds = std::chrono::milliseconds;

using namespace std::string_view_literals;

constexpr Milliseconds kPatience{30'000};

FrameScanner::Answer scan(std::string_view bytes, FrameView& frame) {
  FrameScanner scanner;
  return scanner.next(bytes, frame);
}

TEST(FrameScannerTest, FindsFramesWithAndWithoutContentLength) {
  FrameView frame;
  constexpr auto kByLength = "\n\r\nMESSAGE\nack:7\ncontent-length:5\nack:8\n\na\0b\0c\0\nX"sv;
  ASSERT_EQ(scan(kByLength, frame), FrameScanner::Answer::frame);
  EXPECT_EQ(frame.command, "MESSAGE");
  EXPECT_EQ(frame.ack, "7");
  EXPECT_EQ(frame.body, "a\0b\0c"sv);
  EXPECT_EQ(frame.size, kByLength.size() - 2);

  ASSERT_EQ(scan("RECEIPT\r\nreceipt-id:r1\r\n\r\nbody\0"sv, frame), FrameScanner::Answer::frame);
  EXPECT_EQ(frame.command, "RECEIPT");
  EXPECT_EQ(frame.receipt_id, "r1");
  EXPECT_EQ(frame.body, "body");
}

TEST(FrameScannerTest, WaitsForTheRestWhereverTheCutIs) {
  const std::string whole =
      std::string("MESSAGE\nack:7\ncontent-length:3\n\nabc\0"sv) + std::string("ERROR\n\nwhy\0"sv);
  for (std::size_t cut = 0; cut < 36; ++cut) {
    FrameScanner scanner;
    FrameView frame;
    EXPECT_EQ(scanner.next(std::string_view(whole).substr(0, cut), frame),
              FrameScanner::Answer::incomplete);
    ASSERT_EQ(scanner.next(whole, frame), FrameScanner::Answer::frame) << cut;
    EXPECT_EQ(frame.body, "abc");
    ASSERT_EQ(scanner.next(std::string_view(whole).substr(frame.size), frame),
              FrameScanner::Answer::frame);
    EXPECT_EQ(frame.body, "why");
  }
}

TEST(FrameScannerTest, FindsTheEndOfALongBodyThatComesInPieces) {
  FrameScanner scanner;
  FrameView frame;
  std::string bytes = "MESSAGE\n\n";
  for (int i = 0; i < 50; ++i) {
    bytes.append(1000, 'x');
    EXPECT_EQ(scanner.next(bytes, frame), FrameScanner::Answer::incomplete);
  }
  bytes += '\0';
  ASSERT_EQ(scanner.next(bytes, frame), FrameScanner::Answer::frame);
  EXPECT_EQ(frame.body.size(), 50'000u);
}

TEST(FrameScannerTest, RefusesWhatIsNotStomp) {
  FrameView frame;
  EXPECT_EQ(scan("MESSAGE\ncontent-length:x\n\na\0"sv, frame), FrameScanner::Answer::malformed);
  EXPECT_EQ(scan("MESSAGE\ncontent-length:1\n\nab\0"sv, frame), FrameScanner::Answer::malformed);
  EXPECT_EQ(scan("MESSAGE\ncontent-length:-1\n\nab\0"sv, frame), FrameScanner::Answer::malformed);
}

TEST(FrameTest, EscapesAndUnescapesAllButTheHandshake) {
  const Frame frame{"SEND", {{"a:b", "1\n2\r3\\4"}}, "body"};
  const std::string bytes = encode(frame);
  EXPECT_EQ(bytes, "SEND\na\\cb:1\\n2\\r3\\\\4\ncontent-length:4\n\nbody\0"sv);
  FrameView view;
  ASSERT_EQ(scan(bytes, view), FrameScanner::Answer::frame);
  EXPECT_EQ(decode(view).header("a:b"), "1\n2\r3\\4");
  EXPECT_EQ(encode({"CONNECT", {{"passcode", "a:b\\"}}, {}}), "CONNECT\npasscode:a:b\\\n\n\0"sv);
}

TEST(UrlTest, ReadsEveryForm) {
  const auto full = parse_url("stomp://me:a:b@broker.example:1234/");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->host, "broker.example");
  EXPECT_EQ(full->port, 1234);
  EXPECT_EQ(full->login, "me");
  EXPECT_EQ(full->passcode, "a:b");
  EXPECT_EQ(parse_url("localhost")->port, 61613);
  EXPECT_EQ(parse_url("tcp://[::1]:7")->host, "::1");
  for (const char* wrong : {"", "http://x", "stomp://:1", "x:0", "x:65536", "x:1y", "[::1"}) {
    EXPECT_FALSE(parse_url(wrong)) << wrong;
  }
}

StompClient connect(const tests::LoopbackBroker& broker) {
  auto client = StompClient::connect(*parse_url(broker.url()), {});
  PABAL_CHECK(client, "no connection to the loopback broker");
  return std::move(*client);
}

TEST(StompClientTest, SendsAndReceives) {
  const tests::LoopbackBroker broker;
  StompClient client = connect(broker);
  EXPECT_EQ(client.connected().header("server"), "loopback");
  const Frame subscribe{
      "SUBSCRIBE",
      {{"id", "0"}, {"destination", "/queue/a"}, {"ack", "client"}, {"receipt", "s"}},
      {}};
  ASSERT_TRUE(client.send(subscribe));
  ASSERT_TRUE(client.await_receipt("s", kPatience));
  const std::string body(300'000, 'x');
  const Frame message{"SEND", {{"destination", "/queue/a"}, {"k", "a:b"}, {"receipt", "r"}}, body};
  ASSERT_TRUE(client.send(message));
  // The MESSAGE comes before the RECEIPT and must not be dropped for it.
  ASSERT_TRUE(client.await_receipt("r", kPatience));
  const auto received = client.receive(kPatience);
  ASSERT_TRUE(received && received->has_value());
  EXPECT_EQ((*received)->body, body);
  EXPECT_EQ((*received)->header("k"), "a:b");
  const auto nothing = client.receive(Milliseconds(0));
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->has_value());
  EXPECT_TRUE(client.disconnect(kPatience));
}

TEST(StompClientTest, ShowsTheBrokersError) {
  const tests::LoopbackBroker broker;
  ConnectOptions options;
  options.login = "me";
  options.passcode = "wrong";
  const auto client = StompClient::connect(*parse_url(broker.url()), options);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().exit_code, ExitCode::refused);
  EXPECT_THAT(client.error().text, HasSubstr("bad: credentials"));
}

TEST(StompClientTest, SaysWhenNobodyListens) {
  std::uint16_t port = 0;
  { port = tests::LoopbackBroker().port(); }
  const auto client = StompClient::connect({"127.0.0.1", port, {}, {}}, {});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().exit_code, ExitCode::unreachable);
  EXPECT_THAT(client.error().text, HasSubstr("is the broker running"));
}

}  // namespace
}  // namespace pabal::cli
