// Properties that stay in OpenWire's encoding, where the engine itself reads and changes them.

#include "core/dead_letter.h"
#include "core/primitive_values.h"
#include "core/schedule.h"
#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

using std::string_view_literals::operator""sv;

/// color: "red" as a big string, which only these bytes say; n: 7.
constexpr auto kColor = "\0\5color\x0D\0\0\0\3red"sv;
constexpr auto kNumber = "\0\1n\x05\0\0\0\7"sv;

std::string map_of(std::initializer_list<std::string_view> entries) {
  std::string map;
  for (const auto entry : entries) {
    add_to_primitive_count(map);
    map += entry;
  }
  return map;
}

class EngineOpenWirePropertiesTest : public EngineFixture {
 protected:
  void SetUp() override {
    EngineFixture::SetUp();
    who_ = connect();
  }
  MessageRef message_with(std::string_view properties) {
    MessageBuilder builder;
    builder.destination_name = "q";
    builder.persistent = true;
    builder.expiration = to_millis(now_) + 50'000;
    builder.origin = who_.origin;
    builder.sequence = ++sequence_;
    builder.body = "x";
    builder.set_encoded_properties(Encoding::openwire, properties);
    return *builder.build();
  }
  Outcome send(std::string_view properties, const SendOptions& options = {}) {
    return engine_->publish(who_.id, message_with(properties), options, now_);
  }
  ConnectionDetails who_;
  std::uint64_t sequence_ = 0;
};

TEST_F(EngineOpenWirePropertiesTest, SelectorsReadThem) {
  Sub sub;
  sub.selector = "color = 'red' AND n < 8";
  subscribe(who_, sub);
  send(map_of({kColor, "\0\1n\x05\0\0\0\x09"sv}));
  send(map_of({kColor, kNumber}));
  send(map_of({kNumber}));
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].message->properties(), map_of({kColor, kNumber}));
}

TEST_F(EngineOpenWirePropertiesTest, ADeadLetterKeepsThemAndSaysWhy) {
  const auto subscription = subscribe(who_, {});
  send(map_of({kColor, kNumber}));
  auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  engine_->acknowledge(subscription, {got[0].id, got[0].id}, AckKind::poisoned, "no 😀",
                       std::nullopt, now_);
  run();
  const auto dead = drain("ActiveMQ.DLQ");
  ASSERT_EQ(dead.size(), 1U);
  const Message& message = *dead[0].message;
  EXPECT_EQ(message.property_encoding(), Encoding::openwire);
  ASSERT_TRUE(is_primitive_map(message.properties()));
  EXPECT_TRUE(
      message.properties().substr(4).starts_with(std::string(kColor) + std::string(kNumber)));
  EXPECT_EQ(message.property("dlqDeliveryFailureCause")->text, "no 😀");
  EXPECT_EQ(message.property("originalExpiration")->type, PropertyType::int64);
  EXPECT_EQ(message.property("originalExpiration")->integer, to_millis(now_) + 50'000);
  const auto alive = revive_dead_letter(message, now_);
  ASSERT_TRUE(alive);
  EXPECT_EQ((*alive)->properties(), map_of({kColor, kNumber}));
  EXPECT_EQ((*alive)->expiration(), to_millis(now_) + 50'000);
  EXPECT_FALSE(revive_dead_letter(**alive, now_));
}

TEST_F(EngineOpenWirePropertiesTest, WhatWasScheduledComesWithoutItsTimes) {
  const auto packed =
      message_with(map_of({"\0\x13"
                           "AMQ_SCHEDULED_DELAY\x06\0\0\0\0\0\0\x03\xE8"sv,
                           kColor, kNumber}));
  const auto copy = delivered_copy(*packed, "ID:job", true, {3, 4}, now_);
  ASSERT_TRUE(copy);
  EXPECT_EQ((*copy)->properties(),
            map_of({kColor, kNumber, "\0\x0EscheduledJobId\x09\0\6ID:job"sv}));
}

}  // namespace
}  // namespace pabal::core
