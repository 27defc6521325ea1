#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/cli/bench/scenario.h"
#include "server/cli/bench/wire.h"

namespace pabal::cli::bench {

enum class Phase : std::uint8_t {
  subscribing,  ///< until every subscription is confirmed
  running,
  finishing,  ///< consumers say bye and wait for the answer
  aborted,
};

/// What the threads of one run share. Counters are added to once per turn of a loop, not per
/// message.
struct Shared {
  explicit Shared(const Scenario& what) : scenario(what), returned(what.producers) {}

  const Scenario& scenario;
  std::atomic<Phase> phase{Phase::subscribing};
  std::atomic<std::uint64_t> start{0};      ///< ns of the monotonic clock; set before `running`
  std::atomic<std::uint64_t> sent{0};       ///< messages handed to the kernel
  std::atomic<std::uint64_t> confirmed{0};  ///< messages that the broker has answered
  std::atomic<std::uint64_t> expected{0};   ///< deliveries due, once all producers finished
  std::atomic<std::uint64_t> delivered{0};  ///< first arrivals
  std::atomic<unsigned> subscribed{0};
  std::atomic<unsigned> producers_finished{0};
  std::atomic<unsigned> closed{0};  ///< connections that said bye
  std::atomic<bool> enough{false};  ///< producers send no more, as after their duration

  /// First arrivals by producer, where a limit of messages on their way makes everything run on one
  /// thread.
  std::vector<std::uint64_t> returned;

  std::mutex mutex;
  std::condition_variable changed;  ///< `complete` or a failure: the main thread looks again
  std::string failure;              ///< the first one; guarded by `mutex`

  /// Everybody sent what he should and everything arrived. Any thread.
  bool complete() const noexcept;
  /// Keeps the first text and aborts the run. Any thread.
  void fail(std::string text);
};

/// Nanoseconds of CLOCK_MONOTONIC, which all processes of the machine share.
std::uint64_t now_ns() noexcept;

/// A connected socket, logged in.
struct LoggedIn {
  int socket = -1;
  std::string broker;  ///< what it calls itself
  std::string rest;    ///< what it has said since
  std::unique_ptr<Wire> wire;
};

/// One non-blocking socket of a worker, driven by turns: each reads once, parses, and writes what
/// may be written. Home: the worker's thread.
class Connection {
 public:
  Connection(LoggedIn peer, Shared& shared);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection();

  int socket() const noexcept { return socket_; }
  /// What epoll, edge-triggered, said.
  void ready(bool readable, bool writable) noexcept {
    readable_ |= readable;
    writable_ |= writable;
  }
  bool done() const noexcept { return done_; }

  /// One turn. True: there is more to do without waiting for the socket.
  virtual bool turn() = 0;
  /// When it wants a turn whatever the socket does, ns of the monotonic clock; 0: never.
  virtual std::uint64_t next_timer() const { return 0; }

 protected:
  /// Reads once, at most a buffer. False: nothing came.
  bool read_some();
  /// Calls on_event for each whole thing that was read.
  void scan();
  virtual void on_event(const Event& event) = 0;
  /// Writes the parts in order. Answers the bytes written; clears writable_ when full.
  std::size_t write_some(std::span<const std::string_view> parts);
  /// Ends this connection well.
  void finish();
  /// The broker answered bye.
  virtual void on_finished() = 0;

  Shared& shared_;
  const std::unique_ptr<Wire> wire_;
  std::string out_;  ///< not written yet: what is not a unit
  bool readable_ = true;
  bool writable_ = true;
  bool done_ = false;
  bool leaving_ = false;  ///< bye was said: the broker may close

 private:
  void resize_buffer(std::size_t size);

  int socket_;
  std::unique_ptr<char[]> buffer_;
  std::size_t size_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace pabal::cli::bench
