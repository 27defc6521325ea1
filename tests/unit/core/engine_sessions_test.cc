// Sessions: resuming, taking over, wills, ends by time, attachments, and restarts at any point.

#include <map>

#include <gtest/gtest.h>

#include "tests/unit/core/session_fixture.h"

namespace pabal::core {
namespace {

using Texts = std::vector<std::string>;
using Parts = std::vector<std::pair<std::string, std::string>>;

class EngineSessionsTest : public SessionFixture {
 protected:
  /// Who hears the wills.
  void hear() {
    listener_ = connect();
    wills_ = listen(listener_, {.pattern = "wills", .mode = AckMode::automatic});
  }
  Texts heard() { return bodies_for(deliveries(), wills_); }
  static SessionChanges put(const std::string& key, const std::string& value) {
    return {{key, value}};
  }
  static SessionChanges erase(const std::string& key) { return {{key, std::nullopt}}; }
  Parts parts(const ConnectionDetails& who) { return engine_->session_attachments(who.id); }
  std::vector<ConnectionEffect> effects() {
    std::vector<ConnectionEffect> taken;
    taken.swap(engine_->outbox(HomeId{}).effects);
    return taken;
  }
  ConnectionDetails listener_;
  SubscriptionId wills_{};
};

TEST_F(EngineSessionsTest, ResumesWhatWasKept) {
  const auto first = visit("c");
  EXPECT_FALSE(first.session_present);
  ASSERT_TRUE(engine_->change_session(first.id, put("k", "v")));
  listen(first, {.pattern = "t.*", .name = "n", .data = "qos 1"});
  lose(first);
  tell(connect(), "t.x", "1");
  const auto second = visit("c");
  EXPECT_TRUE(second.session_present);
  EXPECT_EQ(parts(second), (Parts{{"k", "v"}}));
  const auto all = engine_->session_subscriptions(second.id);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "n");
  EXPECT_EQ(all[0].destination.name, "t.*");
  EXPECT_EQ(all[0].data, "qos 1");
  listen(second, {.pattern = "t.*", .name = "n"});
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
}

TEST_F(EngineSessionsTest, AFreshOneForgetsWhatWasThere) {
  const auto first = visit("c");
  EXPECT_TRUE(engine_->change_session(first.id, put("k", "v")));
  listen(first, {.name = "n"});
  lose(first);
  tell(connect(), "t", "1");
  const auto second = visit("c", {.fresh = true});
  EXPECT_FALSE(second.session_present);
  EXPECT_TRUE(parts(second).empty());
  EXPECT_TRUE(engine_->session_subscriptions(second.id).empty());
  // Under the same name at once, before the old one was cleared away.
  listen(second, {.name = "n"});
  EXPECT_TRUE(deliveries().empty());
  tell(connect(), "t", "2");
  EXPECT_EQ(bodies(deliveries()), (Texts{"2"}));
  EXPECT_EQ(engine_->durable_subscriptions(10).size(), 1U);
}

TEST_F(EngineSessionsTest, EndsWithItsConnectionIfItIsNotKept) {
  const auto first = visit("c", {.keep = seconds(0)});
  EXPECT_TRUE(engine_->change_session(first.id, put("k", "v")));
  run();
  const auto stored = engine_->submitted();
  EXPECT_EQ(raw(stored), 0U) << "nothing of it is stored";
  lose(first);
  run();
  EXPECT_FALSE(session("c"));
  const auto second = visit("c");
  EXPECT_FALSE(second.session_present);
  EXPECT_TRUE(parts(second).empty());
}

TEST_F(EngineSessionsTest, EndsWhenItsTimeIsOver) {
  const auto first = visit("c", {.keep = seconds(100)});
  listen(first, {.name = "n"});
  EXPECT_TRUE(engine_->change_session(first.id, put("k", "v")));
  advance(seconds(1000));
  EXPECT_TRUE(session("c")) << "time counts when nobody is connected";
  lose(first);
  advance(seconds(99));
  EXPECT_TRUE(session("c"));
  EXPECT_EQ(engine_->durable_subscriptions(10).size(), 1U);
  advance(seconds(1));
  EXPECT_FALSE(session("c"));
  EXPECT_TRUE(engine_->durable_subscriptions(10).empty());
  restart_now();
  EXPECT_FALSE(session("c"));
  EXPECT_TRUE(store_->recovered().attachments.empty());
}

TEST_F(EngineSessionsTest, TheTimeCanBeChangedWhenLeaving) {
  const auto first = visit("c", {.keep = seconds(100)});
  engine_->disconnect(first.id, {Leaving::orderly, std::optional(seconds(10))}, now_);
  advance(seconds(11));
  EXPECT_FALSE(session("c"));
  const auto second = visit("c", {.keep = seconds(10)});
  engine_->disconnect(second.id, {Leaving::orderly, std::optional<seconds>()}, now_);
  advance(seconds(1'000'000));
  EXPECT_TRUE(session("c"));
  const auto third = visit("c");
  engine_->disconnect(third.id, {Leaving::orderly, std::optional(seconds(0))}, now_);
  run();
  EXPECT_FALSE(session("c"));
}

/// Goal: a session of the broker's own configuration ends by no limit of time, over restarts too.
TEST_F(EngineSessionsTest, WhatIsConfiguredIsNotShortened) {
  EngineLimits limits;
  limits.session_keep_max = seconds(50);
  open({}, limits);
  const auto own = visit("own", {.keep = std::nullopt, .configured = true});
  EXPECT_FALSE(own.keep);
  listen(own, {.name = "n"});
  const auto other = visit("other", {.keep = std::nullopt});
  listen(other, {.name = "n"});
  lose(own);
  lose(other);
  restart_now();
  advance(seconds(1'000'000));
  EXPECT_TRUE(session("own"));
  EXPECT_FALSE(session("other"));
  const auto left = engine_->durable_subscriptions_of("o");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].client_id, "own");
  EXPECT_TRUE(engine_->durable_subscriptions_of("own2").empty());
}

TEST_F(EngineSessionsTest, LimitsAreGrantedOrRefused) {
  EngineLimits limits;
  limits.session_keep_max = seconds(50);
  limits.sessions_max = 2;
  limits.session_attachments_max = 2;
  limits.session_attachment_bytes_max = 100;
  limits.will_bytes_max = 200;
  open({}, limits);
  const auto first = visit("c", {.keep = std::nullopt});
  ASSERT_TRUE(first.keep);
  EXPECT_EQ(*first.keep, seconds(50));
  visit("d");
  const auto third = try_visit("e", {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::quota_exceeded);
  EXPECT_TRUE(try_visit("d", {})) << "one that is there is no more";
  EXPECT_TRUE(engine_->change_session(first.id, put("a", "1")));
  EXPECT_TRUE(engine_->change_session(first.id, put("b", "1")));
  EXPECT_FALSE(engine_->change_session(first.id, put("c", "1")));
  EXPECT_FALSE(engine_->change_session(first.id, put("b", std::string(100, 'x'))));
  EXPECT_TRUE(engine_->change_session(first.id, {{"b", std::nullopt}, {"c", "1"}}));
  EXPECT_EQ(parts(first), (Parts{{"a", "1"}, {"c", "1"}}));
  EXPECT_FALSE(try_listen(first, {.name = "n", .data = std::string(100, 'x')}));
  EXPECT_EQ(session("c")->attachment_bytes, 4U);
  EXPECT_FALSE(try_visit("c", {.will = std::string(500, 'w')}));
  EXPECT_TRUE(session("c")->connected) << "a refused one takes nothing over";
}

TEST_F(EngineSessionsTest, GivesAnIdToWhoHasNone) {
  const auto first = visit("", {});
  EXPECT_FALSE(first.client_id.empty());
  lose(first);
  const auto second = visit(first.client_id);
  EXPECT_TRUE(second.session_present);
}

// --- taking over ---------------------------------------------------------------------------------

TEST_F(EngineSessionsTest, ANewConnectionTakesTheSessionOver) {
  const auto first = visit("c");
  const Filter filter{.name = "n", .mode = AckMode::explicit_};
  listen(first, filter);
  tell(connect(), "t", "1");
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
  const auto second = visit("c");
  EXPECT_TRUE(second.session_present);
  const auto told = effects();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].connection, first.id);
  EXPECT_EQ(told[0].order, ConnectionOrder::close);
  EXPECT_EQ(told[0].cause, CloseCause::taken_over);
  lose(first);  // what the server does then changes nothing
  EXPECT_TRUE(session("c")->connected);
  listen(second, filter);
  const auto again = deliveries();
  ASSERT_EQ(bodies(again), (Texts{"1"}));
  EXPECT_TRUE(again[0].redelivered);
}

TEST_F(EngineSessionsTest, OnlySessionsAreTakenOver) {
  connect("c");
  const auto refused = try_visit("c", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::in_use);
  visit("d");
  ConnectOptions options;
  options.client_id = "d";
  EXPECT_FALSE(engine_->connect(options));
}

TEST_F(EngineSessionsTest, TakingOverCountsAsLostForTheWill) {
  hear();
  visit("c", {.will = "will 1"});
  visit("c", {.will = "will 2", .will_delay = seconds(10)});
  EXPECT_EQ(heard(), (Texts{"will 1"}));
  visit("c", {.will = "will 3"});
  advance(seconds(20));
  EXPECT_TRUE(heard().empty()) << "resumed before the delay";
  visit("c", {.fresh = true, .will = "will 4", .will_delay = seconds(10)});
  EXPECT_EQ(heard(), (Texts{"will 3"}));
  visit("c", {.fresh = true});
  EXPECT_EQ(heard(), (Texts{"will 4"})) << "the session has ended";
}

// --- wills ---------------------------------------------------------------------------------------

TEST_F(EngineSessionsTest, AWillIsSentForALostConnectionOnly) {
  hear();
  leave(visit("a", {.will = "a"}));
  leave(visit("b", {.will = "b"}), Leaving::with_will);
  lose(visit("c", {.will = "c"}));
  lose(visit("d", {.keep = seconds(0), .will = "d"}));
  EXPECT_EQ(heard(), (Texts{"b", "c", "d"}));
  advance(seconds(10'000));
  EXPECT_TRUE(heard().empty());
  EXPECT_EQ(engine_->snapshot().wills_sent, 3U);
}

TEST_F(EngineSessionsTest, AWillWaitsForItsDelay) {
  hear();
  lose(visit("c", {.keep = seconds(100), .will = "c", .will_delay = seconds(10)}));
  lose(visit("d", {.keep = seconds(5), .will = "d", .will_delay = seconds(10)}));
  lose(visit("e", {.keep = seconds(0), .will = "e", .will_delay = seconds(10)}));
  EXPECT_EQ(heard(), (Texts{"e"})) << "its session has ended";
  advance(seconds(4));
  EXPECT_TRUE(heard().empty());
  advance(seconds(1));
  EXPECT_EQ(heard(), (Texts{"d"})) << "the session's end is earlier";
  advance(seconds(5));
  EXPECT_EQ(heard(), (Texts{"c"}));
  EXPECT_TRUE(session("c"));
}

TEST_F(EngineSessionsTest, AWillCanBeRetainedAndExpires) {
  ConnectOptions options;
  options.client_id = "c";
  auto request = std::make_shared<SessionRequest>();
  auto will = std::make_shared<Will>();
  will->message = topic_message({}, "t", "gone", {.retain = true, .expiration = 1});
  will->time_to_live = seconds(10);
  request->will = will;
  options.session = request;
  const auto who = *engine_->connect(options, now_);
  advance(seconds(100));
  lose(who);
  listen(connect(), {.retained = true});
  const auto got = deliveries();
  ASSERT_EQ(bodies(got), (Texts{"gone"}));
  EXPECT_EQ(got[0].message->expiration(), to_millis(now_) + 10'000);
  EXPECT_EQ(got[0].message->timestamp(), to_millis(now_));
}

TEST_F(EngineSessionsTest, AWillWithoutRoomIsTriedAgain) {
  listen(visit("keeper"), {.pattern = "wills", .name = "n"});
  const auto who = visit("c", {.will = "w"});
  run();
  store_->set_admission(Admission::refused);
  lose(who);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(engine_->snapshot().wills_waiting, 1U);
  restart_now();
  EXPECT_EQ(engine_->snapshot().wills_waiting, 1U) << "it is kept over a restart";
  store_->set_admission(Admission::granted);
  listen(visit("keeper"), {.pattern = "wills", .name = "n"});
  advance(seconds(2));
  EXPECT_EQ(bodies(deliveries()), (Texts{"w"}));
  EXPECT_EQ(engine_->snapshot().wills_waiting, 0U);
  advance(seconds(10));
  EXPECT_TRUE(deliveries().empty());
}

// --- attachments with other effects --------------------------------------------------------------

TEST_F(EngineSessionsTest, ASendBringsAChangeInOneBatch) {
  open({.manual_durability = true});
  const auto reader = visit("reader");
  listen(reader, {.name = "n"});
  const auto who = visit("c");
  store_->make_durable(engine_->submitted());
  SendOptions options;
  options.attach = std::make_shared<const SessionChanges>(put("i/1", "x"));
  const auto outcome = engine_->publish(who.id, topic_message(who, "t", "1", {}), options, now_);
  ASSERT_EQ(outcome.disposition, Disposition::done);
  EXPECT_TRUE(deliveries().empty()) << "nobody sees it before it is durable";
  store_->make_durable(outcome.after);
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
  restart_now();
  EXPECT_EQ(parts(visit("c")), (Parts{{"i/1", "x"}}));
}

TEST_F(EngineSessionsTest, NoBatchIsTornByARestart) {
  for (const bool survives : {false, true}) {
    open({.manual_durability = true});
    const auto reader = visit("reader");
    const auto subscription = listen(reader, {.name = "n"});
    const auto who = visit("c");
    store_->make_durable(engine_->submitted());
    SendOptions options;
    options.attach = std::make_shared<const SessionChanges>(put("i/1", "x"));
    const auto sent = engine_->publish(who.id, topic_message(who, "t", "1", {}), options, now_);
    Ticket last = Ticket{raw(sent.after) - (survives ? 0 : 1)};
    restart_now(last);
    EXPECT_EQ(parts(visit("c")).size(), survives ? 1U : 0U);
    const auto reader2 = visit("reader");
    const auto subscription2 = listen(reader2, {.name = "n"});
    const auto got = deliveries();
    ASSERT_EQ(got.size(), survives ? 1U : 0U);
    EXPECT_NE(subscription, SubscriptionId{});
    if (!survives) continue;
    // The same of an acknowledgement.
    store_->make_durable(engine_->submitted());
    const auto done = engine_->acknowledge(subscription2, {got[0].id, got[0].id}, AckKind::consumed,
                                           put("o/1", "released"), now_);
    ASSERT_EQ(done.disposition, Disposition::done);
    const auto end = raw(engine_->submitted());
    for (const auto before : {std::uint64_t{1}, std::uint64_t{0}}) {
      restart_now(Ticket{end - before});
      const auto back = visit("reader");
      listen(back, {.name = "n"});
      EXPECT_EQ(parts(back).size() + deliveries().size(), 1U) << "one or the other";
      if (before == 1) break;  // what a restart lost is gone
    }
  }
}

TEST_F(EngineSessionsTest, AParkedSendBringsItsChangeWhenItsTurnComes) {
  const auto reader = visit("reader");
  listen(reader, {.name = "n"});
  const auto who = visit("c");
  store_->set_admission(Admission::later);
  SendOptions options;
  options.token = 7;
  options.attach = std::make_shared<const SessionChanges>(put("i/1", "x"));
  EXPECT_EQ(engine_->publish(who.id, topic_message(who, "t", "1", {}), options, now_).disposition,
            Disposition::parked);
  EXPECT_TRUE(parts(who).empty());
  store_->set_admission(Admission::granted);
  engine_->space_changed(now_);
  ASSERT_EQ(replies().size(), 1U);
  EXPECT_EQ(parts(who), (Parts{{"i/1", "x"}}));
}

TEST_F(EngineSessionsTest, ChangesNeedASession) {
  const auto who = connect();
  EXPECT_FALSE(engine_->change_session(who.id, put("a", "1")));
  SendOptions options;
  options.attach = std::make_shared<const SessionChanges>(put("a", "1"));
  EXPECT_EQ(engine_->publish(who.id, topic_message(who, "t", "1", {}), options, now_).disposition,
            Disposition::failed);
  const auto client = visit("c");
  options.transaction = *engine_->begin(client.id);
  EXPECT_EQ(
      engine_->publish(client.id, topic_message(client, "t", "1", {}), options, now_).disposition,
      Disposition::failed);
  EXPECT_FALSE(engine_->change_session(client.id, put("", "1")));
}

// --- subscriptions -------------------------------------------------------------------------------

TEST_F(EngineSessionsTest, ForgetsASubscription) {
  const auto who = visit("c");
  const auto subscription = listen(who, {.name = "n"});
  EXPECT_FALSE(engine_->forget_subscription(who.id, "n", now_)) << "it consumes";
  EXPECT_FALSE(engine_->forget_subscription(who.id, "other", now_));
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  ASSERT_TRUE(engine_->forget_subscription(who.id, "n", now_));
  EXPECT_TRUE(engine_->session_subscriptions(who.id).empty());
  EXPECT_TRUE(engine_->durable_subscriptions(10).empty());
  EXPECT_EQ(session("c")->attachment_bytes, 0U);
  restart_now();
  EXPECT_TRUE(engine_->session_subscriptions(visit("c").id).empty());
}

TEST_F(EngineSessionsTest, ChangesASubscriptionWithoutLosingAnything) {
  const auto sender = connect();
  auto who = visit("c");
  const Filter filter{.name = "n", .data = "old", .mode = AckMode::explicit_};
  const auto subscription = listen(who, filter);
  tell(sender, "t", "1");
  const auto out = deliveries();
  ResubscribeOptions change;
  change.ack_mode = AckMode::explicit_;
  change.no_local = true;
  change.session_data = "new";
  ASSERT_TRUE(engine_->resubscribe(subscription, change, now_));
  tell(who, "t", "own");
  tell(sender, "t", "2");
  EXPECT_EQ(bodies(deliveries()), (Texts{"2"}));
  EXPECT_EQ(ack(subscription, out.at(0)).disposition, Disposition::done) << "it stayed out";
  run();
  restart_now();
  who = visit("c");
  EXPECT_EQ(engine_->session_subscriptions(who.id).at(0).data, "new");
}

TEST_F(EngineSessionsTest, NoLocalIsByClientAcrossConnections) {
  auto who = visit("c");
  Filter filter{.name = "n", .no_local = true, .prefetch = 0};
  listen(who, filter);
  tell(who, "t", "own 1");
  lose(who);
  who = visit("c");
  listen(who, filter);
  tell(who, "t", "own 2");
  tell(connect(), "t", "1");
  run();
  restart_now();
  who = visit("c");
  filter.prefetch = 10;
  listen(who, filter);
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
}

TEST_F(EngineSessionsTest, ASessionThatIsNotKeptTakesItsDurableSubscriptionsAlong) {
  listen(visit("c", {.keep = seconds(0)}), {.name = "n"});
  run();
  EXPECT_EQ(engine_->durable_subscriptions(10).size(), 1U);
  restart_now();
  run();
  EXPECT_TRUE(engine_->durable_subscriptions(10).empty());
  EXPECT_TRUE(store_->recovered().attachments.empty());
  lose(visit("d", {.keep = seconds(0)}));
}

TEST_F(EngineSessionsTest, OfflineTimeoutsAreNotForSessions) {
  EngineSettings settings;
  settings.offline_durable_timeout = seconds(10);
  settings.offline_durable_period = seconds(1);
  engine_->configure(settings, now_);
  const auto who = visit("c", {.keep = seconds(1000)});
  listen(who, {.name = "n"});
  lose(who);
  advance(seconds(100));
  EXPECT_EQ(engine_->durable_subscriptions(10).size(), 1U);
}

// --- restarts ------------------------------------------------------------------------------------

TEST_F(EngineSessionsTest, WhoeverWasConnectedIsLostAtTheStart) {
  listen(visit("keeper", {.keep = std::nullopt}), {.pattern = "wills", .name = "n"});
  visit("a", {.keep = seconds(100), .will = "a"});
  visit("b", {.keep = seconds(100), .will = "b", .will_delay = seconds(10)});
  visit("c", {.keep = seconds(0), .will = "c", .will_delay = seconds(10)});
  visit("d", {.keep = seconds(100)});
  leave(visit("e", {.keep = seconds(100), .will = "e"}));
  run();
  advance(seconds(1000));
  restart_now();
  listen(visit("keeper", {.keep = std::nullopt}), {.pattern = "wills", .name = "n"});
  EXPECT_EQ(bodies(deliveries()), (Texts{"a", "c"}));
  EXPECT_FALSE(session("c"));
  advance(seconds(10));
  EXPECT_EQ(bodies(deliveries()), (Texts{"b"}));
  EXPECT_TRUE(session("d"));
  advance(seconds(90));
  EXPECT_FALSE(session("a"));
  EXPECT_FALSE(session("d"));
  EXPECT_FALSE(session("e"));
  restart_now();
  EXPECT_EQ(engine_->snapshot().sessions, 1U);
}

TEST_F(EngineSessionsTest, TimesOfTheAbsentGoOnOverARestart) {
  lose(visit("c", {.keep = seconds(100), .will = "c", .will_delay = seconds(50)}));
  run();
  now_ += seconds(60);
  hear();
  restart_now();
  hear();
  engine_->tick(now_);
  EXPECT_EQ(heard(), (Texts{"c"}));
  advance(seconds(39));
  EXPECT_TRUE(session("c"));
  advance(seconds(1));
  EXPECT_FALSE(session("c"));
}

/// Each step at every ticket: a session is there as a whole or not at all, and wills that have
/// come to a durable subscription come once.
TEST_F(EngineSessionsTest, ARestartAtEveryPoint) {
  const auto play = [&] {
    const auto keeper = visit("keeper", {.keep = std::nullopt});
    listen(keeper, {.pattern = "wills", .name = "n"});
    auto who = visit("c", {.will = "w1"});
    listen(who, {.pattern = "t", .name = "n", .data = "d"});
    EXPECT_TRUE(engine_->change_session(who.id, put("k", "v")));
    engine_->run(now_);
    lose(who);
    engine_->run(now_);
    who = visit("c", {.fresh = true, .will = "w2"});
    EXPECT_TRUE(engine_->change_session(who.id, put("k2", "v2")));
    engine_->run(now_);
    leave(who);
    engine_->run(now_);
    return raw(engine_->submitted());
  };
  open({.manual_durability = true});
  const auto last = play();
  for (std::uint64_t survives = 0; survives <= last; ++survives) {
    SCOPED_TRACE("after ticket " + std::to_string(survives));
    open({.manual_durability = true});
    play();
    restart_now(Ticket{survives});
    store_->make_durable(engine_->submitted());
    const auto keeper = visit("keeper", {.keep = std::nullopt});
    std::map<std::string, int> wills;
    bool kept = keeper.session_present;
    if (kept && !engine_->session_subscriptions(keeper.id).empty()) {
      listen(keeper, {.pattern = "wills", .name = "n"});
      for (const auto& each : deliveries()) ++wills[std::string(each.message->body())];
    }
    for (const auto& [will, times] : wills) EXPECT_EQ(times, 1) << will;
    const auto who = visit("c");
    const auto all = parts(who);
    ASSERT_LE(all.size(), 1U);
    const auto subscriptions = engine_->session_subscriptions(who.id);
    if (!all.empty()) {
      EXPECT_EQ(subscriptions.size(), all[0].first == "k" ? 1U : 0U);
    }
    if (survives == last) {
      ASSERT_EQ(all, (Parts{{"k2", "v2"}}));
      EXPECT_EQ(wills.size(), 1U) << "w1: its connection was lost; w2 was dropped";
    }
    // What is left of the old session is cleared away.
    EXPECT_EQ(engine_->durable_subscriptions(10).size(),
              subscriptions.size() + engine_->session_subscriptions(keeper.id).size());
    store_->make_durable(engine_->submitted());
  }
}

TEST_F(EngineSessionsTest, RecordsThatMakeNoSenseAreNoSessions) {
  StoreOp operation;
  operation.kind = StoreOpKind::put_attachment;
  for (const auto* key :
       {"session/x", "session.part/1:1:x/k", "session.part/bad", "session.subscription/1:1:x/n",
        "session.will/3", "session.pin/1:1:x/1"}) {
    operation.kind = StoreOpKind::put_attachment;
    operation.detail = std::make_unique<StoreOpDetail>();
    operation.detail->key = key;
    operation.detail->value = "\xFF nonsense";
    store_->append({&operation, 1});
  }
  restart_now();
  EXPECT_FALSE(visit("x").session_present);
}

}  // namespace
}  // namespace pabal::core
