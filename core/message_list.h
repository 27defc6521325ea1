#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/destination.h"
#include "core/engine.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/ring.h"
#include "core/store.h"

// How messages wait.
//
// A MessageList is a queue, or what one distinct durable topic pattern has collected. It has a Lane
// per priority. A lane numbers its messages from 1 and keeps the newest stored ones in memory (the
// window, a contiguous suffix: everything stored from window_begin on); older ones are read back
// from the store by page. Non-persistent messages are only in memory, in a ring of their own, in
// the same numbering.
//
// A Reader goes through a list: the one reader of a queue, with competing consumers, or a durable
// subscription. Per lane it has a Cursor: everything below `next` was taken before. What comes back
// (a consumer left, a requeue) goes to `returned` and is taken first.
//
// In a queue a taken message leaves the lane. In a topic list it stays for the other readers:
// stored ones until trimmed behind the last active reader, non-persistent ones until every reader
// that was there when they came has acknowledged (Entry::references).

namespace pabal::core {

class MessageList;
class Subscription;

/// One message in a list. Small: there is one for each message in memory.
struct Entry {
  std::uint64_t sequence = 0;
  MessageRef message;
  Ticket stored = kNoTicket;  ///< of the batch that added it; kNoTicket: long ago, or volatile
  Ticket visible_after = kNoTicket;  ///< sent in a transaction: not before this is durable
  std::uint32_t deliveries = 0;      ///< failed or lost ones
  std::uint32_t references = 0;      ///< volatile, in a topic list: readers that still need it
  bool is_volatile = false;          ///< not in the store
  bool maybe_delivered = false;      ///< the mark of redelivery, from before a restart
};

/// The messages of one priority of a list.
struct Lane {
  std::uint64_t next_sequence = 1;
  std::uint64_t window_begin = 1;  ///< every live stored entry from here on is in `window`
  Ring<Entry> window;              ///< stored, ascending
  Ring<Entry> volatile_entries;    ///< ascending; in topic lists a null message is a gap
  std::size_t gaps = 0;            ///< of them; never the first
};

/// A logged touch that is not known to be durable yet: everything below `end` may be delivered.
struct Touch {
  std::uint64_t end = 0;
  Ticket ticket = kNoTicket;
};

/// Where a reader is in a lane.
struct Cursor {
  std::uint64_t next = 1;                  ///< everything below was taken
  std::uint64_t page_end = 0;              ///< `page` has all that is stored below this
  std::uint64_t touched_to = 0;            ///< logged: everything below may have been delivered
  std::uint64_t recovered_touched_to = 0;  ///< the same, as found at start: below this, mark
  Ring<Touch> touches;                     ///< those under way, ascending
  Ring<Entry> page;                        ///< read back, ascending
  std::uint64_t page_request = 0;          ///< of the page under way; zero: none
  bool damaged = false;
};

/// A consumer of a reader, and whether the reader stands in its list of those to wake.
struct ConsumerLink {
  Subscription* subscription = nullptr;
  bool wake_listed = false;
};

class Reader {
 public:
  Reader(MessageList& owner, ReaderId reader_id) : list(owner), id(reader_id) {}

  MessageList& list;
  const ReaderId id;
  ReaderDescription description;  ///< of durable subscriptions
  std::array<std::unique_ptr<Cursor>, kPriorities> cursors;
  /// By (9 - priority, sequence): the order in which they are taken.
  std::map<std::pair<int, std::uint64_t>, Entry> returned;
  std::vector<ConsumerLink> consumers;
  std::size_t next_consumer = 0;  ///< round robin
  std::uint64_t depth = 0;        ///< not acknowledged
  std::uint64_t depth_bytes = 0;
  std::uint64_t in_flight = 0;
  WaitReason waiting = WaitReason::empty;
  bool ready = false;           ///< stands in the engine's queue of work
  bool awaits_durable = false;  ///< stands in the list to wake when the store has synced
  bool awaits_room = false;     ///< stands in the list to wake when dead letters may have room

  [[nodiscard]] bool active() const noexcept { return !consumers.empty(); }
  Cursor& cursor(int priority);
};

class MessageList {
 public:
  MessageList(ListId list_id, Destination name, bool is_stored)
      : id(list_id), destination(std::move(name)), stored(is_stored) {}

  const ListId id;
  const Destination destination;
  const bool stored;     ///< false: a temporary queue, never in the store
  ConnectionId owner{};  ///< of a temporary queue
  std::array<std::unique_ptr<Lane>, kPriorities> lanes;
  std::vector<std::unique_ptr<Reader>> readers;
  DestinationCounters counters;
  std::uint64_t window_bytes = 0;  ///< footprint of the entries in the lanes' windows
  bool window_listed = false;      ///< stands in the engine's list of lists with a window
  bool trim_listed = false;        ///< stands in the engine's list of lists to trim

  [[nodiscard]] bool is_queue() const noexcept { return core::is_queue(destination.kind); }
  Lane& lane(int priority) {
    auto& lane = lanes[static_cast<std::size_t>(priority)];
    if (!lane) lane = std::make_unique<Lane>();
    return *lane;
  }
  /// The one reader of a queue.
  Reader& reader() { return *readers.front(); }
};

inline Cursor& Reader::cursor(int priority) {
  auto& cursor = cursors[static_cast<std::size_t>(priority)];
  if (!cursor) cursor = std::make_unique<Cursor>();
  return *cursor;
}

/// First position of `ring` whose sequence is not below `sequence`.
template <class EntryRing>
std::size_t lower_bound_sequence(const EntryRing& ring, std::uint64_t sequence) noexcept {
  std::size_t low = 0;
  std::size_t high = ring.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (ring[middle].sequence < sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Every reader is done with the non-persistent message at `position` of a topic list's lane. Moves
/// the others when most places are gaps: one message that nobody acknowledges must not keep the
/// places of all that followed it.
inline void leave_gap(Lane& lane, std::size_t position) {
  constexpr std::size_t kWorthMoving = 128;
  auto& ring = lane.volatile_entries;
  ring[position].message.reset();
  ++lane.gaps;
  while (!ring.empty() && !ring.front().message) {
    ring.pop_front();
    --lane.gaps;
  }
  if (ring.size() < kWorthMoving || lane.gaps * 2 < ring.size()) return;
  Ring<Entry> kept;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    if (ring[i].message) kept.push_back(std::move(ring[i]));
  }
  ring = std::move(kept);
  lane.gaps = 0;
}

}  // namespace pabal::core
