#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// What is on disk and cannot be read. It stays where it is and holds up its lane, because order was
// promised and the disk may be mended, until an operator has it skipped: then it is acknowledged
// unread. Only what a fresh reading could not bring is skipped, and only if it is nowhere in
// memory.

namespace pabal::core {
namespace {

bool has(const Ring<Entry>& ring, std::uint64_t sequence) {
  const auto at = lower_bound_sequence(ring, sequence);
  return at < ring.size() && ring[at].sequence == sequence && ring[at].message;
}

}  // namespace

void Engine::State::note_damage(const Reader& reader, int priority, const Page& page,
                                Pages& pages) {
  pages.damaged_at = page.damaged;
  ++damaged_reads;
  damage = reader.list.destination.to_text() + ", priority " + std::to_string(priority) +
           ", number " + std::to_string(page.damaged) + ": " + page.error->text;
}

bool Engine::State::is_in_memory(Reader& reader, int priority, std::uint64_t sequence) {
  if (reader.returned.contains({9 - priority, sequence})) return true;
  if (has(reader.list.lane(priority).window, sequence)) return true;
  bool found = false;
  reader.for_each_scan([&](const Scan& scan) {
    const auto& cursor = scan.cursors[static_cast<std::size_t>(priority)];
    found = found || (cursor && has(cursor->page, sequence));
  });
  return found;
}

void Engine::State::skip_if_asked(Walk& walk, const Page& page, bool spilled) {
  if (walk.task == nullptr || walk.task->options.command != QueueCommand::skip_damaged) return;
  QueueTaskView& view = walk.task->view;
  const std::uint64_t limit = walk.task->options.limit;
  if (limit != 0 && view.affected >= limit) return;
  Reader& reader = *walk.reader;
  if (spilled) {
    left_spill(reader, walk.priority, page.damaged, page.damaged_bytes, nullptr);
  } else {
    if (walk.gone.contains(page.damaged)) return;
    const Standing stands = standing(reader, walk.priority, page.damaged, false);
    if (stands == Standing::out) {
      ++view.skipped_out;
      return;
    }
    if (stands != Standing::waiting && stands != Standing::delayed) return;
    if (is_in_memory(reader, walk.priority, page.damaged)) {
      ++view.skipped_other;
      view.skipped_why = "in memory it is whole, and will be delivered";
      return;
    }
    (void)take_delayed(reader, walk.priority, page.damaged);
    forget_ahead(reader, walk.priority, page.damaged);
    // Acknowledged out of its turn: a page that begins below must not bring it.
    std::uint64_t& acked_ahead = reader.lane(walk.priority).acked_ahead;
    acked_ahead = std::max(acked_ahead, page.damaged + 1);
    add_ack(reader, walk.priority, page.damaged);
  }
  --reader.depth;
  reader.depth_bytes -= std::min(reader.depth_bytes, page.damaged_bytes);
  ++reader.list.counters.dequeued;
  ++totals.dequeued;
  ++damaged_skipped;
  ++view.affected;
  if (reader.list.has_blocked) room_at(reader.list);
}

void Engine::State::read_damaged_again(Reader& reader) {
  const auto again = [](Pages& pages) {
    // A page under way may have met what has been skipped since.
    pages.page_request = 0;
    pages.gone.clear();
    pages.damaged = false;
    pages.damaged_at = 0;
  };
  reader.for_each_scan([&](Scan& scan) {
    for (auto& cursor : scan.cursors) {
      if (!cursor) continue;
      again(*cursor);
      if (cursor->spilled) again(*cursor->spilled);
    }
  });
  mark_ready(reader);
}

std::vector<std::string> Engine::State::damage_of(const Reader& reader) {
  std::set<std::pair<std::size_t, std::uint64_t>> places;
  const auto look_at = [&](const Scan& scan) {
    for (std::size_t priority = 0; priority < scan.cursors.size(); ++priority) {
      const auto& cursor = scan.cursors[priority];
      if (!cursor) continue;
      if (cursor->damaged) places.emplace(priority, cursor->damaged_at);
      if (cursor->spilled && cursor->spilled->damaged) {
        places.emplace(priority, cursor->spilled->damaged_at);
      }
    }
  };
  look_at(reader.front);
  for (const auto& scan : reader.selective) look_at(*scan);
  std::vector<std::string> told;
  for (const auto& [priority, sequence] : places) {
    told.push_back("message number " + std::to_string(sequence) + " of priority " +
                   std::to_string(priority) +
                   " cannot be read from disk and holds up what follows");
  }
  return told;
}

}  // namespace pabal::core
