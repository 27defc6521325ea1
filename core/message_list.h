#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/destination.h"
#include "core/engine.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/message_groups.h"
#include "core/passing_estimate.h"
#include "core/policy.h"
#include "core/ring.h"
#include "core/selector.h"
#include "core/store.h"

// How messages wait.
//
// A MessageList is a queue, or what one distinct durable topic pattern has collected. It has a Lane
// per priority (or uses one for all: DestinationPolicy::prioritized). A lane numbers its messages
// from 1 and keeps the newest stored ones in memory (the window, a contiguous suffix: everything
// stored from window_begin on); older ones are read back from the store by page. Non-persistent
// messages are in memory, in a ring of their own, in the same numbering; when memory is short, the
// oldest of the ring are moved to the store's disk (spilled) and read back by page as well, by each
// reader of a topic list that has not come to them. That is engine_spill.cc; nothing of it survives
// the process.
//
// A Reader owns what it has not acknowledged of a list: the one reader of a queue, with competing
// consumers, or a durable subscription. It goes through the list by Scans: consumers that take the
// same messages share one. The front scan takes everything (of a durable subscription: what its
// selector wants); each distinct selector among a queue's consumers has a scan of its own. Per lane
// a scan has a Cursor: everything below `next` it has taken or passed. What comes back (a consumer
// left, a requeue) goes to `returned`, for whichever scan wants it, and is taken first.
//
// With message groups a queue's consumers without a selector share a scan beside the selective
// ones, too, and who is behind with its groups has a scan of its own: core/message_groups.h.
//
// In a queue a taken message leaves the lane, wherever it stood. Everything below the front scan's
// cursor has left; what other scans have taken above it is in `taken_ahead` until acknowledged,
// because reading back would find it again.
//
// In a topic list a taken message stays for the other readers: stored ones until trimmed behind the
// last active reader, non-persistent ones until every reader that wanted them when they came has
// acknowledged (Entry::references). What a durable subscription's selector refuses is acknowledged
// as it comes (ReaderLane::refused), so that it pins nothing.

namespace pabal::core {

class MessageList;
class Reader;
class Session;
class Subscription;
class Walk;

/// Where all messages of a list go whose policy does not go by priority.
inline constexpr std::uint8_t kOneLane = 4;

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
  bool first_of_group = false;       ///< out: its message group is new to the consumer
  bool counted_in_group = false;     ///< out: in MessageGroup::out
  bool retained = false;             ///< given to a new subscription (core/retained.h)
  bool passing = false;              ///< held back: StoreOp::passing
  bool unshared = false;        ///< volatile, in a topic list: one reader has it, from the spill
  std::uint16_t refusals = 0;   ///< of `deliveries`, those that a consumer refused
  std::uint32_t placed_at = 0;  ///< ms, cut to 32 bits; as it came
};

/// A message that was refused and waits for the time of its redelivery.
struct DelayedEntry {
  TimePoint due{};
  Entry entry;              ///< a stored one without its message, which is read back when due
  std::uint32_t bytes = 0;  ///< of that message
  bool recalled = false;    ///< it is being read back
};

/// What a lane has spilled: non-persistent messages that are in a list of their own in the store.
struct SpilledLane {
  std::uint64_t end = 0;  ///< volatile entries below are there, from here on in the ring
  /// Not taken yet. Of a topic list: by all its readers together, see ReaderLane::spilled.
  std::uint64_t entries = 0;
};

/// What a list has spilled.
struct Spill {
  ListId list{};  ///< in the store; nobody can name it
  /// Of messages not taken yet. Of a topic list: no less than that, see State::account_spill().
  std::uint64_t bytes = 0;
};

/// The messages of one priority of a list.
struct Lane {
  std::uint64_t next_sequence = 1;
  std::uint64_t window_begin = 1;  ///< every live stored entry from here on is in `window`
  Ticket left_window = kNoTicket;  ///< what is below can be read back once this is durable
  // Ascending. A null message is a gap, left by what went out of its turn; never the first.
  Ring<Entry> window;  ///< stored
  Ring<Entry> volatile_entries;
  std::size_t window_gaps = 0;
  std::size_t volatile_gaps = 0;
  /// Of a topic list: volatile entries below are in the ring for those that have them out only.
  std::uint64_t ring_begin = 1;
  std::unique_ptr<SpilledLane> spilled;  ///< null: nothing is
};

/// A logged touch that is not known to be durable yet: everything below `end` may be delivered.
struct Touch {
  std::uint64_t end = 0;
  Ticket ticket = kNoTicket;
};

/// What a scan has read back of a lane, ahead of need.
struct Pages {
  std::uint64_t page_end = 0;       ///< `page` has all that is stored below this
  Ring<Entry> page;                 ///< read back, ascending; a null message is a gap
  std::uint64_t page_request = 0;   ///< of the page under way; zero: none
  std::vector<std::uint64_t> gone;  ///< acknowledged while it was under way: it may bring them
  bool damaged = false;             ///< what comes next cannot be read
  std::uint64_t damaged_at = 0;     ///< that message; zero: not known
};

/// Where a scan is in a lane.
struct Cursor : Pages {
  std::uint64_t next = 1;           ///< everything below was taken or passed
  std::uint64_t returned_from = 0;  ///< of what came back, everything below was passed
  std::unique_ptr<Pages> spilled;   ///< of SpilledLane; null: none of it is read
};

/// A consumer of a scan, and whether the scan stands in its list of those to wake.
struct ConsumerLink {
  Subscription* subscription = nullptr;
  bool wake_listed = false;
  std::int32_t rank = 0;          ///< its priority, if that counts
  std::uint64_t arrival = 0;      ///< order among the reader's consumers
  GroupMember* member = nullptr;  ///< with message groups: never null
};

/// One way through a list, of consumers that take the same messages.
class Scan {
 public:
  explicit Scan(Reader& owner) : reader(owner) {}

  Reader& reader;
  std::shared_ptr<const Selector> selector;  ///< null: everything
  std::array<std::unique_ptr<Cursor>, kPriorities> cursors;
  std::vector<ConsumerLink> consumers;
  std::size_t next_consumer = 0;  ///< round robin
  WaitReason waiting = WaitReason::empty;
  bool ready = false;           ///< stands in the engine's queue of work
  bool awaits_durable = false;  ///< stands in the list to wake when the store has synced
  bool awaits_room = false;     ///< stands in the list to wake when dead letters may have room
  bool yields = false;          ///< leaves its next message to a consumer with a higher priority
  /// Of one member that is behind: it takes nothing but its groups' messages. Null: shared.
  GroupMember* member = nullptr;
  bool awaits_page = false;  ///< stands in the list to wake when a page may have room
  bool page_listed = false;  ///< stands in the list of those whose pages may be dropped

  [[nodiscard]] bool active() const noexcept { return !consumers.empty(); }
  [[nodiscard]] bool is_front() const noexcept;
  [[nodiscard]] bool is_shared() const noexcept { return member == nullptr; }
  /// Where it stands in a lane: nothing below concerns it.
  [[nodiscard]] std::uint64_t position(std::size_t priority) const noexcept;
  Cursor& cursor(int priority) {
    auto& cursor = cursors[static_cast<std::size_t>(priority)];
    if (!cursor) cursor = std::make_unique<Cursor>();
    return *cursor;
  }
  /// Whether its selector wants it.
  [[nodiscard]] bool selects(const Entry& entry) const noexcept {
    return selector == nullptr ||
           selector->matches(*entry.message,
                             {entry.deliveries, entry.deliveries > 0 || entry.maybe_delivered,
                              selector_destination()});
  }
  [[nodiscard]] const Destination* selector_destination() const noexcept;
  /// Whether one of its consumers may have it.
  [[nodiscard]] bool wants(const Entry& entry) const noexcept {
    return selects(entry) && may_have_group(*entry.message);
  }
  /// Whether there can be something that wants() refuses.
  [[nodiscard]] bool filters() const noexcept;
  [[nodiscard]] bool may_have_group(const Message& message) const noexcept;
};

/// Sequences in a row that are not acknowledged in the store yet, though their reader is done.
struct AckLate {
  std::uint64_t first = 0;  ///< zero: none
  std::uint64_t last = 0;
};

/// What a reader knows of a lane, whichever scan goes through it.
struct ReaderLane {
  std::uint64_t touched_to = 0;            ///< logged: everything below may have been delivered
  std::uint64_t recovered_touched_to = 0;  ///< the same, as found at start: below this, mark
  Ring<Touch> touches;                     ///< those under way, ascending
  /// What stands above the front scan's cursor and is out (with an XA branch too, over restarts),
  /// or in Reader::returned, or left out of its turn because it had expired. Until it is
  /// acknowledged; of a topic list's volatile entries, until they are gone.
  std::set<std::uint64_t> taken_ahead;
  std::uint64_t acked_ahead =
      0;  ///< everything that was in taken_ahead and is acknowledged is below
  // Durable subscriptions with a selector: it has looked at everything from here on as it came …
  std::uint64_t filtered_from = 1;
  std::uint64_t volatile_from = 0;  ///< with volatile_when_active: those below are not its own
  AckLate refused;                  ///< … and refused these
  AckLate acked;                    ///< durable subscriptions that acknowledge automatically
  AckLate unwanted;                 ///< of a topic list's spill: what it does not come to
  std::uint64_t spilled = 0;        ///< of a topic list's spill: what it comes to
};

/// A shared subscription: see engine_shared.cc.
struct SharedGroup {
  std::uint64_t members = 0;  ///< sessions that have it among their subscriptions
  /// The stored one that took its place, so that it gets no more and goes when it is empty; zero:
  /// none has.
  ReaderId successor{};
  ReaderId predecessor{};  ///< whose place it took; its consumers consume from that, too
};

class Reader {
 public:
  Reader(MessageList& owner, ReaderId reader_id) : list(owner), id(reader_id), front(*this) {}

  MessageList& list;
  const ReaderId id;
  ReaderDescription description;  ///< of durable subscriptions
  Scan front;
  /// Of queues: one for each distinct selector; and with message groups, see there.
  std::vector<std::unique_ptr<Scan>> selective;
  std::array<std::unique_ptr<ReaderLane>, kPriorities> lanes;
  /// By (9 - priority, sequence): the order in which they are taken.
  std::map<std::pair<int, std::uint64_t>, Entry> returned;
  /// By the same key: what waits for the time of its redelivery, or is due and still on disk.
  std::map<std::pair<int, std::uint64_t>, DelayedEntry> delayed;
  std::set<std::pair<int, std::uint64_t>> due;  ///< of `delayed`: on disk, and not asked for yet
  std::uint64_t recalled = 0;                   ///< of `delayed`: being read back
  std::uint64_t depth = 0;                      ///< not acknowledged
  std::uint64_t depth_bytes = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t locked = 0;           ///< of in_flight: acknowledged in prepared XA branches
  bool volatile_when_active = false;  ///< SubscribeOptions::volatile_when_active
  bool has_foreign = false;           ///< some ReaderLane::volatile_from is set
  bool acks_late = false;             ///< stands in the list of those with an AckLate
  TimePoint idle_since{};             ///< when its last consumer left
  std::vector<Walk*> walks;           ///< that go through it; see core/queue_walk.h
  /// What it is in the list's spill. Of a topic list: another whenever it comes to have something
  /// there, and kQueueReader while it has nothing.
  ReaderId spill_reader = kQueueReader;

  // Of topics.
  std::uint64_t spilled = 0;           ///< messages that it has in the list's spill …
  std::uint64_t spilled_bytes = 0;     ///< … and their bytes
  Session* session = nullptr;          ///< whose durable subscription it is; null: nobody's
  bool ended = false;                  ///< its session has ended: it goes
  std::unique_ptr<SharedGroup> group;  ///< of a shared subscription; else null

  // Of queues: who may get messages.
  std::unique_ptr<MessageGroups> groups;  ///< null: no grouped message was met
  Subscription* exclusive = nullptr;      ///< the one that gets all; null: everybody
  std::int32_t highest_priority = 0;      ///< of its consumers
  std::uint64_t arrivals = 0;             ///< of consumers
  bool somebody_yields = false;           ///< one of its scans
  bool strict_order = false;              ///< by policy: to the first with credit
  bool warming_up = false;                ///< not enough consumers yet, and not time either
  bool warm_listed = false;               ///< stands in the engine's list of those
  TimePoint warm_at{};                    ///< with warming_up: dispatch starts then in any case

  [[nodiscard]] bool active() const noexcept { return front.active() || !selective.empty(); }
  /// Whether an entry of the list that is not stored is one of its own, if it has not taken it.
  [[nodiscard]] bool owns_volatile(std::size_t priority, std::uint64_t sequence) const noexcept {
    if (!takes_volatile()) return false;
    return !has_foreign || !lanes[priority] || sequence >= lanes[priority]->volatile_from;
  }
  /// Whether a message that is not persistent is kept for it.
  [[nodiscard]] bool takes_volatile() const noexcept { return !volatile_when_active || active(); }
  ReaderLane& lane(int priority) {
    auto& lane = lanes[static_cast<std::size_t>(priority)];
    if (!lane) lane = std::make_unique<ReaderLane>();
    return *lane;
  }
  template <class Visit>
  void for_each_scan(Visit visit) {
    visit(front);
    for (const auto& scan : selective) visit(*scan);
  }
  [[nodiscard]] std::size_t consumers() const noexcept {
    std::size_t count = front.consumers.size();
    for (const auto& scan : selective) {
      if (scan->is_shared()) count += scan->consumers.size();
    }
    return count;
  }
  /// Why its next message is not on its way, by the first scan that knows of one.
  [[nodiscard]] WaitReason waiting() const noexcept {
    if (depth == 0) return WaitReason::empty;
    if (!active()) return WaitReason::no_consumer;
    if (front.active()) return front.waiting;
    for (const auto& scan : selective) {
      if (scan->waiting != WaitReason::empty && scan->waiting != WaitReason::refused) {
        return scan->waiting;
      }
    }
    return selective.front()->waiting;
  }
};

inline bool Scan::is_front() const noexcept {
  return this == &reader.front;
}

inline std::uint64_t Scan::position(std::size_t priority) const noexcept {
  // Without a cursor of its own it begins where the front scan is.
  const auto& first = reader.front.cursors[priority];
  const std::uint64_t begin = first ? first->next : 1;
  return cursors[priority] ? std::max(cursors[priority]->next, begin) : begin;
}

inline bool Scan::filters() const noexcept {
  return selector != nullptr || reader.groups != nullptr;
}

inline bool Scan::may_have_group(const Message& message) const noexcept {
  if (reader.groups == nullptr) return true;
  const auto id = message.group_id();
  const MessageGroup* group = id.empty() ? nullptr : reader.groups->find(id);
  if (group == nullptr) return is_shared();
  if (!is_shared()) return group->owner == member;
  return group->owner != nullptr && group->owner->shared == this && group->owner->own == nullptr;
}

class MessageList {
 public:
  MessageList(ListId list_id, Destination name, bool is_stored)
      : id(list_id),
        destination(std::move(name)),
        wildcard(destination.is_pattern() || is_composite_name(destination.name)),
        stored(is_stored) {}

  const ListId id;
  const Destination destination;
  const bool wildcard;   ///< the name is a pattern, or that of several topics
  const bool stored;     ///< false: a temporary queue, never in the store
  ConnectionId owner{};  ///< of a temporary queue
  std::shared_ptr<const DestinationPolicy> policy;  ///< never null once in the engine
  std::array<std::unique_ptr<Lane>, kPriorities> lanes;
  std::vector<std::unique_ptr<Reader>> readers;
  DestinationCounters counters;
  std::uint64_t volatile_bytes = 0;  ///< footprint of volatile entries in memory, those out as well
  std::uint64_t stored_out_bytes = 0;  ///< footprint of stored entries that are out
  bool has_blocked = false;            ///< sends wait for room here
  TimePoint last_used{};               ///< when a message came or a consumer left
  std::uint64_t window_bytes = 0;      ///< footprint of the entries in the lanes' windows
  bool window_listed = false;          ///< stands in the engine's list of lists with a window
  bool trim_listed = false;            ///< stands in the engine's list of lists to trim
  bool spill_listed = false;           ///< stands in the engine's set of lists that can spill
  std::unique_ptr<Spill> spill;        ///< null: it never had to
  /// `destination`, for deliveries of what was sent elsewhere; null until there was one.
  std::shared_ptr<const Destination> shared_name;
  std::shared_ptr<const Destination> mirror;  ///< of a mirrored queue: its topic; null: not known
  std::uint64_t routed = 0;                   ///< the last send with several targets that came here
  PassingEstimate passing;                    ///< of a queue
  bool paused = false;  ///< a queue that an operator holds: nothing is dispatched

  [[nodiscard]] bool is_queue() const noexcept { return core::is_queue(destination.kind); }
  /// What counts against DestinationPolicy::memory_limit.
  [[nodiscard]] std::uint64_t held_bytes() const noexcept {
    return volatile_bytes + stored_out_bytes;
  }
  /// Of a topic: its messages have come to several destinations, each under its own name.
  [[nodiscard]] bool collects_pattern() const noexcept { return wildcard && !is_queue(); }
  /// What JMSDestination is for a selector; null: what the message says.
  [[nodiscard]] const Destination* selector_destination() const noexcept {
    return collects_pattern() ? nullptr : &destination;
  }
  Lane& lane(int priority) {
    auto& lane = lanes[static_cast<std::size_t>(priority)];
    if (!lane) lane = std::make_unique<Lane>();
    return *lane;
  }
  /// The oldest of a lane's window leaves memory: from now on it is read back.
  static void leave_window(Lane& lane, const Entry& entry) noexcept {
    lane.window_begin = entry.sequence + 1;
    lane.left_window = std::max({lane.left_window, entry.stored, entry.visible_after});
  }
  /// The lane that a message gets as it comes: its priority's, or one for all.
  [[nodiscard]] std::uint8_t lane_for(const Message& message) const noexcept {
    return policy->prioritized ? message.priority() : kOneLane;
  }
  /// Null: no such reader. They stand in the order in which they were made, and ids ascend.
  [[nodiscard]] Reader* find_reader(ReaderId reader_id) const noexcept {
    const auto at =
        std::lower_bound(readers.begin(), readers.end(), reader_id,
                         [](const auto& reader, ReaderId wanted) { return reader->id < wanted; });
    return at != readers.end() && (*at)->id == reader_id ? at->get() : nullptr;
  }
  /// The one reader of a queue.
  Reader& reader() { return *readers.front(); }
};

inline const Destination* Scan::selector_destination() const noexcept {
  return reader.list.selector_destination();
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

/// The message at `position` is needed there no more. Moves the others when most places are gaps:
/// one message that nobody acknowledges must not keep the places of all that followed it.
inline void leave_gap(Ring<Entry>& ring, std::size_t& gaps, std::size_t position) {
  constexpr std::size_t kWorthMoving = 128;
  ring[position].message.reset();
  ++gaps;
  while (!ring.empty() && !ring.front().message) {
    ring.pop_front();
    --gaps;
  }
  if (ring.size() < kWorthMoving || gaps * 2 < ring.size()) return;
  Ring<Entry> kept;
  for (std::size_t i = 0; i < ring.size(); ++i) {
    if (ring[i].message) kept.push_back(std::move(ring[i]));
  }
  ring = std::move(kept);
  gaps = 0;
}

/// Takes the front entry, which is no gap, and the gaps behind it.
inline Entry take_front(Ring<Entry>& ring, std::size_t& gaps) {
  Entry entry = std::move(ring.front());
  ring.pop_front();
  while (gaps > 0 && !ring.empty() && !ring.front().message) {
    ring.pop_front();
    --gaps;
  }
  return entry;
}

}  // namespace pabal::core
