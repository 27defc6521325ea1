#include "server/bridges.h"

#include <algorithm>
#include <random>
#include <string_view>
#include <utility>

namespace pabal::server {
namespace {

/// Sixteen hexadecimal digits that no other broker is likely to have.
std::string random_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 16; ++i) id += "0123456789abcdef"[random() % 16];
  return id;
}

std::vector<core::SubscriptionSnapshot> subscriptions_of(EngineGate& gate,
                                                         const std::string& client_prefix) {
  return gate.inspect(
      [&](const core::Engine& engine) { return engine.durable_subscriptions_of(client_prefix); });
}

std::uint64_t waiting_for(EngineGate& gate, const std::string& client_id) {
  std::uint64_t waiting = 0;
  for (const auto& each : subscriptions_of(gate, client_id)) {
    if (each.client_id == client_id) waiting += each.depth;
  }
  return waiting;
}

BridgeReport report_of(const Bridge& bridge) {
  const mqtt::BridgeStatus& status = bridge.status();
  BridgeReport made;
  made.name = bridge.options().name;
  made.remote = bridge.options().remote;
  made.client_id = bridge.options().session_id();
  made.state = mqtt::to_string(status.state());
  made.connected = status.connected();
  made.since = status.since();
  made.connects = status.connects;
  made.forwarded_out = status.forwarded_out;
  made.forwarded_in = status.forwarded_in;
  made.looped = status.looped;
  made.refused_out = status.refused_out;
  made.refused_in = status.refused_in;
  if (const auto fault = status.fault()) {
    made.fault = fault->text;
    made.fault_at = fault->at;
  }
  return made;
}

}  // namespace

core::Result<void> Bridges::make(const Config& config, const std::string& broker_name,
                                 EngineGate& gate, EventLoop& loop) {
  warn_of_left_over(config, gate);
  if (config.bridges.empty()) return {};
  core::Result<std::string> id = std::string();
  gate.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    id = mqtt::bridging_broker_id(engine, random_id(), now);
  });
  if (!id) return core::Error{id.error().code, "bridges: " + id.error().text};
  broker_id_ = *id;
  for (const BridgeConfig& each : config.bridges) {
    // A broker that keeps nothing has another id after each start; the other one is not to keep a
    // session for each of them.
    std::string client_id = broker_name + '.' + each.name;
    if (!config.store.memory) client_id += '.' + id->substr(0, 8);
    if (auto made = make_one(each, config.limits, std::move(client_id), gate, loop); !made)
      return made;
  }
  return {};
}

core::Result<void> Bridges::make_one(const BridgeConfig& config, const core::EngineLimits& limits,
                                     std::string client_id, EngineGate& gate, EventLoop& loop) {
  auto bridge = std::make_unique<Bridge>(
      config, bridge_options(config, limits, broker_id_, std::move(client_id)), loop, logger_);
  core::Result<mqtt::BridgePreparation> prepared = mqtt::BridgePreparation{};
  gate.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    prepared = mqtt::prepare_bridge(engine, bridge->options(), now);
  });
  if (!prepared) {
    return core::Error{prepared.error().code, config.location.to_text() + ": bridge " +
                                                  config.name + ": " + prepared.error().text};
  }
  for (const std::string& name : prepared->left_over) {
    logger_.warn("bridge", "it gathers messages that nothing forwards: delete the subscription",
                 {{"bridge", config.name},
                  {"client_id", bridge->options().session_id()},
                  {"subscription", name}});
  }
  bridge->set_resumes(prepared->resumes);
  bridge->set_waiting(
      [&gate, client = bridge->options().session_id()] { return waiting_for(gate, client); });
  bridges_.push_back(std::move(bridge));
  return {};
}

/// Of bridges that are not in the configuration any more.
void Bridges::warn_of_left_over(const Config& config, EngineGate& gate) {
  for (const auto& each : subscriptions_of(gate, std::string(mqtt::kBridgeClientPrefix))) {
    const auto name = std::string_view(each.client_id).substr(mqtt::kBridgeClientPrefix.size());
    const bool is_known = std::any_of(config.bridges.begin(), config.bridges.end(),
                                      [&](const auto& bridge) { return bridge.name == name; });
    if (is_known) continue;
    logger_.warn("bridge", "it is no more, and still gathers messages: delete the subscription",
                 {{"bridge", name},
                  {"client_id", each.client_id},
                  {"subscription", each.name},
                  {"waiting", each.depth}});
  }
}

void Bridges::start() {
  for (const auto& bridge : bridges_) bridge->start();
}

void Bridges::close() {
  for (const auto& bridge : bridges_) bridge->close();
}

std::vector<BridgeReport> Bridges::report(EngineGate& gate) const {
  std::vector<BridgeReport> reports;
  for (const auto& bridge : bridges_) reports.push_back(report_of(*bridge));
  for (const auto& each : subscriptions_of(gate, std::string(mqtt::kBridgeClientPrefix))) {
    auto at = std::find_if(reports.begin(), reports.end(), [&](const BridgeReport& report) {
      return report.client_id == each.client_id;
    });
    if (at == reports.end()) {
      at = reports.emplace(at);
      at->name = each.client_id.substr(mqtt::kBridgeClientPrefix.size());
      at->client_id = each.client_id;
      at->state = "not configured";
    }
    at->waiting += each.depth;
    at->in_flight += each.in_flight;
  }
  return reports;
}

}  // namespace pabal::server
