#include "protocols/content/advisory_text.h"

#include <string>

#include <gtest/gtest.h>

namespace pabal::content {
namespace {

using core::Advisory;
using core::AdvisoryKind;
using core::Destination;
using core::DestinationKind;

std::string shown(const Advisory& advisory, Notation notation = Notation::json) {
  std::string out;
  append_advisory_text(out, advisory, notation);
  return out;
}

Advisory consumer() {
  Advisory told;
  told.kind = AdvisoryKind::consumer_started;
  told.connection = "ID:pabal-1-2";
  told.client_id = "client";
  told.number = {1, 3};
  told.destination = Destination{DestinationKind::queue, "q.a"};
  told.selector = "a < 1";
  told.durable_name = "sub";
  told.prefetch = 1000;
  return told;
}

// What XStream 1.4.20 with Jettison 1.5.3 writes for the same objects of ActiveMQ's client 5.17.2,
// as its translator for STOMP uses it.
TEST(AdvisoryTextTest, AsXStreamWritesThem) {
  Advisory told = consumer();
  EXPECT_EQ(
      shown(told),
      R"({"ConsumerInfo":{"commandId":0,"responseRequired":false,"consumerId":{"connectionId":)"
      R"("ID:pabal-1-2","sessionId":1,"value":3},"destination":{"@class":"ActiveMQQueue",)"
      R"("string":"q.a","null":""},"prefetchSize":1000,"maximumPendingMessageLimit":0,)"
      R"("browser":false,"dispatchAsync":true,"selector":"a < 1","clientId":"client",)"
      R"("subscriptionName":"sub","noLocal":false,"exclusive":false,"retroactive":false,)"
      R"("priority":0,"optimizedAcknowledge":false,"noRangeAcks":false}})");
  told.kind = AdvisoryKind::consumer_ended;
  EXPECT_EQ(shown(told),
            R"({"RemoveInfo":{"commandId":0,"responseRequired":false,"objectId":{"@class":)"
            R"("ConsumerId","connectionId":"ID:pabal-1-2","sessionId":1,"value":3},)"
            R"("lastDeliveredSequenceId":-2}})");
  told.kind = AdvisoryKind::connection_ended;
  EXPECT_EQ(shown(told),
            R"({"RemoveInfo":{"commandId":0,"responseRequired":false,"objectId":{"@class":)"
            R"("ConnectionId","value":"ID:pabal-1-2"},"lastDeliveredSequenceId":-2}})");
  told.kind = AdvisoryKind::durable_removed;
  EXPECT_EQ(shown(told), R"({"RemoveSubscriptionInfo":{"commandId":0,"responseRequired":false,)"
                         R"("clientId":"client","subscriptionName":"sub"}})");
  told.kind = AdvisoryKind::producer_started;
  told.number = {1, 4};
  told.destination = Destination{DestinationKind::topic, "t.a"};
  EXPECT_EQ(shown(told),
            R"({"ProducerInfo":{"commandId":0,"responseRequired":false,"producerId":{)"
            R"("connectionId":"ID:pabal-1-2","sessionId":1,"value":4},"destination":{"@class":)"
            R"("ActiveMQTopic","string":"t.a","null":""},"dispatchAsync":false,"windowSize":0,)"
            R"("sentCount":0}})");
  told.kind = AdvisoryKind::destination_added;
  told.destination = Destination{DestinationKind::temporary_queue, "ID:pabal-1-2:1"};
  EXPECT_EQ(shown(told),
            R"({"DestinationInfo":{"commandId":0,"responseRequired":false,"connectionId":{"value":)"
            R"("ID:pabal-1-2"},"destination":{"@class":"ActiveMQTempQueue","string":)"
            R"("ID:pabal-1-2:1","null":""},"operationType":0,"timeout":0}})");
}

TEST(AdvisoryTextTest, AsXStreamWritesXml) {
  Advisory told;
  told.kind = AdvisoryKind::destination_removed;
  told.destination = Destination{DestinationKind::queue, "x<y"};
  EXPECT_EQ(shown(told, Notation::xml), R"(<DestinationInfo>
  <commandId>0</commandId>
  <responseRequired>false</responseRequired>
  <destination class="ActiveMQQueue">
    <string>x&lt;y</string>
    <null/>
  </destination>
  <operationType>1</operationType>
  <timeout>0</timeout>
</DestinationInfo>)");
}

TEST(AdvisoryTextTest, ConnectionsHaveNoPassword) {
  Advisory told;
  told.kind = AdvisoryKind::connection_started;
  told.connection = "c";
  told.client_id = "id";
  told.user = "user";
  told.remote = "tcp://1.2.3.4:5";
  const std::string text = shown(told);
  EXPECT_EQ(text.find("password"), text.npos);
  EXPECT_NE(text.find(R"("clientIp":"tcp://1.2.3.4:5","userName":"user")"), text.npos) << text;
}

TEST(AdvisoryTextTest, MessagesWithoutTheirBody) {
  core::MessageBuilder builder;
  builder.destination_name = "q.a";
  builder.foreign_id = "ID:pabal-1-2:1:1:7";
  builder.body_kind = core::BodyKind::text;
  builder.body = "the body";
  builder.reply_to = core::Address{DestinationKind::topic, "r"};
  builder.persistent = true;
  Advisory told;
  told.kind = AdvisoryKind::message_expired;
  told.destination = Destination{DestinationKind::queue, "q.a"};
  told.message = *builder.build();
  EXPECT_EQ(shown(told),
            R"({"ActiveMQTextMessage":{"commandId":0,"responseRequired":false,"messageId":{)"
            R"("producerId":{"connectionId":"ID:pabal-1-2","sessionId":1,"value":1},)"
            R"("producerSequenceId":7,"brokerSequenceId":0},"destination":{"@class":)"
            R"("ActiveMQQueue","string":"q.a","null":""},"expiration":0,"timestamp":0,"replyTo":{)"
            R"("@class":"ActiveMQTopic","string":"r","null":""},"persistent":true,"priority":4,)"
            R"("groupSequence":0,"compressed":false}})");
  builder.foreign_id = "somebody's own";
  told.message = *builder.build();
  EXPECT_NE(shown(told).find(R"("messageId":{"textView":"somebody's own"})"), std::string::npos);
}

TEST(AdvisoryTextTest, NothingWherePropertiesSayAll) {
  Advisory told;
  told.kind = AdvisoryKind::broker_active;
  EXPECT_EQ(shown(told), "");
  EXPECT_EQ(shown(told, Notation::xml), "");
}

}  // namespace
}  // namespace pabal::content
