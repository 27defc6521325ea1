// What every core::Store must do, whatever it keeps its messages in. Each test runs on every line
// of implementations(), and most of them twice: before and after the store was closed and reopened.

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/contract/store_under_test.h"

namespace pabal::contract {
namespace {

using namespace core;  // NOLINT: the whole file is about core's words

constexpr ListId kOrders{1};
constexpr ListId kNews{2};
constexpr ReaderId kAnna{1};
constexpr ReaderId kBen{2};

MessageRef message(std::string_view body, std::uint8_t priority = 4) {
  MessageBuilder builder;
  builder.destination_name = "orders";
  builder.persistent = true;
  builder.priority = priority;
  builder.body_kind = BodyKind::text;
  builder.body = body;
  auto built = builder.build();
  return std::move(built).value();
}

StoreOp add(ListId list, std::uint64_t sequence, MessageRef message) {
  StoreOp op;
  op.kind = StoreOpKind::add;
  op.priority = message->priority();
  op.list = list;
  op.first = op.last = sequence;
  op.message = std::move(message);
  return op;
}

StoreOp add_reference(ListId list, std::uint64_t sequence, std::uint8_t priority = 4) {
  StoreOp op;
  op.kind = StoreOpKind::add_reference;
  op.priority = priority;
  op.list = list;
  op.first = op.last = sequence;
  return op;
}

StoreOp on_range(StoreOpKind kind, ListId list, ReaderId reader, std::uint64_t first,
                 std::uint64_t last, std::uint8_t priority = 4) {
  StoreOp op;
  op.kind = kind;
  op.priority = priority;
  op.list = list;
  op.reader = reader;
  op.first = first;
  op.last = last;
  return op;
}

StoreOp acknowledge(ListId list, ReaderId reader, std::uint64_t first, std::uint64_t last,
                    std::uint8_t priority = 4) {
  return on_range(StoreOpKind::acknowledge, list, reader, first, last, priority);
}

StoreOp create_list(ListId list, DestinationKind kind, std::string name) {
  StoreOp op;
  op.kind = StoreOpKind::create_list;
  op.list = list;
  op.detail = std::make_unique<StoreOpDetail>();
  op.detail->list = {list, {kind, std::move(name)}};
  return op;
}

StoreOp create_reader(ListId list, ReaderId reader, std::string name) {
  StoreOp op;
  op.kind = StoreOpKind::create_reader;
  op.list = list;
  op.reader = reader;
  op.detail = std::make_unique<StoreOpDetail>();
  op.detail->reader = {.id = reader,
                       .list = list,
                       .client_id = "office",
                       .name = std::move(name),
                       .selector = "price > 3",
                       .no_local = true};
  return op;
}

StoreOp simple(StoreOpKind kind, ListId list, ReaderId reader = {}) {
  StoreOp op;
  op.kind = kind;
  op.list = list;
  op.reader = reader;
  return op;
}

StoreOp attachment(StoreOpKind kind, std::string key, std::string value = {}) {
  StoreOp op;
  op.kind = kind;
  op.detail = std::make_unique<StoreOpDetail>();
  op.detail->key = std::move(key);
  op.detail->value = std::move(value);
  return op;
}

class StoreContract : public testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override { start(0); }

  void start(std::uint64_t bytes_limit) {
    under_test_.reset();
    under_test_ = GetParam().make(bytes_limit);
    (void)store().recovered();
  }
  Store& store() { return under_test_->store(); }

  template <class... Ops>
  Ticket append(Ops... ops) {
    std::vector<StoreOp> batch;
    (batch.push_back(std::move(ops)), ...);
    return store().append(batch);
  }
  /// Makes room as the engine does, then appends one message.
  Ticket send(ListId list, std::uint64_t sequence, std::string_view body,
              std::uint8_t priority = 4) {
    auto sent = message(body, priority);
    EXPECT_EQ(store().admit(sent->flat().size()), Admission::granted);
    return append(add(list, sequence, std::move(sent)));
  }

  void queue(ListId list = kOrders, std::string name = "orders") {
    append(create_list(list, DestinationKind::queue, std::move(name)));
  }
  void topic_list(ListId list = kNews) {
    append(create_list(list, DestinationKind::topic, "news.>"));
  }

  PageRequest request(ListId list, ReaderId reader, std::uint64_t first, std::uint64_t end) {
    return {.id = ++last_request_,
            .list = list,
            .reader = reader,
            .priority = 4,
            .first = first,
            .end = end,
            .entries_max = 1000,
            .bytes_max = 1 << 20,
            .after = store().submitted()};
  }
  Page read(const PageRequest& request) {
    Page page = under_test_->read(request);
    EXPECT_EQ(page.request, request.id);
    EXPECT_FALSE(page.error.has_value());
    return page;
  }
  /// Sequences and bodies of everything that `reader` has not acknowledged: "1:a 2:b".
  std::string contents(ListId list, ReaderId reader = kQueueReader, std::uint8_t priority = 4,
                       std::uint64_t end = 100'000) {
    PageRequest wanted = request(list, reader, 1, end);
    wanted.priority = priority;
    const Page page = read(wanted);
    EXPECT_EQ(page.covered_to, wanted.end);
    return text(page);
  }
  static std::string text(const Page& page) {
    std::string text;
    for (const PageEntry& entry : page.entries) {
      if (!text.empty()) text += ' ';
      text += std::to_string(entry.sequence) + ':' + std::string(entry.message->body());
      for (std::uint32_t i = entry.refusals; i < entry.deliveries; ++i) text += '*';
      for (std::uint32_t i = 0; i < entry.refusals; ++i) text += '!';
    }
    return text;
  }

  /// Runs `check` on the store as it is, and again after closing and reopening it.
  template <class Check>
  void now_and_after_reopening(Check check) {
    {
      SCOPED_TRACE("before reopening");
      check();
    }
    under_test_->reopen();
    state_ = store().recovered();
    SCOPED_TRACE("after reopening");
    check();
  }
  RecoveredState reopen() {
    under_test_->reopen();
    return store().recovered();
  }
  static const RecoveredReader* reader_of(const RecoveredState& state, ListId list,
                                          ReaderId reader) {
    for (const auto& each : state.lists) {
      if (each.description.id != list) continue;
      for (const auto& candidate : each.readers) {
        if (candidate.description.id == reader) return &candidate;
      }
    }
    return nullptr;
  }
  static const RecoveredCursor* cursor_of(const RecoveredState& state, ListId list, ReaderId reader,
                                          std::uint8_t priority = 4) {
    const auto* found = reader_of(state, list, reader);
    if (found == nullptr) return nullptr;
    for (const auto& cursor : found->cursors) {
      if (cursor.priority == priority) return &cursor;
    }
    return nullptr;
  }

  std::unique_ptr<StoreUnderTest> under_test_;
  RecoveredState state_;
  std::uint64_t last_request_ = 0;
};

// --- tickets -------------------------------------------------------------------------------------

TEST_P(StoreContract, GivesAscendingTicketsThatBecomeDurable) {
  queue();
  Ticket last = store().submitted();
  for (std::uint64_t sequence = 1; sequence <= 50; ++sequence) {
    const Ticket ticket = send(kOrders, sequence, "m");
    EXPECT_GT(ticket, last);
    EXPECT_EQ(store().submitted(), ticket);
    EXPECT_LE(store().durable(), store().submitted());
    last = ticket;
  }
  under_test_->sync();
  EXPECT_EQ(store().durable(), last);
}

TEST_P(StoreContract, TakesTheContentsOfABatch) {
  queue();
  auto sent = message("m");
  ASSERT_EQ(store().admit(sent->flat().size()), Admission::granted);
  std::vector<StoreOp> batch;
  batch.push_back(add(kOrders, 1, sent));
  store().append(batch);
  EXPECT_FALSE(batch[0].message) << "the engine reuses its batch";
}

TEST_P(StoreContract, EveryStartHasAnEpochOfItsOwn) {
  const std::uint64_t first = store().epoch();
  reopen();
  const std::uint64_t second = store().epoch();
  EXPECT_GT(second, first);
  reopen();
  EXPECT_GT(store().epoch(), second);
}

// --- adding and acknowledging --------------------------------------------------------------------

TEST_P(StoreContract, IsEmptyAtFirst) {
  const RecoveredState state = reopen();
  EXPECT_TRUE(state.lists.empty());
  EXPECT_TRUE(state.attachments.empty());
  EXPECT_EQ(state.last_list, ListId{});
}

TEST_P(StoreContract, KeepsWhatWasAddedInOrder) {
  queue();
  send(kOrders, 1, "a");
  send(kOrders, 2, "b");
  send(kOrders, 3, "c");
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "1:a 2:b 3:c"); });
}

TEST_P(StoreContract, KeepsEveryFieldOfAMessage) {
  queue();
  MessageBuilder builder;
  builder.destination_name = "orders";
  builder.persistent = true;
  builder.timestamp = 1'700'000'000'123;
  builder.expiration = 1'800'000'000'000;
  builder.origin = 77;
  builder.sequence = 99;
  builder.correlation = "c";
  builder.reply_to = Address{DestinationKind::queue, "back"};
  builder.add_string("colour", "red");
  builder.body_kind = BodyKind::bytes;
  const std::string body(100'000, '\xC3');
  builder.body = body;
  const auto sent = builder.build().value();
  ASSERT_EQ(store().admit(sent->flat().size()), Admission::granted);
  append(add(kOrders, 1, sent));
  now_and_after_reopening([&] {
    const Page page = read(request(kOrders, kQueueReader, 1, 2));
    ASSERT_EQ(page.entries.size(), 1U);
    const auto flat = page.entries[0].message->flat();
    EXPECT_TRUE(std::equal(flat.begin(), flat.end(), sent->flat().begin(), sent->flat().end()));
  });
}

TEST_P(StoreContract, ForgetsWhatWasAcknowledged) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 9; ++sequence) send(kOrders, sequence, "m");
  under_test_->sync();
  append(acknowledge(kOrders, kQueueReader, 1, 2));
  append(acknowledge(kOrders, kQueueReader, 5, 5));
  append(acknowledge(kOrders, kQueueReader, 9, 9), acknowledge(kOrders, kQueueReader, 7, 7));
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "3:m 4:m 6:m 8:m"); });
}

TEST_P(StoreContract, NeighbouringAcknowledgementsCountOnceEach) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 40; ++sequence) send(kOrders, sequence, "m");
  Ticket last = store().submitted();
  for (std::uint64_t sequence = 1; sequence <= 39; ++sequence) {
    const Ticket ticket = append(acknowledge(kOrders, kQueueReader, sequence, sequence));
    EXPECT_GE(ticket, last);  // a merged one may share its neighbour's
    EXPECT_EQ(ticket, store().submitted());
    last = ticket;
  }
  under_test_->sync();
  EXPECT_EQ(store().durable(), store().submitted());
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "40:m"); });
}

TEST_P(StoreContract, AcknowledgingWhatIsNotThereAnyMoreChangesNothing) {
  queue();
  send(kOrders, 1, "a");
  append(acknowledge(kOrders, kQueueReader, 1, 1));
  append(acknowledge(kOrders, kQueueReader, 1, 1));
  append(acknowledge(kOrders, ReaderId{77}, 1, 1));
  append(acknowledge(ListId{66}, kQueueReader, 1, 1));
  append(acknowledge(kOrders, kQueueReader, 1, 9, 7));
  append(on_range(StoreOpKind::count_delivery, kOrders, kQueueReader, 1, 1));
  append(on_range(StoreOpKind::touch, ListId{66}, kQueueReader, 0, 256));
  append(simple(StoreOpKind::delete_list, ListId{66}));
  append(simple(StoreOpKind::delete_reader, kOrders, ReaderId{77}));
  append(attachment(StoreOpKind::delete_attachment, "nothing"));
  send(kOrders, 2, "b");
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "2:b"); });
}

TEST_P(StoreContract, AcknowledgesAcrossBatchesOfOneGroup) {
  queue();
  send(kOrders, 1, "a");
  append(acknowledge(kOrders, kQueueReader, 1, 1));
  send(kOrders, 2, "b");
  send(kOrders, 3, "c");
  append(acknowledge(kOrders, kQueueReader, 3, 3));
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "2:b"); });
}

TEST_P(StoreContract, SequencesMayHaveGaps) {
  // Volatile messages take numbers too, and are never handed to the store.
  queue();
  send(kOrders, 3, "a");
  send(kOrders, 700, "b");
  send(kOrders, 100'000, "c");
  now_and_after_reopening(
      [&] { EXPECT_EQ(contents(kOrders, kQueueReader, 4, 100'001), "3:a 700:b 100000:c"); });
  const auto* cursor = cursor_of(state_, kOrders, kQueueReader);
  ASSERT_NE(cursor, nullptr);
  EXPECT_EQ(cursor->first, 3U);
  EXPECT_GE(cursor->next, 100'001U);
  EXPECT_EQ(cursor->entries, 3U);
  append(acknowledge(kOrders, kQueueReader, 1, 99'999));
  now_and_after_reopening(
      [&] { EXPECT_EQ(contents(kOrders, kQueueReader, 4, 100'001), "100000:c"); });
}

TEST_P(StoreContract, EveryPriorityCountsForItself) {
  queue();
  send(kOrders, 1, "low", 0);
  send(kOrders, 1, "high", 9);
  send(kOrders, 2, "high2", 9);
  append(acknowledge(kOrders, kQueueReader, 1, 1, 9));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kOrders, kQueueReader, 0), "1:low");
    EXPECT_EQ(contents(kOrders, kQueueReader, 9), "2:high2");
    EXPECT_EQ(contents(kOrders), "");
  });
  EXPECT_NE(cursor_of(state_, kOrders, kQueueReader, 9), nullptr);
  EXPECT_EQ(cursor_of(state_, kOrders, kQueueReader, 4), nullptr) << "never used";
}

TEST_P(StoreContract, ABatchTakesEffectWhole) {
  queue();
  queue(ListId{7}, "invoices");
  send(kOrders, 1, "order");
  auto first = message("invoice");
  auto second = message("copy");
  ASSERT_EQ(store().admit(first->flat().size()), Admission::granted);
  ASSERT_EQ(store().admit(second->flat().size()), Admission::granted);
  append(acknowledge(kOrders, kQueueReader, 1, 1), add(ListId{7}, 1, first),
         add(kOrders, 2, second), attachment(StoreOpKind::put_attachment, "k", "v"));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kOrders), "2:copy");
    EXPECT_EQ(contents(ListId{7}), "1:invoice");
  });
  EXPECT_EQ(state_.attachments.size(), 1U);
}

TEST_P(StoreContract, MovesAMessageWithinOneBatch) {
  // A dead letter: added and acknowledged together, in both orders of the two.
  queue();
  queue(ListId{7}, "dead");
  send(kOrders, 1, "a");
  under_test_->sync();
  auto dead = message("a, dead");
  ASSERT_EQ(store().admit(dead->flat().size()), Admission::granted);
  append(add(ListId{7}, 1, dead), acknowledge(kOrders, kQueueReader, 1, 1));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kOrders), "");
    EXPECT_EQ(contents(ListId{7}), "1:a, dead");
  });
}

// --- references ----------------------------------------------------------------------------------

TEST_P(StoreContract, OneMessageMayBeInSeveralLists) {
  topic_list(kNews);
  topic_list(ListId{3});
  append(create_reader(kNews, kAnna, "anna"));
  append(create_reader(ListId{3}, kBen, "ben"));
  auto sent = message("shared");
  ASSERT_EQ(store().admit(sent->flat().size()), Admission::granted);
  append(add(kNews, 1, sent), add_reference(ListId{3}, 1));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kNews, kAnna), "1:shared");
    EXPECT_EQ(contents(ListId{3}, kBen), "1:shared");
  });
  append(acknowledge(kNews, kAnna, 1, 1));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kNews, kAnna), "");
    EXPECT_EQ(contents(ListId{3}, kBen), "1:shared");
  });
}

TEST_P(StoreContract, SharedBytesCountUntilTheLastReferenceGoes) {
  topic_list(kNews);
  topic_list(ListId{3});
  append(create_reader(kNews, kAnna, "anna"));
  append(create_reader(ListId{3}, kBen, "ben"));
  const auto sent = message(std::string(10'000, 'x'));
  ASSERT_EQ(store().admit(sent->flat().size()), Admission::granted);
  append(add(kNews, 1, sent), add_reference(ListId{3}, 1));
  under_test_->sync();
  (void)contents(kNews, kAnna);  // the index has seen it
  const std::uint64_t size = sent->flat().size();
  EXPECT_NEAR(static_cast<double>(store().status().bytes_live), static_cast<double>(size), 1);
  append(acknowledge(kNews, kAnna, 1, 1));
  under_test_->sync();
  (void)contents(kNews, kAnna);
  // The journal counts shares, the memory store whole messages.
  EXPECT_GE(store().status().bytes_live, size / 2);
  EXPECT_LE(store().status().bytes_live, size);
  append(acknowledge(ListId{3}, kBen, 1, 1));
  under_test_->sync();
  (void)contents(kNews, kAnna);
  EXPECT_EQ(store().status().bytes_live, 0U);
}

// --- cancelling ----------------------------------------------------------------------------------

TEST_P(StoreContract, CancellingIsLikeAddingAndAcknowledging) {
  // Whether there is still time is the store's secret; the outcome must be the same.
  queue();
  for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
    const Ticket ticket = send(kOrders, sequence, "m");
    if (sequence % 3 == 0) continue;
    if (!store().cancel(ticket, kOrders))
      append(acknowledge(kOrders, kQueueReader, sequence, sequence));
  }
  under_test_->sync();
  EXPECT_EQ(store().durable(), store().submitted());
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "3:m 6:m 9:m 12:m 15:m 18:m"); });
  const auto* cursor = cursor_of(state_, kOrders, kQueueReader);
  ASSERT_NE(cursor, nullptr);
  EXPECT_EQ(cursor->entries, 6U);
}

TEST_P(StoreContract, CancelsNothingThatIsDurable) {
  queue();
  const Ticket ticket = send(kOrders, 1, "a");
  under_test_->sync();
  EXPECT_FALSE(store().cancel(ticket, kOrders));
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "1:a"); });
}

TEST_P(StoreContract, CancelTakesOneReferenceOnly) {
  topic_list(kNews);
  queue();
  append(create_reader(kNews, kAnna, "anna"));
  for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
    auto sent = message("m");
    ASSERT_EQ(store().admit(sent->flat().size()), Admission::granted);
    const bool queue_first = sequence % 2 == 0;
    const Ticket ticket =
        queue_first ? append(add(kOrders, sequence, sent), add_reference(kNews, sequence))
                    : append(add(kNews, sequence, sent), add_reference(kOrders, sequence));
    if (!store().cancel(ticket, kOrders)) {
      append(acknowledge(kOrders, kQueueReader, sequence, sequence));
    }
  }
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kOrders), "");
    EXPECT_EQ(read(request(kNews, kAnna, 1, 21)).entries.size(), 20U);
  });
}

// Goal: of a send that has two messages (a topic's copy under another name), what is left of the
// first keeps the first.
TEST_P(StoreContract, CancelLeavesReferencesTheirMessage) {
  topic_list(kNews);
  queue();
  append(create_reader(kNews, kAnna, "anna"));
  const core::ListId third{77};
  append(create_list(third, DestinationKind::queue, "third"));
  auto first = message("first");
  auto second = message("second");
  ASSERT_EQ(store().admit(first->flat().size() + second->flat().size()), Admission::granted);
  const Ticket ticket =
      append(add(kOrders, 1, first), add_reference(third, 1), add(kNews, 1, second));
  if (!store().cancel(ticket, kOrders)) append(acknowledge(kOrders, kQueueReader, 1, 1));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kOrders), "");
    EXPECT_EQ(contents(third), "1:first");
    const auto page = read(request(kNews, kAnna, 1, 2));
    ASSERT_EQ(page.entries.size(), 1U);
    EXPECT_EQ(page.entries[0].message->body(), "second");
  });
}

TEST_P(StoreContract, ReadsBehindACancelledSend) {
  queue();
  send(kOrders, 1, "a");
  under_test_->sync();
  const Ticket ticket = send(kOrders, 2, "b");
  if (!store().cancel(ticket, kOrders)) append(acknowledge(kOrders, kQueueReader, 2, 2));
  auto wanted = request(kOrders, kQueueReader, 1, 10);
  wanted.after = store().submitted();
  EXPECT_EQ(read(wanted).entries.size(), 1U);
}

TEST_P(StoreContract, SequencesGoOnBehindCancelledOnes) {
  queue();
  const Ticket ticket = send(kOrders, 1, "a");
  if (!store().cancel(ticket, kOrders)) append(acknowledge(kOrders, kQueueReader, 1, 1));
  send(kOrders, 2, "b");
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "2:b"); });
}

// --- touched and counted -------------------------------------------------------------------------

TEST_P(StoreContract, RemembersWhatWasTouched) {
  queue();
  append(on_range(StoreOpKind::touch, kOrders, kQueueReader, 0, 256));
  send(kOrders, 1, "a");
  auto state = reopen();
  const auto* cursor = cursor_of(state, kOrders, kQueueReader);
  ASSERT_NE(cursor, nullptr);
  EXPECT_GE(cursor->touched_to, 256U) << "ahead of what was added then";
  append(on_range(StoreOpKind::touch, kOrders, kQueueReader, 0, 512));
  append(on_range(StoreOpKind::touch, kOrders, kQueueReader, 0, 300));
  state = reopen();
  cursor = cursor_of(state, kOrders, kQueueReader);
  ASSERT_NE(cursor, nullptr);
  EXPECT_GE(cursor->touched_to, 512U) << "it never goes back";
}

TEST_P(StoreContract, UntouchedIsNotMarked) {
  queue();
  send(kOrders, 1, "a");
  const auto state = reopen();
  const auto* cursor = cursor_of(state, kOrders, kQueueReader);
  ASSERT_NE(cursor, nullptr);
  EXPECT_LE(cursor->touched_to, 1U) << "or every restart would mark everything redelivered";
}

TEST_P(StoreContract, TouchReachesTheReaderItNames) {
  topic_list();
  append(create_reader(kNews, kAnna, "anna"));
  append(on_range(StoreOpKind::touch, kNews, kAnna, 0, 256));
  send(kNews, 1, "a");
  const auto state = reopen();
  const auto* cursor = cursor_of(state, kNews, kAnna);
  ASSERT_NE(cursor, nullptr);
  EXPECT_GE(cursor->touched_to, 256U);
}

TEST_P(StoreContract, CountsDeliveries) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) send(kOrders, sequence, "m");
  append(on_range(StoreOpKind::count_delivery, kOrders, kQueueReader, 2, 3));
  append(on_range(StoreOpKind::count_delivery, kOrders, kQueueReader, 3, 3));
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "1:m 2:m* 3:m** 4:m"); });
  append(on_range(StoreOpKind::count_delivery, kOrders, kQueueReader, 1, 4));
  append(acknowledge(kOrders, kQueueReader, 2, 2));
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "1:m* 3:m*** 4:m*"); });
}

TEST_P(StoreContract, CountsRefusalsApart) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) send(kOrders, sequence, "m");
  append(on_range(StoreOpKind::count_refusal, kOrders, kQueueReader, 2, 3));
  append(on_range(StoreOpKind::count_delivery, kOrders, kQueueReader, 1, 2));
  append(on_range(StoreOpKind::count_refusal, kOrders, kQueueReader, 3, 3));
  now_and_after_reopening([&] { EXPECT_EQ(contents(kOrders), "1:m* 2:m*! 3:m!!"); });
}

TEST_P(StoreContract, ReopeningAloneCountsNothing) {
  queue();
  send(kOrders, 1, "a");
  for (int i = 0; i < 5; ++i) (void)reopen();
  EXPECT_EQ(contents(kOrders), "1:a");
}

TEST_P(StoreContract, CountsDeliveriesPerReader) {
  topic_list();
  append(create_reader(kNews, kAnna, "anna"));
  append(create_reader(kNews, kBen, "ben"));
  send(kNews, 1, "a");
  append(on_range(StoreOpKind::count_delivery, kNews, kBen, 1, 1));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kNews, kAnna), "1:a");
    EXPECT_EQ(contents(kNews, kBen), "1:a*");
  });
}

// --- readers and lists ---------------------------------------------------------------------------

TEST_P(StoreContract, AReaderSeesWhatCameAfterIt) {
  topic_list();
  append(create_reader(kNews, kAnna, "anna"));
  send(kNews, 1, "a");
  append(create_reader(kNews, kBen, "ben"));
  send(kNews, 2, "b");
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kNews, kAnna), "1:a 2:b");
    EXPECT_EQ(contents(kNews, kBen), "2:b");
  });
  const auto* ben = cursor_of(state_, kNews, kBen);
  ASSERT_NE(ben, nullptr);
  EXPECT_EQ(ben->first, 2U);
  EXPECT_EQ(ben->entries, 1U);
}

TEST_P(StoreContract, ReadersAcknowledgeForThemselves) {
  topic_list();
  append(create_reader(kNews, kAnna, "anna"));
  append(create_reader(kNews, kBen, "ben"));
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) send(kNews, sequence, "m");
  append(acknowledge(kNews, kAnna, 1, 2));
  append(acknowledge(kNews, kBen, 2, 3));
  now_and_after_reopening([&] {
    EXPECT_EQ(contents(kNews, kAnna), "3:m");
    EXPECT_EQ(contents(kNews, kBen), "1:m");
  });
}

TEST_P(StoreContract, AnEntryGoesWithItsLastReader) {
  topic_list();
  append(create_reader(kNews, kAnna, "anna"));
  append(create_reader(kNews, kBen, "ben"));
  const auto sent = message(std::string(5000, 'x'));
  ASSERT_EQ(store().admit(sent->flat().size()), Admission::granted);
  append(add(kNews, 1, sent));
  append(acknowledge(kNews, kAnna, 1, 1));
  under_test_->sync();
  (void)contents(kNews, kAnna);
  EXPECT_EQ(store().status().bytes_live, sent->flat().size());
  append(simple(StoreOpKind::delete_reader, kNews, kBen));
  under_test_->sync();
  (void)contents(kNews, kAnna);
  EXPECT_EQ(store().status().bytes_live, 0U);
  const auto state = reopen();
  EXPECT_EQ(reader_of(state, kNews, kBen), nullptr);
  EXPECT_NE(reader_of(state, kNews, kAnna), nullptr);
  EXPECT_EQ(state.last_reader, kBen) << "ids are never used twice";
}

TEST_P(StoreContract, KeepsNothingForNobody) {
  topic_list();
  send(kNews, 1, "a");
  under_test_->sync();
  append(create_reader(kNews, kAnna, "anna"));
  send(kNews, 2, "b");
  now_and_after_reopening([&] { EXPECT_EQ(contents(kNews, kAnna), "2:b"); });
}

TEST_P(StoreContract, RecoversDescriptions) {
  queue();
  topic_list();
  append(create_reader(kNews, kAnna, "anna"));
  const auto state = reopen();
  ASSERT_EQ(state.lists.size(), 2U);
  EXPECT_EQ(state.lists[0].description.id, kOrders);
  EXPECT_EQ(state.lists[0].description.destination.to_text(), "queue://orders");
  ASSERT_EQ(state.lists[0].readers.size(), 1U);
  EXPECT_EQ(state.lists[0].readers[0].description.id, kQueueReader);
  EXPECT_EQ(state.lists[1].description.destination.to_text(), "topic://news.>");
  ASSERT_EQ(state.lists[1].readers.size(), 1U);
  const ReaderDescription& anna = state.lists[1].readers[0].description;
  EXPECT_EQ(anna.id, kAnna);
  EXPECT_EQ(anna.list, kNews);
  EXPECT_EQ(anna.client_id, "office");
  EXPECT_EQ(anna.name, "anna");
  EXPECT_EQ(anna.selector, "price > 3");
  EXPECT_TRUE(anna.no_local);
  EXPECT_EQ(state.last_list, kNews);
  EXPECT_EQ(state.last_reader, kAnna);
}

TEST_P(StoreContract, ADeletedListIsGoneButItsIdIsNot) {
  queue();
  queue(ListId{9}, "other");
  send(ListId{9}, 1, "a");
  send(kOrders, 1, "b");
  append(simple(StoreOpKind::delete_list, ListId{9}));
  under_test_->sync();
  (void)contents(kOrders);
  EXPECT_EQ(contents(ListId{9}), "");
  const auto state = reopen();
  ASSERT_EQ(state.lists.size(), 1U);
  EXPECT_EQ(state.lists[0].description.id, kOrders);
  EXPECT_EQ(state.last_list, ListId{9});
  EXPECT_EQ(contents(kOrders), "1:b");
  // A queue of the same name may come again, under a new id.
  queue(ListId{10}, "other");
  send(ListId{10}, 1, "c");
  now_and_after_reopening([&] { EXPECT_EQ(contents(ListId{10}), "1:c"); });
}

// --- recovered cursors ---------------------------------------------------------------------------

TEST_P(StoreContract, RecoversCursorsExactly) {
  queue();
  std::uint64_t bytes = 0;
  for (std::uint64_t sequence = 1; sequence <= 600; ++sequence) {
    const std::string body(sequence % 50, 'x');
    send(kOrders, sequence, body);
    if (sequence > 300 && sequence % 2 == 0) bytes += message(body)->flat().size();
  }
  append(acknowledge(kOrders, kQueueReader, 1, 300));
  for (std::uint64_t sequence = 301; sequence <= 600; sequence += 2) {
    append(acknowledge(kOrders, kQueueReader, sequence, sequence));
  }
  for (int round = 0; round < 2; ++round) {
    const auto state = reopen();
    const auto* cursor = cursor_of(state, kOrders, kQueueReader);
    ASSERT_NE(cursor, nullptr);
    EXPECT_EQ(cursor->first, 302U);
    EXPECT_EQ(cursor->next, 601U);
    EXPECT_EQ(cursor->entries, 150U);
    EXPECT_EQ(cursor->bytes, bytes);
  }
}

TEST_P(StoreContract, AnEmptiedListKeepsCounting) {
  queue();
  send(kOrders, 1, "a");
  send(kOrders, 2, "b");
  under_test_->sync();
  append(acknowledge(kOrders, kQueueReader, 1, 2));
  const auto state = reopen();
  const auto* cursor = cursor_of(state, kOrders, kQueueReader);
  ASSERT_NE(cursor, nullptr);
  EXPECT_EQ(cursor->next, 3U);
  EXPECT_EQ(cursor->first, 3U);
  EXPECT_EQ(cursor->entries, 0U);
  EXPECT_EQ(cursor->bytes, 0U);
}

// --- attachments ---------------------------------------------------------------------------------

TEST_P(StoreContract, KeepsAttachmentsInOrderOfKey) {
  append(attachment(StoreOpKind::put_attachment, "b", "2"));
  append(attachment(StoreOpKind::put_attachment, "a", std::string("1\0x", 3)),
         attachment(StoreOpKind::put_attachment, "c", ""));
  append(attachment(StoreOpKind::put_attachment, "b", "two"));
  append(attachment(StoreOpKind::delete_attachment, "c"));
  for (int round = 0; round < 2; ++round) {
    const auto state = reopen();
    ASSERT_EQ(state.attachments.size(), 2U);
    EXPECT_EQ(state.attachments[0], (std::pair<std::string, std::string>("a", {"1\0x", 3})));
    EXPECT_EQ(state.attachments[1], (std::pair<std::string, std::string>("b", "two")));
  }
}

// --- paging --------------------------------------------------------------------------------------

TEST_P(StoreContract, PagesStopAtTheirLimits) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 1000; ++sequence) {
    send(kOrders, sequence, "b" + std::to_string(sequence));
  }
  append(acknowledge(kOrders, kQueueReader, 401, 500));
  now_and_after_reopening([&] {
    PageRequest wanted = request(kOrders, kQueueReader, 390, 900);
    wanted.entries_max = 30;
    Page page = read(wanted);
    ASSERT_EQ(page.entries.size(), 30U);
    EXPECT_EQ(page.entries.front().sequence, 390U);
    EXPECT_EQ(page.entries.back().sequence, 519U);
    EXPECT_GE(page.covered_to, 520U) << "nothing below is missing";
    EXPECT_LE(page.covered_to, 520U) << "520 is";

    wanted = request(kOrders, kQueueReader, 390, 395);
    page = read(wanted);
    ASSERT_EQ(page.entries.size(), 5U);
    EXPECT_EQ(page.covered_to, 395U);

    wanted = request(kOrders, kQueueReader, 420, 480);
    page = read(wanted);
    EXPECT_TRUE(page.entries.empty());
    EXPECT_EQ(page.covered_to, 480U) << "all acknowledged: covered, not asked for again";
  });
}

TEST_P(StoreContract, PagesStopAfterTheirBytes) {
  queue();
  const std::string body(1000, 'x');
  for (std::uint64_t sequence = 1; sequence <= 100; ++sequence) send(kOrders, sequence, body);
  now_and_after_reopening([&] {
    PageRequest wanted = request(kOrders, kQueueReader, 1, 101);
    wanted.bytes_max = 5000;
    Page page = read(wanted);
    EXPECT_GE(page.entries.size(), 4U);
    EXPECT_LE(page.entries.size(), 6U);
    EXPECT_EQ(page.covered_to, page.entries.back().sequence + 1);
    wanted = request(kOrders, kQueueReader, 1, 101);
    wanted.bytes_max = 1;
    page = read(wanted);
    ASSERT_GE(page.entries.size(), 1U) << "a page always gets somewhere";
    EXPECT_EQ(page.entries.front().sequence, 1U);
  });
}

TEST_P(StoreContract, APageIsWalkedFromEndToEnd) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 1500; ++sequence) {
    send(kOrders, sequence, std::to_string(sequence));
    if (sequence % 7 == 0 || (sequence > 700 && sequence < 1100)) {
      append(acknowledge(kOrders, kQueueReader, sequence, sequence));
    }
  }
  now_and_after_reopening([&] {
    std::vector<std::uint64_t> seen;
    std::uint64_t first = 1;
    for (int pages = 0; first < 1501 && pages < 2000; ++pages) {
      PageRequest wanted = request(kOrders, kQueueReader, first, 1501);
      wanted.entries_max = 64;
      const Page page = read(wanted);
      for (const auto& entry : page.entries) {
        seen.push_back(entry.sequence);
        EXPECT_EQ(entry.message->body(), std::to_string(entry.sequence));
      }
      ASSERT_GT(page.covered_to, first);
      first = page.covered_to;
    }
    std::vector<std::uint64_t> expected;
    for (std::uint64_t sequence = 1; sequence <= 1500; ++sequence) {
      if (sequence % 7 != 0 && (sequence <= 700 || sequence >= 1100)) expected.push_back(sequence);
    }
    EXPECT_EQ(seen, expected);
  });
}

TEST_P(StoreContract, APageHasTheEffectOfEverythingItWaitsFor) {
  queue();
  for (std::uint64_t round = 0; round < 20; ++round) {
    send(kOrders, 2 * round + 1, "gone");
    send(kOrders, 2 * round + 2, "kept");
    append(acknowledge(kOrders, kQueueReader, 2 * round + 1, 2 * round + 1));
    const Page page = read(request(kOrders, kQueueReader, 2 * round + 1, 2 * round + 3));
    ASSERT_EQ(page.entries.size(), 1U);
    EXPECT_EQ(page.entries[0].sequence, 2 * round + 2);
  }
}

TEST_P(StoreContract, APageOfWhatDoesNotExistIsEmpty) {
  const Page page = read(request(ListId{55}, kQueueReader, 1, 10));
  EXPECT_TRUE(page.entries.empty());
  EXPECT_EQ(page.covered_to, 10U);
  queue();
  EXPECT_EQ(contents(kOrders, ReaderId{4}), "");
}

// --- expiry --------------------------------------------------------------------------------------

TEST_P(StoreContract, SaysWhatHasExpiredAndWhenTheRestDoes) {
  queue();
  topic_list();
  append(create_reader(kNews, kAnna, "a"), create_reader(kNews, kBen, "b"));
  const auto expiration = [](std::uint64_t sequence) {
    return sequence % 10 == 0 ? static_cast<std::int64_t>(100'000 - sequence) : 0;
  };
  std::vector<std::uint64_t> sequences;
  for (std::uint64_t sequence = 1; sequence <= 600; ++sequence) sequences.push_back(sequence);
  for (std::uint64_t sequence = 40'000; sequence <= 40'100; ++sequence) {
    sequences.push_back(sequence);
  }
  for (const std::uint64_t sequence : sequences) {
    MessageBuilder builder;
    builder.destination_name = "orders";
    builder.persistent = true;
    builder.expiration = expiration(sequence);
    auto built = builder.build().value();
    ASSERT_EQ(store().admit(built->flat().size()), Admission::granted);
    append(add(kOrders, sequence, built), add_reference(kNews, sequence));
  }
  append(acknowledge(kNews, kBen, 1, 300));

  const std::vector<std::tuple<ListId, ReaderId, std::uint64_t>> readers{
      {kOrders, kQueueReader, 1}, {kNews, kAnna, 1}, {kNews, kBen, 301}};
  for (const auto& [list, reader, begin] : readers) {
    now_and_after_reopening([&, list = list, reader = reader, begin = begin] {
      const std::int64_t due_by = 99'700;  // by then 300 and later ones, of the first part
      std::vector<std::uint64_t> due;
      std::vector<std::pair<std::uint64_t, std::int64_t>> later;
      std::uint64_t first = 1;
      for (int pages = 0; first < 50'000 && pages < 2000; ++pages) {
        PageRequest wanted = request(list, reader, first, 50'000);
        wanted.entries_max = 7;
        wanted.due_by = due_by;
        const Page page = read(wanted);
        for (const auto& entry : page.entries) due.push_back(entry.sequence);
        later.insert(later.end(), page.later.begin(), page.later.end());
        ASSERT_GT(page.covered_to, first);
        first = page.covered_to;
      }
      std::vector<std::uint64_t> expected;
      for (const std::uint64_t sequence : sequences) {
        const std::int64_t time = expiration(sequence);
        if (time == 0 || sequence < begin) continue;
        if (time <= due_by) {
          expected.push_back(sequence);
          continue;
        }
        EXPECT_TRUE(std::any_of(later.begin(), later.end(), [&](const auto& each) {
          return each.first / 256 == sequence / 256 && each.second <= time && each.second > due_by;
        })) << sequence;
      }
      EXPECT_EQ(due, expected);
    });
  }
}

TEST_P(StoreContract, AStartSaysWhereSomethingExpiresAndWhen) {
  queue();
  for (std::uint64_t sequence = 1; sequence <= 40'000; sequence += 39) {
    MessageBuilder builder;
    builder.destination_name = "orders";
    builder.persistent = true;
    builder.expiration = sequence > 20'000 ? static_cast<std::int64_t>(1'000'000 - sequence) : 0;
    auto built = builder.build().value();
    ASSERT_EQ(store().admit(built->flat().size()), Admission::granted);
    append(add(kOrders, sequence, built));
  }
  const auto parts = [&] {
    const RecoveredState state = reopen();
    return state.lists.at(0).expiry;
  };
  for (int starts = 0; starts < 2; ++starts) {
    const auto found = parts();
    for (std::uint64_t sequence = 1; sequence <= 40'000; sequence += 39) {
      if (sequence <= 20'000) continue;
      EXPECT_TRUE(std::any_of(found.begin(), found.end(), [&](const RecoveredExpiry& part) {
        return part.priority == 4 && part.first <= sequence && sequence <= part.last &&
               part.earliest <= static_cast<std::int64_t>(1'000'000 - sequence);
      })) << sequence;
    }
    for (const auto& part : found) EXPECT_GT(part.last, 16'000U) << "nothing expires there";
  }
  append(acknowledge(kOrders, kQueueReader, 30'000, 40'000));
  for (const auto& part : parts()) EXPECT_LE(part.first, 30'000U) << "nothing is left there";
  append(acknowledge(kOrders, kQueueReader, 20'001, 29'999));
  EXPECT_TRUE(parts().empty());
  EXPECT_TRUE(parts().empty());
}

// --- admission -----------------------------------------------------------------------------------

TEST_P(StoreContract, RefusesWhatHasNoRoomAndSaysWhy) {
  const std::uint64_t size = message(std::string(1000, 'x'))->flat().size();
  start(10 * size);
  queue();
  std::uint64_t sequence = 0;
  while (store().admit(size) == Admission::granted) {
    append(add(kOrders, ++sequence, message(std::string(1000, 'x'))));
    ASSERT_LE(sequence, 10U);
  }
  EXPECT_GE(sequence, 9U);
  EXPECT_EQ(store().admit(size), Admission::later) << "consumers may make room";
  EXPECT_NE(store().refusal().find("store full"), std::string::npos) << store().refusal();
  EXPECT_NE(store().refusal().find("storeUsage"), std::string::npos) << store().refusal();
  EXPECT_TRUE(store().status().full);
  EXPECT_EQ(store().admit(11 * size), Admission::refused) << "there can never be room";
  EXPECT_EQ(store().admit(size), Admission::later);
  // Consuming never stops, and makes room.
  append(acknowledge(kOrders, kQueueReader, 1, sequence));
  under_test_->sync();
  under_test_->wait_for_space_changed(1);
  EXPECT_EQ(store().admit(size), Admission::granted);
  store().release(size);
}

// Goal: whoever has room set aside does not wait for room that others, or he himself, have set
// aside.
TEST_P(StoreContract, RefusesATransactionWhatOnlyEndsOfTransactionsGiveBack) {
  const std::uint64_t size = message(std::string(1000, 'x'))->flat().size();
  start(10 * size);
  queue();
  for (std::uint64_t sequence = 1; sequence <= 4; ++sequence) {
    ASSERT_EQ(store().admit(size), Admission::granted);
    append(add(kOrders, sequence, message(std::string(1000, 'x'))));
  }
  under_test_->sync();
  ASSERT_EQ(store().admit(size), Admission::granted);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(store().admit(size, Purpose::more), Admission::granted);
  EXPECT_EQ(store().admit(size, Purpose::more), Admission::later) << "consumers may make room";
  EXPECT_EQ(store().admit(5 * size, Purpose::more), Admission::refused);
  EXPECT_NE(store().refusal().find("open transactions have"), std::string::npos)
      << store().refusal();
  EXPECT_EQ(store().admit(5 * size), Admission::later) << "it holds nothing: it can wait";
  append(acknowledge(kOrders, kQueueReader, 1, 4));
  under_test_->sync();
  under_test_->wait_for_space_changed(1);
  EXPECT_EQ(store().admit(size, Purpose::more), Admission::granted);
  for (int i = 0; i < 7; ++i) store().release(size);
}

TEST_P(StoreContract, SetsRoomAsideUntilItIsGivenBack) {
  const std::uint64_t size = message(std::string(1000, 'x'))->flat().size();
  start(10 * size);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(store().admit(size), Admission::granted);
  EXPECT_NE(store().admit(size), Admission::granted);
  store().release(size);
  EXPECT_EQ(store().admit(size), Admission::granted);
  for (int i = 0; i < 10; ++i) store().release(size);
}

TEST_P(StoreContract, RoomSetAsideIsUsedUpByItsAppend) {
  const std::uint64_t size = message(std::string(1000, 'x'))->flat().size();
  start(10 * size);
  queue();
  for (std::uint64_t sequence = 1; sequence <= 200; ++sequence) {
    ASSERT_EQ(store().admit(size), Admission::granted) << "at " << sequence;
    append(add(kOrders, sequence, message(std::string(1000, 'x'))));
    append(acknowledge(kOrders, kQueueReader, sequence, sequence));
    under_test_->sync();
    (void)read(request(kOrders, kQueueReader, sequence, sequence + 1));  // the index has seen it
  }
}

TEST_P(StoreContract, StaysFullOverARestart) {
  const std::uint64_t size = message(std::string(1000, 'x'))->flat().size();
  start(3 * size);
  queue();
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    ASSERT_EQ(store().admit(size), Admission::granted);
    append(add(kOrders, sequence, message(std::string(1000, 'x'))));
  }
  (void)reopen();
  EXPECT_NE(store().admit(size), Admission::granted);
  append(acknowledge(kOrders, kQueueReader, 1, 3));
  (void)reopen();
  EXPECT_EQ(store().admit(size), Admission::granted);
  store().release(size);
}

// --- status --------------------------------------------------------------------------------------

TEST_P(StoreContract, StatusFollows) {
  queue();
  send(kOrders, 1, std::string(10'000, 'x'));
  under_test_->sync();
  const auto status = store().status();
  EXPECT_EQ(status.submitted, store().submitted());
  EXPECT_EQ(status.durable, store().durable());
  EXPECT_EQ(status.epoch, store().epoch());
  EXPECT_GE(status.bytes_live, 10'000U);
  EXPECT_GE(status.bytes_written, 10'000U);
  EXPECT_FALSE(status.full);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::ValuesIn(implementations()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pabal::contract
