#include "core/message.h"

#include <vector>

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

MessageRef sample() {
  MessageBuilder builder;
  builder.destination_kind = DestinationKind::topic;
  builder.destination_name = "prices.krw";
  builder.persistent = true;
  builder.priority = 7;
  builder.timestamp = 1234567890123;
  builder.expiration = 42;
  builder.origin = (std::uint64_t{3} << 32) | 17;
  builder.sequence = 99;
  builder.correlation = "corr";
  builder.reply_to = Address{DestinationKind::temporary_queue, "ID:x:1"};
  builder.original_destination = Address{DestinationKind::queue, "was.here"};
  builder.type = "quote";
  builder.group_id = "g";
  builder.group_sequence = -1;
  builder.content_type = "text/plain";
  builder.user_id = "sejong";
  builder.body_kind = BodyKind::bytes;
  builder.body = std::string_view("a\0b", 3);
  builder.add_string("s", "파발");
  builder.add_integer("i", PropertyType::int32, -5);
  builder.add_boolean("b", true);
  builder.add_real("d", PropertyType::float64, 2.5);
  builder.add_raw("n", PropertyType::null, {});
  builder.add_string("s", "again");
  return *builder.build();
}

TEST(MessageTest, KeepsEveryField) {
  const auto message = sample();
  EXPECT_EQ(message->destination().to_text(), "topic://prices.krw");
  EXPECT_TRUE(message->persistent());
  EXPECT_EQ(message->priority(), 7);
  EXPECT_EQ(message->timestamp(), 1234567890123);
  EXPECT_EQ(message->expiration(), 42);
  EXPECT_EQ(message->correlation(), "corr");
  EXPECT_EQ(message->reply_to()->kind, DestinationKind::temporary_queue);
  EXPECT_EQ(message->reply_to()->name, "ID:x:1");
  EXPECT_EQ(message->original_destination()->name, "was.here");
  EXPECT_EQ(message->type(), "quote");
  EXPECT_EQ(message->group_id(), "g");
  EXPECT_EQ(message->group_sequence(), -1);
  EXPECT_EQ(message->content_type(), "text/plain");
  EXPECT_EQ(message->user_id(), "sejong");
  EXPECT_EQ(message->body(), std::string_view("a\0b", 3));
  EXPECT_EQ(message->id(), "ID:pabal-3-17:-1:1:99");
}

TEST(MessageTest, PropertiesKeepOrderTypesAndDuplicates) {
  const auto message = sample();
  PropertyReader reader(*message);
  std::string all;
  while (auto property = reader.next()) {
    all += property->name;
    all += '=';
    property->append_text(all);
    all += ';';
  }
  EXPECT_TRUE(reader.complete());
  EXPECT_EQ(all, "s=파발;i=-5;b=true;d=2.5;n=;s=again;");
  EXPECT_EQ(message->property("s")->text, "파발");
  EXPECT_FALSE(message->property("absent"));
}

TEST(MessageTest, FlatFormIsTheMessage) {
  const auto message = sample();
  const auto again = Message::from_flat(message->flat());
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::ranges::equal((*again)->flat(), message->flat()));
  EXPECT_EQ((*again)->body(), message->body());
}

TEST(MessageTest, BuilderCopiesAMessageWithChanges) {
  const auto message = sample();
  MessageBuilder builder(*message);
  builder.destination_name = "other";
  builder.add_string("more", "1");
  const auto copy = *builder.build();
  EXPECT_EQ(copy->destination_name(), "other");
  EXPECT_EQ(copy->property("s")->text, "파발");
  EXPECT_EQ(copy->property("more")->text, "1");
  EXPECT_EQ(copy->body(), message->body());
}

// Whatever byte of the stored form is damaged: an error, or a message whose accessors stay inside.
TEST(MessageTest, DamagedFlatFormIsRefusedOrHarmless) {
  const auto message = sample();
  const std::vector<std::byte> good(message->flat().begin(), message->flat().end());
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      auto bytes = good;
      bytes[at] ^= static_cast<std::byte>(flip);
      const auto loaded = Message::from_flat(bytes);
      if (!loaded) continue;
      std::size_t sum = (*loaded)->body().size() + (*loaded)->id().size();
      PropertyReader reader(*(*loaded));
      while (auto property = reader.next()) sum += property->text.size();
      EXPECT_LT(sum, good.size() + 100);
    }
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Message::from_flat(std::span(good).first(size)));
  }
}

TEST(MessageTest, RefusesWhatDoesNotFit) {
  MessageBuilder builder;
  builder.destination_name = "q";
  builder.add_string(std::string(70'000, 'n'), "v");
  const auto built = builder.build();
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().code, Errc::invalid_argument);
}

TEST(MessageTest, ReferencesAreCounted) {
  MessageRef one = sample();
  MessageRef two = one;
  EXPECT_EQ(one.get(), two.get());
  one.reset();
  EXPECT_FALSE(one);
  EXPECT_EQ(two->priority(), 7);
  MessageRef three = std::move(two);
  EXPECT_EQ(three->priority(), 7);
}

}  // namespace
}  // namespace pabal::core
