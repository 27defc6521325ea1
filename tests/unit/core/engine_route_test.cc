// Where a send goes: composite sends, composite destinations, virtual topics, mirrored queues.

#include <gtest/gtest.h>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

using Targets = std::vector<Destination>;

Destination queue(std::string name) {
  return {DestinationKind::queue, std::move(name)};
}
Destination topic(std::string name) {
  return {DestinationKind::topic, std::move(name)};
}

class EngineRouteTest : public EngineFixture {
 protected:
  /// Sends `send` to all of `targets`; its own destination is what the client wrote.
  Outcome publish_all(const ConnectionDetails& from, const Targets& targets, Send send,
                      std::optional<TransactionId> transaction = std::nullopt) {
    send.name = "composite";
    const SendOptions options{transaction, 0, std::make_shared<const Targets>(targets)};
    return engine_->publish(from.id, message(from, send), options, now_);
  }
  void configure(VirtualDestinations virtuals) {
    EXPECT_TRUE(validate(virtuals));
    EngineSettings settings;
    settings.virtuals = std::move(virtuals);
    engine_->configure(std::move(settings), now_);
  }
  std::uint64_t depth(const std::string& text) { return view(text).depth; }
  bool exists(const std::string& text) {
    for (const auto& each : engine_->destinations("", 1'000'000)) {
      if (each.destination.to_text() == text) return true;
    }
    return false;
  }
  /// "body@destination" of each delivery, where it is not the message's own "body".
  std::vector<std::string> places(const std::vector<Delivery>& deliveries) {
    std::vector<std::string> all;
    for (const auto& delivery : deliveries) {
      all.emplace_back(delivery.message->body());
      if (delivery.destination) all.back() += "@" + delivery.destination->to_text();
    }
    return all;
  }
  using Texts = std::vector<std::string>;
};

// --- composite sends -----------------------------------------------------------------------------

TEST_F(EngineRouteTest, SendsOnePayloadToEveryQueueOfACompositeSend) {
  const auto from = connect();
  ASSERT_EQ(publish_all(from, {queue("a"), queue("b"), queue("a")}, {.body = "1"}).disposition,
            Disposition::done);
  EXPECT_EQ(depth("queue://a"), 1U);
  EXPECT_EQ(depth("queue://b"), 1U);
  EXPECT_FALSE(exists("queue://composite"));
  restart();
  EXPECT_EQ(places(drain("a")), (Texts{"1@queue://a"}));
  EXPECT_EQ(places(drain("b")), (Texts{"1@queue://b"}));
}

TEST_F(EngineRouteTest, GivesTopicsOfACompositeSendTheirOwnName) {
  const auto who = connect();
  subscribe(who, {.kind = DestinationKind::topic, .name = "t"});
  ASSERT_EQ(publish_all(connect(), {queue("a"), topic("t")}, {.body = "1"}).disposition,
            Disposition::done);
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t"}));
  EXPECT_EQ(places(drain("a")), (Texts{"1@queue://a"}));
}

TEST_F(EngineRouteTest, OffersAMessageOnceToAPatternOfSeveralTargets) {
  const auto who = connect();
  subscribe(who, {.kind = DestinationKind::topic, .name = "t.>"});
  publish_all(connect(), {topic("t.1"), topic("t.2")}, {.body = "1"});
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t.1"}));
}

TEST_F(EngineRouteTest, ChangesNothingWhenOneTargetRefuses) {
  const auto from = connect();
  const auto outcome = publish_all(
      from, {queue("a"), Destination{DestinationKind::temporary_queue, "gone"}}, {.body = "1"});
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.error->code, Errc::bad_destination);
  EXPECT_TRUE(drain("a").empty());
  EXPECT_EQ(publish_all(from, {}, {}).disposition, Disposition::failed);
  EXPECT_EQ(publish_all(from, {queue("a.*")}, {}).disposition, Disposition::failed);
}

TEST_F(EngineRouteTest, NamesTheLimitOfTargets) {
  EngineLimits limits;
  limits.composite_targets_max = 2;
  open({}, limits);
  const auto outcome = publish_all(connect(), {queue("a"), queue("b"), queue("c")}, {});
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_NE(outcome.error->text.find("composite_targets_max"), std::string::npos);
}

TEST_F(EngineRouteTest, KeepsTheTargetsOfATransactionUntilItsCommit) {
  const auto from = connect();
  const auto who = connect();
  subscribe(who, {.kind = DestinationKind::topic, .name = "t"});
  const auto transaction = *engine_->begin(from.id);
  ASSERT_EQ(publish_all(from, {queue("a"), queue("b"), topic("t")}, {.body = "1"}, transaction)
                .disposition,
            Disposition::done);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(depth("queue://a"), 0U);
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t"}));
  EXPECT_EQ(places(drain("a")), (Texts{"1@queue://a"}));
  EXPECT_EQ(places(drain("b")), (Texts{"1@queue://b"}));
}

TEST_F(EngineRouteTest, ReturnsWhatATransactionHadSetAside) {
  const auto from = connect();
  const auto transaction = *engine_->begin(from.id);
  publish_all(from, {queue("a"), queue("b")}, {.body = "1"}, transaction);
  engine_->rollback(transaction, now_);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_TRUE(drain("a").empty());
}

TEST_F(EngineRouteTest, GivesADurablePatternTheNameOfTheTopic) {
  const auto who = connect("me");
  subscribe(who, {.kind = DestinationKind::topic, .name = "t.>", .durable = "pattern"});
  subscribe(who, {.kind = DestinationKind::topic, .name = "t.1", .durable = "exact"});
  engine_->disconnect(who.id, now_);
  publish_all(connect(), {queue("a"), topic("t.1"), topic("t.2")}, {.body = "1"});
  restart();
  const auto back = connect("me");
  subscribe(back, {.kind = DestinationKind::topic, .name = "t.1", .durable = "exact"});
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t.1"}));
  subscribe(back, {.kind = DestinationKind::topic, .name = "t.>", .durable = "pattern"});
  const auto got = deliveries();
  ASSERT_EQ(places(got), (Texts{"1"}));  // a copy that says so itself
  EXPECT_EQ(got[0].message->destination(), topic("t.1"));
  ASSERT_TRUE(got[0].message->original_destination());
  EXPECT_EQ(got[0].message->original_destination()->name, "composite");
  EXPECT_EQ(places(drain("a")), (Texts{"1@queue://a"}));
}

TEST_F(EngineRouteTest, RedeliversATopicMessageWithItsPlace) {
  const auto who = connect();
  const auto subscription = subscribe(who, {.kind = DestinationKind::topic, .name = "t"});
  publish_all(connect(), {topic("t"), topic("u")}, {.body = "1"});
  const auto got = deliveries();
  ASSERT_EQ(places(got), (Texts{"1@topic://t"}));
  ack(subscription, got[0], AckKind::requeued);
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t"}));
}

TEST_F(EngineRouteTest, SelectsByThePlaceAndNotByTheName) {
  const auto who = connect();
  subscribe(who, {.name = "a", .selector = "JMSDestination = 'queue://a'"});
  subscribe(
      who,
      {.kind = DestinationKind::topic, .name = "t", .selector = "JMSDestination = 'topic://t'"});
  subscribe(who, {.name = "b", .selector = "JMSDestination = 'queue://composite'"});
  publish_all(connect(), {queue("a"), queue("b"), topic("t")}, {.body = "1"});
  EXPECT_EQ(places(deliveries()).size(), 2U);
  EXPECT_EQ(depth("queue://b"), 1U);
}

TEST_F(EngineRouteTest, LeavesOutWhatTheConnectionSentItselfWhateverTheWay) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("q"), {{topic("t"), ""}}, true, false});
  configure(virtuals);
  const auto self = connect();
  subscribe(self, {.kind = DestinationKind::topic, .name = "t", .no_local = true});
  publish(self, {.name = "q", .body = "1"});
  publish_all(self, {queue("a"), topic("t")}, {.body = "2"});
  EXPECT_TRUE(deliveries().empty());
  publish(connect(), {.name = "q", .body = "3"});
  EXPECT_EQ(places(deliveries()), (Texts{"3@topic://t"}));
}

// --- composite destinations ----------------------------------------------------------------------

TEST_F(EngineRouteTest, ForwardsOnlyOrAsWell) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("only"), {{queue("x"), ""}, {topic("t"), ""}}, true, false});
  virtuals.composites.push_back({queue("both"), {{queue("y"), ""}}, false, false});
  virtuals.composites.push_back({topic("in"), {{queue("z"), ""}}, true, false});
  configure(virtuals);
  const auto who = connect();
  subscribe(who, {.kind = DestinationKind::topic, .name = ">"});
  const auto from = connect();
  publish(from, {.name = "only", .body = "1"});
  publish(from, {.name = "both", .body = "2"});
  publish(from, {.kind = DestinationKind::topic, .name = "in", .body = "3"});
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t"}));
  EXPECT_FALSE(exists("queue://only"));
  restart();
  EXPECT_EQ(places(drain("x")), (Texts{"1@queue://x"}));
  EXPECT_EQ(places(drain("both")), (Texts{"2"}));
  EXPECT_EQ(places(drain("y")), (Texts{"2@queue://y"}));
  EXPECT_EQ(places(drain("z")), (Texts{"3@queue://z"}));
}

TEST_F(EngineRouteTest, FiltersByTheSelectorOfEachTarget) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back(
      {queue("in"),
       {{queue("red"), "color = 'red'"}, {queue("blue"), "color = 'blue'"}},
       true,
       true});
  // Whatever forwardOnly says: sendWhenNotMatched decides.
  virtuals.composites.push_back({queue("in2"), {{queue("red"), "color = 'red'"}}, false, true});
  configure(virtuals);
  const auto from = connect();
  publish(from, {.name = "in", .body = "1", .color = "red"});
  publish(from, {.name = "in", .body = "2", .color = "blue"});
  publish(from, {.name = "in", .body = "3", .color = "green"});
  publish(from, {.name = "in2", .body = "4", .color = "red"});
  publish(from, {.name = "in2", .body = "5", .color = "green"});
  EXPECT_EQ(bodies(drain("red")), (Texts{"1", "4"}));
  EXPECT_EQ(bodies(drain("blue")), (Texts{"2"}));
  EXPECT_EQ(bodies(drain("in")), (Texts{"3"}));
  EXPECT_EQ(bodies(drain("in2")), (Texts{"5"}));
}

TEST_F(EngineRouteTest, DropsWhatNoFilterOfAForwardingQueueWants) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("in"), {{queue("red"), "color = 'red'"}}, true, false});
  configure(virtuals);
  EXPECT_EQ(publish(connect(), {.name = "in"}).disposition, Disposition::done);
  EXPECT_FALSE(exists("queue://in"));
  EXPECT_FALSE(exists("queue://red"));
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineRouteTest, ForwardsTransitivelyAndEndsLoops) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("a"), {{queue("b"), ""}, {queue("c"), ""}}, true, false});
  virtuals.composites.push_back({queue("b"), {{topic("t"), ""}}, false, false});
  virtuals.composites.push_back({topic("t"), {{queue("a"), ""}, {queue("c"), ""}}, false, false});
  virtuals.composites.push_back({queue("self"), {{queue("self"), ""}}, false, false});
  configure(virtuals);
  const auto who = connect();
  subscribe(who, {.kind = DestinationKind::topic, .name = "t"});
  const auto from = connect();
  publish(from, {.name = "a", .body = "1"});
  publish(from, {.name = "self", .body = "2"});
  EXPECT_EQ(places(deliveries()), (Texts{"1@topic://t"}));
  EXPECT_EQ(places(drain("b")), (Texts{"1@queue://b"}));
  EXPECT_EQ(places(drain("c")), (Texts{"1@queue://c"}));
  EXPECT_EQ(places(drain("self")), (Texts{"2"}));
  EXPECT_FALSE(exists("queue://a"));
}

// Goal: nobody is told that a message is taken that a loop of composites then destroys.
TEST_F(EngineRouteTest, RefusesWhatALoopLeadsOnlyBackToItself) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("o"), {{queue("p"), ""}}, true, false});
  virtuals.composites.push_back({queue("p"), {{queue("o"), ""}}, true, false});
  virtuals.composites.push_back({queue("self"), {{queue("self"), ""}}, true, false});
  virtuals.composites.push_back({topic("t"), {{topic("t"), ""}}, true, false});
  virtuals.composites.push_back({queue("to"), {{queue("self"), ""}}, true, false});
  virtuals.composites.push_back(
      {queue("fork"), {{queue("o"), ""}, {queue("real"), ""}}, true, false});
  configure(virtuals);
  const auto from = connect();
  const auto why = [&](const Send& send) {
    const auto outcome = publish(from, send);
    if (!outcome.error) return std::string("none");
    EXPECT_EQ(outcome.error->code, Errc::bad_destination);
    return outcome.error->text;
  };
  const std::string end = " leads only back to itself";
  EXPECT_EQ(why({.name = "o"}), "composite destination queue://o" + end);
  EXPECT_EQ(why({.name = "p"}), "composite destination queue://p" + end);
  EXPECT_EQ(why({.name = "self", .persistent = false}), "composite destination queue://self" + end);
  EXPECT_EQ(why({.kind = DestinationKind::topic, .name = "t"}),
            "composite destination topic://t" + end);
  EXPECT_EQ(why({.name = "to"}), "composite destination queue://self" + end);
  for (const char* name : {"o", "p", "self", "to"}) {
    EXPECT_FALSE(exists("queue://" + std::string(name)));
  }
  EXPECT_EQ(why({.name = "fork"}), "none") << "one branch reaches a real place";
  EXPECT_EQ(drain("real").size(), 1U);

  const auto transaction = *engine_->begin(from.id);
  EXPECT_EQ(publish(from, {.name = "o"}, transaction).error->code, Errc::bad_destination);
  EXPECT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineRouteTest, RefusesALoopAmongTheTargetsOfACompositeSend) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("a"), {{queue("b"), ""}}, true, false});
  virtuals.composites.push_back({queue("b"), {{queue("a"), ""}}, true, false});
  configure(virtuals);
  const auto from = connect();
  const auto outcome = publish_all(from, {queue("a"), queue("b")}, {});
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->text, "composite destination queue://a leads only back to itself");
}

// Two ways that meet are no loop: what the filter behind them does not want vanishes, as
// documented.
TEST_F(EngineRouteTest, WaysThatMeetAreNoLoop) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("a"), {{queue("b"), ""}, {queue("c"), ""}}, true, false});
  virtuals.composites.push_back({queue("b"), {{queue("d"), ""}}, true, false});
  virtuals.composites.push_back({queue("c"), {{queue("d"), ""}}, true, false});
  virtuals.composites.push_back({queue("d"), {{queue("red"), "color = 'red'"}}, true, false});
  configure(virtuals);
  EXPECT_EQ(publish(connect(), {.name = "a"}).disposition, Disposition::done);
  EXPECT_FALSE(exists("queue://red"));
}

TEST_F(EngineRouteTest, TakesPatternsOfCompositesAndAnewWhenReloaded) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({topic("in.>"), {{queue("all"), ""}}, true, false});
  virtuals.composites.push_back({topic("in.special"), {{queue("special"), ""}}, true, false});
  configure(virtuals);
  const auto from = connect();
  publish(from, {.kind = DestinationKind::topic, .name = "in.1", .body = "1"});
  publish(from, {.kind = DestinationKind::topic, .name = "in.special", .body = "2"});
  configure({});
  publish(from, {.kind = DestinationKind::topic, .name = "in.1", .body = "3"});
  EXPECT_EQ(bodies(drain("all")), (Texts{"1", "2"}));
  EXPECT_EQ(bodies(drain("special")), (Texts{"2"}));
}

TEST_F(EngineRouteTest, ForwardsAtTheCommitOfATransaction) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({queue("in"), {{queue("x"), ""}, {queue("y"), ""}}, true, false});
  configure(virtuals);
  const auto from = connect();
  const auto transaction = *engine_->begin(from.id);
  publish(from, {.name = "in", .body = "1"}, transaction);
  publish(from, {.name = "in", .body = "2"}, transaction);
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  run();
  restart();
  EXPECT_EQ(bodies(drain("x")), (Texts{"1", "2"}));
  EXPECT_EQ(bodies(drain("y")), (Texts{"1", "2"}));
}

TEST_F(EngineRouteTest, SaysWhatIsWrongWithAConfiguration) {
  const auto bad_selector = validate(ForwardTarget{queue("a"), "color = "});
  ASSERT_FALSE(bad_selector);
  EXPECT_NE(bad_selector.error().text.find("queue://a"), std::string::npos);
  EXPECT_FALSE(validate(ForwardTarget{queue("a.>"), ""}));
  EXPECT_FALSE(validate(ForwardTarget{queue(""), ""}));
  EXPECT_FALSE(validate(ForwardTarget{{DestinationKind::temporary_queue, "a"}, ""}));
  EXPECT_FALSE(validate(CompositeDestination{queue(""), {}, true, false}));
  EXPECT_FALSE(validate(CompositeDestination{queue("a"), {{queue("b"), "("}}, true, false}));
  EXPECT_FALSE(validate(VirtualTopic{"", "Consumer.*.", "", false}));
  EXPECT_FALSE(validate(VirtualTopic{">", "A.>.", "", false}));
  EXPECT_FALSE(validate(MirroredQueues{"\n", "", true}));
  EXPECT_TRUE(validate(VirtualDestinations{}));
}

// --- virtual topics ------------------------------------------------------------------------------

TEST_F(EngineRouteTest, FeedsTheQueuesOfAVirtualTopicThatExist) {
  const auto from = connect();
  const Send send{.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "1"};
  publish(from, send);
  const auto a = subscribe(connect(), {.name = "Consumer.A.VirtualTopic.X"});
  subscribe(connect(), {.name = "Consumer.B.VirtualTopic.X"});
  subscribe(connect(), {.name = "Consumer.A.VirtualTopic.Y"});
  subscribe(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.X"});
  publish(from, {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "2"});
  auto got = deliveries();
  auto texts = places(got);
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(texts, (Texts{"2", "2@queue://Consumer.A.VirtualTopic.X",
                          "2@queue://Consumer.B.VirtualTopic.X"}));
  // Nobody acknowledged: a restart finds both, and what comes later.
  EXPECT_TRUE(engine_->unsubscribe(a, now_));
  publish(from, {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "3"});
  run();
  restart();
  EXPECT_EQ(bodies(drain("Consumer.A.VirtualTopic.X")), (Texts{"2", "3"}));
  EXPECT_EQ(bodies(drain("Consumer.B.VirtualTopic.X")), (Texts{"2", "3"}));
  EXPECT_TRUE(drain("Consumer.A.VirtualTopic.Y").empty());
  publish(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "4"});
  EXPECT_EQ(bodies(drain("Consumer.A.VirtualTopic.X")), (Texts{"4"}));
}

TEST_F(EngineRouteTest, StoresAVirtualTopicsMessageOnce) {
  store::MemoryStoreOptions options;
  options.bytes_max = 3000;
  open(options);
  for (const auto* name : {"A", "B", "C", "D"}) {
    subscribe(connect(), {.name = std::string("Consumer.") + name + ".VirtualTopic.X"});
  }
  const auto outcome = publish(
      connect(),
      {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = std::string(2000, 'x')});
  EXPECT_EQ(outcome.disposition, Disposition::done);
  EXPECT_EQ(deliveries().size(), 4U);
}

TEST_F(EngineRouteTest, KnowsPrefixAndPostfixOfVirtualTopics) {
  VirtualDestinations virtuals;
  virtuals.topics = {VirtualTopic{">", "VTC.*.", ".work", false},
                     VirtualTopic{"orders.>", "Copy_", "", false}};
  configure(virtuals);
  for (const auto* name : {"VTC.a.orders.1.work", "VTC.a.orders.2.work", "VTC.a.orders.1",
                           "Copy_orders.1", "Copy_other", "Consumer.A.orders.1"}) {
    subscribe(connect(), {.name = name});
  }
  publish(connect(), {.kind = DestinationKind::topic, .name = "orders.1", .body = "1"});
  publish(connect(), {.kind = DestinationKind::topic, .name = "other", .body = "2"});
  auto texts = places(deliveries());
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(texts, (Texts{"1@queue://Copy_orders.1", "1@queue://VTC.a.orders.1.work"}));
}

TEST_F(EngineRouteTest, MakesTheQueueOfAWildcardConsumerOfVirtualTopics) {
  const auto who = connect();
  const std::string name = "Consumer.A.VirtualTopic.>";
  const auto subscription = subscribe(who, {.name = name});
  EXPECT_TRUE(exists("queue://" + name));
  publish(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "1"});
  publish(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.Y.Z", .body = "2"});
  EXPECT_EQ(bodies(deliveries()), (Texts{"1", "2"}));
  EXPECT_TRUE(engine_->unsubscribe(subscription, now_));
  // It stays, and nobody can send to it by its name.
  publish(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "3"});
  EXPECT_EQ(depth("queue://" + name), 3U);
  EXPECT_EQ(publish(connect(), {.name = name}).disposition, Disposition::failed);
  // Once a queue matches, wildcard and plain consumers share it, as in ActiveMQ.
  subscribe(connect(), {.name = "Consumer.B.VirtualTopic.X"});
  subscribe(connect(), {.name = "Consumer.B.VirtualTopic.>"});
  EXPECT_FALSE(exists("queue://Consumer.B.VirtualTopic.>"));
  subscribe(connect(), {.name = "no.virtual.>"});
  EXPECT_FALSE(exists("queue://no.virtual.>"));
}

TEST_F(EngineRouteTest, AsksTheSelectorsOfASelectorAwareVirtualTopic) {
  VirtualDestinations virtuals;
  virtuals.topics.front().selector_aware = true;
  configure(virtuals);
  const auto red = connect();
  subscribe(red, {.name = "Consumer.A.VirtualTopic.X", .selector = "color = 'red'"});
  const auto all = connect();
  subscribe(all, {.name = "Consumer.B.VirtualTopic.X"});
  const auto from = connect();
  publish(from, {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .color = "red"});
  publish(from, {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .color = "blue"});
  EXPECT_EQ(depth("queue://Consumer.A.VirtualTopic.X"), 1U);
  EXPECT_EQ(depth("queue://Consumer.B.VirtualTopic.X"), 2U);
  engine_->disconnect(red.id, now_);
  engine_->disconnect(all.id, now_);
  // Without a consumer nothing matches.
  publish(from, {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .color = "red"});
  EXPECT_EQ(depth("queue://Consumer.A.VirtualTopic.X"), 1U);
  EXPECT_EQ(depth("queue://Consumer.B.VirtualTopic.X"), 2U);
}

TEST_F(EngineRouteTest, FeedsAQueueThatCameBetweenSendAndCommit) {
  const auto from = connect();
  const auto transaction = *engine_->begin(from.id);
  publish(from, {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "1"},
          transaction);
  subscribe(connect(), {.name = "Consumer.A.VirtualTopic.X"});
  ASSERT_EQ(engine_->commit(transaction, 0, now_).disposition, Disposition::done);
  EXPECT_EQ(bodies(deliveries()), (Texts{"1"}));
}

TEST_F(EngineRouteTest, FeedsTheQueuesOfATopicThatOnlyForwards) {
  VirtualDestinations virtuals;
  virtuals.composites.push_back({topic("VirtualTopic.X"), {{queue("x"), ""}}, true, false});
  configure(virtuals);
  subscribe(connect(), {.name = "Consumer.A.VirtualTopic.X"});
  subscribe(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.X"});
  publish(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.X", .body = "1"});
  EXPECT_EQ(places(deliveries()), (Texts{"1@queue://Consumer.A.VirtualTopic.X"}));
  EXPECT_EQ(places(drain("x")), (Texts{"1@queue://x"}));
}

// --- mirrored queues -----------------------------------------------------------------------------

TEST_F(EngineRouteTest, MirrorsEverySendToAQueue) {
  VirtualDestinations virtuals;
  virtuals.mirrored = MirroredQueues{};
  virtuals.composites.push_back({queue("in"), {{queue("out"), ""}}, true, false});
  configure(virtuals);
  subscribe(connect(), {.name = "Consumer.A.VirtualTopic.Mirror.q"});
  subscribe(connect(), {.kind = DestinationKind::topic, .name = "VirtualTopic.Mirror.>"});
  const auto from = connect();
  publish(from, {.name = "q", .body = "1"});
  publish(from, {.name = "in", .body = "2"});
  auto texts = places(deliveries());
  std::sort(texts.begin(), texts.end());
  // The queue that looks at the mirror is a queue, but the pattern has had the message then.
  EXPECT_EQ(texts, (Texts{"1@queue://Consumer.A.VirtualTopic.Mirror.q",
                          "1@topic://VirtualTopic.Mirror.q", "2@topic://VirtualTopic.Mirror.out"}));
  EXPECT_EQ(places(drain("q")), (Texts{"1"}));
  EXPECT_EQ(places(drain("out")), (Texts{"2@queue://out"}));
}

// --- one subscription, several destinations ------------------------------------------------------

// Goal: what an automatic consumer of queue and topic has in its socket gives its credit back,
// whichever of the two it came from.
TEST_F(EngineRouteTest, AnAutomaticConsumerOfQueueAndTopicKeepsItsCredit) {
  const auto from = connect();
  const auto who = connect();
  SubscribeOptions options;
  options.interests = {{queue("a"), "", false}, {topic("t"), "", false}};
  options.prefetch = 4;
  ASSERT_TRUE(engine_->subscribe(who.id, options, now_));
  for (int i = 0; i < 20; ++i) {
    publish(from, {.name = "a", .body = "queue"});
    publish(from, {.kind = DestinationKind::topic, .name = "t", .body = "topic"});
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 2U) << i;
    engine_->written(who.id, got.back().number, now_);
  }
}

// Goal: a queue that goes takes what is on its way from it along, and no credit for what is not.
TEST_F(EngineRouteTest, ADeletedQueueGivesNoCreditTwice) {
  const auto from = connect();
  const auto who = connect();
  SubscribeOptions options;
  options.interests = {{queue("p.>"), "", false}, {topic("t"), "", false}};
  options.prefetch = 2;
  ASSERT_TRUE(engine_->subscribe(who.id, options, now_));
  publish(from, {.name = "p.1"});
  const auto first = deliveries();
  ASSERT_EQ(first.size(), 1U);
  ASSERT_TRUE(engine_->delete_queue(queue("p.1"), QueueDeletion::forced, now_));
  for (int i = 0; i < 5; ++i) publish(from, {.kind = DestinationKind::topic, .name = "t"});
  ASSERT_EQ(deliveries().size(), 2U);
  engine_->written(who.id, first[0].number, now_);
  EXPECT_TRUE(deliveries().empty()) << "two are in its socket";
}

}  // namespace
}  // namespace pabal::core
