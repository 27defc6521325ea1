#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// Going through a queue without taking (queue_walk.h says how), taking one message out of its turn,
// and browsers, which are subscriptions that walk.

namespace pabal::core {
namespace {

constexpr std::uint32_t kWalkPageEntriesMax = 256;
constexpr std::uint64_t kWalkPageBytesMax = 256ULL << 10;
constexpr std::size_t kWalkPortionMax = 256;

bool by_sequence(const Entry& a, const Entry& b) noexcept {
  return a.sequence < b.sequence;
}

}  // namespace

// --- one message ---------------------------------------------------------------------------------

/// Of a message that the store has (or had) unacknowledged, or that is in memory.
Standing Engine::State::standing(const Reader& reader, int priority, std::uint64_t sequence,
                                 bool is_volatile) const {
  const auto place = std::pair(9 - priority, sequence);
  if (const auto delayed = reader.delayed.find(place); delayed != reader.delayed.end()) {
    return delayed->second.recalled ? Standing::out : Standing::delayed;
  }
  const Ticket synced = std::max(durable, store.durable());
  if (const auto back = reader.returned.find(place); back != reader.returned.end()) {
    // Invisible: an XA branch has let it go, and holds it again after a crash now.
    return back->second.visible_after > synced ? Standing::invisible : Standing::waiting;
  }
  const auto& lane = reader.list.lanes[static_cast<std::size_t>(priority)];
  if (!lane) return Standing::gone;
  const auto found_in = [&](const Ring<Entry>& ring) -> std::optional<Standing> {
    const auto at = lower_bound_sequence(ring, sequence);
    if (at == ring.size() || ring[at].sequence != sequence || !ring[at].message) return {};
    return ring[at].visible_after > synced ? Standing::invisible : Standing::waiting;
  };
  if (is_volatile) return found_in(lane->volatile_entries).value_or(Standing::out);
  if (sequence >= lane->window_begin) return found_in(lane->window).value_or(Standing::out);
  const auto& cursor = reader.front.cursors[static_cast<std::size_t>(priority)];
  if (cursor && sequence < cursor->next) return Standing::out;
  const auto& known = reader.lanes[static_cast<std::size_t>(priority)];
  if (known && known->taken_ahead.contains(sequence)) return Standing::out;
  return Standing::waiting;
}

std::optional<Entry> Engine::State::take_out_of_turn(Reader& reader, int priority,
                                                     std::uint64_t sequence, bool is_volatile,
                                                     const Entry* read_back) {
  const Standing stands = standing(reader, priority, sequence, is_volatile);
  if (stands == Standing::delayed) {
    if (!is_volatile && read_back == nullptr) return std::nullopt;
    auto waited = take_delayed(reader, priority, sequence);
    if (waited && !waited->message) {
      waited->message = read_back->message;
      held_bytes += waited->message->footprint();
    }
    return waited;
  }
  if (stands != Standing::waiting) return std::nullopt;
  if (const auto at = reader.returned.find({9 - priority, sequence}); at != reader.returned.end()) {
    Entry entry = std::move(at->second);
    reader.returned.erase(at);
    if (!errands.empty()) errands_due = true;  // more may come back
    return entry;
  }
  Lane& lane = reader.list.lane(priority);
  const auto take_from = [&](Ring<Entry>& ring, std::size_t& gaps) {
    const auto at = lower_bound_sequence(ring, sequence);
    Entry entry;
    if (at == ring.size() || ring[at].sequence != sequence || !ring[at].message) return entry;
    entry = ring[at];
    leave_gap(ring, gaps, at);
    return entry;
  };
  if (is_volatile) return take_from(lane.volatile_entries, lane.volatile_gaps);
  Entry entry = take_from(lane.window, lane.window_gaps);
  if (entry.message) {
    window_removed(reader.list, entry);
  } else {
    entry = take_from_pages(reader, priority, sequence);
    if (!entry.message && read_back != nullptr) entry = *read_back;
    if (!entry.message) return std::nullopt;
  }
  ReaderLane& known = reader.lane(priority);
  known.taken_ahead.insert(sequence);  // or a scan's next page would bring it
  entry.maybe_delivered = entry.maybe_delivered || sequence < known.recovered_touched_to;
  held_bytes += entry.message->footprint();
  return entry;
}

/// Out of every scan's page, where any has it.
Entry Engine::State::take_from_pages(Reader& reader, int priority, std::uint64_t sequence) {
  Entry entry;
  reader.for_each_scan([&](Scan& scan) {
    const auto& cursor = scan.cursors[static_cast<std::size_t>(priority)];
    if (!cursor) return;
    const auto at = lower_bound_sequence(cursor->page, sequence);
    if (at == cursor->page.size() || cursor->page[at].sequence != sequence) return;
    if (!cursor->page[at].message) return;
    page_removed(*cursor->page[at].message);
    entry = cursor->page[at];
    cursor->page[at].message.reset();
  });
  return entry;
}

// --- the walk ------------------------------------------------------------------------------------

Result<void> Engine::State::begin_walk(Walk& walk, Reader& reader) {
  if (walks.size() >= limits.walks_max) {
    return Error{Errc::quota_exceeded, "walks_max: " + std::to_string(walks.size()) +
                                           " browsers and commands go through queues already"};
  }
  walk.id = WalkId{++last_walk};
  walk.reader = &reader;
  for (int priority = 0; priority < kPriorities; ++priority) {
    const auto& lane = reader.list.lanes[static_cast<std::size_t>(priority)];
    walk.ends[static_cast<std::size_t>(priority)] = lane ? lane->next_sequence : 1;
  }
  enter_lane(walk, kPriorities - 1, 1);
  walks[walk.id] = &walk;
  reader.walks.push_back(&walk);
  return {};
}

/// From here on it is at nobody's, and nobody points at it.
void Engine::State::end_walk(Walk& walk) {
  enter_lane(walk, -1, 1);
  if (walk.reader != nullptr) std::erase(walk.reader->walks, &walk);
  walk.reader = nullptr;
  walks.erase(walk.id);
}

/// Drops what it has of the lane where it was.
void Engine::State::enter_lane(Walk& walk, int priority, std::uint64_t from) {
  for (std::size_t i = 0; i < walk.page.size(); ++i) {
    window_bytes -= walk.page[i].message->footprint();
  }
  walk.page.clear();
  walk.portion.clear();
  walk.portion_gone.clear();
  walk.page_request = 0;  // an answer under way finds itself unwanted
  walk.gone.clear();
  walk.spill_request = 0;
  walk.spilled.clear();
  walk.unspilled.clear();
  walk.priority = priority;
  walk.page_begin = walk.page_end = walk.portion_end = from;
}

WalkStep Engine::State::walk_step(Walk& walk) {
  if (walk.reader == nullptr) return {};
  MessageList& list = walk.reader->list;
  for (; walk.priority >= 0; enter_lane(walk, walk.priority - 1, 1)) {
    const std::uint64_t end = walk.ends[static_cast<std::size_t>(walk.priority)];
    if (walk.page_request != 0) return {WalkStep::Kind::reading, nullptr, walk.priority};
    if (list.stored && walk.page.empty() && walk.page_end < end) {
      read_walk_page(walk);
      return {WalkStep::Kind::reading, nullptr, walk.priority};
    }
    while (walk.portion.empty() && walk.portion_end < end) {
      if (!fill_portion(walk, end)) return {WalkStep::Kind::reading, nullptr, walk.priority};
    }
    // What the other one has below these is in memory: each is known up to its first, or the end.
    if (walk.page.empty() && walk.portion.empty()) continue;
    const bool stored_first =
        walk.portion.empty() ||
        (!walk.page.empty() && walk.page.front().sequence < walk.portion.front().sequence);
    Entry& entry = stored_first ? walk.page.front() : walk.portion.front();
    return {WalkStep::Kind::message, &entry, walk.priority};
  }
  return {};
}

void Engine::State::walk_on(Walk& walk) {
  const bool stored_first =
      walk.portion.empty() ||
      (!walk.page.empty() && walk.page.front().sequence < walk.portion.front().sequence);
  if (stored_first) {
    window_bytes -= walk.page.front().message->footprint();
    walk.page.pop_front();
  } else {
    walk.portion.pop_front();
  }
}

Standing Engine::State::standing(const Walk& walk, const Entry& entry) const {
  if (entry.is_volatile && walk.portion_gone.contains(entry.sequence)) return Standing::gone;
  if (entry.is_volatile && walk.spilled.contains(entry.sequence)) return Standing::waiting;
  if (!entry.is_volatile && walk.gone.contains(entry.sequence)) return Standing::gone;
  return standing(*walk.reader, walk.priority, entry.sequence, entry.is_volatile);
}

std::optional<Entry> Engine::State::take_found(Walk& walk, const Entry& found) {
  const Standing stands = standing(walk, found);
  if (stands != Standing::waiting && stands != Standing::delayed) return std::nullopt;
  if (!found.is_volatile || !walk.spilled.contains(found.sequence)) {
    return take_out_of_turn(*walk.reader, walk.priority, found.sequence, found.is_volatile, &found);
  }
  Entry entry = found;
  leave_spill(*walk.reader, walk.priority, entry, nullptr);
  return entry;
}

void Engine::State::read_walk_page(Walk& walk) {
  PageRequest request;
  request.id = ++last_page;
  request.list = walk.reader->list.id;
  request.reader = walk.reader->id;
  request.priority = static_cast<std::uint8_t>(walk.priority);
  request.first = walk.page_end;
  request.end = walk.ends[static_cast<std::size_t>(walk.priority)];
  request.entries_max = kWalkPageEntriesMax;
  request.bytes_max = kWalkPageBytesMax;
  flush_acks();
  request.after = store.submitted();
  walk.gone.clear();
  walk.page_begin = walk.page_end;
  walk.page_request = request.id;
  pages_requested[request.id] = {
      request.list, request.reader, walk.priority, 0, false, 0, 0, walk.id, 0};
  store.read(request);
}

void Engine::State::take_walk_page(Walk& walk, Page& page) {
  if (walk.page_request != page.request) return;  // it went to another lane meanwhile
  walk.page_request = 0;
  const std::uint64_t recovered_touched = [&] {
    const auto& known = walk.reader->lanes[static_cast<std::size_t>(walk.priority)];
    return known ? known->recovered_touched_to : 0;
  }();
  for (auto& loaded : page.entries) {
    Entry entry;
    entry.sequence = loaded.sequence;
    entry.message = std::move(loaded.message);
    entry.deliveries = loaded.deliveries;
    entry.maybe_delivered = entry.sequence < recovered_touched;
    window_bytes += entry.message->footprint();
    walk.page.push_back(std::move(entry));
  }
  const std::uint64_t covered_before = walk.page_end;
  walk.page_end = std::max(walk.page_end, page.covered_to);
  if (page.error) {
    if (walk.damaged++ == 0) walk.damage = page.error->text;
    skip_if_asked(walk, page, false);
    walk.page_end = std::max(walk.page_end, page.damaged + 1);
  }
  if (page.entries.empty() && walk.page_end == covered_before) {
    // Nothing more can be had of this lane, and asking again would be for ever.
    walk.page_end = walk.ends[static_cast<std::size_t>(walk.priority)];
  }
  walk.gone.erase(walk.gone.lower_bound(walk.page_end), walk.gone.end());
  wake(walk);
}

void Engine::State::wake(Walk& walk) {
  if (walk.browser != nullptr) mark_ready(*walk.browser);
  if (walk.task != nullptr) mark_ready(*walk.task);
}

bool Engine::State::fill_portion(Walk& walk, std::uint64_t end) {
  if (walk.spill_request != 0) return false;
  MessageList& list = walk.reader->list;
  const auto& spilled = list.lane(walk.priority).spilled;
  walk.spilled.clear();
  walk.portion_gone.clear();
  const bool has_spilled = list.is_queue() || walk.reader->lane(walk.priority).spilled > 0;
  if (!spilled || !has_spilled || walk.portion_end >= spilled->end) {
    walk.portion_end = gather_portion(walk, end, {});
    return true;
  }
  PageRequest request;
  request.list = list.spill->list;
  request.reader = walk.reader->spill_reader;
  request.priority = static_cast<std::uint8_t>(walk.priority);
  request.first = walk.portion_end;
  request.end = std::min(end, spilled->end);
  request.id = ++last_page;
  request.entries_max = kWalkPageEntriesMax;
  request.bytes_max = kWalkPageBytesMax;
  // What the reader does not come to is not to be in the page.
  if (walk.reader->acks_late) acknowledge_all_late(*walk.reader);
  request.after = everything_submitted();
  walk.unspilled.clear();
  walk.spill_request = request.id;
  pages_requested[request.id] = {list.id, walk.reader->id, walk.priority, 0, true, 0, 0, walk.id,
                                 0};
  store.read(request);
  return false;
}

void Engine::State::take_spilled_portion(Walk& walk, Page& page) {
  if (walk.spill_request != page.request) return;
  walk.spill_request = 0;
  std::vector<Entry> found;
  for (auto& loaded : page.entries) {
    if (walk.unspilled.contains(loaded.sequence)) continue;
    Entry entry;
    entry.sequence = loaded.sequence;
    entry.message = std::move(loaded.message);
    entry.is_volatile = true;
    entry.unshared = !walk.reader->list.is_queue();
    walk.spilled.insert(entry.sequence);
    found.push_back(std::move(entry));
  }
  const bool taken_meanwhile = page.error && walk.unspilled.contains(page.damaged);
  walk.unspilled.clear();
  std::uint64_t covered = page.covered_to;
  if (page.error) {
    if (walk.damaged++ == 0) walk.damage = page.error->text;
    if (!taken_meanwhile) skip_if_asked(walk, page, true);
    covered = std::max(covered, page.damaged + 1);
  }
  const std::uint64_t end = walk.ends[static_cast<std::size_t>(walk.priority)];
  if (covered <= walk.portion_end) covered = end;  // nothing more can be had of it
  walk.portion_end = gather_portion(walk, std::min(covered, end), std::move(found));
  wake(walk);
}

/// The next few of the lane that are not stored, with those `found` on disk: waiting, returned, and
/// out. Answers up to where.
std::uint64_t Engine::State::gather_portion(Walk& walk, std::uint64_t end,
                                            std::vector<Entry> found) {
  Reader& reader = *walk.reader;
  const std::uint64_t from = walk.portion_end;
  const bool whole = !found.empty();  // what a page brought is not asked for again
  const auto count_at_first = found.size();
  const auto& ring = reader.list.lane(walk.priority).volatile_entries;
  for (auto at = lower_bound_sequence(ring, from);
       at < ring.size() && ring[at].sequence < end &&
       (whole || found.size() - count_at_first <= kWalkPortionMax);
       ++at) {
    if (ring[at].message) found.push_back(ring[at]);
  }
  const auto count_before = found.size();
  for (auto at = reader.returned.lower_bound({9 - walk.priority, from});
       at != reader.returned.end() && at->first.first == 9 - walk.priority &&
       at->first.second < end && (whole || found.size() - count_before <= kWalkPortionMax);
       ++at) {
    if (at->second.is_volatile) found.push_back(at->second);
  }
  for (auto at = reader.delayed.lower_bound({9 - walk.priority, from});
       at != reader.delayed.end() && at->first.first == 9 - walk.priority && at->first.second < end;
       ++at) {
    if (at->second.entry.is_volatile) found.push_back(at->second.entry);
  }
  if (reader.in_flight > 0) {
    for_each_out(reader, [&](const InFlight& delivery, const Subscription&) {
      const Entry& entry = delivery.entry;
      if (!entry.is_volatile || delivery.priority != walk.priority) return;
      if (entry.sequence >= from && entry.sequence < end) found.push_back(entry);
    });
  }
  std::sort(found.begin(), found.end(), by_sequence);
  if (!whole && found.size() > kWalkPortionMax) {
    found.resize(kWalkPortionMax);
    end = found.back().sequence + 1;
  }
  for (auto& entry : found) walk.portion.push_back(std::move(entry));
  return end;
}

/// The queue goes: its walks are at their end, and their owners find out.
void Engine::State::orphan_walks(Reader& reader) {
  while (!reader.walks.empty()) {
    Walk& walk = *reader.walks.back();
    reader.walks.pop_back();
    enter_lane(walk, -1, 1);
    walk.reader = nullptr;
    wake(walk);
  }
}

// --- browsers ------------------------------------------------------------------------------------

Result<void> Engine::State::check_browser(const SubscribeOptions& options) {
  const Destination& destination = options.interests.front().destination;
  if (!is_queue(destination.kind)) {
    return Error{Errc::invalid_argument,
                 "only a queue can be browsed, not " + destination.to_text()};
  }
  if (destination.is_pattern()) {
    return Error{Errc::invalid_argument,
                 "a browser takes one queue, not the pattern " + destination.to_text()};
  }
  if (!options.durable_name.empty()) {
    return Error{Errc::invalid_argument, "a browser is not durable"};
  }
  if (walks.size() >= limits.walks_max) {
    return Error{Errc::quota_exceeded, "walks_max: " + std::to_string(walks.size()) +
                                           " browsers and commands go through queues already"};
  }
  return {};
}

/// Hands out copies while there is credit and room in the socket, then the end mark.
void Engine::State::browse(Subscription& subscription, std::uint32_t& steps) {
  Walk& walk = *subscription.walk;
  while (has_room(subscription)) {
    if (steps == 0) {
      mark_ready(subscription);
      return;
    }
    --steps;
    const WalkStep step = walk_step(walk);
    if (step.kind == WalkStep::Kind::reading) return;
    if (step.kind == WalkStep::Kind::end) {
      end_walk(walk);
      subscription.walk.reset();
      deliver_browse_end(subscription);
      return;
    }
    const Entry& found = *step.entry;
    const Standing stands = standing(walk, found);
    const bool wanted =
        stands != Standing::gone && stands != Standing::invisible && !found.message->expired(now) &&
        (subscription.selector == nullptr ||
         subscription.selector->matches(
             *found.message, {found.deliveries, found.deliveries > 0 || found.maybe_delivered,
                              walk.reader->list.selector_destination()}));
    if (wanted && !subscription.has_credit()) return;
    if (wanted) {
      Entry copy;
      copy.sequence = found.sequence;
      copy.message = found.message;
      copy.deliveries = found.deliveries;
      copy.maybe_delivered = found.maybe_delivered;
      copy.is_volatile = true;  // nothing stands behind it
      auto place = delivery_place(walk.reader->list, *copy.message);
      deliver(subscription, nullptr, step.priority, std::move(copy), std::move(place));
    }
    walk_on(walk);
  }
}

/// A delivery without a message, which asks for nothing back.
void Engine::State::deliver_browse_end(Subscription& subscription) {
  Connection& connection = subscription.connection;
  Delivery end;
  end.connection = connection.id;
  end.subscription = subscription.id;
  end.tag = subscription.options.tag;
  end.number = ++connection.last_number;
  connection.unwritten.push_back({nullptr, end.number, 0, 1, 0, false});
  outbox_of(connection).deliveries.push_back(std::move(end));
}

}  // namespace pabal::core
