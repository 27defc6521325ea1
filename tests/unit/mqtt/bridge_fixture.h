#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocols/mqtt/bridge.h"
#include "tests/unit/mqtt/mqtt_fixture.h"

namespace pabal::mqtt {

using testing::HasSubstr;

/// A bridge of a whole broker without sockets. The test plays the other broker, packet by packet.
class BridgeFixture : public MqttFixture {
 protected:
  explicit BridgeFixture(core::EngineLimits limits = {}) : MqttFixture(limits) {
    options_.name = "b";
    options_.broker_id = "home";
    options_.client_id = "c";
    options_.remote = "mqtt://far:1883";
    course_.on_fault = [this](std::string_view text) { faults_.emplace_back(text); };
  }

  void out(const std::string& filter, QoS qos, const std::string& local_prefix = {},
           const std::string& remote_prefix = {}) {
    options_.out.push_back({filter, qos, local_prefix, remote_prefix});
  }
  void in(const std::string& filter, QoS qos, const std::string& local_prefix = {},
          const std::string& remote_prefix = {}) {
    options_.in.push_back({filter, qos, local_prefix, remote_prefix});
  }

  /// As at the start of the broker.
  void prepare() {
    core::engine_role.assert_held();
    const auto prepared = prepare_bridge(broker_.engine(), options_, tests::MqttBroker::now());
    ASSERT_TRUE(prepared) << prepared.error().text;
    course_.resumes = prepared->resumes;
    left_over_ = prepared->left_over;
    broker_.sync();
    device_ = connect("device");
  }
  /// Connects; what the bridge says first is in `hello_`.
  void dial() {
    course_.accepted = course_.again_at_once = false;
    course_.ending.clear();
    link_ = broker_.dial(options_, status_, course_);
    const auto said = take(link_);
    hello_ = said.empty() ? "" : said.front();
  }
  /// The other broker lets it in; what it says to that.
  std::vector<std::string> accept(bool session_present = false, const Properties& properties = {}) {
    Connack packet;
    packet.session_present = session_present;
    packet.properties = properties;
    return say(packet);
  }
  /// The other broker says something; what the bridge answers, when that is durable.
  std::vector<std::string> say(const Packet& packet) {
    broker_.send(link_, packet);
    broker_.sync();
    return take(link_);
  }
  template <typename Ack>
  std::vector<std::string> ack(std::uint16_t id, ReasonCode reason = ReasonCode::success) {
    Ack packet;
    packet.packet_id = id;
    packet.reason = reason;
    return say(packet);
  }
  std::vector<std::string> grant(std::uint16_t id, std::string reasons) {
    granted_ = std::move(reasons);
    Suback packet;
    packet.packet_id = id;
    packet.reasons = granted_;
    return say(packet);
  }
  /// Prepared, connected, let in: what the bridge says to that.
  std::vector<std::string> begin() {
    prepare();
    dial();
    return accept();
  }
  /// The connection is gone, and the next one let in.
  std::vector<std::string> again(bool session_present = true, const Properties& properties = {}) {
    broker_.drop(link_);
    dial();
    return accept(session_present, properties);
  }
  /// The broker is killed; and the next connection is let in.
  std::vector<std::string> killed(core::Ticket survives = core::kNoTicket,
                                  bool session_present = true) {
    broker_.restart(survives);
    suspicion_gone();
    prepare();
    dial();
    return accept(session_present);
  }
  void suspicion_gone() {
    course_.suspect.reset();
    course_.careful = false;
  }

  /// A device of this broker sends; what the bridge says to the other one.
  std::vector<std::string> sent(std::string_view topic, std::string_view payload,
                                QoS qos = QoS::at_least_once, bool retain = false) {
    publish(device_, topic, payload, qos, qos == QoS::at_most_once ? 0 : ++device_id_, retain);
    broker_.sync();
    if (qos == QoS::exactly_once) acknowledge<Pubrel>(device_, device_id_);
    broker_.sync();
    return take(link_);
  }
  /// The other broker sends; what the bridge answers.
  std::vector<std::string> come(std::string_view topic, std::string_view payload, QoS qos,
                                std::uint16_t id = 0, bool dup = false) {
    Publish packet;
    packet.topic = topic;
    packet.payload = payload;
    packet.qos = qos;
    packet.packet_id = id;
    packet.dup = dup;
    return say(packet);
  }

  /// What waits for the bridge.
  std::uint64_t waiting() {
    core::engine_role.assert_held();
    std::uint64_t depth = 0;
    for (const auto& each : broker_.engine().durable_subscriptions_of(options_.session_id())) {
      depth += each.depth;
    }
    return depth;
  }
  std::uint64_t dead_letters() {
    core::engine_role.assert_held();
    for (const auto& each : broker_.engine().destinations("", 100)) {
      if (each.destination.name == "ActiveMQ.DLQ") return each.depth;
    }
    return 0;
  }
  /// How much its session remembers.
  std::uint64_t remembered() {
    core::engine_role.assert_held();
    for (const auto& each : broker_.engine().sessions("", 100)) {
      if (each.client_id == options_.session_id()) return each.attachments;
    }
    return 0;
  }
  std::string fault() const {
    const auto fault = status_.fault();
    return fault ? fault->text : "";
  }

  BridgeOptions options_;
  BridgeStatus status_;
  BridgeCourse course_;
  std::vector<std::string> faults_;
  std::vector<std::string> left_over_;
  std::string hello_;
  std::string granted_;
  std::size_t link_ = 0;
  std::size_t device_ = 0;
  std::uint16_t device_id_ = 0;
};

}  // namespace pabal::mqtt
