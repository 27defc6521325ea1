#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <Poco/Base64Encoder.h>
#include <Poco/JSON/Array.h>

#include "core/selector_text.h"
#include "protocols/content/body.h"
#include "server/api.h"
#include "server/api_support.h"
#include "server/subscription_api.h"
#include "server/task_api.h"
#include "server/utf8.h"

// Queues and topics over HTTP: what there is, what is in them, commands, and why messages wait. A
// command is handed to the engine; the HTTP thread then asks, now and then, how far it is, and
// never holds the engine while it formats.

namespace pabal::server {
namespace {

using Poco::JSON::Array;
using Poco::JSON::Object;

constexpr std::size_t kPreviewBytes = 256;
constexpr std::size_t kBodyBytesMax = 256 << 10;

/// Of the path, where a queue is meant.
core::Destination queue_of(const std::string& name) {
  core::Destination destination = destination_named(name);
  if (core::is_queue(destination.kind)) return destination;
  return {core::DestinationKind::queue, name};
}

// --- formats -------------------------------------------------------------------------------------

Object::Ptr destination_json(const core::DestinationSnapshot& view) {
  auto json = json_object();
  json->set("name", to_utf8(view.destination.name));
  json->set("destination", to_utf8(view.destination.to_text()));
  json->set("depth", json_number(view.depth));
  json->set("depthBytes", json_number(view.depth_bytes));
  json->set("inFlight", json_number(view.in_flight));
  json->set("consumers", static_cast<int>(view.consumers));
  json->set("waiting", std::string(core::to_string(view.waiting)));
  json->set("enqueued", json_number(view.counters.enqueued));
  json->set("dequeued", json_number(view.counters.dequeued));
  json->set("dispatched", json_number(view.counters.dispatched));
  json->set("expired", json_number(view.counters.expired));
  json->set("deadLettered", json_number(view.counters.dead_lettered));
  json->set("redelivered", json_number(view.counters.redelivered));
  return json;
}

std::string position_text(const core::QueuePosition& position) {
  return std::to_string(position.priority) + "-" + std::to_string(position.sequence);
}

std::optional<core::QueuePosition> read_position(std::string_view text) {
  if (text.size() < 3 || text[0] < '0' || text[0] > '9' || text[1] != '-') return std::nullopt;
  core::QueuePosition position{text[0] - '0', 0};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 2, end, position.sequence);
  if (error != std::errc() || stop != end) return std::nullopt;
  return position;
}

void set_body(Object& json, const core::Message& message, std::size_t bytes_max) {
  // As a client of another protocol would see it; what cannot be shown, as it is kept.
  std::string room;
  std::optional<std::string_view> made;
  switch (message.body_kind()) {
    case core::BodyKind::text:
    case core::BodyKind::bytes:
      made = content::plain_body(message, room);
      break;
    case core::BodyKind::map:
    case core::BodyKind::stream:
      made = content::json_body(message, room);
      break;
    default:
      break;
  }
  const std::string_view whole = made.value_or(message.body());
  std::string_view shown = whole.substr(0, bytes_max);
  json.set("bodyBytes", json_number(whole.size()));
  // A cut may be within a character: up to three bytes go.
  for (int i = 0; i < 3 && shown.size() < whole.size() && !is_utf8(shown); ++i) {
    shown.remove_suffix(1);
  }
  if (is_utf8(shown)) {
    json.set("body", std::string(shown));
  } else {
    std::ostringstream encoded;
    Poco::Base64Encoder encoder(encoded);
    encoder.rdbuf()->setLineLength(0);
    encoder << shown;
    encoder.close();
    json.set("bodyBase64", encoded.str());
  }
  json.set("bodyCut", shown.size() < whole.size());
}

void set_properties(Object& json, const core::Message& message) {
  auto properties = json_object();
  core::PropertyReader reader(message);
  while (const auto property = reader.next()) {
    std::string text;
    property->append_text(text);
    std::string name;
    properties->set(to_utf8(property->utf8_name(name)), to_utf8(text));
  }
  json.set("properties", properties);
}

Object::Ptr message_json(const core::ListedMessage& listed, std::size_t body_bytes_max) {
  const core::Message& message = *listed.message;
  auto json = json_object();
  json->set("id", to_utf8(message.id()));
  json->set("position", position_text(listed.position));
  json->set("state", std::string(core::to_string(listed.standing)));
  json->set("priority", static_cast<int>(message.priority()));
  json->set("persistent", message.persistent());
  json->set("timestamp", Poco::Int64{message.timestamp()});
  json->set("expiration", Poco::Int64{message.expiration()});
  json->set("deliveries", json_number(listed.deliveries));
  json->set("redelivered", listed.redelivered);
  json->set("destination", to_utf8(message.destination().to_text()));
  if (!message.type().empty()) json->set("type", to_utf8(message.type()));
  if (!message.correlation().empty()) json->set("correlationId", to_utf8(message.correlation()));
  if (!message.group_id().empty()) json->set("groupId", to_utf8(message.group_id()));
  if (const auto reply = message.reply_to()) json->set("replyTo", to_utf8(reply->name));
  if (const auto origin = message.original_destination(); origin && origin->kind) {
    json->set("originalDestination",
              to_utf8(core::Destination{*origin->kind, std::string(origin->name)}.to_text()));
  }
  set_properties(*json, message);
  set_body(*json, message, body_bytes_max);
  return json;
}

Array::Ptr texts_json(const std::vector<std::string>& texts) {
  Array::Ptr json = new Array;
  for (const auto& text : texts) json->add(to_utf8(text));
  return json;
}

/// `waiting` counts among the messages in memory that come next.
Array::Ptr groups_json(const core::QueueExplanation& told) {
  Array::Ptr groups = new Array;
  for (const auto& each : told.groups) {
    auto group = json_object();
    group->set("group", to_utf8(each.id));
    group->set("clientId", to_utf8(each.client_id));
    group->set("remote", to_utf8(each.remote));
    group->set("unacknowledged", json_number(each.out));
    group->set("waiting", json_number(each.waiting));
    groups->add(group);
  }
  return groups;
}

Array::Ptr transactions_json(const core::QueueExplanation& told) {
  Array::Ptr transactions = new Array;
  for (const auto& each : told.transactions) {
    auto transaction = json_object();
    transaction->set("transaction", json_number(each.id));
    transaction->set("xid", each.xid);
    transaction->set("state", each.state);
    transaction->set("since", Poco::Int64{each.since});
    transaction->set("clientId", to_utf8(each.client_id));
    transaction->set("remote", to_utf8(each.remote));
    transaction->set("acknowledgements", json_number(each.acknowledgements));
    transaction->set("sends", json_number(each.sends));
    transactions->add(transaction);
  }
  return transactions;
}

Object::Ptr explanation_json(const core::QueueExplanation& told) {
  auto json = json_object();
  json->set("queue", to_utf8(told.queue.to_text()));
  json->set("reasons", texts_json(told.reasons));
  json->set("depth", json_number(told.depth));
  json->set("depthBytes", json_number(told.depth_bytes));
  json->set("inFlight", json_number(told.in_flight));
  json->set("oldestInFlightSince", Poco::Int64{told.oldest_out_since});
  json->set("inTransactions", json_number(told.in_transactions));
  json->set("sentInTransactions", json_number(told.sent_in_transactions));
  json->set("returned", json_number(told.returned));
  json->set("delayed", json_number(told.delayed));
  json->set("expiredWithoutRoom", json_number(told.expired_without_room));
  json->set("windowBytes", json_number(told.window_bytes));
  json->set("paused", told.paused);
  json->set("waiting", told.waiting);
  if (!told.next.empty()) json->set("next", to_utf8(told.next));
  json->set("browsers", json_number(told.browsers));
  json->set("consumersTotal", json_number(told.consumers_total));
  Array::Ptr consumers = new Array;
  for (const auto& each : told.consumers) {
    auto consumer = json_object();
    consumer->set("clientId", to_utf8(each.client_id));
    consumer->set("remote", to_utf8(each.remote));
    consumer->set("protocol", to_utf8(each.protocol));
    consumer->set("destination", to_utf8(each.destination));
    consumer->set("selector", to_utf8(core::shown_selector(each.selector)));
    consumer->set("priority", each.priority);
    consumer->set("prefetch", json_number(each.prefetch));
    consumer->set("unacknowledged", json_number(each.out));
    consumer->set("oldestSince", Poco::Int64{each.oldest_since});
    consumer->set("blocked", each.blocked);
    consumers->add(consumer);
  }
  json->set("consumers", consumers);
  if (!told.transactions.empty()) json->set("transactions", transactions_json(told));
  if (!told.exclusive_client.empty()) {
    json->set("exclusiveClientId", to_utf8(told.exclusive_client));
    json->set("exclusiveRemote", to_utf8(told.exclusive_remote));
  }
  if (told.starts_at != 0) json->set("startsAt", Poco::Int64{told.starts_at});
  json->set("groupsTotal", json_number(told.groups_total));
  if (!told.groups.empty()) json->set("groups", groups_json(told));
  if (!told.damaged.empty()) json->set("damaged", texts_json(told.damaged));
  json->set("producersTotal", json_number(told.producers_total));
  Array::Ptr producers = new Array;
  for (const auto& each : told.producers) {
    auto producer = json_object();
    producer->set("clientId", to_utf8(each.client_id));
    producer->set("remote", to_utf8(each.remote));
    producer->set("parkedBytes", json_number(each.parked_bytes));
    producer->set("reason", to_utf8(each.reason));
    producer->set("since", Poco::Int64{each.since});
    producers->add(producer);
  }
  json->set("producers", producers);
  return json;
}

Object::Ptr explanation_json(const core::MessageExplanation& told) {
  auto json = json_object();
  json->set("state", std::string(core::to_string(told.standing)));
  json->set("reasons", texts_json(told.reasons));
  if (!told.client_id.empty()) {
    json->set("clientId", to_utf8(told.client_id));
    json->set("remote", to_utf8(told.remote));
    json->set("since", Poco::Int64{told.since});
  }
  if (told.due != 0) json->set("due", Poco::Int64{told.due});
  if (told.transaction != 0) {
    json->set("transaction", json_number(told.transaction));
    if (!told.xid.empty()) json->set("xid", told.xid);
    json->set("transactionState", told.transaction_state);
    json->set("transactionSince", Poco::Int64{told.transaction_since});
  }
  Array::Ptr matches = new Array;
  for (const auto& each : told.matches) {
    auto match = json_object();
    match->set("selector", to_utf8(core::shown_selector(each.selector)));
    match->set("consumers", json_number(each.consumers));
    match->set("matches", each.matches);
    matches->add(match);
  }
  json->set("selectors", matches);
  return json;
}

// --- commands ------------------------------------------------------------------------------------

ApiAnswer run_command(EngineGate& gate, const ApiRequest& request, core::QueueCommand command) {
  core::QueueTaskOptions options;
  options.command = command;
  options.queue = queue_of(request.arguments[0]);
  options.selector = operator_selector(request.text("selector"));
  options.message_id = request.text("messageId");
  const auto limit = request.number("limit", 0, kTaskLimitMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  options.limit = *limit;
  if (command == core::QueueCommand::move || command == core::QueueCommand::copy) {
    if (request.text("to").empty()) {
      return ApiAnswer::failure(400, "invalid_argument", "'to' says where the messages go");
    }
    auto to = one_destination_named(request.text("to"));
    if (!to) return ApiAnswer::failure(to.error());
    options.to = *std::move(to);
  }
  return carry_out(gate, request, std::move(options));
}

ApiAnswer post_purge(EngineGate& gate, const ApiRequest& request) {
  return run_command(gate, request, core::QueueCommand::purge);
}
ApiAnswer post_move(EngineGate& gate, const ApiRequest& request) {
  return run_command(gate, request, core::QueueCommand::move);
}
ApiAnswer post_copy(EngineGate& gate, const ApiRequest& request) {
  return run_command(gate, request, core::QueueCommand::copy);
}
ApiAnswer post_retry(EngineGate& gate, const ApiRequest& request) {
  return run_command(gate, request, core::QueueCommand::retry);
}
ApiAnswer post_skip_damaged(EngineGate& gate, const ApiRequest& request) {
  return run_command(gate, request, core::QueueCommand::skip_damaged);
}

/// A short change, answered when it is on disk.
template <class Change>
ApiAnswer change(EngineGate& gate, const ApiRequest& request, Change change) {
  auto json = json_object();
  core::Result<void> done;
  core::Ticket ticket{};
  gate.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    done = change(engine, now, *json);
    ticket = engine.submitted();
  });
  if (!done) return ApiAnswer::failure(done.error());
  const auto deadline = deadline_of(request);
  if (!deadline) return ApiAnswer::failure(deadline.error());
  const bool durable = wait_until(*deadline, [&] { return gate.durable() >= ticket; });
  json->set("ended", durable);
  return ApiAnswer::ok(*json, durable ? 200 : 202);
}

ApiAnswer post_create(EngineGate& gate, const ApiRequest& request) {
  return change(gate, request, [&](core::Engine& engine, core::TimePoint, Object& json) {
    const auto queue = one_destination_named(request.arguments[0]);
    if (!queue) return core::Result<void>(queue.error());
    if (queue->kind != core::DestinationKind::queue) {
      return core::Result<void>(core::Error{
          core::Errc::bad_destination, queue->to_text() + " is no queue; only queues are created"});
    }
    json.set("queue", to_utf8(queue->to_text()));
    return engine.create_queue(queue->name);
  });
}

ApiAnswer set_paused(EngineGate& gate, const ApiRequest& request, bool paused) {
  return change(gate, request, [&](core::Engine& engine, core::TimePoint now, Object& json) {
    const auto queue = queue_of(request.arguments[0]);
    json.set("queue", to_utf8(queue.to_text()));
    json.set("paused", paused);
    return engine.pause_queue(queue, paused, now);
  });
}
ApiAnswer post_pause(EngineGate& gate, const ApiRequest& request) {
  return set_paused(gate, request, true);
}
ApiAnswer post_resume(EngineGate& gate, const ApiRequest& request) {
  return set_paused(gate, request, false);
}

/// With a message id or a selector: those messages. Without: the queue.
ApiAnswer post_delete(EngineGate& gate, const ApiRequest& request) {
  if (!request.text("selector").empty() || !request.text("messageId").empty()) {
    return run_command(gate, request, core::QueueCommand::remove);
  }
  return change(gate, request, [&](core::Engine& engine, core::TimePoint now, Object& json) {
    const auto queue = queue_of(request.arguments[0]);
    const auto how = request.flag("force")          ? core::QueueDeletion::forced
                     : request.flag("withMessages") ? core::QueueDeletion::with_messages
                                                    : core::QueueDeletion::if_empty;
    const auto deleted = engine.delete_queue(queue, how, now);
    if (!deleted) return core::Result<void>(deleted.error());
    json.set("queue", to_utf8(queue.to_text()));
    json.set("deleted", true);
    json.set("messages", json_number(*deleted));
    return core::Result<void>();
  });
}

// --- looking -------------------------------------------------------------------------------------

/// Destinations of one kind, a page of them, whose name is above `after`.
ApiAnswer destinations(EngineGate& gate, const ApiRequest& request, core::DestinationKind kind,
                       const char* member) {
  const auto limit = request.number("limit", kPageDefault, kPageMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  std::string after = core::Destination{kind, request.text("after")}.to_text();
  Array::Ptr list = new Array;
  bool more = true;
  while (more && list->size() < *limit) {
    const std::size_t count = std::min<std::size_t>(128, *limit - list->size());
    const auto page =
        gate.inspect([&](const core::Engine& engine) { return engine.destinations(after, count); });
    more = page.size() == count;
    for (const auto& each : page) {
      if (each.destination.kind != kind) {
        more = false;
        break;
      }
      list->add(destination_json(each));
      after = each.destination.to_text();
    }
  }
  Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set(member, list);
  if (more && list->size() > 0) {
    json.set("next", list->getObject(static_cast<unsigned>(list->size() - 1))->get("name"));
  }
  return ApiAnswer::ok(json);
}

ApiAnswer get_queues(EngineGate& gate, const ApiRequest& request) {
  return destinations(gate, request, core::DestinationKind::queue, "queues");
}
ApiAnswer get_topics(EngineGate& gate, const ApiRequest& request) {
  return destinations(gate, request, core::DestinationKind::topic, "topics");
}

ApiAnswer explain_queue(EngineGate& gate, const core::Destination& queue) {
  const auto told = gate.inspect([&](const core::Engine& engine) { return engine.explain(queue); });
  if (!told) return ApiAnswer::failure(told.error());
  return ApiAnswer::ok(*explanation_json(*told));
}

ApiAnswer get_queue(EngineGate& gate, const ApiRequest& request) {
  return explain_queue(gate, queue_of(request.arguments[0]));
}

/// Carries a list command out, as far as it gets in time; errors: those of starting it.
core::Result<core::QueueTaskView> list(EngineGate& gate, const ApiRequest& request,
                                       core::QueueTaskOptions options) {
  options.command = core::QueueCommand::list;
  if (const std::string from = request.text("from"); !from.empty()) {
    const auto position = read_position(from);
    if (!position) return core::Error{core::Errc::invalid_argument, "from is a `next` as given"};
    options.from = *position;
  }
  const auto deadline = deadline_of(request);
  if (!deadline) return deadline.error();
  const auto id = start_task(gate, std::move(options));
  if (!id) return id.error();
  (void)wait_for_task(gate, *id, *deadline);
  auto view = take_task(gate, *id);
  if (!view) return core::Error{core::Errc::not_found, "forgotten: too many commands at a time"};
  return *std::move(view);
}

ApiAnswer get_messages(EngineGate& gate, const ApiRequest& request) {
  core::QueueTaskOptions options;
  options.queue = queue_of(request.arguments[0]);
  options.selector = operator_selector(request.text("selector"));
  const auto limit = request.number("limit", kPageDefault, kPageMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  options.limit = std::max<std::uint64_t>(*limit, 1);
  const auto view = list(gate, request, std::move(options));
  if (!view) return ApiAnswer::failure(view.error());
  Object json(Poco::JSON_PRESERVE_KEY_ORDER);
  json.set("queue", to_utf8(view->queue.to_text()));
  json.set("lookedAt", json_number(view->looked_at));
  // Cut short by the deadline it goes on where it was; nothing is found twice.
  const bool cut = view->state == core::TaskState::cancelled;
  if (view->more || cut) json.set("next", position_text(view->next));
  if (view->damaged > 0) json.set("damage", to_utf8(view->damage));
  Array::Ptr messages = new Array;
  for (const auto& each : view->messages) messages->add(message_json(each, kPreviewBytes));
  json.set("messages", messages);
  return ApiAnswer::ok(json);
}

ApiAnswer explain_message(EngineGate& gate, const ApiRequest& request,
                          const core::Destination& queue, const std::string& id) {
  core::QueueTaskOptions options;
  options.queue = queue;
  options.message_id = id;
  const auto view = list(gate, request, std::move(options));
  if (!view) return ApiAnswer::failure(view.error());
  if (view->messages.empty()) {
    if (view->state == core::TaskState::cancelled) {
      // The queue is deep. So far it was looked through; from `next` on it can be gone on with.
      auto json = json_object();
      json->set("state", "searching");
      json->set("queue", to_utf8(queue.to_text()));
      json->set("lookedAt", json_number(view->looked_at));
      json->set("next", position_text(view->next));
      return ApiAnswer::ok(*json, 202);
    }
    return ApiAnswer::failure(404, "not_found",
                              "message " + id + " is not in " + queue.to_text() +
                                  ": it was consumed, expired, moved, or never there");
  }
  const core::ListedMessage& listed = view->messages.front();
  const auto told =
      gate.inspect([&](const core::Engine& engine) { return engine.explain(queue, listed); });
  if (!told) return ApiAnswer::failure(told.error());
  auto json = explanation_json(*told);
  json->set("queue", to_utf8(queue.to_text()));
  json->set("ahead", json_number(view->looked_at - 1));
  json->set("message", message_json(listed, kBodyBytesMax));
  return ApiAnswer::ok(*json);
}

ApiAnswer get_message(EngineGate& gate, const ApiRequest& request) {
  return explain_message(gate, request, queue_of(request.arguments[0]), request.arguments[1]);
}

ApiAnswer get_explain(EngineGate& gate, const ApiRequest& request) {
  const std::string name = request.text("queue");
  if (name.empty()) return ApiAnswer::failure(400, "invalid_argument", "'queue' says which");
  const std::string message = request.text("message");
  const auto named = destination_named(name);
  if (named.kind == core::DestinationKind::topic) {
    if (message.empty()) return explain_topic(gate, named);
    return ApiAnswer::failure(400, "invalid_argument",
                              "messages of a topic cannot be looked for; without one, its "
                              "subscriptions are told");
  }
  const auto queue = queue_of(name);
  if (message.empty()) {
    auto told = explain_queue(gate, queue);
    if (told.status != 404) return told;
    // Perhaps a topic was meant.
    auto topic = explain_topic(gate, {core::DestinationKind::topic, name});
    return topic.status == 200 ? std::move(topic) : std::move(told);
  }
  return explain_message(gate, request, queue, message);
}

constexpr std::string_view kChosen = "selector messageId limit wait";
constexpr std::string_view kSent = "selector messageId limit to wait";

constexpr ApiRoute kRoutes[] = {
    {"GET", "/api/queues", "after limit", get_queues},
    {"GET", "/api/topics", "after limit", get_topics},
    {"GET", "/api/queues/{}", "", get_queue},
    {"GET", "/api/queues/{}/messages", "selector from limit wait", get_messages},
    {"GET", "/api/queues/{}/messages/{}", "from wait", get_message},
    {"GET", "/api/explain", "queue message from wait", get_explain},
    {"POST", "/api/queues/{}/create", "wait", post_create},
    {"POST", "/api/queues/{}/delete", "selector messageId limit withMessages force wait",
     post_delete},
    {"POST", "/api/queues/{}/pause", "wait", post_pause},
    {"POST", "/api/queues/{}/resume", "wait", post_resume},
    {"POST", "/api/queues/{}/purge", kChosen, post_purge},
    {"POST", "/api/queues/{}/move", kSent, post_move},
    {"POST", "/api/queues/{}/copy", kSent, post_copy},
    {"POST", "/api/queues/{}/retry", kChosen, post_retry},
    {"POST", "/api/queues/{}/skip-damaged", "limit wait", post_skip_damaged},
};

}  // namespace

const std::span<const ApiRoute> kQueueRoutes{kRoutes};

}  // namespace pabal::server
