#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/core/xa_fixture.h"

namespace pabal::core {
namespace {

class EngineExplainTest : public XaFixture {
 protected:
  static Destination queue() { return {DestinationKind::queue, "q"}; }
  QueueExplanation explain() {
    run();
    const auto told = engine_->explain(queue());
    EXPECT_TRUE(told);
    return told ? *told : QueueExplanation{};
  }
  /// As `pabal explain q ID` finds it.
  std::vector<ListedMessage> list() {
    QueueTaskOptions options;
    options.queue = queue();
    const auto id = engine_->start_task(options, now_);
    EXPECT_TRUE(id);
    run();
    return engine_->take_task(*id)->messages;
  }
  MessageExplanation explain(const ListedMessage& listed) {
    const auto told = engine_->explain(queue(), listed);
    EXPECT_TRUE(told);
    return told ? *told : MessageExplanation{};
  }
  static bool mentions(const std::vector<std::string>& reasons, const std::string& text) {
    return std::any_of(reasons.begin(), reasons.end(),
                       [&](const auto& each) { return each.find(text) != std::string::npos; });
  }
};

TEST_F(EngineExplainTest, AnUnknownQueueIsNotFound) {
  EXPECT_EQ(engine_->explain(queue()).error().code, Errc::not_found);
}

TEST_F(EngineExplainTest, NobodyIsThere) {
  fill(connect(), 3);
  const auto told = explain();
  EXPECT_EQ(told.depth, 3U);
  EXPECT_EQ(told.reasons, std::vector<std::string>{"it has no consumer"});
  EXPECT_EQ(told.next, list()[0].message->id());
}

// Goal: of a queue deeper than memory, no message is said to be next that others stand before.
TEST_F(EngineExplainTest, WhatIsNextIsNotSaidWhileItIsOnDisk) {
  EngineLimits limits;
  limits.window_bytes_max = 4000;
  limits.list_window_bytes_max = 2000;
  open({}, limits);
  fill(connect(), 200);
  EXPECT_EQ(explain().next, "");
  const auto who = connect();
  Sub sub;
  sub.prefetch = 1;
  const auto subscription = subscribe(who, sub);
  for (int i = 1; i <= 200; ++i) {
    const auto got = deliveries();
    ASSERT_EQ(bodies(got), numbers(i, i));
    engine_->written(who.id, last_number_, now_);
    const auto told = explain();
    ASSERT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
    if (told.next.empty()) continue;
    ASSERT_EQ(told.next, list()[0].message->id()) << i;
  }
}

TEST_F(EngineExplainTest, WhatIsNextIsNotSaidWhileItIsSpilled) {
  EngineLimits limits;
  limits.memory_bytes_max = 40'000;
  limits.spilled_bytes_max = 1 << 30;
  limits.window_bytes_max = 20'000;
  limits.list_window_bytes_max = 4000;
  open({}, limits);
  const auto from = connect();
  for (int i = 0; i < 1000; ++i) {
    fill(from, 1, "q", false);
    run();
  }
  ASSERT_GT(engine_->snapshot().bytes_spilled, 0U);
  EXPECT_EQ(explain().next, "");
}

TEST_F(EngineExplainTest, AConsumerHasItsPrefetchUnacknowledged) {
  const auto who = connect("slow-one");
  fill(who, 3);
  Sub sub;
  sub.prefetch = 2;
  subscribe(who, sub);
  now_ += milliseconds(5000);
  ASSERT_EQ(deliveries().size(), 2U);
  now_ += milliseconds(7000);
  const auto told = explain();
  ASSERT_EQ(told.consumers.size(), 1U);
  EXPECT_EQ(told.consumers[0].client_id, "slow-one");
  EXPECT_EQ(told.consumers[0].out, 2U);
  EXPECT_EQ(told.consumers[0].oldest_since, to_millis(now_) - 7000);
  EXPECT_NE(told.consumers[0].blocked.find("its prefetch is 2"), std::string::npos);
  EXPECT_TRUE(mentions(told.reasons, "prefetch unacknowledged"));

  const auto listed = list();
  ASSERT_EQ(listed.size(), 3U);
  const auto out = explain(listed[0]);
  EXPECT_EQ(out.standing, Standing::out);
  EXPECT_EQ(out.client_id, "slow-one");
  EXPECT_EQ(out.since, to_millis(now_) - 7000);
  EXPECT_TRUE(mentions(out.reasons, "for 7 s"));
  EXPECT_EQ(explain(listed[2]).standing, Standing::waiting);
}

TEST_F(EngineExplainTest, NoSelectorMatches) {
  const auto who = connect();
  Send send;
  send.color = "blue";
  publish(who, send);
  Sub sub;
  sub.selector = "color = 'red'";
  subscribe(who, sub);
  const auto told = explain();
  ASSERT_EQ(told.scans.size(), 1U);
  EXPECT_TRUE(mentions(told.reasons, "color = 'red'"));
  const auto one = explain(list()[0]);
  ASSERT_EQ(one.matches.size(), 1U);
  EXPECT_FALSE(one.matches[0].matches);
  EXPECT_EQ(one.reasons[0], "no consumer's selector matches it");
}

TEST_F(EngineExplainTest, AcknowledgedInATransactionOfItsClient) {
  const auto who = connect("worker");
  fill(who, 1);
  const auto subscription = subscribe(who, {});
  const auto got = deliveries();
  const auto work = engine_->begin(who.id);
  ack(subscription, got[0], AckKind::consumed, *work);
  const std::int64_t begun = to_millis(now_);
  advance(milliseconds(200'000));
  const auto told = explain();
  EXPECT_EQ(told.in_transactions, 1U);
  ASSERT_EQ(told.transactions.size(), 1U);
  EXPECT_EQ(told.transactions[0].state, "open");
  EXPECT_EQ(told.transactions[0].xid, "");
  EXPECT_EQ(told.transactions[0].client_id, "worker");
  EXPECT_EQ(told.transactions[0].since, begun);
  EXPECT_TRUE(mentions(told.reasons,
                       "the transaction of client worker at tcp://test, open for 3 "
                       "min 20 s, holds 1 message"));
  const auto one = explain(list()[0]);
  EXPECT_EQ(one.transaction, raw(*work));
  EXPECT_EQ(one.transaction_since, begun);
  EXPECT_TRUE(mentions(one.reasons, "the transaction of client worker"));
}

/// Goal: whose XA branch holds a message is told while its connection lives, too: with the
/// delivery, without (its subscription has gone), active, prepared, and after a restart.
TEST_F(EngineExplainTest, AnXaBranchIsNamedWhateverBecomesOfItsConsumer) {
  for (const bool unsubscribes : {false, true}) {
    open();
    const auto who = connect("manager");
    fill(who, 2);
    const auto subscription = subscribe(who, {});
    const auto got = deliveries();
    ASSERT_EQ(got.size(), 2U);
    const auto work = start(who);
    ack(subscription, got[0], AckKind::consumed, work);
    if (unsubscribes) {
      ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
    }
    const auto check = [&](const std::string& state, const std::string& help) {
      const auto told = explain();
      ASSERT_EQ(told.transactions.size(), 1U) << state;
      EXPECT_EQ(told.transactions[0].xid, xid().to_text());
      EXPECT_EQ(told.transactions[0].state, state);
      EXPECT_EQ(told.transactions[0].client_id, "manager");
      EXPECT_EQ(told.transactions[0].acknowledgements, 1U);
      EXPECT_EQ(told.in_transactions, 1U);
      EXPECT_TRUE(mentions(told.reasons, "the " + state + " XA branch " + xid().to_text()));
      EXPECT_TRUE(mentions(told.reasons, help));
      const auto listed = list();
      ASSERT_EQ(listed.size(), 2U);
      const auto one = explain(listed[0]);
      EXPECT_EQ(one.standing, Standing::out);
      EXPECT_EQ(one.xid, xid().to_text());
      EXPECT_EQ(one.transaction_state, state);
      EXPECT_EQ(one.transaction_since, told.transactions[0].since);
      EXPECT_TRUE(mentions(one.reasons, "acknowledged in the " + state + " XA branch"));
      EXPECT_TRUE(mentions(one.reasons, help));
      EXPECT_EQ(explain(listed[1]).xid, "");
    };
    check("active", "pabal xa list --active");
    end(who);
    advance(milliseconds(5'000));
    ASSERT_EQ(prepare(who).disposition, Disposition::done);
    run();
    EXPECT_EQ(explain().transactions.at(0).since, to_millis(now_));
    check("prepared", "pabal xa rollback " + xid().to_text());
    engine_->disconnect(who.id, now_);
    check("prepared", "pabal xa commit " + xid().to_text());
    restart(store_->submitted());
    check("prepared", "pabal xa commit " + xid().to_text());
  }
}

/// Goal: what was sent and nobody sees yet is told with its queue; of prepared branches also when
/// the messages are on disk only.
TEST_F(EngineExplainTest, SendsThatAreNotCommittedAreTold) {
  EngineLimits limits;
  limits.prepared_bytes_max = 1;
  open({}, limits);
  ASSERT_TRUE(engine_->create_queue("q"));
  ASSERT_TRUE(engine_->create_queue("other"));
  const auto who = connect("sender");
  const auto local = engine_->begin(who.id);
  Send send;
  publish(who, send, *local);
  EXPECT_EQ(explain().sent_in_transactions, 1U);
  EXPECT_EQ(explain().depth, 0U);
  EXPECT_TRUE(mentions(explain().reasons,
                       "sent 1 message here that nobody sees before it commits; it ends with"));
  ASSERT_EQ(engine_->rollback(*local, now_).disposition, Disposition::done);
  EXPECT_EQ(explain().sent_in_transactions, 0U);

  const auto work = start(who);
  send_in(who, work, "q", "1");
  send_in(who, work, "q", "2");
  send_in(who, work, "q", "3", false);
  send_in(who, work, "other", "4");
  EXPECT_EQ(explain().sent_in_transactions, 3U);
  end(who);
  ASSERT_EQ(prepare(who).disposition, Disposition::done);
  EXPECT_EQ(explain().sent_in_transactions, 3U);
  ASSERT_EQ(explain().transactions.size(), 1U);
  EXPECT_EQ(explain().transactions[0].sends, 3U);
  EXPECT_TRUE(mentions(explain().reasons, "sent 3 messages here that nobody sees"));
  EXPECT_TRUE(mentions(explain().reasons, "'pabal xa commit " + xid().to_text() + "'"));
  restart(store_->submitted());
  EXPECT_EQ(explain().sent_in_transactions, 2U);
  ASSERT_EQ(commit(connect()).disposition, Disposition::parked);
  run();
  EXPECT_EQ(explain().sent_in_transactions, 0U);
  EXPECT_EQ(explain().transactions.size(), 0U);
  EXPECT_EQ(explain().depth, 2U);
}

TEST_F(EngineExplainTest, DelayedUntilItIsTriedAgain) {
  DestinationPolicy policy;
  policy.redelivery = RedeliveryPolicy{};
  EngineSettings settings;
  settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  fill(who, 2);
  const auto subscription = subscribe(who, {});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  ack(subscription, got[0], AckKind::poisoned);
  ack(subscription, got[1]);
  const auto told = explain();
  EXPECT_EQ(told.delayed, 1U);
  EXPECT_TRUE(mentions(told.reasons, "1 message waits for the time of a redelivery"));
  const auto listed = list();
  ASSERT_EQ(listed.size(), 1U);
  const auto one = explain(listed[0]);
  EXPECT_EQ(one.standing, Standing::delayed);
  EXPECT_EQ(one.due, to_millis(now_) + 1000);
  // An operator need not wait for it.
  QueueTaskOptions purge;
  purge.command = QueueCommand::purge;
  purge.queue = queue();
  const auto id = engine_->start_task(purge, now_);
  run();
  EXPECT_EQ(engine_->take_task(*id)->affected, 1U);
  EXPECT_EQ(explain().depth, 0U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  EXPECT_EQ(store_->status().bytes_live, 0U);
  now_ += milliseconds(2000);
  engine_->tick(now_);
  EXPECT_TRUE(deliveries().empty());
}

TEST_F(EngineExplainTest, HeldByAPreparedBranchAlsoAfterARestart) {
  const auto who = connect();
  fill(who, 2);
  const auto subscription = subscribe(who, {});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  end(who);
  ASSERT_EQ(prepare(who).disposition, Disposition::done);
  run();
  restart(store_->submitted());
  run();
  EXPECT_TRUE(mentions(explain().reasons, "prepared XA branch"));
  const auto listed = list();
  ASSERT_EQ(listed.size(), 2U);
  const auto one = explain(listed[0]);
  EXPECT_EQ(one.standing, Standing::out);
  EXPECT_TRUE(mentions(one.reasons, "prepared XA branch"));
  QueueTaskOptions purge;
  purge.command = QueueCommand::purge;
  purge.queue = queue();
  const auto id = engine_->start_task(purge, now_);
  run();
  const auto purged = engine_->take_task(*id);
  EXPECT_EQ(purged->affected, 1U);
  EXPECT_EQ(purged->skipped_out, 1U);
  EXPECT_EQ(engine_->delete_queue(queue(), QueueDeletion::if_empty, now_).error().code,
            Errc::in_use);
  ASSERT_EQ(rollback(connect()).disposition, Disposition::done);
  run();
  EXPECT_EQ(bodies(drain("q")), std::vector<std::string>{"1"});
}

TEST_F(EngineExplainTest, WhoHasWhichMessageGroupAndOfWhichTheMostWait) {
  const auto who = connect("worker");
  Sub sub;
  sub.prefetch = 2;
  subscribe(who, sub);
  Send send;
  for (const char* group : {"a", "b", "b", "b", "a", "c"}) {
    send.group = group;
    publish(who, send);
  }
  const auto told = explain();
  EXPECT_EQ(told.in_flight, 2U);
  EXPECT_EQ(told.groups_total, 2U);
  ASSERT_EQ(told.groups.size(), 3U);
  EXPECT_EQ(told.groups[0].id, "b");
  EXPECT_EQ(told.groups[0].client_id, "worker");
  EXPECT_EQ(told.groups[0].waiting, 2U);
  EXPECT_EQ(told.groups[0].out, 1U);
  EXPECT_EQ(told.groups[1].id, "a");
  EXPECT_EQ(told.groups[1].waiting, 1U);
  EXPECT_EQ(told.groups[2].id, "c");
  EXPECT_EQ(told.groups[2].client_id, "");
  EXPECT_TRUE(mentions(told.reasons, "2 message groups have an owner; the most wait of \"b\": 2"));
}

TEST_F(EngineExplainTest, TheExclusiveConsumerIsNamed) {
  fill(connect(), 3);
  Sub sub;
  sub.exclusive = true;
  sub.prefetch = 1;
  subscribe(connect("the-one"), sub);
  subscribe(connect("the-other"), sub);
  const auto told = explain();
  EXPECT_EQ(told.exclusive_client, "the-one");
  EXPECT_TRUE(mentions(told.reasons, "exclusive consumer of client the-one"));
}

TEST_F(EngineExplainTest, TheCountdownBeforeTheFirstMessage) {
  DestinationPolicy policy;
  policy.consumers_before_dispatch = 2;
  policy.time_before_dispatch = milliseconds(5'000);
  EngineSettings settings;
  settings.policies.set_default(std::make_shared<const DestinationPolicy>(policy));
  engine_->configure(std::move(settings), now_);
  const auto who = connect();
  fill(who, 1);
  subscribe(who, {});
  advance(milliseconds(2'000));
  const auto told = explain();
  EXPECT_EQ(told.starts_at, to_millis(now_) + 3'000);
  EXPECT_TRUE(mentions(told.reasons, "it begins in 3 s, or when 2 consumers are there (now 1)"));
  advance(milliseconds(3'000));
  EXPECT_EQ(explain().starts_at, 0);
  EXPECT_EQ(explain().in_flight, 1U);
}

TEST_F(EngineExplainTest, AProducerThatWaitsSaysForWhichLimit) {
  DestinationPolicy policy;
  policy.store_limit = 500;
  EngineSettings settings;
  settings.policies.add({queue(), std::make_shared<const DestinationPolicy>(policy)});
  engine_->configure(std::move(settings), now_);
  const auto who = connect("sender");
  Send send;
  send.body = std::string(400, 'x');
  while (publish(who, send).disposition == Disposition::done) run();
  const auto told = explain();
  ASSERT_EQ(told.producers.size(), 1U);
  EXPECT_EQ(told.producers[0].client_id, "sender");
  EXPECT_NE(told.producers[0].reason.find("pabalStoreLimit of queue://q"), std::string::npos);
  EXPECT_EQ(told.producers[0].since, to_millis(now_));
  EXPECT_TRUE(mentions(told.reasons, "1 producer waits for room: pabalStoreLimit of queue://q"));
}

TEST_F(EngineExplainTest, APausedQueueSaysSoWithoutConsumersAndWhenEmpty) {
  ASSERT_TRUE(engine_->create_queue("q"));
  ASSERT_TRUE(engine_->pause_queue(queue(), true, now_));
  EXPECT_EQ(view("queue://q").waiting, WaitReason::paused);
  fill(connect(), 1);
  EXPECT_EQ(view("queue://q").waiting, WaitReason::paused);
  ASSERT_TRUE(engine_->pause_queue(queue(), false, now_));
  EXPECT_EQ(view("queue://q").waiting, WaitReason::no_consumer);
}

}  // namespace
}  // namespace pabal::core
