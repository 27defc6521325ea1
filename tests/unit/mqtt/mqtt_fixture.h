#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocols/mqtt/packet.h"
#include "tests/support/mqtt_broker.h"

namespace pabal::mqtt {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

/// Clients of a whole broker without sockets.
class MqttFixture : public testing::Test {
 protected:
  explicit MqttFixture(core::EngineLimits limits = {}) : broker_(limits) {}

  struct Visit {
    Level level = Level::v5;
    bool clean = true;
    std::uint32_t expiry = 0;  ///< 5.0
    std::uint16_t keep_alive = 0;
    std::uint32_t receive_maximum = 0;
    std::uint32_t packet_bytes_max = 0;
    std::uint32_t topic_alias_maximum = 0;
    std::string will{};  ///< topic; the payload is "gone"
    std::uint32_t will_delay = 0;
    std::optional<std::uint32_t> will_expiry{};
    QoS will_qos = QoS::at_most_once;
    bool will_retain = false;
  };
  /// The number of the peer, whose CONNACK is in `connack_`.
  std::size_t connect(std::string_view client_id, const Visit& visit) {
    Connect packet;
    packet.level = visit.level;
    packet.clean_start = visit.clean;
    packet.client_id = client_id;
    packet.keep_alive = visit.keep_alive;
    const auto set = [&](PropertyId id, std::uint32_t value) {
      if (value != 0 && visit.level == Level::v5) packet.properties.set(id, value);
    };
    set(PropertyId::session_expiry, visit.expiry);
    set(PropertyId::receive_maximum, visit.receive_maximum);
    set(PropertyId::maximum_packet_size, visit.packet_bytes_max);
    set(PropertyId::topic_alias_maximum, visit.topic_alias_maximum);
    if (!visit.will.empty()) {
      packet.will = Will{};
      packet.will->topic = visit.will;
      packet.will->payload = "gone";
      packet.will->qos = visit.will_qos;
      packet.will->retain = visit.will_retain;
      if (visit.will_delay != 0) {
        packet.will->properties.set(PropertyId::will_delay, visit.will_delay);
      }
      if (visit.will_expiry) {
        packet.will->properties.set(PropertyId::message_expiry, *visit.will_expiry);
      }
    }
    const std::size_t peer = broker_.accept(visit.level);
    broker_.send(peer, packet);
    broker_.sync();
    auto answer = broker_.take(peer);
    connack_ = answer.empty() ? "" : answer.front();
    if (!answer.empty()) answer.erase(answer.begin());
    behind_connack_ = answer;
    return peer;
  }
  std::size_t connect(std::string_view client_id) { return connect(client_id, Visit{}); }
  std::size_t connect(std::string_view client_id, Level level) {
    Visit visit;
    visit.level = level;
    return connect(client_id, visit);
  }
  /// A client whose session is kept.
  std::size_t resume(std::string_view client_id, Level level = Level::v5) {
    Visit visit;
    visit.level = level;
    visit.clean = false;
    visit.expiry = 3600;
    return connect(client_id, visit);
  }

  void publish(std::size_t peer, std::string_view topic, std::string_view payload,
               QoS qos = QoS::at_most_once, std::uint16_t id = 0, bool retain = false) {
    Publish packet;
    packet.topic = topic;
    packet.payload = payload;
    packet.qos = qos;
    packet.packet_id = id;
    packet.retain = retain;
    broker_.send(peer, packet);
  }
  void subscribe(std::size_t peer, const SubscriptionRequest& request, std::uint16_t id = 1,
                 std::uint32_t subscription_id = 0) {
    std::string encoded;
    ASSERT_TRUE(append_subscription_request(encoded, request));
    Subscribe packet;
    packet.packet_id = id;
    packet.count = 1;
    packet.requests = SubscriptionRequests(encoded, broker_.peer(peer).level);
    if (subscription_id != 0) packet.properties.set(PropertyId::subscription_id, subscription_id);
    broker_.send(peer, packet);
    broker_.sync();
  }
  void subscribe(std::size_t peer, std::string_view filter, QoS qos) {
    SubscriptionRequest request;
    request.filter = filter;
    request.qos = qos;
    subscribe(peer, request);
  }
  void subscribe_all(std::size_t peer, const std::vector<SubscriptionRequest>& requests,
                     std::uint16_t id) {
    std::string encoded;
    for (const auto& each : requests) ASSERT_TRUE(append_subscription_request(encoded, each));
    Subscribe packet;
    packet.packet_id = id;
    packet.count = static_cast<std::uint32_t>(requests.size());
    packet.requests = SubscriptionRequests(encoded, broker_.peer(peer).level);
    broker_.send(peer, packet);
    broker_.sync();
  }
  void unsubscribe(std::size_t peer, std::string_view filter) {
    unsubscribe_all(peer, {filter}, 9);
  }
  void unsubscribe_all(std::size_t peer, const std::vector<std::string_view>& filters,
                       std::uint16_t id) {
    std::string encoded;
    for (const auto filter : filters) ASSERT_TRUE(append_topic_filter(encoded, filter));
    Unsubscribe packet;
    packet.packet_id = id;
    packet.count = static_cast<std::uint32_t>(filters.size());
    packet.filters = TopicFilters(encoded);
    broker_.send(peer, packet);
    broker_.sync();
  }
  template <typename Ack>
  void acknowledge(std::size_t peer, std::uint16_t id, ReasonCode reason = ReasonCode::success) {
    Ack packet;
    packet.packet_id = id;
    packet.reason = reason;
    broker_.send(peer, packet);
  }
  std::vector<std::string> take(std::size_t peer) { return broker_.take(peer); }
  /// What came behind CONNACK, and since.
  std::vector<std::string> all_of(std::size_t peer) {
    broker_.sync();
    auto got = std::exchange(behind_connack_, {});
    for (auto& each : take(peer)) got.push_back(std::move(each));
    return got;
  }

  tests::MqttBroker broker_;
  std::string connack_;
  std::vector<std::string> behind_connack_;
};

}  // namespace pabal::mqtt
