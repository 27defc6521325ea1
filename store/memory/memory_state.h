#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store.h"
#include "store/delivery_count.h"

namespace pabal::store {

/// What a store contains: lists, their entries and readers, attachments. The plain meaning of
/// core::StoreOp, without tickets or durability. A value; thread: its owner's.
class MemoryState {
 public:
  /// Applies one batch. Operations on what does not exist (any more) change nothing.
  void apply(std::span<const core::StoreOp> ops);
  /// As if every reader of `list` had acknowledged the entry.
  void release_entry(core::ListId list, std::uint8_t priority, std::uint64_t sequence);

  [[nodiscard]] core::Page read(const core::PageRequest& request) const;
  [[nodiscard]] core::RecoveredState recovered() const;
  /// Flat bytes of the messages that somebody still needs, each counted once.
  [[nodiscard]] std::uint64_t bytes_live() const noexcept { return bytes_live_; }

 private:
  struct PendingReader {
    core::ReaderId reader{};
    DeliveryCounts counts = 0;
  };
  struct Entry {
    core::MessageRef message;
    std::vector<PendingReader> readers;  ///< that still need it; never empty
  };
  struct Lane {  ///< one priority of a list
    std::uint64_t next = 1;
    std::uint64_t touched_to = 0;
    std::map<std::uint64_t, Entry> entries;
  };
  struct List {
    core::ListDescription description;
    std::map<core::ReaderId, core::ReaderDescription> readers;
    std::map<std::uint8_t, Lane> lanes;
  };

  void apply_add(const core::StoreOp& op, const core::MessageRef& message);
  void acknowledge(const core::StoreOp& op);
  void count_deliveries(const core::StoreOp& op);
  void touch(const core::StoreOp& op);
  void create_list(const core::ListDescription& description);
  void delete_list(core::ListId list);
  void create_reader(const core::ReaderDescription& description);
  void delete_reader(core::ListId list, core::ReaderId reader);

  using EntryIterator = std::map<std::uint64_t, Entry>::iterator;
  /// Takes `reader` off the entry, erases it when it was the last; the entry behind it.
  EntryIterator drop(Lane& lane, EntryIterator entry, core::ReaderId reader);
  EntryIterator erase(Lane& lane, EntryIterator entry);

  std::map<core::ListId, List> lists_;
  std::map<std::string, std::string> attachments_;
  /// In how many lists a message is. Keyed by address, for look-up only: no order of it is seen.
  std::unordered_map<const core::Message*, std::uint32_t> references_;
  core::ListId last_list_{};
  core::ReaderId last_reader_{};
  std::uint64_t bytes_live_ = 0;
};

}  // namespace pabal::store
