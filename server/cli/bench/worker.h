#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "server/cli/bench/consumer.h"
#include "server/cli/bench/producer.h"

namespace pabal::cli::bench {

/// One thread's share of the connections and the loop that drives them: edge-triggered epoll, a
/// timer for the rate, an eventfd for changes of phase. Everything but wake() is touched by one
/// thread at a time: the one that sets it up, then run()'s, then, after a join, the first again.
class Worker {
 public:
  explicit Worker(Shared& shared);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// Take over connections.
  void add_producer(LoggedIn peer, unsigned index);
  void add_consumer(LoggedIn peer);

  /// Drives the connections until all are done or the run is aborted. `wake_all` is called when
  /// this worker starts the run proper.
  template <class WakeAll>
  void run(WakeAll wake_all);

  /// Makes run() look at the phase. Any thread.
  void wake() noexcept;

  const std::vector<std::unique_ptr<Producer>>& producers() const noexcept { return producers_; }
  const std::vector<std::unique_ptr<Consumer>>& consumers() const noexcept { return consumers_; }
  /// What arrived in the queues, or at each consumer of a topic (numbered as consumers()).
  const std::deque<Arrivals>& arrivals() const noexcept { return arrivals_; }

 private:
  void watch(Connection& connection);
  /// One turn for each connection that can use one. False: all are done.
  bool turns();
  /// Starts the run proper once everybody has subscribed. True: it was this call.
  bool start_when_subscribed();
  void wait();

  Shared& shared_;
  int epoll_;
  int timer_;
  int event_;
  bool busy_ = true;  ///< somebody has more to do without waiting
  std::uint64_t armed_ = 0;
  Streams streams_;
  std::deque<Arrivals> arrivals_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<Connection*> connections_;
};

template <class WakeAll>
void Worker::run(WakeAll wake_all) {
  while (turns() && shared_.phase != Phase::aborted) {
    if (start_when_subscribed()) wake_all();
    wait();
  }
}

}  // namespace pabal::cli::bench
