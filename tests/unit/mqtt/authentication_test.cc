#include "tests/unit/mqtt/mqtt_fixture.h"

// Enhanced authentication, with a method that asks once and takes "right".

namespace pabal::mqtt {
namespace {

class Question final : public Authentication {
 public:
  AuthenticationStep take(std::string_view data) override {
    using Result = AuthenticationStep::Result;
    if (data == "hello") return {Result::more, "who?", "", ""};
    if (data == "right") return {Result::accepted, "welcome", "someone", ""};
    return {Result::refused, "", "", "no"};
  }
};

class Questions final : public Authenticator {
 public:
  std::unique_ptr<Authentication> begin(std::string_view method) override {
    if (method != "question") return nullptr;
    return std::make_unique<Question>();
  }
};

class MqttAuthenticationTest : public MqttFixture {
 protected:
  MqttAuthenticationTest() { broker_.options().authenticator = &questions_; }

  std::size_t connect_with(std::string_view method, std::string_view data) {
    const auto peer = broker_.accept(Level::v5);
    Connect packet;
    packet.client_id = "a";
    packet.properties.set(PropertyId::authentication_method, method);
    packet.properties.set(PropertyId::authentication_data, data);
    broker_.send(peer, packet);
    return peer;
  }
  void authenticate(std::size_t peer, ReasonCode reason, std::string_view data,
                    std::string_view method = "question") {
    Auth packet;
    packet.reason = reason;
    packet.properties.set(PropertyId::authentication_method, method);
    packet.properties.set(PropertyId::authentication_data, data);
    broker_.send(peer, packet);
  }
  std::size_t authenticated() {
    const auto peer = connect_with("question", "right");
    EXPECT_THAT(take(peer), ElementsAre(StartsWith("CONNACK 0x00")));
    return peer;
  }

  static constexpr ReasonCode kContinue = ReasonCode::continue_authentication;
  static constexpr ReasonCode kAgain = ReasonCode::reauthenticate;
  Questions questions_;
};

TEST_F(MqttAuthenticationTest, AsksAndAccepts) {
  const auto peer = connect_with("question", "hello");
  EXPECT_THAT(take(peer), ElementsAre("AUTH 0x18 {Authentication Method=\"question\", "
                                      "Authentication Data=\"who?\"}"));
  authenticate(peer, kContinue, "right");
  const auto got = take(peer);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_THAT(got[0], StartsWith("CONNACK 0x00"));
  EXPECT_THAT(got[0], testing::HasSubstr("Authentication Method=\"question\", Authentication "
                                         "Data=\"welcome\""));
  EXPECT_THAT(broker_.peer(peer).session->describe(), testing::HasSubstr("user someone"));
}

TEST_F(MqttAuthenticationTest, RefusesAnotherMethod) {
  const auto peer = connect_with("magic", "");
  EXPECT_THAT(take(peer), ElementsAre("CONNACK 0x8C"));
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttAuthenticationTest, RefusesWhoFailsAtAnyPoint) {
  for (const bool asked : {false, true}) {
    const auto peer = connect_with("question", asked ? "hello" : "wrong");
    if (asked) {
      EXPECT_THAT(take(peer), ElementsAre(StartsWith("AUTH 0x18")));
      authenticate(peer, kContinue, "wrong");
    }
    EXPECT_THAT(take(peer), ElementsAre("CONNACK 0x87"));
    EXPECT_TRUE(broker_.closed(peer));
    EXPECT_FALSE(broker_.peer(peer).session->connection().has_value());
  }
}

TEST_F(MqttAuthenticationTest, TakesNothingButAuthAndDisconnectMeanwhile) {
  auto peer = connect_with("question", "hello");
  take(peer);
  broker_.send(peer, Pingreq{});
  EXPECT_THAT(take(peer), IsEmpty());
  EXPECT_TRUE(broker_.closed(peer));
  peer = connect_with("question", "hello");
  take(peer);
  broker_.send(peer, Disconnect{});
  EXPECT_THAT(take(peer), IsEmpty());
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttAuthenticationTest, StaysWithItsMethod) {
  auto peer = connect_with("question", "hello");
  take(peer);
  authenticate(peer, kContinue, "right", "magic");
  EXPECT_TRUE(broker_.closed(peer));
  peer = authenticated();
  authenticate(peer, kAgain, "right", "magic");
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x82")));
}

TEST_F(MqttAuthenticationTest, TakesNoAuthFromWhoGaveNoMethod) {
  const auto peer = connect("a");
  EXPECT_THAT(connack_, testing::Not(testing::HasSubstr("Authentication")));
  authenticate(peer, kAgain, "right");
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x82")));
}

TEST_F(MqttAuthenticationTest, AuthenticatesAgainWhileOtherPacketsFlow) {
  const auto peer = authenticated();
  authenticate(peer, kAgain, "hello");
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("AUTH 0x18")));
  broker_.send(peer, Pingreq{});
  EXPECT_THAT(take(peer), ElementsAre("PINGRESP"));
  authenticate(peer, kContinue, "right");
  EXPECT_THAT(take(peer), ElementsAre("AUTH 0x00 {Authentication Method=\"question\", "
                                      "Authentication Data=\"welcome\"}"));
  authenticate(peer, kContinue, "right");  // nothing is under way
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x82")));
}

TEST_F(MqttAuthenticationTest, EndsWhoFailsAgain) {
  const auto peer = authenticated();
  authenticate(peer, kAgain, "wrong");
  EXPECT_THAT(take(peer), ElementsAre(StartsWith("DISCONNECT 0x87")));
  EXPECT_TRUE(broker_.closed(peer));
}

TEST_F(MqttAuthenticationTest, DropsWhoDoesNotGoOn) {
  const auto peer = connect_with("question", "hello");
  take(peer);
  (void)broker_.peer(peer).session->on_timer(core::milliseconds(30'000), core::milliseconds(0),
                                             *broker_.peer(peer).wire);
  EXPECT_TRUE(broker_.closed(peer));
}

}  // namespace
}  // namespace pabal::mqtt
