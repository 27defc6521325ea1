#pragma once

#include <string>
#include <vector>

#include "server/cli/bench/connection.h"

namespace pabal::cli::bench {

/// Sends. Prepares a ring of units (a message, or a whole transaction), all equally long, and then
/// only patches sequence, time and the unit's number in place and writes many units with one call:
/// no byte of a body is copied before the kernel does it.
class Producer final : public Connection {
 public:
  Producer(LoggedIn peer, Shared& shared, unsigned index);

  bool turn() override;
  std::uint64_t next_timer() const override;

  /// Messages that went to destination number `destination` of the scenario. After the run.
  std::uint64_t sent_to(std::size_t destination) const;
  std::uint64_t sent() const noexcept { return written_units() * unit_; }
  std::uint64_t unconfirmed() const noexcept {
    return window_ == 0 ? 0 : (written_units() - receipts_) * unit_;
  }
  /// When the last confirmation came, or the answer to bye; ns of the monotonic clock.
  std::uint64_t last_receipt() const noexcept { return last_receipt_; }

 private:
  void on_event(const Event& event) override;
  void on_finished() override;
  void prepare();
  void publish();
  void patch(std::uint64_t time);
  void fill(std::uint64_t now);
  /// Neither the window nor the limit of messages on their way is in the way of another unit.
  [[nodiscard]] bool may_send() const noexcept;
  void write();
  /// When unit number `unit` should go out.
  std::uint64_t due(std::uint64_t unit) const noexcept;
  std::uint64_t written_units() const noexcept { return tail_ / stride_; }

  const unsigned index_;
  const unsigned unit_;                   ///< messages per unit
  const unsigned window_;                 ///< unanswered units; 0: no limit
  const std::uint64_t on_their_way_max_;  ///< messages sent and not received; 0: no limit
  const std::uint64_t copies_;            ///< of each, that are received
  std::uint64_t units_max_;
  std::uint64_t deadline_ = 0;  ///< ns; 0: a count decides
  const double nanoseconds_per_message_;

  std::vector<std::string> destinations_;
  std::string ring_;
  std::size_t stride_ = 1;  ///< bytes of one unit
  std::size_t slots_ = 1;
  std::vector<std::size_t> bodies_;  ///< where they are in a unit

  bool first_turn_ = true;
  std::uint64_t filled_ = 0;    ///< ns; when units were last patched
  std::uint64_t units_ = 0;     ///< patched so far
  std::uint64_t tail_ = 0;      ///< bytes of the endless stream of units written so far
  std::uint64_t receipts_ = 0;  ///< units answered
  std::uint64_t reported_ = 0;  ///< units told to shared_.sent
  std::uint64_t confirmed_ = 0;
  std::uint64_t last_receipt_ = 0;
};

}  // namespace pabal::cli::bench
