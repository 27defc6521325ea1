#include "server/subscription_api.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <Poco/JSON/Array.h>
#include <Poco/URI.h>

#include "core/selector_text.h"
#include "protocols/mqtt/bridge.h"
#include "server/api_support.h"
#include "server/task_api.h"
#include "server/utf8.h"

// Durable subscriptions over HTTP: listed by pages, deleted, and told of with their topic.

namespace pabal::server {
namespace {

using core::SubscriptionSnapshot;
using Poco::JSON::Array;
using Poco::JSON::Object;

using Key = std::pair<std::string, std::string>;  ///< client id, name

/// As the path of a DELETE has it.
std::string key_text(const SubscriptionSnapshot& view) {
  std::string client_id;
  std::string name;
  Poco::URI::encode(view.client_id, "/?#&=+:;,%", client_id);
  Poco::URI::encode(view.name, "/?#&=+:;,%", name);
  return client_id + '/' + name;
}

std::optional<Key> read_key(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto client_id = percent_decoded(text.substr(0, slash));
  auto name = percent_decoded(text.substr(slash + 1));
  if (!client_id || !name) return std::nullopt;
  return Key{*std::move(client_id), *std::move(name)};
}

Object::Ptr subscription_json(const SubscriptionSnapshot& view) {
  auto json = json_object();
  json->set("clientId", to_utf8(view.client_id));
  json->set("name", to_utf8(view.name));
  json->set("topic", to_utf8(view.destination.to_text()));
  json->set("selector", to_utf8(core::shown_selector(view.selector)));
  json->set("active", view.active);
  json->set("depth", json_number(view.depth));
  json->set("inFlight", json_number(view.in_flight));
  json->set("waiting", std::string(core::to_string(view.waiting)));
  if (!view.damaged.empty()) {
    Array::Ptr damaged = new Array;
    for (const auto& each : view.damaged) damaged->add(to_utf8(each));
    json->set("damaged", damaged);
  }
  return json;
}

/// All of them, in order of client id and name.
std::vector<SubscriptionSnapshot> all_subscriptions(EngineGate& gate) {
  return gate.inspect(
      [](const core::Engine& engine) { return engine.durable_subscriptions(SIZE_MAX); });
}

ApiAnswer get_subscriptions(EngineGate& gate, const ApiRequest& request) {
  const auto limit = request.number("limit", kPageDefault, kPageMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  std::optional<Key> after;
  if (const std::string text = request.text("after"); !text.empty()) {
    after = read_key(text);
    if (!after) return ApiAnswer::failure(400, "invalid_argument", "after is a `next` as given");
  }
  const auto views = all_subscriptions(gate);
  Array::Ptr list = new Array;
  std::string next;
  for (const auto& view : views) {
    if (after && Key(view.client_id, view.name) <= *after) continue;
    if (list->size() == *limit) {
      auto json = json_object();
      json->set("subscriptions", list);
      if (!next.empty()) json->set("next", next);
      return ApiAnswer::ok(*json);
    }
    list->add(subscription_json(view));
    next = key_text(view);
  }
  auto json = json_object();
  json->set("subscriptions", list);
  return ApiAnswer::ok(*json);
}

ApiAnswer delete_subscription(EngineGate& gate, const ApiRequest& request) {
  const auto deadline = deadline_of(request);
  if (!deadline) return ApiAnswer::failure(deadline.error());
  core::Result<void> done;
  core::Ticket ticket{};
  gate.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    done = engine.delete_durable(request.arguments[0], request.arguments[1], now);
    ticket = engine.submitted();
  });
  if (!done) return ApiAnswer::failure(done.error());
  const bool durable = wait_until(*deadline, [&] { return gate.durable() >= ticket; });
  auto json = json_object();
  json->set("clientId", to_utf8(request.arguments[0]));
  json->set("name", to_utf8(request.arguments[1]));
  json->set("deleted", true);
  json->set("ended", durable);
  return ApiAnswer::ok(*json, durable ? 200 : 202);
}

ApiAnswer post_skip_damaged(EngineGate& gate, const ApiRequest& request) {
  core::QueueTaskOptions options;
  options.command = core::QueueCommand::skip_damaged;
  options.client_id = request.arguments[0];
  options.subscription = request.arguments[1];
  if (options.subscription.empty()) {
    return ApiAnswer::failure(404, "not_found", "a subscription has a name");
  }
  const auto limit = request.number("limit", 0, kTaskLimitMax);
  if (!limit) return ApiAnswer::failure(limit.error());
  options.limit = *limit;
  return carry_out(gate, request, std::move(options));
}

/// What an operator types, as a shell takes it.
std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/@%+=,";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\' || c == '$' || c == '`') text += '\\';
    text += c;
  }
  return text + '"';
}

/// What holds up the messages of a durable subscription, and which command helps.
std::string damage_of(const SubscriptionSnapshot& view) {
  return "the durable subscription " + view.name + " of client " + view.client_id + ": " +
         view.damaged.front() + "; 'pabal subscription skip-damaged " + quoted(view.client_id) +
         " " + quoted(view.name) + "' deletes what cannot be read";
}

std::string count_of_messages(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " message" : " messages");
}

/// The same of one that gathers for a bridge, whose consumer is the other broker.
std::string reason_of_bridge(const SubscriptionSnapshot& view) {
  const std::string who = "the bridge " + view.client_id.substr(mqtt::kBridgeClientPrefix.size()) +
                          " (" + view.name + "): " + count_of_messages(view.depth);
  if (!view.active) return who + " wait for the other broker; 'pabal bridge list' says where it is";
  if (view.depth <= view.in_flight)
    return who + " on the way; the other broker has not answered yet";
  return who + ", " + std::to_string(view.in_flight) + " of them on the way, the rest behind them";
}

/// Why messages of a durable subscription wait; empty: none does.
std::string reason_of(const SubscriptionSnapshot& view) {
  if (view.depth == 0) return {};
  if (view.client_id.starts_with(mqtt::kBridgeClientPrefix)) return reason_of_bridge(view);
  const std::string who =
      "the durable subscription " + view.name + " of client " + view.client_id + ": ";
  if (view.depth <= view.in_flight && view.active) {
    return who + count_of_messages(view.depth) + " with its consumer, unacknowledged";
  }
  const std::string waiting = who + count_of_messages(view.depth - view.in_flight);
  if (!view.active) return waiting + " wait until it connects; nobody is connected with it now";
  return waiting + " wait: " + std::string(core::to_string(view.waiting));
}

std::optional<core::DestinationSnapshot> snapshot_of(EngineGate& gate,
                                                     const core::Destination& topic) {
  // Whatever is above this is the topic, or comes behind it: no name has such a byte.
  std::string below = topic.to_text();
  below.back() = static_cast<char>(below.back() - 1);
  below += '\xFF';
  const auto found =
      gate.inspect([&](const core::Engine& engine) { return engine.destinations(below, 1); });
  if (found.empty() || found.front().destination != topic) return std::nullopt;
  return found.front();
}

constexpr ApiRoute kRoutes[] = {
    {"GET", "/api/subscriptions", "after limit", get_subscriptions},
    {"DELETE", "/api/subscriptions/{}/{}", "wait", delete_subscription},
    {"POST", "/api/subscriptions/{}/{}/skip-damaged", "limit wait", post_skip_damaged},
};

}  // namespace

const std::span<const ApiRoute> kSubscriptionRoutes{kRoutes};

ApiAnswer explain_topic(EngineGate& gate, const core::Destination& topic) {
  if (topic.name.empty()) return ApiAnswer::failure(404, "not_found", "a topic has a name");
  auto views = all_subscriptions(gate);
  std::erase_if(views, [&](const SubscriptionSnapshot& view) {
    return !core::matches(view.destination.name, topic.name);
  });
  const auto known = snapshot_of(gate, topic);
  if (!known && views.empty()) {
    return ApiAnswer::failure(
        404, "not_found",
        "nobody subscribes to " + topic.to_text() + ": what is sent there is kept for nobody");
  }
  auto json = json_object();
  json->set("topic", to_utf8(topic.to_text()));
  json->set("consumers", static_cast<int>(known ? known->consumers : 0));
  json->set("enqueued", json_number(known ? known->counters.enqueued : 0));
  json->set("dispatched", json_number(known ? known->counters.dispatched : 0));
  Array::Ptr reasons = new Array;
  for (const auto& view : views) {
    if (reasons->size() == core::kExplainedMax) break;
    if (const std::string reason = reason_of(view); !reason.empty()) reasons->add(to_utf8(reason));
    if (!view.damaged.empty()) reasons->add(to_utf8(damage_of(view)));
  }
  if (views.empty()) {
    reasons->add(std::string(
        "it has no durable subscription: who is not connected when a message comes misses it"));
  } else if (reasons->size() == 0) {
    reasons->add(std::string("nothing waits for its durable subscriptions"));
  }
  json->set("reasons", reasons);
  json->set("durableSubscriptionsTotal", json_number(views.size()));
  Array::Ptr list = new Array;
  for (const auto& view : views) {
    if (list->size() == core::kExplainedMax) break;
    list->add(subscription_json(view));
  }
  json->set("durableSubscriptions", list);
  return ApiAnswer::ok(*json);
}

}  // namespace pabal::server
