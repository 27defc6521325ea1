#include <algorithm>
#include <iterator>
#include <utility>

#include "core/engine_state.h"
#include "core/time_stamping.h"

namespace pabal::core {

Outcome Engine::State::publish(ConnectionId id, MessageRef message, const SendOptions& options) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return Outcome::failure({Errc::not_found, "no such connection"});
  Transaction* within = nullptr;
  if (options.transaction) {
    within = transactions.find(*options.transaction);
    if (within == nullptr || !works_for(*connection, *within)) {
      return Outcome::failure({Errc::not_found, "no such transaction"});
    }
  }
  if (message->destination_kind() == DestinationKind::topic &&
      message->destination_name() == kSchedulerTopic && settings.scheduler) {
    return order_schedule(*message, options);
  }
  if (settings.time_stamping) stamp(message);
  if (settings.force_persistent) force_persistency(message);
  if (settings.populate_user_id) name_sender(message, connection->options.user);
  Send send;
  send.message = std::move(message);
  send.targets = options.targets;
  if (options.schedule && settings.scheduler && options.schedule->any()) {
    send.schedule = options.schedule;
  }
  if (options.attach && !options.attach->empty()) {
    if (connection->session == nullptr || options.transaction || send.schedule) {
      return Outcome::failure(
          {Errc::invalid_argument, "changes of a session come with a plain send of its connection"},
          store.submitted());
    }
    send.attach = options.attach;
    send.attach_to = id;
  }
  if (options.identity) {
    send.identity = options.identity;
    const auto matters = identifies(send);
    if (!matters) return Outcome::failure(matters.error(), store.submitted());
    if (!*matters) {
      send.identity.reset();
    } else if (auto duplicate = answer_duplicate(*send.identity, within, false)) {
      return std::move(*duplicate);
    }
  }
  const auto identity = send.identity;
  // What is parked keeps its place: a connection's sends take effect in their order.
  std::optional<Outcome> outcome;
  const bool tried = connection->parked.empty();
  if (tried) outcome = try_send(send, within);
  if (!outcome) {
    outcome = park(*connection, Parked{std::move(send), options.transaction, options.token});
  }
  if (outcome->disposition == Disposition::failed) {
    if (identity) refused(*identity);
    if (tried && !blocked_at_.name.empty()) advise_full(*connection);
    if (options.token == 0) ++totals.dropped;  // nobody is told
  }
  return std::move(*outcome);
}

/// Time stamping. What is sent to where dead letters go keeps its times.
void Engine::State::stamp(MessageRef& message) const {
  const Destination destination = message->destination();
  const auto policy = settings.policies.find(destination.kind, destination.name);
  if (policy->dead_letter.destination == destination) return;
  message = stamped(*settings.time_stamping, message, now);
}

/// Source: ActiveMQ's ForcePersistencyModeBrokerPlugin.
void Engine::State::force_persistency(MessageRef& message) const {
  if (message->persistent() == *settings.force_persistent) return;
  MessageBuilder builder(*message);
  builder.persistent = *settings.force_persistent;
  const auto built = builder.build();
  if (built) message = *built;
}

/// By the name that the connection gave, or none. A property of that name, which clients of
/// OpenWire would read where there is none, is not the sender's to say. Source: ActiveMQ's
/// UserIDBroker, which leaves such a property.
void Engine::State::name_sender(MessageRef& message, std::string_view user) {
  static constexpr std::string_view kUserId = "JMSXUserID";
  const bool forged = message->property(kUserId).has_value();
  if (message->user_id() == user && !forged) return;
  MessageBuilder builder(*message);
  builder.user_id = user;
  if (forged) {
    builder.copy_properties(*message,
                            [](const Property& property) { return property.name == kUserId; });
  }
  const auto built = builder.build();
  if (built) message = *built;
}

std::optional<Outcome> Engine::State::try_send(const Send& send, Transaction* transaction) {
  forget_block("the store has no room");
  if (send.schedule) return try_schedule(send, transaction);
  const MessageRef& message = send.message;
  if (auto routed = route(send); !routed) {
    return Outcome::failure(routed.error(), store.submitted());
  }
  std::uint64_t stored_bytes = route_bytes_max(*message);
  const bool retains = message->retain() && !topic_places_.empty();
  if (retains) {
    const auto more = admit_retained(*message);
    if (!more) return Outcome::failure(more.error(), store.submitted());
    stored_bytes += *more;
  }
  Purpose purpose = send.purpose;
  if (transaction != nullptr) {
    // What will be stored is known at commit; room is set aside for whatever may be.
    const bool may_be = message->persistent() && !is_temporary(message->destination_kind());
    if (may_be) stored_bytes = std::max<std::uint64_t>(stored_bytes, message->flat().size());
    if (auto room = check_room(*transaction, *message); !room) {
      return Outcome::failure(room.error());
    }
    purpose = purpose_within(*transaction, stored_bytes);
  }

  Session* session = send.attach ? connections.find(send.attach_to)->session : nullptr;
  if (session != nullptr) {
    if (auto may = check_changes(*session, *send.attach); !may) {
      return Outcome::failure(may.error(), store.submitted());
    }
  }
  Error why;
  const bool full = send.purpose == Purpose::send && destination_full(*message, why);
  switch (full ? Admission::later : admit(*message, stored_bytes, why, purpose)) {
    case Admission::granted:
      break;
    case Admission::refused:
      return Outcome::failure(std::move(why), store.submitted());
    case Admission::later:
      if (!fails_when_full(*message)) {
        if (transaction != nullptr) blocked_bytes_ = 0;  // what it acknowledges may be its room
        blocked_why_ = std::move(why.text);
        return std::nullopt;
      }
      return Outcome::failure(std::move(why), store.submitted());
  }
  if (transaction != nullptr) {
    transaction->sends.push_back(send);
    transaction->bytes += message->footprint();
    held_bytes += message->footprint();
    transaction->admitted_bytes += stored_bytes;
    if (send.identity) note_in(*transaction, *send.identity);
    return Outcome{};
  }

  Ticket ticket = kNoTicket;
  Ticket visible_after = kNoTicket;
  if (!route_.empty() || !copies_.empty() || send.along != nullptr || send.identity || retains ||
      session != nullptr) {
    batch_.clear();
    std::uint64_t bytes = prepare(message, batch_);
    if (retains) bytes += prepare_retained(message, bytes > 0, batch_);
    if (!copies_.empty()) bytes += prepare_copies(*message, batch_);
    if (stored_bytes > bytes) store.release(stored_bytes - bytes);  // no selector wanted it
    if (send.along != nullptr) {
      std::move(send.along->begin(), send.along->end(), std::back_inserter(batch_.operations));
    }
    if (send.identity) remember(*send.identity, bytes > 0, batch_);
    if (session != nullptr) apply_changes(*session, *send.attach, batch_.operations);
    const bool plain = send.along == nullptr && !send.identity && !retains && session == nullptr;
    if (plain) hold_if_passing(batch_);
    if (!batch_.operations.empty()) ticket = store.append(batch_.operations);
    // What a crash would bring again, as another message (its producer sends again, or the
    // scheduler does, or the session's record), nobody sees before it is durable.
    const bool may_come_again = send.identity != nullptr || send.along != nullptr ||
                                (session != nullptr && session->parts_stored);
    if (may_come_again) visible_after = ticket;
    place(batch_, ticket, visible_after);
  }
  if (!left_out_.empty()) count_left_out();
  if (!topic_places_.empty()) publish_to_topics(message, visible_after);
  return Outcome{Disposition::done, ticket, std::nullopt};
}

/// For a plain send: whether the store had better not write it yet.
void Engine::State::hold_if_passing(Batch& batch) {
  if (batch.operations.empty()) return;
  const auto under_way = static_cast<double>(raw(store.submitted()) - raw(durable));
  under_way_ += (under_way - under_way_) / kUnderWayShare;
  const auto passes = [](const Placed& placed) {
    MessageList& list = *placed.list;
    return list.is_queue() && list.passing.expected() && list.reader().active();
  };
  if (!std::all_of(batch.placed.begin(), batch.placed.end(), passes)) return;
  if (!passing_trial_.hold(to_millis(now))) return;
  for (const Placed& placed : batch.placed) placed.list->passing.begin();
  batch.operations.front().passing = batch.passing = true;
}

Result<void> Engine::State::check_room(const Transaction& transaction,
                                       const Message& message) const {
  if (transaction.bytes + message.footprint() > limits.transaction_bytes_max) {
    return Error{Errc::quota_exceeded, "transaction_bytes_max: the transaction has " +
                                           std::to_string(transaction.bytes) + " bytes of sends"};
  }
  if (transaction.sends.size() + transaction.acks.size() >= limits.transaction_operations_max) {
    return Error{Errc::quota_exceeded, "transaction_operations_max reached"};
  }
  return {};
}

Admission Engine::State::admit(const Message& message, std::uint64_t stored_bytes, Error& why,
                               Purpose purpose) {
  const std::uint64_t footprint = message.footprint();
  if (limits.memory_bytes_max != 0) {
    if (footprint > limits.memory_bytes_max) {
      why = {Errc::quota_exceeded, "the message is larger than memoryUsage (" +
                                       std::to_string(limits.memory_bytes_max) + " bytes)"};
      return Admission::refused;
    }
    // A stored message costs memory only while it is in a window, which gives way.
    const bool held = stored_bytes == 0 || !topic_places_.empty();
    if (held && held_bytes + footprint > limits.memory_bytes_max) {
      why = {Errc::quota_exceeded, "memoryUsage: " + std::to_string(held_bytes) + " of " +
                                       std::to_string(limits.memory_bytes_max) +
                                       " bytes are held by messages"};
      blocked_in_memory_ = true;
      return Admission::later;
    }
  }
  for (const auto& place : topic_places_) {
    for (const auto* subscription : place.topic->subscriptions) {
      if (subscription->pending_bytes <= limits.topic_pending_bytes_max) continue;
      why = {Errc::quota_exceeded, "a subscription of " + std::string(message.destination_name()) +
                                       " (client " + subscription->connection.client_id +
                                       ") is too far behind"};
      blocked_in_memory_ = true;
      return Admission::later;
    }
  }
  if (volatile_lists > 0) {
    for (const auto* list : route_) {
      if (list->stored || list->is_queue() ||
          list->volatile_bytes <= limits.topic_pending_bytes_max) {
        continue;
      }
      why = {Errc::quota_exceeded, "the shared subscription " +
                                       list->readers.front()->description.name + " of " +
                                       list->destination.name + " is too far behind"};
      blocked_in_memory_ = true;
      return Admission::later;
    }
  }
  if (stored_bytes == 0) return Admission::granted;
  const auto admission = store.admit(stored_bytes, purpose);
  if (admission != Admission::granted) {
    why = {Errc::store_full, store.refusal()};
    blocked_bytes_ = purpose == Purpose::send ? stored_bytes : 0;
  }
  return admission;
}

// --- queueing ------------------------------------------------------------------------------------

std::uint64_t Engine::State::prepare(const MessageRef& message, Batch& batch) {
  bool added = false;
  for (auto* list : route_) {
    if (!list->is_queue() && !anybody_wants(*list, *message)) continue;
    const std::uint8_t priority = list->lane_for(*message);
    const std::uint64_t sequence = list->lane(priority).next_sequence++;
    batch.placed.push_back({list, sequence, message, priority});
    if (!stored_in(*message, *list)) {
      // Numbers of volatile messages are not stored; a window without messages moves past them.
      continue;
    }
    log_touches(*list, priority, sequence);
    StoreOp operation;
    operation.kind = added ? StoreOpKind::add_reference : StoreOpKind::add;
    operation.priority = priority;
    operation.list = list->id;
    operation.first = operation.last = sequence;
    if (!added) operation.message = message;
    added = true;
    batch.operations.push_back(std::move(operation));
  }
  return added ? message->flat().size() : 0;
}

/// Before a message that will go to a consumer at once, so that its block is logged as touched
/// ahead of it in the journal and nobody has to wait.
void Engine::State::log_touches(MessageList& list, int priority, std::uint64_t sequence) {
  for (const auto& reader : list.readers) {
    if (!reader->active()) continue;
    // One that is behind will not get to it soon: its mark would be in vain.
    const bool at_the_tail = reader->depth <= reader->in_flight + kTouchBlock;
    if (sequence >= reader->lane(priority).touched_to && at_the_tail) {
      touch(*reader, priority, sequence);
    }
    if (list.is_queue()) return;
  }
}

void Engine::State::place(Batch& batch, Ticket stored, Ticket visible_after) {
  for (auto& placed : batch.placed) {
    MessageList& list = *placed.list;
    const int priority = placed.priority;
    const std::uint64_t bytes = placed.message->flat().size();
    Lane& lane = list.lane(priority);
    Entry entry;
    entry.sequence = placed.sequence;
    entry.visible_after = visible_after;
    entry.message = std::move(placed.message);
    entry.is_volatile = !stored_in(*entry.message, list);
    entry.passing = batch.passing;
    entry.placed_at = static_cast<std::uint32_t>(to_millis(now));
    ++list.counters.enqueued;
    ++totals.enqueued;
    list.last_used = now;
    if (list.is_queue() && (hears(AdvisoryTopic::arrived) || hears(AdvisoryTopic::no_consumer))) {
      advise_arrival(list.destination, *entry.message, *list.policy, list.reader().active());
    }
    for (const auto& reader : list.readers) {
      if (!wants(*reader, *entry.message)) {
        if (!entry.is_volatile) refuse(*reader, priority, entry.sequence);
        continue;
      }
      if (entry.is_volatile && !reader->takes_volatile()) continue;
      acknowledge_refused(*reader, priority);
      ++entry.references;
      ++reader->depth;
      reader->depth_bytes += bytes;
      mark_ready(*reader);
    }
    if (entry.message->expiration() != 0) note_expiry(list, priority, entry);
    if (!entry.is_volatile) {
      entry.stored = stored;
      add_to_window(list, lane, std::move(entry));
    } else if (entry.references > 0) {
      held_bytes += entry.message->footprint();
      list.volatile_bytes += entry.message->footprint();
      lane.volatile_entries.push_back(std::move(entry));
      if (!list.spill_listed && (list.stored || list.is_queue())) {
        list.spill_listed = true;
        spillable.insert(list.id);
      }
    }
  }
  if (!batch.retained.empty()) place_retained(batch, visible_after);
  for (const auto& message : batch.announced) {
    Topic* topic = resolve_alone(message->destination_name(), message->destination_kind());
    topic_places_.assign(1, {topic, nullptr});
    publish_to_topics(message, visible_after);
  }
  batch.clear();
}

// --- durable subscriptions with a selector -------------------------------------------------------

bool Engine::State::wants(const Reader& reader, const Message& message) noexcept {
  // Of a topic message every durable subscription sees the first delivery: no state to ask for.
  return reader.front.selector == nullptr ||
         reader.front.selector->matches(message, {0, false, reader.list.selector_destination()});
}

bool Engine::State::anybody_wants(const MessageList& list, const Message& message) noexcept {
  return std::any_of(list.readers.begin(), list.readers.end(),
                     [&](const auto& reader) { return wants(*reader, message); });
}

/// Joins what is refused in a row: no promise hangs on when it is acknowledged, and a restart only
/// refuses it again.
void Engine::State::refuse(Reader& reader, int priority, std::uint64_t sequence) {
  ReaderLane& lane = reader.lane(priority);
  if (lane.refused.first == 0) lane.refused.first = sequence;
  lane.refused.last = sequence;
  if (!std::exchange(reader.acks_late, true)) acking_late.push_back(&reader);
}

void Engine::State::acknowledge_refused(Reader& reader, int priority) {
  const auto& lane = reader.lanes[static_cast<std::size_t>(priority)];
  if (lane && lane->refused.first != 0) acknowledge_run(reader, priority, lane->refused);
}

/// Joins what a durable subscription that acknowledges automatically is done with, in a row. Nobody
/// waits for a reply to it, and a crash before it is written means redeliveries with the mark. With
/// a thousand subscriptions, an acknowledgement of each for each message would be most of what is
/// written.
void Engine::State::acknowledge_late(Reader& reader, int priority, std::uint64_t sequence) {
  AckLate& run = reader.lane(priority).acked;
  if (run.first != 0 && run.last + 1 != sequence) acknowledge_run(reader, priority, run);
  if (run.first == 0) run.first = sequence;
  run.last = sequence;
  if (run.last - run.first >= kLateAcksMax) return acknowledge_run(reader, priority, run);
  if (!std::exchange(reader.acks_late, true)) acking_late.push_back(&reader);
}

void Engine::State::acknowledge_run(Reader& reader, int priority, AckLate& run) {
  flush_acks();
  StoreOp operation = acknowledgement_of(reader.list.id, reader.id, priority, run);
  store.append({&operation, 1});
}

StoreOp Engine::State::acknowledgement_of(ListId list, ReaderId reader, int priority,
                                          AckLate& run) {
  StoreOp operation;
  operation.kind = StoreOpKind::acknowledge;
  operation.priority = static_cast<std::uint8_t>(priority);
  operation.list = list;
  operation.reader = reader;
  operation.first = std::exchange(run.first, 0);
  operation.last = std::exchange(run.last, 0);
  return operation;
}

void Engine::State::acknowledge_all_late() {
  for (auto* reader : acking_late) {
    reader->acks_late = false;
    acknowledge_all_late(*reader);
  }
  acking_late.clear();
}

void Engine::State::acknowledge_all_late(Reader& reader) {
  for (int priority = 0; priority < kPriorities; ++priority) {
    const auto& lane = reader.lanes[static_cast<std::size_t>(priority)];
    if (!lane) continue;
    if (lane->refused.first != 0) acknowledge_run(reader, priority, lane->refused);
    if (lane->acked.first != 0) acknowledge_run(reader, priority, lane->acked);
    if (lane->unwanted.first == 0) continue;
    auto operation =
        acknowledgement_of(reader.list.spill->list, reader.spill_reader, priority, lane->unwanted);
    store.append({&operation, 1});
  }
}

}  // namespace pabal::core
