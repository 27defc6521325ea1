#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/stomp_broker.h"

// What the conformance vectors cannot say: volume, cuts of the stream, timers.

namespace pabal::stomp {
namespace {

using namespace std::string_literals;
using core::milliseconds;
using tests::StompBroker;

std::string frame(const std::string& text) {
  return text + "\0"s;
}

std::string connect(const std::string& version, const std::string& headers = "") {
  return frame("CONNECT\naccept-version:" + version + "\nhost:x\n" + headers + "\n");
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t number = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++number;
  }
  return number;
}

/// The values of a header, in order, as the wire has them.
std::vector<std::string> values(std::string_view heard, const std::string& name) {
  std::vector<std::string> all;
  const std::string start = "\n" + name + ":";
  for (auto at = heard.find(start); at != std::string_view::npos; at = heard.find(start, at + 1)) {
    const auto from = at + start.size();
    all.emplace_back(heard.substr(from, heard.find('\n', from) - from));
  }
  return all;
}

// Goal: how the network cuts the stream must not matter, also across the CONNECT that changes the
// version. Method: one conversation, cut in two at every byte.
TEST(StompSessionTest, AnswersTheSameHoweverTheStreamIsCut) {
  const std::string stream =
      connect("1.2") +
      frame("SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client-individual\nreceipt:s\n\n") +
      frame("BEGIN\ntransaction:t\n\n") +
      frame("SEND\ndestination:/queue/a\ntransaction:t\nx:a\\rb\ncontent-length:3\n\na\0b"s) +
      frame("SEND\ndestination:/temp-queue/x\nreply-to:/temp-queue/x\n\nhi") +
      frame("COMMIT\ntransaction:t\nreceipt:c\n\n") + frame("NACK\nid:nobody\nreceipt:n\n\n") +
      frame("UNSUBSCRIBE\nid:0\nreceipt:u\n\n") + frame("DISCONNECT\nreceipt:d\n\n");
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    StompBroker broker;
    const auto client = broker.accept();
    broker.receive(client, stream.substr(0, cut));
    broker.receive(client, stream.substr(cut));
    const std::string heard = broker.take(client);
    ASSERT_TRUE(broker.peer(client).wire->closed()) << cut;
    ASSERT_EQ(values(heard, "receipt-id"), (std::vector<std::string>{"s", "c", "n", "u", "d"}))
        << cut << '\n'
        << heard;
    ASSERT_EQ(count(heard, "CONNECTED\n"), 1U) << cut;
    ASSERT_EQ(count(heard, "ERROR\n"), 1U) << cut;
  }
}

class StompAckTest : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Versions, StompAckTest, ::testing::Values("1.0", "1.1", "1.2"));

std::string ack_frame(const std::string& version, const std::string& id) {
  if (version == "1.2") return frame("ACK\nid:" + id + "\n\n");
  return frame("ACK\nsubscription:s\nmessage-id:" + id + "\n\n");
}

// Goal: nothing is lost, doubled or reordered when acknowledgements come in any order. Method: 3000
// messages through a prefetch of 100, acknowledged in random order; the queue must end empty.
TEST_P(StompAckTest, AcknowledgesInAnyOrder) {
  const std::string& version = GetParam();
  constexpr std::size_t kMessages = 3000;
  StompBroker broker;
  const auto sender = broker.accept();
  const auto receiver = broker.accept();
  broker.receive(sender, connect(version));
  broker.receive(receiver, connect(version));
  broker.receive(receiver, frame("SUBSCRIBE\nid:s\ndestination:/queue/a\nack:client-individual\n"
                                 "activemq.prefetchSize:100\n\n"));
  std::string sends;
  for (std::size_t i = 0; i < kMessages; ++i) {
    sends += frame("SEND\ndestination:/queue/a\nn:" + std::to_string(i) + "\n\nx");
  }
  broker.receive(sender, sends);
  (void)broker.take(sender);

  std::mt19937 random(7);
  std::vector<std::string> unacknowledged;
  std::size_t received = 0;
  std::string heard = broker.take(receiver);
  heard.erase(0, heard.find("MESSAGE\n"));
  while (true) {
    for (const std::string& number : values(heard, "n")) {
      ASSERT_EQ(number, std::to_string(received++));
    }
    ASSERT_EQ(count(heard, "ERROR\n"), 0U) << heard;
    for (auto& id : values(heard, version == "1.2" ? "ack" : "message-id")) {
      unacknowledged.push_back(std::move(id));
    }
    ASSERT_LE(unacknowledged.size(), 100U);
    if (unacknowledged.empty()) break;
    std::shuffle(unacknowledged.begin(), unacknowledged.end(), random);
    std::string acks;
    for (std::size_t some = std::min<std::size_t>(unacknowledged.size(), 1 + random() % 60);
         some > 0; --some) {
      acks += ack_frame(version, unacknowledged.back());
      unacknowledged.pop_back();
    }
    broker.receive(receiver, acks);
    heard = broker.take(receiver);
  }
  EXPECT_EQ(received, kMessages);
  const auto queues = broker.engine().destinations("", 10);
  ASSERT_EQ(queues.size(), 1U);
  EXPECT_EQ(queues[0].depth, 0U);
}

TEST_P(StompAckTest, CumulativeAcknowledgementsEmptyTheQueue) {
  const std::string& version = GetParam();
  StompBroker broker;
  const auto client = broker.accept();
  broker.receive(client, connect(version));
  broker.receive(client, frame("SUBSCRIBE\nid:s\ndestination:/queue/a\nack:client\n\n"));
  std::string sends;
  for (int i = 0; i < 500; ++i) sends += frame("SEND\ndestination:/queue/a\n\nx");
  broker.receive(client, sends);
  const auto ids = values(broker.take(client), version == "1.2" ? "ack" : "message-id");
  ASSERT_EQ(ids.size(), 500U);
  for (std::size_t i = 99; i < 500; i += 100) {
    broker.receive(client, ack_frame(version, ids[i]));
    EXPECT_EQ(broker.engine().destinations("", 10)[0].depth, 500 - i - 1);
  }
  // What a later one covered is settled, so it is unexpected.
  broker.receive(client, ack_frame(version, ids[250]));
  EXPECT_EQ(count(broker.take(client), "ERROR\n"), 1U);
}

TEST(StompSessionTest, DeliveriesOfAnEndedSubscriptionAreNotWritten) {
  StompBroker broker;
  const auto client = broker.accept();
  broker.receive(client, connect("1.2") +
                             frame("SUBSCRIBE\nid:s\ndestination:/queue/a\nack:client\n\n") +
                             frame("SEND\ndestination:/queue/a\n\nx") +
                             frame("UNSUBSCRIBE\nid:s\nreceipt:u\n\n"));
  const std::string heard = broker.take(client);
  EXPECT_EQ(values(heard, "receipt-id"), std::vector<std::string>{"u"});
  EXPECT_EQ(count(heard, "MESSAGE\n"), 0U);
  EXPECT_EQ(broker.engine().destinations("", 10)[0].depth, 1U);
}

TEST(StompSessionTest, TimerSaysWhenItWantsToBeAsked) {
  StompBroker broker;
  const auto client = broker.accept();
  auto& [session, wire, undelivered, gone] = broker.peer(client);
  EXPECT_EQ(session->on_timer(milliseconds(0), milliseconds(0), *wire), milliseconds(30'000));
  EXPECT_EQ(session->on_timer(milliseconds(10'000), milliseconds(0), *wire), milliseconds(20'000));
  broker.receive(client, connect("1.2", "heart-beat:1000,4000\n"));
  (void)broker.take(client);
  EXPECT_EQ(session->on_timer(milliseconds(0), milliseconds(0), *wire), milliseconds(2000));
  EXPECT_EQ(session->on_timer(milliseconds(0), milliseconds(2500), *wire), milliseconds(500));
  EXPECT_EQ(wire->take(), "");
  EXPECT_EQ(session->on_timer(milliseconds(0), milliseconds(3000), *wire), milliseconds(2000));
  EXPECT_EQ(wire->take(), "\n");
  EXPECT_EQ(session->on_timer(milliseconds(2000), milliseconds(0), *wire), std::nullopt);
  EXPECT_TRUE(wire->closed());
}

TEST(StompSessionTest, ASubMillisecondWishDoesNotSpinTheTimer) {
  StompBroker broker;
  const auto client = broker.accept();
  broker.receive(client, connect("1.2", "heart-beat:1,1\n"));
  EXPECT_EQ(values(broker.take(client), "heart-beat"), std::vector<std::string>{"10,10"});
}

TEST(StompSessionTest, FarewellIsAnError) {
  StompBroker broker;
  const auto client = broker.accept();
  broker.receive(client, connect("1.2"));
  (void)broker.take(client);
  auto& peer = broker.peer(client);
  peer.session->encode_farewell(protocols::Farewell::stopping, "the broker stops", *peer.wire);
  EXPECT_EQ(values(peer.wire->take(), "message"), std::vector<std::string>{"the broker stops"});
}

TEST(StompSessionTest, DescribesItself) {
  StompBroker broker;
  const auto client = broker.accept();
  EXPECT_EQ(broker.peer(client).session->describe(), "stomp");
  EXPECT_EQ(broker.peer(client).session->connection(), std::nullopt);
  broker.receive(client, connect("1.1", "client-id:c\nlogin:ann\npasscode:secret\n"));
  EXPECT_EQ(broker.peer(client).session->describe(), "stomp 1.1 client-id c login ann");
  EXPECT_TRUE(broker.peer(client).session->connection());
}

// Goal: the client's acknowledgements still act while its sends wait for room, or both would wait
// for ever. Method: a queue that fills memory, a send that is parked, and an ACK that makes room.
TEST(StompSessionTest, AcknowledgementsActBehindAParkedSend) {
  core::EngineLimits limits;
  limits.memory_bytes_max = 4000;
  StompBroker broker({}, limits);
  const auto client = broker.accept();
  broker.receive(client, connect("1.2"));
  broker.receive(client, frame("SUBSCRIBE\nid:s\ndestination:/queue/a\nack:client\n\n"));
  const std::string body(3000, 'x');
  broker.receive(client, frame("SEND\ndestination:/queue/a\n\n" + body));
  const auto ids = values(broker.take(client), "ack");
  ASSERT_EQ(ids.size(), 1U);
  broker.receive(client, frame("SEND\ndestination:/queue/a\nreceipt:2\n\n" + body));
  EXPECT_EQ(broker.take(client), "");
  broker.receive(client, ack_frame("1.2", ids[0]));
  const std::string heard = broker.take(client);
  EXPECT_EQ(values(heard, "receipt-id"), std::vector<std::string>{"2"});
  EXPECT_EQ(count(heard, "MESSAGE\n"), 1U);
}

// Goal: the receipt of a DISCONNECT speaks for all before it, however it came to be answered late.
// Method: a persistent send that asks for no receipt, and a last, parked one that waits for no sync.
TEST(StompSessionTest, ADisconnectBehindAParkedSendWaitsForTheStore) {
  core::EngineLimits limits;
  limits.memory_bytes_max = 4000;
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  StompBroker broker(options, limits);
  const auto producer = broker.accept();
  broker.receive(producer, connect("1.2"));
  (void)broker.take(producer);
  const std::string large = frame("SEND\ndestination:/queue/a\n\n" + std::string(3000, 'x'));
  broker.receive(producer, large + frame("SEND\ndestination:/queue/b\npersistent:true\n\nkept") +
                               large + frame("DISCONNECT\nreceipt:d\n\n"));
  const auto consumer = broker.accept();
  broker.receive(consumer, connect("1.2"));
  broker.receive(consumer, frame("SUBSCRIBE\nid:s\ndestination:/queue/a\n\n"));
  EXPECT_EQ(count(broker.take(consumer), "MESSAGE\n"), 2U);
  EXPECT_EQ(broker.take(producer), "");
  broker.sync();
  EXPECT_EQ(values(broker.take(producer), "receipt-id"), std::vector<std::string>{"d"});
  EXPECT_TRUE(broker.peer(producer).wire->closed());
}

TEST(StompSessionTest, AConnectTimeOutOfZeroIsNone) {
  SessionOptions options;
  options.connect_timeout = milliseconds(0);
  const protocols::PeerInfo peer;
  FrameCache cache;
  const auto session = make_session(options, peer, cache);
  const store::MemoryStore store{store::MemoryStoreOptions{}};
  tests::Wire wire(store);
  EXPECT_EQ(session->on_timer(milliseconds(0), milliseconds(0), wire), std::nullopt);
  const std::string begin = "CONN";
  session->decode(begin, core::TimePoint(milliseconds(1)));
  session->decode(begin, core::TimePoint(milliseconds(3'600'000)));
  EXPECT_FALSE(session->has_commands());
}

}  // namespace
}  // namespace pabal::stomp
