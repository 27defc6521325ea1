#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {

/// Clients with sessions, as an adaptor for MQTT has them.
class SessionFixture : public EngineFixture {
 protected:
  struct Visit {
    bool fresh = false;
    std::optional<seconds> keep = seconds(3600);
    std::string will{};  ///< body, sent to topic "wills"; empty: none
    seconds will_delay{0};
    std::uint32_t in_flight_max = 0;
    bool configured = false;
  };
  Result<ConnectionDetails> try_visit(const std::string& client_id, const Visit& visit) {
    ConnectOptions options;
    options.client_id = client_id;
    options.remote = "tcp://test";
    options.in_flight_max = visit.in_flight_max;
    auto session = std::make_shared<SessionRequest>();
    session->fresh = visit.fresh;
    session->keep = visit.keep;
    session->configured = visit.configured;
    if (!visit.will.empty()) {
      auto will = std::make_shared<Will>();
      will->message = topic_message({}, "wills", visit.will, {.persistent = true});
      will->delay = visit.will_delay;
      session->will = std::move(will);
    }
    options.session = std::move(session);
    return engine_->connect(options, now_);
  }
  ConnectionDetails visit(const std::string& client_id, const Visit& how) {
    auto connected = try_visit(client_id, how);
    EXPECT_TRUE(connected) << (connected ? "" : connected.error().text);
    return connected ? *connected : ConnectionDetails{};
  }
  ConnectionDetails visit(const std::string& client_id) { return visit(client_id, Visit{}); }

  struct Kind {
    bool persistent = true;
    bool retain = false;
    std::int64_t expiration = 0;
  };
  MessageRef topic_message(const ConnectionDetails& from, const std::string& topic,
                           const std::string& body, const Kind& kind) {
    MessageBuilder builder;
    builder.destination_kind = DestinationKind::topic;
    builder.destination_name = topic;
    builder.persistent = kind.persistent;
    builder.retain = kind.retain;
    builder.expiration = kind.expiration;
    builder.origin = from.origin;
    builder.sequence = ++sequence_;
    builder.body_kind = BodyKind::bytes;
    builder.body = body;
    return *builder.build();
  }
  Outcome tell(const ConnectionDetails& from, const std::string& topic, const std::string& body,
               const Kind& kind) {
    return engine_->publish(from.id, topic_message(from, topic, body, kind), SendOptions{}, now_);
  }
  Outcome tell(const ConnectionDetails& from, const std::string& topic, const std::string& body) {
    return tell(from, topic, body, Kind{});
  }

  struct Filter {
    std::string pattern = "t";
    std::string name{};   ///< of the session's subscription; empty: not durable
    std::string group{};  ///< shared
    std::string data{};
    AckMode mode = AckMode::mixed;
    bool retained = false;
    bool no_local = false;
    bool volatile_when_active = false;
    std::uint32_t prefetch = 1000;
  };
  Result<SubscriptionId> try_listen(const ConnectionDetails& who, const Filter& filter) {
    SubscribeOptions options;
    options.interests.push_back(
        {Destination{DestinationKind::topic, filter.pattern}, "", filter.no_local});
    options.ack_mode = filter.mode;
    options.prefetch = filter.prefetch;
    options.durable_name = filter.name;
    options.shared_group = filter.group;
    options.session_data = filter.data;
    options.retained = filter.retained;
    options.volatile_when_active = filter.volatile_when_active;
    return engine_->subscribe(who.id, options, now_);
  }
  SubscriptionId listen(const ConnectionDetails& who, const Filter& filter) {
    auto subscribed = try_listen(who, filter);
    EXPECT_TRUE(subscribed) << (subscribed ? "" : subscribed.error().text);
    return subscribed ? *subscribed : SubscriptionId{};
  }
  /// Everything delivered so far is in its socket.
  void wrote(const ConnectionDetails& who) { engine_->written(who.id, 1'000'000, now_); }
  void lose(const ConnectionDetails& who) { engine_->disconnect(who.id, now_); }
  void leave(const ConnectionDetails& who, Leaving how = Leaving::orderly) {
    engine_->disconnect(who.id, {how, std::nullopt}, now_);
  }
  static std::vector<std::string> bodies_for(const std::vector<Delivery>& deliveries,
                                             SubscriptionId subscription) {
    std::vector<std::string> bodies;
    for (const auto& delivery : deliveries) {
      if (delivery.subscription == subscription) bodies.emplace_back(delivery.message->body());
    }
    return bodies;
  }
  std::optional<SessionSnapshot> session(const std::string& client_id) {
    for (auto& each : engine_->sessions("", 1'000'000)) {
      if (each.client_id == client_id) return each;
    }
    return std::nullopt;
  }
  /// A restart of which the first time is known, as configure() is called by every broker.
  void restart_now(Ticket survives = kNoTicket) {
    restart(survives);
    engine_->configure({}, now_);
    run();
  }
};

}  // namespace pabal::core
