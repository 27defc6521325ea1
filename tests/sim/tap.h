#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "core/store.h"
#include "core/xa.h"
#include "tests/sim/model.h"

namespace pabal::sim {

/// Stands between engine and store: remembers what was recovered, so that the judge can see it too,
/// and makes a number of all that the engine appends.
class Tap final : public core::Store {
 public:
  Tap(core::Store& store, bool verbose) : store_(store), verbose_(verbose) {
    state_ = store_.recovered();
    for (const auto& list : state_.lists) {
      if (core::is_schedule_list(list.description.destination.name)) {
        schedule_lists_.insert(list.description.id);
      }
      if (list.description.destination.kind == core::DestinationKind::queue) {
        queues_[list.description.id] = list.description.destination;
      }
    }
  }
  [[nodiscard]] const core::RecoveredState& state() const { return state_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

  core::RecoveredState recovered() override { return state_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept override { return store_.epoch(); }
  core::Admission admit(std::uint64_t bytes, core::Purpose purpose) override {
    return store_.admit(bytes, purpose);
  }
  void release(std::uint64_t bytes) override { store_.release(bytes); }
  [[nodiscard]] std::string refusal() const override { return store_.refusal(); }
  core::Ticket append(std::span<core::StoreOp> ops) override;
  bool cancel(core::Ticket ticket, core::ListId list) override;
  core::Pushed push(core::Ticket wanted, core::Writer writer, core::Ticket overdue) override {
    return store_.push(wanted, writer, overdue);
  }
  [[nodiscard]] core::Ticket submitted() const noexcept override { return store_.submitted(); }
  [[nodiscard]] core::Ticket durable() const noexcept override { return store_.durable(); }
  void read(const core::PageRequest& request) override;
  /// What was done to jobs of the scheduler since the last call.
  std::vector<JobBatch> take_job_batches() { return std::exchange(job_batches_, {}); }
  /// Of XA branches: whose ends were appended since the last call, and the tickets of these.
  std::vector<std::pair<core::Xid, core::Ticket>> take_branch_ends() {
    return std::exchange(branch_ends_, {});
  }
  /// What was done to queues since the last call.
  std::vector<QueueBatch> take_queue_batches() { return std::exchange(queue_batches_, {}); }
  /// A message that was recovered there.
  void know(core::ListId list, std::uint8_t priority, std::uint64_t sequence,
            core::MessageRef message) {
    stored_[{list, priority, sequence}] = std::move(message);
  }
  [[nodiscard]] core::StoreStatus status() const override { return store_.status(); }

 private:
  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001B3ULL; }

  using StoredPlace = std::tuple<core::ListId, std::uint8_t, std::uint64_t>;
  void look_at_queues(const core::StoreOp& op, const core::MessageRef& message, QueueBatch& batch,
                      std::vector<StoredPlace>& placed);
  void look_at_job(const core::StoreOp& op, JobBatch& batch);
  static std::optional<core::Xid> branch_ended_by(const core::StoreOp& op);

  core::Store& store_;
  std::vector<std::pair<core::Xid, core::Ticket>> branch_ends_;
  std::vector<JobBatch> job_batches_;
  std::vector<QueueBatch> queue_batches_;
  std::map<core::ListId, core::Destination> queues_;
  std::map<StoredPlace, core::MessageRef> stored_;
  std::map<core::Ticket, std::vector<StoredPlace>> plain_;  ///< sends of one message
  std::set<core::ListId> schedule_lists_;
  bool verbose_;
  core::RecoveredState state_;
  std::uint64_t hash_ = 0xCBF29CE484222325ULL;
};

}  // namespace pabal::sim
