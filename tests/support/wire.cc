#include "tests/support/wire.h"

#include <utility>

namespace pabal::tests {

void Wire::hold(core::Ticket until, std::string_view bytes, bool barrier) {
  if (!behind_.empty()) pieces_.push_back({core::kNoTicket, std::exchange(behind_, {}), false});
  pieces_.push_back({until, std::string(bytes), barrier});
  barrier_ = barrier_ || barrier;
  release();
}

void Wire::release() {
  std::size_t done = 0;
  while (done < pieces_.size() && pieces_[done].until <= store_.durable()) {
    written_ += pieces_[done++].bytes;
  }
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(done));
  barrier_ = false;
  for (const Piece& piece : pieces_) barrier_ = barrier_ || piece.barrier;
  if (!barrier_) {
    // Pieces in front wait for the store; what came behind a barrier has had its turn.
    written_ += std::exchange(behind_, {});
  }
}

}  // namespace pabal::tests
