// What the engine tells the store to hold back, because its consumer will probably be done with it
// before it could be synced.

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

class EnginePassingTest : public EngineFixture {
 protected:
  void SetUp() override {
    store::MemoryStoreOptions options;
    options.manual_durability = true;
    open(options);
    sender_ = connect();
  }

  /// Sends one and takes it. The consumer acknowledges it before it is durable, or so much later.
  void pass(SubscriptionId subscription, const Send& send = {}) {
    (void)publish(sender_, send);
    for (const auto& delivery : deliveries()) {
      engine_->written(delivery.connection, delivery.number, now_);
      (void)ack(subscription, delivery);
    }
  }
  void pass_late(SubscriptionId subscription, milliseconds later, const Send& send = {}) {
    (void)publish(sender_, send);
    const auto got = deliveries();
    store_->make_durable(store_->submitted());
    run();
    now_ += later;
    for (const auto& delivery : got) (void)ack(subscription, delivery);
  }
  /// Ten send at once, again and again; all is acknowledged so much after it is durable.
  void several_send(SubscriptionId subscription, milliseconds later) {
    for (int i = 0; i < 100; ++i) {
      for (int sender = 0; sender < 10; ++sender) (void)publish(sender_, {});
      const auto got = deliveries();
      store_->make_durable(store_->submitted());
      run();
      now_ += later;
      for (const auto& delivery : got) (void)ack(subscription, delivery);
    }
  }
  /// Whether the next send is held back.
  bool held(const Send& send = {}) {
    const auto before = store_->batches_passing();
    (void)publish(sender_, send);
    return store_->batches_passing() > before;
  }
  SubscriptionId quick_consumer(const Sub& sub = {}) {
    const auto subscription = subscribe(connect(), sub);
    for (int i = 0; i < 100; ++i) pass(subscription);
    return subscription;
  }

  ConnectionDetails sender_;
};

TEST_F(EnginePassingTest, WhatGoesToAQuickConsumer) {
  quick_consumer();
  EXPECT_TRUE(held());
  EXPECT_GT(store_->batches_passing(), 50U);
}

TEST_F(EnginePassingTest, NotWhatGoesToAQueueNobodyHasReadYet) {
  EXPECT_FALSE(held());
  (void)subscribe(connect(), {});
  EXPECT_FALSE(held());
}

TEST_F(EnginePassingTest, NotWhatGoesToAConsumerSlowerThanTheDisk) {
  const auto subscription = quick_consumer();
  for (int i = 0; i < 500; ++i) pass_late(subscription, milliseconds(0));
  EXPECT_FALSE(held()) << "one sender alone, that would wait longer";
}

TEST_F(EnginePassingTest, OfSeveralSendersWhatGoesToAConsumerSlowerThanTheDisk) {
  const auto subscription = subscribe(connect(), {});
  several_send(subscription, milliseconds(0));
  EXPECT_GT(store_->batches_passing(), 0U);
}

TEST_F(EnginePassingTest, NotWhatGoesToAConsumerThatWorksForMilliseconds) {
  const auto subscription = subscribe(connect(), {});
  several_send(subscription, milliseconds(5));
  EXPECT_FALSE(held());
}

// Its senders wait for answers: with what is held back three times as long.
TEST_F(EnginePassingTest, NotWhereMoreIsSentWithout) {
  const auto subscription = quick_consumer();
  int waited = 0;
  int held_lately = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto before = store_->batches_passing();
    pass(subscription);
    const bool held = store_->batches_passing() > before;
    if (held && i >= 20'000) ++held_lately;
    waited += held ? 3 : 1;
    if (waited < 15) continue;
    waited = 0;
    now_ += milliseconds(1);
  }
  EXPECT_LT(held_lately, 8'000);
  EXPECT_GT(held_lately, 0) << "it is tried again";
}

TEST_F(EnginePassingTest, NotWhenTheConsumerHasLeft) {
  const auto subscription = quick_consumer();
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  run();
  EXPECT_FALSE(held());
}

TEST_F(EnginePassingTest, NotForLongWhenTheConsumerStopsAcknowledging) {
  quick_consumer();
  int held_back = 0;
  while (held() && held_back < 1000) ++held_back;
  EXPECT_LT(held_back, 500);
}

TEST_F(EnginePassingTest, NotWhatIsPartOfATransaction) {
  quick_consumer();
  const auto before = store_->batches_passing();
  const auto transaction = *engine_->begin(sender_.id);
  (void)publish(sender_, {}, transaction);
  ASSERT_NE(engine_->commit(transaction, 0, now_).disposition, Disposition::failed);
  EXPECT_EQ(store_->batches_passing(), before);
}

// After a crash it would come again: its consumer must not have seen it.
TEST_F(EnginePassingTest, NotWhatItsProducerSendsAgainAfterACrash) {
  quick_consumer();
  const auto before = store_->batches_passing();
  SendOptions options;
  options.identity = std::make_shared<const ProducerSequence>(ProducerSequence{"p", 1});
  (void)engine_->publish(sender_.id, message(sender_, {}), options, now_);
  EXPECT_EQ(store_->batches_passing(), before);
}

TEST_F(EnginePassingTest, NotWhatADurableSubscriptionHasAlsoToGet) {
  Sub durable;
  durable.kind = DestinationKind::topic;
  durable.name = "t";
  durable.durable = "d";
  const auto subscription = subscribe(connect("client"), durable);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  for (int i = 0; i < 100; ++i) pass(subscription, send);
  EXPECT_FALSE(held(send));
}

TEST_F(EnginePassingTest, EachQueueForItself) {
  quick_consumer();
  Sub other;
  other.name = "other";
  (void)subscribe(connect(), other);
  Send send;
  send.name = "other";
  EXPECT_FALSE(held(send));
  EXPECT_TRUE(held());
}

}  // namespace
}  // namespace pabal::core
