#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// What expires before its turn. The index (expiry_index.h) says which parts of which lanes have
// something due, and a part is looked at where its messages are: among what came back, among what
// waits for a redelivery, in the rings in memory, and on disk (what was spilled as well), where the
// store's own index picks what has expired, so that nothing else is read. What has not expired yet
// is noted again. So nothing is looked at that is not next to something due.
//
// The index is of parts, not of messages, so who takes a message leaves it alone: a look that finds
// nothing costs little. After a restart the store says what it has by larger parts
// (RecoveredExpiry), which the first look at each makes smaller.
//
// Only what waits expires. What is out to a consumer, in a transaction, or acknowledged in a
// prepared branch is noted again when it comes back. From a queue a message is taken as an
// operator's command takes it (take_out_of_turn), so it stands in ReaderLane::taken_ahead until its
// acknowledgement. A topic list's stored entry leaves the window when all its readers are through
// with it; a volatile one stays as long as it is out to one of them, and the others know by
// taken_ahead that they are.

namespace pabal::core {
namespace {

/// What has come due in so long a time is looked for together.
constexpr milliseconds kBeat{250};
/// Without room for dead letters.
constexpr milliseconds kRetry{1000};
/// What the disk did not give.
constexpr milliseconds kUnreadAgain{60'000};
/// Where expired messages are left to the consumers.
constexpr milliseconds kPolicyAgain{60'000};
// Of messages that are read to leave: 1 MB on their way, whatever else is in memory.
constexpr std::size_t kPagesMax = 4;
constexpr std::uint32_t kPageEntries = 128;
constexpr std::uint64_t kPageBytes = 256ULL << 10;
constexpr std::size_t kDueMax = 256;
/// So many entries of a ring are looked at for a step.
constexpr std::size_t kLooksPerStep = 64;

void spend(std::uint32_t& steps, std::size_t count) {
  steps -= static_cast<std::uint32_t>(std::min<std::size_t>(steps, count));
}

}  // namespace

/// `entry`, which expires, waits in the lane from here on.
void Engine::State::note_expiry(const MessageList& list, int priority, const Entry& entry) {
  if (entry.sequence % ExpiryIndex::kPart == 0) {
    // A new part: those that everybody has behind him say nothing any more.
    std::uint64_t behind = entry.sequence;
    for (const auto& reader : list.readers) {
      behind = std::min(behind, reader->front.position(static_cast<std::size_t>(priority)));
      behind = std::min(behind, first_kept(reader->returned, priority));
      behind = std::min(behind, first_kept(reader->delayed, priority));
    }
    expiry.forget_below(list.id, priority, behind);
  }
  expiry.note(list.id, priority, entry.sequence, entry.message->expiration());
  plan_expiry(from_millis(entry.message->expiration()));
}

void Engine::State::plan_expiry(TimePoint at) {
  wake_at(Timer::expiry, std::max(at, expiry_not_before));
}

void Engine::State::recover_expiry(const MessageList& list,
                                   const std::vector<RecoveredExpiry>& found) {
  for (const auto& part : found) {
    expiry.note({list.id, part.priority, part.first, part.last}, part.earliest);
    plan_expiry(from_millis(part.earliest));
  }
}

/// Works on what is due until nothing is, or it has to wait for pages or for room.
void Engine::State::expire_due(std::uint32_t& steps) {
  while (steps > 0 && expiry_pages.size() < kPagesMax &&
         expired_waiting.size() < kExpiredWaitingMax) {
    const auto part = expiry.take_due(now);
    if (!part) break;
    const std::uint32_t before = steps;
    expire_part(*part, steps);
    if (steps == before) --steps;
  }
  if (steps == 0) return;
  expiry_due = false;
  expiry_not_before = now + kBeat;
  if (const auto next = expiry.next()) plan_expiry(*next);
}

void Engine::State::expire_part(const ExpiryIndex::Part& part, std::uint32_t& steps) {
  const auto at = lists.find(part.list);
  if (at == lists.end()) return;
  MessageList& list = *at->second;
  if (!list.policy->expire_messages) {
    expiry.note(part, to_millis(now + kPolicyAgain));  // the policy may be another by then
    return;
  }
  if (!list.lanes[static_cast<std::size_t>(part.priority)]) return;
  const Lane& lane = list.lane(part.priority);
  for (const auto& reader : list.readers) expire_returned(*reader, part, steps);
  expire_in_ring(list, lane.window, part, steps);
  expire_in_ring(list, lane.volatile_entries, part, steps);
  ExpiryPage page;
  page.list = list.id;
  page.priority = part.priority;
  page.begin = part.first;
  page.end = part.last + 1;
  if (list.stored) (void)expire_on_disk(list, ReaderId{}, page);
  if (!lane.spilled || part.first >= lane.spilled->end) return;
  page.spilled = true;
  (void)expire_on_disk(list, ReaderId{}, page);
}

// --- in memory -----------------------------------------------------------------------------------

/// Also of what waits for a redelivery, where the message is in memory.
void Engine::State::expire_returned(Reader& reader, const ExpiryIndex::Part& part,
                                    std::uint32_t& steps) {
  if (reader.returned.empty() && reader.delayed.empty()) return;
  const int place = 9 - part.priority;
  const Ticket synced = std::max(durable, store.durable());
  std::vector<std::pair<std::uint64_t, bool>> due;
  const auto look = [&](std::uint64_t sequence, const Entry& entry) {
    if (!entry.message || entry.message->expiration() == 0) return;
    if (entry.message->expired(now) && entry.visible_after > synced) {
      expiry.note(reader.list.id, part.priority, sequence, to_millis(now + kBeat));
    } else if (entry.message->expired(now) && due.size() < kDueMax) {
      due.emplace_back(sequence, entry.is_volatile);
    } else {
      expiry.note(reader.list.id, part.priority, sequence, entry.message->expiration());
    }
  };
  for (auto at = reader.returned.lower_bound({place, part.first});
       at != reader.returned.end() && at->first <= std::pair(place, part.last); ++at) {
    look(at->first.second, at->second);
  }
  for (auto at = reader.delayed.lower_bound({place, part.first});
       at != reader.delayed.end() && at->first <= std::pair(place, part.last); ++at) {
    look(at->first.second, at->second.entry);
  }
  spend(steps, due.size());
  for (const auto& [sequence, is_volatile] : due) {
    expire_waiting(reader, part.priority, sequence, is_volatile, nullptr);
  }
}

void Engine::State::expire_in_ring(MessageList& list, const Ring<Entry>& ring,
                                   const ExpiryIndex::Part& part, std::uint32_t& steps) {
  const Ticket synced = std::max(durable, store.durable());
  std::vector<Entry> due;  // copies: what expires may come back to the same list as a dead letter
  auto at = lower_bound_sequence(ring, part.first);
  const auto begin = at;
  for (; at < ring.size() && ring[at].sequence <= part.last; ++at) {
    const Entry& entry = ring[at];
    if (!entry.message || entry.message->expiration() == 0) continue;
    if (!entry.message->expired(now)) {
      expiry.note(list.id, part.priority, entry.sequence, entry.message->expiration());
    } else if (entry.visible_after > synced) {
      expiry.note(list.id, part.priority, entry.sequence, to_millis(now + kBeat));
    } else if (due.size() == kDueMax || due.size() == steps) {
      // Later, and from here on.
      expiry.note({part.list, part.priority, entry.sequence, part.last}, to_millis(now));
      break;
    } else if (!entry.is_volatile || list.is_queue() || somebody_comes_to(list, part, entry)) {
      due.push_back(entry);
    }
  }
  if (list.is_queue()) {
    for (const Entry& entry : due) {
      expire_waiting(list.reader(), part.priority, entry.sequence, entry.is_volatile, nullptr);
    }
    spend(steps, due.size());
  } else {
    for (const Entry& entry : due) {
      const bool full = expired_waiting.size() >= kExpiredWaitingMax;
      if (steps == 0 || full) {
        expiry.note({part.list, part.priority, entry.sequence, part.last},
                    to_millis(full ? now + kRetry : now));
        break;
      }
      expire_in_topic(list, part.priority, entry);
      spend(steps, list.readers.size());
    }
  }
  spend(steps, (at - begin) / kLooksPerStep);
}

/// One that waits, and has expired: of a queue, wherever it is; of a topic list, that came back to
/// a reader or is delayed. `read_back`: as the disk has it.
void Engine::State::expire_waiting(Reader& reader, int priority, std::uint64_t sequence,
                                   bool is_volatile, const Entry* read_back) {
  if (expired_waiting.size() >= kExpiredWaitingMax) {
    expiry.note(reader.list.id, priority, sequence, to_millis(now + kRetry));
    return;
  }
  auto entry = take_out_of_turn(reader, priority, sequence, is_volatile, read_back);
  if (entry) expire_or_keep(reader, priority, std::move(*entry));
}

/// Whether a topic list's entry has a reader before it. One that is not stored stays for those that
/// have it out.
bool Engine::State::somebody_comes_to(const MessageList& list, const ExpiryIndex::Part& part,
                                      const Entry& entry) {
  const auto priority = static_cast<std::size_t>(part.priority);
  if (entry.sequence < list.lanes[priority]->ring_begin) return false;  // it is spilled for them
  return std::any_of(list.readers.begin(), list.readers.end(),
                     [&](const auto& reader) { return comes_to(*reader, priority, entry); });
}

/// Whether the reader of a topic list has the entry before it.
bool Engine::State::comes_to(const Reader& reader, std::size_t priority, const Entry& entry) {
  const auto& lane = reader.lanes[priority];
  if (entry.is_volatile && !reader.owns_volatile(priority, entry.sequence)) return false;
  return reader.front.position(priority) <= entry.sequence && wants(reader, *entry.message) &&
         !(lane && lane->taken_ahead.contains(entry.sequence));
}

/// One that no reader has had back. It goes for all at once that have not come to it: nobody
/// remembers for a stored one who is through with it.
void Engine::State::expire_in_topic(MessageList& list, int priority, const Entry& entry) {
  for (const auto& reader : list.readers) {
    if (reader->front.position(static_cast<std::size_t>(priority)) > entry.sequence) continue;
    if (!wants(*reader, *entry.message)) continue;
    const auto lane = static_cast<std::size_t>(priority);
    if (entry.is_volatile && !reader->owns_volatile(lane, entry.sequence)) continue;
    if (!reader->lane(priority).taken_ahead.insert(entry.sequence).second) continue;
    if (!entry.is_volatile) held_bytes += entry.message->footprint();  // as if delivered
    expire_or_keep(*reader, priority, entry);
  }
  if (entry.is_volatile) return;  // whoever has it last takes it away
  Lane& lane = list.lane(priority);
  const auto at = lower_bound_sequence(lane.window, entry.sequence);
  if (at == lane.window.size() || lane.window[at].sequence != entry.sequence) return;
  if (!lane.window[at].message) return;
  window_removed(list, entry);
  leave_gap(lane.window, lane.window_gaps, at);
}

/// `entry` was taken, and is held.
void Engine::State::expire_or_keep(Reader& reader, int priority, Entry entry) {
  if (expire(reader, priority, entry)) return;
  expired_waiting.push_back({reader.list.id, reader.id, priority, std::move(entry)});
}

/// A topic list's reader comes to what left before its turn.
bool Engine::State::skip_expired(Scan& scan, const Candidate& candidate) {
  const auto& lane = scan.reader.lanes[static_cast<std::size_t>(candidate.priority)];
  if (!lane || lane->taken_ahead.empty()) return false;
  if (candidate.from == Candidate::From::returned) return false;
  if (!lane->taken_ahead.contains(candidate.entry->sequence)) return false;
  (void)take(scan, candidate);
  return true;
}

/// A volatile entry leaves a topic list for good.
void Engine::State::forget_expired(MessageList& list, int priority, std::uint64_t sequence) {
  for (const auto& reader : list.readers) {
    const auto& lane = reader->lanes[static_cast<std::size_t>(priority)];
    if (lane && !lane->taken_ahead.empty()) lane->taken_ahead.erase(sequence);
  }
}

// --- on disk -------------------------------------------------------------------------------------

/// What of the page's part may be on disk and wait for `reader`: from, and one past. Nothing:
/// equal.
std::pair<std::uint64_t, std::uint64_t> Engine::State::range_on_disk(const Reader& reader,
                                                                     const ExpiryPage& page) {
  const auto priority = static_cast<std::size_t>(page.priority);
  const Lane& lane = *reader.list.lanes[priority];
  if (page.spilled) {
    const bool any = reader.list.is_queue() || reader.spilled > 0;
    return {page.begin, any ? std::min(page.end, lane.spilled->end) : page.begin};
  }
  std::uint64_t first = std::max(page.begin, reader.front.position(priority));
  std::uint64_t end = std::min(page.end, lane.window_begin);
  if (first >= end) first = end = page.end;
  if (reader.delayed.empty()) return {first, end};
  // What waits for a redelivery was taken, and has no place in memory.
  const int place = 9 - page.priority;
  const auto from = reader.delayed.lower_bound({place, page.begin});
  const auto to = reader.delayed.lower_bound({place, page.end});
  if (from == to) return {first, end};
  const std::uint64_t last = std::prev(to)->first.second;
  if (first == end) return {from->first.second, last + 1};
  return {std::min(first, from->first.second), std::max(end, last + 1)};
}

/// Asks for what has expired of `page`, for the first reader from `from` on that has something of
/// it before it. False: there is none.
bool Engine::State::expire_on_disk(MessageList& list, ReaderId from, ExpiryPage page) {
  if (!list.lanes[static_cast<std::size_t>(page.priority)]) return false;
  if (page.spilled && !list.lane(page.priority).spilled) return false;
  for (auto at =
           std::lower_bound(list.readers.begin(), list.readers.end(), from,
                            [](const auto&reader, ReaderId wanted) { return reader->id < wanted; });
       at != list.readers.end(); ++at) {
    Reader& reader = **at;
    auto [first, end] = range_on_disk(reader, page);
    if (reader.id == page.reader) first = std::max(first, page.first);
    if (first >= end) continue;
    PageRequest request;
    request.id = ++last_page;
    request.list = page.spilled ? list.spill->list : list.id;
    request.reader = page.spilled ? reader.spill_reader : reader.id;
    request.priority = static_cast<std::uint8_t>(page.priority);
    request.first = first;
    request.end = end;
    request.entries_max = kPageEntries;
    request.bytes_max = kPageBytes;
    request.due_by = to_millis(now);
    // What it does not come to of the spilled ones is not to be in the page.
    if (page.spilled && reader.acks_late) acknowledge_all_late(reader);
    request.after = everything_submitted();
    page.reader = reader.id;
    page.spill_reader = reader.spill_reader;
    page.first = first;
    page.gone.clear();
    expiry_pages[request.id] = page;
    store.read(request);
    return true;
  }
  return false;
}

/// It was acknowledged: a page that was asked for before may still bring it.
void Engine::State::gone_while_expiring(const Reader& reader, int priority, std::uint64_t sequence,
                                        bool spilled) {
  for (auto& [id, page] : expiry_pages) {
    if (page.list != reader.list.id || page.reader != reader.id || page.priority != priority ||
        page.spilled != spilled || sequence < page.first || sequence >= page.end) {
      continue;
    }
    page.gone.push_back(sequence);
  }
}

bool Engine::State::take_expiry_page(Page& page) {
  const auto found = expiry_pages.find(page.request);
  if (found == expiry_pages.end()) return false;
  ExpiryPage asked = std::move(found->second);
  expiry_pages.erase(found);
  expiry_due = true;
  const auto at = lists.find(asked.list);
  if (at == lists.end()) return true;
  MessageList& list = *at->second;
  std::sort(asked.gone.begin(), asked.gone.end());
  if (Reader* reader = list.find_reader(asked.reader)) {
    for (auto& loaded : page.entries) {
      if (std::binary_search(asked.gone.begin(), asked.gone.end(), loaded.sequence)) continue;
      expire_loaded(*reader, asked, loaded);
    }
  }
  for (const auto& [sequence, time] : page.later) {
    expiry.note(list.id, asked.priority, sequence, time);
  }
  ReaderId from = asked.reader;
  if (page.error) {
    // What cannot be read stays where it is: the list's own reading meets it and says so.
    if (page.damaged >= asked.first) {
      asked.first = page.damaged + 1;
    } else {
      expiry.note({list.id, asked.priority, asked.first, asked.end - 1},
                  to_millis(now + kUnreadAgain));
      from = ReaderId{raw(asked.reader) + 1};
    }
  } else if (page.covered_to > asked.first && page.covered_to < asked.end) {
    asked.first = page.covered_to;
  } else {
    from = ReaderId{raw(asked.reader) + 1};
  }
  (void)expire_on_disk(list, from, std::move(asked));
  return true;
}

void Engine::State::expire_loaded(Reader& reader, const ExpiryPage& asked, PageEntry& loaded) {
  Entry entry;
  entry.sequence = loaded.sequence;
  entry.message = std::move(loaded.message);
  entry.deliveries = loaded.deliveries;
  entry.refusals = static_cast<std::uint16_t>(loaded.refusals);
  entry.is_volatile = asked.spilled;
  entry.unshared = asked.spilled && !reader.list.is_queue();
  const std::pair place(9 - asked.priority, entry.sequence);
  if (asked.spilled) {
    if (reader.spill_reader != asked.spill_reader) return;  // it has left all that it had there
    if (expired_waiting.size() >= kExpiredWaitingMax) {
      expiry.note(reader.list.id, asked.priority, entry.sequence, to_millis(now + kRetry));
      return;
    }
    leave_spill(reader, asked.priority, entry, nullptr);
    expire_or_keep(reader, asked.priority, std::move(entry));
    return;
  }
  if (reader.list.is_queue() || reader.returned.contains(place) || reader.delayed.contains(place)) {
    expire_waiting(reader, asked.priority, entry.sequence, false, &entry);
    return;
  }
  // Of a topic list: it may have been taken since, or refused when it came.
  const Lane& lane = *reader.list.lanes[static_cast<std::size_t>(asked.priority)];
  if (entry.sequence < reader.front.position(static_cast<std::size_t>(asked.priority))) return;
  if (entry.sequence >= lane.window_begin || !wants(reader, *entry.message)) return;
  ReaderLane& known = reader.lane(asked.priority);
  if (known.taken_ahead.contains(entry.sequence)) return;
  if (expired_waiting.size() >= kExpiredWaitingMax) {
    expiry.note(reader.list.id, asked.priority, entry.sequence, to_millis(now + kRetry));
    return;
  }
  known.taken_ahead.insert(entry.sequence);
  (void)take_from_pages(reader, asked.priority, entry.sequence);
  held_bytes += entry.message->footprint();  // as if delivered
  expire_or_keep(reader, asked.priority, std::move(entry));
}

}  // namespace pabal::core
