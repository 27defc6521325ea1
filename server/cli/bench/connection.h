#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "server/cli/bench/scenario.h"
#include "server/cli/frame_scanner.h"

namespace pabal::cli::bench {

enum class Phase : std::uint8_t {
  subscribing,  ///< until every SUBSCRIBE is answered
  running,
  finishing,  ///< consumers say DISCONNECT and wait for the receipt
  aborted,
};

/// What the threads of one run share. Counters are added to once per turn of a loop, not per
/// message.
struct Shared {
  explicit Shared(const Scenario& what) : scenario(what) {}

  const Scenario& scenario;
  std::atomic<Phase> phase{Phase::subscribing};
  std::atomic<std::uint64_t> start{0};      ///< ns of the monotonic clock; set before `running`
  std::atomic<std::uint64_t> sent{0};       ///< messages handed to the kernel
  std::atomic<std::uint64_t> confirmed{0};  ///< messages whose receipt (or commit's) came
  std::atomic<std::uint64_t> expected{0};   ///< deliveries due, once all producers finished
  std::atomic<std::uint64_t> delivered{0};  ///< first arrivals
  std::atomic<unsigned> subscribed{0};
  std::atomic<unsigned> producers_finished{0};
  std::atomic<unsigned> closed{0};  ///< connections after their DISCONNECT
  std::atomic<bool> enough{false};  ///< producers send no more, as after their duration

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

/// One non-blocking socket of a worker, driven by turns: each reads once, parses, and writes what
/// may be written. Home: the worker's thread.
class Connection {
 public:
  /// Takes over the socket.
  Connection(int socket, Shared& shared);
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
  /// Calls on_frame for each whole frame that was read.
  void scan();
  virtual void on_frame(const FrameView& frame) = 0;
  /// Writes from `first`, then `second`. Answers the bytes written; clears writable_ when full.
  std::size_t write_some(std::string_view first, std::string_view second = {});
  /// Ends this connection well.
  void finish();
  /// The broker answered DISCONNECT.
  virtual void on_finished() = 0;

  Shared& shared_;
  bool readable_ = true;
  bool writable_ = true;
  bool done_ = false;
  bool leaving_ = false;  ///< DISCONNECT was sent: the broker may close

 private:
  int socket_;
  FrameScanner scanner_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

inline constexpr std::string_view kByeReceipt = "bye";
/// With its NUL.
inline constexpr std::string_view kByeFrame{"DISCONNECT\nreceipt:bye\n\n",
                                            sizeof "DISCONNECT\nreceipt:bye\n\n"};

}  // namespace pabal::cli::bench
