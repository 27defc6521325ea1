// What clients do. Each action is one or a few calls of the engine, as an adaptor would make them,
// and tells the model what the engine answered.

#include <algorithm>

#include "tests/sim/world.h"

namespace pabal::sim {

using core::DestinationKind;
using core::Disposition;
using core::raw;

namespace {

/// In the order of Scenario::client_weights.
enum class Action : std::uint8_t {
  send,
  send_in_transaction,
  acknowledge,
  acknowledge_in_transaction,
  subscribe,
  subscribe_durable,
  unsubscribe,
  delete_durable,
  begin,
  commit,
  roll_back,
  create_temporary,
  disconnect,
  grant,
  xa,
  cancel,
  give_command,
  browse,
  acknowledge_late,
};

const std::vector<std::string> kTopicPatterns = {"news.t0", "news.t1", "news.*", "news.>", ">"};
const std::vector<std::string> kQueuePatterns = {"q.*", ">", "q.>"};

}  // namespace

Connection& World::connection_of(Client& client) {
  return connections_.at(*client.connection);
}

/// One read of a client's socket: a few commands, decoded and applied in one entry.
void World::client_turn(Client& client) {
  if (!client.connection) {
    (void)connect(client, client.client_id);
    return;
  }
  if (connection_of(client).paused && !random_.one_in(20)) return;  // it is not read
  enter([&] {
    for (std::uint64_t commands = random_.between(1, 4); commands > 0; --commands) {
      if (!client.connection || broken()) return;
      client_action(client);
    }
  });
}

void World::client_action(Client& client) {
  OpenTransaction* transaction = nullptr;
  for (auto& each : client.transactions) {
    if (!each.closing) transaction = &each;
  }
  const bool paused = connection_of(client).paused;
  switch (paused ? Action::disconnect
                 : static_cast<Action>(random_.weighted(scenario_.client_weights))) {
    case Action::send:
      if (client.to_repeat > 0) return repeat_unanswered(client);
      if (client.receipts_awaited >= 20) return;
      if (scenario_.identities && random_.one_in(2)) return send_identified(client);
      send(client, nullptr);
      return;
    case Action::send_in_transaction:
      if (transaction != nullptr) send(client, transaction);
      return;
    case Action::acknowledge:
      return acknowledge(client, nullptr);
    case Action::acknowledge_in_transaction:
      if (transaction != nullptr) acknowledge(client, transaction);
      return;
    case Action::subscribe:
      return subscribe(client);
    case Action::subscribe_durable:
      return subscribe_durable(client);
    case Action::unsubscribe:
      return unsubscribe(client);
    case Action::delete_durable:
      return delete_durable(client);
    case Action::begin:
      return begin(client);
    case Action::commit:
      if (transaction != nullptr && transaction->branch == 0) commit(client, *transaction);
      return;
    case Action::roll_back:
      if (transaction == nullptr || transaction->branch != 0) return;
      if (random_.one_in(2)) roll_back(client, *transaction);
      return;
    case Action::create_temporary:
      return create_temporary(client);
    case Action::disconnect:
      if (random_.one_in(2)) disconnect(client);
      return;
    case Action::grant:
      return grant(client);
    case Action::xa:
      return work_on_branch(client);
    case Action::cancel:
      return cancel_scheduled(client);
    case Action::give_command:
      return give_command();
    case Action::browse:
      return browse(client);
    case Action::acknowledge_late:
      return acknowledge_late(client, transaction);
  }
}

// --- connections ---------------------------------------------------------------------------------

bool World::connect(Client& client, std::string client_id) {
  core::ConnectOptions options;
  options.client_id = std::move(client_id);
  options.remote = "sim://" + std::to_string(client.index);
  options.protocol = "sim";
  auto connected = engine_->connect(options);
  if (!connected) {
    model_.violation("cannot connect: " + connected.error().text);
    return false;
  }
  client.connection = connected->id;
  Connection& connection = connections_[connected->id];
  connection.details = *connected;
  connection.client = client.index;
  client.to_repeat = client.unanswered.size();
  note("client " + std::to_string(client.index) + " connects as " +
       std::to_string(raw(connected->id)));
  return true;
}

/// Its deliveries under way are lost with the socket, or come to a client that no longer answers.
void World::disconnect(Client& client) {
  const core::ConnectionId id = *client.connection;
  note("client " + std::to_string(client.index) + " disconnects");
  Connection& connection = connections_.at(id);
  for (std::uint64_t last = random_.below(4); last > 0; --last) (void)receive(connection);
  engine_->disconnect(id, now_);
  std::erase_if(parked_, [&](const auto& each) {
    return each.second.message != nullptr
               ? each.second.message->origin == connection.details.origin
               : std::any_of(client.transactions.begin(), client.transactions.end(),
                             [&](const OpenTransaction& open) {
                               return raw(open.id) == each.second.transaction;
                             });
  });
  for (const auto& send : client.unanswered) parked_.erase(send.token);
  std::erase_if(parked_branches_, [&](const auto& each) { return each.second.connection == id; });
  const auto branches = model_.branches_of(raw(id));
  model_.disconnected(raw(id), store_->submitted());
  connections_.erase(id);
  client.connection.reset();
  client.subscriptions.clear();
  client.browser.reset();
  client.transactions.clear();
  client.unacknowledged.clear();
  client.receipts_awaited = 0;
  for (const std::uint64_t branch : branches) branch_ended(branch);
}

void World::create_temporary(Client& client) {
  auto made = engine_->create_temporary(*client.connection, DestinationKind::temporary_queue);
  if (!made) return model_.violation("no temporary queue: " + made.error().text);
  note("client " + std::to_string(client.index) + " makes " + made->to_text());
  model_.temporary_created(*made, raw(*client.connection));
  core::SubscribeOptions options;
  options.interests.push_back({*made, "", false});
  options.ack_mode = random_.one_in(2) ? core::AckMode::automatic : core::AckMode::explicit_;
  options.prefetch = static_cast<std::uint32_t>(random_.between(1, 5));
  (void)subscribe(client, options);
}

// --- sending -------------------------------------------------------------------------------------

core::Destination World::choose_target(Client&) {
  const std::uint64_t kind = random_.below(10);
  if (kind == 0) {
    const auto names = model_.temporaries();
    if (!names.empty()) return random_.of(names);
  }
  if (kind < 4 && scenario_.topics > 0) {
    return {DestinationKind::topic, "news.t" + std::to_string(random_.below(scenario_.topics))};
  }
  return {DestinationKind::queue, "q." + std::to_string(random_.below(scenario_.queues))};
}

/// Sometimes: several places that one send names, or one that leads to several (start() has made
/// them). Null in the second case.
std::shared_ptr<const std::vector<core::Destination>> World::choose_several(
    core::Destination& target) {
  if (random_.one_in(3)) {
    target = {DestinationKind::queue, kFan};
    return nullptr;
  }
  if (random_.one_in(2)) {
    target = {DestinationKind::topic, kVirtualTopic};
    return nullptr;
  }
  std::vector<core::Destination> targets;
  for (std::uint64_t queue = 0; queue < scenario_.queues; ++queue) {
    if (queue < 2 || random_.one_in(2)) {
      targets.push_back({DestinationKind::queue, "q." + std::to_string(queue)});
    }
  }
  if (scenario_.topics > 0 && random_.one_in(2)) {
    targets.push_back({DestinationKind::topic, "news.t1"});
  }
  target = targets.front();
  return std::make_shared<const std::vector<core::Destination>>(std::move(targets));
}

/// Of one that does not name its targets: where what it names leads.
std::vector<core::Destination> World::where_to(const Message& message) const {
  if (message.destination.name == kVirtualTopic) {
    return {message.destination,
            {DestinationKind::queue, kVirtualQueues[0]},
            {DestinationKind::queue, kVirtualQueues[1]}};
  }
  std::vector<core::Destination> targets = {{DestinationKind::queue, "q.0"}};
  if (is_red(message)) targets.push_back({DestinationKind::queue, "fan.red"});
  targets.push_back({DestinationKind::topic, "news.t0"});
  if (!scenario_.fan_only) targets.push_back(message.destination);
  return targets;
}

void World::send(Client& client, OpenTransaction* transaction) {
  const Connection& connection = connection_of(client);
  core::Destination target = choose_target(client);
  const bool several = scenario_.several && random_.one_in(5);
  const auto named = several ? choose_several(target) : nullptr;
  const auto schedule = several ? nullptr : choose_schedule(target);
  // Scheduled ones that are not persistent are nobody's promise over a crash, and not looked at.
  const bool persistent = random_.percent(75) || schedule != nullptr;
  const auto priority = static_cast<std::uint8_t>(random_.one_in(4) ? random_.below(10) : 4);
  // A persistent topic message that expires would die once per durable subscription.
  const bool expires = scenario_.expiration && random_.one_in(8) &&
                       ((core::is_queue(target.kind) && !several) || !persistent) &&
                       schedule == nullptr;
  const std::int64_t expiration =
      expires ? core::to_millis(now_) + static_cast<std::int64_t>(random_.between(1, 3000)) : 0;
  // What is sent for a branch takes effect when that ends, and so is nobody's in order.
  const std::uint64_t branch = transaction != nullptr ? transaction->branch : 0;
  Message& message = model_.create(client.index + branch * 1000, target, persistent, priority,
                                   expiration, connection.details.origin);
  if (several) {
    ++report_.several;
    message.targets = named != nullptr ? *named : where_to(message);
  }
  if (schedule != nullptr) {
    message.schedule = schedule;
    message.producer = 1'000'000 + message.number;
  }
  if (scenario_.groups && schedule == nullptr && core::is_queue(target.kind) &&
      random_.percent(60)) {
    message.group = "g" + std::to_string(random_.below(5));
    message.closes = random_.one_in(8);
  }
  const std::string body = body_of(message.number);
  core::MessageBuilder builder;
  builder.destination_kind = target.kind;
  builder.destination_name = message.destination.name;
  builder.persistent = persistent;
  builder.priority = priority;
  builder.timestamp = core::to_millis(now_);
  builder.expiration = expiration;
  builder.origin = message.origin;
  builder.sequence = message.number;
  if (options_.sabotage != Sabotage::forget_groups) {
    builder.group_id = message.group;
    builder.group_sequence = message.closes ? -1 : 0;
  }
  builder.body_kind = core::BodyKind::text;
  builder.body = body;
  builder.add_string("colour", is_red(message) ? "red" : "blue");
  auto built = builder.build();
  if (!built) return model_.violation("cannot build: " + built.error().text);

  const bool wants_receipt = random_.one_in(2);
  // Without a token nobody says when a parked send took effect.
  const bool silent = transaction == nullptr && !wants_receipt && core::is_queue(target.kind) &&
                      schedule == nullptr && !several && random_.one_in(4);
  const std::uint64_t token = silent ? 0 : ++last_token_;
  std::optional<core::TransactionId> within;
  if (transaction != nullptr) within = transaction->id;
  note("client " + std::to_string(client.index) + " sends " + std::to_string(message.number) +
       " to " + target.to_text() + (persistent ? " persistent" : "") + " priority " +
       std::to_string(priority) + " " + message.group + (message.closes ? " closes" : "") +
       (within ? " in transaction " + std::to_string(raw(*within)) : "") +
       (several ? " to several" : "") + (expires ? " expires" : "") +
       (schedule != nullptr ? " scheduled" : ""));
  if (transaction == nullptr) model_.order(message);
  core::SendOptions options;
  options.transaction = within;
  options.token = token;
  options.schedule = told_schedule(schedule);
  options.targets = named;
  if (named != nullptr && named->size() > 1 && options_.sabotage == Sabotage::forget_targets) {
    options.targets =
        std::make_shared<const std::vector<core::Destination>>(named->begin(), named->end() - 1);
  }
  const core::Outcome outcome = engine_->publish(*client.connection, *built, options, now_);
  mix(static_cast<std::uint64_t>(outcome.disposition));
  if (outcome.disposition != Disposition::parked) answered_.insert(token);
  switch (outcome.disposition) {
    case Disposition::failed:
      note("  refused: " + outcome.error->text);
      ++report_.refused;
      if (outcome.error->text.empty()) model_.violation("refused without a word");
      return;
    case Disposition::parked:
      note("  parked");
      ++report_.parked;
      if (transaction != nullptr) model_.sent_in(transaction->key(), message);
      if (silent) {
        model_.parked_silently(message);
      } else {
        parked_[token] = {&message, within ? transaction->key() : 0, wants_receipt};
      }
      break;
    case Disposition::done:
      note("  done after " + std::to_string(raw(outcome.after)));
      if (transaction != nullptr) {
        model_.sent_in(transaction->key(), message);
      } else {
        model_.sent(message, outcome.after);
      }
      if (wants_receipt) answer(*client.connection, token, outcome.after);
      break;
  }
  if (wants_receipt) ++client.receipts_awaited;
  if (transaction != nullptr) ++transaction->operations;
}

// --- sending what is taken once ------------------------------------------------------------------

/// A new one, after all that may have to be repeated: numbers only grow.
void World::send_identified(Client& client) {
  const Connection& connection = connection_of(client);
  const core::Destination target{DestinationKind::queue,
                                 "q." + std::to_string(random_.below(scenario_.queues))};
  Message& message = model_.create(client.index, target, true, 4, 0, connection.details.origin);
  message.identified = true;
  const std::string body = body_of(message.number);
  core::MessageBuilder builder;
  builder.destination_kind = target.kind;
  builder.destination_name = message.destination.name;
  builder.persistent = true;
  builder.timestamp = core::to_millis(now_);
  builder.origin = message.origin;
  builder.sequence = message.number;
  builder.body_kind = core::BodyKind::text;
  builder.body = body;
  builder.add_string("colour", is_red(message) ? "red" : "blue");
  auto built = builder.build();
  if (!built) return model_.violation("cannot build: " + built.error().text);
  client.unanswered.push_back(
      {std::make_shared<const core::ProducerSequence>(core::ProducerSequence{
           "client " + std::to_string(client.index), ++client.last_identity}),
       &message, std::move(*built), 0});
  publish_identified(client, client.unanswered.back());
}

/// On a new connection, in their order, what the client was not told about.
void World::repeat_unanswered(Client& client) {
  Client::Unanswered& send = client.unanswered[client.unanswered.size() - client.to_repeat];
  --client.to_repeat;
  publish_identified(client, send);
}

void World::publish_identified(Client& client, Client::Unanswered& send) {
  Message& message = *send.message;
  if (!message.taken) model_.order(message);
  send.token = ++last_token_;
  core::SendOptions options;
  options.token = send.token;
  if (options_.sabotage != Sabotage::forget_identities) options.identity = send.identity;
  note("client " + std::to_string(client.index) + " sends " + std::to_string(message.number) +
       " as its " + std::to_string(send.identity->sequence) + " to " +
       message.destination.to_text());
  const core::Outcome outcome = engine_->publish(*client.connection, send.body, options, now_);
  mix(static_cast<std::uint64_t>(outcome.disposition));
  switch (outcome.disposition) {
    case Disposition::failed:
      note("  refused: " + outcome.error->text);
      ++report_.refused;
      std::erase_if(client.unanswered, [&](const auto& each) { return each.message == &message; });
      return;
    case Disposition::parked:
      note("  parked");
      ++report_.parked;
      parked_[send.token] = {&message, 0, true};
      break;
    case Disposition::done:
      note("  done after " + std::to_string(raw(outcome.after)));
      model_.sent_once(message, outcome.after);
      answer(*client.connection, send.token, outcome.after);
      break;
  }
  ++client.receipts_awaited;
}

/// The client was told that it took effect.
void World::forget_answered(Client& client, std::uint64_t token) {
  std::erase_if(client.unanswered, [&](const auto& each) { return each.token == token; });
}

// --- consuming -----------------------------------------------------------------------------------

bool World::subscribe(Client& client, const core::SubscribeOptions& options) {
  core::SubscribeOptions told = options;
  told.advisories_by_name = true;  // the model knows nothing of them
  if (options_.sabotage == Sabotage::forget_selectors) told.interests.front().selector.clear();
  if (options_.sabotage == Sabotage::forget_exclusive) told.exclusive = false;
  auto made = engine_->subscribe(*client.connection, told, now_);
  const bool locked =
      !options.durable_name.empty() && model_.locked(client.client_id, options.durable_name);
  if (!made && locked && made.error().code == core::Errc::in_use) return false;
  if (!made) {
    model_.violation("cannot subscribe to " + options.interests.front().destination.to_text() +
                     ": " + made.error().text);
    return false;
  }
  note("client " + std::to_string(client.index) + " subscribes to " +
       options.interests.front().destination.to_text() + " as " + std::to_string(raw(*made)) +
       (options.ack_mode == core::AckMode::automatic ? " automatic" : " explicit") + " prefetch " +
       std::to_string(options.prefetch) + " " + options.durable_name + " " +
       options.interests.front().selector);
  client.subscriptions.push_back(*made);
  model_.subscribed(*made, raw(*client.connection), connection_of(client).details.origin,
                    client.client_id, options, store_->submitted());
  return true;
}

void World::subscribe(Client& client) {
  if (client.subscriptions.size() >= 4) return;
  core::SubscribeOptions options;
  core::Interest interest;
  if (scenario_.topics > 0 && random_.one_in(3)) {
    interest.destination = {DestinationKind::topic, random_.of(kTopicPatterns)};
    interest.no_local = random_.one_in(4);
  } else if (random_.one_in(6)) {
    interest.destination = {DestinationKind::queue, random_.of(kQueuePatterns)};
  } else if (random_.one_in(8)) {
    interest.destination = {DestinationKind::queue, kDeadLetters};
  } else if (scenario_.several && random_.one_in(6)) {
    interest.destination = {DestinationKind::queue, kVirtualQueues[random_.below(2)]};
  } else {
    interest.destination = {DestinationKind::queue,
                            "q." + std::to_string(random_.below(scenario_.queues))};
  }
  if (scenario_.selectors && random_.one_in(2)) interest.selector = kRedOnly;
  options.interests.push_back(interest);
  options.ack_mode = random_.one_in(3) ? core::AckMode::automatic : core::AckMode::explicit_;
  options.prefetch = static_cast<std::uint32_t>(random_.one_in(3)   ? 1
                                                : random_.one_in(2) ? random_.between(2, 10)
                                                : random_.one_in(4) ? 0  // pulls: see grant()
                                                                    : 1000);
  options.consumer_priority = random_.one_in(8) ? 5 : 0;
  options.exclusive =
      scenario_.groups && core::is_queue(interest.destination.kind) && random_.one_in(12);
  (void)subscribe(client, options);
}

/// Clients with an id come and go with the same names; a pattern that changes is another
/// subscription.
void World::subscribe_durable(Client& client) {
  if (client.client_id.empty() || scenario_.topics == 0) return;
  core::SubscribeOptions options;
  options.durable_name = "d" + std::to_string(random_.below(2));
  for (const auto id : client.subscriptions) {
    const Consumer* consumer = model_.consumer(id);
    if (consumer != nullptr && consumer->list != nullptr &&
        consumer->list->name == options.durable_name) {
      return;  // active
    }
  }
  // Mostly the pattern that belongs to the name.
  const std::string pattern =
      random_.one_in(10)
          ? random_.of(kTopicPatterns)
          : kTopicPatterns[(client.index + options.durable_name[1]) % kTopicPatterns.size()];
  // So does a selector: mostly the one that belongs to the name.
  const bool red_only = scenario_.selectors &&
                        (random_.one_in(10) ? random_.one_in(2) : options.durable_name == "d1");
  if (model_.ghost_of(client.client_id, options.durable_name, pattern, red_only,
                      store_->durable())) {
    return;
  }
  options.interests.push_back({{DestinationKind::topic, pattern}, red_only ? kRedOnly : "", false});
  options.ack_mode = random_.one_in(4) ? core::AckMode::automatic : core::AckMode::explicit_;
  options.prefetch = static_cast<std::uint32_t>(random_.one_in(2) ? random_.between(1, 5) : 100);
  (void)subscribe(client, options);
}

void World::grant(Client& client) {
  if (client.subscriptions.empty()) return;
  const core::SubscriptionId id = random_.of(client.subscriptions);
  const auto messages = static_cast<std::uint32_t>(random_.between(1, 3));
  note("client " + std::to_string(client.index) + " grants " + std::to_string(messages) + " to " +
       std::to_string(raw(id)));
  const auto done = engine_->grant(id, messages, now_);
  if (!done) return model_.violation("cannot grant: " + done.error().text);
  model_.granted(id, messages);
}

void World::unsubscribe(Client& client) {
  if (client.subscriptions.empty()) return;
  unsubscribe(client, random_.below(client.subscriptions.size()));
}

void World::unsubscribe(Client& client, std::size_t at) {
  const core::SubscriptionId id = client.subscriptions[at];
  note("client " + std::to_string(client.index) + " unsubscribes " + std::to_string(raw(id)));
  auto done = engine_->unsubscribe(id, now_);
  if (!done) return model_.violation("cannot unsubscribe: " + done.error().text);
  model_.unsubscribed(id, store_->submitted());
  client.subscriptions.erase(client.subscriptions.begin() + static_cast<std::ptrdiff_t>(at));
  std::erase_if(client.unacknowledged, [&](const auto& each) { return each.first == id; });
}

void World::delete_durable(Client& client) {
  if (client.client_id.empty() || !random_.one_in(3)) return;
  const std::string name = "d" + std::to_string(random_.below(2));
  auto done = engine_->delete_durable(client.client_id, name, now_);
  if (!done) return;  // active, or not there
  if (model_.locked(client.client_id, name)) {
    model_.violation("deleted " + name + ", of which a prepared branch holds messages");
  }
  note("client " + std::to_string(client.index) + " deletes " + name);
  model_.durable_deleted(client.client_id, name, store_->submitted());
}

void World::acknowledge(Client& client, OpenTransaction* transaction) {
  if (client.unacknowledged.empty()) return;
  const auto at = random_.below(std::min<std::size_t>(client.unacknowledged.size(), 3));
  const core::SubscriptionId subscription = client.unacknowledged[at].first;
  const core::DeliveryId delivery = client.unacknowledged[at].second;
  const Message* message = model_.message_of(subscription, delivery);
  const auto forget = [&](core::DeliveryRange range) {
    std::erase_if(client.unacknowledged, [&](const auto& each) {
      return each.first == subscription && each.second >= range.first && each.second <= range.last;
    });
  };
  if (message == nullptr) return forget({delivery, delivery});

  const bool cumulative = random_.one_in(3);
  const core::DeliveryRange range{cumulative ? core::DeliveryId{1} : delivery, delivery};
  core::AckKind kind = core::AckKind::consumed;
  std::string cause;
  const bool may_die = !cumulative && !message->dead && !message->copied && !message->revived &&
                       transaction == nullptr;
  if (may_die && random_.one_in(12)) {
    kind = core::AckKind::poisoned;
    cause = "cause " + std::to_string(message->number);
  } else if (random_.one_in(10) && (may_die || !scenario_.redelivery)) {
    // With a policy it may be the end as well.
    kind = core::AckKind::requeued;
  }
  std::optional<core::TransactionId> within;
  if (transaction != nullptr) within = transaction->id;
  note("client " + std::to_string(client.index) + " acknowledges subscription " +
       std::to_string(raw(subscription)) + " " + std::to_string(raw(range.first)) + ".." +
       std::to_string(raw(range.last)) + " kind " + std::to_string(static_cast<int>(kind)) +
       (within ? " in transaction " + std::to_string(raw(*within)) : ""));
  const core::Outcome outcome =
      engine_->acknowledge(subscription, range, kind, cause, within, now_);
  if (outcome.disposition == Disposition::failed) {
    note("  refused: " + outcome.error->text);
    if (kind == core::AckKind::consumed || within) {  // the others may need room for a dead letter
      model_.violation("cannot acknowledge what is out: " + outcome.error->text);
    }
    return;
  }
  note("  done after " + std::to_string(raw(outcome.after)));
  forget(range);
  if (within) {
    model_.acknowledged_in(transaction->key(), subscription, range, kind);
    ++transaction->operations;
  } else {
    model_.acknowledged(subscription, range, kind, cause, outcome.after);
  }
}

// --- transactions --------------------------------------------------------------------------------

void World::begin(Client& client) {
  if (client.transactions.size() >= 2) return;
  auto begun = engine_->begin(*client.connection);
  if (!begun) return model_.violation("cannot begin: " + begun.error().text);
  note("client " + std::to_string(client.index) + " begins " + std::to_string(raw(*begun)));
  client.transactions.push_back({*begun, 0, false});
  model_.begun(raw(*begun), raw(*client.connection));
}

void World::commit(Client& client, OpenTransaction& transaction) {
  const core::TransactionId id = transaction.id;
  const std::uint64_t token = ++last_token_;
  const bool wants_receipt = random_.one_in(2);
  note("client " + std::to_string(client.index) + " commits " + std::to_string(raw(id)));
  model_.ordered_in(raw(id));
  const core::Outcome outcome = engine_->commit(id, token, now_);
  mix(static_cast<std::uint64_t>(outcome.disposition));
  switch (outcome.disposition) {
    case Disposition::parked:
      note("  parked");
      ++report_.parked;
      transaction.closing = true;
      parked_[token] = {nullptr, raw(id), wants_receipt};
      break;
    case Disposition::failed:
      // Whether that ended it, or it is open still: either way it is not kept.
      note("  refused: " + outcome.error->text);
      ++report_.refused;
      (void)engine_->rollback(id, now_);
      std::erase_if(parked_, [&](const auto& each) { return each.second.transaction == raw(id); });
      model_.rolled_back(raw(id), store_->submitted());
      forget_transaction(*client.connection, id);
      return;
    case Disposition::done:
      note("  done after " + std::to_string(raw(outcome.after)));
      model_.committed(raw(id), outcome.after);
      forget_transaction(*client.connection, id);
      if (wants_receipt) answer(*client.connection, token, outcome.after);
      break;
  }
  if (wants_receipt) ++client.receipts_awaited;
}

void World::roll_back(Client& client, OpenTransaction& transaction) {
  const core::TransactionId id = transaction.id;
  note("client " + std::to_string(client.index) + " rolls back " + std::to_string(raw(id)));
  if (options_.sabotage == Sabotage::commit_instead) {
    (void)engine_->commit(id, 0, now_);
  } else if (const auto outcome = engine_->rollback(id, now_);
             outcome.disposition != Disposition::done) {
    return model_.violation("cannot roll back: " + outcome.error->text);
  }
  model_.rolled_back(raw(id), store_->submitted());
  std::erase_if(parked_, [&](const auto& each) { return each.second.transaction == raw(id); });
  forget_transaction(*client.connection, id);
}

/// It has ended; what it acknowledged and did not keep is the client's to acknowledge again.
void World::forget_transaction(core::ConnectionId connection, core::TransactionId id) {
  const auto at = connections_.find(connection);
  if (at == connections_.end()) return;
  Client& client = clients_[at->second.client];
  std::erase_if(client.transactions, [&](const OpenTransaction& open) { return open.id == id; });
  collect_unacknowledged(client);
}

void World::collect_unacknowledged(Client& client) {
  client.unacknowledged.clear();
  for (const auto subscription : client.subscriptions) {
    const Consumer* consumer = model_.consumer(subscription);
    if (consumer == nullptr || consumer->automatic) continue;
    for (const auto& [delivery, out] : consumer->out) {
      if (out.received && out.transaction == 0) {
        client.unacknowledged.emplace_back(subscription, core::DeliveryId{delivery});
      }
    }
  }
}

}  // namespace pabal::sim
