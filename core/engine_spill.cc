#include <algorithm>
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
// The spill lists are temporary queues to the store: the engine stores no others, so nobody can
// name one, and whoever finds one at a start knows what it is.

namespace pabal::core {
namespace {

/// Of one list at a time, so that one batch does not hold up what is to be synced.
constexpr std::uint32_t kSpillEntries = 256;
constexpr std::uint64_t kSpillBytes = 256ULL << 10;
/// Spilled, and not durable: more would make the store's other clients wait.
constexpr std::uint64_t kSpillUndurableMax = 8ULL << 20;

}  // namespace

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
    if (lane) waiting += lane->volatile_entries.size() - lane->volatile_gaps;
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

/// Moves what one batch may have, the lowest priority and the oldest first; how many, `steps` at
/// most.
std::uint32_t Engine::State::spill_from(MessageList& list, std::uint32_t steps) {
  Batch batch;
  if (!list.spill) {
    list.spill = std::make_unique<Spill>();
    list.spill->list = ListId{++last_list};
    StoreOp made;
    made.kind = StoreOpKind::create_list;
    made.list = list.spill->list;
    made.detail = std::make_unique<StoreOpDetail>();
    made.detail->list = {made.list, {DestinationKind::temporary_queue, list.destination.to_text()}};
    batch.operations.push_back(std::move(made));
  }
  std::uint32_t moved = 0;
  std::uint64_t bytes = 0;
  for (int priority = 0; priority < kPriorities; ++priority) {
    if (!list.lanes[static_cast<std::size_t>(priority)]) continue;
    Lane& lane = list.lane(priority);
    while (!lane.volatile_entries.empty() && moved < std::min(steps, kSpillEntries) &&
           bytes < kSpillBytes && admit_spill(*lane.volatile_entries.front().message)) {
      Entry entry = take_front(lane.volatile_entries, lane.volatile_gaps);
      for (auto* walk : list.reader().walks) walk->note_spilled(priority, entry.sequence);
      if (!lane.spilled) lane.spilled = std::make_unique<SpilledLane>();
      lane.spilled->end = entry.sequence + 1;
      ++lane.spilled->entries;
      const std::uint64_t size = entry.message->flat().size();
      ++moved;
      bytes += size;
      spilled_bytes += size;
      list.spill->bytes += size;
      list.volatile_bytes -= entry.message->footprint();
      if (list.has_blocked) room_at(list);
      unhold(*entry.message);
      StoreOp add;
      add.kind = StoreOpKind::add;
      add.priority = static_cast<std::uint8_t>(priority);
      add.list = list.spill->list;
      add.first = add.last = entry.sequence;
      add.message = std::move(entry.message);
      batch.operations.push_back(std::move(add));
    }
    lane.volatile_entries.shrink();
  }
  if (batch.operations.empty()) return moved;
  flush_acks();
  spill_ticket = store.append(batch.operations);
  spilled_undurable_bytes += bytes;
  return moved;
}

/// Sets room for one message aside, or notes that there is none.
bool Engine::State::admit_spill(const Message& message) {
  const std::uint64_t bytes = message.flat().size();
  if (spill_ticket <= durable) spilled_undurable_bytes = 0;
  spill_blocked = spilled_bytes + bytes > limits.spilled_bytes_max ||
                  spilled_undurable_bytes > kSpillUndurableMax ||
                  store.admit(bytes) != Admission::granted;
  return !spill_blocked;
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
  if (!cursor.spilled) cursor.spilled = std::make_unique<Pages>();
  Pages& pages = *cursor.spilled;
  const std::uint64_t known = std::max(cursor.next, pages.page_end);
  if (known >= lane.spilled->end) return kEverything;
  if (pages.page.size() < kPageEntriesMax / 4 && pages.page_request == 0 && !pages.damaged) {
    PageRequest request;
    request.list = list.spill->list;
    request.reader = kQueueReader;
    request.priority = static_cast<std::uint8_t>(priority);
    request.first = known;
    request.end = lane.spilled->end;
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
  list.spill->bytes -= size;
  spilled_bytes -= size;
  spill_blocked = false;
  add_ack(list.spill->list, kQueueReader, priority, sequence);
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
  if (lane.spilled->entries > 0) return;
  lane.spilled.reset();
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
