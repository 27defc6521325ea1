#include <map>
#include <random>
#include <set>

#include "tests/unit/core/xa_fixture.h"

// Lives of prepared branches under a seed. The store says exactly which batches survive a crash, so
// a model that knows the ticket of every step says exactly what must be there after it: which
// branches are in doubt, and which messages are to be had.

namespace pabal::core {
namespace {

struct ModelBranch {
  std::set<std::string> acknowledged;
  std::vector<std::string> sent;
  Ticket prepared = kNoTicket;  ///< zero: it was not
  Ticket ended = kNoTicket;     ///< zero: it was not
  bool commits = false;
};

class EngineXaRandomTest : public XaFixture, public ::testing::WithParamInterface<int> {
 protected:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool one_in(std::uint64_t bound) { return below(bound) == 0; }

  /// Everything moves until nothing does, with syncs.
  std::vector<Delivery> settle() {
    std::vector<Delivery> all;
    for (int idle = 0; idle < 12; ++idle) {
      store_->make_durable(store_->submitted());
      for (auto& delivery : deliveries()) {
        all.push_back(std::move(delivery));
        idle = 0;
      }
    }
    return all;
  }

  void send(const ConnectionDetails& who) {
    Send send;
    send.name = "q" + std::to_string(below(2));
    send.body = std::to_string(++bodies_);
    send.color = one_in(2) ? "red" : "blue";
    send.priority = static_cast<std::uint8_t>(one_in(3) ? below(10) : 4);
    ASSERT_EQ(publish(who, send).disposition, Disposition::done);
    messages_.insert(send.body);
  }

  /// A connection that takes messages of one queue, and acknowledges some of them in branches that
  /// it prepares; it may stay, or go with what it has not acknowledged.
  void work() {
    const auto who = connect();
    Sub sub;
    sub.name = "q" + std::to_string(below(2));
    if (one_in(2)) sub.selector = "color = 'red'";
    const auto subscription = subscribe(who, sub);
    auto got = settle();
    for (std::uint64_t count = 1 + below(2); count > 0; --count) {
      const int number = ++branches_made_;
      ModelBranch& branch = branches_[number];
      const auto transaction = start(who, number);
      for (auto& delivery : got) {
        if (delivery.subscription != subscription || !delivery.message || !one_in(3)) continue;
        ASSERT_EQ(ack(subscription, delivery, AckKind::consumed, transaction).disposition,
                  Disposition::done);
        branch.acknowledged.insert(std::string(delivery.message->body()));
        delivery.message.reset();
      }
      for (std::uint64_t sends = below(3); sends > 0; --sends) {
        branch.sent.push_back(std::to_string(++bodies_));
        send_in(who, transaction, "q" + std::to_string(below(2)), branch.sent.back());
      }
      end(who, number);
      if (one_in(6)) {
        // It goes with its connection, or the process does.
        engine_->disconnect(who.id, now_);
        return;
      }
      const Outcome outcome = prepare(who, 0, number);
      ASSERT_EQ(outcome.disposition, Disposition::done);
      if (outcome.xa == XaCode::read_only) {
        ASSERT_TRUE(branch.acknowledged.empty() && branch.sent.empty());
        continue;
      }
      branch.prepared = outcome.after;
      if (one_in(3)) finish(number);
    }
    if (one_in(2)) engine_->disconnect(who.id, now_);
  }

  void finish(int number) {
    ModelBranch& branch = branches_[number];
    const auto manager = connect();
    branch.commits = one_in(2);
    Outcome outcome;
    if (branch.commits) {
      outcome = commit(manager, false, 1, number);
      if (outcome.disposition == Disposition::parked) {
        settle();
        const auto answers = replies();
        ASSERT_EQ(answers.size(), 1U);
        outcome = answers[0].outcome;
      }
    } else {
      outcome = rollback(manager, number);
    }
    ASSERT_NE(outcome.disposition, Disposition::failed) << outcome.error->text;
    branch.ended = outcome.after == kNoTicket ? store_->durable() : outcome.after;
  }

  /// The process dies with whatever of the last batches has reached the disk.
  void crash() {
    const std::uint64_t durable = raw(store_->durable());
    const std::uint64_t submitted = raw(store_->submitted());
    const Ticket survives{durable + below(submitted - durable + 1)};
    restart(survives);
    for (auto at = branches_.begin(); at != branches_.end();) {
      ModelBranch& branch = at->second;
      const bool prepared = branch.prepared != kNoTicket && branch.prepared <= survives;
      const bool ended = branch.ended != kNoTicket && branch.ended <= survives;
      if (prepared && !ended) {
        branch.prepared = Ticket{1};  // long ago
        branch.ended = kNoTicket;
        ++at;
        continue;
      }
      if (prepared && branch.commits) {
        for (const auto& body : branch.acknowledged) messages_.erase(body);
        messages_.insert(branch.sent.begin(), branch.sent.end());
      }
      at = branches_.erase(at);
    }
  }

  /// What consumers of all queues get is what no branch in doubt holds, each once.
  void check() {
    std::vector<std::string> names;
    for (const auto& view : engine_->branches(nullptr, 10'000, true)) {
      EXPECT_EQ(view.state, BranchState::prepared);
      names.push_back(view.xid.to_text());
    }
    std::set<std::string> locked;
    std::vector<std::string> expected;
    for (const auto& [number, branch] : branches_) {
      expected.push_back(xid(number).to_text());
      locked.insert(branch.acknowledged.begin(), branch.acknowledged.end());
    }
    std::sort(names.begin(), names.end());
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(names, expected);

    const auto who = connect();
    std::multiset<std::string> available;
    for (const auto& body : messages_) {
      if (!locked.contains(body)) available.insert(body);
    }
    for (const char* queue : {"q0", "q1"}) {
      Sub sub;
      sub.name = queue;
      if (one_in(2)) {
        sub.selector = "color = 'red'";
        subscribe(who, sub);
        sub.selector.clear();
      }
      subscribe(who, sub);
    }
    std::multiset<std::string> got;
    for (const auto& delivery : settle()) got.insert(std::string(delivery.message->body()));
    ASSERT_EQ(got, available);
    engine_->disconnect(who.id, now_);
    settle();
  }

  std::mt19937_64 random_;
  std::uint64_t bodies_ = 0;
  int branches_made_ = 0;
  std::set<std::string> messages_;  ///< durable, by body
  std::map<int, ModelBranch> branches_;
};

TEST_P(EngineXaRandomTest, WhatACrashLeavesIsWhatWasPromised) {
  random_.seed(static_cast<std::uint64_t>(GetParam()));
  store::MemoryStoreOptions options;
  options.manual_durability = true;
  EngineLimits limits;
  limits.list_window_bytes_max = one_in(2) ? 2000 : 8 << 20;  // paged, or not
  limits.prepared_bytes_max = one_in(2) ? 300 : 16 << 20;     // read back, or not
  limits.steps_per_entry_max = one_in(2) ? 3 : 4096;
  open(options, limits);
  for (int round = 0; round < 8; ++round) {
    const auto who = connect();
    for (std::uint64_t count = below(12); count > 0; --count) send(who);
    settle();
    for (std::uint64_t count = 1 + below(3); count > 0; --count) {
      work();
      if (HasFatalFailure()) return;
      // Some of those in doubt from before are finished now.
      for (const auto& [number, branch] : branches_) {
        if (branch.prepared == kNoTicket || branch.ended != kNoTicket || !one_in(4)) continue;
        finish(number);
        if (HasFatalFailure()) return;
      }
    }
    crash();
    check();
    if (HasFatalFailure()) return;
  }
  for (auto& [number, branch] : branches_) finish(number);
  settle();
  crash();
  check();
  EXPECT_TRUE(branches_.empty());
  for (const char* queue : {"q0", "q1"}) {
    for (int again = 0; again < 3; ++again) {
      const auto who = connect();
      Sub sub;
      sub.name = queue;
      const auto subscription = subscribe(who, sub);
      for (const auto& delivery : settle()) ack(subscription, delivery);
      settle();
      engine_->disconnect(who.id, now_);
    }
  }
  settle();
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
  restart(store_->submitted());
  for (const auto& view : engine_->destinations("", 100)) EXPECT_EQ(view.depth, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, EngineXaRandomTest, ::testing::Range(1, 101));

}  // namespace
}  // namespace pabal::core
