// A bridge's way in, its connection, and what it remembers of the other broker's session.

#include "tests/unit/mqtt/bridge_fixture.h"

namespace pabal::mqtt {
namespace {

class BridgeInTest : public BridgeFixture {
 protected:
  /// Connected, and granted what it asked for.
  void connected(QoS qos) {
    in("i/#", qos);
    ASSERT_THAT(begin(), ElementsAre(StartsWith("SUBSCRIBE id=1 \"i/#\"")));
    EXPECT_THAT(grant(1, std::string(1, static_cast<char>(qos))), IsEmpty());
    listen();
  }
  void listen() {
    ear_ = connect("ear");
    subscribe(ear_, "#", QoS::at_most_once);
    take(ear_);
  }
  /// Payloads that came to this broker.
  std::string heard() {
    std::string all;
    for (const auto& each : take(ear_)) {
      const auto at = each.find("payload=\"");
      all += at == std::string::npos ? "" : each.substr(at + 9, each.find('"', at + 9) - at - 9);
    }
    return all;
  }
  std::size_t ear_ = 0;
};

/// Goal: what a peer was asked for holds over whatever it forgets: a session that it has again
/// after it was killed may be older than that.
TEST_F(BridgeInTest, AsksForWhatItWantsWithEachConnection) {
  in("i/#", QoS::exactly_once, "mine/", "yours/");
  EXPECT_THAT(begin(),
              ElementsAre("SUBSCRIBE id=1 \"yours/i/#\" qos=2 no-local retain-as-published "
                          "retain-handling=1"));
  EXPECT_THAT(again(), ElementsAre(StartsWith("SUBSCRIBE"))) << "no answer yet";
  grant(1, "\x02");
  EXPECT_THAT(again(), ElementsAre(StartsWith("SUBSCRIBE")));
  EXPECT_THAT(killed(), ElementsAre(StartsWith("SUBSCRIBE")));
  EXPECT_THAT(again(false), ElementsAre(StartsWith("SUBSCRIBE"))) << "it has forgotten";
  grant(1, "\x02");
  options_.in.clear();
  in("j", QoS::at_most_once);
  EXPECT_THAT(killed(),
              ElementsAre("UNSUBSCRIBE id=1 \"yours/i/#\"", StartsWith("SUBSCRIBE id=2")));
}

TEST_F(BridgeInTest, WhatIsRefusedIsSeenAndAskedForAgain) {
  in("i/#", QoS::at_least_once);
  in("j/#", QoS::at_least_once);
  out("o/#", QoS::at_least_once);
  begin();
  grant(1, "\x87\x01");
  EXPECT_TRUE(status_.connected());
  EXPECT_EQ(fault(), "it refused the subscription i/#: Not authorized");
  EXPECT_THAT(sent("o/x", "1"), ElementsAre(HasSubstr("payload=\"1\"")));
  ack<Puback>(2);
  ack<Puback>(1);
  EXPECT_THAT(again(), ElementsAre(StartsWith("SUBSCRIBE id=1 \"i/#\"")));
  grant(1, std::string("\x01\x00", 2));
  EXPECT_EQ(fault(), "it grants QoS 0 only to j/#");
}

TEST_F(BridgeInTest, AnswersWhatIsDurable) {
  connected(QoS::exactly_once);
  EXPECT_THAT(come("i/x", "0", QoS::at_most_once), IsEmpty());
  EXPECT_THAT(come("i/x", "1", QoS::at_least_once, 5), ElementsAre("PUBACK id=5 0x00"));
  EXPECT_THAT(come("i/x", "2", QoS::exactly_once, 6), ElementsAre("PUBREC id=6 0x00"));
  EXPECT_THAT(ack<Pubrel>(6), ElementsAre("PUBCOMP id=6 0x00"));
  EXPECT_THAT(ack<Pubrel>(6), ElementsAre("PUBCOMP id=6 0x92"));
  EXPECT_EQ(heard(), "012");
  EXPECT_EQ(status_.forwarded_in, 3U);
  const auto keeper = resume("keeper");
  subscribe(keeper, "i/#", QoS::exactly_once);
  take(keeper);
  Publish packet;
  packet.topic = "i/x";
  packet.qos = QoS::at_least_once;
  packet.packet_id = 7;
  broker_.send(link_, packet);
  EXPECT_THAT(take(link_), IsEmpty()) << "not durable yet";
  broker_.sync();
  EXPECT_THAT(take(link_), ElementsAre("PUBACK id=7 0x00"));
}

/// Goal: QoS 2 is taken once, wherever the connection ends or the broker is killed.
TEST_F(BridgeInTest, Qos2IsTakenOnce) {
  connected(QoS::exactly_once);
  come("i/x", "1", QoS::exactly_once, 5);
  again();
  EXPECT_THAT(come("i/x", "1", QoS::exactly_once, 5, true), ElementsAre("PUBREC id=5 0x00"));
  EXPECT_EQ(heard(), "1");
  killed();
  listen();
  EXPECT_THAT(come("i/x", "1", QoS::exactly_once, 5, true), ElementsAre("PUBREC id=5 0x00"));
  EXPECT_THAT(ack<Pubrel>(5), ElementsAre("PUBCOMP id=5 0x00"));
  again();
  EXPECT_THAT(ack<Pubrel>(5), ElementsAre("PUBCOMP id=5 0x92"));
  EXPECT_EQ(heard(), "");
  EXPECT_THAT(come("i/x", "1", QoS::exactly_once, 5), ElementsAre("PUBREC id=5 0x00"));
  EXPECT_EQ(heard(), "1") << "a new message under an old id";
}

/// Goal: a peer that was killed and has lost a part of its memory does not lose what it sends now.
/// Method: it uses an id for another message, of which this side still knows the first one.
TEST_F(BridgeInTest, AnIdThatThePeerHasForgottenIsOfTheNextMessage) {
  connected(QoS::exactly_once);
  come("i/x", "1", QoS::exactly_once, 5);
  again();
  EXPECT_THAT(come("i/x", "2", QoS::exactly_once, 5), ElementsAre("PUBREC id=5 0x00"));
  EXPECT_THAT(come("i/x", "2", QoS::exactly_once, 5, true), ElementsAre("PUBREC id=5 0x00"));
  EXPECT_EQ(heard(), "12");
}

TEST_F(BridgeInTest, APeerThatHasForgottenBeginsAnew) {
  connected(QoS::exactly_once);
  come("i/x", "1", QoS::exactly_once, 5);
  again(false);
  grant(1, "\x02");
  come("i/x", "1", QoS::exactly_once, 5);
  EXPECT_EQ(heard(), "11") << "it cannot be known";
}

TEST_F(BridgeInTest, WhatCannotBeHereIsSaidAndSeen) {
  in("#", QoS::at_least_once, "", "far/");
  in("q/#", QoS::at_least_once, "$SYS/");
  begin();
  grant(1, "\x01\x01");
  listen();
  EXPECT_THAT(come("q/x", "1", QoS::at_least_once, 5), ElementsAre("PUBACK id=5 0x90"));
  EXPECT_THAT(fault(), HasSubstr("a topic that cannot be here: $SYS/q/x"));
  EXPECT_THAT(come("other", "1", QoS::at_least_once, 6), ElementsAre("PUBACK id=6 0x90"));
  EXPECT_THAT(fault(), HasSubstr("a topic that nothing was asked of"));
  EXPECT_EQ(status_.refused_in, 2U);
  // `far/#` brings `far`, too, which does not begin with the prefix.
  EXPECT_THAT(come("far", "1", QoS::at_least_once, 7), ElementsAre("PUBACK id=7 0x10"));
  EXPECT_THAT(come("far/", "1", QoS::at_least_once, 8), ElementsAre("PUBACK id=8 0x90"));
  EXPECT_EQ(heard(), "");
  EXPECT_EQ(status_.looped, 0U);
}

TEST_F(BridgeInTest, WhatHasBeenHereIsNotTakenAgain) {
  connected(QoS::exactly_once);
  std::string encoded;
  ASSERT_TRUE(append_user_property(encoded, kPathProperty, "home,far"));
  Publish packet;
  packet.topic = "i/x";
  packet.qos = QoS::exactly_once;
  packet.packet_id = 5;
  packet.properties.user = UserProperties(encoded, 1);
  EXPECT_THAT(say(packet), ElementsAre("PUBREC id=5 0x10"));
  EXPECT_THAT(ack<Pubrel>(5), ElementsAre("PUBCOMP id=5 0x00"));
  EXPECT_EQ(heard(), "");
  EXPECT_EQ(status_.looped, 1U);
}

// --- whose session it is -------------------------------------------------------------------------

/// Goal [MQTT-3.2.2-4]: a session at the peer that does not belong to what is kept here goes first;
/// its packet ids would be taken for ours.
TEST_F(BridgeInTest, ASessionThatIsNotOursGoesFirst) {
  in("i/#", QoS::at_least_once);
  prepare();
  dial();
  EXPECT_THAT(hello_, StartsWith("CONNECT level=5 clean keep-alive=60 client-id=\"c\""));
  accept();
  grant(1, "\x01");
  again();
  EXPECT_THAT(hello_, StartsWith("CONNECT level=5 keep-alive=60"));
  killed();
  EXPECT_THAT(hello_, StartsWith("CONNECT level=5 keep-alive=60"));
  options_.remote = "mqtt://other:1883";
  EXPECT_THAT(killed({}, true), ElementsAre(StartsWith("SUBSCRIBE")))
      << "whatever it says of a session, it is not ours";
  EXPECT_THAT(hello_, StartsWith("CONNECT level=5 clean"));
  grant(1, "\x01");
  options_.client_id = "d";
  killed();
  EXPECT_THAT(hello_, StartsWith("CONNECT level=5 clean"));
}

TEST_F(BridgeInTest, APeerThatLetsNobodyInIsStillUnknown) {
  in("i/#", QoS::at_least_once);
  prepare();
  dial();
  Connack no;
  no.reason = ReasonCode::not_authorized;
  say(no);
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_EQ(course_.ending, "it refused the connection: Not authorized");
  broker_.drop(link_);
  dial();
  EXPECT_THAT(hello_, HasSubstr(" clean "));
}

/// Goal: before 5.0 a clean session ends with its connection, so it takes one more.
TEST_F(BridgeInTest, BeforeVersion5ItTakesTwoConnections) {
  options_.level = Level::v3_1_1;
  in("i/#", QoS::at_least_once);
  prepare();
  dial();
  EXPECT_THAT(hello_, StartsWith("CONNECT level=4 clean"));
  EXPECT_THAT(accept(), ElementsAre(StartsWith("DISCONNECT")));
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_TRUE(course_.again_at_once);
  EXPECT_FALSE(course_.accepted);
  EXPECT_EQ(course_.ending, "");
  broker_.drop(link_);
  dial();
  EXPECT_THAT(hello_, StartsWith("CONNECT level=4 keep-alive"));
  EXPECT_THAT(accept(), ElementsAre("SUBSCRIBE id=1 \"i/#\" qos=1"));
  EXPECT_FALSE(course_.again_at_once);
  EXPECT_TRUE(course_.accepted);
  EXPECT_EQ(fault(), "");
}

/// Goal: the peer gathers for no session that could be lost here.
TEST_F(BridgeInTest, NothingIsAskedForBeforeItIsKnownWhoseSessionItIs) {
  in("i/#", QoS::at_least_once);
  prepare();
  dial();
  broker_.send(link_, Connack{});
  EXPECT_THAT(take(link_), IsEmpty());
  broker_.sync();
  EXPECT_THAT(take(link_), ElementsAre(StartsWith("SUBSCRIBE")));
}

TEST_F(BridgeInTest, APeerThatWillForgetIsSeen) {
  in("i/#", QoS::at_least_once);
  prepare();
  dial();
  Properties properties;
  properties.set(PropertyId::session_expiry, 60);
  accept(false, properties);
  EXPECT_THAT(fault(), HasSubstr("keeps its session for 60 seconds only"));
}

// --- the connection ------------------------------------------------------------------------------

TEST_F(BridgeInTest, CredentialsGoToThePeer) {
  options_.user_name = "me";
  options_.password = "secret";
  prepare();
  dial();
  EXPECT_THAT(hello_, HasSubstr("user=\"me\" password=\"secret\""));
}

TEST_F(BridgeInTest, GivesUpAPeerThatDoesNotAnswerConnect) {
  using core::milliseconds;
  prepare();
  dial();
  EXPECT_EQ(broker_.wait(link_, milliseconds(100), milliseconds(20'000)), milliseconds(10'000));
  EXPECT_FALSE(broker_.closed(link_));
  broker_.wait(link_, milliseconds(100), milliseconds(30'000));
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_EQ(course_.ending, "no CONNACK in time");
}

TEST_F(BridgeInTest, AsksWhetherASilentPeerIsThere) {
  using core::milliseconds;
  prepare();
  dial();
  accept();
  broker_.wait(link_, milliseconds(44'000), milliseconds(44'000));
  EXPECT_THAT(take(link_), IsEmpty());
  broker_.wait(link_, milliseconds(46'000), milliseconds(1'000));
  EXPECT_THAT(take(link_), ElementsAre("PINGREQ"));
  broker_.wait(link_, milliseconds(61'000), milliseconds(15'000));
  EXPECT_THAT(take(link_), IsEmpty()) << "it was asked";
  say(Pingresp{});
  // Nothing is read for want of room: the peer has to hear of us all the same.
  for (int i = 0; i < 3; ++i) {
    broker_.wait(link_, milliseconds(0), milliseconds(46'000));
    EXPECT_THAT(take(link_), ElementsAre("PINGREQ"));
  }
  broker_.wait(link_, milliseconds(90'000), milliseconds(15'000));
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_EQ(course_.ending, "nothing came within its keep alive");
}

TEST_F(BridgeInTest, TakesTheKeepAliveOfThePeer) {
  using core::milliseconds;
  prepare();
  dial();
  Properties properties;
  properties.set(PropertyId::server_keep_alive, 8);
  accept(false, properties);
  EXPECT_EQ(broker_.wait(link_, {}, {}), milliseconds(2'000));
  properties.set(PropertyId::server_keep_alive, 0);
  again(true, properties);
  EXPECT_EQ(broker_.wait(link_, {}, {}), std::nullopt);
}

TEST_F(BridgeInTest, SaysWhatAnOldBrokerMeans) {
  prepare();
  dial();
  broker_.receive(link_, std::string_view("\x20\x02\x00\x01", 4));
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_THAT(course_.ending, HasSubstr("is it one for version=3.1.1?"));
}

TEST_F(BridgeInTest, EndsAtWhatHasNoPlace) {
  for (const bool connected : {false, true}) {
    prepare();
    dial();
    if (connected) accept();
    Suback unasked;
    unasked.packet_id = 9;
    unasked.reasons = std::string_view("\x01", 1);
    say(unasked);
    EXPECT_EQ(broker_.closed(link_), !connected) << "an answer to nothing is none";
    if (connected) broker_.receive(link_, std::string_view("\xC0\x00", 2));  // PINGREQ
    EXPECT_TRUE(broker_.closed(link_));
    EXPECT_FALSE(status_.connected());
    broker_.drop(link_);
  }
}

TEST_F(BridgeInTest, ThePeersLastWordsAreSeen) {
  prepare();
  dial();
  accept();
  Disconnect bye;
  bye.reason = ReasonCode::server_shutting_down;
  say(bye);
  EXPECT_TRUE(broker_.closed(link_));
  EXPECT_EQ(course_.ending, "it disconnected: Server shutting down");
}

}  // namespace
}  // namespace pabal::mqtt
