// Sessions at their edges: names that collide, wills that stand behind others.

#include <gtest/gtest.h>

#include "tests/unit/core/session_fixture.h"

namespace pabal::core {
namespace {

using Texts = std::vector<std::string>;

class EngineSessionsEdgeTest : public SessionFixture {
 protected:
  /// The id that the next connection without one would be given.
  std::string next_assigned() {
    const auto probe = connect();
    const std::string id = probe.client_id;
    engine_->disconnect(probe.id, now_);
    const auto dash = id.rfind('-');
    return id.substr(0, dash + 1) + std::to_string(std::stoull(id.substr(dash + 1)) + 2);
  }
  static SessionChanges put(const std::string& key, const std::string& value) {
    return {{key, value}};
  }
};

TEST_F(EngineSessionsEdgeTest, AnAssignedIdIsNobodyElsesSession) {
  for (const bool connected : {true, false}) {
    const std::string taken = next_assigned();
    const auto other = visit(taken);
    ASSERT_TRUE(engine_->change_session(other.id, put("k", "v")));
    if (!connected) lose(other);
    for (const bool fresh : {true, false}) {
      const auto nameless = visit("", {.fresh = fresh});
      EXPECT_NE(nameless.client_id, taken);
      EXPECT_FALSE(nameless.session_present);
      EXPECT_TRUE(engine_->session_attachments(nameless.id).empty());
    }
    if (connected) {
      EXPECT_EQ(engine_->session_attachments(other.id).size(), 1U);
      ASSERT_TRUE(engine_->change_session(other.id, put("l", "w")));
      lose(other);
    }
    EXPECT_TRUE(visit(taken).session_present);
  }
}

TEST_F(EngineSessionsEdgeTest, AnAssignedIdIsNoOtherConnections) {
  const std::string taken = next_assigned();
  const auto other = connect(taken);
  EXPECT_NE(visit("").client_id, taken);
  ConnectOptions options;
  options.client_id = taken;
  EXPECT_FALSE(engine_->connect(options)) << "it is still " << raw(other.id);
}

TEST_F(EngineSessionsEdgeTest, AWillWithoutRoomHoldsUpNoOther) {
  EngineLimits limits;
  limits.topic_pending_bytes_max = 1000;
  open({}, limits);
  // Somebody who is behind holds up all that goes to "wills".
  const auto slow = connect();
  listen(slow, {.pattern = "wills", .mode = AckMode::explicit_, .prefetch = 1});
  const auto sender = connect();
  while (tell(sender, "wills", std::string(200, 'x')).disposition == Disposition::done) {
  }
  const auto stuck = visit("a", {.will = "stuck"});
  lose(stuck);
  EXPECT_EQ(engine_->snapshot().wills_waiting, 1U);
  // The other one finds no room now, and does a little later.
  const auto listener = connect();
  const auto heard =
      listen(listener, {.pattern = "others", .mode = AckMode::explicit_, .prefetch = 1});
  const auto second = connect();
  while (tell(second, "others", std::string(200, 'x')).disposition == Disposition::done) {
  }
  ConnectOptions options;
  options.client_id = "b";
  auto session = std::make_shared<SessionRequest>();
  session->keep = seconds(3600);
  auto will = std::make_shared<Will>();
  will->message = topic_message({}, "others", "free", {.persistent = true});
  session->will = std::move(will);
  options.session = std::move(session);
  const auto b = engine_->connect(options, now_);
  ASSERT_TRUE(b);
  lose(*b);
  EXPECT_EQ(engine_->snapshot().wills_waiting, 2U);
  lose(second);
  Texts got;
  for (auto some = deliveries(); !some.empty(); some = deliveries()) {
    for (const auto& each : some) {
      if (each.subscription != heard) continue;
      got.emplace_back(each.message->body());
      ack(heard, each);
    }
  }
  EXPECT_EQ(engine_->snapshot().wills_waiting, 2U);
  advance(seconds(5));
  EXPECT_EQ(bodies_for(deliveries(), heard), (Texts{"free"}));
  EXPECT_EQ(engine_->snapshot().wills_waiting, 1U);
  restart_now();
  advance(seconds(1));
  EXPECT_EQ(engine_->snapshot().wills_waiting, 0U) << "nobody is behind any more";
  EXPECT_EQ(engine_->snapshot().wills_sent, 1U);
}

}  // namespace
}  // namespace pabal::core
