#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocols/session.h"
#include "store/memory/memory_store.h"

namespace pabal::tests {

/// A client's end of a session: what the server wrote, once the store let it.
class Wire final : public protocols::Output {
 public:
  explicit Wire(const store::MemoryStore& store) : store_(store) {}

  std::string& ready() override { return barrier_ ? behind_ : written_; }
  void hold(core::Ticket until, std::string_view bytes, bool barrier) override;
  void close_after_flush() override { close_requested_ = true; }

  /// Lets go of what the store has made durable.
  void release();
  /// Everything written since the last call.
  std::string take() { return std::exchange(written_, {}); }
  [[nodiscard]] const std::string& written() const noexcept { return written_; }
  [[nodiscard]] bool closed() const noexcept { return close_requested_ && pieces_.empty(); }
  [[nodiscard]] bool holds() const noexcept { return !pieces_.empty(); }

 private:
  struct Piece {
    core::Ticket until{};
    std::string bytes;
    bool barrier = false;
  };
  const store::MemoryStore& store_;
  std::string written_;
  std::string behind_;  ///< waits behind a barrier
  std::vector<Piece> pieces_;
  bool barrier_ = false;
  bool close_requested_ = false;
};

}  // namespace pabal::tests
