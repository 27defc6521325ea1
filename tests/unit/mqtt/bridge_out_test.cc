// A bridge's way out: what the other broker may answer, and where the connection may end.

#include "protocols/mqtt/packet_encoder.h"
#include "tests/unit/mqtt/bridge_fixture.h"

namespace pabal::mqtt {
namespace {

using Texts = std::vector<std::string>;

class BridgeOutTest : public BridgeFixture {
 protected:
  /// The bridge of the tests, connected.
  void connected(QoS qos) {
    out("o/#", qos);
    EXPECT_THAT(begin(), IsEmpty());
    ASSERT_TRUE(status_.connected());
  }
};

TEST_F(BridgeOutTest, ForwardsAndForgetsWhatIsAnswered) {
  connected(QoS::at_least_once);
  EXPECT_THAT(sent("o/x", "1"), ElementsAre(AllOf(StartsWith("PUBLISH qos=1 id=1 topic=\"o/x\""),
                                                  HasSubstr("\"PabalPath\": \"home\""))));
  EXPECT_THAT(sent("p/x", "not this"), IsEmpty());
  EXPECT_EQ(waiting(), 1U);
  ack<Puback>(1);
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(status_.forwarded_out, 1U);
  EXPECT_THAT(killed(), IsEmpty());
}

TEST_F(BridgeOutTest, QosIsTheLowestOfMessageRouteAndPeer) {
  connected(QoS::exactly_once);
  EXPECT_THAT(sent("o/x", "1", QoS::at_most_once), ElementsAre(StartsWith("PUBLISH qos=0 topic")));
  EXPECT_THAT(sent("o/x", "2", QoS::at_least_once), ElementsAre(StartsWith("PUBLISH qos=1 id=1")));
  EXPECT_THAT(sent("o/x", "3", QoS::exactly_once), ElementsAre(StartsWith("PUBLISH qos=2 id=2")));
  Properties at_most_1;
  at_most_1.set(PropertyId::maximum_qos, 1);
  ack<Puback>(1);
  EXPECT_THAT(again(false, at_most_1), ElementsAre(StartsWith("PUBLISH qos=1 dup id=1")));
}

TEST_F(BridgeOutTest, APeerOfQos0IsRefusedWhereMessagesAreToBeKept) {
  out("o/#", QoS::at_least_once);
  prepare();
  dial();
  Properties only_0;
  only_0.set(PropertyId::maximum_qos, 0);
  accept(false, only_0);
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_THAT(course_.ending, HasSubstr("nothing above QoS 0"));
  EXPECT_FALSE(course_.accepted);
}

TEST_F(BridgeOutTest, Qos1ComesAgainUntilItIsAnswered) {
  connected(QoS::at_least_once);
  sent("o/x", "1");
  EXPECT_THAT(again(), ElementsAre(StartsWith("PUBLISH qos=1 dup")));
  EXPECT_THAT(killed(), ElementsAre(StartsWith("PUBLISH qos=1 dup")));
  EXPECT_THAT(again(false), ElementsAre(StartsWith("PUBLISH qos=1 dup")));
  ack<Puback>(1);
  EXPECT_THAT(again(), IsEmpty());
}

TEST_F(BridgeOutTest, NothingOfQos2LeavesBeforeItsIdIsDurable) {
  connected(QoS::exactly_once);
  sent("o/x", "0", QoS::exactly_once);
  publish(device_, "o/x", "1", QoS::exactly_once, 77);
  broker_.settle();
  EXPECT_THAT(take(link_), IsEmpty());
  broker_.sync();
  EXPECT_THAT(take(link_), ElementsAre(StartsWith("PUBLISH qos=2 id=2")));
}

/// Goal: exactly once, wherever the connection ends or the broker is killed. Method: every step.
TEST_F(BridgeOutTest, Qos2GoesOnWhereItEnded) {
  connected(QoS::exactly_once);
  sent("o/x", "1", QoS::exactly_once);
  // Before PUBREC: the same id, and it says so.
  EXPECT_THAT(again(), ElementsAre(StartsWith("PUBLISH qos=2 dup id=1")));
  EXPECT_THAT(killed(), ElementsAre(StartsWith("PUBLISH qos=2 dup id=1")));
  // Behind it: never the message again.
  EXPECT_THAT(ack<Pubrec>(1), ElementsAre("PUBREL id=1 0x00"));
  EXPECT_THAT(again(), ElementsAre("PUBREL id=1 0x00"));
  EXPECT_EQ(waiting(), 1U) << "a peer that dies now may forget it";
  EXPECT_THAT(killed(), ElementsAre("PUBREL id=1 0x00"));
  EXPECT_THAT(ack<Pubcomp>(1, ReasonCode::packet_identifier_not_found), IsEmpty());
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(remembered(), 1U) << "whose session it is, and nothing else";
  EXPECT_THAT(killed(), IsEmpty());
  EXPECT_EQ(dead_letters(), 0U);
}

TEST_F(BridgeOutTest, Qos2BeginsAnewWhereThePeerHasForgotten) {
  connected(QoS::exactly_once);
  sent("o/x", "1", QoS::exactly_once);
  sent("o/x", "2", QoS::exactly_once);
  ack<Pubrec>(1);
  EXPECT_THAT(again(false),
              ElementsAre(AllOf(StartsWith("PUBLISH qos=2 id="), HasSubstr("\"1\"")),
                          AllOf(StartsWith("PUBLISH qos=2 id="), HasSubstr("\"2\""))));
  EXPECT_THAT(fault(), HasSubstr("it has lost its session"));
}

/// Goal: PUBCOMP that comes before its message does not make a second one of it, wherever the
/// journal ends. Method: every prefix of what was submitted survives.
TEST_F(BridgeOutTest, ACompletedMessageIsGoneWithItsId) {
  for (std::uint64_t lost = 0; lost < 6; ++lost) {
    SCOPED_TRACE(lost);
    options_.out.clear();
    connected(QoS::exactly_once);
    sent("o/x", "1", QoS::exactly_once);
    ack<Pubrec>(1);
    killed();
    Pubcomp packet;
    packet.packet_id = 1;
    broker_.send(link_, packet);  // submitted, and not durable
    const auto last = static_cast<std::uint64_t>(broker_.submitted());
    const auto told = killed(core::Ticket{last > lost ? last - lost : 0});
    for (const auto& each : told) EXPECT_THAT(each, StartsWith("PUBREL"));
    if (!told.empty()) ack<Pubcomp>(1);
    EXPECT_EQ(waiting(), 0U);
    EXPECT_EQ(remembered(), 1U);
    ASSERT_EQ(dead_letters(), 0U);
    broker_.drop(link_);
  }
}

/// Goal: the id of a message that expired between two connections is free again.
TEST_F(BridgeOutTest, AnIdIsFreeAgainWhenItsMessageWillNotCome) {
  connected(QoS::exactly_once);
  Publish packet;
  packet.topic = "o/x";
  packet.qos = QoS::exactly_once;
  packet.packet_id = ++device_id_;
  packet.properties.set(PropertyId::message_expiry, 10);
  broker_.send(device_, packet);
  broker_.sync();
  EXPECT_THAT(take(link_), ElementsAre(StartsWith("PUBLISH qos=2 id=1")));
  broker_.drop(link_);
  broker_.advance(core::milliseconds(60'000));
  broker_.sync();
  EXPECT_EQ(waiting(), 0U);
  dial();
  EXPECT_THAT(accept(true), ElementsAre("PUBREL id=1 0x00"));
  EXPECT_EQ(remembered(), 2U);
  ack<Pubcomp>(1, ReasonCode::packet_identifier_not_found);
  EXPECT_EQ(remembered(), 1U);
  EXPECT_THAT(sent("o/x", "2", QoS::exactly_once), ElementsAre(StartsWith("PUBLISH qos=2 id=1")));
}

TEST_F(BridgeOutTest, WhatBeganForARouteThatIsNoMoreIsEnded) {
  connected(QoS::exactly_once);
  sent("o/x", "1", QoS::exactly_once);
  options_.out.clear();
  out("p/#", QoS::exactly_once);
  EXPECT_THAT(killed(), ElementsAre("PUBREL id=1 0x00"));
  EXPECT_THAT(left_over_, ElementsAre("mqtt:o/#"));
  ack<Pubcomp>(1);
  EXPECT_EQ(remembered(), 1U);
}

// --- limits --------------------------------------------------------------------------------------

TEST_F(BridgeOutTest, NoMoreThanThePeerTakesAreOnTheirWayAndQos0DoesNotWait) {
  out("old", QoS::exactly_once);
  begin();
  sent("old", "1", QoS::exactly_once);
  sent("old", "1", QoS::exactly_once);
  // What is on its way then is of a route that is no more: core does not count it.
  options_.out.clear();
  out("o/#", QoS::exactly_once);
  killed();
  Properties two;
  two.set(PropertyId::receive_maximum, 2);
  EXPECT_THAT(again(true, two), ElementsAre("PUBREL id=1 0x00", "PUBREL id=2 0x00"));
  EXPECT_THAT(sent("o/x", "2"), IsEmpty());
  EXPECT_THAT(sent("o/x", "0", QoS::at_most_once), ElementsAre(StartsWith("PUBLISH qos=0")));
  EXPECT_THAT(ack<Pubcomp>(1), ElementsAre(AllOf(StartsWith("PUBLISH qos=1"), HasSubstr("\"2\""))));
}

/// What a peer does not answer holds a bounded number of bytes, whatever Receive Maximum allows.
TEST_F(BridgeOutTest, BytesOnTheirWayAreBounded) {
  constexpr std::size_t kCount = 30;
  const std::string payload(100'000, 'x');
  connected(QoS::exactly_once);
  std::size_t got = 0;
  for (std::size_t i = 0; i < kCount; ++i) got += sent("o/x", payload, QoS::exactly_once).size();
  EXPECT_GE(got, 10U);
  EXPECT_LE(got, 11U);
  for (std::uint16_t id = 1; id <= kCount; ++id) {
    for (const auto& each : ack<Pubrec>(id)) got += each.starts_with("PUBLISH") ? 1 : 0;
    EXPECT_LE(got, id + 11U);
  }
  EXPECT_EQ(got, kCount);
  // And when they come again.
  got = again(false).size();
  EXPECT_GE(got, 10U);
  EXPECT_LE(got, 11U);
}

/// Goal: with all packet ids in use it waits, in order, and goes on. Method: a session that
/// remembers 65,535 begun messages that are no more.
TEST_F(BridgeOutTest, WaitsWhileAllIdsAreInUse) {
  core::engine_role.assert_held();
  connected(QoS::exactly_once);
  core::SessionChanges changes;
  for (std::uint32_t id = 1; id <= 65'535; ++id) {
    changes.push_back({"o/" + std::to_string(id), "p 0 0 0 0 1 " + std::to_string(id) + " o/#"});
  }
  ASSERT_TRUE(broker_.engine().change_session(*broker_.peer(link_).session->connection(), changes));
  broker_.sync();
  const auto releases = again();
  EXPECT_EQ(releases.size(), 65'535U);
  EXPECT_THAT(sent("o/x", "1"), IsEmpty());
  EXPECT_THAT(sent("o/x", "2"), IsEmpty());
  std::string bytes;
  for (std::uint32_t id = 1; id <= 65'535; ++id) {
    Pubcomp packet;
    packet.packet_id = static_cast<std::uint16_t>(id);
    append_packet(bytes, packet, Level::v5);
  }
  broker_.receive(link_, bytes);
  broker_.sync();
  EXPECT_THAT(take(link_), ElementsAre(HasSubstr("payload=\"1\""), HasSubstr("payload=\"2\"")));
  EXPECT_EQ(remembered(), 1U);
}

// --- what the peer cannot have -------------------------------------------------------------------

TEST_F(BridgeOutTest, WhatIsRefusedForGoodIsADeadLetter) {
  connected(QoS::exactly_once);
  std::uint64_t dead = 0;
  for (const auto reason : {ReasonCode::not_authorized, ReasonCode::topic_name_invalid,
                            ReasonCode::payload_format_invalid}) {
    SCOPED_TRACE(to_string(reason));
    sent("o/x", "1", QoS::at_least_once);
    EXPECT_THAT(ack<Puback>(1, reason), IsEmpty());
    sent("o/x", "2", QoS::exactly_once);
    EXPECT_THAT(ack<Pubrec>(1, reason), IsEmpty());
    EXPECT_FALSE(broker_.closed(link_));
    EXPECT_EQ(waiting(), 0U);
    EXPECT_EQ(dead_letters(), dead += 2);
    EXPECT_EQ(status_.refused_out, dead);
    EXPECT_EQ(remembered(), 1U);
    EXPECT_THAT(fault(), HasSubstr(to_string(reason)));
  }
  EXPECT_EQ(status_.forwarded_out, 0U);
  EXPECT_THAT(killed(), IsEmpty());
  EXPECT_EQ(dead_letters(), dead);
}

TEST_F(BridgeOutTest, WhatIsRefusedForTheMomentIsTriedAgain) {
  connected(QoS::exactly_once);
  for (const auto qos : {QoS::at_least_once, QoS::exactly_once}) {
    for (const auto reason :
         {ReasonCode::unspecified_error, ReasonCode::implementation_specific_error,
          ReasonCode::quota_exceeded}) {
      sent("o/x", "1", qos);
      if (qos == QoS::at_least_once) {
        ack<Puback>(1, reason);
      } else {
        ack<Pubrec>(1, reason);
      }
      EXPECT_TRUE(broker_.closed(link_));
      EXPECT_FALSE(status_.connected());
      EXPECT_THAT(course_.ending, HasSubstr(to_string(reason)));
      EXPECT_THAT(again(), ElementsAre(HasSubstr("payload=\"1\"")));
      ack<Puback>(1);
      ack<Pubrec>(1);
      ack<Pubcomp>(1);
      EXPECT_EQ(waiting(), 0U);
    }
  }
  EXPECT_EQ(dead_letters(), 0U);
}

TEST_F(BridgeOutTest, AfterAttemptsMaxItIsADeadLetter) {
  options_.attempts_max = 3;
  connected(QoS::at_least_once);
  sent("o/x", "1");
  for (int i = 0; i < 2; ++i) {
    ack<Puback>(1, ReasonCode::quota_exceeded);
    EXPECT_THAT(again(), ElementsAre(HasSubstr("payload=\"1\"")));
  }
  ack<Puback>(1, ReasonCode::quota_exceeded);
  EXPECT_THAT(again(), IsEmpty());
  EXPECT_EQ(dead_letters(), 1U);
  EXPECT_THAT(fault(), HasSubstr("3 times in a row"));
}

/// Goal: a message over which the peer hangs up without a word is found out, is seen, and does not
/// go away by itself.
TEST_F(BridgeOutTest, APeerThatHangsUpIsToldOneAtATime) {
  connected(QoS::at_least_once);
  sent("o/x", "1");
  sent("o/y", "2");
  EXPECT_THAT(again(), ElementsAre(HasSubstr("payload=\"1\""))) << "carefully";
  for (int times = 1; times <= 20; ++times) {
    EXPECT_THAT(again(), ElementsAre(HasSubstr("payload=\"1\"")));
    EXPECT_EQ(course_.suspect->times, times);
  }
  broker_.drop(link_);
  EXPECT_EQ(course_.ending,
            "it closed the connection when it was sent one message (to o/#), 21 times in a row");
  EXPECT_EQ(waiting(), 2U);
  dial();
  accept(true);
  EXPECT_THAT(ack<Puback>(1), ElementsAre(HasSubstr("payload=\"2\"")));
}

TEST_F(BridgeOutTest, APeerThatSaysWhatItHangsUpOverIsSparedIt) {
  for (const auto qos : {QoS::at_least_once, QoS::exactly_once}) {
    options_.out.clear();
    connected(qos);
    const std::uint64_t dead = dead_letters();
    sent("o/x", "1", qos);
    sent("o/x", "2", qos);
    Disconnect bye;
    bye.reason = ReasonCode::packet_too_large;
    say(bye);
    EXPECT_TRUE(broker_.closed(link_));
    EXPECT_EQ(dead_letters(), dead) << "it may have been the other one";
    EXPECT_THAT(again(), ElementsAre(HasSubstr("payload=\"1\"")));
    say(bye);
    const auto told = again();
    EXPECT_EQ(dead_letters(), dead + 1);
    EXPECT_THAT(fault(), HasSubstr("Packet too large"));
    const auto has_2 = std::any_of(told.begin(), told.end(), [](const std::string& each) {
      return each.find("payload=\"2\"") != std::string::npos;
    });
    const auto behind = qos == QoS::exactly_once ? ack<Pubcomp>(1) : Texts{};
    EXPECT_TRUE(has_2 || !behind.empty());
    broker_.drop(link_);
    broker_.restart();
    suspicion_gone();
    prepare();
    dial();
    for (const auto& each : accept(false)) EXPECT_THAT(each, HasSubstr("payload=\"2\""));
    ack<Puback>(1);
    ack<Pubrec>(1);
    ack<Pubcomp>(1);
    EXPECT_EQ(waiting(), 0U);
    broker_.drop(link_);
  }
}

TEST_F(BridgeOutTest, WhatIsLargerThanThePeerTakesIsADeadLetter) {
  out("o/#", QoS::exactly_once);
  prepare();
  dial();
  Properties small;
  small.set(PropertyId::maximum_packet_size, 100);
  accept(false, small);
  EXPECT_THAT(sent("o/x", std::string(100, 'x'), QoS::at_least_once), IsEmpty());
  EXPECT_THAT(sent("o/x", std::string(100, 'x'), QoS::exactly_once), IsEmpty());
  EXPECT_THAT(sent("o/x", std::string(100, 'x'), QoS::at_most_once), IsEmpty());
  EXPECT_THAT(faults_, ElementsAre(HasSubstr("larger than"), HasSubstr("larger than"),
                                   HasSubstr("not forwarded at QoS 0")));
  EXPECT_EQ(dead_letters(), 2U);
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(remembered(), 1U);
  EXPECT_THAT(sent("o/x", "1"), ElementsAre(HasSubstr("payload=\"1\"")));
}

// --- which messages ------------------------------------------------------------------------------

TEST_F(BridgeOutTest, PrefixesAreChangedAndTheLevelAboveThemIsNotForwarded) {
  out("#", QoS::at_least_once, "here/", "there/far/");
  begin();
  EXPECT_THAT(sent("here/a/b", "1"), ElementsAre(HasSubstr("topic=\"there/far/a/b\"")));
  EXPECT_THAT(sent("here", "2"), IsEmpty());
  ack<Puback>(1);
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(dead_letters(), 0U);
}

TEST_F(BridgeOutTest, WhatHasBeenHereDoesNotGoOutAgainAndNothingHasTwoPaths) {
  connected(QoS::at_least_once);
  const auto with_path = [&](const std::string& path) {
    std::string encoded;
    EXPECT_TRUE(append_user_property(encoded, kPathProperty, path));
    Publish packet;
    packet.topic = "o/x";
    packet.qos = QoS::at_least_once;
    packet.packet_id = ++device_id_;
    packet.properties.user = UserProperties(encoded, 1);
    broker_.send(device_, packet);
    broker_.sync();
    return take(link_);
  };
  EXPECT_THAT(with_path("a,b"), ElementsAre(HasSubstr("{\"PabalPath\": \"a,b,home\"}")));
  EXPECT_THAT(with_path("a,home"), IsEmpty());
  EXPECT_EQ(status_.looped, 1U);
  EXPECT_EQ(waiting(), 1U);
  EXPECT_THAT(with_path(std::string(65'532, 'a')), IsEmpty());
  EXPECT_EQ(dead_letters(), 1U);
  EXPECT_THAT(fault(), HasSubstr("too many brokers"));
}

TEST_F(BridgeOutTest, WhatIsRetainedGoesOutWhenTheRouteIsNew) {
  device_ = connect("early");
  sent("o/x", "1", QoS::at_least_once, true);
  out("o/#", QoS::at_least_once);
  EXPECT_THAT(begin(), ElementsAre(StartsWith("PUBLISH qos=1 retain id=1 topic=\"o/x\"")));
  EXPECT_THAT(again(), ElementsAre(StartsWith("PUBLISH qos=1 retain")));
  ack<Puback>(1);
  EXPECT_THAT(again(), IsEmpty());
  EXPECT_THAT(killed(), IsEmpty());
}

}  // namespace
}  // namespace pabal::mqtt
