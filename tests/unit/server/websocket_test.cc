#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/unit/server/loop_fixture.h"

namespace pabal::server {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kUpgrade =
    "GET /any/path HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n";

LoopSetup websocket_setup() {
  LoopSetup setup;
  setup.protocol = Protocol::websocket;
  return setup;
}

/// One client frame (RFC 6455 §5.2), masked with zeros, so that the payload is readable.
std::string frame(std::string_view payload, int opcode = 1, bool last = true) {
  std::string text;
  text += static_cast<char>((last ? 0x80 : 0) | opcode);
  if (payload.size() < 126) {
    text += static_cast<char>(0x80 | payload.size());
  } else {
    const int bytes = payload.size() <= 0xffff ? 2 : 8;
    text += static_cast<char>(0x80 | (bytes == 2 ? 126 : 127));
    for (int i = bytes - 1; i >= 0; --i) {
      text += static_cast<char>(payload.size() >> (8 * i) & 0xff);
    }
  }
  text.append(4, '\0');
  text += payload;
  return text;
}

struct WebSocketClient : TestClient {
  using TestClient::TestClient;
  std::string upgrade(std::string_view more_headers = {}) {
    EXPECT_TRUE(send(std::string(kUpgrade) + std::string(more_headers) + "\r\n"));
    return read_until("\r\n\r\n");
  }
};

TEST(WebSocketTest, CarriesTheSession) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port());
  const std::string answer =
      client.upgrade("Sec-WebSocket-Protocol: soap, v11.stomp , v12.stomp\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 101") << answer;
  EXPECT_NE(answer.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), std::string::npos);
  EXPECT_NE(answer.find("Sec-WebSocket-Protocol: v12.stomp\r\n"), std::string::npos) << answer;
  ASSERT_TRUE(client.send(frame("ID a\n")));
  EXPECT_EQ(client.line(), "\x81\x05OK a\n");
  ASSERT_TRUE(client.send(frame("SUB q\n")));
  ASSERT_EQ(client.line(), "\x81\x0dSUBSCRIBED q\n");
  // A command cut into frames of one message, and one cut between messages.
  ASSERT_TRUE(client.send(frame("POST q he", 1, false) + frame("llo!\nPOST", 0, true)));
  EXPECT_EQ(client.line(), "\x81\x0bMSG hello!\n");
  ASSERT_TRUE(client.send(frame(" q b\xC3\xA4", 2) + frame("\n", 2)));
  EXPECT_EQ(client.line(), "\x81\x08MSG b\xC3\xA4\n");
}

TEST(WebSocketTest, BytesThatAreNotTextGoAsBinary) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port());
  client.upgrade();
  ASSERT_TRUE(client.send(frame("ID a\nSUB q\nPOST q \xFF\xFE\n", 2)));
  std::string text;
  while (text.find("MSG \xFF\xFE\n") == std::string::npos) {
    const std::string line = client.line();
    ASSERT_FALSE(line.empty());
    text += line;
  }
  EXPECT_NE(text.find('\x82'), std::string::npos);
}

TEST(WebSocketTest, WithoutASubprotocolNoneIsNamed) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port());
  const std::string answer = client.upgrade("Sec-WebSocket-Protocol: soap, mqttish\r\n");
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 101");
  EXPECT_EQ(answer.find("Sec-WebSocket-Protocol"), std::string::npos);
  ASSERT_TRUE(client.send(frame("ID a\n")));
  EXPECT_EQ(client.line(), "\x81\x05OK a\n");
  EXPECT_EQ(rig.last_protocol(), Protocol::stomp);
}

TEST(WebSocketTest, TheSubprotocolDecidesTheAdaptor) {
  LoopRig rig(websocket_setup());
  struct Case {
    std::string_view offered;
    std::string_view chosen;
    Protocol protocol;
  };
  const Case cases[] = {
      {"mqtt", "mqtt", Protocol::mqtt},           {"mqttv3.1", "mqttv3.1", Protocol::mqtt},
      {"mqttv3.1, mqtt", "mqtt", Protocol::mqtt}, {"v12.stomp, mqtt", "mqtt", Protocol::mqtt},
      {"stomp", "stomp", Protocol::stomp},
  };
  for (const auto& [offered, chosen, protocol] : cases) {
    WebSocketClient client(rig.port());
    const std::string answer =
        client.upgrade("Sec-WebSocket-Protocol: " + std::string(offered) + "\r\n");
    EXPECT_NE(answer.find("Sec-WebSocket-Protocol: " + std::string(chosen) + "\r\n"),
              std::string::npos)
        << answer;
    ASSERT_TRUE(client.send(frame("ID " + std::string(offered) + "\n", 2)));
    // MQTT is binary, even where it could be text.
    EXPECT_EQ(client.line()[0], protocol == Protocol::mqtt ? '\x82' : '\x81');
    EXPECT_EQ(rig.last_protocol(), protocol) << offered;
  }
}

TEST(WebSocketTest, PacketsOfMqttNeedNotFitFramesOrMessages) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port());
  client.upgrade("Sec-WebSocket-Protocol: mqtt\r\n");
  // Cut between messages, between the frames of one, and with a ping between them; empty ones too.
  ASSERT_TRUE(client.send(frame("I", 2) + frame("", 2) + frame("D ", 2, false) + frame("", 9) +
                          frame("a\nSU", 0, true) + frame("B q\n", 2)));
  EXPECT_NE(client.read_until("SUBSCRIBED q\n").find("OK a\n"), std::string::npos);
  // More than the limit of a message in one: the limit is that of a packet.
  std::string posts;
  const std::string body(1000, 'b');
  for (int i = 0; i < 2000; ++i) posts += "POST q " + body + "\n";
  ASSERT_TRUE(client.send(frame(posts, 2)));
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued == 2000; }));
}

TEST(WebSocketTest, MqttInATextFrameEndsTheConnection) {
  for (const bool first : {true, false}) {
    LoopRig rig(websocket_setup());
    WebSocketClient client(rig.port());
    client.upgrade("Sec-WebSocket-Protocol: mqtt\r\n");
    if (!first) {
      ASSERT_TRUE(client.send(frame("ID a\n", 2)));
      ASSERT_EQ(client.line(), "\x82\x05OK a\n");
    }
    ASSERT_TRUE(client.send(frame(first ? "ID a\nPOST q x\n" : "POST q x\n", 1)));
    bool ended = false;
    const std::string text = client.read_to_end(ended);
    EXPECT_EQ(text, "\x88\x02\x03\xEB") << "1003: that kind of data is not taken";
    EXPECT_TRUE(ended);
    EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
    EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().connections == 0; }));
    EXPECT_EQ(rig.snapshot().totals.enqueued, 0U);
  }
}

TEST(WebSocketTest, WhoSaysNothingBehindTheHandshakeIsDropped) {
  LoopSetup setup = websocket_setup();
  setup.connect_timeout = core::milliseconds(100);
  LoopRig rig(setup);
  for (const char* offer : {"Sec-WebSocket-Protocol: mqtt\r\n", ""}) {
    WebSocketClient client(rig.port());
    EXPECT_EQ(client.upgrade(offer).substr(0, 12), "HTTP/1.1 101");
    bool ended = false;
    client.read_to_end(ended);
    EXPECT_TRUE(ended);
    EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
  }
}

TEST(WebSocketTest, OneTooManyHearsWhy) {
  LoopSetup setup = websocket_setup();
  setup.connections_max = 1;
  LoopRig rig(setup);
  WebSocketClient first(rig.port());
  first.upgrade();
  WebSocketClient second(rig.port());
  second.upgrade();
  ASSERT_TRUE(second.send(frame("ID a\n")));
  EXPECT_NE(second.line().find("FAREWELL too many connections"), std::string::npos);
}

TEST(WebSocketTest, ManyMessagesInOrderToASlowReader) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port(), 4096);
  client.upgrade();
  ASSERT_TRUE(client.send(frame("ID a\nSUB q\n")));
  const std::string body(500, 'b');
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(client.send(frame("POST q " + std::to_string(i) + " " + body + "\n")));
  }
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued == 5000; }));
  for (int i = 0; i < 5000; ++i) {
    const std::string want = "MSG " + std::to_string(i) + " ";
    ASSERT_NE(client.read_until(want).find(want), std::string::npos) << i;
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().totals.dequeued == 5000; }));
}

TEST(WebSocketTest, ACloseFrameIsAnswered) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port());
  client.upgrade();
  ASSERT_TRUE(client.send(frame("ID a\n")));
  EXPECT_EQ(client.line(), "\x81\x05OK a\n");
  ASSERT_TRUE(client.send(frame("\x03\xE8"sv, 8)));
  bool ended = false;
  const std::string text = client.read_to_end(ended);
  EXPECT_EQ(text.substr(0, 2), "\x88\x02") << text;
  EXPECT_TRUE(ended);
  client.close();  // the server waits for it before it lets go (RFC 6455 §7.1.1)
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().connections == 0; }));
}

TEST(WebSocketTest, TheServersLastWordsArriveBeforeItsClose) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port());
  client.upgrade();
  ASSERT_TRUE(client.send(frame("ID a\nBYE\n")));
  EXPECT_NE(client.read_until("BYE\n").find("BYE\n"), std::string::npos);
  EXPECT_EQ(client.read_until("\x88").back(), '\x88');
  ASSERT_TRUE(client.send(frame("\x03\xE8"sv, 8)));
  bool ended = false;
  client.read_to_end(ended);
  EXPECT_TRUE(ended);
}

TEST(WebSocketTest, RefusesWhatIsNotAnUpgrade) {
  LoopRig rig(websocket_setup());
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  bool ended = false;
  const std::string text = client.read_to_end(ended);
  EXPECT_EQ(text.substr(0, 12), "HTTP/1.1 426") << text;
  EXPECT_TRUE(ended);
}

TEST(WebSocketTest, LimitsTheHandshakeAndTheMessage) {
  LoopRig rig(websocket_setup());
  TestClient greedy(rig.port());
  ASSERT_TRUE(greedy.send("GET / HTTP/1.1\r\n"));
  std::string header = "X-Long: " + std::string(16 * 1024, 'x') + "\r\n";
  greedy.send(header);
  bool ended = false;
  greedy.read_to_end(ended);
  EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));

  // The header announces more than the limit of a message; nothing of it need be sent.
  WebSocketClient announcing(rig.port());
  announcing.upgrade();
  ASSERT_TRUE(announcing.send("\x82\xFF\x00\x00\x00\x00\x7F\xFF\xFF\xFF\0\0\0\0"sv));
  announcing.send("x");
  announcing.read_to_end(ended);
  EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
}

TEST(WebSocketTest, APeerThatVanishesWhileItIsNotReadLeavesNothing) {
  LoopRig rig(websocket_setup());
  WebSocketClient client(rig.port(), 4096);
  client.upgrade();
  ASSERT_TRUE(client.send(frame("ID a\n")));
  // Every line is answered by more bytes than it has; nobody reads the answers.
  std::string commands;
  while (commands.size() < 256 * 1024) commands += frame("ID " + std::string(50, 'x') + "\n");
  std::string unsent;
  int refused = 0;  // in a row: it is not read any more
  ASSERT_TRUE(rig.eventually([&] {
    if (unsent.empty()) unsent = commands;
    const auto now = client.send_some(unsent);
    unsent.erase(0, now);
    refused = now == 0 ? refused + 1 : 0;
    return refused == 40;
  }));
  client.reset();
  EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().connections == 0; }));
}

TEST(WebSocketTest, APeerThatVanishesInTheHandshakeLeavesNothing) {
  LoopRig rig(websocket_setup());
  {
    TestClient client(rig.port());
    ASSERT_TRUE(client.send("GET / HT"));
    ASSERT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 1; }));
    client.reset();
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
}

}  // namespace
}  // namespace pabal::server
