#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {
namespace {

// Goal: whatever consumers with and without selectors, browsers, purges, moves and restarts do to
// a queue at the same time, each message goes one way. Method: random steps on a store whose pages
// come late; every body is counted where it leaves, and the sum must be what was sent.
class EngineAdminRandomTest : public EngineFixture {
 protected:
  struct Consumer {
    ConnectionDetails connection;
    SubscriptionId subscription{};
    bool browser = false;
    std::vector<Delivery> out;
  };

  void run_steps(std::uint32_t seed) {
    random_.seed(seed);
    EngineLimits limits;
    limits.list_window_bytes_max = 2000;
    limits.window_bytes_max = 6000;
    limits.steps_per_entry_max = 64;
    open({}, limits);
    sender_ = connect();
    for (int i = 0; i < 600; ++i) {
      step();
      if (HasFailure()) return;
    }
    finish();
  }
  int below(int bound) { return static_cast<int>(random_() % static_cast<unsigned>(bound)); }
  Destination some_queue() { return {DestinationKind::queue, below(2) == 0 ? "q" : "to"}; }

  void step() {
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
        send_some();
        break;
      case 3:
        come();
        break;
      case 4:
        leave();
        break;
      case 5:
      case 6:
        settle_some();
        break;
      case 7:
      case 8:
        start_command();
        break;
      case 9:
        store_->deliver_pages();
        break;
      default:
        engine_->run(now_);
        take_deliveries();
        break;
    }
    collect_ended();
  }
  void send_some() {
    for (int i = below(40); i > 0; --i) {
      Send send;
      send.name = some_queue().name;
      send.body = std::to_string(++sent_);
      send.persistent = below(4) != 0;
      send.priority = static_cast<std::uint8_t>(below(2) == 0 ? 4 : 6);
      send.color = below(3) == 0 ? "red" : "blue";
      publish(sender_, send);
    }
  }
  void come() {
    Consumer consumer;
    consumer.connection = connect();
    SubscribeOptions options;
    options.interests.push_back({some_queue(), "", false});
    if (below(2) == 0) options.interests[0].selector = below(2) ? "color = 'red'" : "color='blue'";
    options.ack_mode = AckMode::explicit_;
    options.prefetch = static_cast<std::uint32_t>(1 + below(20));
    options.browser = consumer.browser = below(4) == 0;
    const auto made = engine_->subscribe(consumer.connection.id, options, now_);
    ASSERT_TRUE(made);
    consumer.subscription = *made;
    consumers_.push_back(std::move(consumer));
  }
  void leave() {
    if (consumers_.empty()) return;
    const auto at = consumers_.begin() + below(static_cast<int>(consumers_.size()));
    engine_->disconnect(at->connection.id, now_);
    consumers_.erase(at);
  }
  void take_deliveries() {
    std::vector<Delivery> taken;
    taken.swap(engine_->outbox(HomeId{}).deliveries);
    for (auto& delivery : taken) {
      for (auto& consumer : consumers_) {
        if (consumer.connection.id != delivery.connection) continue;
        engine_->written(delivery.connection, delivery.number, now_);
        if (delivery.message) consumer.out.push_back(std::move(delivery));
        break;
      }
    }
  }
  void settle_some() {
    for (auto& consumer : consumers_) {
      while (!consumer.out.empty() && below(3) != 0) {
        const Delivery delivery = consumer.out.back();
        consumer.out.pop_back();
        const bool requeue = !consumer.browser && below(5) == 0;
        const auto outcome =
            ack(consumer.subscription, delivery, requeue ? AckKind::requeued : AckKind::consumed);
        ASSERT_EQ(outcome.disposition, Disposition::done);
        if (!requeue && !consumer.browser) ++left_[std::string(delivery.message->body())];
      }
    }
  }
  void start_command() {
    QueueTaskOptions options;
    options.queue = some_queue();
    options.command = below(3) == 0 ? QueueCommand::purge : QueueCommand::move;
    options.to = {DestinationKind::queue, options.queue.name == "q" ? "to" : "q"};
    if (below(2) == 0) options.selector = "color = 'red'";
    options.limit = static_cast<std::uint64_t>(below(50));
    if (const auto made = engine_->start_task(options, now_)) tasks_.push_back(*made);
  }
  void collect_ended() {
    std::erase_if(tasks_, [&](TaskId id) {
      if (!engine_->task(id)->ended() && below(50) != 0) return false;
      const auto view = engine_->take_task(id);
      if (view->command == QueueCommand::purge) purged_ += view->affected;
      return true;
    });
  }
  void finish() {
    for (const TaskId id : tasks_) {
      const auto view = engine_->take_task(id);
      if (view->command == QueueCommand::purge) purged_ += view->affected;
    }
    while (!consumers_.empty()) leave();
    engine_->outbox(HomeId{}).deliveries.clear();
    std::uint64_t depth = 0;
    for (const auto& each : engine_->destinations("", 10)) {
      depth += each.depth;
      EXPECT_EQ(each.in_flight, 0U);
    }
    std::uint64_t drained = 0;
    for (const std::string name : {"q", "to"}) {
      for (const auto& delivery : drain(name)) {
        ++left_[std::string(delivery.message->body())];
        ++drained;
      }
    }
    EXPECT_EQ(drained, depth);
    for (const auto& [body, times] : left_) EXPECT_EQ(times, 1) << body;
    EXPECT_EQ(left_.size() + purged_, static_cast<std::uint64_t>(sent_));
    EXPECT_EQ(store_->status().bytes_live, 0U);
    EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
    EXPECT_EQ(engine_->snapshot().bytes_window, 0U);
  }

  std::mt19937 random_;
  ConnectionDetails sender_;
  std::vector<Consumer> consumers_;
  std::vector<TaskId> tasks_;
  std::map<std::string, int> left_;  ///< acknowledged, by body
  std::uint64_t purged_ = 0;
  int sent_ = 0;
};

TEST_F(EngineAdminRandomTest, EachMessageGoesOneWay) {
  for (std::uint32_t seed = 1; seed <= 120; ++seed) {
    consumers_.clear();
    tasks_.clear();
    left_.clear();
    purged_ = 0;
    sent_ = 0;
    run_steps(seed);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace pabal::core
