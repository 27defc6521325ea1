#pragma once

#include <string>

#include "core/store.h"

namespace pabal::support {

/// Keeps nothing and is durable at once: what remains is the engine's own work.
class NullStore final : public core::Store {
 public:
  core::RecoveredState recovered() override { return {}; }
  [[nodiscard]] std::uint64_t epoch() const noexcept override { return 1; }
  core::Admission admit(std::uint64_t, core::Purpose) override { return core::Admission::granted; }
  void release(std::uint64_t) override {}
  [[nodiscard]] std::string refusal() const override { return {}; }
  core::Ticket append(std::span<core::StoreOp> operations) override {
    for (auto& operation : operations) operation.message.reset();
    return core::Ticket{++last_};
  }
  bool cancel(core::Ticket, core::ListId) override { return true; }
  [[nodiscard]] core::Ticket submitted() const noexcept override { return core::Ticket{last_}; }
  [[nodiscard]] core::Ticket durable() const noexcept override { return core::Ticket{last_}; }
  void read(const core::PageRequest&) override {}
  [[nodiscard]] core::StoreStatus status() const override { return {}; }

 private:
  std::uint64_t last_ = 0;
};

}  // namespace pabal::support
