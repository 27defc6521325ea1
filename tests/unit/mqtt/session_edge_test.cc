#include "tests/unit/mqtt/mqtt_fixture.h"

// What clients say that is not meant for us.

namespace pabal::mqtt {
namespace {

class MqttEdgeTest : public MqttFixture {};

/// [MQTT-3.3.1-8]: only the RETAIN flag says it.
TEST_F(MqttEdgeTest, AUserPropertyRetainsNothing) {
  const auto live = connect("live");
  subscribe(live, "t", QoS::at_most_once);
  take(live);
  const auto sender = connect("sender");
  Publish packet;
  packet.topic = "t";
  packet.payload = "x";
  std::string user;
  append_user_property(user, "ActiveMQ.Retain", "true");
  packet.properties.user = UserProperties(user, 1);
  broker_.send(sender, packet);
  const auto got = take(live);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_THAT(got[0], testing::HasSubstr("ActiveMQ.Retain")) << "and it is handed on";
  const auto late = connect("late");
  subscribe(late, "t", QoS::at_most_once);
  EXPECT_EQ(take(late).size(), 1U) << "SUBACK, and nothing retained";
}

}  // namespace
}  // namespace pabal::mqtt
