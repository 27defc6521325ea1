#include "core/policy.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pabal::core {
namespace {

/// A policy that can be told from others.
std::shared_ptr<const DestinationPolicy> marked(std::uint64_t mark) {
  auto policy = std::make_shared<DestinationPolicy>();
  policy->memory_limit = mark;
  return policy;
}

PolicyTable table_of(const std::vector<std::string>& patterns) {
  PolicyTable table;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    table.add({{DestinationKind::queue, patterns[i]}, marked(i + 1)});
  }
  return table;
}

std::string chosen(const PolicyTable& table, std::string_view name) {
  const auto mark = table.find(DestinationKind::queue, name)->memory_limit;
  return mark == 0 ? "default" : table.entries()[mark - 1].target.name;
}

/// Which entry ActiveMQ 5.17.2 applies. Where it has two entries that it takes for covering each
/// other (`A.>` and `A.*`, and with them `*`), it chooses by an identity hash: of 200 orders of the
/// same entries both came out. There, marked, the narrowest is what Pabal takes.
TEST(PolicyTableTest, TheNarrowestPatternApplies) {
  const std::vector<std::string> patterns = {">",     "A.>",   "A.B.>", "A.*", "A.B", "*.B",
                                             "A.*.C", "A.B.*", "*.*.C", "Z.>", "*"};
  const struct {
    const char* queue;
    const char* entry;
  } cases[] = {
      {"A.B", "A.B"},       {"A.B.C", "A.*.C"}, {"A.D.C", "A.*.C"},
      {"A.B.C.D", "A.B.>"}, {"X.B", "*.B"},     {"X.Y.C", "*.*.C"},
      {"Z.A.B", "Z.>"},     {"Q.W.E", ">"},     {"A.B.D", "A.B.*"},  // or A.B.>
      {"A.C", "A.*"},                                                // or A.>
      {"X", "*"},                                                    // or >
      {"A", "*"},                                                    // or A.>
      {"Z", "*"},                                                    // or Z.>
  };
  for (const auto& one : cases) {
    EXPECT_EQ(chosen(table_of(patterns), one.queue), one.entry) << one.queue;
    // The order of the file does not matter.
    EXPECT_EQ(chosen(table_of({patterns.rbegin(), patterns.rend()}), one.queue), one.entry);
  }
}

/// `A.*.C` is narrower than `*.*.C`, which comes before `*.B.>`, which comes before `A.*.C` by
/// name: comparing two at a time would go round in a circle.
TEST(PolicyTableTest, TheChoiceDoesNotDependOnWhatIsComparedFirst) {
  std::vector<std::string> patterns = {"*.*.C", "*.B.>", "A.*.C"};
  std::sort(patterns.begin(), patterns.end());
  do {
    EXPECT_EQ(chosen(table_of(patterns), "A.B.C"), "*.B.>");
  } while (std::next_permutation(patterns.begin(), patterns.end()));
}

TEST(PolicyTableTest, OneEntrySuppliesEverything) {
  PolicyTable table;
  auto broad = std::make_shared<DestinationPolicy>();
  broad->store_limit = 7;
  broad->memory_limit = 1;
  table.add({{DestinationKind::queue, ">"}, broad});
  table.add({{DestinationKind::queue, "A"}, marked(2)});
  EXPECT_EQ(table.find(DestinationKind::queue, "A")->memory_limit, 2U);
  EXPECT_EQ(table.find(DestinationKind::queue, "A")->store_limit, 0U);
  EXPECT_EQ(table.find(DestinationKind::queue, "B")->store_limit, 7U);
}

TEST(PolicyTableTest, KindsHaveEntriesOfTheirOwn) {
  PolicyTable table;
  table.add({{DestinationKind::queue, ">"}, marked(1)});
  table.add({{DestinationKind::topic, ">"}, marked(2)});
  table.set_default(marked(3));
  EXPECT_EQ(table.find(DestinationKind::queue, "A")->memory_limit, 1U);
  EXPECT_EQ(table.find(DestinationKind::topic, "A")->memory_limit, 2U);
  EXPECT_EQ(table.find(DestinationKind::temporary_queue, "A")->memory_limit, 3U);
  EXPECT_EQ(table.find(DestinationKind::temporary_topic, "A")->memory_limit, 3U);
  table.add({{DestinationKind::temporary_queue, ""}, marked(4)});
  EXPECT_EQ(table.find(DestinationKind::temporary_queue, "A")->memory_limit, 4U);
  EXPECT_EQ(table.find(DestinationKind::temporary_topic, "A")->memory_limit, 3U);
}

TEST(PolicyTableTest, OfTwoEntriesForTheSamePatternTheLaterCounts) {
  EXPECT_EQ(table_of({"A.>", "A.>"}).find(DestinationKind::queue, "A.B")->memory_limit, 2U);
  EXPECT_EQ(table_of({"A", "A"}).find(DestinationKind::queue, "A")->memory_limit, 2U);
}

TEST(PolicyTableTest, WithoutEntriesEverythingHasTheDefaults) {
  const PolicyTable table;
  ASSERT_NE(table.find(DestinationKind::topic, "A.B"), nullptr);
  EXPECT_EQ(table.find(DestinationKind::topic, "A.B")->memory_limit, 0U);
  EXPECT_FALSE(table.find(DestinationKind::topic, "A.B")->redelivery);
}

TEST(PolicyTableTest, RedeliveryHasItsOwnPrecedence) {
  PolicyTable table = table_of({"A.>", "A.B"});
  RedeliveryPolicy twice;
  twice.maximum_redeliveries = 2;
  RedeliveryPolicy thrice;
  thrice.maximum_redeliveries = 3;
  table.add_redelivery({{DestinationKind::queue, "A.*"}, twice});
  EXPECT_EQ(table.find(DestinationKind::queue, "A.B")->memory_limit, 2U);
  EXPECT_EQ(table.find(DestinationKind::queue, "A.B")->redelivery->maximum_redeliveries, 2);
  EXPECT_EQ(table.find(DestinationKind::queue, "A.C")->memory_limit, 1U);
  EXPECT_EQ(table.find(DestinationKind::queue, "A.C")->redelivery->maximum_redeliveries, 2);
  EXPECT_FALSE(table.find(DestinationKind::queue, "B")->redelivery);
  table.set_default_redelivery(thrice);
  EXPECT_EQ(table.find(DestinationKind::queue, "B")->redelivery->maximum_redeliveries, 3);
  // Destinations with the same policy share it.
  EXPECT_EQ(table.find(DestinationKind::queue, "B"), table.find(DestinationKind::queue, "C"));
}

TEST(PolicyTableTest, DeadLettersAreDiscardedByOrigin) {
  PolicyTable table;
  DiscardedDeadLetters discarded;
  discarded.all = false;
  discarded.temporary_topics = false;
  discarded.others = [](std::string_view name) { return name.starts_with("orders."); };
  table.discard_dead_letters(discarded);
  const auto kind = [&](DestinationKind of, std::string_view name) {
    return table.find(of, name)->dead_letter.kind;
  };
  using Kind = DeadLetterStrategy::Kind;
  EXPECT_EQ(kind(DestinationKind::queue, "orders.1"), Kind::discard);
  EXPECT_EQ(kind(DestinationKind::queue, "my.orders.1"), Kind::shared);
  EXPECT_EQ(kind(DestinationKind::temporary_queue, "x"), Kind::discard);
  EXPECT_EQ(kind(DestinationKind::temporary_topic, "x"), Kind::shared);
  discarded.all = true;
  table.discard_dead_letters(discarded);
  EXPECT_EQ(kind(DestinationKind::queue, "my.orders.1"), Kind::discard);
}

/// Goal: a broker with many entries and many destinations starts. Method: what would be 10^9
/// comparisons if entries were tried one by one.
TEST(PolicyTableTest, ManyEntriesAndManyDestinations) {
  PolicyTable table;
  for (int i = 0; i < 10'000; ++i) {
    table.add({{DestinationKind::queue, "team" + std::to_string(i) + ".>"}, marked(i + 1)});
  }
  for (int i = 0; i < 100'000; ++i) {
    const auto name = "team" + std::to_string(i % 20'000) + ".q" + std::to_string(i);
    const auto mark = table.find(DestinationKind::queue, name)->memory_limit;
    ASSERT_EQ(mark, i % 20'000 < 10'000 ? static_cast<std::uint64_t>(i % 20'000) + 1 : 0U) << name;
  }
}

}  // namespace
}  // namespace pabal::core
