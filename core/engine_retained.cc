#include <algorithm>
#include <iterator>
#include <utility>

#include "core/engine_state.h"

// Retained messages: taking them with sends, giving them to new subscriptions, reading them back.
// retained.h has the map.

namespace pabal::core {
namespace {

constexpr std::uint8_t kRetainedPriority = kDefaultPriority;
constexpr std::uint64_t kPageBytesMax = 1ULL << 20;
/// A replay reads so much ahead.
constexpr std::size_t kAheadMax = 64;
constexpr std::uint64_t kAheadBytesMax = 1ULL << 20;
constexpr milliseconds kRetry{1000};  // after a page that could not be read

/// The place's name, which for most is the message's own.
std::string_view name_of(const TopicPlace& place, const Message& message) noexcept {
  return place.destination ? std::string_view(place.destination->name) : message.destination_name();
}

bool keeps(const TopicPlace& place, const Message& message) noexcept {
  return !is_temporary(place.destination ? place.destination->kind : message.destination_kind());
}

/// What every name that the pattern matches begins with.
std::string_view literal_prefix(std::string_view pattern) noexcept {
  for (std::size_t at = 0; at < pattern.size();) {
    const auto dot = std::min(pattern.find('.', at), pattern.size());
    const auto level = pattern.substr(at, dot - at);
    // `a.>` matches `a` as well.
    if (level == ">" && dot == pattern.size()) return pattern.substr(0, at == 0 ? 0 : at - 1);
    if (level == "*") return pattern.substr(0, at);
    at = dot + 1;
  }
  return pattern;
}

}  // namespace

// --- sending -------------------------------------------------------------------------------------

/// What the routed message, which is to be retained, takes in the store for that: as a whole, if
/// nobody else has it there. `tally`: of those before it that go with it, and then with it.
/// Errors: quota_exceeded.
Result<std::uint64_t> Engine::State::admit_retained(const Message& message,
                                                    RetainedTally* tally) const {
  const bool deletes = message.body().empty();
  if (deletes && !retained.reading() && tally == nullptr) return std::uint64_t{0};
  RetainedTally alone;
  RetainedTally& sum = tally != nullptr ? *tally : alone;
  std::uint64_t copies = 0;
  bool own = false;
  for (const auto& place : topic_places_) {
    if (!keeps(place, message)) continue;
    const std::uint64_t size =
        place.destination ? copy_bytes_max(message, *place.destination) : message.flat().size();
    if (place.destination) copies += size;
    own = own || !place.destination;
    const std::uint64_t kept = deletes ? 0 : size;
    const auto name = name_of(place, message);
    const auto known = retained.topics.find(name);
    const bool stands = known != retained.topics.end();
    std::uint64_t before = stands ? known->second.bytes : 0;
    bool was_there = stands;
    if (tally != nullptr) {
      const auto [at, is_first] = tally->topics.try_emplace(std::string(name), kept);
      if (!is_first) {
        before = std::exchange(at->second, kept);
        was_there = stands || before > 0;
      }
    }
    const bool is_there = stands || kept > 0;
    sum.added += static_cast<int>(is_there) - static_cast<int>(was_there);
    sum.bytes += static_cast<std::int64_t>(kept) - static_cast<std::int64_t>(before);
  }
  if (copies == 0 && !own) return std::uint64_t{0};
  if (deletes) return retained.reading() ? copies + (own ? message.flat().size() : 0) : 0;
  if (sum.added > 0 && retained.topics.size() + static_cast<std::uint64_t>(sum.added) >
                           limits.retained_messages_max) {
    return Error{Errc::quota_exceeded,
                 "retained_messages_max: " + std::to_string(retained.topics.size()) +
                     " topics have a retained message"};
  }
  if (sum.bytes > 0 &&
      retained.bytes + static_cast<std::uint64_t>(sum.bytes) > limits.retained_bytes_max) {
    return Error{Errc::quota_exceeded, "retained_bytes_max: " + std::to_string(retained.bytes) +
                                           " bytes of messages are retained"};
  }
  return copies + (own ? message.flat().size() : 0);
}

/// Adds what retains the routed message, behind what prepare() has made of it; `stored`: that has
/// stored it. The message bytes that this stores in addition.
std::uint64_t Engine::State::prepare_retained(const MessageRef& message, bool stored,
                                              Batch& batch) {
  std::uint64_t bytes = 0;
  std::vector<StoreOp> done;
  // Its own place comes first, because it shares what prepare() added last.
  for (const bool own : {true, false}) {
    for (const auto& place : topic_places_) {
      if ((place.destination == nullptr) != own || !keeps(place, *message)) continue;
      bytes += retain_at(place, message, stored && own, batch, done);
    }
  }
  std::move(done.begin(), done.end(), std::back_inserter(batch.operations));
  return bytes;
}

/// At one place; `shares`: the payload is that of the step before. What it stores in addition.
std::uint64_t Engine::State::retain_at(const TopicPlace& place, const MessageRef& message,
                                       bool shares, Batch& batch, std::vector<StoreOp>& done) {
  const auto name = name_of(place, *message);
  const auto known = retained.topics.find(name);
  if (known != retained.topics.end() && known->second.stored) {
    done.push_back(retained_done(known->second.sequence));
  }
  Retained next;
  next.sequence = retained.next_sequence++;
  const bool deletes = message->body().empty();
  // What it deletes may not have been read yet, and must not come back with another start.
  if (deletes && !retained.reading()) {
    keep_retained(name, std::move(next));
    return 0;
  }
  if (retained.list == ListId{}) {
    batch.operations.insert(batch.operations.begin(), retained_list());
  }
  next.message = place.destination ? copy_for(*message, *place.destination) : message;
  next.bytes = static_cast<std::uint32_t>(next.message->flat().size());
  next.expiration = message->expiration();
  next.stored = true;
  StoreOp operation;
  operation.kind = shares ? StoreOpKind::add_reference : StoreOpKind::add;
  operation.priority = kRetainedPriority;
  operation.list = retained.list;
  operation.first = operation.last = next.sequence;
  if (!shares) operation.message = next.message;
  batch.operations.push_back(std::move(operation));
  batch.retained.emplace_back(name);
  const std::uint64_t bytes = shares ? 0 : next.bytes;
  if (deletes) next = deletion(next.sequence);
  keep_retained(name, std::move(next));
  return bytes;
}

/// It stands in the store as a message without a body, until the list is read.
Retained Engine::State::deletion(std::uint64_t sequence) {
  Retained made;
  made.sequence = sequence;
  made.stored = true;
  return made;
}

StoreOp Engine::State::retained_list() {
  retained.list = ListId{++last_list};
  StoreOp operation;
  operation.kind = StoreOpKind::create_list;
  operation.list = retained.list;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->list = {retained.list,
                            {DestinationKind::temporary_queue, std::string(kRetainedList)}};
  return operation;
}

StoreOp Engine::State::retained_done(std::uint64_t sequence) const {
  StoreOp operation;
  operation.kind = StoreOpKind::acknowledge;
  operation.priority = kRetainedPriority;
  operation.list = retained.list;
  operation.reader = kQueueReader;
  operation.first = operation.last = sequence;
  return operation;
}

/// `next` is what the topic keeps from here on. Without bytes: nothing, which is remembered as long
/// as an older one may be read.
void Engine::State::keep_retained(std::string_view name, Retained next) {
  auto known = retained.topics.find(name);
  if (known != retained.topics.end()) {
    const Retained& old = known->second;
    retained.bytes -= old.bytes;
    if (old.message) retained.window_bytes -= old.message->footprint();
    if (old.expiration != 0) retained.expirations.erase({old.expiration, known->first});
  }
  if (next.bytes == 0 && !retained.reading()) {
    if (known != retained.topics.end()) retained.topics.erase(known);
    return;
  }
  if (known == retained.topics.end()) known = retained.topics.emplace(name, Retained{}).first;
  retained.bytes += next.bytes;
  if (next.message &&
      retained.window_bytes + next.message->footprint() > limits.retained_window_bytes_max) {
    next.message.reset();
  }
  if (next.message) retained.window_bytes += next.message->footprint();
  if (next.expiration != 0) {
    retained.expirations.emplace(next.expiration, known->first);
    wake_at(Timer::retained, from_millis(retained.expirations.begin()->first));
  }
  known->second = std::move(next);
}

/// What `batch` has retained may be seen when `ticket` is durable.
void Engine::State::place_retained(Batch& batch, Ticket ticket) {
  for (const auto& name : batch.retained) {
    if (const auto known = retained.topics.find(name); known != retained.topics.end()) {
      known->second.visible_after = ticket;
    }
  }
  batch.retained.clear();
}

void Engine::State::retained_timer() {
  retained.expiry_due = true;
  if (retained.reading() && retained.page == 0) retained.wants_page = true;
}

/// Those whose time is over go, a bounded number.
void Engine::State::expire_retained(std::uint32_t& steps) {
  auto& all = retained.expirations;
  if (retained.reading()) {  // what it replaced may not have been read, and would come back
    retained.expiry_due = false;
    return;
  }
  while (!all.empty() && all.begin()->first <= to_millis(now)) {
    if (steps == 0) return;
    --steps;
    const std::string name(all.begin()->second);
    StoreOp done = retained_done(retained.topics.find(name)->second.sequence);
    store.append({&done, 1});
    ++totals.expired;
    Retained nothing;
    nothing.sequence = retained.next_sequence++;
    keep_retained(name, std::move(nothing));
  }
  retained.expiry_due = false;
  if (!all.empty()) wake_at(Timer::retained, from_millis(all.begin()->first));
}

// --- to new subscriptions ------------------------------------------------------------------------

void Engine::State::begin_replay(Subscription& subscription) {
  if (retained.topics.empty() && !retained.reading()) return end_replay(subscription);
  subscription.replay = std::make_unique<RetainedReplay>();
  subscription.replay->below = retained.next_sequence;
  mark_ready(subscription);
}

/// Goes on; false: it waits for credit, a page, a sync, or its next turn.
bool Engine::State::replay_retained(Subscription& subscription, std::uint32_t& steps) {
  if (retained.reading()) {
    if (!std::exchange(subscription.replay->listed, true)) {
      retained.waiting.push_back(subscription.id);
    }
    return false;
  }
  RetainedReplay& replay = *subscription.replay;
  while (subscription.has_credit() && connection_takes(subscription)) {
    if (steps == 0) {
      mark_ready(subscription);
      return false;
    }
    look_ahead(subscription, steps);
    if (replay.ahead.empty()) {
      if (!replay.all_ahead) {
        if (!replay.awaits_durable) mark_ready(subscription);
        return false;
      }
      subscription.replay.reset();
      end_replay(subscription);
      credit_returned(subscription);
      return true;
    }
    if (replay.ahead.front().request != 0) return false;
    if (steps > 0) --steps;
    RetainedReplay::Ahead next = std::move(replay.ahead.front());
    replay.ahead.pop_front();
    replay.ahead_bytes -= next.bytes;
    if (!next.message || next.message->expired(now)) continue;
    Entry entry;
    entry.sequence = ++subscription.last_sequence;
    entry.message = std::move(next.message);
    entry.is_volatile = true;  // nothing stands behind the copy
    entry.retained = true;
    const int priority = entry.message->priority();
    deliver(subscription, nullptr, priority, std::move(entry));
  }
  return false;
}

/// Finds the next of a replay, and asks for those that are not in memory.
void Engine::State::look_ahead(Subscription& subscription, std::uint32_t& steps) {
  RetainedReplay& replay = *subscription.replay;
  replay.awaits_durable = false;
  bool looked = false;
  const auto& interests = subscription.options.interests;
  while (replay.interest < interests.size()) {
    const Destination& wanted = interests[replay.interest].destination;
    const auto prefix = literal_prefix(wanted.name);
    auto at = retained.topics.end();
    if (wanted.kind == DestinationKind::topic) {
      at = replay.begun ? retained.topics.upper_bound(replay.behind)
                        : retained.topics.lower_bound(prefix);
    }
    for (; at != retained.topics.end() && at->first.starts_with(prefix); ++at) {
      if (replay.ahead.size() >= kAheadMax || replay.ahead_bytes >= kAheadBytesMax) return;
      if (steps == 0 && looked) return;
      if (steps > 0) --steps;
      looked = true;  // one at least, or an entry of few steps would never get on
      const bool again = is_wanted_before(subscription, replay.interest, at->first);
      if (!again && matches(wanted.name, at->first) && at->second.sequence < replay.below) {
        if (!take_ahead(subscription, *at)) return;
      }
      replay.begun = true;
      replay.behind = at->first;
    }
    ++replay.interest;
    replay.begun = false;
  }
  replay.all_ahead = true;
}

/// Whether an interest of it before that one has brought the topic already.
bool Engine::State::is_wanted_before(const Subscription& subscription, std::size_t interest,
                                     std::string_view name) {
  const auto& interests = subscription.options.interests;
  return std::any_of(interests.begin(), interests.begin() + static_cast<std::ptrdiff_t>(interest),
                     [&](const Interest& each) {
                       return each.destination.kind == DestinationKind::topic &&
                              matches(each.destination.name, name);
                     });
}

/// False: it is not durable yet what it came with.
bool Engine::State::take_ahead(Subscription& subscription, const RetainedMap::value_type& found) {
  RetainedReplay& replay = *subscription.replay;
  const Retained& kept = found.second;
  if (kept.bytes == 0) return true;
  if (kept.visible_after > std::max(durable, store.durable())) {
    replay.awaits_durable = true;
    if (!std::exchange(subscription.awaits_durable, true)) {
      subscriptions_awaiting_durable.push_back(subscription.id);
    }
    return false;
  }
  if (kept.message && !wants_retained(subscription, *kept.message)) return true;
  auto& ahead = replay.ahead.emplace_back();
  ahead.name = found.first;
  ahead.sequence = kept.sequence;
  ahead.message = kept.message;
  ahead.bytes = kept.bytes;
  replay.ahead_bytes += kept.bytes;
  if (kept.message) return true;
  PageRequest request;
  request.id = ahead.request = ++last_page;
  request.list = retained.list;
  request.priority = kRetainedPriority;
  request.first = kept.sequence;
  request.end = kept.sequence + 1;
  request.entries_max = 1;
  request.bytes_max = kPageBytesMax;
  flush_acks();
  request.after = store.submitted();
  retained.asked.emplace(request.id, subscription.id);
  store.read(request);
  return true;
}

bool Engine::State::wants_retained(const Subscription& subscription, const Message& message) {
  if (subscription.selector != nullptr &&
      !subscription.selector->matches(message, {0, false, nullptr})) {
    return false;
  }
  return !is_local(subscription, message);
}

// --- reading back --------------------------------------------------------------------------------

void Engine::State::read_retained() {
  retained.wants_page = false;
  PageRequest request;
  request.id = retained.page = ++last_page;
  request.list = retained.list;
  request.priority = kRetainedPriority;
  request.first = retained.read_to;
  request.end = retained.read_end;
  request.entries_max = kPageEntriesMax;
  request.bytes_max = kPageBytesMax;
  // Of before the start. What was acknowledged since may come, and is known to be old.
  store.read(request);
}

bool Engine::State::take_retained_page(Page& page) {
  if (page.request == retained.page && retained.reading()) {
    take_recovered_retained(page);
    return true;
  }
  const auto asked = retained.asked.find(page.request);
  if (asked == retained.asked.end()) return false;
  auto* subscription = subscriptions.find(asked->second);
  retained.asked.erase(asked);
  if (subscription == nullptr || !subscription->replay) return true;
  if (page.error) ++retained.damaged;
  auto& ahead = subscription->replay->ahead;
  for (std::size_t i = 0; i < ahead.size(); ++i) {
    RetainedReplay::Ahead& each = ahead[i];
    if (each.request != page.request) continue;
    each.request = 0;
    // What replaced it meanwhile comes, or came, as any other message.
    const auto known = retained.topics.find(each.name);
    const bool current = known != retained.topics.end() && known->second.sequence == each.sequence;
    if (!current || page.entries.empty()) continue;
    if (!wants_retained(*subscription, *page.entries[0].message)) continue;
    each.message = std::move(page.entries[0].message);
  }
  mark_ready(*subscription);
  return true;
}

/// A page of what was retained before the start.
void Engine::State::take_recovered_retained(Page& page) {
  retained.page = 0;
  std::vector<StoreOp> done;
  for (auto& entry : page.entries) {
    const Message& message = *entry.message;
    const auto known = retained.topics.find(message.destination_name());
    if (known != retained.topics.end()) {
      // One that came since is newer.
      if (known->second.sequence > entry.sequence) {
        done.push_back(retained_done(entry.sequence));
        continue;
      }
      if (known->second.stored) done.push_back(retained_done(known->second.sequence));
    }
    Retained found = deletion(entry.sequence);
    if (!message.body().empty()) {
      found.bytes = static_cast<std::uint32_t>(message.flat().size());
      found.expiration = message.expiration();
      found.message = entry.message;
    }
    keep_retained(message.destination_name(), std::move(found));
  }
  if (!done.empty()) store.append(done);
  const bool progress = page.covered_to > retained.read_to;
  retained.read_to = std::max(page.covered_to, retained.read_to);
  if (page.error && page.damaged >= retained.read_to) {
    ++retained.damaged;  // it is kept where it is, for `pabal store check` to report
    retained.read_to = page.damaged + 1;
  } else if (page.error || !progress) {
    wake_at(Timer::retained, now + kRetry);
    return;
  }
  if (retained.reading()) {
    retained.wants_page = true;
    return;
  }
  forget_deletions();
  if (!retained.expirations.empty()) {
    wake_at(Timer::retained, from_millis(retained.expirations.begin()->first));
  }
  for (const auto id : std::exchange(retained.waiting, {})) {
    if (auto* subscription = subscriptions.find(id)) mark_ready(*subscription);
  }
}

/// The list is read, and what they deleted has gone from the store in a batch before this.
void Engine::State::forget_deletions() {
  std::vector<StoreOp> done;
  std::erase_if(retained.topics, [&](const auto& each) {
    const Retained& kept = each.second;
    if (kept.bytes == 0 && kept.stored) done.push_back(retained_done(kept.sequence));
    return kept.bytes == 0;
  });
  append_all(done);
}

void Engine::State::recover_retained(const RecoveredList& found) {
  retained.list = found.description.id;
  for (const auto& reader : found.readers) {
    for (const auto& cursor : reader.cursors) {
      if (cursor.priority != kRetainedPriority) continue;
      retained.next_sequence = std::max(retained.next_sequence, cursor.next);
      if (cursor.entries == 0) continue;
      retained.read_to = cursor.first;
      retained.read_end = cursor.next;
      retained.wants_page = true;
    }
  }
}

std::vector<RetainedView> Engine::State::retained_after(std::string_view after,
                                                        std::size_t limit) const {
  std::vector<RetainedView> views;
  for (auto at = retained.topics.upper_bound(after);
       at != retained.topics.end() && views.size() < limit; ++at) {
    if (at->second.bytes == 0) continue;
    views.push_back({at->first, at->second.bytes, at->second.expiration,
                     static_cast<bool>(at->second.message)});
  }
  return views;
}

}  // namespace pabal::core
