#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace pabal::tests {

/// What the loopback broker does wrong, or in another manner than usual.
struct LoopbackOptions {
  bool content_length = true;      ///< on MESSAGE
  bool shuffle_headers = false;    ///< ack and content-length in other places
  std::uint64_t lose_every = 0;    ///< swallow every n-th message sent
  std::uint64_t double_every = 0;  ///< deliver every n-th twice
  std::uint64_t swap_at = 0;       ///< deliver the n-th after the one behind it
  std::uint64_t damage_every = 0;  ///< change a byte of every n-th
  std::uint64_t error_after = 0;   ///< ERROR instead of taking the n-th
  bool no_receipts = false;        ///< for SEND
};

/// The least that a client can take for a STOMP broker: one queue in memory for each destination,
/// dealt to its subscribers in turn (a name with /topic/ in it: to all). One thread, an ephemeral
/// port on the loopback. For tests of clients, including clients that look for its mistakes.
class LoopbackBroker {
 public:
  explicit LoopbackBroker(LoopbackOptions options = {});
  ~LoopbackBroker();

  std::string url() const { return "stomp://127.0.0.1:" + std::to_string(port_); }
  std::uint16_t port() const noexcept { return port_; }
  /// Messages acknowledged: by ACK, or handed to an auto subscriber.
  std::uint64_t acknowledged() const noexcept { return acknowledged_; }
  std::uint64_t nacked() const noexcept { return nacked_; }
  std::uint64_t committed() const noexcept { return committed_; }

 private:
  friend struct LoopbackLoop;

  LoopbackOptions options_;
  int listener_;
  int stop_;
  std::uint16_t port_ = 0;
  std::atomic<std::uint64_t> acknowledged_{0};
  std::atomic<std::uint64_t> nacked_{0};
  std::atomic<std::uint64_t> committed_{0};
  std::thread thread_;
};

}  // namespace pabal::tests
