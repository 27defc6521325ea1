#include <string>
#include <vector>

#include "tests/unit/openwire/openwire_fixture.h"

// Connections that are lost and come back, and what becomes of their transactions.

namespace pabal::openwire {
namespace {

class OpenWireRecoveryTest : public OpenWireFixture {
 protected:
  using Texts = std::vector<std::string>;

  std::string tell(std::size_t peer, TransactionVerb verb, const TransactionId& id) {
    return answer_to(peer, send(peer, transaction_info(peer, verb, id)));
  }
  void begin(std::size_t peer, const TransactionId& id) {
    send(peer, transaction_info(peer, TransactionVerb::begin, id), false);
  }
  void send_in(std::size_t peer, const TransactionId& id, std::string_view name,
               std::string_view text) {
    auto sent = message(peer, name, text);
    sent.transaction_id = id;
    send(peer, sent, false);
  }
  void ack_in(std::size_t peer, const TransactionId& id, const Received& first,
              const Received& last, std::int32_t count = 1) {
    auto made = ack(peer, first, last, AckType::standard, count);
    made.transaction_id = id;
    send(peer, made, false);
  }
  std::vector<Received> consume(std::size_t peer, std::string_view name, std::int64_t value = 1) {
    send(peer, consumer(peer, value, name));
    return take_all<MessageDispatch>(peer);
  }
  std::vector<Received> errors(std::size_t peer) { return take_all<ConnectionError>(peer); }
  /// What a queue has, as somebody sees who comes now and gives all back.
  Texts waiting(std::string_view name) {
    const auto peer = connect("looks " + std::to_string(peers_.size()));
    auto browser = consumer(peer, 1, name);
    browser.browser = true;
    send(peer, browser);
    Texts all = texts(take_all<MessageDispatch>(peer));
    if (!all.empty() && all.back() == "end") all.pop_back();
    drop(peer);
    return all;
  }
};

// --- a client that does not know what it has -----------------------------------------------------

TEST_F(OpenWireRecoveryTest, WhoKeepsAcknowledgingWhatIsNotOutIsToBeginAnew) {
  for (const bool failover : {true, false}) {
    const std::string name = failover ? "with failover" : "without";
    const auto peer = failover ? connect_failover(name, false) : connect(name);
    send(peer, message(peer, "q", "1"));
    const auto given = consume(peer, "q");
    ASSERT_EQ(given.size(), 1U);
    auto stale = ack(peer, given[0], given[0]);
    stale.last_message_id->producer_sequence_id += 1000;
    stale.first_message_id = stale.last_message_id;
    int value = 0;
    const auto commit_stale = [&] {
      const auto id = transaction(peer, ++value);
      begin(peer, id);
      stale.transaction_id = id;
      send(peer, stale, false);
      return tell(peer, TransactionVerb::commit_one_phase, id);
    };
    const std::string refused = "javax.jms.TransactionRolledBackException";
    EXPECT_EQ(commit_stale(), refused);
    const auto id = transaction(peer, ++value);
    begin(peer, id);
    ack_in(peer, id, given[0], given[0]);
    EXPECT_EQ(tell(peer, TransactionVerb::rollback, id), "ok") << "what it has, it has";
    EXPECT_EQ(commit_stale(), refused);
    EXPECT_FALSE(peers_[peer].wire->closed()) << name;
    EXPECT_EQ(commit_stale(), failover ? "" : refused) << "an answer would come too early";
    EXPECT_EQ(peers_[peer].wire->closed(), failover) << name;
    EXPECT_EQ(peers_[peer].session->closing_reason().empty(), !failover);
    drop(peer);
    EXPECT_EQ(waiting("q"), (Texts{"1"}));
    const auto last = connect("takes it");
    send(last, consumer(last, 1, "q"));
    const auto taken = take_all<MessageDispatch>(last);
    ASSERT_EQ(taken.size(), 1U);
    send(last, ack(last, taken[0], taken[0]), false);
    drop(last);
  }
}

// --- sends that come again -----------------------------------------------------------------------

TEST_F(OpenWireRecoveryTest, ASendThatComesAgainIsTakenOnceAlsoAfterADeath) {
  open({.manual_durability = true});
  const auto lost = connect_failover("one", false);
  const Message first = message(lost, "q", "1");
  send(lost, first);
  sync();
  restart();
  const auto back = connect_failover("one", true);
  const auto id = send(back, first);
  sync();
  EXPECT_EQ(answer_to(back, id), "ok");
  send(back, message(back, "q", "2"));
  sync();
  EXPECT_EQ(waiting("q"), (Texts{"1", "2"}));
}

TEST_F(OpenWireRecoveryTest, ALongConnectionIdIsNoReasonToTakeASendTwice) {
  const std::string id = "ID:" + std::string(300, 'h') + "-40000-1795241382480-0:1";
  const auto lost = connect_failover(id, false);
  const Message first = message(lost, "q", "1");
  send(lost, first);
  const auto back = connect_failover(id, true);
  EXPECT_EQ(answer_to(back, send(back, first)), "ok");
  EXPECT_EQ(waiting("q"), (Texts{"1"}));
}

TEST_F(OpenWireRecoveryTest, ATransactionThatIsReplayedIsTakenOnce) {
  const auto lost = connect_failover("one", false);
  const auto id = transaction(lost, 1);
  begin(lost, id);
  auto first = message(lost, "q", "1");
  first.transaction_id = id;
  send(lost, first, false);
  const auto back = connect_failover("one", true);  // takes over; what was open is rolled back
  begin(back, id);
  send(back, first, false);
  EXPECT_EQ(tell(back, TransactionVerb::commit_one_phase, id), "ok");
  EXPECT_EQ(waiting("q"), (Texts{"1"}));
}

// --- acknowledgements of a connection that was lost ----------------------------------------------

// A transacted session acknowledges at the end, by the ids that it was given first (reference
// §6.21).
TEST_F(OpenWireRecoveryTest, OldIdsAcknowledgeWhatCameAgain) {
  const auto lost = connect_failover("one", false);
  for (const auto* text : {"1", "2", "3"}) send(lost, message(lost, "q", text));
  take(lost);
  const auto before = consume(lost, "q");
  ASSERT_EQ(before.size(), 3U);
  const auto back = connect_failover("one", true);
  const auto id = transaction(back, 1);
  begin(back, id);
  const auto again = consume(back, "q");
  ASSERT_EQ(texts(again), (Texts{"1", "2", "3"}));
  EXPECT_EQ(dispatch(again[0]).redelivery_counter, 1);
  ack_in(back, id, before[0], before[1], 2);
  EXPECT_EQ(tell(back, TransactionVerb::commit_one_phase, id), "ok");
  EXPECT_TRUE(errors(back).empty());
  drop(back);
  EXPECT_EQ(waiting("q"), (Texts{"3"}));
}

// What lies between two that are out may be somebody else's by now.
TEST_F(OpenWireRecoveryTest, ARangeInWhichOneIsMissingIsNotAcknowledged) {
  const auto peer = connect("one");
  for (const auto* text : {"1", "2", "3"}) send(peer, message(peer, "q", text));
  const auto got = consume(peer, "q");
  ASSERT_EQ(got.size(), 3U);
  send(peer, ack(peer, got[1], got[1]), false);
  const auto id = transaction(peer, 1);
  begin(peer, id);
  send_in(peer, id, "out", "of three");
  ack_in(peer, id, got[0], got[2], 3);
  EXPECT_EQ(tell(peer, TransactionVerb::commit_one_phase, id),
            "javax.jms.TransactionRolledBackException");
  const auto next = transaction(peer, 2);
  begin(peer, next);
  ack_in(peer, next, got[0], got[2], 2);
  EXPECT_EQ(tell(peer, TransactionVerb::commit_one_phase, next), "ok");
  drop(peer);
  EXPECT_EQ(waiting("out"), Texts());
  EXPECT_EQ(waiting("q"), Texts());
}

// A client counts what it has consumed; what it has not must not go with it.
TEST_F(OpenWireRecoveryTest, ARangeWithMoreInItThanWasCountedAcknowledgesTheLast) {
  const auto peer = connect("one");
  for (const auto* text : {"1", "2", "3"}) send(peer, message(peer, "q", text));
  const auto got = consume(peer, "q");
  ASSERT_EQ(got.size(), 3U);
  send(peer, ack(peer, got[0], got[2], AckType::standard, 2), false);
  const auto id = transaction(peer, 1);
  begin(peer, id);
  ack_in(peer, id, got[0], got[1], 1);
  EXPECT_EQ(tell(peer, TransactionVerb::commit_one_phase, id),
            "javax.jms.TransactionRolledBackException");
  drop(peer);
  EXPECT_EQ(waiting("q"), (Texts{"1", "2"}));
}

// As a client says that it found one expired: by its id alone.
TEST_F(OpenWireRecoveryTest, WithoutAFirstOneNoMoreIsAcknowledgedThanWasCounted) {
  const auto peer = connect("one");
  for (const auto* text : {"1", "2"}) send(peer, message(peer, "q", text));
  const auto got = consume(peer, "q");
  ASSERT_EQ(got.size(), 2U);
  auto expired = ack(peer, got[1], got[1], AckType::expired);
  expired.first_message_id.reset();
  send(peer, expired, false);
  const auto id = transaction(peer, 1);
  begin(peer, id);
  ack_in(peer, id, got[0], got[0]);
  EXPECT_EQ(tell(peer, TransactionVerb::commit_one_phase, id), "ok");
  drop(peer);
  EXPECT_EQ(waiting("q"), Texts());
}

// Or it would commit what it sent without what it has received.
TEST_F(OpenWireRecoveryTest, WhatCannotBeAcknowledgedMakesTheCommitFail) {
  const auto peer = connect("one");
  for (const auto* text : {"1", "2"}) send(peer, message(peer, "q", text));
  take(peer);
  const auto got = consume(peer, "q");
  ASSERT_EQ(got.size(), 2U);
  int round = 0;
  for (const auto* what : {"last", "first", "consumer"}) {
    const auto id = transaction(peer, ++round);
    begin(peer, id);
    send_in(peer, id, "out", what);
    auto wrong = ack(peer, got[0], got[1], AckType::standard, 2);
    wrong.transaction_id = id;
    const std::string word = what;
    if (word == "last") wrong.last_message_id->producer_sequence_id = 99;
    if (word == "first") wrong.first_message_id->producer_sequence_id = 99;
    if (word == "consumer") wrong.consumer_id.value = 99;
    send(peer, wrong, false);
    EXPECT_TRUE(errors(peer).empty()) << "the commit says it";
    EXPECT_EQ(tell(peer, TransactionVerb::commit_one_phase, id),
              "javax.jms.TransactionRolledBackException")
        << what;
  }
  EXPECT_TRUE(waiting("out").empty());
  EXPECT_EQ(waiting("q"), (Texts{"1", "2"}));
  // Repeated in one transaction, as a client does that suspends and resumes its branch.
  const auto id = transaction(peer, ++round);
  begin(peer, id);
  ack_in(peer, id, got[0], got[0]);
  ack_in(peer, id, got[0], got[1], 2);
  ack_in(peer, id, got[0], got[1], 2);
  EXPECT_EQ(tell(peer, TransactionVerb::commit_one_phase, id), "ok");
  EXPECT_TRUE(waiting("q").empty());
}

TEST_F(OpenWireRecoveryTest, APoisonAckOfACopyThatWasAcknowledgedLeavesNoDeadLetter) {
  const auto lost = connect_failover("one", false);
  send(lost, message(lost, "q", "1"));
  take(lost);
  const auto before = consume(lost, "q");
  const auto back = connect_failover("one", true);
  const auto again = consume(back, "q");
  ASSERT_EQ(again.size(), 1U);
  send(back, ack(back, before[0], before[0]), false);  // what it had done before it was cut off
  auto poison = ack(back, again[0], again[0], AckType::poison);
  send(back, poison, false);  // "Suppressing duplicate delivery on connection"
  EXPECT_TRUE(errors(back).empty());
  EXPECT_TRUE(waiting("q").empty());
  EXPECT_TRUE(waiting("ActiveMQ.DLQ").empty());
}

// --- XA ------------------------------------------------------------------------------------------

// A client with `failover:` says again what it had said for its branches, the prepared ones too.
TEST_F(OpenWireRecoveryTest, AReplayedBranchThatIsPreparedStaysAsItIs) {
  open({.manual_durability = true});
  const auto lost = connect_failover("one", false);
  const auto id = branch("x");
  begin(lost, id);
  auto first = message(lost, "q", "1");
  first.transaction_id = id;
  send(lost, first, false);
  EXPECT_EQ(tell(lost, TransactionVerb::end, id), "ok");
  const auto prepare = send(lost, transaction_info(lost, TransactionVerb::prepare, id));
  sync();
  EXPECT_EQ(answer_to(lost, prepare), "0");
  restart();

  const auto back = connect_failover("one", true);
  begin(back, id);
  send(back, first, false);
  EXPECT_TRUE(errors(back).empty()) << "an application would be told of a failure";
  EXPECT_EQ(tell(back, TransactionVerb::end, id), "ok");
  const auto again = send(back, transaction_info(back, TransactionVerb::prepare, id));
  sync();
  EXPECT_EQ(answer_to(back, again), "0");
  const auto commit = send(back, transaction_info(back, TransactionVerb::commit_two_phase, id));
  sync();
  sync();
  EXPECT_EQ(answer_to(back, commit), "ok");
  EXPECT_EQ(waiting("q"), (Texts{"1"}));
  EXPECT_EQ(tell(back, TransactionVerb::recover, id), "[0]");
}

TEST_F(OpenWireRecoveryTest, OnlyWhoComesBackMayRepeatAPreparedBranch) {
  const auto peer = connect("one");
  const auto id = branch("x");
  begin(peer, id);
  send_in(peer, id, "q", "1");
  EXPECT_EQ(tell(peer, TransactionVerb::end, id), "ok");
  EXPECT_EQ(tell(peer, TransactionVerb::prepare, id), "0");
  EXPECT_EQ(tell(peer, TransactionVerb::begin, id), "javax.transaction.xa.XAException");
  EXPECT_EQ(tell(peer, TransactionVerb::prepare, id), "javax.transaction.xa.XAException");
  EXPECT_EQ(tell(peer, TransactionVerb::commit_two_phase, id), "ok");
}

TEST_F(OpenWireRecoveryTest, ACommitThatIsReplayedWithItsBranchSendsNothingTwice) {
  const auto lost = connect_failover("one", false);
  const auto id = branch("x");
  auto first = message(lost, "q", "1");
  first.transaction_id = id;
  const auto work = [&](std::size_t peer) {
    begin(peer, id);
    send(peer, first, false);
    tell(peer, TransactionVerb::end, id);
    tell(peer, TransactionVerb::prepare, id);
    return tell(peer, TransactionVerb::commit_two_phase, id);
  };
  EXPECT_EQ(work(lost), "ok");
  const auto back = connect_failover("one", true);
  EXPECT_EQ(work(back), "javax.transaction.xa.XAException") << "XAER_NOTA: nothing is left of it";
  EXPECT_EQ(waiting("q"), (Texts{"1"}));
}

// The other one's loss has rolled the branch back: what was sent in it before must not be missing
// from what is committed.
TEST_F(OpenWireRecoveryTest, ABranchThatAnotherConnectionTookWithItIsNotBegunAnew) {
  const auto one = connect("one");
  const auto two = connect("two");
  const auto id = branch("x");
  begin(one, id);
  begin(two, id);
  send_in(two, id, "q", "before");
  EXPECT_EQ(tell(two, TransactionVerb::end, id), "ok") << "suspended";
  drop(one);
  begin(two, id);
  send_in(two, id, "q", "after");
  EXPECT_EQ(tell(two, TransactionVerb::end, id), "ok");
  EXPECT_EQ(tell(two, TransactionVerb::prepare, id), "javax.transaction.xa.XAException");
  EXPECT_TRUE(waiting("q").empty());
  // The name may be used again after it is over.
  begin(two, id);
  send_in(two, id, "q", "new");
  EXPECT_EQ(tell(two, TransactionVerb::end, id), "ok");
  EXPECT_EQ(tell(two, TransactionVerb::commit_one_phase, id), "ok");
  EXPECT_EQ(waiting("q"), (Texts{"new"}));
}

TEST_F(OpenWireRecoveryTest, AConnectionThatDiesBetweenEndAndPrepareRollsBack) {
  const auto one = connect("one");
  send(one, message(one, "q", "1"));
  take(one);
  const auto got = consume(one, "q");
  const auto id = branch("x");
  begin(one, id);
  ack_in(one, id, got[0], got[0]);
  send_in(one, id, "out", "done");
  EXPECT_EQ(tell(one, TransactionVerb::end, id), "ok");
  drop(one);
  const auto two = connect("two");
  EXPECT_EQ(tell(two, TransactionVerb::prepare, id), "javax.transaction.xa.XAException");
  EXPECT_EQ(waiting("q"), (Texts{"1"}));
  EXPECT_TRUE(waiting("out").empty());
}

// Whoever finishes it, what it acknowledged leaves its consumer's window for good.
TEST_F(OpenWireRecoveryTest, BranchesFinishedByOthersLeaveTheConsumerItsWindow) {
  const auto one = connect("one");
  const auto two = connect("two");
  constexpr int kCount = 40;
  for (int i = 0; i < kCount; ++i) send(one, message(one, "q", std::to_string(i)));
  take(one);
  send(one, consumer(one, 1, "q", DestinationType::queue, 2));
  auto got = take_all<MessageDispatch>(one);
  for (int i = 0; i < kCount; ++i) {
    SCOPED_TRACE(i);
    ASSERT_FALSE(got.empty());
    const std::string name = "x" + std::to_string(i);
    const auto id = branch(name);
    begin(one, id);
    ack_in(one, id, got[0], got[0]);
    got.erase(got.begin());
    for (auto& more : take_all<MessageDispatch>(one)) got.push_back(std::move(more));
    send(one, transaction_info(one, TransactionVerb::end, id), false);
    send(one, transaction_info(one, TransactionVerb::prepare, id), false);
    EXPECT_EQ(tell(two, TransactionVerb::commit_two_phase, id), "ok");
    for (auto& more : take_all<MessageDispatch>(one)) got.push_back(std::move(more));
  }
  EXPECT_TRUE(waiting("q").empty());
}

// --- the broker stops ----------------------------------------------------------------------------

// The client would take messages that it has never looked at for poisonous after a few stops.
TEST_F(OpenWireRecoveryTest, AnOrderlyStopCountsNoDeliveries) {
  const auto lost = connect("one");
  send(lost, message(lost, "q", "1"));
  take(lost);
  for (int stop = 0; stop < 8; ++stop) {
    const auto peer = connect("stop " + std::to_string(stop));
    if (stop == 0) drop(lost);
    const auto got = consume(peer, "q");
    ASSERT_EQ(got.size(), 1U);
    EXPECT_EQ(dispatch(got[0]).redelivery_counter, stop == 0 ? 0 : 1) << "marked, not counted";
    core::engine_role.assert_held();
    engine_->stopping();
    drop(peer);
    restart();
  }
}

}  // namespace
}  // namespace pabal::openwire
