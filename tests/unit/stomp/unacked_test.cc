#include "protocols/stomp/unacked.h"

#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace pabal::stomp {
namespace {

using core::DeliveryId;

MessageKey key(std::uint64_t sequence, std::string foreign = "") {
  return {foreign.empty() ? 7ULL : 0ULL, foreign.empty() ? sequence : 0, std::move(foreign)};
}

TEST(MessageKeyTest, ReadsBackWhatCoreWrites) {
  for (const std::uint64_t origin :
       {1ULL << 32 | 1ULL, 0xFFFFFFFF00000000ULL, 0xFFFFFFFFFFFFFFFFULL}) {
    for (const std::uint64_t sequence : {1ULL, 10ULL, 0xFFFFFFFFFFFFFFFFULL}) {
      core::MessageBuilder builder;
      builder.destination_name = "q";
      builder.origin = origin;
      builder.sequence = sequence;
      const auto message = builder.build();
      ASSERT_TRUE(message);
      EXPECT_EQ(parse_message_id((*message)->id()), key_of(**message)) << (*message)->id();
    }
  }
}

TEST(MessageKeyTest, KeepsForeignIdsWhole) {
  for (const std::string text :
       {"", "ID:pabal-", "ID:pabal-1-2:-1:1:", "ID:pabal-1-2:-1:1:x", "ID:pabal-01-2:-1:1:3",
        "ID:pabal-1-4294967296:-1:1:3", "ID:host-1234-5678:1:1:1:1", "ID:pabal--1-2:-1:1:3"}) {
    EXPECT_EQ(parse_message_id(text).foreign, text);
  }
}

TEST(UnackedDeliveriesTest, FindsAndSettlesOne) {
  UnackedDeliveries unacked;
  EXPECT_FALSE(unacked.find(key(1)));
  unacked.add(key(1), DeliveryId(1));
  unacked.add(key(0, "foreign"), DeliveryId(2));
  EXPECT_EQ(unacked.find(key(1)), DeliveryId(1));
  EXPECT_EQ(unacked.find(key(0, "foreign")), DeliveryId(2));
  unacked.settle(DeliveryId(1));
  EXPECT_FALSE(unacked.find(key(1)));
  EXPECT_TRUE(unacked.find(key(0, "foreign")));
  unacked.settle(DeliveryId(1));
  EXPECT_EQ(unacked.size(), 1U);
}

TEST(UnackedDeliveriesTest, SettlesARun) {
  UnackedDeliveries unacked;
  for (std::uint64_t i = 1; i <= 10; ++i) unacked.add(key(i), DeliveryId(i));
  unacked.settle_up_to(DeliveryId(7));
  EXPECT_EQ(unacked.size(), 3U);
  EXPECT_FALSE(unacked.find(key(7)));
  EXPECT_TRUE(unacked.find(key(8)));
}

TEST(UnackedDeliveriesTest, AMessageThatCameAgainIsTheNewerDelivery) {
  UnackedDeliveries unacked;
  unacked.add(key(1), DeliveryId(1));
  unacked.add(key(1), DeliveryId(2));
  EXPECT_EQ(unacked.find(key(1)), DeliveryId(2));
  unacked.settle(DeliveryId(1));
  EXPECT_EQ(unacked.find(key(1)), DeliveryId(2));
  unacked.settle(DeliveryId(2));
  EXPECT_FALSE(unacked.find(key(1)));
}

// Goal: it agrees with a plain map whatever the order. Method: random operations under fixed seeds,
// with one delivery that is never settled, as a client that forgets one would leave it.
TEST(UnackedDeliveriesTest, AgreesWithAMap) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    UnackedDeliveries unacked;
    std::map<std::uint64_t, std::uint64_t> model;  // delivery → sequence
    std::uint64_t next = 1;
    unacked.add(key(1'000'000), DeliveryId(next++));
    for (int step = 0; step < 5000; ++step) {
      const auto choice = random() % 100;
      if (choice < 50) {
        const std::uint64_t sequence = random() % 3000;
        for (auto entry = model.begin(); entry != model.end();) {
          entry = entry->second == sequence ? model.erase(entry) : std::next(entry);
        }
        model[next] = sequence;
        unacked.add(key(sequence), DeliveryId(next++));
      } else if (choice < 98 && !model.empty()) {
        auto entry = model.lower_bound(random() % next);
        if (entry == model.end()) entry = model.begin();
        unacked.settle(DeliveryId(entry->first));
        model.erase(entry);
      } else if (!model.empty() && choice == 99 && seed % 2 == 0) {
        const auto last = std::next(model.begin(), static_cast<std::ptrdiff_t>(model.size() / 4));
        const std::uint64_t up_to = last->first;
        unacked.settle_up_to(DeliveryId(up_to));
        model.erase(model.begin(), std::next(last));
        unacked.add(key(1'000'000), DeliveryId(next++));
      }
      ASSERT_EQ(unacked.size(), model.size() + 1);
    }
    std::map<std::uint64_t, std::uint64_t> by_sequence;
    for (const auto& [delivery, sequence] : model) by_sequence[sequence] = delivery;
    for (std::uint64_t sequence = 0; sequence < 3000; ++sequence) {
      const auto found = unacked.find(key(sequence));
      const auto expected = by_sequence.find(sequence);
      ASSERT_EQ(found.has_value(), expected != by_sequence.end()) << sequence;
      if (found) {
        ASSERT_EQ(core::raw(*found), expected->second);
      }
    }
  }
}

}  // namespace
}  // namespace pabal::stomp
