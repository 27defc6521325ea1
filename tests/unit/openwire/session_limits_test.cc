#include <cstdint>
#include <string>
#include <vector>

#include "tests/unit/openwire/openwire_fixture.h"

// What a client must not be able to do, and what it may do at the wrong moment.

namespace pabal::openwire {
namespace {

class OpenWireLimitsTest : public OpenWireFixture {
 protected:
  std::vector<Received> consume(std::size_t peer, std::string_view name,
                                std::int32_t prefetch = 1000) {
    send(peer, consumer(peer, 1, name, DestinationType::queue, prefetch));
    return take_all<MessageDispatch>(peer);
  }
};

// --- deliveries in flight ------------------------------------------------------------------------

TEST(InFlightTest, FindsByTheNumberOfThisBrokerAndByThatOfAnother) {
  InFlight in_flight;
  for (std::uint64_t i = 1; i <= 5; ++i) {
    in_flight.add({100 + i, static_cast<std::int64_t>(i)}, core::DeliveryId(i));
  }
  EXPECT_EQ(in_flight.find({103, 3}), core::DeliveryId(3));
  EXPECT_EQ(in_flight.find({103, 4}), core::DeliveryId(3)) << "the message counts, not the number";
  EXPECT_EQ(in_flight.find({103, 77}), core::DeliveryId(3));
  EXPECT_EQ(in_flight.find({199, 3}), std::nullopt);
  in_flight.settle(core::DeliveryId(2), core::DeliveryId(3));
  EXPECT_EQ(in_flight.find({103, 3}), std::nullopt);
  EXPECT_EQ(in_flight.find({103, 77}), std::nullopt);
  in_flight.add({103, 6}, core::DeliveryId(6));  // it came again
  EXPECT_EQ(in_flight.find({103, 77}), core::DeliveryId(6));
  EXPECT_EQ(in_flight.size(), 4U);
  in_flight.settle(core::DeliveryId(1), core::DeliveryId(6));
  EXPECT_EQ(in_flight.size(), 0U);
  EXPECT_EQ(in_flight.find({103, 77}), std::nullopt);
}

TEST(InFlightTest, ForgetsWhatTheEngineHasNotAnyMore) {
  InFlight in_flight;
  std::uint64_t next = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 100; ++i) {
      ++next;
      in_flight.add({next, static_cast<std::int64_t>(next)}, core::DeliveryId(next));
    }
    // One in ten is still out.
    if (in_flight.wants_pruning()) {
      in_flight.prune([](core::DeliveryId id) { return core::raw(id) % 10 == 0; });
    }
  }
  EXPECT_LT(in_flight.size(), 4000U) << "of 10,000, of which 1,000 are out";
  EXPECT_EQ(in_flight.find({10, 10}), core::DeliveryId(10));
  EXPECT_EQ(in_flight.find({11, 11}), std::nullopt);
}

TEST(RegistryTest, ASessionHasItsOwn) {
  Registry registry;
  for (const std::int64_t session : {-1, 1, 2, 3}) {
    for (const std::int64_t value : {INT64_MIN, std::int64_t{1}, INT64_MAX}) {
      registry.add_consumer({session, value});
      registry.add_producer({session, value}, {});
    }
  }
  EXPECT_EQ(registry.consumers_of(std::nullopt).size(), 12U);
  const std::vector<ObjectKey> own = {{2, INT64_MIN}, {2, 1}, {2, INT64_MAX}};
  EXPECT_EQ(registry.consumers_of(2), own);
  EXPECT_TRUE(registry.consumers_of(4).empty());
  EXPECT_EQ(registry.producers_of(2), own);
  EXPECT_TRUE(registry.producers_of(4).empty());
  for (const ObjectKey& key : own) registry.remove_producer(key);
  EXPECT_EQ(registry.producers(), 9U);
  EXPECT_EQ(registry.find_producer({2, 1}), nullptr);
  EXPECT_NE(registry.find_producer({3, INT64_MIN}), nullptr);
}

// --- sessions ------------------------------------------------------------------------------------

// Reference §4.9: what a broker of ActiveMQ says at its defaults, byte for byte.
TEST_F(OpenWireLimitsTest, ConnectionControlIsWhatActiveMqSends) {
  const auto peer = greet();
  peers_[peer].connection_id = "one";
  ConnectionInfo info;
  info.connection_id.value = "one";
  info.client_id = "client";
  info.manageable = true;
  send(peer, info);
  const auto controls = take_all<ConnectionControl>(peer);
  ASSERT_EQ(controls.size(), 1U);
  EXPECT_EQ(*controls[0].frame, std::string("\x12\0\0\0\0\0\0\0\0\0\0\1\0\0\1\0\0\0\0", 19));
}

TEST_F(OpenWireLimitsTest, ALargeFrameEndsWithTheConnectionThatWasRefused) {
  connect("one", "same");
  const auto peer = greet();
  ConnectionInfo info;
  info.connection_id.value = "two";
  info.client_id = "same";
  info.command_id = 1;
  info.response_required = true;
  std::string bytes;
  append_frame(bytes, AnyCommand(info), WireFormat{});
  bytes += std::string("\0\x10\0\0\x1C", 5);  // 1 MiB of a message, behind it in the same read
  receive(peer, bytes);
  EXPECT_FALSE(peers_[peer].wire->closed());
  receive(peer, "x");
  EXPECT_TRUE(peers_[peer].wire->closed());
}

TEST_F(OpenWireLimitsTest, AConnectionThatHasLeftHasTimeToSayGoodbye) {
  const auto peer = connect("one");
  now_ += options_.connect_timeout;
  RemoveInfo remove;
  remove.object_id = ConnectionId{"one"};
  EXPECT_EQ(answer_to(peer, send(peer, remove)), "ok");
  (void)peers_[peer].session->on_timer(core::milliseconds(1), core::milliseconds(1),
                                       *peers_[peer].wire);
  EXPECT_FALSE(peers_[peer].wire->closed());
  now_ += options_.connect_timeout;
  (void)peers_[peer].session->on_timer(core::milliseconds(1), core::milliseconds(1),
                                       *peers_[peer].wire);
  EXPECT_TRUE(peers_[peer].wire->closed());
}

TEST_F(OpenWireLimitsTest, ATemporaryQueueHasTheNameOfItsConnection) {
  const auto peer = connect("one");
  DestinationInfo info;
  info.connection_id = ConnectionId{"one"};
  info.operation_type = DestinationInfo::kAdd;
  for (const auto* name : {"two:1", "one", "on", "one1:1"}) {
    info.destination = Destination{DestinationType::temp_queue, name};
    EXPECT_EQ(answer_to(peer, send(peer, info)), "javax.jms.InvalidDestinationException") << name;
  }
  info.destination = Destination{DestinationType::temp_queue, "one:1"};
  EXPECT_EQ(answer_to(peer, send(peer, info)), "ok");
}

// It has crossed the end of its consumer on the way.
TEST_F(OpenWireLimitsTest, APullOfAConsumerThatHasGoneIsNoError) {
  const auto peer = connect("one");
  MessagePull pull;
  pull.consumer_id = {"one", 1, 1};
  pull.timeout = 100;
  send(peer, pull, false);
  EXPECT_TRUE(take(peer).empty());
  pull.consumer_id = {"two", 1, 1};
  send(peer, pull, false);
  EXPECT_EQ(take_all<ConnectionError>(peer).size(), 1U) << "of another connection";
}

TEST_F(OpenWireLimitsTest, WhateverABrowserAcknowledgesMovesItsWindow) {
  const auto peer = connect("one");
  for (const auto* text : {"1", "2", "3", "4"}) send(peer, message(peer, "q", text));
  take(peer);
  auto browser = consumer(peer, 1, "q", DestinationType::queue, 1);
  browser.browser = true;
  send(peer, browser);
  auto seen = take_all<MessageDispatch>(peer);
  for (const auto type : {AckType::poison, AckType::expired, AckType::individual}) {
    ASSERT_EQ(seen.size(), 1U);
    send(peer, ack(peer, seen[0], seen[0], type), false);
    seen = take_all<MessageDispatch>(peer);
  }
  EXPECT_EQ(texts(seen), (std::vector<std::string>{"4", "end"}));
  const auto other = connect("two");
  EXPECT_EQ(consume(other, "q").size(), 4U);
}

TEST_F(OpenWireLimitsTest, ASelectorIsNotKeptAThousandTimes) {
  const auto peer = connect("one");
  std::string names = "q0";
  for (int i = 1; i < 1000; ++i) names += ",q" + std::to_string(i);
  std::string selector = "a = 1";
  auto info = consumer(peer, 1, names);
  info.selector = selector;
  EXPECT_EQ(answer_to(peer, send(peer, info)), "ok");
  selector += " OR b = '" + std::string(2000, 'x') + "'";
  info = consumer(peer, 2, names);
  info.selector = selector;
  EXPECT_EQ(answer_to(peer, send(peer, info)), "javax.jms.ResourceAllocationException");
}

TEST_F(OpenWireLimitsTest, IdsOfConnectionsAndClientsHaveALimit) {
  const auto peer = greet();
  ConnectionInfo info;
  const std::string longest(1024, 'x');
  const std::string longer(1025, 'x');
  info.connection_id.value = longer;
  info.client_id = "client";
  EXPECT_EQ(answer_to(peer, send(peer, info)), "javax.jms.InvalidClientIDException");
  info.connection_id.value = longest;
  info.client_id = longer;
  EXPECT_EQ(answer_to(peer, send(peer, info)), "javax.jms.InvalidClientIDException");
  info.client_id = longest;
  EXPECT_EQ(answer_to(peer, send(peer, info)), "ok");
}

}  // namespace
}  // namespace pabal::openwire
