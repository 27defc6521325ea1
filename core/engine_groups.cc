#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// Who of a queue's consumers may get a message: message groups (core/message_groups.h says how they
// work), exclusive consumers, consumer priority over several scans, and when dispatch starts.

namespace pabal::core {
namespace {

Scan& where(const GroupMember& member) noexcept {
  return member.own != nullptr ? *member.own : *member.shared;
}

/// Whether shared scans may have passed something of the group that waits behind its owner.
bool waits_behind(const MessageGroup& group) noexcept {
  if (group.passed_returned || group.passed_refused) return true;
  for (std::size_t priority = 0; group.passed_priorities >> priority != 0; ++priority) {
    if ((group.passed_priorities >> priority & 1) == 0) continue;
    if (group.owner == nullptr) return true;
    if (group.passed_last >= where(*group.owner).position(priority)) return true;
  }
  return false;
}

}  // namespace

// --- whose turn it is ----------------------------------------------------------------------------

bool Engine::State::takes_more(Subscription& consumer) {
  return consumer.has_credit() && has_room(consumer);
}

/// What becomes of the candidate of a scan of a reader with message groups. `member`: who gets it.
Engine::State::Turn Engine::State::group_turn(Scan& scan, const Candidate& candidate,
                                              GroupMember*& member) {
  Reader& reader = scan.reader;
  if (!scan.selects(*candidate.entry)) return Turn::pass;
  const auto id = candidate.entry->message->group_id();
  MessageGroup* group = id.empty() ? nullptr : reader.groups->find(id);
  if (!scan.is_shared()) {
    if (group == nullptr || group->owner != scan.member) return Turn::pass;
    member = scan.member;
    if (takes_more(*member->subscription)) return Turn::take;
    scan.waiting = WaitReason::group_owned;
    list_for_wake(scan);
    return Turn::stop;
  }
  if (group == nullptr) {
    member = pick_member(scan, !id.empty());
    if (member == nullptr) {
      list_for_wake(scan);
      return Turn::stop;
    }
    return yields_to_higher(scan, *member->subscription, candidate) ? Turn::stop : Turn::take;
  }
  GroupMember* owner = group->owner;
  const bool here = owner != nullptr && owner->shared == &scan && owner->own == nullptr;
  if (here && takes_more(*owner->subscription)) {
    member = owner;
    return Turn::take;
  }
  // Nobody here could take what comes behind it: no use in going on.
  if (!somebody_takes_more(scan)) {
    scan.waiting = WaitReason::group_owned;
    list_for_wake(scan);
    return Turn::stop;
  }
  if (here) fall_behind(*owner);
  pass_group(scan, candidate, *group);
  return Turn::pass;
}

/// Whether a member that is not behind could take a message now.
bool Engine::State::somebody_takes_more(const Scan& scan) {
  const Subscription* exclusive = scan.reader.exclusive;
  return std::any_of(scan.consumers.begin(), scan.consumers.end(), [&](const ConsumerLink& link) {
    return link.member->own == nullptr && takes_more(*link.subscription) &&
           (exclusive == nullptr || exclusive == link.subscription);
  });
}

/// Who gets a message that belongs to nobody: of those with the highest priority that take more and
/// are not behind, for a new group the one with the fewest, else by turns.
GroupMember* Engine::State::pick_member(Scan& scan, bool new_group) {
  auto& consumers = scan.consumers;
  const ConsumerLink* best = nullptr;
  std::size_t best_at = 0;
  scan.waiting = WaitReason::no_credit;
  for (std::size_t i = 0; i < consumers.size(); ++i) {
    const std::size_t at = (scan.next_consumer + i) % consumers.size();
    const ConsumerLink& link = consumers[at];
    if (scan.reader.exclusive != nullptr && scan.reader.exclusive != link.subscription) continue;
    if (!link.subscription->has_credit()) continue;
    if (!has_room(*link.subscription)) {
      if (!has_socket_room(link.subscription->connection)) {
        scan.waiting = WaitReason::socket_full;
      }
      continue;
    }
    if (link.member->own != nullptr) continue;
    if (best != nullptr) {
      if (link.rank < best->rank) continue;
      const bool fewer = new_group && link.member->groups < best->member->groups;
      if (link.rank == best->rank && !fewer) continue;
    }
    best = &link;
    best_at = at;
    if (!new_group && link.rank == consumers.front().rank) break;
  }
  if (best == nullptr) return nullptr;
  if (!scan.reader.strict_order) scan.next_consumer = (best_at + 1) % consumers.size();
  return best->member;
}

/// Whether another scan has a consumer with a higher priority than `consumer`, that wants the
/// candidate and takes more: it is left to that one, and the scan is woken when that stops.
bool Engine::State::yields_to_higher(Scan& scan, const Subscription& consumer,
                                     const Candidate& candidate) {
  Reader& reader = scan.reader;
  const auto rank = rank_of(reader, consumer);
  if (rank >= reader.highest_priority || reader.exclusive != nullptr) return false;
  bool higher = false;
  reader.for_each_scan([&](const Scan& other) {
    if (higher || &other == &scan || !other.is_shared() || !other.active()) return;
    if (other.consumers.front().rank <= rank) return;
    const auto& cursor = other.cursors[static_cast<std::size_t>(candidate.priority)];
    if (cursor && (cursor->damaged || (cursor->spilled && cursor->spilled->damaged)))
      return;  // it may never get there
    for (const auto& link : other.consumers) {
      if (link.rank <= rank) break;
      if (link.member != nullptr && link.member->own != nullptr) continue;
      if (!takes_more(*link.subscription)) continue;
      higher = other.wants(*candidate.entry);
      return;
    }
  });
  if (!higher) return false;
  scan.yields = reader.somebody_yields = true;
  return true;
}

/// `scan` of the reader has stopped: who left a message to it looks again. One that yields itself
/// wakes nobody, or two would wake each other for ever.
void Engine::State::wake_yielding(Reader& reader, const Scan* scan) {
  bool left = false;
  reader.for_each_scan([&](Scan& other) {
    if (!other.yields) return;
    if (&other == scan) {
      left = true;
      return;
    }
    other.yields = false;
    mark_ready(other);
  });
  reader.somebody_yields = left;
}

// --- groups --------------------------------------------------------------------------------------

/// The first grouped message: from here on the consumers without a selector share a scan that
/// passes some messages, which the front scan does not.
void Engine::State::begin_groups(Reader& reader) {
  reader.groups = std::make_unique<MessageGroups>();
  Scan& front = reader.front;
  if (front.active()) {
    auto made = std::make_unique<Scan>(reader);
    Scan& scan = *made;
    for (std::size_t priority = 0; priority < front.cursors.size(); ++priority) {
      if (!front.cursors[priority]) continue;
      scan.cursors[priority] = std::move(front.cursors[priority]);
      front.cursor(static_cast<int>(priority)).next = scan.cursors[priority]->next;
    }
    scan.consumers = std::exchange(front.consumers, {});
    scan.next_consumer = std::exchange(front.next_consumer, 0);
    front.yields = false;
    forget_work(front);
    for (auto& link : scan.consumers) {
      link.wake_listed = false;
      std::erase(link.subscription->blocked, &front);
      std::replace(link.subscription->scans.begin(), link.subscription->scans.end(), &front, &scan);
    }
    reader.selective.push_back(std::move(made));
  }
  for (const auto& scan : reader.selective) {
    for (auto& link : scan->consumers) add_member(*scan, link);
  }
  mark_ready(reader);
}

void Engine::State::add_member(Scan& scan, ConsumerLink& link) {
  auto member = std::make_unique<GroupMember>();
  member->subscription = link.subscription;
  member->shared = &scan;
  link.member = member.get();
  scan.reader.groups->members.push_back(std::move(member));
}

/// Its owner takes no more: the shared scan goes on without it.
void Engine::State::fall_behind(GroupMember& member) {
  Reader& reader = member.shared->reader;
  auto made = std::make_unique<Scan>(reader);
  made->selector = member.shared->selector;
  made->member = &member;
  made->waiting = WaitReason::group_owned;
  made->consumers.push_back({member.subscription, false, 0, 0, &member});
  for (std::size_t priority = 0; priority < made->cursors.size(); ++priority) {
    if (!member.shared->cursors[priority]) continue;
    made->cursor(static_cast<int>(priority)).next = member.shared->position(priority);
  }
  member.own = made.get();
  ++reader.groups->behind;
  reader.selective.push_back(std::move(made));
  list_for_wake(*member.own);
}

/// It has taken all that the shared scan has passed because of it.
void Engine::State::caught_up(GroupMember& member) {
  Scan& own = *member.own;
  std::erase(member.subscription->blocked, &own);
  member.own = nullptr;
  --own.reader.groups->behind;
  mark_ready(*member.shared);
  remove_scan(own);
}

void Engine::State::remove_scan(Scan& scan) {
  Reader& reader = scan.reader;
  drop_pages(scan);
  forget_work(scan);
  std::erase_if(reader.selective, [&](const auto& each) { return each.get() == &scan; });
}

/// The shared scan goes past a message because of who has its group.
void Engine::State::pass_group(const Scan& scan, const Candidate& candidate, MessageGroup& group) {
  const GroupMember* owner = group.owner;
  if (owner != nullptr && owner->shared != &scan && !owner->shared->selects(*candidate.entry)) {
    group.passed_refused = true;
  }
  if (candidate.from == Candidate::From::returned) {
    group.passed_returned = true;
    return;
  }
  group.passed_priorities |= static_cast<std::uint16_t>(1U << candidate.priority);
  group.passed_last = std::max(group.passed_last, candidate.entry->sequence);
}

/// `member` gets `entry`; with a group, that is its own from here on.
void Engine::State::join_group(Reader& reader, GroupMember& member, Entry& entry) {
  entry.first_of_group = false;
  const auto id = entry.message->group_id();
  if (id.empty()) return;
  MessageGroups& groups = *reader.groups;
  MessageGroup* group = groups.find(id);
  if (group == nullptr) {
    group = &groups.add(
        id, reader.list.policy->groups_max,
        [](const MessageGroup& other) { return other.out == 0 && !waits_behind(other); },
        [&](MessageGroup& other) { release_group(reader, other); });
    group->owner = &member;
    ++member.groups;
    entry.first_of_group = true;
  } else {
    groups.used(*group);
    entry.first_of_group = group->closed;
  }
  ++group->out;
  entry.counted_in_group = true;
  // The others of a bucket may go on.
  group->closed = !group->id.empty() && entry.message->group_sequence() < 0;
}

/// One delivery of its group is settled, or on its way back.
void Engine::State::group_settled(Reader& reader, const Message& message) {
  const auto id = message.group_id();
  MessageGroups& groups = *reader.groups;
  MessageGroup* group = groups.find(id);
  PABAL_CHECK(group != nullptr && group->out > 0, "what is out has been counted");
  if (--group->out > 0) return;
  if (group->owner == nullptr) {
    if (group->passed()) go_back(reader, nullptr);
    --groups.free;
    groups.erase(*group);
    if (!reader.active() && groups.free == 0) reader.groups.reset();
  } else if (group->closed) {
    release_group(reader, *group);
  }
}

/// The group is anybody's, as soon as nothing of it is out.
void Engine::State::release_group(Reader& reader, MessageGroup& group) {
  MessageGroups& groups = *reader.groups;
  if (group.out == 0 && waits_behind(group)) {
    go_back(reader, group.passed_refused ? nullptr : &where(*group.owner));
  }
  --group.owner->groups;
  group.owner = nullptr;
  group.closed = false;
  if (group.out > 0) {
    ++groups.free;
  } else {
    groups.erase(group);
  }
}

/// Shared scans that are farther than `owner` look again from there; null: from the beginning.
void Engine::State::go_back(Reader& reader, const Scan* owner) {
  for (const auto& scan : reader.selective) {
    if (!scan->is_shared()) continue;
    bool farther = false;
    for (std::size_t priority = 0; priority < scan->cursors.size(); ++priority) {
      auto& cursor = scan->cursors[priority];
      if (!cursor) continue;
      cursor->returned_from = 0;
      const std::uint64_t to = (owner != nullptr ? *owner : reader.front).position(priority);
      if (cursor->next <= to) continue;
      cursor->next = to;
      farther = true;
    }
    if (farther) drop_pages(*scan);  // they begin behind the new place
    mark_ready(*scan);
  }
}

/// The consumer leaves: its groups are anybody's.
void Engine::State::leave_groups(Reader& reader, GroupMember& member) {
  reader.groups->for_each([&](MessageGroup& group) {
    if (group.owner == &member) release_group(reader, group);
  });
  if (member.own != nullptr) caught_up(member);
}

void Engine::State::remove_member(Reader& reader, const GroupMember& member) {
  std::erase_if(reader.groups->members, [&](const auto& each) { return each.get() == &member; });
  if (!reader.active() && reader.groups->free == 0) reader.groups.reset();
}

// --- exclusive consumers, priorities, the start --------------------------------------------------

std::int32_t Engine::State::rank_of(const Reader& reader, const Subscription& consumer) {
  return reader.list.policy->use_consumer_priority ? consumer.options.consumer_priority : 0;
}

/// After a consumer came or left, or the policy changed.
void Engine::State::consumers_changed(Reader& reader) {
  reader.strict_order = reader.list.policy->strict_order_dispatch;
  reader.highest_priority = 0;
  const ConsumerLink* exclusive = nullptr;
  const bool queue = reader.list.is_queue();
  bool any = false;
  reader.for_each_scan([&](const Scan& scan) {
    if (!scan.is_shared()) return;
    for (const auto& link : scan.consumers) {
      reader.highest_priority = any ? std::max(reader.highest_priority, link.rank) : link.rank;
      any = true;
      if (!queue) continue;
      if (!link.subscription->options.exclusive && !reader.list.policy->all_consumers_exclusive) {
        continue;
      }
      // One that came later takes over only with a higher priority, as in ActiveMQ.
      if (exclusive == nullptr || link.rank > exclusive->rank ||
          (link.rank == exclusive->rank && link.arrival < exclusive->arrival)) {
        exclusive = &link;
      }
    }
  });
  Subscription* before = reader.exclusive;
  reader.exclusive = exclusive != nullptr ? exclusive->subscription : nullptr;
  if (reader.exclusive != before || reader.somebody_yields) mark_ready(reader);
  if (reader.exclusive == nullptr || reader.exclusive == before || !reader.groups) return;
  // It gets all: the groups of the others are free as soon as they have settled what they have.
  reader.groups->for_each([&](MessageGroup& group) {
    if (group.owner != nullptr && group.owner->subscription != reader.exclusive) {
      release_group(reader, group);
    }
  });
}

/// Ranks and order of the consumers, after the policy changed.
void Engine::State::sort_consumers(Reader& reader) {
  reader.for_each_scan([&](Scan& scan) {
    if (!scan.is_shared()) return;
    for (auto& link : scan.consumers) link.rank = rank_of(reader, *link.subscription);
    std::sort(scan.consumers.begin(), scan.consumers.end(),
              [](const ConsumerLink& one, const ConsumerLink& other) {
                return one.rank != other.rank ? one.rank > other.rank : one.arrival < other.arrival;
              });
    scan.next_consumer = 0;
  });
  consumers_changed(reader);
}

/// The first consumer of a queue has come (ActiveMQ: consumersBeforeDispatchStarts, which waits
/// one second when timeBeforeDispatchStarts does not say how long).
void Engine::State::begin_warm_up(Reader& reader) {
  constexpr milliseconds kLongest{1000};
  const DestinationPolicy& policy = *reader.list.policy;
  const milliseconds time = policy.time_before_dispatch;
  if (policy.consumers_before_dispatch == 0 && time <= milliseconds{0}) return;
  reader.warming_up = true;
  reader.warm_at = now + (time > milliseconds{0} ? time : kLongest);
  if (!std::exchange(reader.warm_listed, true)) warming_up.push_back(reader.list.id);
  wake_at(Timer::warm_up, reader.warm_at);
}

/// Whether dispatch of the scan may start at all.
bool Engine::State::may_start(Scan& scan) {
  Reader& reader = scan.reader;
  if (reader.warming_up) {
    const auto wanted = reader.list.policy->consumers_before_dispatch;
    if (now < reader.warm_at && (wanted == 0 || reader.consumers() < wanted)) {
      scan.waiting = WaitReason::warming_up;
      return false;
    }
    reader.warming_up = false;
    mark_ready(reader);
  }
  if (reader.exclusive == nullptr) return true;
  const bool its =
      std::any_of(scan.consumers.begin(), scan.consumers.end(),
                  [&](const ConsumerLink& link) { return link.subscription == reader.exclusive; });
  if (!its) scan.waiting = WaitReason::exclusive_owned;
  return its;
}

/// Starts dispatch where it is time.
void Engine::State::end_warm_ups() {
  std::erase_if(warming_up, [&](ListId id) {
    const auto at = lists.find(id);
    if (at == lists.end()) return true;
    Reader& reader = at->second->reader();
    if (reader.warming_up && now < reader.warm_at) {
      wake_at(Timer::warm_up, reader.warm_at);
      return false;
    }
    reader.warm_listed = false;
    mark_ready(reader);
    return true;
  });
}

// --- views ---------------------------------------------------------------------------------------

const Subscription* Engine::State::group_owner(const Reader& reader, std::string_view group) {
  if (!reader.groups) return nullptr;
  const auto* known = std::as_const(*reader.groups).find(group);
  return known != nullptr && known->owner != nullptr ? known->owner->subscription : nullptr;
}

}  // namespace pabal::core
