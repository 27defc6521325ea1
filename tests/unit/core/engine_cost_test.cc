// Counts what the hot path allocates. A program of its own, because it replaces operator new.

#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "tests/support/null_store.h"

namespace {
std::size_t allocations = 0;
}  // namespace

// gcc at -O1 sees one of the pair inlined and not the other.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace pabal::core {
namespace {

struct Load {
  DestinationKind kind;
  AckMode mode;
  int consumers;
};

/// Sends batches of 100 and takes their deliveries; allocations per message once it is warm.
double allocations_per_message(const Load& load) {
  support::NullStore store;
  Engine engine(store, {}, 1);
  const TimePoint now = from_millis(1);
  const auto producer = *engine.connect({});
  std::vector<ConnectionDetails> consumers;
  for (int i = 0; i < load.consumers; ++i) {
    consumers.push_back(*engine.connect({}));
    SubscribeOptions options;
    options.interests.push_back({Destination{load.kind, "some.name.of.usual.length"}, "", false});
    options.ack_mode = load.mode;
    EXPECT_TRUE(engine.subscribe(consumers.back().id, options, now));
  }
  MessageBuilder builder;
  const std::string body(1024, 'x');
  std::uint64_t sequence = 0;
  Outbox taken;
  const auto batch = [&] {
    for (int i = 0; i < 100; ++i) {
      builder.clear();
      builder.destination_kind = load.kind;
      builder.destination_name = "some.name.of.usual.length";
      builder.persistent = true;
      builder.origin = producer.origin;
      builder.sequence = ++sequence;
      builder.body = body;
      (void)engine.publish(producer.id, *builder.build(), std::nullopt, 0, now);
    }
    while (engine.run(now)) {
    }
    std::swap(taken, engine.outbox(HomeId{}));
    for (const auto& delivery : taken.deliveries) {
      if (load.mode == AckMode::explicit_) {
        (void)engine.acknowledge(delivery.subscription, {delivery.id, delivery.id},
                                 AckKind::consumed, "", std::nullopt, now);
      }
      engine.written(delivery.connection, delivery.number, now);
    }
    EXPECT_EQ(taken.deliveries.size(),
              load.kind == DestinationKind::queue ? 100U : 100U * consumers.size());
    taken.clear();
  };
  for (int i = 0; i < 50; ++i) batch();
  const auto before = allocations;
  for (int i = 0; i < 100; ++i) batch();
  return static_cast<double>(allocations - before) / 10'000;
}

TEST(EngineCostTest, OneAllocationForAMessageAndNoneForADelivery) {
  EXPECT_LE(allocations_per_message({DestinationKind::queue, AckMode::automatic, 1}), 1.01);
  EXPECT_LE(allocations_per_message({DestinationKind::queue, AckMode::explicit_, 1}), 1.01);
  EXPECT_LE(allocations_per_message({DestinationKind::topic, AckMode::automatic, 10}), 1.01);
  EXPECT_LE(allocations_per_message({DestinationKind::topic, AckMode::explicit_, 10}), 1.01);
}

}  // namespace
}  // namespace pabal::core
