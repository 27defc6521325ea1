// Counts what reading and writing packets allocates, and how long it takes. A program of its own,
// because it replaces operator new. Instruction counts, which do not depend on what else runs:
//
//   valgrind --tool=callgrind --toggle-collect='*Reader::read_all*' mqtt_cost_test
//            --gtest_filter=*ReadPublishOf311
//
// and the total divided by 105,000; with `*deliver_all*` the deliveries.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_encoder.h"
#include "protocols/mqtt/packet_parser.h"
#include "protocols/mqtt/publish_encoder.h"
#include "protocols/mqtt/topic_names.h"

namespace {
std::size_t allocations = 0;
}  // namespace

// gcc at -O1 sees one of the pair inlined and not the other.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace pabal::mqtt {
namespace {

constexpr int kBatch = 500;
constexpr int kRounds = 200;

struct Cost {
  double allocations = 0;
  double nanoseconds = 0;
};

/// Of one of the kBatch things that each call of `work` does.
template <class Work>
Cost measure(const char* what, Work work) {
  for (int i = 0; i < 10; ++i) work();
  const std::size_t before = allocations;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) work();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  constexpr double kThings = double{kBatch} * kRounds;
  const Cost cost{static_cast<double>(allocations - before) / kThings, took.count() / kThings};
  std::printf("%-44s %.2f allocations, %.1f ns\n", what, cost.allocations, cost.nanoseconds);
  return cost;
}

class Reader {
 public:
  Reader(Level level, std::string bytes) : bytes_(std::move(bytes)) {
    Connect connect;
    connect.level = level;
    connect.client_id = "c";
    std::string first;
    append_packet(first, connect);
    parser_.feed(first);
    EXPECT_EQ(parser_.next(packet_), ParseStatus::packet);
  }
  /// Reads all of it.
  [[gnu::noinline]] void read_all() {
    parser_.feed(bytes_);
    int packets = 0;
    while (parser_.next(packet_) == ParseStatus::packet) ++packets;
    EXPECT_EQ(packets, kBatch) << parser_.error().text;
  }

 private:
  std::string bytes_;
  ParserOptions options_;
  PacketParser parser_{options_, Sender::client};
  Packet packet_;
};

std::string publishes(Level level, QoS qos, bool with_properties) {
  Publish publish;
  publish.topic = "bench/device/1234";
  const std::string payload(64, 'x');
  publish.payload = payload;
  publish.qos = qos;
  publish.packet_id = 7;
  std::string user;
  EXPECT_TRUE(append_user_property(user, "key", "value"));
  if (with_properties) {
    publish.properties.set(PropertyId::content_type, "text/plain");
    publish.properties.set(PropertyId::message_expiry, 60U);
    publish.properties.user = UserProperties(user, 1);
  }
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) EXPECT_TRUE(append_packet(bytes, publish, level));
  return bytes;
}

void expect_reading_allocates_nothing(const char* what, Level level, std::string bytes) {
  Reader reader(level, std::move(bytes));
  EXPECT_EQ(measure(what, [&] { reader.read_all(); }).allocations, 0);
}

TEST(MqttCostTest, ReadPublishOf311) {
  expect_reading_allocates_nothing("read PUBLISH 64 B, 3.1.1, QoS 0", Level::v3_1_1,
                                   publishes(Level::v3_1_1, QoS::at_most_once, false));
}
TEST(MqttCostTest, ReadPublishOf5) {
  expect_reading_allocates_nothing("read PUBLISH 64 B, 5.0, QoS 0", Level::v5,
                                   publishes(Level::v5, QoS::at_most_once, false));
}
TEST(MqttCostTest, ReadPublishOf5WithQos1) {
  expect_reading_allocates_nothing("read PUBLISH 64 B, 5.0, QoS 1", Level::v5,
                                   publishes(Level::v5, QoS::at_least_once, false));
}
TEST(MqttCostTest, ReadPublishOf5WithProperties) {
  expect_reading_allocates_nothing("read PUBLISH 64 B, 5.0, three properties", Level::v5,
                                   publishes(Level::v5, QoS::at_most_once, true));
}

TEST(MqttCostTest, ReadPuback) {
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) append_acknowledgement(bytes, PacketType::puback, 7, Level::v5);
  expect_reading_allocates_nothing("read PUBACK", Level::v5, bytes);
}

TEST(MqttCostTest, ReadSubscribe) {
  std::string encoded;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(append_subscription_request(encoded, {"bench/device/+/#", QoS::at_least_once}));
  }
  const Subscribe subscribe{1, SubscriptionRequests(encoded), 10, {}};
  std::string bytes;
  for (int i = 0; i < kBatch; ++i) EXPECT_TRUE(append_packet(bytes, subscribe, Level::v5));
  expect_reading_allocates_nothing("read SUBSCRIBE of ten filters", Level::v5, bytes);
}

/// kBatch deliveries of one message.
[[gnu::noinline]] void deliver_all(const PublishEncoder& encoder, Level level,
                                   PublishDelivery delivery, std::string& out) {
  out.clear();
  for (int i = 0; i < kBatch; ++i) {
    ++delivery.packet_id;
    EXPECT_TRUE(encoder.append(out, level, delivery));
  }
}

void expect_delivering_allocates_nothing(const char* what, Level level,
                                         const PublishDelivery& delivery) {
  const std::string payload(64, 'x');
  PublishEncoder encoder;
  ASSERT_TRUE(encoder.begin(core::DestinationKind::topic, "bench.device.1234", payload));
  ASSERT_TRUE(encoder.content_type("text/plain"));
  ASSERT_TRUE(encoder.user_property("key", "value"));
  encoder.with_message_expiry();
  std::string out;
  EXPECT_EQ(measure(what, [&] { deliver_all(encoder, level, delivery, out); }).allocations, 0);
}

TEST(MqttCostTest, DeliverTo311) {
  expect_delivering_allocates_nothing("deliver PUBLISH 64 B, 3.1.1, QoS 0", Level::v3_1_1, {});
}
TEST(MqttCostTest, DeliverTo5) {
  expect_delivering_allocates_nothing("deliver PUBLISH 64 B, 5.0, properties", Level::v5, {});
}
TEST(MqttCostTest, DeliverTo5WithAliasAndIds) {
  const std::vector<std::uint32_t> ids = {1, 1000};
  expect_delivering_allocates_nothing("deliver PUBLISH 64 B, 5.0, QoS 1, alias, ids", Level::v5,
                                      {.qos = QoS::at_least_once,
                                       .topic_alias = 5,
                                       .alias_is_known = true,
                                       .subscription_ids = ids,
                                       .message_expiry = 9});
}

TEST(MqttCostTest, TheNextMessageAllocatesNothing) {
  const std::string payload(64, 'x');
  PublishEncoder encoder;
  std::string out;
  EXPECT_EQ(measure("begin PUBLISH 64 B and deliver it once",
                    [&] {
                      out.clear();
                      for (int i = 0; i < kBatch; ++i) {
                        EXPECT_TRUE(encoder.begin(core::DestinationKind::topic, "bench.device.1234",
                                                  payload));
                        EXPECT_TRUE(encoder.append(out, Level::v5, {}));
                      }
                    })
                .allocations,
            0);
  std::string name;
  EXPECT_EQ(measure("topic name to core",
                    [&] {
                      for (int i = 0; i < kBatch; ++i) {
                        name.clear();
                        append_swapped(name, "bench/device/1234");
                      }
                    })
                .allocations,
            0);
}

TEST(MqttCostTest, AnIdleConnectionOwnsNoBuffer) {
  std::printf("parser %zu bytes, packet %zu bytes, publish %zu bytes\n", sizeof(PacketParser),
              sizeof(Packet), sizeof(Publish));
  EXPECT_LE(sizeof(PacketParser), 160U);
  const std::string bytes = publishes(Level::v5, QoS::at_most_once, false);
  ParserOptions options;
  PacketParser parser(options, Sender::server);
  Packet packet;
  // A packet in two portions: what it took is given back with the next call.
  const std::size_t before = allocations;
  parser.feed(std::string_view(bytes).substr(0, 50));
  EXPECT_EQ(parser.next(packet), ParseStatus::need_more);
  const std::size_t size = 50 + parser.missing();
  parser.feed(std::string_view(bytes).substr(50, size - 50));
  EXPECT_EQ(parser.next(packet), ParseStatus::packet);
  EXPECT_EQ(parser.next(packet), ParseStatus::need_more);
  EXPECT_LE(allocations - before, 2U);
}

// A peer that announces the largest packet and sends little of it gets little memory.
TEST(MqttCostTest, AnAnnouncedLengthSetsNothingAside) {
  ParserOptions options;
  PacketParser parser(options, Sender::server);
  Packet packet;
  const std::string bytes("\x30\xFF\xFF\xFF\x7F\x00\x01t", 8);
  const std::size_t before = allocations;
  parser.feed(bytes);
  EXPECT_EQ(parser.next(packet), ParseStatus::need_more);
  EXPECT_EQ(parser.missing(), 268'435'455U + 5 - 8);
  EXPECT_LE(allocations - before, 1U);
}

}  // namespace
}  // namespace pabal::mqtt
