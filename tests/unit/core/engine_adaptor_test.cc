#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/core/engine_fixture.h"

// What adaptors with credit, temporaries and connections of their clients' own naming ask for.

namespace pabal::core {
namespace {

class EngineAdaptorTest : public EngineFixture {
 protected:
  Result<ConnectionDetails> connect_as(const std::string& instance, const std::string& user = "u") {
    ConnectOptions options;
    options.client_id = "client";
    options.user = user;
    options.instance = instance;
    options.remote = "tcp://" + instance;
    return engine_->connect(options);
  }
};

TEST_F(EngineAdaptorTest, CreditIsSetAnew) {
  const auto who = connect();
  fill(who, 10);
  Sub sub;
  sub.prefetch = 2;
  const auto subscription = subscribe(who, sub);
  EXPECT_EQ(bodies(deliveries()), numbers(1, 2));
  ASSERT_TRUE(engine_->set_credit(subscription, 5, 0, now_));
  EXPECT_EQ(bodies(deliveries()), numbers(3, 5));
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 1, now_));
  EXPECT_EQ(bodies(deliveries()), numbers(6, 6));
  // What was granted is used up, and is not added to.
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 1, now_));
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 1, now_));
  EXPECT_EQ(bodies(deliveries()), numbers(7, 7));
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 1, now_));
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 0, now_));
  EXPECT_TRUE(deliveries().empty()) << "taken back before it was used";
  EXPECT_FALSE(engine_->set_credit(SubscriptionId{999}, 1, 0, now_));
}

TEST_F(EngineAdaptorTest, WhetherSomethingMayStillComeIsKnown) {
  const auto who = connect();
  Sub sub;
  sub.prefetch = 0;
  const auto subscription = subscribe(who, sub);
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 1, now_));
  EXPECT_TRUE(deliveries().empty());
  EXPECT_FALSE(engine_->may_deliver_soon(subscription));
  fill(who, 1);
  EXPECT_TRUE(engine_->may_deliver_soon(subscription));
  EXPECT_EQ(bodies(deliveries()), numbers(1, 1));
  EXPECT_FALSE(engine_->may_deliver_soon(SubscriptionId{999}));
}

TEST_F(EngineAdaptorTest, WhatIsOnDiskMayStillCome) {
  EngineLimits limits;
  limits.window_bytes_max = 0;
  open({}, limits);
  const auto who = connect();
  fill(who, 3);
  run();
  Sub sub;
  sub.prefetch = 0;
  const auto subscription = subscribe(who, sub);
  while (engine_->run(now_)) {
  }
  ASSERT_TRUE(engine_->set_credit(subscription, 0, 1, now_));
  while (engine_->run(now_)) {
  }
  EXPECT_TRUE(engine_->may_deliver_soon(subscription)) << "its page has been asked for";
  EXPECT_EQ(bodies(deliveries()), numbers(1, 1));
}

TEST_F(EngineAdaptorTest, WhatTheApplicationNeverSawIsNotCounted) {
  const auto who = connect();
  fill(who, 4);
  const auto subscription = subscribe(who, {});
  const auto first = deliveries();
  ASSERT_EQ(first.size(), 4U);
  ASSERT_TRUE(engine_->unsubscribe(subscription, first[1].id, now_));
  subscribe(who, {});
  const auto again = deliveries();
  ASSERT_EQ(bodies(again), numbers(1, 4)) << "in their old order";
  EXPECT_EQ(again[0].deliveries, 1U);
  EXPECT_EQ(again[1].deliveries, 1U);
  EXPECT_EQ(again[2].deliveries, 0U);
  EXPECT_EQ(again[3].deliveries, 0U);
  EXPECT_TRUE(again[0].redelivered);
  EXPECT_FALSE(again[2].redelivered);
}

TEST_F(EngineAdaptorTest, ATemporaryHasTheNameOfItsClientsChoice) {
  const auto owner = connect();
  const auto other = connect();
  const Destination queue{DestinationKind::temporary_queue, "ID:host-1:1"};
  const Destination topic{DestinationKind::temporary_topic, "ID:host-1:1"};
  ASSERT_TRUE(engine_->create_temporary(owner.id, queue));
  ASSERT_TRUE(engine_->create_temporary(owner.id, topic));
  EXPECT_TRUE(engine_->create_temporary(owner.id, queue)) << "again: nothing changes";
  const auto taken = engine_->create_temporary(other.id, queue);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::already_exists);

  Send send;
  send.kind = DestinationKind::temporary_queue;
  send.name = queue.name;
  EXPECT_EQ(publish(other, send).disposition, Disposition::done) << "anybody may answer to it";
  Sub sub;
  sub.kind = DestinationKind::temporary_queue;
  sub.name = queue.name;
  EXPECT_FALSE(try_subscribe(other, sub));
  const auto subscription = subscribe(owner, sub);
  EXPECT_EQ(deliveries().size(), 1U);

  auto deleted = engine_->delete_temporary(owner.id, queue, now_);
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().code, Errc::in_use);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  deleted = engine_->delete_temporary(other.id, queue, now_);
  ASSERT_FALSE(deleted);
  EXPECT_EQ(deleted.error().code, Errc::not_found);
  EXPECT_TRUE(engine_->has_temporary(queue));
  EXPECT_TRUE(engine_->delete_temporary(owner.id, queue, now_));
  EXPECT_FALSE(engine_->has_temporary(queue));
  const auto gone = publish(other, send);
  EXPECT_EQ(gone.disposition, Disposition::failed);
  EXPECT_TRUE(engine_->create_temporary(other.id, queue)) << "the name is free";
}

TEST_F(EngineAdaptorTest, ATemporaryMustNotLookLikeAnythingElse) {
  const auto who = connect();
  fill(who, 1, "taken");
  const auto create = [&](DestinationKind kind, const std::string& name) {
    const auto made = engine_->create_temporary(who.id, Destination{kind, name});
    return made ? std::optional<Errc>() : std::optional(made.error().code);
  };
  EXPECT_EQ(create(DestinationKind::temporary_queue, "taken"), Errc::already_exists);
  EXPECT_EQ(create(DestinationKind::temporary_queue, "a.>"), Errc::bad_destination);
  EXPECT_EQ(create(DestinationKind::temporary_topic, ""), Errc::bad_destination);
  EXPECT_EQ(create(DestinationKind::queue, "q"), Errc::invalid_argument);
}

TEST_F(EngineAdaptorTest, AllTemporariesAreListedByPages) {
  const auto one = connect();
  const auto two = connect();
  for (const char* name : {"c", "a"}) {
    ASSERT_TRUE(engine_->create_temporary(one.id, {DestinationKind::temporary_queue, name}));
  }
  ASSERT_TRUE(engine_->create_temporary(two.id, {DestinationKind::temporary_topic, "b"}));
  auto page = engine_->temporaries(nullptr, 2);
  ASSERT_EQ(page.size(), 2U);
  EXPECT_EQ(page[0].name, "a");
  EXPECT_EQ(page[1].name, "c");
  const Destination last = page.back();
  page = engine_->temporaries(&last, 2);
  ASSERT_EQ(page.size(), 1U);
  EXPECT_EQ(page[0].name, "b");
  engine_->disconnect(one.id, now_);
  EXPECT_EQ(engine_->temporaries(nullptr, 10).size(), 1U);
}

TEST_F(EngineAdaptorTest, AConnectionThatItsClientLostIsTakenOver) {
  const auto lost = connect_as("connection-1");
  ASSERT_TRUE(lost);
  fill(*lost, 1);
  subscribe(*lost, {});
  EXPECT_EQ(deliveries().size(), 1U);

  EXPECT_FALSE(connect_as("connection-2")) << "another connection of the client id";
  EXPECT_FALSE(connect_as("")) << "a client id that is in use";
  EXPECT_FALSE(connect_as("connection-1", "somebody else"));
  EXPECT_TRUE(engine_->is_connected(lost->id));
  const auto back = connect_as("connection-1");
  ASSERT_TRUE(back);
  EXPECT_FALSE(engine_->is_connected(lost->id));
  const auto& effects = engine_->outbox(HomeId{}).effects;
  ASSERT_FALSE(effects.empty());
  EXPECT_EQ(effects.back().connection, lost->id);
  EXPECT_EQ(effects.back().order, ConnectionOrder::close);
  EXPECT_EQ(effects.back().cause, CloseCause::taken_over);
  subscribe(*back, {});
  const auto again = deliveries();
  ASSERT_EQ(again.size(), 1U);
  EXPECT_TRUE(again[0].redelivered);
}

}  // namespace
}  // namespace pabal::core
