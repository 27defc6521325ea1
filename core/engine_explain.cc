#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/duration_text.h"
#include "core/engine_state.h"
#include "core/selector_text.h"

// Why messages wait, told from what the dispatcher itself goes by: nothing here is worked out a
// second time. Looking changes nothing and reads nothing from disk.

namespace pabal::core {
namespace {

std::string count_of(std::uint64_t count, std::string_view one, std::string_view several) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : several);
}

std::int64_t since_millis(const InFlight& delivery) noexcept {
  return std::int64_t{delivery.since} * 1000;
}

}  // namespace

Result<QueueExplanation> Engine::State::explain(const Destination& queue) {
  const auto found = existing_queue(queue);
  if (!found) return found.error();
  MessageList& list = **found;
  Reader& reader = list.reader();
  QueueExplanation told;
  told.queue = queue;
  told.depth = reader.depth;
  told.depth_bytes = reader.depth_bytes;
  told.in_flight = reader.in_flight;
  told.returned = reader.returned.size();
  told.delayed = reader.delayed.size();
  told.window_bytes = list.window_bytes;
  told.paused = list.paused;
  told.waiting = to_string(view_of(list).waiting);
  told.consumers_total = reader.consumers();
  for (std::size_t i = 0; i < expired_waiting.size(); ++i) {
    if (expired_waiting[i].list == list.id) ++told.expired_without_room;
  }
  for (const auto* walk : reader.walks) {
    if (walk->browser != nullptr) ++told.browsers;
  }
  if (const Entry* next = next_in_memory(reader)) told.next = next->message->id();
  told.damaged = damage_of(reader);
  explain_consumers(reader, told);
  if (const Subscription* owner = exclusive_owner(reader)) {
    told.exclusive_client = owner->connection.client_id;
    told.exclusive_remote = owner->connection.options.remote;
  }
  explain_groups(reader, told);
  explain_producers(told);
  explain_transactions(reader, told);
  explain_reasons(reader, told);
  return told;
}

/// What goes next, if that can be said without reading.
const Entry* Engine::State::next_in_memory(Reader& reader) const {
  for (int priority = kPriorities - 1; priority >= 0; --priority) {
    const auto returned = reader.returned.lower_bound({9 - priority, 0});
    if (returned != reader.returned.end() && returned->first.first == 9 - priority) {
      return &returned->second;
    }
    const auto& lane = reader.list.lanes[static_cast<std::size_t>(priority)];
    if (!lane) continue;
    const auto& cursor = reader.front.cursors[static_cast<std::size_t>(priority)];
    const std::uint64_t next = cursor ? cursor->next : 1;
    // From here on there may be messages that are on disk only.
    std::uint64_t unknown_from = kEverything;
    const auto not_read = [&](const Pages* pages, std::uint64_t memory_begin) {
      const std::uint64_t known = std::max(next, pages != nullptr ? pages->page_end : 0);
      if (known < memory_begin) unknown_from = std::min(unknown_from, known);
    };
    const Entry* best = nullptr;
    const auto consider = [&](const Ring<Entry>& ring, std::uint64_t begin = 0) {
      for (auto at = lower_bound_sequence(ring, std::max(next, begin)); at < ring.size(); ++at) {
        if (!ring[at].message) continue;
        if (best == nullptr || ring[at].sequence < best->sequence) best = &ring[at];
        return;
      }
    };
    if (reader.list.stored) not_read(cursor.get(), lane->window_begin);
    if (cursor) consider(cursor->page);
    consider(lane->window);
    if (lane->spilled && (reader.list.is_queue() || reader.lane(priority).spilled > 0)) {
      const Pages* spilled = cursor ? cursor->spilled.get() : nullptr;
      not_read(spilled, lane->spilled->end);
      if (spilled != nullptr) consider(spilled->page);
    }
    consider(lane->volatile_entries, lane->ring_begin);
    if (best != nullptr && best->sequence < unknown_from) return best;
    if (unknown_from != kEverything) return nullptr;
  }
  return nullptr;
}

void Engine::State::explain_consumers(Reader& reader, QueueExplanation& told) {
  reader.for_each_scan([&](Scan& scan) {
    if (!scan.active() || !scan.is_shared()) return;
    told.scans.push_back({scan.selector ? scan.selector->text() : "", scan.consumers.size(),
                          std::string(to_string(scan.waiting))});
    for (const auto& link : scan.consumers) {
      const Subscription& subscription = *link.subscription;
      const Connection& connection = subscription.connection;
      std::int64_t oldest = 0;
      for (std::size_t i = 0; i < subscription.in_flight.size(); ++i) {
        const InFlight& delivery = subscription.in_flight[i];
        if (delivery.reader != &reader) continue;
        if (oldest == 0) oldest = since_millis(delivery);
      }
      if (oldest != 0 && (told.oldest_out_since == 0 || oldest < told.oldest_out_since)) {
        told.oldest_out_since = oldest;
      }
      if (told.consumers.size() >= kExplainedMax) continue;
      ConsumerExplanation consumer;
      consumer.client_id = connection.client_id;
      consumer.remote = connection.options.remote;
      consumer.protocol = connection.options.protocol;
      consumer.destination = subscription.interest().destination.to_text();
      consumer.selector = subscription.interest().selector;
      consumer.priority = subscription.options.consumer_priority;
      consumer.prefetch = subscription.options.prefetch;
      consumer.out = subscription.out;
      consumer.oldest_since = oldest;
      if (!subscription.has_credit()) {
        consumer.blocked = "has " + count_of(subscription.out, "message", "messages") +
                           " unacknowledged, its prefetch is " +
                           std::to_string(subscription.options.prefetch);
      } else if (connection.unwritten_bytes >= limits.unwritten_bytes_max) {
        consumer.blocked = "does not read: " + std::to_string(connection.unwritten_bytes) +
                           " bytes wait for its socket";
      }
      told.consumers.push_back(std::move(consumer));
    }
  });
}

/// Whose a waiting message is: of one exclusive consumer, or of the owner of its group.
void Engine::State::explain_owner(const Reader& reader, const Message& message,
                                  std::vector<std::string>& reasons) {
  const auto tell = [&](const std::string& what, const Subscription& owner) {
    reasons.insert(reasons.begin(), what + " client " + owner.connection.client_id + " at " +
                                        owner.connection.options.remote +
                                        (owner.has_credit() ? "" : ", which takes no more now"));
  };
  if (const Subscription* owner = exclusive_owner(reader)) {
    tell("the queue belongs to the exclusive consumer of", *owner);
  }
  const auto group = message.group_id();
  if (group.empty() || reader.groups == nullptr) return;
  if (const Subscription* owner = group_owner(reader, group)) {
    tell("its message group \"" + std::string(group) + "\" belongs to the consumer of", *owner);
  } else if (reader.groups->find(group) != nullptr) {
    reasons.insert(reasons.begin(),
                   "the consumer of its message group \"" + std::string(group) +
                       "\" has left, and a transaction that has not ended acknowledged some of it");
  }
}

/// Who has which message group, and of which groups the most wait: by the messages in memory that
/// come next, a bounded number.
void Engine::State::explain_groups(Reader& reader, QueueExplanation& told) {
  constexpr std::uint64_t kLookedAtMax = 8192;
  constexpr std::size_t kAllMax = 4096;
  if (reader.groups == nullptr) return;
  told.groups_total = reader.groups->remembered();
  std::map<std::string_view, std::uint64_t> waiting;
  const auto look_at = [&](const Entry& entry) {
    if (!entry.message) return;
    ++told.groups_looked_at;
    if (const auto id = entry.message->group_id(); !id.empty()) ++waiting[id];
  };
  for (const auto& [place, entry] : reader.returned) {
    if (told.groups_looked_at >= kLookedAtMax) break;
    look_at(entry);
  }
  for (auto lane = reader.list.lanes.rbegin(); lane != reader.list.lanes.rend(); ++lane) {
    if (!*lane) continue;
    for (const auto* ring : {&(*lane)->window, &(*lane)->volatile_entries}) {
      for (std::size_t i = 0; i < ring->size() && told.groups_looked_at < kLookedAtMax; ++i) {
        look_at((*ring)[i]);
      }
    }
  }
  const auto tell = [&](std::string_view id, const MessageGroup* group, std::uint64_t count) {
    GroupExplanation each;
    each.id = id;
    each.waiting = count;
    if (group != nullptr) {
      each.out = group->out;
      if (group->owner != nullptr) {
        each.client_id = group->owner->subscription->connection.client_id;
        each.remote = group->owner->subscription->connection.options.remote;
      }
    }
    told.groups.push_back(std::move(each));
  };
  for (const auto& [id, count] : waiting) tell(id, reader.groups->find(id), count);
  if (reader.groups->remembered() <= kAllMax) {
    reader.groups->for_each([&](const MessageGroup& group) {
      if (!waiting.contains(group.id)) tell(group.id, &group, 0);
    });
  }
  const auto first = [](const GroupExplanation& one, const GroupExplanation& other) {
    return std::tie(other.waiting, other.out, one.id) < std::tie(one.waiting, one.out, other.id);
  };
  std::sort(told.groups.begin(), told.groups.end(), first);
  if (told.groups.size() > kExplainedMax) told.groups.resize(kExplainedMax);
}

/// Connections whose next send waits for room in this queue; and of those that wait for the broker,
/// the ones whose next send goes here.
void Engine::State::explain_producers(QueueExplanation& told) const {
  const auto tell = [&](const Connection& connection) {
    if (!connection.blocked) return;
    ++told.producers_total;
    if (told.producers.size() >= kExplainedMax) return;
    told.producers.push_back({connection.client_id, connection.options.remote,
                              connection.parked_bytes, connection.blocked->reason,
                              to_millis(connection.blocked->since)});
  };
  if (const auto here = blocked_destinations.find(told.queue); here != blocked_destinations.end()) {
    const auto& waiting = here->second.waiting;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (blocked_in_turn(waiting[i]) != nullptr) tell(*connections.find(waiting[i].first));
    }
  }
  for (const auto* parked : {&parked_for_memory, &parked_for_the_store}) {
    for (const auto& [turn, id] : parked->waiting) {
      const auto* connection = connections.find(id);
      const auto& message = connection->parked.front().send.message;
      if (message && message->destination_kind() == told.queue.kind &&
          message->destination_name() == told.queue.name) {
        tell(*connection);
      }
    }
  }
}

/// The countdown before the first message is given out.
void Engine::State::explain_start(const Reader& reader, QueueExplanation& told) const {
  if (!reader.warming_up || now >= reader.warm_at) return;
  told.starts_at = to_millis(reader.warm_at);
  const auto wanted = reader.list.policy->consumers_before_dispatch;
  std::string reason =
      "it begins in " + duration_text(milliseconds(told.starts_at - to_millis(now)));
  if (wanted > 0) {
    reason += ", or when " + std::to_string(wanted) + " consumers are there (now " +
              std::to_string(told.consumers_total) + ")";
  }
  told.reasons.push_back(std::move(reason));
}

void Engine::State::explain_reasons(const Reader& reader, QueueExplanation& told) const {
  auto& reasons = told.reasons;
  const std::uint64_t waiting = told.depth - std::min(told.depth, told.in_flight);
  if (told.paused) {
    reasons.push_back("the queue is paused: 'pabal queue resume " + told.queue.name +
                      "' lets it go on");
  }
  if (told.depth == 0) {
    reasons.push_back("it is empty");
  } else if (waiting == 0) {
    reasons.push_back(told.in_transactions >= told.depth
                          ? "nothing waits: all of it is acknowledged in transactions that have "
                            "not ended"
                          : "nothing waits: all of it is with consumers, unacknowledged");
  } else if (told.consumers_total == 0) {
    reasons.push_back("it has no consumer");
  } else if (!told.paused) {
    explain_start(reader, told);
    for (const auto& scan : told.scans) {
      reasons.push_back((scan.selector.empty()
                             ? "for " + count_of(scan.consumers, "consumer", "consumers") +
                                   " without a selector: "
                             : "for " + count_of(scan.consumers, "consumer", "consumers") +
                                   " with the selector " +
                                   std::string(shown_selector(scan.selector)) + ": ") +
                        scan.waiting);
    }
  }
  tell_transactions(told);
  if (told.delayed > 0) {
    reasons.push_back(count_of(told.delayed, "message waits", "messages wait") +
                      " for the time of a redelivery");
  }
  if (told.expired_without_room > 0) {
    reasons.push_back(count_of(told.expired_without_room, "message", "messages") +
                      " expired, and there is no room for the dead letters");
  }
  for (const std::string& damaged : told.damaged) {
    reasons.push_back(damaged + "; 'pabal queue skip-damaged " + told.queue.name +
                      "' deletes what cannot be read");
  }
  if (!told.exclusive_client.empty()) {
    reasons.push_back("the exclusive consumer of client " + told.exclusive_client + " at " +
                      told.exclusive_remote + " gets all");
  }
  if (told.groups_total > 0) {
    std::string reason =
        count_of(told.groups_total, "message group has", "message groups have") + " an owner";
    if (!told.groups.empty() && told.groups.front().waiting > 0) {
      const auto& most = told.groups.front();
      reason += "; the most wait of \"" + most.id + "\": " + std::to_string(most.waiting) +
                " of the first " + std::to_string(told.groups_looked_at) +
                (most.client_id.empty() ? ", nobody's" : ", for client " + most.client_id);
    }
    reasons.push_back(std::move(reason));
  }
  if (told.producers_total > 0) {
    reasons.push_back(count_of(told.producers_total, "producer waits", "producers wait") +
                      " for room: " + told.producers.front().reason);
  }
}

Result<MessageExplanation> Engine::State::explain(const Destination& queue,
                                                  const ListedMessage& listed) {
  const auto found = existing_queue(queue);
  if (!found) return found.error();
  MessageList& list = **found;
  Reader& reader = list.reader();
  MessageExplanation told;
  told.standing = listed.standing;
  for_each_out(reader, [&](const InFlight& delivery, const Subscription& subscription) {
    if (delivery.priority != listed.position.priority ||
        delivery.entry.sequence != listed.position.sequence) {
      return;
    }
    told.standing = Standing::out;
    told.client_id = subscription.connection.client_id;
    told.remote = subscription.connection.options.remote;
    told.since = since_millis(delivery);
    told.reasons.push_back("it is with the consumer of client " + told.client_id + " at " +
                           told.remote + ", for " +
                           duration_text(milliseconds(to_millis(now) - told.since)));
  });
  explain_holder(reader, listed, told);
  const auto delayed =
      reader.delayed.find({9 - listed.position.priority, listed.position.sequence});
  if (delayed != reader.delayed.end()) {
    told.standing = Standing::delayed;
    told.due = to_millis(delayed->second.due);
    told.reasons.push_back("it was refused, and is tried again " +
                           (told.due > to_millis(now)
                                ? "in " + duration_text(milliseconds(told.due - to_millis(now)))
                                : std::string("now")));
  }
  if (told.reasons.empty() && told.standing == Standing::out) {
    told.reasons.push_back("it is on its way out: being moved, or expired");
  }
  if (told.standing == Standing::waiting) {
    QueueExplanation whole;
    if (auto explained = explain(queue)) whole = std::move(*explained);
    told.reasons = std::move(whole.reasons);
  }
  if (told.standing == Standing::waiting) explain_owner(reader, *listed.message, told.reasons);
  if (told.standing == Standing::invisible) {
    told.reasons.push_back("it waits until the transaction that sent it is on disk");
  }
  reader.for_each_scan([&](Scan& scan) {
    if (!scan.active() || !scan.is_shared()) return;
    const bool matches =
        scan.selector == nullptr ||
        scan.selector->matches(
            *listed.message, {listed.deliveries, listed.redelivered, list.selector_destination()});
    told.matches.push_back(
        {scan.selector ? scan.selector->text() : "", scan.consumers.size(), matches});
  });
  if (told.standing == Standing::waiting && !told.matches.empty() &&
      std::none_of(told.matches.begin(), told.matches.end(),
                   [](const auto& match) { return match.matches; })) {
    told.reasons.insert(told.reasons.begin(), "no consumer's selector matches it");
  }
  return told;
}

}  // namespace pabal::core
