#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "core/ids.h"
#include "core/message_list.h"
#include "core/queue_admin.h"
#include "core/ring.h"
#include "core/selector.h"

// A walk goes once through what stands in a queue when it begins, in the order in which a consumer
// would get it, and takes nothing. Browsers and an operator's commands are walks.
//
// What is stored is read from the store by pages of the walk's own, whatever of it is also in
// memory: everything unacknowledged, deliveries that are out included. What is not stored is copied
// in small portions out of the engine's memory, or read from where it was spilled. Both are merged
// by sequence. A walk holds one page and one portion; it ends at the sequences noted when it began,
// and no scan notices it.
//
// What a page or a portion has may be taken, and acknowledged, before the walk gets there. Taken is
// seen from the reader (State::standing). Acknowledged is not: so the reader tells its walks
// (State::forget_ahead, release_volatile), and they remember it as long as they could come to it.

namespace pabal::core {

enum class WalkId : std::uint64_t {};
struct QueueTask;

class Walk {
 public:
  Walk() = default;
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  WalkId id{};
  Reader* reader = nullptr;  ///< null: the queue has gone
  // Whose it is: exactly one.
  Subscription* browser = nullptr;
  QueueTask* task = nullptr;

  std::array<std::uint64_t, kPriorities> ends{};  ///< of each lane, when it began
  int priority = kPriorities - 1;                 ///< where it is; below zero: at the end

  Ring<Entry> page;  ///< stored, ascending
  std::uint64_t page_begin = 1;
  std::uint64_t page_end = 1;      ///< `page` has all that is stored from the walk up to here
  std::uint64_t page_request = 0;  ///< of the page under way; zero: none
  std::set<std::uint64_t> gone;    ///< acknowledged since the page was asked for

  Ring<Entry> portion;                   ///< not stored, ascending
  std::set<std::uint64_t> portion_gone;  ///< of `portion`: acknowledged since
  std::uint64_t portion_end = 1;         ///< `portion` has all that is not stored up to here
  std::uint64_t spill_request = 0;       ///< of the page of spilled ones under way; zero: none
  std::set<std::uint64_t> spilled;       ///< of `portion`: on disk, waiting
  std::set<std::uint64_t> unspilled;     ///< taken since that page was asked for

  std::uint64_t damaged = 0;  ///< messages that could not be read
  std::string damage;         ///< the first of them

  /// A sequence of the lane where it is, acknowledged: its page may have it.
  void forget(int lane_priority, std::uint64_t sequence) {
    if (lane_priority != priority || sequence < page_begin) return;
    if (page_request == 0 && sequence >= page_end) return;
    gone.insert(sequence);
  }
  /// The same of one that is not stored.
  void forget_volatile(int lane_priority, std::uint64_t sequence) {
    if (lane_priority != priority || portion.empty()) return;
    if (sequence >= portion.front().sequence && sequence < portion_end) {
      portion_gone.insert(sequence);
    }
  }
  /// A message that is not stored left memory for the disk, or came back for good.
  void note_spilled(int lane_priority, std::uint64_t sequence) {
    if (lane_priority != priority || portion.empty()) return;
    if (sequence >= portion.front().sequence && sequence < portion_end) spilled.insert(sequence);
  }
  void forget_spilled(int lane_priority, std::uint64_t sequence) {
    if (lane_priority != priority) return;
    spilled.erase(sequence);
    if (spill_request != 0) unspilled.insert(sequence);
  }
};

/// What a walk has come to.
struct WalkStep {
  enum class Kind : std::uint8_t {
    message,  ///< `entry`, at `priority`; State::walk_on() goes behind it
    reading,  ///< wait: its owner is woken when the page is there
    end,
  } kind = Kind::end;
  Entry* entry = nullptr;
  int priority = 0;
};

/// An operator's command that is being carried out, or has ended and was not fetched yet.
struct QueueTask {
  QueueTaskOptions options;
  std::optional<Selector> selector;
  QueueTaskView view;
  Walk walk;
  std::uint64_t listed_bytes = 0;
  bool ready = false;  ///< stands in the engine's queue of work
};

}  // namespace pabal::core
