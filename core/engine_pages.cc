#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// Reading back, by page, what is not in memory: each scan ahead of its need, and all of them
// together within window_bytes_max, however many come at once.

namespace pabal::core {
namespace {

constexpr std::uint64_t kPageBytesMax = 1ULL << 20;
constexpr std::uint64_t kPageBytesMin = 64ULL << 10;
/// What a page takes beside its messages' bytes.
constexpr std::uint64_t kPageOverhead = kPageEntriesMax * sizeof(Message);
/// Without so much room no page is asked for.
constexpr std::uint64_t kPageRoom = kPageBytesMin + kPageOverhead;

void forget(Ring<Scan*>& scans, const Scan& scan) {
  for (std::size_t i = scans.size(); i > 0; --i) {
    Scan* other = scans.front();
    scans.pop_front();
    if (other != &scan) scans.push_back(other);
  }
}

}  // namespace

void Engine::State::request_page(Scan& scan, int priority) {
  Cursor& cursor = scan.cursor(priority);
  if (cursor.page_request != 0 || cursor.damaged) return;
  const Reader& reader = scan.reader;
  const Lane& lane = *reader.list.lanes[static_cast<std::size_t>(priority)];
  PageRequest request;
  request.list = reader.list.id;
  request.reader = reader.id;
  request.priority = static_cast<std::uint8_t>(priority);
  request.first = std::max(cursor.next, cursor.page_end);
  request.end = lane.window_begin;
  // The page must have what has left the window, and nothing that is acknowledged. Behind the front
  // cursor nothing is asked for, and above it nothing is acknowledged but what was taken ahead; so
  // a reader that takes everything in turn need not wait until the store has synced what is new.
  const auto& known = reader.lanes[static_cast<std::size_t>(priority)];
  request.after =
      known && request.first < known->acked_ahead ? everything_submitted() : lane.left_window;
  cursor.page_request =
      ask_for_page(scan, request, {reader.list.id, reader.id, priority, 0, false, 0, 0, {}, 0});
}

// --- how much of it may be in memory at a time ---------------------------------------------------

/// Asks the store for a page of the scan's; the request's id. Zero: there is no room for it now.
std::uint64_t Engine::State::ask_for_page(Scan& scan, PageRequest& request, PageFor place) {
  const std::uint64_t room = room_for_pages(&scan);
  // With no other on its way one is always read, or nobody might ever make room.
  if (room < kPageRoom && pages_reserved > 0) return 0;
  request.bytes_max = std::clamp(room / 4, kPageBytesMin, kPageBytesMax);
  place.reserved = request.bytes_max + kPageOverhead;
  pages_reserved += place.reserved;
  return send_request(request, place);
}

std::uint64_t Engine::State::send_request(PageRequest& request, const PageFor& place) {
  request.id = ++last_page;
  request.entries_max = kPageEntriesMax;
  pages_requested[request.id] = place;
  store.read(request);
  return request.id;
}

/// The scan has nothing to give without a page, and was refused one: it goes on when there is room.
void Engine::State::await_page(Scan& scan) {
  if (!std::exchange(scan.awaits_page, true)) awaiting_pages.push_back(&scan);
}

/// What is left of the half of the window that pages may take. The pages of scans whose consumers
/// take nothing give way, but for those of `asking`: they read them again when these do.
std::uint64_t Engine::State::room_for_pages(const Scan* asking) {
  const auto room = [&] {
    const std::uint64_t used = page_bytes + pages_reserved;
    return limits.window_bytes_max / 2 > used ? limits.window_bytes_max / 2 - used : 0;
  };
  for (std::size_t i = blocked_with_pages.size(); i > 0 && room() < kPageRoom; --i) {
    Scan& scan = *blocked_with_pages.front();
    blocked_with_pages.pop_front();
    if (&scan == asking) {
      blocked_with_pages.push_back(&scan);
      continue;
    }
    scan.page_listed = false;
    const bool blocked =
        scan.waiting == WaitReason::no_credit || scan.waiting == WaitReason::socket_full;
    if (blocked) drop_loaded(scan);
  }
  return room();
}

/// Its consumers have no credit. Remembered if it has pages that others could need the room of.
void Engine::State::list_as_blocked(Scan& scan) {
  if (scan.page_listed) return;
  for (const auto& cursor : scan.cursors) {
    const bool any =
        cursor && (!cursor->page.empty() || (cursor->spilled && !cursor->spilled->page.empty()));
    if (!any) continue;
    scan.page_listed = true;
    blocked_with_pages.push_back(&scan);
    return;
  }
}

/// Wakes those that found no room for a page, as many as there is room for by now.
void Engine::State::grant_pages() {
  std::uint64_t pages = room_for_pages(nullptr) / kPageRoom;
  if (pages_reserved == 0) pages = std::max<std::uint64_t>(pages, 1);
  for (; pages > 0 && !awaiting_pages.empty(); --pages) {
    Scan& scan = *awaiting_pages.front();
    awaiting_pages.pop_front();
    scan.awaits_page = false;
    mark_ready(scan);
  }
}

// --- what comes ----------------------------------------------------------------------------------

void Engine::State::page_loaded(Page page) {
  if (take_schedule_page(page) || take_expiry_page(page)) return;
  if (take_retained_page(page) || take_pinned_page(page)) return;
  const auto asked = pages_requested.find(page.request);
  if (asked == pages_requested.end()) return;
  const PageFor place = asked->second;
  pages_requested.erase(asked);
  pages_reserved -= place.reserved;
  if (place.errand != 0) return errand_page(place.errand, page);
  const auto list = lists.find(place.list);
  if (list == lists.end()) return;
  if (raw(place.walk) != 0) {
    if (const auto walk = walks.find(place.walk); walk != walks.end()) {
      if (place.spilled) {
        take_spilled_portion(*walk->second, page);
      } else {
        take_walk_page(*walk->second, page);
      }
    }
    return;
  }
  if (Reader* reader = list->second->find_reader(place.reader)) {
    if (place.recall_to != 0) {
      take_recalled(*reader, place, page);
      return;
    }
    reader->for_each_scan([&](Scan& scan) {
      const auto& cursor = scan.cursors[static_cast<std::size_t>(place.priority)];
      if (!cursor) return;
      if (place.spilled) {
        if (cursor->spilled && cursor->spilled->page_request == page.request) {
          take_spilled_page(scan, place.priority, page);
        }
      } else if (cursor->page_request == page.request) {
        take_page(scan, place.priority, page);
      }
    });
  }
}

void Engine::State::take_page(Scan& scan, int priority, Page& page) {
  Cursor& cursor = scan.cursor(priority);
  cursor.page_request = 0;
  const auto& lane = scan.reader.lanes[static_cast<std::size_t>(priority)];
  std::sort(cursor.gone.begin(), cursor.gone.end());
  const auto is_gone = [&](std::uint64_t sequence) {
    return (lane && lane->taken_ahead.contains(sequence)) ||
           std::binary_search(cursor.gone.begin(), cursor.gone.end(), sequence);
  };
  const std::uint64_t covered_before = std::max(cursor.next, cursor.page_end);
  for (auto& loaded : page.entries) {
    if (is_gone(loaded.sequence)) continue;
    Entry entry;
    entry.sequence = loaded.sequence;
    entry.message = std::move(loaded.message);
    entry.deliveries = loaded.deliveries;
    entry.refusals = static_cast<std::uint16_t>(loaded.refusals);
    page_added(*entry.message);
    cursor.page.push_back(std::move(entry));
  }
  cursor.gone.clear();
  cursor.page_end = std::max(cursor.page_end, page.covered_to);
  // A page that brings nothing and gets nowhere would be asked for again for ever.
  cursor.damaged =
      page.error.has_value() || (page.entries.empty() && page.covered_to <= covered_before);
  if (page.error) note_damage(scan.reader, priority, page, cursor);
  // Ahead of need; but of a page read for its selector, hardly anything may leave.
  if (scan.is_front() && !cursor.page.empty()) {
    const std::uint64_t last = cursor.page[cursor.page.size() - 1].sequence;
    if (last >= scan.reader.lane(priority).touched_to) touch(scan.reader, priority, last);
  }
  mark_ready(scan);
}

/// The ticket of all that has been said by now, acknowledgements that are still gathered included.
Ticket Engine::State::everything_submitted() {
  flush_acks();
  return store.submitted();
}

void Engine::State::recall(Reader& reader, int priority, std::uint64_t first, std::uint64_t last) {
  PageRequest request;
  request.list = reader.list.id;
  request.reader = reader.id;
  request.priority = static_cast<std::uint8_t>(priority);
  request.first = first;
  request.end = last + 1;
  request.bytes_max = kPageBytesMax;
  request.after = everything_submitted();
  send_request(request, {reader.list.id, reader.id, priority, last, false, first, 0, {}, 0});
}

void Engine::State::take_recalled(Reader& reader, const PageFor& place, Page& page) {
  const int priority = place.priority;
  const std::uint64_t last = place.recall_to;
  const auto& lane = reader.lanes[static_cast<std::size_t>(priority)];
  for (auto& loaded : page.entries) {
    Entry entry;
    entry.sequence = loaded.sequence;
    entry.message = std::move(loaded.message);
    entry.deliveries = loaded.deliveries;
    entry.refusals = static_cast<std::uint16_t>(loaded.refusals);
    entry.maybe_delivered = lane && entry.sequence < lane->recovered_touched_to;
    if (const auto waited = take_delayed(reader, priority, entry.sequence)) {
      entry.maybe_delivered = waited->maybe_delivered;
    }
    held_bytes += entry.message->footprint();
    put_back(reader, priority, std::move(entry));
  }
  if (page.error) {
    // What cannot be read stays where it is; its neighbours come.
    const std::uint64_t damaged =
        std::clamp(std::max(page.damaged, page.covered_to), place.recall_from, last);
    recalled(reader, priority, place.recall_from, damaged, false);
    recalled(reader, priority, damaged, damaged + 1, true);
    if (damaged < last) recall(reader, priority, damaged + 1, last);
    return;
  }
  const bool over = page.covered_to > last;
  recalled(reader, priority, place.recall_from, over ? last + 1 : page.covered_to, false);
  if (over) return;
  if (page.entries.empty() && page.covered_to == 0) return;
  recall(reader, priority, page.covered_to, last);
}

void Engine::State::drop_pages(Scan& scan) {
  for (auto& cursor : scan.cursors) {
    if (!cursor) continue;
    drop_pages(*cursor);
    if (cursor->spilled) drop_pages(*cursor->spilled);
    cursor->spilled.reset();
  }
  if (std::exchange(scan.page_listed, false)) forget(blocked_with_pages, scan);
  if (std::exchange(scan.awaits_page, false)) forget(awaiting_pages, scan);
}

/// Those of its pages that have come.
void Engine::State::drop_loaded(Scan& scan) {
  for (auto& cursor : scan.cursors) {
    if (!cursor) continue;
    if (cursor->page_request == 0) drop_pages(*cursor);
    if (cursor->spilled && cursor->spilled->page_request == 0) drop_pages(*cursor->spilled);
  }
}

void Engine::State::drop_page_front(Pages& pages) {
  const auto& message = pages.page.front().message;
  if (message) page_removed(*message);
  pages.page.pop_front();
}

void Engine::State::drop_pages(Pages& pages) {
  while (!pages.page.empty()) drop_page_front(pages);
  pages.page.shrink();
  pages.page_end = 0;
  pages.page_request = 0;  // an answer under way finds itself unwanted
  pages.gone.clear();
}

}  // namespace pabal::core
