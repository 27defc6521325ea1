#include "core/message_list.h"

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

Lane lane_of(std::uint64_t count) {
  Lane lane;
  MessageBuilder builder;
  builder.destination_name = "t";
  for (std::uint64_t sequence = 1; sequence <= count; ++sequence) {
    Entry entry;
    entry.sequence = sequence;
    entry.message = *builder.build();
    lane.volatile_entries.push_back(std::move(entry));
  }
  return lane;
}

TEST(MessageListTest, AGapAtTheFrontGoesWithThoseBehindIt) {
  Lane lane = lane_of(4);
  leave_gap(lane.volatile_entries, lane.volatile_gaps, 1);
  leave_gap(lane.volatile_entries, lane.volatile_gaps, 2);
  EXPECT_EQ(lane.volatile_entries.size(), 4U);
  leave_gap(lane.volatile_entries, lane.volatile_gaps, 0);
  ASSERT_EQ(lane.volatile_entries.size(), 1U);
  EXPECT_EQ(lane.volatile_entries[0].sequence, 4U);
  leave_gap(lane.volatile_entries, lane.volatile_gaps, 0);
  EXPECT_TRUE(lane.volatile_entries.empty());
  EXPECT_EQ(lane.volatile_gaps, 0U);
}

// Goal: one message that stays for ever pins itself, not a place for each that followed.
TEST(MessageListTest, GapsAreClosedWhenTheyAreMost) {
  Lane lane = lane_of(1);
  MessageBuilder builder;
  builder.destination_name = "t";
  for (std::uint64_t sequence = 2; sequence <= 10'000; ++sequence) {
    Entry entry;
    entry.sequence = sequence;
    entry.message = *builder.build();
    lane.volatile_entries.push_back(std::move(entry));
    leave_gap(lane.volatile_entries, lane.volatile_gaps, lane.volatile_entries.size() - 1);
    ASSERT_LT(lane.volatile_entries.size(), 200U);
  }
  EXPECT_EQ(lane.volatile_entries.front().sequence, 1U);
}

}  // namespace
}  // namespace pabal::core
