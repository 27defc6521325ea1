#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/index/memory_key_value.h"
#include "store/journal_core.h"
#include "store/memory/memory_state.h"
#include "store/testing/simulated_file_system.h"
#include "store/tools.h"

namespace pabal::store {

/// A journal store on a simulated disk, driven step by step, beside a model that says what it must
/// hold. Batches become durable in order; after a crash the store must hold exactly the first k of
/// them, with k at least what it had called durable.
class StoreHarness : public core::StoreListener {
 public:
  explicit StoreHarness(std::uint64_t seed);
  ~StoreHarness() override;

  // What may be changed before open().
  JournalStoreOptions options;
  SimulatedFileSystem files;
  MemoryKeyValueFactory memory_index;

  /// Opens the store; the model must agree with what it recovers. False: it would not open (see
  /// `error`), or the disk died meanwhile.
  bool open();
  /// After a crash: the store object goes, nothing of it is written any more.
  void drop();
  /// Opens until it succeeds with a disk that works, then compares.
  void recover();
  void close();

  JournalCore& core() { return *core_; }
  bool running() const { return core_ != nullptr && !core_->failed() && !files.dead(); }

  // The engine's side. Each is one batch.
  core::Ticket submit(std::vector<core::StoreOp> ops);
  void cancel(core::Ticket ticket, core::ListId list);
  core::MessageRef message(std::size_t bytes);
  void create_queue(core::ListId list);
  void create_topic(core::ListId list);
  void create_reader(core::ListId list, core::ReaderId reader);
  core::StoreOp add(core::ListId list, std::uint8_t priority, core::MessageRef message);
  core::StoreOp reference(core::ListId list, std::uint8_t priority);
  static core::StoreOp range(core::StoreOpKind kind, core::ListId list, core::ReaderId reader,
                             std::uint8_t priority, std::uint64_t first, std::uint64_t last);
  core::Ticket send(core::ListId list, std::size_t bytes, std::uint8_t priority = 4);
  core::Ticket acknowledge(core::ListId list, std::uint64_t first, std::uint64_t last,
                           std::uint8_t priority = 4);
  /// One random batch over a few lists.
  void random_batch();
  /// So many random steps.
  void random_steps(int count);
  /// Until nothing is left to do; the index is flushed too if `flush`.
  void settle(bool flush = false);
  /// Waits until there is room for a send of so many bytes, which must follow; false: refused.
  bool make_room(std::uint64_t bytes);

  /// What the store says, as text; everything that counts.
  std::string contents();
  /// contents() after the first `batches` that are not part of the base yet.
  std::string expected(std::size_t batches) const;
  std::uint64_t next(core::ListId list, std::uint8_t priority = 4) {
    return next_[{core::raw(list), priority}];
  }

  std::string error;
  std::vector<std::string> failures;  ///< what failed() said
  int space_changes = 0;
  std::mt19937_64 random;

  // core::StoreListener
  void durable_advanced() noexcept override {}
  void page_loaded(core::Page page) noexcept override { pages_[page.request] = std::move(page); }
  void space_changed() noexcept override { ++space_changes; }
  void failed(core::Error failure) noexcept override { failures.push_back(failure.text); }

 private:
  void adopt(const std::string& recovered);
  void forget_durable();
  std::string describe(const core::RecoveredState& state,
                       const std::function<core::Page(const core::PageRequest&)>& read) const;
  core::Page read(core::PageRequest request);
  void random_passing_queue();
  std::uint64_t last_added(core::ListId list, std::uint8_t priority);
  std::uint64_t pick(std::uint64_t bound) { return random() % bound; }

  std::unique_ptr<JournalCore> core_;
  MemoryState base_;  // what is durable for sure
  std::uint64_t base_ticket_ = 0;
  std::deque<std::vector<core::StoreOp>> batches_;  // after the base, in order of tickets
  std::map<std::uint64_t, core::Page> pages_;
  std::uint64_t request_ = 0;
  std::uint64_t messages_ = 0;
  std::map<std::pair<std::uint64_t, std::uint8_t>, std::uint64_t> next_;
  std::map<std::pair<std::uint64_t, std::uint8_t>, std::set<std::uint64_t>> added_;
  std::vector<core::ListId> passing_queues_;
  std::uint64_t readers_made_ = 0;
  std::uint64_t queues_made_ = 0;
};

}  // namespace pabal::store
