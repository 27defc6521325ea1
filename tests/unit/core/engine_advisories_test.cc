#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/advisory.h"
#include "core/session.h"
#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

constexpr auto kQueue = DestinationKind::queue;
constexpr auto kTopic = DestinationKind::topic;

class AdvisoryTest : public EngineFixture {
 protected:
  /// Somebody who hears of everything that `pattern` matches.
  struct Listener {
    ConnectionDetails who;
    SubscriptionId id;
  };
  Listener listen(const std::string& pattern, AckMode mode = AckMode::automatic) {
    Listener made{connect(), {}};
    made.id = subscribe(made.who, {.kind = kTopic, .name = pattern, .mode = mode});
    return made;
  }
  /// What it has heard since, as "topic kind".
  std::vector<Advisory> heard(const Listener& listener) {
    std::vector<Advisory> all;
    for (const auto& delivery : deliveries_of(listener)) {
      auto advisory = read_advisory(*delivery.message);
      EXPECT_TRUE(advisory) << delivery.message->destination_name();
      if (!advisory) continue;
      EXPECT_EQ(advisory_topic(*advisory), delivery.message->destination_name());
      EXPECT_EQ(delivery.message->type(), "Advisory");
      EXPECT_FALSE(delivery.message->persistent());
      EXPECT_EQ(delivery.message->priority(), 0);
      all.push_back(std::move(*advisory));
    }
    return all;
  }
  std::vector<Delivery> deliveries_of(const Listener& listener) {
    std::vector<Delivery> own;
    auto all = deliveries();
    for (auto& delivery : all) {
      if (delivery.subscription == listener.id) {
        own.push_back(delivery);
      } else {
        others_.push_back(delivery);
      }
      engine_->written(delivery.connection, delivery.number, now_);
    }
    return own;
  }
  std::vector<std::string> topics(const Listener& listener) {
    std::vector<std::string> names;
    for (const auto& delivery : deliveries_of(listener)) {
      names.emplace_back(delivery.message->destination_name().substr(kAdvisoryPrefix.size()));
    }
    return names;
  }
  ConnectionDetails connect_as(const std::string& name) {
    ConnectOptions options;
    options.client_id = "client of " + name;
    options.instance = name;
    options.user = "somebody";
    options.remote = "tcp://there";
    return *engine_->connect(options);
  }
  void policy(DestinationPolicy policy) {
    EngineSettings settings;
    settings.policies.set_default(std::make_shared<const DestinationPolicy>(std::move(policy)));
    engine_->configure(settings, now_);
  }
  static std::optional<Property> property(const Delivery& delivery, const char* name) {
    return delivery.message->property(name);
  }

  std::vector<Delivery> others_;
};

TEST_F(AdvisoryTest, TopicsOfPatterns) {
  EXPECT_EQ(advisory_topics_of("a.b", false), 0U);
  EXPECT_EQ(advisory_topics_of("ActiveMQ.Advisory", false), 0U);
  EXPECT_EQ(advisory_topics_of("ActiveMQ.Advisory.TempQueue", false),
            bit(AdvisoryTopic::temporary_queue));
  EXPECT_EQ(advisory_topics_of("ActiveMQ.*.Consumer.>", false), bit(AdvisoryTopic::consumer));
  const AdvisoryTopics all = advisory_topics_of(">", false);
  for (const char* pattern :
       {"ActiveMQ.>", "ActiveMQ.Advisory.>", "*.*.>", "ActiveMQ.Advisory.*"}) {
    EXPECT_EQ(advisory_topics_of(pattern, false), all) << pattern;
  }
  EXPECT_EQ(advisory_topics_of(">", true), 0U) << "MQTT's # means no advisories";
  EXPECT_EQ(advisory_topics_of("ActiveMQ.Advisory.>", true), all);
  EXPECT_EQ(advisory_topics_of("ActiveMQ.>", true), all);
}

TEST_F(AdvisoryTest, EveryFactSurvivesTheWayToTheReader) {
  Advisory told;
  told.kind = AdvisoryKind::consumer_started;
  told.connection = "c";
  told.client_id = "id";
  told.user = "u";
  told.remote = "r";
  told.number = {-1, 7};
  told.destination = Destination{kQueue, "a,b"};
  told.selector = "x = 1";
  told.durable_name = "d";
  told.prefetch = 4'000'000'000U;
  told.priority = -3;
  told.browser = told.exclusive = true;
  told.count = -2;
  told.usage = "full";
  told.message = message(connect(), {.body = "the body"});
  told.target_connection = "t";
  told.target = {3, -4};
  MessageBuilder builder;
  std::string topic;
  std::string body;
  fill_advisory(builder, told, {"ID:b", "name", "tcp://b"}, topic, body);
  const auto built = builder.build();
  ASSERT_TRUE(built);
  EXPECT_EQ((*built)->destination_name(), "ActiveMQ.Advisory.Consumer.Queue.a&sbquo;b");
  EXPECT_EQ((*built)->property("originBrokerURL")->text, "tcp://b");
  const auto read = read_advisory(**built);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->connection, "c");
  EXPECT_EQ(read->number, told.number);
  EXPECT_EQ(read->target, told.target);
  EXPECT_EQ(read->destination, told.destination);
  EXPECT_EQ(read->prefetch, told.prefetch);
  EXPECT_EQ(read->priority, -3);
  EXPECT_TRUE(read->browser && read->exclusive && !read->no_local && !read->retroactive);
  EXPECT_EQ(read->count, -2);
  EXPECT_EQ(read->message->body(), "the body");
}

TEST_F(AdvisoryTest, WhatIsNoAdvisoryIsNotReadAsOne) {
  MessageBuilder builder;
  builder.destination_kind = kTopic;
  builder.destination_name = "ActiveMQ.Advisory.Queue";
  builder.type = "Advisory";
  for (const std::string body : {"", "x", "\x01\x01", "\x01\xFF\xFF", "\x02"}) {
    builder.body = body;
    EXPECT_FALSE(read_advisory(**builder.build())) << body.size();
  }
}

TEST_F(AdvisoryTest, ConnectionsComeAndGo) {
  const auto early = connect_as("early");
  const auto listener = listen("ActiveMQ.Advisory.Connection");
  auto told = heard(listener);
  ASSERT_EQ(told.size(), 2U) << "what was there before, itself included";
  EXPECT_EQ(told[0].connection, "early");
  EXPECT_EQ(told[0].client_id, "client of early");
  EXPECT_EQ(told[0].user, "somebody");
  EXPECT_EQ(told[0].remote, "tcp://there");
  EXPECT_EQ(told[0].target_connection, told[1].connection) << "told to the listener";
  const auto late = connect_as("late");
  engine_->disconnect(late.id, now_);
  told = heard(listener);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, AdvisoryKind::connection_started);
  EXPECT_TRUE(told[0].target_connection.empty()) << "told to everybody";
  EXPECT_EQ(told[1].kind, AdvisoryKind::connection_ended);
  EXPECT_EQ(told[1].connection, "late");
  engine_->disconnect(early.id, now_);
}

TEST_F(AdvisoryTest, ConsumersComeAndGoWithTheirCount) {
  const auto who = connect_as("one");
  SubscribeOptions options;
  options.interests.push_back({Destination{kQueue, "q"}, "a = 1", false});
  options.number = {2, 5};
  options.prefetch = 17;
  options.exclusive = true;
  const auto before = *engine_->subscribe(who.id, options, now_);
  const auto listener = listen("ActiveMQ.Advisory.Consumer.Queue.q");
  auto told = heard(listener);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].connection, "one");
  EXPECT_EQ(told[0].number, (ClientNumber{2, 5}));
  EXPECT_EQ(told[0].selector, "a = 1");
  EXPECT_EQ(told[0].prefetch, 17U);
  EXPECT_TRUE(told[0].exclusive);
  EXPECT_EQ(told[0].count, 1);
  const auto second = subscribe(who, {});
  subscribe(who, {.name = "other"});
  ASSERT_TRUE(engine_->unsubscribe(before, now_));
  told = heard(listener);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].count, 2);
  EXPECT_NE(told[0].number, (ClientNumber{2, 5})) << "it has a number though it was given none";
  EXPECT_EQ(told[1].kind, AdvisoryKind::consumer_ended);
  EXPECT_EQ(told[1].number, (ClientNumber{2, 5}));
  EXPECT_EQ(told[1].count, 1);
  ASSERT_TRUE(engine_->unsubscribe(second, now_));
  EXPECT_EQ(heard(listener).at(0).count, 0);
}

TEST_F(AdvisoryTest, CountsAreProperties) {
  const auto listener = listen("ActiveMQ.Advisory.Consumer.>");
  subscribe(connect(), {.kind = kTopic, .name = "t"});
  const auto told = deliveries_of(listener);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].message->destination_name(), "ActiveMQ.Advisory.Consumer.Topic.t");
  EXPECT_EQ(property(told[0], "consumerCount")->integer, 1);
  EXPECT_EQ(property(told[0], "originBrokerName")->text, "localhost");
}

TEST_F(AdvisoryTest, OfListenersToAdvisoriesNothingIsTold) {
  const auto listener = listen("ActiveMQ.Advisory.>");
  topics(listener);
  const auto other = connect();
  subscribe(other, {.kind = kTopic, .name = "ActiveMQ.Advisory.Queue"});
  ProducerOptions producer;
  producer.destination = Destination{kTopic, "ActiveMQ.Advisory.Queue"};
  ASSERT_TRUE(engine_->add_producer(other.id, producer, now_));
  EXPECT_EQ(topics(listener), (std::vector<std::string>{"Connection"}));
}

TEST_F(AdvisoryTest, ProducersComeAndGo) {
  const auto who = connect_as("one");
  const auto listener = listen("ActiveMQ.Advisory.Producer.>");
  ProducerOptions options;
  options.destination = Destination{kTopic, "t"};
  options.number = {1, 4};
  const auto first = *engine_->add_producer(who.id, options, now_);
  const auto second = *engine_->add_producer(who.id, options, now_);
  const auto anonymous = *engine_->add_producer(who.id, {}, now_);
  engine_->remove_producer(first, now_);
  engine_->remove_producer(first, now_);
  auto told = heard(listener);
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[1].count, 2);
  EXPECT_EQ(told[2].kind, AdvisoryKind::producer_ended);
  EXPECT_EQ(told[2].number, (ClientNumber{1, 4}));
  EXPECT_EQ(told[2].count, 1);
  const auto late = listen("ActiveMQ.Advisory.Producer.Topic.t");
  EXPECT_EQ(heard(late).size(), 1U) << "those that are there";
  engine_->disconnect(who.id, now_);
  told = heard(listener);
  ASSERT_EQ(told.size(), 1U) << "the others end with their connection";
  EXPECT_EQ(told[0].count, 0);
  engine_->remove_producer(second, now_);
  engine_->remove_producer(anonymous, now_);
}

TEST_F(AdvisoryTest, ProducersWithoutADestinationAreToldOfIfSoConfigured) {
  EngineSettings settings;
  settings.advisories.anonymous_producers = true;
  engine_->configure(settings, now_);
  const auto listener = listen("ActiveMQ.Advisory.Producer.>");
  ASSERT_TRUE(engine_->add_producer(connect().id, {}, now_));
  EXPECT_EQ(topics(listener), std::vector<std::string>{"Producer.Anonymous"});
}

TEST_F(AdvisoryTest, QueuesAndTopicsComeAndGo) {
  const auto who = connect();
  subscribe(who, {.kind = kTopic, .name = "early"});
  fill(who, 1, "before");
  const auto listener = listen("ActiveMQ.Advisory.*");
  std::vector<std::string> names;
  for (const auto& each : heard(listener)) {
    if (each.destination) names.push_back(each.destination->to_text());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"queue://before", "topic://early"}));
  fill(who, 1, "q");
  const auto topic = subscribe(who, {.kind = kTopic, .name = "t"});
  subscribe(who, {.kind = kTopic, .name = "t.>"});
  const auto again = subscribe(connect("c"), {.kind = kTopic, .name = "t", .durable = "d"});
  ASSERT_TRUE(engine_->unsubscribe(topic, now_));
  ASSERT_TRUE(engine_->unsubscribe(again, now_));
  auto told = heard(listener);
  std::erase_if(told, [](const auto& each) { return !each.destination; });
  ASSERT_EQ(told.size(), 2U) << "the durable subscription is still there";
  EXPECT_EQ(told[0].destination->to_text(), "queue://q");
  EXPECT_EQ(told[1].destination->to_text(), "topic://t");
  ASSERT_TRUE(engine_->delete_durable("c", "d", now_));
  ASSERT_TRUE(engine_->delete_queue({kQueue, "q"}, QueueDeletion::forced, now_));
  told = heard(listener);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, AdvisoryKind::destination_removed);
  EXPECT_EQ(told[0].destination->to_text(), "topic://t");
  EXPECT_EQ(told[1].kind, AdvisoryKind::destination_removed);
  EXPECT_EQ(told[1].destination->to_text(), "queue://q");
}

TEST_F(AdvisoryTest, ARemovedDurableSubscriptionIsToldOf) {
  const auto who = connect("c");
  const auto durable = subscribe(who, {.kind = kTopic, .name = "t", .durable = "d"});
  const auto listener = listen("ActiveMQ.Advisory.Consumer.Topic.t");
  EXPECT_EQ(heard(listener).at(0).durable_name, "d");
  ASSERT_TRUE(engine_->unsubscribe(durable, now_));
  ASSERT_TRUE(engine_->delete_durable("c", "d", now_));
  const auto told = heard(listener);
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[1].kind, AdvisoryKind::durable_removed);
  EXPECT_EQ(told[1].client_id, "c");
  EXPECT_EQ(told[1].durable_name, "d");
}

// --- temporaries ---------------------------------------------------------------------------------

TEST_F(AdvisoryTest, TemporariesOfAllComeAndGo) {
  const auto old = connect();
  const auto before = *engine_->create_temporary(old.id, DestinationKind::temporary_topic);
  const auto listener = listen("ActiveMQ.Advisory.*");
  std::vector<Advisory> told = heard(listener);
  std::erase_if(told, [](const auto& each) { return !each.destination; });
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].destination, before);
  const auto who = connect();
  const auto made = *engine_->create_temporary(who.id, DestinationKind::temporary_queue);
  told = heard(listener);
  std::erase_if(told, [](const auto& each) { return !each.destination; });
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].destination, made);
  EXPECT_EQ(made.name.rfind(told[0].connection + ':', 0), 0U)
      << "clients take the owner from the name: " << made.name << ", " << told[0].connection;
  ASSERT_TRUE(engine_->delete_temporary(who.id, made, now_));
  const auto other = *engine_->create_temporary(who.id, DestinationKind::temporary_queue);
  engine_->disconnect(who.id, now_);
  told = heard(listener);
  std::erase_if(told, [](const auto& each) { return !each.destination; });
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[0].kind, AdvisoryKind::destination_removed);
  EXPECT_EQ(told[0].destination, made);
  EXPECT_EQ(told[2].kind, AdvisoryKind::destination_removed);
  EXPECT_EQ(told[2].destination, other);
}

TEST_F(AdvisoryTest, ATemporaryIsToldOfBeforeAnyMessageThatMayNameIt) {
  const auto listener = listen("ActiveMQ.Advisory.TempQueue");
  const auto requests = subscribe(listener.who, {.kind = kTopic, .name = "requests"});
  run();
  const auto who = connect();
  ASSERT_TRUE(engine_->create_temporary(who.id, DestinationKind::temporary_queue));
  publish(who, {.kind = kTopic, .name = "requests", .persistent = false});
  const auto all = deliveries();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].subscription, listener.id);
  EXPECT_EQ(all[1].subscription, requests);
}

TEST_F(AdvisoryTest, WhoHasManyTemporariesToHearOfGetsNothingElseBefore) {
  EngineLimits limits;
  limits.steps_per_entry_max = 64;
  limits.unwritten_bytes_max = 4096;
  open({}, limits);
  const auto owner = connect();
  constexpr int kMany = 2000;
  for (int i = 0; i < kMany; ++i) {
    ASSERT_TRUE(engine_->create_temporary(owner.id, DestinationKind::temporary_queue));
  }
  fill(owner, 5, "requests");
  const auto who = connect();
  const auto advisories = subscribe(
      who, {.kind = kTopic, .name = "ActiveMQ.Advisory.TempQueue", .mode = AckMode::automatic});
  const auto worker = subscribe(who, {.name = "requests"});
  int told = 0;
  int worked = 0;
  for (int rounds = 0; rounds < 10'000 && worked < 5; ++rounds) {
    (void)engine_->run(now_);
    store_->deliver();
    std::vector<Delivery> taken;
    taken.swap(engine_->outbox(HomeId{}).deliveries);
    for (const auto& delivery : taken) {
      if (delivery.subscription == worker) {
        EXPECT_EQ(told, kMany);
        ++worked;
      } else {
        ASSERT_EQ(delivery.subscription, advisories);
        ++told;
      }
    }
    if (!taken.empty()) engine_->written(who.id, taken.back().number, now_);
  }
  EXPECT_EQ(told, kMany);
  EXPECT_EQ(worked, 5);
}

TEST_F(AdvisoryTest, AListenerThatLeavesInTheMiddleHoldsNobodyUp) {
  EngineLimits limits;
  limits.unwritten_bytes_max = 4096;
  open({}, limits);
  const auto owner = connect();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(engine_->create_temporary(owner.id, DestinationKind::temporary_queue));
  }
  fill(owner, 1);
  const auto who = connect();
  const auto advisories = subscribe(
      who, {.kind = kTopic, .name = "ActiveMQ.Advisory.TempQueue", .mode = AckMode::automatic});
  const auto worker = subscribe(who, {});
  auto taken = deliveries();
  ASSERT_FALSE(taken.empty());
  ASSERT_TRUE(engine_->unsubscribe(advisories, now_));
  engine_->written(who.id, taken.back().number, now_);
  taken = deliveries();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].subscription, worker);
}

TEST_F(AdvisoryTest, TwoListenersOfOneConnectionDoNotWaitForEachOther) {
  const auto who = connect();
  Sub sub{.kind = kTopic, .name = "ActiveMQ.Advisory.TempQueue", .mode = AckMode::automatic};
  sub.prefetch = 1;
  subscribe(who, sub);
  sub.name = "ActiveMQ.Advisory.TempTopic";
  const Listener second{who, subscribe(who, sub)};
  const auto owner = connect();
  run();
  for (const auto kind : {DestinationKind::temporary_queue, DestinationKind::temporary_queue,
                          DestinationKind::temporary_topic}) {
    ASSERT_TRUE(engine_->create_temporary(owner.id, kind));
  }
  std::size_t told = 0;
  for (int i = 0; i < 5; ++i) told += heard(second).size();
  EXPECT_EQ(told, 1U);
  EXPECT_EQ(others_.size(), 2U);
}

TEST_F(AdvisoryTest, WhoBecomesAPullConsumerHoldsNobodyUp) {
  const auto owner = connect();
  fill(owner, 1);
  const auto who = connect();
  Sub sub{.kind = kTopic, .name = "ActiveMQ.Advisory.TempQueue", .mode = AckMode::automatic};
  sub.prefetch = 1;
  const auto advisories = subscribe(who, sub);
  run();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(engine_->create_temporary(owner.id, DestinationKind::temporary_queue));
  }
  EXPECT_EQ(deliveries().size(), 1U);
  const auto worker = subscribe(who, {});
  EXPECT_TRUE(deliveries().empty()) << "a temporary is to be told of before";
  ASSERT_TRUE(engine_->set_credit(advisories, 0, 0, now_));
  const auto taken = deliveries();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].subscription, worker);
}

TEST_F(AdvisoryTest, APullConsumerOfAdvisoriesHoldsNobodyUp) {
  const auto owner = connect();
  ASSERT_TRUE(engine_->create_temporary(owner.id, DestinationKind::temporary_queue));
  fill(owner, 1);
  const auto who = connect();
  const auto advisories = subscribe(who, {.kind = kTopic,
                                          .name = "ActiveMQ.Advisory.TempQueue",
                                          .mode = AckMode::automatic,
                                          .prefetch = 0});
  subscribe(who, {});
  EXPECT_EQ(deliveries().size(), 1U) << "the queue's message";
  ASSERT_TRUE(engine_->grant(advisories, 1, now_));
  EXPECT_EQ(deliveries().size(), 1U) << "the advisory";
}

// --- who hears, and who may not send -------------------------------------------------------------

TEST_F(AdvisoryTest, NobodyElseSendsThem) {
  const auto who = connect();
  const auto listener = listen("ActiveMQ.Advisory.TempQueue");
  const Send forged{.kind = kTopic, .name = "ActiveMQ.Advisory.TempQueue", .persistent = false};
  auto outcome = publish(who, forged);
  ASSERT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(outcome.error->code, Errc::bad_destination);
  const auto transaction = *engine_->begin(who.id);
  EXPECT_EQ(publish(who, forged, transaction).disposition, Disposition::failed);
  SendOptions several;
  several.targets = std::make_shared<const std::vector<Destination>>(
      std::vector<Destination>{{kQueue, "q"}, {kTopic, "ActiveMQ.Advisory.TempQueue"}});
  outcome = engine_->publish(who.id, message(who, {}), several, now_);
  EXPECT_EQ(outcome.disposition, Disposition::failed);
  EXPECT_EQ(view("queue://q").depth, 0U) << "all or none";
  EXPECT_TRUE(deliveries_of(listener).empty());
  EXPECT_EQ(publish(who, {.kind = kTopic, .name = "ActiveMQ.AdvisoryNot"}).disposition,
            Disposition::done);
  EXPECT_EQ(publish(who, {.name = "ActiveMQ.Advisory.TempQueue"}).disposition, Disposition::done)
      << "a queue may have the name";
}

TEST_F(AdvisoryTest, NoWillForgesThem) {
  ConnectOptions options;
  options.client_id = "c";
  auto session = std::make_shared<SessionRequest>();
  auto will = std::make_shared<Will>();
  will->message = message(connect(), {.kind = kTopic, .name = "ActiveMQ.Advisory.Queue"});
  session->will = will;
  options.session = session;
  const auto refused = engine_->connect(options, now_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_destination);
}

TEST_F(AdvisoryTest, NothingIsKeptForWhoIsAway) {
  const auto who = connect("c");
  EXPECT_EQ(try_subscribe(who, {.kind = kTopic, .name = "ActiveMQ.Advisory.>", .durable = "d"})
                .error()
                .code,
            Errc::not_supported);
  const auto durable = subscribe(who, {.kind = kTopic, .name = ">", .durable = "d"});
  connect();
  EXPECT_TRUE(deliveries().empty());
  publish(who, {.kind = kTopic, .name = "t"});
  const auto taken = deliveries();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].subscription, durable);
}

TEST_F(AdvisoryTest, AWildcardHearsUnlessItAsksForNamesOnly) {
  SubscribeOptions options;
  options.interests.push_back({Destination{kTopic, ">"}, "", false});
  options.advisories_by_name = false;
  const auto who = connect();
  const Listener all{who, *engine_->subscribe(who.id, options, now_)};
  options.advisories_by_name = true;
  const auto names = *engine_->subscribe(who.id, options, now_);
  run();
  others_.clear();
  connect();
  EXPECT_FALSE(deliveries_of(all).empty());
  for (const auto& other : others_) EXPECT_NE(other.subscription, names);
}

TEST_F(AdvisoryTest, SelectorsAndCompositesOfListeners) {
  SubscribeOptions options;
  options.ack_mode = AckMode::automatic;
  for (const char* name : {"ActiveMQ.Advisory.Consumer.Queue.q", "ActiveMQ.Advisory.>"}) {
    options.interests.push_back({Destination{kTopic, name}, "consumerCount = 2", false});
  }
  const auto who = connect();
  const Listener listener{who, *engine_->subscribe(who.id, options, now_)};
  subscribe(who, {});
  subscribe(who, {});
  const auto told = heard(listener);
  ASSERT_EQ(told.size(), 1U) << "once, though two interests match";
  EXPECT_EQ(told[0].count, 2);
}

TEST_F(AdvisoryTest, SwitchedOffNothingIsTold) {
  EngineSettings settings;
  settings.advisories.enabled = false;
  engine_->configure(settings, now_);
  const auto listener = listen("ActiveMQ.Advisory.>");
  const auto who = connect();
  ASSERT_TRUE(engine_->create_temporary(who.id, DestinationKind::temporary_queue));
  EXPECT_TRUE(topics(listener).empty());
  settings.advisories.enabled = true;
  engine_->configure(settings, now_);
  ASSERT_TRUE(engine_->create_temporary(who.id, DestinationKind::temporary_queue));
  EXPECT_EQ(topics(listener), std::vector<std::string>{"TempQueue"}) << "from here on";
}

TEST_F(AdvisoryTest, WhoIsTooFarBehindLosesThem) {
  EngineLimits limits;
  limits.unwritten_bytes_max = 4096;
  limits.topic_pending_bytes_max = 16'384;
  open({}, limits);
  const auto listener = listen("ActiveMQ.Advisory.Connection");
  run();
  for (int i = 0; i < 1000; ++i) engine_->disconnect(connect().id, now_);
  run();
  EXPECT_GT(engine_->snapshot().totals.dropped, 1000U);
  EXPECT_LT(engine_->snapshot().bytes_held, 32'768U);
  engine_->disconnect(listener.who.id, now_);
  run();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(AdvisoryTest, TheBrokerSaysThatItIsActive) {
  const auto listener = listen("ActiveMQ.Advisory.MasterBroker");
  const auto told = heard(listener);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, AdvisoryKind::broker_active);
  EXPECT_TRUE(told[0].target_connection.empty());
}

}  // namespace
}  // namespace pabal::core
