#include "server/cli/bench/run.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <sys/resource.h>
#include <thread>

#include "server/cli/bench/login.h"
#include "server/cli/bench/worker.h"

namespace pabal::cli::bench {
namespace {

using std::chrono::milliseconds;

std::atomic<bool> interrupted{false};
std::atomic<bool> enough{false};

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The run as the main thread sees it.
class Run {
 public:
  Run(const Scenario& scenario, const std::function<void(const RunProgress&)>& progress)
      : scenario_(scenario), shared_(scenario), progress_(progress) {}

  Outcome<RunResult> go();

 private:
  Outcome<void> connect();
  void sample();
  void supervise();
  void finish();
  void wake_all() {
    for (Worker& worker : workers_) worker.wake();
  }
  void add_up();

  const Scenario& scenario_;
  Shared shared_;
  const std::function<void(const RunProgress&)>& progress_;
  std::deque<Worker> workers_;
  RunResult result_;
  std::uint64_t last_change_ = 0;
  std::uint64_t last_sum_ = 0;
};

Outcome<void> Run::connect() {
  for (unsigned i = 0; i < scenario_.threads; ++i) workers_.emplace_back(shared_);
  const unsigned all = scenario_.consumers + scenario_.producers;
  for (unsigned i = 0; i < all; ++i) {
    const bool consumer = i < scenario_.consumers;
    const unsigned index = consumer ? i : i - scenario_.consumers;
    auto peer = log_in(scenario_, consumer ? Role::consumer : Role::producer, index);
    if (!peer) return peer.error();
    result_.broker = peer->broker;
    Worker& worker = workers_[i % scenario_.threads];
    if (consumer) {
      worker.add_consumer(std::move(*peer));
    } else {
      worker.add_producer(std::move(*peer), index);
    }
  }
  return {};
}

void Run::sample() {
  if (scenario_.broker_pid == 0) return;
  const ProcessUsage usage = measure_processes(scenario_.broker_pid);
  result_.resident_end = usage.resident_bytes;
  result_.resident_peak = std::max(result_.resident_peak, usage.resident_bytes);
}

void Run::supervise() {
  std::uint64_t next_line = now_ns() + 1'000'000'000;
  last_change_ = now_ns();
  while (!shared_.complete() && shared_.phase != Phase::aborted) {
    {
      std::unique_lock<std::mutex> lock(shared_.mutex);
      if (shared_.complete() || shared_.phase == Phase::aborted) break;
      shared_.changed.wait_for(lock, milliseconds(100));
    }
    sample();
    const std::uint64_t now = now_ns();
    const std::uint64_t sum =
        shared_.sent + shared_.confirmed + shared_.delivered + shared_.subscribed;
    if (sum != last_sum_) last_change_ = now;
    last_sum_ = sum;
    if (enough) shared_.enough = true;
    if (interrupted) {
      shared_.fail("interrupted");
    } else if (static_cast<double>(now - last_change_) > scenario_.timeout_seconds * 1e9) {
      shared_.fail("no progress for " + std::to_string(int(scenario_.timeout_seconds)) + " s");
    }
    if (progress_ && now >= next_line && shared_.start != 0) {
      next_line += 1'000'000'000;
      progress_({static_cast<double>(now - shared_.start) / 1e9, shared_.sent, shared_.confirmed,
                 shared_.delivered, result_.resident_end});
    }
  }
}

void Run::finish() {
  // A moment for a message that comes twice.
  if (shared_.phase != Phase::aborted && scenario_.consumers > 0) {
    std::this_thread::sleep_for(milliseconds(100));
  }
  Phase running = Phase::running;
  shared_.phase.compare_exchange_strong(running, Phase::finishing);
  wake_all();
  const std::uint64_t patience = now_ns() + 10'000'000'000;
  while (shared_.phase != Phase::aborted &&
         shared_.closed != scenario_.producers + scenario_.consumers) {
    if (now_ns() > patience) shared_.fail("the broker does not answer to goodbye");
    std::this_thread::sleep_for(milliseconds(1));
  }
  wake_all();
}

void Run::add_up() {
  std::uint64_t last_receipt = 0;
  std::uint64_t last_arrival = 0;
  std::vector<std::uint64_t> sent_to(scenario_.destinations.size());
  for (const Worker& worker : workers_) {
    for (const auto& producer : worker.producers()) {
      result_.sent += producer->sent();
      result_.unconfirmed += producer->unconfirmed();
      last_receipt = std::max(last_receipt, producer->last_receipt());
      for (std::size_t i = 0; i < sent_to.size(); ++i) sent_to[i] += producer->sent_to(i);
    }
    for (const auto& consumer : worker.consumers()) {
      result_.findings += consumer->findings();
      result_.latencies.merge(consumer->latencies());
      last_arrival = std::max(last_arrival, consumer->last_arrival());
    }
  }
  Arrivals queues;
  for (unsigned i = 0; i < workers_.size(); ++i) {
    const Worker& worker = workers_[i];
    for (std::size_t j = 0; j < worker.arrivals().size(); ++j) {
      const Arrivals& arrivals = worker.arrivals()[j];
      if (scenario_.topic) {
        // Consumers were dealt to the workers in turn.
        const std::size_t consumer = j * scenario_.threads + i;
        const std::uint64_t due =
            scenario_.producers > 0 ? sent_to[consumer % sent_to.size()] : scenario_.count;
        result_.expected += due;
        result_.delivered += arrivals.count();
        result_.missing += due - std::min(due, arrivals.count());
      } else {
        result_.findings.duplicates += queues.merge(arrivals);
      }
    }
  }
  if (!scenario_.topic && scenario_.consumers > 0) {
    result_.expected = scenario_.producers > 0 ? result_.sent : scenario_.count;
    result_.delivered = queues.count();
    result_.missing = std::max(result_.expected - std::min(result_.expected, queues.count()),
                               scenario_.producers == 0 ? queues.holes() : 0);
  }
  result_.confirmed = shared_.confirmed;
  const auto since_start = [&](std::uint64_t end) {
    return end > shared_.start ? static_cast<double>(end - shared_.start) / 1e9 : 0;
  };
  result_.send_seconds = since_start(last_receipt);
  result_.seconds = since_start(scenario_.consumers > 0 ? last_arrival : last_receipt);
}

Outcome<RunResult> Run::go() {
  if (auto connected = connect(); !connected) return connected.error();
  const ProcessUsage before =
      scenario_.broker_pid == 0 ? ProcessUsage() : measure_processes(scenario_.broker_pid);
  if (scenario_.broker_pid != 0 && before.processes == 0) {
    return Failure{ExitCode::usage,
                   "--broker-pid: there is no process " + std::to_string(scenario_.broker_pid)};
  }
  result_.resident_start = before.resident_bytes;
  const double own_before = own_cpu_seconds();
  if (scenario_.producers == 0) {
    shared_.start = now_ns();
    shared_.expected = scenario_.count * scenario_.copies();
  }
  std::vector<std::thread> threads;
  for (Worker& worker : workers_) {
    threads.emplace_back([this, &worker] { worker.run([this] { wake_all(); }); });
  }
  interrupted = enough = false;
  const auto old_handler = std::signal(SIGINT, [](int) { interrupted = true; });
  const auto old_end = std::signal(SIGTERM, [](int) { enough = true; });
  supervise();
  finish();
  for (std::thread& thread : threads) thread.join();
  std::signal(SIGINT, old_handler);
  std::signal(SIGTERM, old_end);
  sample();
  if (scenario_.broker_pid != 0) {
    const ProcessUsage after = measure_processes(scenario_.broker_pid);
    result_.broker_measured = true;
    result_.broker_cpu_seconds = after.cpu_seconds - before.cpu_seconds;
  }
  result_.generator_cpu_seconds = own_cpu_seconds() - own_before;
  {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    result_.failure = shared_.failure;
  }
  add_up();
  return std::move(result_);
}

}  // namespace

bool RunResult::good() const noexcept {
  return failure.empty() && missing == 0 && unconfirmed == 0 && findings.duplicates == 0 &&
         findings.reordered == 0 && findings.damaged == 0 && idle.served == idle.wanted;
}

double RunResult::rate() const noexcept {
  const std::uint64_t messages = expected > 0 ? delivered : sent;
  return seconds > 0 ? static_cast<double>(messages) / seconds : 0;
}

Outcome<RunResult> run(const Scenario& scenario,
                       const std::function<void(const RunProgress&)>& progress) {
  IdleClients idle(scenario);
  IdleResult came;
  if (scenario.idle > 0) {
    auto outcome = idle.come();
    if (!outcome) return outcome.error();
    came = *outcome;
  }
  Scenario online = scenario;
  if (scenario.offline) {
    for (unsigned i = 0; i < scenario.consumers; ++i) {
      if (auto gone = subscribe_and_go(scenario, i); !gone) return gone.error();
    }
    online.consumers = 0;
  }
  RunResult result;
  if (online.producers + online.consumers > 0) {
    auto outcome = Run(online, progress).go();
    if (!outcome) return outcome.error();
    result = std::move(*outcome);
  }
  result.idle = came;
  return result;
}

}  // namespace pabal::cli::bench
