#include "server/cli/bench/worker.h"

#include <algorithm>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <utility>

namespace pabal::cli::bench {

Worker::Worker(Shared& shared)
    : shared_(shared),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      streams_(shared.scenario.run) {
  PABAL_CHECK(epoll_ >= 0 && timer_ >= 0 && event_ >= 0, "no file descriptor left for a loop");
  for (const int special : {timer_, event_}) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;  // a new arming or wake-up is a new edge: never read
    event.data.ptr = nullptr;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, special, &event);
  }
  if (!shared.scenario.topic) arrivals_.emplace_back();
}

Worker::~Worker() {
  ::close(event_);
  ::close(timer_);
  ::close(epoll_);
}

void Worker::watch(Connection& connection) {
  connections_.push_back(&connection);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket(), &event);
}

void Worker::add_producer(LoggedIn peer, unsigned index) {
  watch(*producers_.emplace_back(std::make_unique<Producer>(std::move(peer), shared_, index)));
}

void Worker::add_consumer(LoggedIn peer) {
  if (shared_.scenario.topic) arrivals_.emplace_back();
  watch(*consumers_.emplace_back(
      std::make_unique<Consumer>(std::move(peer), shared_, arrivals_.back(), streams_)));
}

void Worker::wake() noexcept {
  ::eventfd_write(event_, 1);
}

bool Worker::turns() {
  busy_ = false;
  bool all_done = true;
  const bool was_complete = shared_.complete();
  for (Connection* const connection : connections_) {
    if (connection->done()) continue;
    busy_ |= connection->turn();
    all_done &= connection->done();
  }
  if (!was_complete && shared_.complete()) {
    const std::lock_guard<std::mutex> lock(shared_.mutex);
    shared_.changed.notify_all();
  }
  return !all_done;
}

bool Worker::start_when_subscribed() {
  if (shared_.phase != Phase::subscribing || shared_.subscribed != shared_.scenario.consumers) {
    return false;
  }
  std::uint64_t not_set = 0;  // draining counts from the SUBSCRIBE
  shared_.start.compare_exchange_strong(not_set, now_ns());
  Phase expected = Phase::subscribing;
  const bool started = shared_.phase.compare_exchange_strong(expected, Phase::running);
  if (started) busy_ = true;
  return started;
}

void Worker::wait() {
  std::uint64_t next = 0;
  for (const Connection* const connection : connections_) {
    const std::uint64_t wish = connection->done() ? 0 : connection->next_timer();
    if (wish != 0) next = next == 0 ? wish : std::min(next, wish);
  }
  if (next != armed_ && next != 0) {
    itimerspec when{};
    when.it_value.tv_sec = static_cast<time_t>(next / 1'000'000'000);
    when.it_value.tv_nsec = static_cast<long>(next % 1'000'000'000);
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }
  armed_ = next;
  epoll_event events[64];
  const int count = ::epoll_wait(epoll_, events, 64, busy_ ? 0 : 1000);
  for (int i = 0; i < count; ++i) {
    auto* const connection = static_cast<Connection*>(events[i].data.ptr);
    if (connection == nullptr) continue;
    const std::uint32_t what = events[i].events;
    connection->ready((what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                      (what & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0);
  }
}

}  // namespace pabal::cli::bench
