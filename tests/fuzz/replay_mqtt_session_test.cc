#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include "protocols/mqtt/packet_encoder.h"
#include "tests/conformance/mqtt/packet_vector.h"
#include "tests/fuzz/mqtt_conversation.h"

// Conversations through the fuzzer's checks, without a fuzzer: what it found worth keeping, the
// conformance vectors, and conversations that are well-formed, with what can happen to them.

namespace pabal::tests {
namespace {

using namespace mqtt;

void play(const std::string& bytes) {
  play_mqtt_conversation(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string event(Event what) {
  return std::string(kMark) + static_cast<char>(what);
}

/// Packets that a client may send, from a small world of topics, ids and client identifiers.
class Speaker {
 public:
  explicit Speaker(std::uint32_t seed) : dice_(seed) {}

  std::string conversation() {
    std::string all(1, static_cast<char>(below(4) == 0 ? 1 + below(20) : 0));
    for (int client = 0; client < 3; ++client) all += connect() + event(Event::next_client);
    for (int i = 0; i < 60; ++i) {
      const unsigned kind = below(24);
      if (kind == 0) {
        all += event(Event::restart) + connect();
      } else if (kind < 3) {
        all += event(Event::drop) + connect();
      } else if (kind < 6) {
        all += event(Event::sync);
      } else if (kind < 9) {
        all += event(Event::next_client);
      } else if (kind == 9) {
        all += event(static_cast<Event>(below(static_cast<unsigned>(Event::count))));
      } else {
        all += packet();
      }
    }
    return all;
  }

 private:
  unsigned below(unsigned end) { return static_cast<unsigned>(dice_() % end); }
  std::string bytes_of(const Packet& packet) {
    std::string bytes;
    (void)append_packet(bytes, packet, level_);
    return bytes;
  }
  std::string connect() {
    constexpr Level kLevels[] = {Level::v3_1, Level::v3_1_1, Level::v5};
    constexpr std::string_view kIds[] = {"a", "b", "c"};
    level_ = kLevels[below(3)];
    Connect packet;
    packet.level = level_;
    packet.client_id = kIds[below(3)];
    packet.clean_start = below(3) == 0;
    packet.keep_alive = static_cast<std::uint16_t>(below(2) * 30);
    if (level_ == Level::v5) {
      packet.properties.set(PropertyId::session_expiry, below(3) * 1800);
      if (below(2) == 0) packet.properties.set(PropertyId::receive_maximum, 1 + below(3));
      if (below(2) == 0) packet.properties.set(PropertyId::topic_alias_maximum, 1 + below(3));
      if (below(4) == 0) packet.properties.set(PropertyId::maximum_packet_size, 40 + below(40));
    }
    if (below(2) == 0) {
      packet.will = Will{};
      packet.will->topic = topic();
      packet.will->payload = "gone";
      packet.will->qos = qos();
      packet.will->retain = below(2) == 0;
      if (level_ == Level::v5) packet.will->properties.set(PropertyId::will_delay, below(3));
    }
    return bytes_of(packet) + (below(3) == 0 ? "" : event(Event::sync));
  }
  std::string packet() {
    switch (below(10)) {
      case 0:
      case 1:
        return subscribe();
      case 2:
        return below(3) == 0 ? unsubscribe() : bytes_of(Pingreq{});
      case 3:
        return acknowledge<Puback>();
      case 4:
        return acknowledge<Pubrec>();
      case 5:
        return acknowledge<Pubrel>();
      case 6:
        return acknowledge<Pubcomp>();
      default:
        return publish();
    }
  }
  std::string publish() {
    Publish packet;
    packet.topic = topic();
    packet.qos = qos();
    if (packet.qos != QoS::at_most_once) packet.packet_id = id();
    packet.retain = below(4) == 0;
    const std::string payload(below(5) == 0 ? below(300) : below(3), 'x');
    packet.payload = payload;
    if (level_ == Level::v5) {
      if (below(4) == 0) packet.properties.set(PropertyId::message_expiry, below(3));
      if (below(4) == 0) packet.properties.set(PropertyId::topic_alias, 1 + below(4));
    }
    return bytes_of(packet);
  }
  std::string subscribe() {
    std::string filters;
    const std::uint32_t count = 1 + below(2);
    for (std::uint32_t i = 0; i < count; ++i) {
      SubscriptionRequest request;
      request.filter = filter();
      request.qos = qos();
      const bool shared = request.filter.starts_with("$share");
      if (level_ == Level::v5) {
        request.no_local = !shared && below(4) == 0;
        request.retain_as_published = below(2) == 0;
        request.retain_handling = static_cast<RetainHandling>(below(3));
      }
      (void)append_subscription_request(filters, request);
    }
    Subscribe packet;
    packet.packet_id = id();
    packet.count = count;
    packet.requests = SubscriptionRequests(filters, level_);
    return bytes_of(packet);
  }
  std::string unsubscribe() {
    std::string filters;
    (void)append_topic_filter(filters, filter());
    Unsubscribe packet;
    packet.packet_id = id();
    packet.count = 1;
    packet.filters = TopicFilters(filters);
    return bytes_of(packet);
  }
  template <typename Ack>
  std::string acknowledge() {
    Ack packet;
    packet.packet_id = id();
    if (level_ == Level::v5 && below(8) == 0) packet.reason = ReasonCode::unspecified_error;
    if constexpr (std::is_same_v<Ack, Pubrel> || std::is_same_v<Ack, Pubcomp>) {
      packet.reason = ReasonCode::success;
    }
    return bytes_of(packet);
  }
  std::string_view topic() {
    constexpr std::string_view kTopics[] = {"a", "a/b", "a/b/c", "$queue/q", "$SYS/x"};
    return kTopics[below(5)];
  }
  std::string_view filter() {
    constexpr std::string_view kFilters[] = {"a",        "a/#",          "+/b",          "#",
                                             "$queue/q", "$share/g/a/#", "$share/g/+/b", "$SYS/#"};
    return kFilters[below(8)];
  }
  QoS qos() { return static_cast<QoS>(below(3)); }
  std::uint16_t id() { return static_cast<std::uint16_t>(1 + below(5)); }

  std::mt19937 dice_;
  Level level_ = Level::v5;
};

TEST(ReplayMqttSession, Corpus) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PABAL_CORPUS_FOLDER)) {
    SCOPED_TRACE(entry.path());
    std::ifstream stream(entry.path(), std::ios::binary);
    play(std::string(std::istreambuf_iterator<char>(stream), {}));
    ++files;
  }
  EXPECT_GT(files, 0U);
}

TEST(ReplayMqttSession, ConformanceVectors) {
  std::string error;
  const auto cases = read_packet_cases(PABAL_VECTOR_FOLDER, error);
  ASSERT_TRUE(error.empty()) << error;
  ASSERT_FALSE(cases.empty());
  for (const PacketCase& one : cases) {
    SCOPED_TRACE(one.name);
    if (one.sender != Sender::client) continue;
    for (const char portion : {'\0', '\1', '\7'}) {
      play(portion + (one.first ? "" : some_connect(one.level)) + one.bytes);
    }
  }
}

// With PABAL_WRITE_SEEDS=FOLDER it also writes some of them there, as seeds for a fuzzer.
TEST(ReplayMqttSession, RandomConversations) {
  const char* const folder = std::getenv("PABAL_WRITE_SEEDS");
  const char* const wanted = std::getenv("PABAL_CONVERSATIONS");
  const std::uint32_t count =
      wanted == nullptr ? 500 : static_cast<std::uint32_t>(std::atoi(wanted));
  for (std::uint32_t seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE(seed);
    const std::string conversation = Speaker(seed).conversation();
    if (folder != nullptr && seed <= 24) {
      std::ofstream(std::string(folder) + "/random-" + std::to_string(seed), std::ios::binary)
          << conversation;
    }
    play(conversation);
  }
}

}  // namespace
}  // namespace pabal::tests
