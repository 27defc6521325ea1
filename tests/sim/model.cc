#include "tests/sim/model.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace pabal::sim {

using core::AckKind;
using core::DestinationKind;

// --- messages ------------------------------------------------------------------------------------

std::uint64_t number_of(const core::Message& message) {
  const std::string_view body = message.body();
  std::uint64_t number = 0;
  std::from_chars(body.data(), body.data() + body.size(), number);
  return number;
}

JobBatch::Added job_of(JobPlace place, const core::Message& packed) {
  const auto message = core::message_in_job(packed);
  return {place, message ? number_of(**message) : 0, core::time_of_job(packed)};
}

std::string body_of(std::uint64_t number) {
  std::string body = std::to_string(number) + ' ';
  const std::uint64_t mixed = number * 0x9E3779B97F4A7C15ULL >> 40;
  const std::uint64_t filler = mixed % 61 == 0   ? 12'000  // several pages of a disk
                               : mixed % 17 == 0 ? 1500
                                                 : mixed % 160;
  body.append(filler, static_cast<char>('a' + number % 26));
  return body;
}

bool pattern_matches(const std::string& pattern, const std::string& name) {
  if (pattern == ">") return true;
  const auto dot = pattern.find('.');
  const std::string head = pattern.substr(0, dot);
  const auto name_dot = name.find('.');
  if (head != "*" && head != name.substr(0, name_dot)) return false;
  if (dot == std::string::npos) return name_dot == std::string::npos;
  const std::string rest = pattern.substr(dot + 1);
  if (name_dot == std::string::npos) return rest == ">";
  return pattern_matches(rest, name.substr(name_dot + 1));
}

std::string List::text() const {
  switch (kind) {
    case ListKind::durable:
      return "durable " + client_id + "/" + name + " on " + destination.to_text();
    case ListKind::transient:
      return "subscription to " + destination.to_text();
    case ListKind::queue:
    case ListKind::temporary_queue:
    case ListKind::dead_letters:
      return destination.to_text();
  }
  return {};
}

std::string Model::text(const Place& place) {
  const Message& message = *place.message;
  return "message " + std::to_string(message.number) + " (producer " +
         std::to_string(message.producer) + ", order " + std::to_string(message.order) +
         ", priority " + std::to_string(message.priority) +
         (message.persistent ? ", persistent" : ", non-persistent") +
         (place.visible_after != core::kNoTicket ? ", in a transaction" : "") + ", added at " +
         std::to_string(core::raw(place.added)) + ", removed at " +
         std::to_string(core::raw(place.removed)) + ") of " + place.list->text();
}

Message& Model::create(std::uint64_t producer, core::Destination destination, bool persistent,
                       std::uint8_t priority, std::int64_t expiration, std::uint64_t origin) {
  auto message = std::make_unique<Message>();
  message->number = message->content = message->sequence = messages_.size() + 1;
  message->producer = producer;
  message->destination = std::move(destination);
  message->persistent = persistent;
  message->priority = priority;
  message->expiration = expiration;
  message->origin = origin;
  messages_.push_back(std::move(message));
  return *messages_.back();
}

Message* Model::known(const core::Message& message) {
  const std::uint64_t number = number_of(message);
  if (number == 0 || number > messages_.size() || message.body() != body_of(number)) {
    violation("a message that nobody sent: \"" + std::string(message.body().substr(0, 40)) + "\"");
    return nullptr;
  }
  Message* found = messages_[number - 1].get();
  if (message.property(core::kScheduledJobId)) found = occurrence_of(message);
  if (found == nullptr) {
    violation("message " + std::to_string(number) + " comes, and was not due");
    return nullptr;
  }
  Message& known = *found;
  if (message.persistent() != known.persistent || message.priority() != known.priority ||
      message.origin() != known.origin || message.sequence() != known.sequence) {
    violation("message " + std::to_string(number) + " has changed its header");
  }
  return &known;
}

// --- lists and places ----------------------------------------------------------------------------

List& Model::queue(const core::Destination& destination) {
  for (const auto& list : lists_) {
    if (!list->topic() && list->destination == destination) return *list;
  }
  auto list = std::make_unique<List>();
  list->kind = destination.kind == DestinationKind::temporary_queue ? ListKind::temporary_queue
               : destination.name == kDeadLetters                   ? ListKind::dead_letters
                                                                    : ListKind::queue;
  list->destination = destination;
  lists_.push_back(std::move(list));
  return *lists_.back();
}

List* Model::durable(const std::string& client_id, const std::string& name) {
  for (const auto& list : lists_) {
    if (list->kind == ListKind::durable && !list->deleted && list->client_id == client_id &&
        list->name == name) {
      return list.get();
    }
  }
  return nullptr;
}

Place& Model::place(Message& message, List& list, Ticket added) {
  Place& place = list.places[message.number];
  place = Place{};
  place.message = &message;
  place.list = &list;
  place.stored = message.persistent && list.kind != ListKind::temporary_queue &&
                 list.kind != ListKind::transient;
  place.added = added;
  place.epoch = epoch_;
  place.since = entry_;
  return place;
}

/// All of them or none.
void Model::place_everywhere(Message& message, Ticket after, Ticket visible_after,
                             Place::State state) {
  if (message.targets.empty()) {
    return place_at(message.destination, message, after, visible_after, state);
  }
  message.copied = true;
  for (const auto& target : message.targets) {
    place_at(target, message, after, visible_after, state);
  }
}

void Model::place_at(const core::Destination& target, Message& message, Ticket after,
                     Ticket visible_after, Place::State state) {
  const auto put = [&](List& list) {
    Place& made = place(message, list, after);
    made.state = state;
    made.visible_after = visible_after;
  };
  if (core::is_queue(target.kind)) return put(queue(target));
  for (const auto& list : lists_) {
    if (!list->topic() || list->deleted) continue;
    if (!pattern_matches(list->destination.name, target.name)) continue;
    if (list->no_local && list->origin == message.origin) continue;
    if (!list->red_only || is_red(message)) {
      put(*list);
    } else if (list->kind == ListKind::durable && message.persistent) {
      Place& refused = place(message, *list, after);
      refused.state = Place::State::refused;
      refused.visible_after = visible_after;
    }
  }
}

void Model::sent(Message& message, Ticket after) {
  take_effect(message, after, core::kNoTicket);
}

void Model::take_effect(Message& message, Ticket after, Ticket visible_after) {
  if (message.schedule) return planned(message, after);
  place_everywhere(message, after, visible_after, Place::State::here);
}

/// Nobody sees it before it is durable: its client would send it again after a crash.
void Model::sent_once(Message& message, Ticket after) {
  if (message.taken) return;
  message.taken = true;
  place_everywhere(message, after, after, Place::State::here);
}

void Model::parked_silently(Message& message) {
  place_everywhere(message, kUnknownTicket, core::kNoTicket, Place::State::parked);
}

/// `plain`: by an acknowledgement outside of transactions, which may take the send back too.
void Model::remove(Place& place, Ticket removed, bool plain) {
  place.state = Place::State::gone;
  place.since = entry_;
  place.removed = removed;
  // Acknowledgements of one entry go to the store in several batches, or with the one before.
  place.removed_from = plain ? submitted_ : removed;
  place.may_be_cancelled = plain && place.added > durable_ &&
                           place.visible_after == core::kNoTicket && !place.list->topic() &&
                           place.deliveries == 0;
}

void Model::give_back(Place& place, Ticket counted) {
  place.state = Place::State::here;
  place.since = entry_;
  ++place.deliveries;
  place.counted.push_back(counted);
}

void Model::entry_ends(Ticket submitted) {
  for (Place* place : written_) place->removed = submitted;
  written_.clear();
}

// --- consumers -----------------------------------------------------------------------------------

void Model::subscribed(core::SubscriptionId id, std::uint64_t connection, std::uint64_t origin,
                       const std::string& client_id, const core::SubscribeOptions& options,
                       Ticket submitted) {
  Consumer consumer;
  consumer.id = id;
  consumer.connection = connection;
  consumer.destination = options.interests.front().destination;
  consumer.automatic = options.ack_mode == core::AckMode::automatic;
  consumer.prefetch = options.prefetch;
  consumer.exclusive = options.exclusive;
  consumer.priority = options.consumer_priority;
  consumer.arrival = ++arrivals_;
  consumer.red_only = !options.interests.front().selector.empty();
  if (!options.durable_name.empty()) {
    List* list = durable(client_id, options.durable_name);
    if (list != nullptr &&
        (list->destination != consumer.destination || list->red_only != consumer.red_only)) {
      list->deleted = true;
      list->deleted_by = submitted;
      list = nullptr;
    }
    if (list == nullptr) {
      lists_.push_back(std::make_unique<List>());
      list = lists_.back().get();
      list->kind = ListKind::durable;
      list->destination = consumer.destination;
      list->client_id = client_id;
      list->name = options.durable_name;
      list->red_only = consumer.red_only;
      list->created = submitted;
    }
    consumer.list = list;
  } else if (!core::is_queue(consumer.destination.kind)) {
    lists_.push_back(std::make_unique<List>());
    consumer.list = lists_.back().get();
    consumer.list->kind = ListKind::transient;
    consumer.list->destination = consumer.destination;
    consumer.list->connection = connection;
    consumer.list->no_local = options.interests.front().no_local;
    consumer.list->origin = origin;
    consumer.list->red_only = consumer.red_only;
  }
  consumed_[core::raw(id)] = consumer.list;
  consumers_[core::raw(id)] = std::move(consumer);
}

/// What it has out returns, counted; what it acknowledged in an open transaction waits for that.
void Model::end_consumer(Consumer& consumer, Ticket submitted) {
  for (auto& each : transactions_) {
    TransactionModel& transaction = each.second;
    std::erase_if(transaction.acks, [&](const auto& ack) {
      if (ack.consumer != core::raw(consumer.id)) return false;
      const auto out = consumer.out.find(ack.delivery);
      if (out == consumer.out.end()) return true;
      if (out->second.place->list->kind != ListKind::transient) {
        transaction.orphans.emplace_back(out->second.place, ack.kind);
      }
      consumer.out.erase(out);
      return true;
    });
  }
  for (auto& [id, out] : consumer.out) {
    if (out.place->list->kind != ListKind::transient) give_back(*out.place, submitted);
  }
  if (consumer.list != nullptr && consumer.list->kind == ListKind::transient) {
    consumer.list->deleted = true;
    consumer.list->places.clear();
  }
}

void Model::granted(core::SubscriptionId id, std::uint32_t messages) {
  consumers_.at(core::raw(id)).granted += messages;
}

void Model::unsubscribed(core::SubscriptionId id, Ticket submitted) {
  const auto found = consumers_.find(core::raw(id));
  if (found == consumers_.end()) return;
  end_consumer(found->second, submitted);
  consumers_.erase(found);
}

void Model::durable_deleted(const std::string& client_id, const std::string& name,
                            Ticket submitted) {
  List* list = durable(client_id, name);
  if (list == nullptr) return violation("deleted a durable subscription that does not exist");
  list->deleted = true;
  list->deleted_by = submitted;
}

void Model::written(const core::Delivery& delivery) {
  const auto consumer = consumers_.find(core::raw(delivery.subscription));
  if (consumer == consumers_.end() || !consumer->second.automatic) return;
  const auto out = consumer->second.out.find(core::raw(delivery.id));
  if (out == consumer->second.out.end()) return;
  remove(*out->second.place, core::kNoTicket, true);
  written_.push_back(out->second.place);
  consumer->second.out.erase(out);
}

void Model::received(const core::Delivery& delivery) {
  Message* message = known(*delivery.message);
  const auto consumed = consumed_.find(core::raw(delivery.subscription));
  if (message == nullptr || consumed == consumed_.end()) return;
  List* list = consumed->second;
  if (list == nullptr) list = &queue(sim::place_of(delivery));
  const auto place = list->places.find(message->number);
  if (place != list->places.end()) place->second.received = true;
  const auto consumer = consumers_.find(core::raw(delivery.subscription));
  if (consumer == consumers_.end()) return;
  const auto out = consumer->second.out.find(core::raw(delivery.id));
  if (out != consumer->second.out.end()) out->second.received = true;
}

void Model::acknowledged(core::SubscriptionId id, core::DeliveryRange range, AckKind kind,
                         const std::string& cause, Ticket after) {
  auto& out = consumers_.at(core::raw(id)).out;
  for (auto at = out.lower_bound(core::raw(range.first));
       at != out.end() && at->first <= core::raw(range.last);) {
    if (at->second.transaction != 0) {
      ++at;
      continue;
    }
    Place& place = *at->second.place;
    switch (kind) {
      case AckKind::consumed:
        remove(place, after, true);
        break;
      case AckKind::requeued:
      case AckKind::poisoned:
        refuse(place, kind, cause, after);
        break;
      case AckKind::expired:
        dead_letter(place, cause, true, after);
        break;
    }
    at = out.erase(at);
  }
}

/// With a policy it comes again, not before the delay is over, until that was enough.
void Model::refuse(Place& place, AckKind kind, const std::string& cause, Ticket after) {
  if (!redelivery_) {
    if (kind == AckKind::requeued) return give_back(place, after);
    return dead_letter(place, cause, false, after);
  }
  if (place.refusals >= static_cast<std::uint32_t>(redelivery_->maximum_redeliveries)) {
    return dead_letter(place, cause, false, after);
  }
  auto wait = redelivery_->initial_delay;
  for (std::uint32_t i = 0; i < place.refusals; ++i) {
    wait = redelivery_->exponential_back_off ? 2 * wait : redelivery_->delay;
  }
  give_back(place, after);
  ++place.refusals;
  place.refused.push_back(after);
  place.not_before = now_ + wait;
}

void Model::dead_letter(Place& place, const std::string& cause, bool expired, Ticket after) {
  Message& message = *place.message;
  const bool ends = place.list->kind == ListKind::dead_letters || (expired && !message.persistent);
  remove(place, after, ends);
  if (ends) return;
  message.dead = true;
  message.cause = cause;
  Place& dead = this->place(message, queue({DestinationKind::queue, kDeadLetters}), after);
  if (dead.stored) dead.visible_after = after;
}

// --- transactions --------------------------------------------------------------------------------

void Model::begun(std::uint64_t transaction, std::uint64_t connection) {
  transactions_[transaction].connection = connection;
}

void Model::sent_in(std::uint64_t transaction, Message& message) {
  const auto found = transactions_.find(transaction);
  if (found != transactions_.end()) found->second.sends.push_back(&message);
}

void Model::refused_in(std::uint64_t transaction, Message& message) {
  const auto found = transactions_.find(transaction);
  if (found != transactions_.end()) std::erase(found->second.sends, &message);
}

void Model::acknowledged_in(std::uint64_t transaction, core::SubscriptionId id,
                            core::DeliveryRange range, AckKind kind) {
  auto& out = consumers_.at(core::raw(id)).out;
  for (auto at = out.lower_bound(core::raw(range.first));
       at != out.end() && at->first <= core::raw(range.last); ++at) {
    if (at->second.transaction != 0) continue;
    at->second.transaction = transaction;
    at->second.place->state = Place::State::in_transaction;
    transactions_[transaction].acks.push_back({core::raw(id), at->first, kind});
  }
}

/// The order of a transaction's sends is that of its commit.
void Model::ordered_in(std::uint64_t transaction) {
  for (Message* message : transactions_[transaction].sends) order(*message);
}

/// A prepared branch that is in doubt again must not hold what others have seen meanwhile.
void Model::let_go(Place& place, Ticket after) {
  const bool hidden = std::exchange(place.prepared, false);
  const bool given_back = place.state == Place::State::here || place.state == Place::State::out;
  if (hidden && given_back && place.list->kind != ListKind::transient) place.visible_after = after;
}

void Model::committed(std::uint64_t number, Ticket after) {
  TransactionModel transaction = std::move(transactions_[number]);
  transactions_.erase(number);
  const auto settle = [&](Place& place, AckKind kind) {
    if (place.list->deleted && !place.list->topic()) return;
    if (kind == AckKind::consumed) {
      remove(place, after, false);
    } else {
      give_back(place, after);
    }
    let_go(place, after);
  };
  for (const auto& ack : transaction.acks) {
    auto& out = consumers_.at(ack.consumer).out;
    const auto at = out.find(ack.delivery);
    if (at == out.end()) continue;
    settle(*at->second.place, ack.kind);
    out.erase(at);
  }
  for (const auto& [place, kind] : transaction.orphans) settle(*place, kind);
  for (Message* message : transaction.sends) {
    if (message->order == 0) order(*message);
    take_effect(*message, after, after);
  }
}

void Model::rolled_back(std::uint64_t number, Ticket submitted) {
  rollback_entry_ = entry_;
  TransactionModel transaction = std::move(transactions_[number]);
  transactions_.erase(number);
  for (const auto& ack : transaction.acks) {
    auto& out = consumers_.at(ack.consumer).out;
    const auto at = out.find(ack.delivery);
    if (at == out.end()) continue;
    at->second.transaction = 0;
    at->second.place->state = Place::State::out;
    let_go(*at->second.place, submitted);
  }
  for (const auto& [place, kind] : transaction.orphans) {
    if (place->list->deleted && !place->list->topic()) continue;
    give_back(*place, submitted);
    let_go(*place, submitted);
  }
}

// --- connections ---------------------------------------------------------------------------------

void Model::temporary_created(const core::Destination& destination, std::uint64_t connection) {
  List& list = queue(destination);
  if (list.connection != 0) violation("a temporary name came twice: " + destination.to_text());
  list.connection = connection;
}

void Model::disconnected(std::uint64_t connection, Ticket submitted) {
  std::vector<std::uint64_t> open;
  for (const auto& [number, transaction] : transactions_) {
    if (transaction.connection == connection) open.push_back(number);
  }
  for (const std::uint64_t number : open) rolled_back(number, submitted);
  for (const std::uint64_t number : branches_of(connection)) {
    branch_rolled_back(number, submitted, false);
  }
  for (auto& [number, branch] : branches_) {
    if (branch.ending_for == connection) branch.ending_for = 0;
  }
  for (auto at = consumers_.begin(); at != consumers_.end();) {
    if (at->second.connection != connection) {
      ++at;
      continue;
    }
    end_consumer(at->second, submitted);
    at = consumers_.erase(at);
  }
  std::erase_if(browsers_, [&](const auto& each) { return each.second.connection == connection; });
  for (const auto& list : lists_) {
    if (list->kind != ListKind::temporary_queue || list->connection != connection) continue;
    list->deleted = true;
    // What had expired may have been moved by the engine before; the rest is gone.
    for (auto& [number, place] : list->places) {
      const bool may_be_dead =
          place.message->persistent && place.message->expiration != 0 &&
          (place.state == Place::State::here || place.state == Place::State::parked);
      if (!may_be_dead) place.state = Place::State::gone;
    }
  }
}

// --- for clients ---------------------------------------------------------------------------------

const Consumer* Model::consumer(core::SubscriptionId id) const {
  const auto found = consumers_.find(core::raw(id));
  return found == consumers_.end() ? nullptr : &found->second;
}

const Message* Model::message_of(core::SubscriptionId id, core::DeliveryId delivery) const {
  const Consumer* found = consumer(id);
  if (found == nullptr) return nullptr;
  const auto out = found->out.find(core::raw(delivery));
  return out == found->out.end() ? nullptr : out->second.place->message;
}

bool Model::is_out(core::SubscriptionId id, core::DeliveryId delivery) const {
  const Consumer* found = consumer(id);
  if (found == nullptr) return false;
  const auto out = found->out.find(core::raw(delivery));
  return out != found->out.end() && out->second.transaction == 0;
}

std::optional<std::pair<core::SubscriptionId, core::DeliveryId>> Model::some_delivery_out() const {
  for (const auto& [number, consumer] : consumers_) {
    for (const auto& [delivery, out] : consumer.out) {
      if (out.transaction == 0) return std::pair(consumer.id, core::DeliveryId{delivery});
    }
  }
  return std::nullopt;
}

std::vector<core::Destination> Model::temporaries() const {
  std::vector<core::Destination> names;
  for (const auto& list : lists_) {
    if (list->kind == ListKind::temporary_queue && !list->deleted)
      names.push_back(list->destination);
  }
  return names;
}

bool Model::ghost_of(const std::string& client_id, const std::string& name,
                     const std::string& pattern, bool red_only, Ticket durable) const {
  return std::any_of(lists_.begin(), lists_.end(), [&](const auto& list) {
    return list->kind == ListKind::durable && list->deleted && list->client_id == client_id &&
           list->name == name && list->destination.name == pattern && list->red_only == red_only &&
           list->deleted_by > durable;
  });
}

}  // namespace pabal::sim
