// Counts what the way of a message through the adaptor allocates, and how long it takes. A program
// of its own, because it replaces operator new.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "core/engine.h"
#include "protocols/stomp/session.h"
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

namespace pabal::stomp {
namespace {

using namespace std::string_literals;

class NullOutput final : public protocols::Output {
 public:
  std::string& ready() override { return bytes; }
  void hold(core::Ticket, std::string_view piece, bool) override { bytes += piece; }
  void close_after_flush() override {}
  std::string bytes;
};

std::string frame(const std::string& text) {
  return text + "\0"s;
}

struct Cost {
  double allocations = 0;
  double decode_ns = 0;
  double apply_ns = 0;
  double outcomes_ns = 0;
  double delivery_ns = 0;
};

/// Batches of 50 messages of 1 KB through producer, engine and consumers, as in one turn of a loop.
Cost measure(const std::string& version, const std::string& ack, int consumers,
             const std::string& more_headers) {
  support::NullStore store;
  core::Engine engine(store, {}, 1);
  FrameCache cache;
  const SessionOptions options;
  const core::TimePoint now = core::from_millis(1'700'000'000'000);
  NullOutput output;
  core::engine_role.assert_held();
  const auto open = [&] {
    core::engine_role.assert_held();
    auto session = make_session(options, {core::HomeId(0), "tcp://test"}, cache);
    const std::string bytes = frame("CONNECT\naccept-version:" + version + "\nhost:x\n\n");
    session->decode(bytes, now);
    session->apply(engine, now);
    session->encode_outcomes(output);
    return session;
  };
  auto producer = open();
  std::vector<std::unique_ptr<protocols::Session>> receivers;
  const std::string destination = consumers == 1 ? "/queue/bench.stomp" : "/topic/bench.stomp";
  for (int i = 0; i < consumers; ++i) {
    receivers.push_back(open());
    const std::string bytes =
        frame("SUBSCRIBE\nid:0\ndestination:" + destination + "\nack:" + ack + "\n\n");
    receivers.back()->decode(bytes, now);
    receivers.back()->apply(engine, now);
    receivers.back()->encode_outcomes(output);
  }
  std::string sends;
  constexpr int kBatch = 50;
  for (int i = 0; i < kBatch; ++i) {
    sends += frame("SEND\ndestination:" + destination + "\n" + more_headers +
                   "content-length:1024\n\n" + std::string(1024, 'x'));
  }
  Cost cost;
  core::Outbox outbox;
  std::size_t delivered = 0;
  std::string acks;
  const auto timed = [](double& sum, auto&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    sum +=
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  };
  const auto batch = [&] {
    core::engine_role.assert_held();
    output.bytes.clear();
    timed(cost.decode_ns, [&] { producer->decode(sends, now); });
    timed(cost.apply_ns, [&] {
      core::engine_role.assert_held();
      producer->apply(engine, now);
    });
    while (engine.run(now)) {
    }
    timed(cost.outcomes_ns, [&] { producer->encode_outcomes(output); });
    std::swap(outbox, engine.outbox(core::HomeId(0)));
    timed(cost.delivery_ns, [&] {
      for (const auto& delivery : outbox.deliveries) {
        for (auto& receiver : receivers) {
          if (receiver->connection() == delivery.connection) {
            receiver->encode_delivery(delivery, output);
          }
        }
      }
    });
    delivered += outbox.deliveries.size();
    for (const auto& delivery : outbox.deliveries) {
      engine.written(delivery.connection, delivery.number, now);
    }
    if (ack != "auto") {
      acks.clear();
      for (const auto& delivery : outbox.deliveries) {
        acks += version == "1.2" ? "ACK\nid:1-" : "ACK\nsubscription:0\nmessage-id:";
        if (version == "1.2") {
          acks += std::to_string(core::raw(delivery.id));
        } else {
          delivery.message->append_id(acks);
        }
        acks += "\n\n";
        acks += '\0';
      }
      receivers[0]->decode(acks, now);
      receivers[0]->apply(engine, now);
      while (engine.run(now)) {
      }
      const auto errors = output.bytes.size();
      receivers[0]->encode_outcomes(output);
      EXPECT_EQ(output.bytes.size(), errors) << output.bytes.substr(errors);
    }
    outbox.clear();
  };
  for (int i = 0; i < 50; ++i) batch();
  delivered = 0;
  cost = {};
  const auto before = allocations;
  constexpr int kRounds = 200;
  for (int i = 0; i < kRounds; ++i) batch();
  constexpr double kMessages = kRounds * kBatch;
  EXPECT_EQ(delivered, static_cast<std::size_t>(kMessages) * receivers.size());
  cost.allocations = static_cast<double>(allocations - before) / kMessages;
  cost.decode_ns /= kMessages;
  cost.apply_ns /= kMessages;
  cost.outcomes_ns /= kMessages;
  cost.delivery_ns /= static_cast<double>(delivered);
  std::printf(
      "%s %s %d: %.2f allocations, decode %.0f, apply %.0f, receipts %.0f, delivery %.0f ns\n",
      version.c_str(), ack.c_str(), consumers, cost.allocations, cost.decode_ns, cost.apply_ns,
      cost.outcomes_ns, cost.delivery_ns);
  return cost;
}

TEST(StompCostTest, OneAllocationForAMessageAndNoneForADelivery) {
  const std::string plain = "content-type:text/plain\n";
  const std::string receipt = "persistent:true\nreceipt:message-12345\n";
  EXPECT_LE(measure("1.2", "auto", 1, plain).allocations, 1.02);
  EXPECT_LE(measure("1.2", "client-individual", 1, receipt).allocations, 1.02);
  EXPECT_LE(measure("1.1", "client-individual", 1, receipt).allocations, 1.02);
  EXPECT_LE(measure("1.2", "auto", 10, plain).allocations, 1.02);
}

}  // namespace
}  // namespace pabal::stomp
