#include <algorithm>
#include <utility>

#include "tests/sim/session_world.h"

// What the clients of a SessionWorld do.

namespace pabal::sim {

using core::ConnectionDetails;
using core::Delivery;
using core::DestinationKind;
using core::Disposition;
using core::seconds;
using core::Ticket;

namespace {

constexpr std::size_t kTopics = 5;

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text) number = number * 10 + static_cast<std::uint64_t>(c - '0');
  return number;
}

}  // namespace

core::MessageRef SessionWorld::message(const ConnectionDetails& from, const std::string& topic,
                                       const std::string& body, bool persistent, bool retain) {
  core::MessageBuilder builder;
  builder.destination_kind = DestinationKind::topic;
  builder.destination_name = topic;
  builder.persistent = persistent;
  builder.retain = retain;
  builder.origin = from.origin;
  builder.sequence = ++sequence_;
  builder.body_kind = core::BodyKind::bytes;
  builder.body = body;
  return *builder.build();
}

void SessionWorld::act(Client& client) {
  if (!client.connection) return connect(client);
  if (random_.one_in(client.role == Role::mortal ? 3 : 25)) {
    // Sometimes it is there again before the broker knows that it had gone.
    return client.role != Role::keeper && random_.one_in(4) ? connect(client) : leave(client);
  }
  if (client.role == Role::publisher) return random_.one_in(3) ? erase(client) : publish(client);
  if (client.role == Role::consumer && random_.one_in(4)) return erase(client);
  if (client.out.empty()) return;
  const std::size_t which = random_.below(client.out.size());
  if (client.role == Role::member && random_.one_in(4)) {
    const Delivery& delivery = client.out[which];
    const auto pinned = engine_->pin(delivery.subscription, delivery.id);
    if (!pinned) return model_.violation("no pin: " + pinned.error().text);
    ++report_.pins;
    // It is durable when all that was submitted is.
    return model_.pinned(number_in(delivery.message->body()), client.index, engine_->submitted());
  }
  acknowledge(client, which);
}

void SessionWorld::connect(Client& client) {
  auto request = std::make_shared<core::SessionRequest>();
  request->fresh = false;
  request->keep.reset();
  bool delayed = false;
  std::uint64_t will_number = 0;
  if (client.role == Role::mortal) {
    request->fresh = random_.one_in(3);
    if (random_.one_in(2)) request->keep = seconds(random_.one_in(2) ? 0 : 30);
    if (!random_.one_in(4)) {
      auto will = std::make_shared<core::Will>();
      will_number = ++last_will_;
      will->message = message({}, "wills", std::to_string(will_number), true, false);
      delayed = random_.one_in(3);
      if (delayed) will->delay = seconds(random_.between(1, 20));
      request->will = std::move(will);
    }
  }
  core::ConnectOptions options;
  options.client_id = client.id;
  options.remote = "sim";
  options.session = request;
  if (random_.one_in(3)) options.in_flight_max = static_cast<std::uint32_t>(random_.between(1, 5));
  if (client.connection) {  // taken over: as if lost
    by_connection_.erase(client.connection->id);
    if (client.will != 0) model_.left(client.will, false, core::kNoTicket);
    client.out.clear();
    client.subscriptions.clear();
  }
  const auto connected = engine_->connect(options, now_);
  if (!connected) return model_.violation("no connection: " + connected.error().text);
  note(client.id + " connects");
  client.connection = *connected;
  client.will = will_number;
  by_connection_[connected->id] = &client;
  if (connected->session_present) ++report_.resumed;
  if (will_number != 0) model_.connected(will_number, connected->after, delayed);
  if (client.role == Role::mortal) return;

  std::set<std::uint64_t> numbers;
  for (const auto& [key, value] : engine_->session_attachments(connected->id)) {
    numbers.insert(number_in(key));
  }
  client.attached.assign(numbers.begin(), numbers.end());
  if (client.role == Role::publisher) model_.see_attachments(Stream::in, client.index, numbers);
  if (client.role == Role::consumer) model_.see_attachments(Stream::out, client.index, numbers);
  if (client.role == Role::keeper) {
    subscribe(client, "in", "in", "");
    subscribe(client, "wills", "wills", "");
  }
  if (client.role == Role::consumer) subscribe(client, "out", "out", "");
  if (client.role == Role::member) subscribe(client, "shared", "shared", "group");
}

void SessionWorld::leave(Client& client) {
  const bool orderly = random_.one_in(2);
  note(client.id + (orderly ? " leaves" : " is lost"));
  const Ticket ticket = engine_->disconnect(
      client.connection->id, {orderly ? core::Leaving::orderly : core::Leaving::lost, {}}, now_);
  if (client.will != 0) model_.left(client.will, orderly, ticket);
  by_connection_.erase(client.connection->id);
  client.connection.reset();
  client.out.clear();
  client.subscriptions.clear();
  client.will = 0;
}

void SessionWorld::subscribe(Client& client, const std::string& pattern, const std::string& name,
                             const std::string& group) {
  core::SubscribeOptions options;
  options.advisories_by_name = true;  // the model knows nothing of them
  options.interests.push_back({core::Destination{DestinationKind::topic, pattern}, "", false});
  options.ack_mode = core::AckMode::mixed;
  options.prefetch = static_cast<std::uint32_t>(random_.between(1, 20));
  options.durable_name = name;
  options.shared_group = group;
  const auto subscribed = engine_->subscribe(client.connection->id, options, now_);
  if (!subscribed) return model_.violation("no subscription: " + subscribed.error().text);
  client.subscriptions[*subscribed] = name;
}

void SessionWorld::receive(Client& client, const Delivery& delivery) {
  const auto number = number_in(delivery.message->body());
  const auto& name = client.subscriptions[delivery.subscription];
  report_.hash = (report_.hash ^ number) * 0x100000001B3ULL;
  note(client.id + " gets " + name + " " + std::to_string(number));
  if (name == "wills") {
    model_.will_seen(number, delivery.message->id());
  } else {
    const auto stream = name == "in" ? Stream::in : name == "out" ? Stream::out : Stream::shared;
    model_.delivered(stream, number, delivery.redelivered, client.index);
  }
  client.out.push_back(delivery);
}

void SessionWorld::acknowledge(Client& client, std::size_t which) {
  const Delivery delivery = client.out[which];
  client.out.erase(client.out.begin() + static_cast<std::ptrdiff_t>(which));
  const auto number = number_in(delivery.message->body());
  const auto& name = client.subscriptions[delivery.subscription];
  const bool attaches = client.role == Role::consumer && !random_.one_in(3);
  const core::DeliveryRange range{delivery.id, delivery.id};
  const auto outcome =
      attaches ? engine_->acknowledge(delivery.subscription, range, core::AckKind::consumed,
                                      core::SessionChanges{{std::to_string(number), "x"}}, now_)
               : engine_->acknowledge(delivery.subscription, range, core::AckKind::consumed, {},
                                      std::nullopt, now_);
  if (outcome.disposition != Disposition::done) {
    return model_.violation("no acknowledgement of " + name + " " + std::to_string(number) + ": " +
                            outcome.error->text);
  }
  note(client.id + " acknowledges " + name + " " + std::to_string(number));
  if (name == "wills") return;
  const auto stream = name == "in" ? Stream::in : name == "out" ? Stream::out : Stream::shared;
  model_.acknowledged(stream, number, outcome.after);
  if (!attaches) return;
  model_.attached(Stream::out, client.index, number, outcome.after);
  client.attached.push_back(number);
}

/// A send whose number its session keeps in the same batch.
void SessionWorld::publish(Client& client) {
  make_room();
  if (!client.connection) return;
  const auto number = ++number_;
  core::SendOptions options;
  options.attach = std::make_shared<const core::SessionChanges>(
      core::SessionChanges{{std::to_string(number), "x"}});
  const auto outcome = engine_->publish(
      client.connection->id,
      message(*client.connection, "in", std::to_string(number), true, random_.one_in(8)), options,
      now_);
  if (outcome.disposition != Disposition::done) return model_.violation("no send");
  note(client.id + " sends " + std::to_string(number));
  model_.sent(Stream::in, number, outcome.after);
  model_.attached(Stream::in, client.index, number, outcome.after);
  client.attached.push_back(number);
}

void SessionWorld::erase(Client& client) {
  if (client.attached.empty()) return;
  const std::size_t which = random_.below(client.attached.size());
  const auto number = client.attached[which];
  client.attached.erase(client.attached.begin() + static_cast<std::ptrdiff_t>(which));
  const auto erased =
      engine_->change_session(client.connection->id, {{std::to_string(number), std::nullopt}});
  if (!erased) return model_.violation("not erased: " + erased.error().text);
  const auto stream = client.role == Role::publisher ? Stream::in : Stream::out;
  model_.erased(stream, number, *erased);
}

void SessionWorld::send_numbers() {
  const bool out = random_.one_in(2);
  make_room();
  for (std::uint64_t count = random_.between(1, 4); count > 0; --count) {
    const auto number = ++number_;
    const auto outcome = engine_->publish(
        sender_.id, message(sender_, out ? "out" : "shared", std::to_string(number), true, false),
        core::SendOptions{}, now_);
    if (outcome.disposition != Disposition::done) return model_.violation("no send");
    model_.sent(out ? Stream::out : Stream::shared, number, outcome.after);
  }
}

// --- retained ------------------------------------------------------------------------------------

void SessionWorld::retain() {
  make_room();
  std::optional<core::TransactionId> within;
  if (random_.one_in(5)) within = *engine_->begin(sender_.id);
  SessionModel::Retained changes;
  Ticket ticket = core::kNoTicket;
  for (std::uint64_t count = within ? random_.between(1, 4) : 1; count > 0; --count) {
    const auto topic = "r." + std::to_string(random_.below(kTopics));
    std::string body;
    if (!random_.one_in(4)) {
      body = std::to_string(++number_) + std::string(random_.below(60), 'x');
    }
    core::SendOptions options;
    options.transaction = within;
    const auto outcome = engine_->publish(
        sender_.id, message(sender_, topic, body, random_.one_in(2), true), options, now_);
    if (outcome.disposition != Disposition::done) return model_.violation("not retained");
    changes[topic] = body;
    ticket = outcome.after;
  }
  if (within) ticket = engine_->commit(*within, 0, now_).after;
  // A deletion of what is not there is no batch at all.
  model_.retained(ticket == core::kNoTicket ? engine_->submitted() : ticket, std::move(changes));
}

/// Somebody comes, is given everything that is retained, and goes.
void SessionWorld::look_at_retained() {
  settle();
  if (failure_) return;
  ++report_.retained_seen;
  core::ConnectOptions options;
  options.remote = "looks";
  const auto looker = *engine_->connect(options, now_);
  core::SubscribeOptions wanted;
  wanted.interests.push_back({core::Destination{DestinationKind::topic, "r.>"}, "", false});
  wanted.ack_mode = core::AckMode::automatic;
  wanted.prefetch = static_cast<std::uint32_t>(random_.between(1, 4));
  wanted.retained = true;
  const auto subscribed = engine_->subscribe(looker.id, wanted, now_);
  if (!subscribed) return model_.violation("nobody can look at what is retained");
  Client client;
  client.id = "looks";
  SessionModel::Retained seen;
  for (int i = 0; i < 10'000; ++i) {
    const bool more = engine_->run(now_);
    bool moved = false;
    core::Outbox taken;
    std::swap(taken, engine_->outbox(core::HomeId{}));
    for (const auto& delivery : taken.deliveries) {
      moved = true;
      engine_->written(delivery.connection, delivery.number, now_);
      if (delivery.connection != looker.id) {
        const auto at = by_connection_.find(delivery.connection);
        if (at != by_connection_.end()) receive(*at->second, delivery);
        continue;
      }
      if (!delivery.retained) model_.violation("a live message among the retained ones");
      const std::string topic(delivery.message->destination_name());
      if (seen.contains(topic)) model_.violation(topic + " was given twice");
      seen[topic] = delivery.message->body();
    }
    (void)host_->settle();
    const bool told = durable_told_ || !pages_.empty();
    if (std::exchange(durable_told_, false)) engine_->durable_advanced(now_);
    while (!pages_.empty()) {
      core::Page page = std::move(pages_.front());
      pages_.pop_front();
      engine_->page_loaded(std::move(page), now_);
    }
    if (!moved && !told && !more) break;
  }
  if (verbose_) {
    const auto view = engine_->snapshot();
    note("sees " + std::to_string(seen.size()) + " of " + std::to_string(view.retained) +
         (view.retained_known ? "" : ", and not all are known"));
  }
  engine_->disconnect(looker.id, now_);
  enter();
  model_.see_retained(seen);
}

}  // namespace pabal::sim
