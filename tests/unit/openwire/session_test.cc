#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/conformance/openwire/frame_file.h"
#include "tests/unit/openwire/openwire_fixture.h"

namespace pabal::openwire {
namespace {

class OpenWireSessionTest : public OpenWireFixture {
 protected:
  /// Session and consumer 1 of a queue; what has come for it.
  std::vector<Received> consume(std::size_t peer, std::string_view name = "q",
                                std::int32_t prefetch = 1000) {
    const auto id = send(peer, consumer(peer, 1, name, DestinationType::queue, prefetch));
    auto all = take(peer);
    int answers = 0;
    std::vector<Received> dispatches;
    for (Received& received : all) {
      if (const auto* response = std::get_if<Response>(&received.command)) {
        if (response->correlation_id == id) ++answers;
      } else if (std::holds_alternative<MessageDispatch>(received.command)) {
        dispatches.push_back(std::move(received));
      }
    }
    EXPECT_EQ(answers, 1);
    return dispatches;
  }
  void fill(std::size_t peer, int count, std::string_view name = "q") {
    for (int i = 1; i <= count; ++i) send(peer, message(peer, name, std::to_string(i)), false);
    take(peer);
  }
  /// `change` makes the policy of all destinations from none.
  void configure(const std::function<void(core::DestinationPolicy&)>& change) {
    core::DestinationPolicy policy;
    change(policy);
    core::EngineSettings settings;
    settings.policies.set_default(std::make_shared<const core::DestinationPolicy>(policy));
    engine_->configure(std::move(settings), now_);
  }
  static std::set<std::string> names_of_properties(const Received& received) {
    std::set<std::string> names;
    const auto& message = *dispatch(received).message;
    core::PropertyReader reader(core::Encoding::openwire,
                                message.marshalled_properties.value.value_or(std::string_view{}));
    while (const auto property = reader.next()) names.emplace(property->name);
    EXPECT_TRUE(reader.complete());
    return names;
  }
};

// --- the beginning -------------------------------------------------------------------------------

TEST_F(OpenWireSessionTest, GreetsAndConnects) {
  const auto peer = accept();
  WireFormatOffer offer;
  offer.version = 13;
  offer.tight_encoding_enabled = offer.cache_enabled = offer.stack_trace_enabled = true;
  std::string greeting;
  append_offer(greeting, offer);
  receive(peer, greeting);
  const auto said = take(peer);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<WireFormatInfo>(said[0].command));
  const auto& broker = std::get<BrokerInfo>(said[1].command);
  EXPECT_TRUE(broker.broker_id.has_value());
  EXPECT_FALSE(broker.fault_tolerant_configuration);

  ConnectionInfo info;
  info.connection_id.value = "c";
  info.client_id = "client";
  info.manageable = true;
  send(peer, info);
  const auto answers = take(peer);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(std::get<Response>(answers[0].command).correlation_id, 1);
  EXPECT_TRUE(std::holds_alternative<ConnectionControl>(answers[1].command));
  EXPECT_TRUE(peers_[peer].session->connection().has_value());
}

TEST_F(OpenWireSessionTest, ClosesWhoSaysSomethingElseFirst) {
  for (const bool greets : {false, true}) {
    const auto peer = accept();
    if (greets) {
      WireFormatOffer offer;
      offer.version = 12;
      std::string greeting;
      append_offer(greeting, offer);
      receive(peer, greeting);
    }
    SessionInfo info;
    info.session_id = {"c", 1};
    send(peer, info);
    EXPECT_TRUE(peers_[peer].wire->closed());
    EXPECT_FALSE(peers_[peer].session->connection().has_value());
  }
}

TEST_F(OpenWireSessionTest, RefusesLargeFramesBeforeConnectionInfo) {
  const auto peer = accept();
  receive(peer, std::string_view("\0\1\0\1\1", 5));
  EXPECT_TRUE(peers_[peer].wire->closed());
}

TEST_F(OpenWireSessionTest, RefusesASecondGreetingAndASecondConnection) {
  const auto one = connect("one");
  WireFormatOffer offer;
  offer.version = 12;
  std::string greeting;
  append_offer(greeting, offer);
  receive(one, greeting);
  EXPECT_TRUE(peers_[one].wire->closed());

  const auto two = connect("two");
  ConnectionInfo info;
  info.connection_id.value = "three";
  info.client_id = "three";
  send(two, info);
  EXPECT_TRUE(peers_[two].wire->closed());
}

TEST_F(OpenWireSessionTest, AClientIdThatIsInUseMayBeTriedAgain) {
  connect("one", "same");
  const auto peer = accept();
  WireFormatOffer offer;
  offer.version = 12;
  std::string greeting;
  append_offer(greeting, offer);
  receive(peer, greeting);
  ConnectionInfo info;
  info.connection_id.value = "two";
  info.client_id = "same";
  EXPECT_EQ(answer_to(peer, send(peer, info)), "javax.jms.InvalidClientIDException");
  EXPECT_FALSE(peers_[peer].wire->closed());
  info.client_id = "other";
  EXPECT_EQ(answer_to(peer, send(peer, info)), "ok");
}

TEST_F(OpenWireSessionTest, AClientThatComesBackReplacesItsConnection) {
  const auto lost = connect("one", "same");
  fill(lost, 1);
  EXPECT_EQ(texts(consume(lost)), std::vector<std::string>{"1"});
  const auto back = connect("one", "same");
  const auto again = consume(back);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(dispatch(again[0]).redelivery_counter, 1);
  // What the lost one still says changes nothing.
  send(lost, message(lost, "q", "late"));
  EXPECT_TRUE(take_all<MessageDispatch>(back).empty());
}

TEST_F(OpenWireSessionTest, ObjectsOfOthersAreRefused) {
  const auto one = connect("one");
  const auto two = connect("two");
  auto foreign = consumer(two, 1, "q");
  EXPECT_EQ(answer_to(one, send(one, foreign)), "javax.jms.IllegalStateException");
  EXPECT_EQ(answer_to(one, send(one, message(two, "q", "x"))), "javax.jms.JMSException");
  RemoveInfo remove;
  remove.object_id = ConnectionId{"two"};
  EXPECT_EQ(answer_to(one, send(one, remove)), "javax.jms.IllegalStateException");
  EXPECT_TRUE(engine_->is_connected(*peers_[two].session->connection()));
}

// --- sending and receiving -----------------------------------------------------------------------

TEST_F(OpenWireSessionTest, AResponseWaitsForTheDisk) {
  open({.manual_durability = true});
  const auto peer = connect("one");
  const auto id = send(peer, message(peer, "q", "1"));
  EXPECT_EQ(answer_to(peer, id), "");
  sync();
  EXPECT_EQ(answer_to(peer, id), "ok");
}

TEST_F(OpenWireSessionTest, DispatchesAndTakesAcknowledgements) {
  const auto peer = connect("one");
  fill(peer, 3);
  const auto first = consume(peer);
  ASSERT_EQ(texts(first), (std::vector<std::string>{"1", "2", "3"}));
  const auto& message = *dispatch(first[1]).message;
  EXPECT_EQ(message.message_id->producer_id.connection_id, "one");
  EXPECT_EQ(message.message_id->producer_sequence_id, 2);
  EXPECT_LT(dispatch(first[0]).message->message_id->broker_sequence_id,
            message.message_id->broker_sequence_id);
  EXPECT_EQ(dispatch(first[1]).destination->physical_name, "q");
  send(peer, ack(peer, first[0], first[1], AckType::standard, 2), false);
  const auto other = connect("two");
  drop(peer);
  EXPECT_EQ(texts(consume(other)), std::vector<std::string>{"3"});
}

TEST_F(OpenWireSessionTest, AnAcknowledgementOfSomethingElseChangesNothing) {
  const auto peer = connect("one");
  fill(peer, 2);
  const auto got = consume(peer);
  auto wrong = ack(peer, got[0], got[1]);
  wrong.last_message_id->producer_sequence_id = 99;
  send(peer, wrong, false);
  // The number of this broker, and another message: an old one of another connection.
  wrong = ack(peer, got[0], got[0]);
  wrong.first_message_id.reset();
  wrong.last_message_id->producer_id.connection_id = "another";
  send(peer, wrong, false);
  drop(peer);
  EXPECT_EQ(consume(connect("two")).size(), 2U);
}

TEST_F(OpenWireSessionTest, DeliveredExtendsTheWindowAndStandardTakesItBack) {
  const auto peer = connect("one");
  fill(peer, 6);
  auto first = consume(peer, "q", 2);
  ASSERT_EQ(texts(first), (std::vector<std::string>{"1", "2"}));
  send(peer, ack(peer, first[0], first[1], AckType::delivered, 2), false);
  auto more = take_all<MessageDispatch>(peer);
  ASSERT_EQ(texts(more), (std::vector<std::string>{"3", "4"}));
  send(peer, ack(peer, first[0], more[1], AckType::standard, 4), false);
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), (std::vector<std::string>{"5", "6"}))
      << "two, not four";
}

TEST_F(OpenWireSessionTest, APoisonedMessageIsADeadLetter) {
  const auto peer = connect("one");
  fill(peer, 1);
  const auto got = consume(peer);
  auto poison = ack(peer, got[0], got[0], AckType::poison);
  poison.poison_cause.emplace();
  poison.poison_cause->class_name = "java.lang.Throwable";
  poison.poison_cause->message = "because";
  send(peer, poison, false);
  send(peer, consumer(peer, 2, "ActiveMQ.DLQ"));
  const auto dead = take_all<MessageDispatch>(peer);
  ASSERT_EQ(texts(dead), std::vector<std::string>{"1"});
  const Message& letter = *dispatch(dead[0]).message;
  EXPECT_EQ(letter.original_destination->physical_name, "q");
  EXPECT_NE(letter.marshalled_properties.value->find("java.lang.Throwable: because"),
            std::string_view::npos);
}

TEST_F(OpenWireSessionTest, WhatWasNotHandedOutIsNotCounted) {
  const auto peer = connect("one");
  fill(peer, 3);
  const auto got = consume(peer);
  RemoveInfo remove;
  remove.object_id = ConsumerId{"one", 1, 1};
  remove.last_delivered_sequence_id = dispatch(got[0]).message->message_id->broker_sequence_id;
  send(peer, remove, false);
  const auto again = consume(peer);
  ASSERT_EQ(texts(again), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(dispatch(again[0]).redelivery_counter, 1);
  EXPECT_EQ(dispatch(again[1]).redelivery_counter, 0);
}

TEST_F(OpenWireSessionTest, AWindowOfAProducerIsGivenBack) {
  const auto peer = connect("one");
  send(peer, producer(peer, 1000));
  take(peer);
  send(peer, message(peer, "q", "x"), false);
  auto acks = take_all<ProducerAck>(peer);
  ASSERT_EQ(acks.size(), 1U);
  EXPECT_EQ(std::get<ProducerAck>(acks[0].command).size, 1024 + 5);
  send(peer, message(peer, "q", "x"));
  EXPECT_TRUE(take_all<ProducerAck>(peer).empty()) << "it has its Response";
  send(peer, message(peer, "ActiveMQ.Advisory.TempQueue", "x", DestinationType::topic), false);
  EXPECT_EQ(take_all<ProducerAck>(peer).size(), 1U) << "although it was refused";
}

TEST_F(OpenWireSessionTest, AnErrorWithoutAResponseIsAConnectionError) {
  const auto peer = connect("one");
  send(peer, message(peer, "gone:1", "x", DestinationType::temp_queue), false);
  const auto errors = take_all<ConnectionError>(peer);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(std::get<ConnectionError>(errors[0].command).exception->class_name,
            "org.apache.activemq.DestinationDoesNotExistException");
  EXPECT_FALSE(peers_[peer].wire->closed());
}

// --- policies ------------------------------------------------------------------------------------

TEST_F(OpenWireSessionTest, TheDefaultPrefetchOfAClientGivesWayToThePolicy) {
  configure([](core::DestinationPolicy& policy) {
    policy.queue_prefetch = 3;
    policy.topic_prefetch = 2;
    policy.durable_prefetch = 1;
    policy.browser_prefetch = 4;
  });
  const auto peer = connect("one");
  fill(peer, 10);
  EXPECT_EQ(consume(peer).size(), 3U);
  send(peer, consumer(peer, 2, "q", DestinationType::queue, 999));
  EXPECT_EQ(take_all<MessageDispatch>(peer).size(), 7U) << "it said what it wants";
  auto browser = consumer(peer, 3, "q", DestinationType::queue, 500);
  browser.browser = true;
  send(peer, browser);
  EXPECT_EQ(take_all<MessageDispatch>(peer).size(), 4U);

  send(peer, consumer(peer, 4, "t", DestinationType::topic, 32'767));
  auto durable = consumer(peer, 5, "t", DestinationType::topic, 100);
  durable.subscription_name = "s";
  send(peer, durable);
  for (int i = 0; i < 5; ++i) send(peer, message(peer, "t", "x", DestinationType::topic));
  std::map<std::int64_t, int> got;
  for (const Received& each : take_all<MessageDispatch>(peer)) {
    ++got[dispatch(each).consumer_id->value];
  }
  EXPECT_EQ(got, (std::map<std::int64_t, int>{{4, 2}, {5, 1}}));
}

TEST_F(OpenWireSessionTest, APrefetchThatComesAfterAFailoverGivesWayAsWell) {
  configure([](core::DestinationPolicy& policy) { policy.queue_prefetch = 3; });
  const auto peer = connect("one");
  fill(peer, 10);
  EXPECT_TRUE(consume(peer, "q", 0).empty());
  ConsumerControl control;
  control.consumer_id = ConsumerId{"one", 1, 1};
  control.prefetch = 1000;
  send(peer, control);
  EXPECT_EQ(take_all<MessageDispatch>(peer).size(), 3U);
  control.prefetch = 5;
  send(peer, control);
  EXPECT_EQ(take_all<MessageDispatch>(peer).size(), 2U);
}

// The stock client refuses in a transaction, before its application sees it, what has been tried
// more often than its own policy says, unless the message has this property.
TEST_F(OpenWireSessionTest, WhatThePolicyTriesAgainIsForTheApplication) {
  configure([](core::DestinationPolicy& policy) {
    policy.redelivery = core::RedeliveryPolicy{};
    policy.redelivery->initial_delay = core::milliseconds(100);
  });
  const auto peer = connect("one");
  auto sent = message(peer, "q", "x");
  sent.marshalled_properties.value = std::string_view("\0\0\0\1\0\1n\5\0\0\0\7", 12);
  send(peer, sent);
  take(peer);
  auto got = consume(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(names_of_properties(got[0]), (std::set<std::string>{"n"}));
  send(peer, ack(peer, got[0], got[0], AckType::poison));
  EXPECT_TRUE(take_all<MessageDispatch>(peer).empty());
  advance(core::milliseconds(100));
  got = take_all<MessageDispatch>(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(dispatch(got[0]).redelivery_counter, 1);
  EXPECT_EQ(names_of_properties(got[0]), (std::set<std::string>{"n", "redeliveryDelay"}));
}

TEST_F(OpenWireSessionTest, WhatIsMarkedBecauseOfARestartIsForTheApplication) {
  auto peer = connect("one");
  fill(peer, 1);
  EXPECT_EQ(consume(peer).size(), 1U);
  restart();
  peer = connect("two");
  const auto got = consume(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(dispatch(got[0]).redelivery_counter, 1);
  EXPECT_EQ(names_of_properties(got[0]), (std::set<std::string>{"redeliveryDelay"}));
}

TEST_F(OpenWireSessionTest, WhatALostConnectionHadCountsForTheClient) {
  auto peer = connect("one");
  fill(peer, 1);
  EXPECT_EQ(consume(peer).size(), 1U);
  drop(peer);
  peer = connect("two");
  const auto got = consume(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(dispatch(got[0]).redelivery_counter, 1);
  EXPECT_TRUE(names_of_properties(got[0]).empty());
}

// Where the broker counts, the client's refusal would be one of what nobody has seen; and the
// client takes what it has refused so for a duplicate when it comes again.
TEST_F(OpenWireSessionTest, WhatALostConnectionHadIsForTheApplicationWhereThePolicyCounts) {
  configure([](core::DestinationPolicy& policy) { policy.redelivery = core::RedeliveryPolicy{}; });
  auto peer = connect("one");
  fill(peer, 1);
  EXPECT_EQ(consume(peer).size(), 1U);
  drop(peer);
  peer = connect("two");
  const auto got = consume(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(names_of_properties(got[0]), (std::set<std::string>{"redeliveryDelay"}));
}

// --- pulls and browsers --------------------------------------------------------------------------

TEST_F(OpenWireSessionTest, APullGetsOneMessageOrAnAnswer) {
  const auto peer = connect("one");
  EXPECT_TRUE(consume(peer, "q", 0).empty());
  MessagePull pull;
  pull.consumer_id = {"one", 1, 1};
  pull.timeout = -1;
  send(peer, pull, false);
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"end"});
  fill(peer, 3);
  send(peer, pull, false);
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"1"});
  pull.timeout = 1000;
  send(peer, pull, false);
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"2"});
  pull.timeout = 0;
  send(peer, pull, false);
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"3"});
  pull.timeout = 500;
  send(peer, pull, false);
  EXPECT_TRUE(take_all<MessageDispatch>(peer).empty());
  advance(core::milliseconds(499));
  EXPECT_TRUE(take_all<MessageDispatch>(peer).empty());
  advance(core::milliseconds(2));
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"end"});
  send(peer, message(peer, "q", "4"), false);
  EXPECT_TRUE(take_all<MessageDispatch>(peer).empty()) << "nobody asks for it any more";
}

TEST_F(OpenWireSessionTest, ABrowserSeesAllAndTakesNothing) {
  const auto peer = connect("one");
  fill(peer, 3);
  auto browser = consumer(peer, 7, "q");
  browser.browser = true;
  send(peer, browser);
  const auto seen = take_all<MessageDispatch>(peer);
  ASSERT_EQ(texts(seen), (std::vector<std::string>{"1", "2", "3", "end"}));
  send(peer, ack(peer, seen[0], seen[2], AckType::standard, 3), false);
  const auto there = consume(peer);
  ASSERT_EQ(texts(there), (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_EQ(dispatch(there[0]).redelivery_counter, 0);
}

// --- transactions --------------------------------------------------------------------------------

TEST_F(OpenWireSessionTest, AfterARollbackMessagesStayWithTheirConsumer) {
  const auto peer = connect("one");
  fill(peer, 2);
  const auto got = consume(peer);
  for (std::int64_t round = 1; round <= 2; ++round) {
    send(peer, transaction_info(peer, TransactionVerb::begin, transaction(peer, round)), false);
    auto both = ack(peer, got[0], got[1], AckType::standard, 2);
    both.transaction_id = transaction(peer, round);
    send(peer, both, false);
    auto sent = message(peer, "out", "sent " + std::to_string(round));
    sent.transaction_id = transaction(peer, round);
    send(peer, sent, false);
    EXPECT_TRUE(take_all<ConnectionError>(peer).empty());
    const auto verb = round == 1 ? TransactionVerb::rollback : TransactionVerb::commit_one_phase;
    EXPECT_EQ(answer_to(peer, send(peer, transaction_info(peer, verb, transaction(peer, round)))),
              "ok");
  }
  drop(peer);
  const auto other = connect("two");
  EXPECT_TRUE(consume(other).empty());
  send(other, consumer(other, 2, "out"));
  EXPECT_EQ(texts(take_all<MessageDispatch>(other)), std::vector<std::string>{"sent 2"});
}

TEST_F(OpenWireSessionTest, WhatFailedInATransactionMakesItsCommitFail) {
  const auto peer = connect("one");
  const auto id = transaction(peer, 1);
  send(peer, transaction_info(peer, TransactionVerb::begin, id), false);
  auto good = message(peer, "q", "good");
  good.transaction_id = id;
  send(peer, good, false);
  auto bad = message(peer, "gone:1", "bad", DestinationType::temp_queue);
  bad.transaction_id = id;
  send(peer, bad, false);
  EXPECT_EQ(
      answer_to(peer, send(peer, transaction_info(peer, TransactionVerb::commit_one_phase, id))),
      "javax.jms.TransactionRolledBackException");
  EXPECT_TRUE(consume(peer).empty());
  EXPECT_EQ(
      answer_to(peer, send(peer, transaction_info(peer, TransactionVerb::commit_one_phase, id))),
      "javax.jms.JMSException")
      << "it is over";
}

TEST_F(OpenWireSessionTest, XaAnswersWithTheRightKindOfResponse) {
  const auto peer = connect("one");
  XaTransactionId xid;
  xid.format_id = 1;
  xid.global_transaction_id.value = "g";
  xid.branch_qualifier.value = "b";
  const auto ask = [&](TransactionVerb verb) {
    return answer_to(peer, send(peer, transaction_info(peer, verb, TransactionId(xid))));
  };
  EXPECT_EQ(ask(TransactionVerb::begin), "ok");
  EXPECT_EQ(ask(TransactionVerb::end), "ok");
  EXPECT_EQ(ask(TransactionVerb::prepare), "3");
  EXPECT_EQ(ask(TransactionVerb::commit_two_phase), "javax.transaction.xa.XAException");
  EXPECT_EQ(ask(TransactionVerb::begin), "ok");
  auto sent = message(peer, "q", "1");
  sent.transaction_id = TransactionId(xid);
  send(peer, sent, false);
  EXPECT_EQ(ask(TransactionVerb::end), "ok");
  EXPECT_EQ(ask(TransactionVerb::prepare), "0");
  EXPECT_EQ(ask(TransactionVerb::recover), "[1]");
  EXPECT_TRUE(consume(peer).empty());
  EXPECT_EQ(ask(TransactionVerb::commit_two_phase), "ok");
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)).size(), 0U) << "answer_to() took it";
  EXPECT_EQ(ask(TransactionVerb::recover), "[0]");
}

// --- temporary destinations and advisories -------------------------------------------------------

class OpenWireAdvisoryTest : public OpenWireSessionTest {
 protected:
  void watch(std::size_t peer) {
    auto advisories = consumer(peer, 1, "ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic",
                               DestinationType::topic);
    advisories.consumer_id.session_id = -1;
    advisories.no_local = true;
    send(peer, advisories);
  }
  std::int32_t temporary(std::size_t peer, std::string_view name, bool add) {
    DestinationInfo info;
    info.connection_id = ConnectionId{peers_[peer].connection_id};
    info.destination = Destination{DestinationType::temp_queue, name};
    info.operation_type = add ? DestinationInfo::kAdd : DestinationInfo::kRemove;
    return send(peer, info);
  }
  /// "+name" and "-name" as the advisories say.
  std::vector<std::string> advised(std::size_t peer) {
    std::vector<std::string> all;
    for (const Received& received : take_all<MessageDispatch>(peer)) {
      const Message& advisory = *dispatch(received).message;
      EXPECT_EQ(advisory.type_code, MessageType::plain);
      EXPECT_EQ(advisory.type, "Advisory");
      EXPECT_FALSE(advisory.content.value.has_value());
      const auto& info = std::get<DestinationInfo>(advisory.data_structure->value);
      all.push_back((info.operation_type == DestinationInfo::kAdd ? "+" : "-") +
                    std::string(info.destination->physical_name));
    }
    return all;
  }
};

TEST_F(OpenWireAdvisoryTest, EverybodyLearnsOfTemporaryQueues) {
  const auto owner = connect("one");
  const auto other = connect("two");
  watch(other);
  take(other);
  EXPECT_EQ(answer_to(owner, temporary(owner, "one:1", true)), "ok");
  EXPECT_EQ(advised(other), std::vector<std::string>{"+one:1"});
  EXPECT_EQ(answer_to(owner, temporary(owner, "one:1", true)), "ok") << "a replay";
  EXPECT_TRUE(advised(other).empty());

  const auto late = connect("three");
  watch(late);
  EXPECT_EQ(advised(late), std::vector<std::string>{"+one:1"}) << "what was there before";

  EXPECT_EQ(answer_to(other, temporary(other, "one:1", false)), "javax.jms.JMSException");
  EXPECT_EQ(answer_to(owner, temporary(owner, "one:1", false)), "ok");
  EXPECT_EQ(advised(other), std::vector<std::string>{"-one:1"});
  temporary(owner, "one:2", true);
  drop(owner);
  EXPECT_EQ(advised(other), (std::vector<std::string>{"+one:2", "-one:2"}));
}

TEST_F(OpenWireAdvisoryTest, OnlyItsOwnerConsumesFromATemporaryQueue) {
  const auto owner = connect("one");
  const auto other = connect("two");
  temporary(owner, "one:1", true);
  EXPECT_EQ(answer_to(other, send(other, consumer(other, 1, "one:1", DestinationType::temp_queue))),
            "javax.jms.InvalidDestinationException");
  send(other, message(other, "one:1", "reply", DestinationType::temp_queue));
  send(owner, consumer(owner, 1, "one:1", DestinationType::temp_queue));
  EXPECT_EQ(texts(take_all<MessageDispatch>(owner)), std::vector<std::string>{"reply"});
}

TEST_F(OpenWireAdvisoryTest, AClientCannotForgeAdvisories) {
  const auto peer = connect("one");
  EXPECT_EQ(answer_to(peer, send(peer, message(peer, "ActiveMQ.Advisory.TempQueue", "x",
                                               DestinationType::topic))),
            "javax.jms.InvalidDestinationException");
  EXPECT_EQ(
      answer_to(peer, send(peer, message(peer, "q,topic://ActiveMQ.Advisory.TempQueue", "x"))),
      "javax.jms.InvalidDestinationException");
}

// --- durable subscriptions -----------------------------------------------------------------------

TEST_F(OpenWireSessionTest, ADurableSubscriptionKeepsWhatComes) {
  const auto peer = connect("one", "client");
  auto info = consumer(peer, 1, "t", DestinationType::topic);
  info.subscription_name = "name";
  EXPECT_EQ(answer_to(peer, send(peer, info)), "ok");
  RemoveSubscriptionInfo unsubscribe;
  unsubscribe.subscription_name = "name";
  EXPECT_EQ(answer_to(peer, send(peer, unsubscribe)), "javax.jms.JMSException") << "in use";
  RemoveInfo remove;
  remove.object_id = ConsumerId{"one", 1, 1};
  send(peer, remove, false);
  send(peer, message(peer, "t", "1", DestinationType::topic));
  info.consumer_id.value = 2;
  send(peer, info);
  EXPECT_EQ(texts(take_all<MessageDispatch>(peer)), std::vector<std::string>{"1"});
  remove.object_id = ConsumerId{"one", 1, 2};
  send(peer, remove, false);
  EXPECT_EQ(answer_to(peer, send(peer, unsubscribe)), "ok");
  EXPECT_EQ(answer_to(peer, send(peer, unsubscribe)), "javax.jms.InvalidDestinationException");
}

TEST_F(OpenWireSessionTest, ABadSelectorIsNamedAsSuch) {
  const auto peer = connect("one");
  auto info = consumer(peer, 1, "q");
  info.selector = "a >";
  EXPECT_EQ(answer_to(peer, send(peer, info)), "javax.jms.InvalidSelectorException");
}

// --- time ----------------------------------------------------------------------------------------

TEST_F(OpenWireSessionTest, KeepAliveIsAnsweredInKind) {
  const auto peer = connect("one");
  send(peer, KeepAliveInfo{});
  const auto answers = take(peer);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_FALSE(std::get<KeepAliveInfo>(answers[0].command).response_required);
}

// --- what a real client says ---------------------------------------------------------------------

// Reference §6.3: every command with responseRequired is answered exactly once, the others never.
// The captured clients spoke with another broker, so answers may be errors; but none is missing.
TEST_F(OpenWireSessionTest, AnswersEveryCommandOfTheCapturedClientsOnce) {
  std::string error;
  const auto frames = tests::read_frame_files(PABAL_VECTOR_FOLDER, error);
  ASSERT_TRUE(error.empty()) << error;
  std::map<std::string, std::size_t> peers;
  std::map<std::string, std::multiset<std::int32_t>> asked;
  for (const auto& frame : frames) {
    if (!frame.from_client || !frame.readable) continue;
    if (frame.format.version != 12 || frame.format.stack_traces) continue;
    if (frame.file.find("-loose-nocache") == std::string::npos) continue;
    const std::string name = frame.file + std::to_string(frame.connection);
    const auto [at, fresh] = peers.try_emplace(name, 0);
    if (fresh) at->second = accept();
    AnyCommand command;
    ASSERT_TRUE(read_command(std::string_view(frame.bytes).substr(4), {}, command, error));
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_base_of_v<CommandHead, std::decay_t<decltype(value)>>) {
            if (value.response_required) asked[name].insert(value.command_id);
          }
        },
        command);
    receive(at->second, frame.bytes);
  }
  EXPECT_GT(peers.size(), 30U);
  for (const auto& [name, number] : peers) {
    SCOPED_TRACE(name);
    std::multiset<std::int32_t> answered;
    for (const Received& received : take(number)) {
      std::visit(
          [&](const auto& value) {
            using Type = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<Type, Response> ||
                          std::is_same_v<Type, ExceptionResponse> ||
                          std::is_same_v<Type, IntegerResponse> ||
                          std::is_same_v<Type, DataArrayResponse>) {
              answered.insert(value.correlation_id);
            }
          },
          received.command);
    }
    EXPECT_EQ(answered, asked[name]);
  }
}

}  // namespace
}  // namespace pabal::openwire
