#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "core/engine_state.h"

// Non-persistent messages that memory has no room for.
//
// When what must be held passes half of memory_bytes_max, the oldest messages of the fullest
// volatile rings are moved to the store, each list's into a list of its own there, under the
// sequence numbers that they have. Nobody waits for that to be synced. A scan reads them back by
// page and merges them with the rest by number: below SpilledLane::end all that is volatile is on
// disk, from there on in the ring. A message that is taken is in memory for good, as any volatile
// one, and acknowledged in the store at once: a crash loses it in either place. What a process has
// spilled, the next one deletes when it starts, because a consumer may have had it.
//
// A topic list's messages go to one spill list too, which has as its readers those of the list that
// come to something there: each begins with the first such message, reads and acknowledges what it
// comes to by itself, and goes with the last, so that who keeps up is no reader of it at all. What
// somebody has out stays in the ring for him, and is on disk for the others (Lane::ring_begin says
// from where on readers look into the ring). A reader that has read a message back has it alone
// (Entry::unshared).
//
// The spill lists are temporary queues and topics to the store: the engine stores no others, so
// nobody can name one, and whoever finds one at a start knows what it is.

namespace pabal::core {
namespace {

/// Of one list at a time, so that one batch does not hold up what is to be synced.
constexpr std::uint32_t kSpillEntries = 256;
constexpr std::uint64_t kSpillBytes = 256ULL << 10;
/// Spilled, and not durable: more would make the store's other clients wait.
constexpr std::uint64_t kSpillUndurableMax = 8ULL << 20;
/// Of a topic list with many readers: so often one is asked whether it comes to a message.
constexpr std::size_t kSpillLooks = 64ULL << 10;
/// So many looks cost a step.
constexpr std::size_t kLooksPerStep = 64;
/// A topic list's account is drawn up after so many messages that a reader has read back.
constexpr std::uint64_t kAccountEvery = 256;

}  // namespace

/// What goes to the store at a time.
struct Engine::State::Spilling {
  Batch batch;
  std::uint32_t entries_max = 0;
  std::uint32_t entries = 0;  ///< looked at; of a queue: moved
  std::uint64_t bytes = 0;
  // Of the entry that is looked at, in a topic list; here to be used again.
  std::vector<Reader*> readers;          ///< that come to it
  std::set<std::string_view> selectors;  ///< of these, each once
  [[nodiscard]] bool full() const noexcept {
    return entries >= entries_max || bytes >= kSpillBytes;
  }
};

// --- to the disk ---------------------------------------------------------------------------------

/// Called while wants_to_spill(). Goes round through the lists; after a round in which none had
/// enough, smaller ones will do.
void Engine::State::spill(std::uint32_t& steps) {
  auto at = spillable.lower_bound(spill_at);
  if (at == spillable.end()) {
    spill_entries_min = spill_fruitless ? spill_entries_min / 4
                                        : std::min(kSpillEntriesFirst, 4 * (spill_entries_min + 1));
    spill_fruitless = true;
    at = spillable.begin();
  }
  MessageList& list = *lists.at(*at);
  std::size_t waiting = 0;
  for (const auto& lane : list.lanes) {
    if (!lane) continue;
    const auto& ring = lane->volatile_entries;
    const std::size_t out = list.is_queue() ? 0 : lower_bound_sequence(ring, lane->ring_begin);
    waiting += ring.size() - std::min(ring.size(), std::max(out, lane->volatile_gaps));
  }
  if (waiting == 0) list.spill_listed = false;
  at = waiting == 0 ? spillable.erase(at) : std::next(at);
  // No list has an id so high: then the next round begins.
  spill_at = at == spillable.end() ? ListId{kEverything} : *at;
  if (waiting == 0 || waiting < spill_entries_min) {
    --steps;
    return;
  }
  const std::uint32_t moved = spill_from(list, steps);
  if (moved > 0) spill_fruitless = false;
  steps -= std::clamp<std::uint32_t>(moved, 1, steps);
}

/// Moves what one batch may have, the lowest priority and the oldest first; how many were looked
/// at, `steps` at most, or of a topic list what that was worth.
std::uint32_t Engine::State::spill_from(MessageList& list, std::uint32_t steps) {
  Spilling spilling;
  const std::size_t readers = list.readers.size();
  spilling.entries_max = std::min<std::uint32_t>(
      {steps, kSpillEntries,
       static_cast<std::uint32_t>(std::max<std::size_t>(kSpillLooks / readers, 1))});
  for (int priority = 0; priority < kPriorities; ++priority) {
    if (!list.lanes[static_cast<std::size_t>(priority)]) continue;
    if (list.is_queue()) {
      spill_queue_lane(list, priority, spilling);
    } else {
      spill_topic_lane(list, priority, spilling);
    }
    list.lane(priority).volatile_entries.shrink();
  }
  if (!spilling.batch.operations.empty()) {
    flush_acks();
    spill_ticket = store.append(spilling.batch.operations);
    spilled_undurable_bytes += spilling.bytes;
  }
  if (list.is_queue()) return spilling.entries;
  if (spilling.bytes > 0) account_spill(list);
  return spilling.entries + static_cast<std::uint32_t>(spilling.entries * readers / kLooksPerStep);
}

void Engine::State::spill_queue_lane(MessageList& list, int priority, Spilling& spilling) {
  Lane& lane = list.lane(priority);
  while (!lane.volatile_entries.empty() && !spilling.full() &&
         admit_spill(*lane.volatile_entries.front().message, 1)) {
    Entry entry = take_front(lane.volatile_entries, lane.volatile_gaps);
    ++spilling.entries;
    for (auto* walk : list.reader().walks) walk->note_spilled(priority, entry.sequence);
    begin_spill(list, spilling);
    if (!lane.spilled) lane.spilled = std::make_unique<SpilledLane>();
    lane.spilled->end = entry.sequence + 1;
    ++lane.spilled->entries;
    const std::uint64_t size = entry.message->flat().size();
    spilling.bytes += size;
    spilled_bytes += size;
    list.spill->bytes += size;
    left_memory(list, *entry.message);
    StoreOp add;
    add.kind = StoreOpKind::add;
    add.priority = static_cast<std::uint8_t>(priority);
    add.list = list.spill->list;
    add.first = add.last = entry.sequence;
    add.message = std::move(entry.message);
    spilling.batch.operations.push_back(std::move(add));
  }
}

/// The same of a topic list: what nobody comes to stays in the ring for those that have it out, and
/// is not looked at again.
void Engine::State::spill_topic_lane(MessageList& list, int priority, Spilling& spilling) {
  Lane& lane = list.lane(priority);
  auto& ring = lane.volatile_entries;
  auto at = lower_bound_sequence(ring, lane.ring_begin);
  while (at < ring.size() && !spilling.full()) {
    Entry& entry = ring[at];
    spilling.readers.clear();
    spilling.selectors.clear();
    ++spilling.entries;
    if (entry.message) {
      for (const auto& reader : list.readers) {
        if (!comes_to(*reader, static_cast<std::size_t>(priority), entry)) continue;
        spilling.readers.push_back(reader.get());
        spilling.selectors.insert(reader->description.selector);
      }
    }
    if (!spilling.readers.empty()) {
      if (!admit_spill(*entry.message, spilling.selectors.size())) return;
      spill_for_readers(list, priority, entry, spilling);
      entry.references -= static_cast<std::uint32_t>(spilling.readers.size());
    }
    lane.ring_begin = entry.sequence + 1;
    if (!entry.message || entry.references > 0) {
      ++at;
      continue;
    }
    left_memory(list, *entry.message);
    forget_expired(list, priority, entry.sequence);
    leave_gap(ring, lane.volatile_gaps, at);
    at = lower_bound_sequence(ring, lane.ring_begin);
  }
}

/// The store gets a topic list's entry for those that come to it, Spilling::readers.
void Engine::State::spill_for_readers(MessageList& list, int priority, const Entry& entry,
                                      Spilling& spilling) {
  auto& operations = spilling.batch.operations;
  begin_spill(list, spilling);
  Lane& lane = list.lane(priority);
  if (!lane.spilled) lane.spilled = std::make_unique<SpilledLane>();
  lane.spilled->end = entry.sequence + 1;
  lane.spilled->entries += spilling.readers.size();
  const std::uint64_t size = entry.message->flat().size();
  spilling.bytes += size;
  spilled_bytes += size * spilling.selectors.size();
  list.spill->bytes += size * spilling.selectors.size();
  auto next = spilling.readers.begin();
  for (const auto& each : list.readers) {
    Reader& reader = *each;
    if (next == spilling.readers.end() || *next != &reader) {
      if (reader.spill_reader == kQueueReader) continue;
      AckLate& unwanted = reader.lane(priority).unwanted;
      if (unwanted.first == 0) unwanted.first = entry.sequence;
      unwanted.last = entry.sequence;
      if (!std::exchange(reader.acks_late, true)) acking_late.push_back(&reader);
      continue;
    }
    ++next;
    ReaderLane& known = reader.lane(priority);
    if (known.unwanted.first != 0) {
      operations.push_back(
          acknowledgement_of(list.spill->list, reader.spill_reader, priority, known.unwanted));
    }
    if (reader.spill_reader == kQueueReader) {
      reader.spill_reader = ReaderId{++last_reader};
      StoreOp made;
      made.kind = StoreOpKind::create_reader;
      made.list = list.spill->list;
      made.reader = reader.spill_reader;
      made.detail = std::make_unique<StoreOpDetail>();
      made.detail->reader = reader.description;
      made.detail->reader.id = reader.spill_reader;
      made.detail->reader.list = list.spill->list;
      operations.push_back(std::move(made));
    }
    ++known.spilled;
    ++reader.spilled;
    reader.spilled_bytes += size;
    for (auto* walk : reader.walks) walk->note_spilled(priority, entry.sequence);
  }
  StoreOp add;
  add.kind = StoreOpKind::add;
  add.priority = static_cast<std::uint8_t>(priority);
  add.list = list.spill->list;
  add.first = add.last = entry.sequence;
  add.message = entry.message;
  operations.push_back(std::move(add));
}

/// Makes the list in the store that takes what the list spills, if there is none yet.
void Engine::State::begin_spill(MessageList& list, Spilling& spilling) {
  if (list.spill) return;
  list.spill = std::make_unique<Spill>();
  list.spill->list = ListId{++last_list};
  StoreOp made;
  made.kind = StoreOpKind::create_list;
  made.list = list.spill->list;
  made.detail = std::make_unique<StoreOpDetail>();
  made.detail->list = {
      made.list,
      {list.is_queue() ? DestinationKind::temporary_queue : DestinationKind::temporary_topic,
       list.destination.to_text()}};
  spilling.batch.operations.push_back(std::move(made));
}

void Engine::State::left_memory(MessageList& list, const Message& message) {
  list.volatile_bytes -= message.footprint();
  if (list.has_blocked) room_at(list);
  unhold(message);
}

/// Sets room for one message aside, or notes that there is none. `places`: how often it is in the
/// account.
bool Engine::State::admit_spill(const Message& message, std::size_t places) {
  const std::uint64_t bytes = message.flat().size();
  if (spill_ticket <= durable) spilled_undurable_bytes = 0;
  spill_blocked = spilled_bytes + places * bytes > limits.spilled_bytes_max ||
                  spilled_undurable_bytes > kSpillUndurableMax ||
                  store.admit(bytes) != Admission::granted;
  return !spill_blocked;
}

/// What a topic list has on disk. Which of its messages several readers still have there is known
/// to the store alone; those of one selector have the same ones, as far as they have not come, so
/// that the one that is farthest behind stands for all of them. With several selectors what more
/// than one of them wants is counted more than once.
void Engine::State::account_spill(MessageList& list) {
  std::map<std::string_view, std::uint64_t> most;
  for (const auto& reader : list.readers) {
    if (reader->spilled == 0) continue;
    std::uint64_t& bytes = most[reader->description.selector];
    bytes = std::max(bytes, reader->spilled_bytes);
  }
  std::uint64_t bytes = 0;
  for (const auto& [selector, farthest] : most) bytes += farthest;
  spilled_bytes += bytes;
  spilled_bytes -= std::exchange(list.spill->bytes, bytes);
  spill_blocked = false;
}

/// A durable subscription has nothing in the spill any more.
void Engine::State::end_spill_of(Reader& reader) {
  StoreOp operation;
  operation.kind = StoreOpKind::delete_reader;
  operation.list = reader.list.spill->list;
  operation.reader = std::exchange(reader.spill_reader, kQueueReader);
  reader.spilled = reader.spilled_bytes = 0;
  for (const auto& lane : reader.lanes) {
    if (lane) lane->unwanted = {};
  }
  flush_acks();
  store.append({&operation, 1});
  account_spill(reader.list);
}

void Engine::State::drop_spilled(Reader& reader) {
  if (reader.spilled == 0) return;
  reader.depth -= reader.spilled;
  reader.depth_bytes -= std::min(reader.depth_bytes, reader.spilled_bytes);
  for (std::size_t priority = 0; priority < reader.lanes.size(); ++priority) {
    if (!reader.lanes[priority] || reader.lanes[priority]->spilled == 0) continue;
    Lane& lane = *reader.list.lanes[priority];
    lane.spilled->entries -= std::exchange(reader.lanes[priority]->spilled, 0);
    if (lane.spilled->entries == 0) lane.spilled.reset();
    const auto& cursor = reader.front.cursors[priority];
    if (!cursor || !cursor->spilled) continue;
    drop_pages(*cursor->spilled);
    cursor->spilled.reset();
  }
  for (auto* walk : reader.walks) {
    walk->portion_gone.merge(walk->spilled);
    walk->spilled.clear();
    walk->unspilled.clear();
    if (std::exchange(walk->spill_request, 0) != 0) wake(*walk);
  }
  end_spill_of(reader);
}

/// The list goes, and with it what it has on disk.
void Engine::State::drop_spill(MessageList& list) {
  spilled_bytes -= list.spill->bytes;
  spill_blocked = false;
  StoreOp operation;
  operation.kind = StoreOpKind::delete_list;
  operation.list = list.spill->list;
  flush_acks();
  store.append({&operation, 1});
  list.spill.reset();
}

// --- and back ------------------------------------------------------------------------------------

/// Below which number all that is volatile, and waits, is in memory. Asks for the next page ahead
/// of need.
std::uint64_t Engine::State::known_spilled(Scan& scan, int priority) {
  const MessageList& list = scan.reader.list;
  const auto& lane = *list.lanes[static_cast<std::size_t>(priority)];
  Cursor& cursor = scan.cursor(priority);
  if (cursor.next >= lane.spilled->end) return kEverything;
  if (!list.is_queue() && scan.reader.lane(priority).spilled == 0) return kEverything;
  if (!cursor.spilled) cursor.spilled = std::make_unique<Pages>();
  Pages& pages = *cursor.spilled;
  const std::uint64_t known = std::max(cursor.next, pages.page_end);
  if (known >= lane.spilled->end) return kEverything;
  if (pages.page.size() < kPageEntriesMax / 4 && pages.page_request == 0 && !pages.damaged) {
    PageRequest request;
    request.list = list.spill->list;
    request.reader = scan.reader.spill_reader;
    request.priority = static_cast<std::uint8_t>(priority);
    request.first = known;
    request.end = lane.spilled->end;
    // What it does not come to is not to be in the page.
    if (scan.reader.acks_late) acknowledge_all_late(scan.reader);
    request.after = everything_submitted();
    pages.page_request =
        ask_for_page(scan, request, {list.id, scan.reader.id, priority, 0, true, 0, 0, {}, 0});
  }
  return known;
}

void Engine::State::take_spilled_page(Scan& scan, int priority, Page& page) {
  Pages& pages = *scan.cursor(priority).spilled;
  pages.page_request = 0;
  std::sort(pages.gone.begin(), pages.gone.end());
  const std::uint64_t known_before = std::max(scan.cursor(priority).next, pages.page_end);
  for (auto& loaded : page.entries) {
    if (std::binary_search(pages.gone.begin(), pages.gone.end(), loaded.sequence)) continue;
    Entry entry;
    entry.sequence = loaded.sequence;
    entry.message = std::move(loaded.message);
    entry.is_volatile = true;
    entry.unshared = !scan.reader.list.is_queue();
    page_added(*entry.message);
    pages.page.push_back(std::move(entry));
  }
  pages.gone.clear();
  pages.page_end = std::max(pages.page_end, page.covered_to);
  // A page that brings nothing and gets nowhere would be asked for again for ever.
  pages.damaged =
      page.error.has_value() || (page.entries.empty() && page.covered_to <= known_before);
  if (page.error) note_damage(scan.reader, priority, page, pages);
  mark_ready(scan);
}

/// The first of the scan's spilled page: in memory for good from here on.
Entry Engine::State::take_spilled(Scan& scan, int priority) {
  auto& page = scan.cursor(priority).spilled->page;
  Entry entry = std::move(page.front());
  page.pop_front();
  page_removed(*entry.message);
  leave_spill(scan.reader, priority, entry, &scan);
  return entry;
}

/// It is in memory for good, and in no page of a scan but `taker`'s, which need not be one.
void Engine::State::leave_spill(Reader& reader, int priority, const Entry& entry,
                                const Scan* taker) {
  held_bytes += entry.message->footprint();
  reader.list.volatile_bytes += entry.message->footprint();
  left_spill(reader, priority, entry.sequence, entry.message->flat().size(), taker);
}

/// A message of that size is on disk no more, and in no page of a scan but `taker`'s.
void Engine::State::left_spill(Reader& reader, int priority, std::uint64_t sequence,
                               std::uint64_t size, const Scan* taker) {
  MessageList& list = reader.list;
  Lane& lane = list.lane(priority);
  --lane.spilled->entries;
  spill_blocked = false;
  add_ack(list.spill->list, reader.spill_reader, priority, sequence);
  bool some_left = lane.spilled->entries > 0;
  if (list.is_queue()) {
    list.spill->bytes -= size;
    spilled_bytes -= size;
  } else {
    some_left = --reader.lane(priority).spilled > 0;
    reader.spilled_bytes -= std::min(reader.spilled_bytes, size);
    if (--reader.spilled % kAccountEvery == 0 && reader.spilled > 0) account_spill(list);
  }
  for (auto* walk : reader.walks) walk->forget_spilled(priority, sequence);
  if (!expiry_pages.empty()) gone_while_expiring(reader, priority, sequence, true);
  reader.for_each_scan([&](Scan& other) {
    const auto& cursor = other.cursors[static_cast<std::size_t>(priority)];
    if (&other == taker || !cursor || !cursor->spilled) return;
    Pages& pages = *cursor->spilled;
    if (pages.page_request != 0) pages.gone.push_back(sequence);
    const auto at = lower_bound_sequence(pages.page, sequence);
    if (at == pages.page.size() || pages.page[at].sequence != sequence) return;
    if (!pages.page[at].message) return;
    page_removed(*pages.page[at].message);
    pages.page[at].message.reset();
  });
  if (some_left) return;
  if (lane.spilled->entries == 0) lane.spilled.reset();
  if (!list.is_queue() && reader.spilled == 0) end_spill_of(reader);
  reader.for_each_scan([&](Scan& each) {
    const auto& cursor = each.cursors[static_cast<std::size_t>(priority)];
    if (!cursor || !cursor->spilled) return;
    // The page that it waits for will find itself unwanted, and wake nobody.
    if (cursor->spilled->page_request != 0) mark_ready(each);
    drop_pages(*cursor->spilled);
    cursor->spilled.reset();
  });
}

}  // namespace pabal::core
