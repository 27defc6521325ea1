#pragma once

#include <string>

#include "server/cli/bench/connection.h"
#include "server/cli/bench/histogram.h"
#include "server/cli/bench/verifier.h"

namespace pabal::cli::bench {

/// What one consumer found. Added up after the run.
struct Findings {
  std::uint64_t received = 0;    ///< messages, all of them
  std::uint64_t duplicates = 0;  ///< came before
  std::uint64_t reordered = 0;   ///< after a later one of the same producer and priority
  std::uint64_t damaged = 0;     ///< the body is not what was sent
  std::uint64_t foreign = 0;     ///< left over from another run, or not ours at all

  Findings& operator+=(const Findings& other) noexcept;
};

/// Receives, verifies, acknowledges.
class Consumer final : public Connection {
 public:
  /// `arrivals` and `streams` are the worker's, or this consumer's own where each gets everything.
  Consumer(LoggedIn peer, Shared& shared, Arrivals& arrivals, Streams& streams);

  bool turn() override;

  const Findings& findings() const noexcept { return findings_; }
  const Histogram& latencies() const noexcept { return latencies_; }
  std::uint64_t last_arrival() const noexcept { return last_arrival_; }  ///< ns; 0: none

 private:
  void on_event(const Event& event) override;
  void on_finished() override {}
  void verify(std::string_view body);

  const std::string reference_;  ///< a body; what follows its columns is the same in all
  Arrivals& arrivals_;
  Streams& streams_;
  OrderCheck order_;
  Findings findings_;
  Histogram latencies_;
  bool first_turn_ = true;
  std::uint64_t arrived_ = 0;  ///< first arrivals in this turn
  std::uint64_t now_ = 0;      ///< of this turn's read
  std::uint64_t last_arrival_ = 0;
};

}  // namespace pabal::cli::bench
