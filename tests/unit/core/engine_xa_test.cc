#include "tests/unit/core/xa_fixture.h"

// XA branches while the process lives: each call in each state, limits, joins, heuristics.
// Restarts: engine_xa_restart_test.cc.

namespace pabal::core {
namespace {

TEST(XidTest, TextIsReadBack) {
  const Xid xid{-7, std::string("\x00\x01\xfe", 3), "b"};
  EXPECT_EQ(xid.to_text(), "-7:0001fe:62");
  EXPECT_EQ(*Xid::parse("-7:0001FE:62"), xid);
  EXPECT_EQ(Xid::parse("0:61:")->branch, "");
}

TEST(XidTest, WhatIsNoXidIsRefused) {
  const std::string long_part(130, 'a');
  for (const std::string& text :
       {std::string(""), std::string("1"), std::string("1:61"), std::string("x:61:62"),
        std::string("1:6:62"), std::string("1:6g:62"), std::string("1::62"),
        std::string("-1:61:62"), std::string("1:61:62:63"), std::string("99999999999:61:62"),
        "1:" + long_part + ":62", "1:61:" + long_part, std::string(" 1:61:62")}) {
    const auto parsed = Xid::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
  }
}

class EngineXaTest : public XaFixture {};

TEST_F(EngineXaTest, TwoPhasesMakeTheWorkTakeEffect) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2);
  const auto got = deliveries();
  const auto work = start(who);
  EXPECT_EQ(ack(subscription, got[0], AckKind::consumed, work).disposition, Disposition::done);
  send_in(who, work, "r", "sent");
  EXPECT_EQ(states(), "active");
  end(who);
  const auto prepared = prepare(who);
  EXPECT_EQ(prepared.disposition, Disposition::done);
  EXPECT_EQ(prepared.xa, XaCode::ok);
  EXPECT_EQ(prepared.after, store_->submitted());
  EXPECT_EQ(states(), "prepared");
  EXPECT_EQ(view("queue://q").depth, 2U);
  EXPECT_EQ(view("queue://q").in_flight, 2U);
  EXPECT_EQ(view("queue://r").depth, 0U);
  const auto committed = commit(connect());  // any connection may
  EXPECT_EQ(committed.disposition, Disposition::done);
  EXPECT_EQ(committed.after, store_->submitted());
  EXPECT_EQ(states(), "");
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(view("queue://q").counters.dequeued, 1U);
  EXPECT_EQ(bodies(drain("r")), std::vector<std::string>{"sent"});
  EXPECT_EQ(commit(who).xa, XaCode::unknown);
}

TEST_F(EngineXaTest, RollbackOfAPreparedBranchLeavesDeliveriesWithTheirConsumer) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  send_in(who, work, "r", "sent");
  end(who);
  prepare(who);
  EXPECT_EQ(rollback(connect()).disposition, Disposition::done);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(view("queue://r").depth, 0U);
  EXPECT_EQ(view("queue://q").depth, 1U);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done) << "it is out again";
  EXPECT_EQ(view("queue://q").depth, 0U);
  EXPECT_EQ(rollback(who).xa, XaCode::unknown);
}

TEST_F(EngineXaTest, WhatIsPreparedSurvivesItsConnectionAndComesBackMarked) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 3);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  ack(subscription, got[2], AckKind::consumed, work);
  end(who);
  prepare(who);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(states(), "prepared");
  const auto other = connect();
  const auto second = subscribe(other, {});
  EXPECT_EQ(bodies(deliveries()), std::vector<std::string>{"2"}) << "the others are locked";
  EXPECT_EQ(view("queue://q").in_flight, 3U);
  EXPECT_EQ(rollback(other).disposition, Disposition::done);
  const auto back = deliveries();
  ASSERT_EQ(bodies(back), (std::vector<std::string>{"1", "3"}));
  EXPECT_TRUE(back[0].redelivered);
  EXPECT_EQ(back[0].deliveries, 1U);
  EXPECT_EQ(view("queue://q").in_flight, 3U);
  for (const auto& delivery : back) EXPECT_EQ(ack(second, delivery).disposition, Disposition::done);
  EXPECT_EQ(view("queue://q").depth, 1U);
}

TEST_F(EngineXaTest, ActiveBranchesRollBackWithEachOfTheirConnections) {
  const auto who = connect();
  const auto other = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  ASSERT_TRUE(engine_->xa_start(other.id, xid(), XaStart::join, now_));
  send_in(other, work, "r", "sent");
  end(who);
  end(other);
  engine_->disconnect(other.id, now_);
  EXPECT_EQ(states(), "");
  EXPECT_EQ(prepare(who).xa, XaCode::unknown);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
  EXPECT_EQ(view("queue://r").depth, 0U);
}

TEST_F(EngineXaTest, AJoinedBranchIsOneTransaction) {
  const auto one = connect();
  const auto two = connect();
  const auto work = start(one);
  const auto same = engine_->xa_start(two.id, xid(), XaStart::join, now_);
  ASSERT_TRUE(same);
  EXPECT_EQ(*same, work);
  send_in(one, work, "q", "1");
  send_in(two, work, "q", "2");
  end(one);
  EXPECT_EQ(publish(one, {}, work).error->code, Errc::not_found) << "it works for it no more";
  EXPECT_EQ(prepare(one).xa, XaCode::protocol) << "the other still works for it";
  send_in(two, work, "q", "3");
  end(two);
  EXPECT_EQ(commit(one, true).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 3));
}

TEST_F(EngineXaTest, SuspendedWorkGoesOn) {
  const auto who = connect();
  const auto work = start(who);
  EXPECT_TRUE(engine_->xa_end(who.id, xid(), XaEnd::suspend));
  EXPECT_EQ(publish(who, {}, work).disposition, Disposition::failed);
  EXPECT_EQ(prepare(who).xa, XaCode::protocol);
  const auto other = connect();
  EXPECT_EQ(engine_->xa_start(other.id, xid(), XaStart::resume, now_).error().code,
            XaCode::protocol);
  EXPECT_EQ(*engine_->xa_start(who.id, xid(), XaStart::resume, now_), work);
  EXPECT_EQ(engine_->xa_start(who.id, xid(), XaStart::resume, now_).error().code, XaCode::protocol);
  send_in(who, work, "q", "1");
  EXPECT_TRUE(engine_->xa_end(who.id, xid(), XaEnd::suspend));
  EXPECT_TRUE(engine_->xa_end(who.id, xid(), XaEnd::success)) << "of what was suspended";
  EXPECT_EQ(prepare(who).xa, XaCode::ok);
  EXPECT_EQ(commit(who).disposition, Disposition::done);
}

TEST_F(EngineXaTest, EachCallThatDoesNotFitIsAnswered) {
  const auto who = connect();
  const auto invalid = [&](const Xid& name) {
    return engine_->xa_start(who.id, name, XaStart::fresh, now_).error().code;
  };
  EXPECT_EQ(invalid({-1, "g", "b"}), XaCode::invalid);
  EXPECT_EQ(invalid({1, "", "b"}), XaCode::invalid);
  EXPECT_EQ(invalid({1, std::string(65, 'g'), "b"}), XaCode::invalid);
  EXPECT_EQ(invalid({1, "g", std::string(65, 'b')}), XaCode::invalid);
  // Unknown.
  EXPECT_EQ(engine_->xa_start(who.id, xid(), XaStart::join, now_).error().code, XaCode::unknown);
  EXPECT_EQ(engine_->xa_start(who.id, xid(), XaStart::resume, now_).error().code, XaCode::unknown);
  EXPECT_EQ(engine_->xa_end(who.id, xid(), XaEnd::success).error().code, XaCode::unknown);
  EXPECT_EQ(prepare(who).xa, XaCode::unknown);
  EXPECT_EQ(commit(who).xa, XaCode::unknown);
  EXPECT_EQ(commit(who, true).xa, XaCode::unknown);
  EXPECT_EQ(rollback(who).xa, XaCode::unknown);
  EXPECT_EQ(engine_->xa_forget(xid(), now_).xa, XaCode::unknown);
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), true, now_).xa, XaCode::unknown);
  // Active.
  const auto work = start(who);
  EXPECT_EQ(invalid(xid()), XaCode::duplicate);
  EXPECT_EQ(commit(who).xa, XaCode::protocol);
  EXPECT_EQ(commit(who, true).xa, XaCode::protocol);
  EXPECT_EQ(engine_->xa_forget(xid(), now_).xa, XaCode::protocol);
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), true, now_).xa, XaCode::protocol);
  EXPECT_EQ(engine_->commit(work, 0, now_).error->code, Errc::bad_state);
  EXPECT_EQ(engine_->rollback(work, now_).error->code, Errc::bad_state);
  EXPECT_EQ(rollback(connect()).xa, XaCode::protocol) << "somebody else works for it";
  send_in(who, work, "q", "1");
  end(who);
  EXPECT_EQ(engine_->xa_end(who.id, xid(), XaEnd::success).error().code, XaCode::protocol);
  EXPECT_EQ(commit(who).xa, XaCode::protocol) << "two phases begin with prepare";
  // Prepared.
  EXPECT_EQ(prepare(who).xa, XaCode::ok);
  EXPECT_EQ(invalid(xid()), XaCode::duplicate);
  EXPECT_EQ(engine_->xa_start(who.id, xid(), XaStart::join, now_).error().code, XaCode::protocol);
  EXPECT_EQ(engine_->xa_end(who.id, xid(), XaEnd::success).error().code, XaCode::protocol);
  EXPECT_EQ(prepare(who).xa, XaCode::protocol);
  EXPECT_EQ(commit(who, true).xa, XaCode::protocol);
  EXPECT_EQ(engine_->xa_forget(xid(), now_).xa, XaCode::protocol);
  EXPECT_EQ(publish(who, {}, work).disposition, Disposition::failed);
  EXPECT_EQ(commit(who).disposition, Disposition::done);
  EXPECT_TRUE(engine_->xa_start(who.id, xid(), XaStart::fresh, now_)) << "its name is free again";
}

TEST_F(EngineXaTest, ABranchWithoutWorkVotesReadOnlyAndIsGone) {
  const auto who = connect();
  start(who);
  end(who);
  const auto outcome = prepare(who);
  EXPECT_EQ(outcome.disposition, Disposition::done);
  EXPECT_EQ(outcome.xa, XaCode::read_only);
  EXPECT_EQ(states(), "");
  EXPECT_EQ(commit(who).xa, XaCode::unknown);
  start(who);
  end(who);
  EXPECT_EQ(commit(who, true).disposition, Disposition::done);
}

TEST_F(EngineXaTest, WhatFailedCanOnlyRollBack) {
  const auto who = connect();
  const auto work = start(who);
  send_in(who, work, "q", "1");
  EXPECT_TRUE(engine_->xa_end(who.id, xid(), XaEnd::fail));
  EXPECT_EQ(engine_->xa_start(who.id, xid(), XaStart::join, now_).error().code,
            XaCode::rolled_back);
  EXPECT_EQ(prepare(who).xa, XaCode::rolled_back);
  EXPECT_EQ(states(), "");
  EXPECT_EQ(view("queue://q").depth, 0U);
  start(who);
  EXPECT_TRUE(engine_->xa_end(who.id, xid(), XaEnd::fail));
  EXPECT_EQ(commit(who, true).xa, XaCode::rolled_back);
  EXPECT_EQ(states(), "");
}

TEST_F(EngineXaTest, AnOperatorMayCommitAndTheManagerIsTold) {
  const auto who = connect();
  const auto work = start(who);
  send_in(who, work, "q", "1");
  end(who);
  prepare(who);
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), true, now_).disposition, Disposition::done);
  EXPECT_EQ(states(), "heuristically committed");
  EXPECT_EQ(engine_->snapshot().branches_heuristic, 1U);
  EXPECT_EQ(commit(who).xa, XaCode::heuristically_committed);
  EXPECT_EQ(rollback(who).xa, XaCode::heuristically_committed);
  EXPECT_EQ(prepare(who).xa, XaCode::protocol);
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), true, now_).xa, XaCode::protocol);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 1));
  EXPECT_EQ(engine_->xa_forget(xid(), now_).disposition, Disposition::done);
  EXPECT_EQ(states(), "");
}

TEST_F(EngineXaTest, AnOperatorMayRollBackAndTheManagerIsTold) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  end(who);
  prepare(who);
  EXPECT_EQ(engine_->xa_complete_by_hand(xid(), false, now_).disposition, Disposition::done);
  EXPECT_EQ(states(), "heuristically rolled back");
  EXPECT_EQ(commit(who).xa, XaCode::heuristically_rolled_back);
  EXPECT_EQ(rollback(who).xa, XaCode::heuristically_rolled_back);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done);
  EXPECT_EQ(engine_->xa_forget(xid(), now_).disposition, Disposition::done);
}

TEST_F(EngineXaTest, NobodyDeletesASubscriptionThatABranchHolds) {
  const auto who = connect("office");
  Sub sub;
  sub.kind = DestinationKind::topic;
  sub.name = "t";
  sub.durable = "d";
  const auto subscription = subscribe(who, sub);
  Send send;
  send.kind = DestinationKind::topic;
  send.name = "t";
  publish(who, send);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  end(who);
  prepare(who);
  ASSERT_TRUE(engine_->unsubscribe(subscription, now_));
  EXPECT_EQ(engine_->delete_durable("office", "d", now_).error().code, Errc::in_use);
  sub.selector = "a = 1";
  EXPECT_EQ(try_subscribe(who, sub).error().code, Errc::in_use) << "it would be another one";
  sub.selector.clear();
  const auto again = subscribe(who, sub);
  EXPECT_TRUE(deliveries().empty());
  EXPECT_EQ(rollback(who).disposition, Disposition::done);
  const auto back = deliveries();
  ASSERT_EQ(back.size(), 1U);
  EXPECT_TRUE(back[0].redelivered);
  EXPECT_EQ(ack(again, back[0]).disposition, Disposition::done);
  ASSERT_TRUE(engine_->unsubscribe(again, now_));
  EXPECT_TRUE(engine_->delete_durable("office", "d", now_));
}

TEST_F(EngineXaTest, LimitsAreAVoteAgainstTheBranch) {
  EngineLimits limits;
  limits.prepared_branches_max = 1;
  limits.prepared_acknowledgements_max = 1;
  open({}, limits);
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2);
  const auto got = deliveries();
  auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  ack(subscription, got[1], AckKind::consumed, work);
  end(who);
  auto outcome = prepare(who);
  EXPECT_EQ(outcome.xa, XaCode::rolled_back);
  EXPECT_EQ(outcome.error->code, Errc::quota_exceeded);
  EXPECT_EQ(ack(subscription, got[0]).disposition, Disposition::done) << "out again";
  work = start(who);
  send_in(who, work, "r", "1");
  end(who);
  EXPECT_EQ(prepare(who).xa, XaCode::ok);
  work = *engine_->xa_start(who.id, xid(2), XaStart::fresh, now_);
  send_in(who, work, "r", "2");
  EXPECT_TRUE(engine_->xa_end(who.id, xid(2), XaEnd::success));
  outcome = engine_->xa_prepare(who.id, xid(2), 0, now_);
  EXPECT_EQ(outcome.xa, XaCode::rolled_back);
  EXPECT_EQ(outcome.error->code, Errc::quota_exceeded);
  EXPECT_EQ(commit(who).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("r")), numbers(1, 1));
}

TEST_F(EngineXaTest, WithoutRoomACommitStaysPrepared) {
  const auto who = connect();
  const auto work = start(who);
  send_in(who, work, "q", "1");
  end(who);
  prepare(who);
  store_->set_admission(Admission::refused);
  EXPECT_EQ(commit(who).xa, XaCode::unavailable);
  EXPECT_EQ(states(), "prepared");
  store_->set_admission(Admission::later);
  EXPECT_EQ(commit(who, false, 7).disposition, Disposition::parked);
  EXPECT_EQ(rollback(who).xa, XaCode::protocol) << "it is committing";
  EXPECT_EQ(states(), "committing");
  EXPECT_TRUE(replies().empty());
  store_->set_admission(Admission::granted);
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].token, 7U);
  EXPECT_EQ(answers[0].outcome.disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 1));
}

/// Goal: who asks for the same commit again and again while it waits costs no more memory than
/// kCommitWaitersMax, and is told so; those before it get their answer.
TEST_F(EngineXaTest, OnlySoManyWaitForOneCommit) {
  const auto who = connect();
  const auto work = start(who);
  send_in(who, work, "q", "1");
  end(who);
  prepare(who);
  store_->set_admission(Admission::later);
  for (ReplyToken token = 1; token <= 16; ++token) {
    ASSERT_EQ(commit(who, false, token).disposition, Disposition::parked) << token;
  }
  const auto refused = commit(who, false, 17);
  EXPECT_EQ(refused.disposition, Disposition::failed);
  EXPECT_EQ(refused.xa, XaCode::unavailable);
  EXPECT_EQ(states(), "committing");
  store_->set_admission(Admission::granted);
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 16U);
  for (const auto& answer : answers) EXPECT_EQ(answer.outcome.disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 1));
}

/// Goal: connections that have gone keep nobody who comes back from waiting.
TEST_F(EngineXaTest, WhoHasGoneDoesNotWaitForACommit) {
  const auto who = connect();
  const auto work = start(who);
  send_in(who, work, "q", "1");
  end(who);
  prepare(who);
  store_->set_admission(Admission::later);
  for (int i = 0; i < 100; ++i) {
    const auto manager = connect();
    ASSERT_EQ(commit(manager, false, 1).disposition, Disposition::parked) << i;
    engine_->disconnect(manager.id, now_);
  }
  EXPECT_EQ(commit(who, false, 2).disposition, Disposition::parked);
  store_->set_admission(Admission::granted);
  EXPECT_EQ(replies().size(), 1U);
}

TEST_F(EngineXaTest, APrepareWaitsForParkedSends) {
  store::MemoryStoreOptions options;
  options.bytes_max = 0;
  open(options);
  const auto who = connect();
  const auto manager = connect();
  const auto work = start(who);
  store_->set_admission(Admission::later);
  Send send;
  send.body = "1";
  EXPECT_EQ(publish(who, send, work, 1).disposition, Disposition::parked);
  end(who);
  EXPECT_EQ(engine_->xa_prepare(manager.id, xid(), 2, now_).disposition, Disposition::parked);
  EXPECT_EQ(prepare(who).xa, XaCode::protocol) << "it is being ended";
  EXPECT_EQ(engine_->xa_start(who.id, xid(), XaStart::join, now_).error().code, XaCode::protocol);
  EXPECT_TRUE(replies().empty());
  store_->set_admission(Admission::granted);
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].token, 1U);
  EXPECT_EQ(answers[1].token, 2U);
  EXPECT_EQ(answers[1].outcome.xa, XaCode::ok);
  EXPECT_EQ(states(), "prepared");
  EXPECT_EQ(commit(manager).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("q")), numbers(1, 1));
}

TEST_F(EngineXaTest, ARefusedSendIsAVoteAgainstTheBranch) {
  const auto who = connect();
  const auto work = start(who);
  store_->set_admission(Admission::later);
  EXPECT_EQ(publish(who, {}, work, 1).disposition, Disposition::parked);
  end(who);
  EXPECT_EQ(prepare(who, 2).disposition, Disposition::parked);
  store_->set_admission(Admission::refused);
  engine_->space_changed(now_);
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0].outcome.disposition, Disposition::failed);
  EXPECT_EQ(answers[1].outcome.xa, XaCode::rolled_back);
  EXPECT_EQ(states(), "");
}

TEST_F(EngineXaTest, APoisonedMessageDiesWhenTheBranchCommits) {
  const auto who = connect();
  const auto subscription = subscribe(who, {});
  fill(who, 2);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::poisoned, work);
  ack(subscription, got[1], AckKind::requeued, work);
  end(who);
  prepare(who);
  engine_->disconnect(who.id, now_);
  EXPECT_EQ(commit(connect()).disposition, Disposition::done);
  EXPECT_EQ(bodies(drain("ActiveMQ.DLQ")), numbers(1, 1));
  const auto back = drain("q");
  ASSERT_EQ(bodies(back), numbers(2, 2));
  EXPECT_TRUE(back[0].redelivered);
}

TEST_F(EngineXaTest, WhatACommitGivesBackIsSeenByNobodyBeforeItIsDurable) {
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  open(options);
  const auto who = connect();
  const auto goes = subscribe(who, {});
  fill(who, 1, "q", false);  // kept with its branch, for it cannot be read back
  fill(who, 1);
  store_->make_durable(store_->submitted());
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 2U);
  for (const bool leaves : {false, true}) {
    const int number = leaves ? 2 : 1;
    const auto work = start(who, number);
    ASSERT_EQ(ack(goes, got[leaves ? 1 : 0], AckKind::requeued, work).disposition,
              Disposition::done);
    end(who, number);
    prepare(who, 0, number);
  }
  ASSERT_TRUE(engine_->unsubscribe(goes, now_));
  store_->make_durable(store_->submitted());
  subscribe(who, {});
  EXPECT_TRUE(deliveries().empty());
  // If this is lost, both branches are in doubt again and hold what they held.
  auto outcome = commit(who, false, 0, 1);
  EXPECT_TRUE(deliveries().empty());
  commit(who, false, 0, 2);
  EXPECT_TRUE(deliveries().empty());
  store_->make_durable(outcome.after);
  EXPECT_EQ(deliveries().size(), 1U);
  store_->make_durable(store_->submitted());
  EXPECT_EQ(deliveries().size(), 1U);
}

TEST_F(EngineXaTest, SendsOfLargeBranchesLeaveMemoryAndAreReadBack) {
  EngineLimits limits;
  limits.prepared_bytes_max = 500;
  open({}, limits);
  const auto who = connect();
  for (int number = 1; number <= 3; ++number) {
    const auto work = *engine_->xa_start(who.id, xid(number), XaStart::fresh, now_);
    for (int i = 1; i <= 5; ++i) {
      send_in(who, work, "q" + std::to_string(number), std::to_string(i), i != 3);
    }
    EXPECT_TRUE(engine_->xa_end(who.id, xid(number), XaEnd::success));
    EXPECT_EQ(engine_->xa_prepare(who.id, xid(number), 0, now_).xa, XaCode::ok);
  }
  const auto held = engine_->snapshot().bytes_held;
  EXPECT_LT(held, 15 * 60 * 2U);
  for (int number = 1; number <= 3; ++number) {
    (void)engine_->xa_commit(who.id, xid(number), false, 100 + number, now_);
  }
  run();
  EXPECT_EQ(states(), "");
  for (int number = 1; number <= 3; ++number) {
    EXPECT_EQ(bodies(drain("q" + std::to_string(number))), numbers(1, 5))
        << "in their order, with what is not persistent";
  }
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineXaTest, TheViewTellsWhoHoldsWhatSinceWhen) {
  const auto who = connect("payroll");
  const auto subscription = subscribe(who, {});
  fill(who, 1);
  const auto got = deliveries();
  const auto work = start(who);
  ack(subscription, got[0], AckKind::consumed, work);
  send_in(who, work, "r", "1");
  end(who);
  now_ += milliseconds(5000);
  prepare(who);
  const auto views = engine_->branches(nullptr, 10, true);
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views[0].xid, xid());
  EXPECT_EQ(views[0].since, now_);
  EXPECT_EQ(views[0].client_id, "payroll");
  EXPECT_EQ(views[0].remote, "tcp://test");
  EXPECT_EQ(views[0].sends, 1U);
  EXPECT_EQ(views[0].acknowledgements, 1U);
  EXPECT_EQ(engine_->snapshot().branches_prepared, 1U);
  EXPECT_EQ(*engine_->snapshot().oldest_prepared, now_);
  start(who, 2);
  EXPECT_EQ(engine_->branches(nullptr, 10, true).size(), 1U) << "in doubt are prepared ones only";
  EXPECT_EQ(engine_->branches(nullptr, 1, false).size(), 1U);
  EXPECT_EQ(engine_->branches(&views[0].xid, 10, false).size(), 1U);
}

TEST_F(EngineXaTest, ACommitOfWhatAConnectionLeftMakesRoomAtItsQueue) {
  DestinationPolicy policy;
  policy.store_limit = 1'000;
  EngineSettings settings;
  settings.policies.add(
      {{DestinationKind::queue, "in"}, std::make_shared<const DestinationPolicy>(policy)});
  engine_->configure(std::move(settings), now_);
  const auto consumer = connect();
  Send big;
  big.name = "in";
  big.body = std::string(1'000, 'b');
  ASSERT_EQ(publish(connect(), big).disposition, Disposition::done);
  const auto subscription = subscribe(consumer, {.name = "in"});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  const auto work = start(consumer);
  ASSERT_EQ(ack(subscription, got[0], AckKind::consumed, work).disposition, Disposition::done);
  end(consumer);
  ASSERT_EQ(prepare(consumer).xa, XaCode::ok);
  engine_->disconnect(consumer.id, now_);
  const auto producer = connect();
  ASSERT_EQ(publish(producer, big, std::nullopt, 7).disposition, Disposition::parked);
  EXPECT_TRUE(replies().empty());
  ASSERT_EQ(commit(producer).disposition, Disposition::done);
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].token, 7U);
  EXPECT_EQ(answers[0].outcome.disposition, Disposition::done);
}

TEST_F(EngineXaTest, WhatComesBackComesWhoeverTookTheFirstOfIt) {
  constexpr int kMany = 3'000;
  const auto consumer = connect();
  fill(connect(), kMany, "in");
  const auto subscription = subscribe(consumer, {.name = "in", .prefetch = kMany});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), static_cast<std::size_t>(kMany));
  const auto work = start(consumer);
  ASSERT_EQ(engine_
                ->acknowledge(subscription, {got.front().id, got.back().id}, AckKind::consumed, "",
                              work, now_)
                .disposition,
            Disposition::done);
  end(consumer);
  ASSERT_EQ(prepare(consumer).xa, XaCode::ok);
  engine_->disconnect(consumer.id, now_);
  run();
  ASSERT_EQ(rollback(connect()).disposition, Disposition::done);
  run();
  // An operator takes what has come back so far, and no consumer does.
  QueueTaskOptions purge;
  purge.command = QueueCommand::purge;
  purge.queue = {DestinationKind::queue, "in"};
  const auto task = engine_->start_task(purge, now_);
  ASSERT_TRUE(task);
  run();
  const auto purged = engine_->task(*task)->affected;
  EXPECT_GT(purged, 0U);
  EXPECT_EQ(drain("in").size(), kMany - purged);
}

TEST_F(EngineXaTest, ACommitWithoutRoomKeepsNothingInMemory) {
  EngineLimits limits;
  limits.prepared_bytes_max = 1'000;
  open({}, limits);
  const auto who = connect();
  const auto work = start(who);
  for (int i = 0; i < 10; ++i) send_in(who, work, "out", std::string(1'000, 'b'));
  end(who);
  ASSERT_EQ(prepare(who).xa, XaCode::ok);
  ASSERT_EQ(engine_->snapshot().bytes_held, 0U);
  store_->set_admission(Admission::refused);
  ASSERT_EQ(commit(who, false, 3).disposition, Disposition::parked);
  const auto answers = replies();
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].outcome.xa, XaCode::unavailable);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  store_->set_admission(Admission::granted);
  ASSERT_EQ(commit(who, false, 4).disposition, Disposition::parked);
  EXPECT_EQ(replies().size(), 1U);
  EXPECT_EQ(drain("out").size(), 10U);
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineXaTest, AConnectionJoinsABranchOnlySoOften) {
  EngineLimits limits;
  limits.transactions_per_connection_max = 3;
  open({}, limits);
  const auto who = connect();
  start(who);
  for (int i = 2; i <= 3; ++i) {
    EXPECT_TRUE(engine_->xa_start(who.id, xid(), XaStart::join, now_));
  }
  const auto fourth = engine_->xa_start(who.id, xid(), XaStart::join, now_);
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code, XaCode::resource_error);
  end(who);
  EXPECT_TRUE(engine_->xa_start(who.id, xid(), XaStart::join, now_));
  EXPECT_TRUE(engine_->xa_start(connect().id, xid(), XaStart::join, now_));
}

}  // namespace
}  // namespace pabal::core
