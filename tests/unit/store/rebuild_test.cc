#include "store/index/rebuild.h"

#include <gtest/gtest.h>

namespace pabal::store {
namespace {

constexpr core::ListId kTopic{8};

JournalOp create_reader(core::ReaderId id) {
  JournalOp op;
  op.kind = JournalOpKind::create_reader;
  op.list = kTopic;
  op.reader = id;
  op.reader_description = {id, kTopic, "client", "name", "", false};
  return op;
}

JournalOp list_state(std::uint64_t as_of, std::uint8_t priority, std::uint64_t next,
                     core::ReaderId reader, std::uint64_t first) {
  JournalOp op;
  op.kind = JournalOpKind::list_state;
  op.list = kTopic;
  op.state.as_of = as_of;
  op.state.list = {kTopic, {core::DestinationKind::topic, "news"}};
  op.state.lanes = {{priority, next, 0}};
  op.state.readers = {{{reader, kTopic, "other", "name", "", false}, {first}}};
  return op;
}

/// The reclaimer makes a state, a reader is created, and then the state reaches the log.
TEST(RebuildFactsTest, AReaderReadsNothingOfAStateFromBeforeIt) {
  RebuildFacts facts;
  facts.learn(create_reader(core::ReaderId{6}), 10);
  facts.learn(list_state(9, 2, 5, core::ReaderId{3}, 1), 10);
  facts.settle();
  const auto& readers = facts.lists.at(core::raw(kTopic)).readers;
  EXPECT_EQ(readers.at(6).first.at(2), 5U);
  EXPECT_EQ(readers.at(3).first.at(2), 1U);
}

TEST(RebuildFactsTest, AReaderThatAStateLeavesOutHasGone) {
  RebuildFacts facts;
  facts.learn(create_reader(core::ReaderId{6}), 8);
  facts.learn(list_state(9, 2, 5, core::ReaderId{3}, 1), 10);
  facts.settle();
  EXPECT_FALSE(facts.lists.at(core::raw(kTopic)).readers.contains(6));
}

}  // namespace
}  // namespace pabal::store
