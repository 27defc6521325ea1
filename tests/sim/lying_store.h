#pragma once

#include <set>

#include "core/store.h"
#include "tests/sim/sabotage.h"

namespace pabal::sim {

/// Hands everything on to a real store, but for one lie.
class LyingStore final : public core::Store {
 public:
  LyingStore(core::Store& store, Sabotage sabotage) : store_(store), sabotage_(sabotage) {}

  core::RecoveredState recovered() override;
  [[nodiscard]] std::uint64_t epoch() const noexcept override { return store_.epoch(); }
  core::Admission admit(std::uint64_t bytes, core::Purpose purpose) override {
    return store_.admit(bytes, purpose);
  }
  void release(std::uint64_t bytes) override { store_.release(bytes); }
  [[nodiscard]] std::string refusal() const override { return store_.refusal(); }
  core::Ticket append(std::span<core::StoreOp> ops) override;
  bool cancel(core::Ticket ticket, core::ListId list) override {
    return store_.cancel(ticket, list);
  }
  core::Pushed push(core::Ticket wanted, core::Writer writer, core::Ticket overdue) override {
    return store_.push(wanted, writer, overdue);
  }
  [[nodiscard]] core::Ticket submitted() const noexcept override { return store_.submitted(); }
  [[nodiscard]] core::Ticket durable() const noexcept override {
    return sabotage_ == Sabotage::lose_early ? store_.submitted() : store_.durable();
  }
  void read(const core::PageRequest& request) override;
  [[nodiscard]] core::StoreStatus status() const override { return store_.status(); }

 private:
  [[nodiscard]] bool drops(const core::StoreOp& op);
  void lie_about_moved(std::span<core::StoreOp> ops);

  core::Store& store_;
  const Sabotage sabotage_;
  std::uint64_t seen_ = 0;
  std::set<core::ListId> schedule_lists_;
  std::set<core::ListId> moved_lists_;
  std::set<core::ListId> spill_lists_;  ///< of topics
  std::set<core::ListId> queues_;
};

}  // namespace pabal::sim
