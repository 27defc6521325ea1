#pragma once

#include <string>

#include "server/cli/bench/connection.h"
#include "server/cli/bench/histogram.h"
#include "server/cli/bench/verifier.h"

namespace pabal::cli::bench {

/// What one consumer found. Added up after the run.
struct Findings {
  std::uint64_t received = 0;    ///< MESSAGE frames, all of them
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
  Consumer(int socket, Shared& shared, unsigned index, Arrivals& arrivals, Streams& streams);

  bool turn() override;

  const Findings& findings() const noexcept { return findings_; }
  const Histogram& latencies() const noexcept { return latencies_; }
  std::uint64_t last_arrival() const noexcept { return last_arrival_; }  ///< ns; 0: none

 private:
  void on_frame(const FrameView& frame) override;
  void on_finished() override {}
  void verify(std::string_view body);
  void acknowledge(std::string_view ack);

  const std::string reference_;  ///< a body; what follows its columns is the same in all
  Arrivals& arrivals_;
  Streams& streams_;
  OrderCheck order_;
  Findings findings_;
  Histogram latencies_;
  std::string out_;             ///< not written yet: SUBSCRIBE, ACKs, DISCONNECT
  std::string cumulative_ack_;  ///< last ack header of this turn
  std::uint64_t arrived_ = 0;   ///< first arrivals in this turn
  std::uint64_t now_ = 0;       ///< of this turn's read
  std::uint64_t last_arrival_ = 0;
};

}  // namespace pabal::cli::bench
