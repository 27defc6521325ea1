#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/result.h"

namespace pabal::core {

/// What one step of a batch does. The numbers are in the journal.
enum class StoreOpKind : std::uint8_t {
  none = 0,           ///< cancelled; never written
  add = 1,            ///< store `message` once and append it to `list` as sequence `first`
  add_reference = 2,  ///< append the message of the preceding `add` to another `list`
  acknowledge = 3,    ///< `reader` is done with `first`..`last` of (`list`, `priority`)
  touch = 4,          ///< everything below `last` of (`list`, `priority`) may have been delivered
  count_delivery =
      5,  ///< deliveries of `first`..`last` failed or were lost: their counts go up by one
  create_list = 6,      ///< `blob`: CreateList
  delete_list = 7,      ///< with all entries and readers
  create_reader = 8,    ///< `blob`: CreateReader; it reads what is added from here on
  delete_reader = 9,    ///< what only this reader still needed is released
  put_attachment = 10,  ///< `blob`: key and value; opaque adaptor state (packet ids, wills …)
  delete_attachment = 11,
  count_refusal = 12,  ///< as count_delivery, and the consumer refused them: it counts that as well
};

struct ListDescription {
  ListId id{};
  /// A queue: its one implicit reader is kQueueReader. A topic: the destination is the pattern
  /// whose messages the list collects for the durable subscriptions that have it.
  Destination destination;
};

struct ReaderDescription {
  ReaderId id{};
  ListId list{};
  std::string client_id;
  std::string name;
  std::string selector;
  bool no_local = false;
};

/// Details of the rare operations, kept out of StoreOp so that the common ones stay small.
struct StoreOpDetail {
  ListDescription list;
  ReaderDescription reader;
  std::string key;
  std::string value;
};

/// One step of a batch. Sequences ascend per (list, priority) from 1, with gaps: non-persistent
/// messages take numbers too, and cancelled ones leave theirs. Acknowledging or counting what is
/// not there any more changes nothing; what is still to come must not be named (a number that was
/// never stored may be given again after a restart). Touching is always of what may come.
struct StoreOp {
  StoreOpKind kind = StoreOpKind::none;
  std::uint8_t priority = 0;
  /// Of the `add` of a plain send (see Store::cancel): its consumers will probably be done with it
  /// before a sync of it could end, so that it is better not written yet. Not stored.
  bool passing = false;
  ListId list{};
  ReaderId reader{};
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  MessageRef message;
  std::unique_ptr<StoreOpDetail> detail;
};

/// What room is wanted for.
enum class Purpose : std::uint8_t {
  send,  ///< something new
  move,  ///< a message that leaves its place in the same batch (dead letters): what it takes comes
         ///< free, so storeUsage does not count; or nothing could leave a full store any more
  more,  ///< something new of a transaction that has room set aside already. It gives that back
         ///< only when it ends: so where only what is set aside leaves no room under storeUsage, it
         ///< is refused, or it would wait for itself, or two of them for each other
};

/// What a send may expect of the store.
enum class Admission : std::uint8_t {
  granted,
  later,    ///< storeUsage is reached, which whoever acknowledges changes, or room is being made:
            ///< ask again after StoreListener::space_changed
  refused,  ///< the disk is full, or waiting would be in vain: store_full with the store's own text
};

/// Who writes what is pushed.
enum class Writer : std::uint8_t {
  store,   ///< a thread of the store
  caller,  ///< better he who pushes, who has nothing else to do: that saves two wake-ups
};

/// What push() has done.
struct Pushed {
  /// durable() has grown, by cancellation or here, and nobody else will tell those who wait for it.
  bool raised = false;
  /// Not kNoTicket: of what was appended up to here, some is not written yet, because it is
  /// passing. Whoever pushed pushes again after `wait`, with this as `overdue`.
  Ticket held = kNoTicket;
  std::chrono::microseconds wait{0};
};

/// Asks for stored messages of one list and priority, unacknowledged by `reader`, in order.
struct PageRequest {
  std::uint64_t id = 0;  ///< comes back with the page
  ListId list{};
  ReaderId reader{};
  std::uint8_t priority = 0;
  std::uint64_t first = 0;  ///< lowest sequence wanted
  std::uint64_t end = 0;    ///< one past the highest wanted
  std::uint32_t entries_max = 0;
  std::uint64_t bytes_max = 0;  ///< stop after passing this many message bytes
  Ticket after = kNoTicket;     ///< the page must include the effect of everything up to here
  /// Not zero: only messages that expire by then (ms since 1970); of the others the page says when
  /// they do. Such a page may cover less than it could, so that nobody waits for it long.
  std::int64_t due_by = 0;
};

struct PageEntry {
  std::uint64_t sequence = 0;
  MessageRef message;
  std::uint32_t deliveries = 0;  ///< counted by count_delivery and count_refusal; at most 65,535
  std::uint32_t refusals = 0;    ///< of them, by count_refusal
};

struct Page {
  std::uint64_t request = 0;
  std::vector<PageEntry> entries;
  /// Nothing unacknowledged below this, and at or above PageRequest::first, is missing from
  /// entries.
  std::uint64_t covered_to = 0;
  /// With PageRequest::due_by: a sequence for each block of arrivals (256 of them) that was covered
  /// and has messages that expire later, and the earliest time of those.
  std::vector<std::pair<std::uint64_t, std::int64_t>> later;
  std::optional<Error>
      error;  ///< store_io: a damaged or unreadable message; entries before it are good
  std::uint64_t damaged = 0;        ///< with `error`: the sequence of that message
  std::uint64_t damaged_bytes = 0;  ///< and how large it is; zero: not known
};

/// State of one priority of a list for one reader, as recovered.
struct RecoveredCursor {
  std::uint8_t priority = 0;
  std::uint64_t first = 0;       ///< lowest unacknowledged sequence
  std::uint64_t next = 0;        ///< sequence that the next add will get
  std::uint64_t touched_to = 0;  ///< everything below may have been delivered before
  std::uint64_t entries = 0;     ///< unacknowledged
  std::uint64_t bytes = 0;       ///< their message bytes
};

struct RecoveredReader {
  ReaderDescription description;
  std::vector<RecoveredCursor> cursors;  ///< only priorities that were ever used
};

/// When stored messages of a part of a list expire.
struct RecoveredExpiry {
  std::uint8_t priority = 0;
  std::uint64_t first = 0;  ///< sequences of the part
  std::uint64_t last = 0;
  std::int64_t earliest = 0;  ///< ms since 1970; not later than the first of its times
};

struct RecoveredList {
  ListDescription description;
  std::vector<RecoveredReader> readers;  ///< a queue: exactly kQueueReader
  /// Everything unacknowledged that expires is in one of these.
  std::vector<RecoveredExpiry> expiry;
};

struct RecoveredState {
  std::vector<RecoveredList> lists;                              ///< ascending by id
  std::vector<std::pair<std::string, std::string>> attachments;  ///< key, value; ascending
  ListId last_list{};  ///< highest id ever used, of deleted ones too
  ReaderId last_reader{};
};

/// For operators: status, metrics, console.
struct StoreStatus {
  std::uint64_t epoch = 0;
  std::uint64_t bytes_live = 0;     ///< messages that somebody still needs
  std::uint64_t bytes_on_disk = 0;  ///< journal and index files
  std::uint64_t bytes_limit = 0;    ///< storeUsage; 0: none
  std::uint64_t segments = 0;
  std::uint64_t segments_given_up = 0;  ///< of them, that cannot be read: they are never reclaimed
  std::uint64_t groups_synced = 0;
  std::uint64_t bytes_written = 0;  ///< to the journal since start
  std::uint64_t batches_cancelled = 0;
  std::uint64_t batches_passing = 0;  ///< held back now (StoreOp::passing)
  std::uint64_t messages_relocated = 0;
  Ticket submitted = kNoTicket;
  Ticket durable = kNoTicket;
  bool full = false;        ///< sends find no room
  bool sends_wait = false;  ///< when full: at storeUsage, for consumers to make room
  std::string full_reason;  ///< why, when full
};

/// Told by the store's own threads or from push(), never from inside the engine. Implemented by the
/// server (which enters the engine) and by the simulator.
class StoreListener {
 public:
  virtual ~StoreListener() = default;
  /// durable() has grown. Must only wake somebody.
  virtual void durable_advanced() noexcept = 0;
  virtual void page_loaded(Page page) noexcept = 0;
  /// admit() may answer differently now. Comes without further calls where room comes by itself.
  virtual void space_changed() noexcept = 0;
  /// A write or sync of the truth failed: nobody may be answered any more; the process must end.
  virtual void failed(Error error) noexcept = 0;
};

/// Durable home of messages and list entries. Declared by core, implemented in store/.
/// A failed journal write or sync ends the process (StoreListener::failed): there is no way to know
/// what reached the disk. Calls marked "inside the engine" are made with the engine's door held and
/// never block on I/O.
class Store {
 public:
  virtual ~Store() = default;

  /// The state at start, after recovery. Once, before any append.
  virtual RecoveredState recovered() = 0;
  /// Number of this start (mastership): part of message ids, so that they never repeat.
  [[nodiscard]] virtual std::uint64_t epoch() const noexcept = 0;

  /// Sets room for one send or move of `bytes` aside; used up by the append that carries it, or
  /// given back with release(). Acknowledgements need none: they draw on a reserve of their own.
  /// Inside the engine.
  virtual Admission admit(std::uint64_t bytes, Purpose purpose = Purpose::send) = 0;
  virtual void release(std::uint64_t bytes) = 0;
  /// Why the last admit() did not grant, for people: "store full: No space left on device".
  [[nodiscard]] virtual std::string refusal() const = 0;

  /// Queues a batch for the next group, whole or not at all, taking the contents of `ops`. A batch
  /// that is one acknowledgement adjacent to the preceding one may be merged with it. Writing it
  /// may wait for push(); writing one that is one acknowledgement, a little longer, for something
  /// else to go with it, unless somebody wants it; writing one that is passing, until it is overdue
  /// or something behind it is written. Inside the engine; never blocks.
  virtual Ticket append(std::span<StoreOp> ops) = 0;

  /// Takes the reference of `list` out of the plain send that append() gave `ticket`, if its group
  /// is not sealed yet; true: it will never be written for that list, as if added and acknowledged.
  /// Only for batches that are one `add` and its `add_reference`s, of which no delivery was counted
  /// (the sequence may come again after a restart). Inside the engine.
  virtual bool cancel(Ticket ticket, ListId list) = 0;

  /// Whoever has entered the engine is through with his turn: what was appended is to be written
  /// now, if it was not cancelled meanwhile. `wanted`: he holds an answer until this is durable;
  /// kNoTicket: none. `overdue`: what is passing was held back long enough up to here; kNoTicket:
  /// no such thing. Outside the engine, any thread; blocks on I/O only if he is to write, for one
  /// group: on a quick disk a fraction of a millisecond, and the store writes by itself for a while
  /// after one that took longer. A store that begins by itself has nothing to do here.
  virtual Pushed push(Ticket wanted, Writer writer, Ticket overdue) {
    (void)wanted;
    (void)writer;
    (void)overdue;
    return {};
  }

  /// The last ticket given. Inside the engine.
  [[nodiscard]] virtual Ticket submitted() const noexcept = 0;
  /// Everything up to here survives a crash (in a group: on a majority). Monotone. Any thread.
  [[nodiscard]] virtual Ticket durable() const noexcept = 0;

  /// Reads messages back; answers with StoreListener::page_loaded from another thread. Inside the
  /// engine; never blocks.
  virtual void read(const PageRequest& request) = 0;

  /// Any thread.
  [[nodiscard]] virtual StoreStatus status() const = 0;
};

}  // namespace pabal::core
