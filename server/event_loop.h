#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "core/engine.h"
#include "server/clock.h"
#include "server/connection.h"
#include "server/endpoint.h"
#include "server/engine_gate.h"
#include "server/idle_share.h"
#include "server/logger.h"
#include "server/output_queue.h"

namespace pabal::server {

/// Counters of one loop for the management thread.
struct LoopCounters {
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> bytes_out{0};
  std::atomic<std::uint64_t> turns{0};
};

/// One event loop on one thread, home of the connections that it was given. It works in turns:
///
///   wait      for sockets, timers, wake-ups; every readable socket is read once, into the loop's
///             one buffer, and decoded                                   Connection::on_readable
///   release   held replies that the store has made durable               release_durable
///   enter     the engine, once for all connections: what was written,
///             decoded commands, those that leave                         enter_engine
///   encode    outcomes, then deliveries, late replies, orders            encode_effects
///   write     what each connection has, one call each                    flush_touched
///   … and again while writing made deliveries count as written, a few times at most
///   rearm     ask the sockets that were touched for more
///
/// Threads: construct, start, post, wake, drain, stop: any; all else on the loop's own.
class EventLoop {
 public:
  struct Options {
    std::size_t read_buffer_bytes = 256 * 1024;
    bool ticks = false;  ///< this loop calls Engine::tick; one of them does
  };
  EventLoop(core::HomeId home, EngineGate& gate, Logger& logger, const Options& options);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void start();
  /// Ends the thread. Connections still there are dropped without the engine being told.
  void stop();
  /// Says farewell to every connection and lets its held replies out; ready when none is left, or
  /// after `patience`.
  std::future<void> drain(std::string farewell, core::milliseconds patience);

  boost::asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] core::HomeId home() const noexcept { return home_; }
  [[nodiscard]] const LoopCounters& counters() const noexcept { return counters_; }
  /// Ends the loop's sleep if it sleeps.
  void wake();

  /// A new connection. On the loop.
  void adopt(Endpoint& endpoint, std::unique_ptr<Transport> transport, std::string remote);

  // --- for connections, on the loop --------------------------------------------------------------

  [[nodiscard]] std::span<char> read_buffer() noexcept { return read_buffer_; }
  /// The time of the turn; of its wake-up while it is told of sockets, however long it was away.
  [[nodiscard]] SteadyTime now() noexcept {
    if (std::exchange(away_, false)) now_ = steady_now();
    return now_;
  }
  BufferPool& buffers() noexcept { return buffers_; }
  Logger& logger() noexcept { return logger_; }
  [[nodiscard]] const core::Ticket& durable() const noexcept { return durable_; }
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  LoopCounters& counters() noexcept { return counters_; }

  /// It may have something to write, or want to read again.
  void touch(Connection& connection);
  /// It has commands for the engine.
  void commands_decoded(Connection& connection);
  /// It is gone, as far as the engine is concerned.
  void leave(Connection& connection);
  /// Some of its output waits for the store.
  void watch_durable(Connection& connection, core::Ticket until);
  void written(core::ConnectionId connection, std::uint64_t number) {
    written_.push_back({connection, number});
  }
  void bind(core::ConnectionId id, Connection& connection);
  void unbind(core::ConnectionId id);
  /// Connection::timer_at() has changed.
  void schedule(Connection& connection, SteadyTime at);
  /// It was closed; it will be destroyed after the turn.
  void forget(Connection& connection);

 private:
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>,
                                        boost::asio::io_context::executor_type>;
  struct WrittenReport {
    core::ConnectionId connection;
    std::uint64_t number;
  };
  struct Deadline {
    SteadyTime at;
    std::uint64_t serial;
    friend bool operator<(const Deadline& a, const Deadline& b) noexcept { return a.at > b.at; }
  };

  void run();
  void turn();
  void wait();
  void push();
  void push_again_for(const core::Pushed& pushed);
  void release_durable();
  void fire_timers();
  [[nodiscard]] bool must_enter();
  [[nodiscard]] bool tick_due() const;
  [[nodiscard]] SteadyTime next_planned() const;
  void enter_engine();
  void run_entry(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void encode_effects();
  void flush_touched();
  void rearm_touched();
  void reap();
  void arm_timer();
  void begin_drain(const std::string& farewell, core::milliseconds patience);
  void check_drained();
  Connection* find(core::ConnectionId id);

  const core::HomeId home_;
  EngineGate& gate_;
  Logger& logger_;
  const Options options_;
  std::vector<char> read_buffer_;
  BufferPool buffers_;
  LoopCounters counters_;
  // Its destructor drops the handlers that are left, and connections with them, which give their
  // buffers back; so it stands behind those. One thread runs it; others only post.
  boost::asio::io_context context_{1};

  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;  // by serial
  std::unordered_map<std::uint64_t, Connection*> by_engine_id_;
  Connection* last_found_ = nullptr;
  std::uint64_t next_serial_ = 1;

  // What the next entry takes along, and whom the turn has to do with.
  std::vector<Connection*> dirty_;
  std::vector<Connection*> leaving_;
  std::vector<WrittenReport> written_;
  std::vector<Connection*> touched_;
  std::vector<Connection*> holding_;
  core::Ticket wanted_ = core::kNoTicket;  // the highest that any of them waits for, or waited
  int lone_pushes_ = 0;                    // with one connection in holding_, in a row
  IdleShare idle_;
  core::Ticket held_ = core::kNoTicket;     // up to here the store holds back what is passing
  core::Ticket overdue_ = core::kNoTicket;  // … and has done so long enough
  std::vector<Connection*> encoding_;       // were applied in the last entry
  std::vector<Connection*> departed_;       // the engine was told in the last entry
  std::vector<std::shared_ptr<Connection>> retired_;
  core::Outbox outbox_;
  core::Ticket durable_{};
  bool engine_has_more_ = false;
  bool stopped_ = false;

  SteadyTime now_{};
  bool away_ = false;  // asleep, or writing for the store, since now_ was taken
  SteadyTime next_tick_{};
  std::vector<Deadline> deadlines_;  // a heap, the earliest on top; stale entries are skipped
  Timer timer_;
  Timer held_timer_;  // armed while held_ is not kNoTicket
  std::optional<SteadyTime> timer_armed_;

  bool draining_ = false;
  std::optional<std::promise<void>> drained_;
  SteadyTime drain_deadline_{};
  std::thread thread_;
};

}  // namespace pabal::server
