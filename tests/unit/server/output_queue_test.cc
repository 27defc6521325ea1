#include "server/output_queue.h"

#include <string>

#include <gtest/gtest.h>

namespace pabal::server {
namespace {

using core::Ticket;

struct Fixture {
  BufferPool pool;
  Ticket durable{0};
  OutputQueue output{pool, durable};

  std::string take() {
    std::string text(output.front());
    output.consume(text.size());
    return text;
  }
  std::string release(std::uint64_t ticket) {
    durable = Ticket{ticket};
    output.release();
    return take();
  }
};

TEST(OutputQueueTest, ReadyBytesOvertakeHeldOnes) {
  Fixture f;
  f.output.hold(Ticket{1}, "held", false);
  f.output.ready() += "ready";
  EXPECT_EQ(f.take(), "ready");
  EXPECT_TRUE(f.output.holding());
  EXPECT_EQ(f.release(1), "held");
  EXPECT_FALSE(f.output.holding());
  EXPECT_TRUE(f.output.empty());
}

TEST(OutputQueueTest, HoldsNothingThatIsDurableAlready) {
  Fixture f;
  f.durable = Ticket{5};
  f.output.hold(Ticket{5}, "a", true);
  f.output.hold(core::kNoTicket, "b", false);
  EXPECT_EQ(f.take(), "ab");
}

TEST(OutputQueueTest, HeldPiecesKeepTheirOrderWhateverTheirTickets) {
  Fixture f;
  f.output.hold(Ticket{7}, "first ", false);
  f.output.hold(Ticket{3}, "second ", false);
  f.output.hold(core::kNoTicket, "third", false);
  EXPECT_EQ(f.release(3), "");
  EXPECT_EQ(f.release(7), "first second third");
}

TEST(OutputQueueTest, ABarrierHoldsWhatComesAfterIt) {
  Fixture f;
  f.output.ready() += "0";
  f.output.hold(Ticket{2}, "barrier", true);
  f.output.ready() += "behind";
  f.output.hold(Ticket{1}, "more", false);
  f.output.ready() += "last";
  EXPECT_EQ(f.take(), "0");
  EXPECT_EQ(f.release(1), "");
  EXPECT_EQ(f.release(2), "barrierbehindmorelast");
  f.output.ready() += "free";
  EXPECT_EQ(f.take(), "free");
}

TEST(OutputQueueTest, BytesBehindABarrierDoNotWaitForAHeldPieceBetween) {
  Fixture f;
  f.output.hold(Ticket{1}, "barrier ", true);
  f.output.ready() += "a ";
  f.output.hold(Ticket{9}, "held ", false);
  f.output.ready() += "b ";
  // Once the barrier is gone "c" may leave at once, and "b" was said before it.
  EXPECT_EQ(f.release(1), "barrier a b ");
  f.output.ready() += "c";
  EXPECT_EQ(f.take(), "c");
  EXPECT_EQ(f.release(9), "held ");
  EXPECT_TRUE(f.output.empty());
}

TEST(OutputQueueTest, BytesBetweenTwoBarriersWaitForTheFirstOnly) {
  Fixture f;
  f.output.hold(Ticket{1}, "first ", true);
  f.output.hold(Ticket{5}, "held ", false);
  f.output.ready() += "between ";
  f.output.hold(Ticket{9}, "second ", true);
  f.output.ready() += "behind";
  EXPECT_EQ(f.release(1), "first between ");
  EXPECT_EQ(f.release(5), "held ");
  EXPECT_EQ(f.release(9), "second behind");
  EXPECT_TRUE(f.output.empty());
}

TEST(OutputQueueTest, ADeliveryBehindABarrierIsNotWrittenBeforeItIs) {
  Fixture f;
  f.output.hold(Ticket{1}, "barrier ", true);
  f.output.hold(Ticket{9}, "held ", false);
  f.output.ready() += "delivery";
  f.output.note_delivery(1, 0);
  f.durable = Ticket{1};
  f.output.release();
  f.output.consume(std::string_view("barrier ").size());
  EXPECT_EQ(f.output.take_written(), std::nullopt);
  EXPECT_EQ(f.take(), "delivery");
  EXPECT_EQ(f.output.take_written(), 1u);
}

TEST(OutputQueueTest, CountsDeliveriesAsWrittenOnlyWhenTheirLastByteIs) {
  Fixture f;
  f.output.ready() += "one";
  f.output.note_delivery(1, 0);
  f.output.consume(2);
  EXPECT_EQ(f.output.take_written(), std::nullopt);
  f.output.ready() += "two";
  f.output.note_delivery(2, 0);
  f.output.consume(1);
  EXPECT_EQ(f.output.take_written(), 1u);
  EXPECT_EQ(f.output.take_written(), std::nullopt);
  f.output.consume(3);
  EXPECT_EQ(f.output.take_written(), 2u);
}

TEST(OutputQueueTest, DeliveriesBehindABarrierAreNotWrittenBeforeIt) {
  Fixture f;
  f.output.ready() += "a";
  f.output.note_delivery(1, 0);
  f.output.hold(Ticket{4}, "B", true);
  f.output.ready() += "b";
  f.output.note_delivery(2, 0);
  EXPECT_EQ(f.take(), "a");
  EXPECT_EQ(f.output.take_written(), 1u);
  EXPECT_EQ(f.release(4), "Bb");
  EXPECT_EQ(f.output.take_written(), 2u);
}

TEST(OutputQueueTest, OwnsNoMemoryWhenEmpty) {
  Fixture f;
  f.output.ready() += std::string(10'000, 'x');
  f.output.hold(Ticket{1}, std::string(10'000, 'y'), true);
  f.take();
  f.release(1);
  EXPECT_TRUE(f.output.empty());
  std::string buffer = f.pool.take();  // both went back
  EXPECT_GE(buffer.capacity(), 10'000u);
  buffer = f.pool.take();
  EXPECT_GE(buffer.capacity(), 10'000u);
}

TEST(OutputQueueTest, ADeliveryWithoutBytesIsWrittenAtOnce) {
  Fixture f;
  f.output.note_delivery(1, 0);  // of a subscription that ended meanwhile: the session dropped it
  EXPECT_EQ(f.output.take_written(), 1u);
  EXPECT_EQ(f.output.take_written(), std::nullopt);
}

TEST(OutputQueueTest, TellsRepliesFromDeliveries) {
  Fixture f;
  f.output.ready() += "reply";
  f.output.ready() += "delivery";
  f.output.note_delivery(1, 8);
  f.output.hold(Ticket{1}, "receipt", false);
  EXPECT_EQ(f.output.bytes(), 20u);
  EXPECT_EQ(f.output.reply_bytes(), 12u);
  f.output.consume(13);
  EXPECT_EQ(f.output.take_written(), 1u);
  EXPECT_EQ(f.output.reply_bytes(), 7u);
  f.output.note_delivery(2, 100);
  f.output.clear();
  EXPECT_EQ(f.output.reply_bytes(), 0u);
}

/// Random operations against a plain model: the stream is what the model says, whatever the sizes.
TEST(OutputQueueTest, AgreesWithAModelForManySeeds) {
  struct Item {
    std::uint64_t until;
    bool barrier;
    bool loose;
    std::string bytes;
  };
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL;
    const auto random = [&state](std::uint64_t below) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return (state >> 33) % below;
    };
    Fixture f;
    std::vector<Item> held;
    std::string expected;
    std::string got;
    std::uint64_t durable = 0;
    std::uint64_t next = 1;
    char letter = 'a';
    const auto settle = [&] {
      bool barrier_gone = false;
      while (!held.empty() && held.front().until <= durable) {
        barrier_gone = barrier_gone || held.front().barrier;
        expected += held.front().bytes;
        held.erase(held.begin());
      }
      for (auto item = held.begin(); barrier_gone && item != held.end() && !item->barrier;) {
        if (item->loose) expected += item->bytes;
        item = item->loose ? held.erase(item) : item + 1;
      }
    };
    for (int step = 0; step < 200; ++step) {
      const std::string bytes(1 + random(5), letter);
      letter = letter == 'z' ? 'a' : static_cast<char>(letter + 1);
      switch (random(4)) {
        case 0: {
          f.output.ready() += bytes;
          bool behind = false;
          for (const auto& item : held) behind = behind || item.barrier;
          if (behind) {
            held.push_back({0, false, true, bytes});
          } else {
            expected += bytes;
          }
          break;
        }
        case 1: {
          const bool barrier = random(4) == 0;
          const auto until = next + random(3);
          f.output.hold(Ticket{until}, bytes, barrier);
          held.push_back({until, barrier, false, bytes});
          if (held.size() == 1) settle();
          break;
        }
        case 2:
          durable += random(3);
          next = durable + 1;
          f.durable = Ticket{durable};
          f.output.release();
          settle();
          break;
        default: {
          const std::size_t count = random(f.output.front().size() + 1);
          got += f.output.front().substr(0, count);
          f.output.consume(count);
        }
      }
    }
    durable += 10;
    f.durable = Ticket{durable};
    f.output.release();
    settle();
    got += f.take();
    ASSERT_EQ(got, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pabal::server
