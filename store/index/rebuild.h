#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "store/delivery_count.h"
#include "store/journal/format.h"

namespace pabal::store {

/// Sequence ranges (inclusive), gathered in any order.
class RangeSet {
 public:
  void insert(std::uint64_t first, std::uint64_t last);
  void settle();  ///< call before contains() and end_of()
  [[nodiscard]] bool contains(std::uint64_t sequence) const;

 private:
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;
  std::size_t settled_ = 0;
};

/// What the first pass over all that is left of the journal learns: everything but the messages.
/// Facts (this was acknowledged, this was deleted) count wherever they stand, because reclaiming
/// writes them again behind the messages they are about; so the passes need no particular history,
/// only every fact that still matters.
struct RebuildFacts {
  struct Lane {
    std::uint64_t next = 1;
    std::uint64_t touched_to = 0;
  };
  struct Reader {
    core::ReaderDescription description;
    std::uint64_t created_at = 0;                 ///< index of the entry
    std::map<std::uint8_t, std::uint64_t> first;  ///< everything below is done
  };
  struct List {
    std::optional<core::ListDescription> description;  ///< nullopt: nobody said; it was deleted
    std::uint64_t state_as_of = 0;
    std::map<std::uint8_t, Lane> lanes;
    std::map<std::uint64_t, Reader> readers;
  };
  struct Attachment {
    std::uint64_t version = 0;
    std::uint64_t held_at = 0;
    std::optional<std::string> value;
  };

  std::map<std::uint64_t, List> lists;
  std::set<std::uint64_t> deleted_lists;
  std::set<std::uint64_t> deleted_readers;
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint8_t>, RangeSet> acknowledged;
  /// Failed deliveries: list, reader, priority, sequence.
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint8_t, std::uint64_t>, std::uint32_t>
      counts;
  std::map<std::string, Attachment> attachments;
  /// Of the entries up to this one, only those in these segments are left; all above must be there.
  std::uint64_t kept_up_to = 0;
  std::vector<std::uint64_t> kept_segments;
  std::uint64_t last_list = 0;
  std::uint64_t last_reader = 0;

  /// Takes in one step of entry `index`.
  void learn(const JournalOp& op, std::uint64_t index);
  /// After the last entry.
  void settle();
  [[nodiscard]] bool is_acknowledged(std::uint64_t list, std::uint64_t reader,
                                     std::uint8_t priority, std::uint64_t sequence) const;
  [[nodiscard]] std::uint32_t count(std::uint64_t list, std::uint64_t reader, std::uint8_t priority,
                                    std::uint64_t sequence) const;

 private:
  void learn_counts(const JournalOp& op);
  void learn_places(const JournalOp& op);
  void learn_list_state(const JournalOp& op);
  void learn_attachment(const JournalOp& op, std::uint64_t index);
};

}  // namespace pabal::store
