#include <set>
#include <string>
#include <vector>

#include "tests/unit/openwire/openwire_fixture.h"

namespace pabal::openwire {
namespace {

/// Removal of destinations, and the list of branches in doubt.
class OpenWireAdministrationTest : public OpenWireFixture {
 protected:
  std::string remove(std::size_t peer, std::string_view name,
                     DestinationType type = DestinationType::queue) {
    DestinationInfo info;
    info.connection_id = ConnectionId{peers_[peer].connection_id};
    info.destination = Destination{type, name};
    info.operation_type = DestinationInfo::kRemove;
    return answer_to(peer, send(peer, info));
  }
  static XaTransactionId xid(const std::string& global) {
    XaTransactionId made;
    made.format_id = 1;
    made.global_transaction_id.value = global;
    made.branch_qualifier.value = "b";
    return made;
  }
  std::string ask(std::size_t peer, TransactionVerb verb, const std::string& global) {
    return answer_to(peer, send(peer, transaction_info(peer, verb, TransactionId(xid(global)))));
  }
  /// The global parts of what RECOVER lists.
  std::vector<std::string> recover(std::size_t peer) {
    send(peer, transaction_info(peer, TransactionVerb::recover, std::nullopt));
    std::vector<std::string> globals;
    for (const Received& received : take_all<DataArrayResponse>(peer)) {
      for (const auto& each : *std::get<DataArrayResponse>(received.command).data) {
        globals.emplace_back(*each.global_transaction_id.value);
      }
    }
    return globals;
  }
};

TEST_F(OpenWireAdministrationTest, AQueueGoesWithItsMessagesWhenNobodyConsumes) {
  const auto peer = connect("one");
  for (const char* text : {"1", "2"}) send(peer, message(peer, "q", text));
  send(peer, consumer(peer, 1, "q"));
  take(peer);
  EXPECT_EQ(remove(peer, "q"), "javax.jms.JMSException");
  RemoveInfo close;
  close.object_id = ConsumerId{peers_[peer].connection_id, 1, 1};
  close.last_delivered_sequence_id = -1;
  send(peer, close);
  take(peer);
  EXPECT_EQ(remove(peer, "q"), "ok");
  EXPECT_EQ(remove(peer, "q"), "ok") << "what is not there is removed already";
  EXPECT_EQ(engine_->snapshot().queues, 0U);
  send(peer, message(peer, "q", "3"));
  send(peer, consumer(peer, 2, "q"));
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"3"});
}

TEST_F(OpenWireAdministrationTest, TheAnswerWaitsUntilTheRemovalIsDurable) {
  open({.manual_durability = true});
  const auto peer = connect("one");
  send(peer, message(peer, "q", "1"), false);
  sync();
  take(peer);
  DestinationInfo info;
  info.connection_id = ConnectionId{peers_[peer].connection_id};
  info.destination = Destination{DestinationType::queue, "q"};
  info.operation_type = DestinationInfo::kRemove;
  const auto command = send(peer, info);
  EXPECT_EQ(answer_to(peer, command), "");
  sync();
  EXPECT_EQ(answer_to(peer, command), "ok");
}

TEST_F(OpenWireAdministrationTest, ATopicWithSubscribersStays) {
  const auto peer = connect("one");
  send(peer, consumer(peer, 1, "t", DestinationType::topic));
  take(peer);
  EXPECT_EQ(remove(peer, "t", DestinationType::topic), "javax.jms.JMSException");
  EXPECT_EQ(remove(peer, "u", DestinationType::topic), "ok");
}

TEST_F(OpenWireAdministrationTest, WhatDoesNotFitIntoOneAnswerIsInTheNext) {
  options_.in_doubt_page_max = 2;
  const auto peer = connect("one");
  const std::vector<std::string> all{"a", "b", "c", "d", "e"};
  for (const auto& global : all) {
    ASSERT_EQ(ask(peer, TransactionVerb::begin, global), "ok");
    auto sent = message(peer, "q", global);
    sent.transaction_id = TransactionId(xid(global));
    send(peer, sent, false);
    ASSERT_EQ(ask(peer, TransactionVerb::end, global), "ok");
    ASSERT_EQ(ask(peer, TransactionVerb::prepare, global), "0");
  }
  for (int round = 0; round < 2; ++round) {
    std::set<std::string> listed;
    for (const std::size_t count : {2U, 2U, 1U}) {
      const auto page = recover(peer);
      EXPECT_EQ(page.size(), count);
      listed.insert(page.begin(), page.end());
    }
    EXPECT_EQ(listed.size(), all.size());
  }
  // The rest ends while it is listed: the next answer begins anew, and is not empty.
  EXPECT_EQ(recover(peer).size(), 2U);
  EXPECT_EQ(recover(peer).size(), 2U);
  EXPECT_EQ(ask(peer, TransactionVerb::commit_two_phase, "e"), "ok");
  EXPECT_EQ(recover(peer).size(), 2U);
  const auto other = connect("two");
  EXPECT_EQ(recover(other).size(), 2U) << "each connection begins with the first";
}

TEST_F(OpenWireAdministrationTest, ManyQuestionsAtOnceDoNotGetAllTheirLongAnswers) {
  const auto peer = connect("one");
  for (int i = 0; i < 20; ++i) {
    const std::string global = std::string(60, 'g') + std::to_string(i);
    ASSERT_EQ(ask(peer, TransactionVerb::begin, global), "ok");
    auto sent = message(peer, "q", "m");
    sent.transaction_id = TransactionId(xid(global));
    send(peer, sent, false);
    ASSERT_EQ(ask(peer, TransactionVerb::end, global), "ok");
    ASSERT_EQ(ask(peer, TransactionVerb::prepare, global), "0");
  }
  take(peer);
  std::string questions;
  for (int i = 0; i < 500; ++i) {
    auto question = transaction_info(peer, TransactionVerb::recover, std::nullopt);
    question.command_id = ++peers_[peer].last_command;
    question.response_required = true;
    append_frame(questions, AnyCommand(question), WireFormat{});
  }
  receive(peer, questions);
  std::size_t lists = 0;
  std::size_t refusals = 0;
  for (const Received& answer : take(peer)) {
    if (std::holds_alternative<DataArrayResponse>(answer.command)) ++lists;
    if (std::holds_alternative<ExceptionResponse>(answer.command)) ++refusals;
  }
  EXPECT_GT(lists, 0U);
  EXPECT_LT(lists, 50U);
  EXPECT_EQ(lists + refusals, 500U);
  EXPECT_EQ(recover(peer).size(), 20U) << "who asks after that is answered";
}

}  // namespace
}  // namespace pabal::openwire
