#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/selector.h"
#include "protocols/stomp/stomp_session.h"
#include "protocols/stomp/text.h"

namespace pabal::stomp {
namespace {

/// What a header, or an option of the destination, sets. Source: reference/stomp.md §5, §14.
enum class ConsumerOption : std::uint8_t {
  prefetch,
  prefetch_count,
  durable_name,
  no_local,
  selector,
  priority,
  browser,
  exclusive,
  retroactive,
  pending_max,
  unsupported,
};

struct ConsumerOptionName {
  std::string_view header;  ///< empty: only as an option of the destination
  std::string_view option;  ///< behind "consumer.", or "activemq." as a header
  ConsumerOption meaning;
};

// Names that are not here have no effect in ActiveMQ either (dispatchAsync is forced), or none that
// a STOMP client could notice (optimizedAcknowledge, noRangeAcks).
constexpr ConsumerOptionName kConsumerOptions[] = {
    {"", "prefetchSize", ConsumerOption::prefetch},
    {"prefetch-count", "", ConsumerOption::prefetch_count},
    {"", "subscriptionName", ConsumerOption::durable_name},
    {"no-local", "noLocal", ConsumerOption::no_local},
    {"selector", "selector", ConsumerOption::selector},
    {"", "priority", ConsumerOption::priority},
    {"browser", "browser", ConsumerOption::browser},
    {"", "exclusive", ConsumerOption::exclusive},
    {"", "retroactive", ConsumerOption::retroactive},
    {"", "networkSubscription", ConsumerOption::unsupported},
    {"", "maximumPendingMessageLimit", ConsumerOption::pending_max},
};

/// Pabal's own. With it, and without a destination, SUBSCRIBE changes how many deliveries of the
/// subscription with that `id` may be out: for clients whose users keep more unacknowledged.
constexpr std::string_view kWindow = "JMS_Pabal_Prefetch";

/// Pabal's own, on UNSUBSCRIBE: the `ack` of the last delivery that the client's application has
/// had, or `none`. What was sent ahead of that returns as it was: not marked, not counted.
constexpr std::string_view kSeen = "JMS_Pabal_Seen";

/// Nullopt, as without the header, if it names none of ours: then nobody knows.
std::optional<core::DeliveryId> read_seen(std::string_view text) noexcept {
  if (text == "none") return core::DeliveryId{0};
  const auto delivery = parse_number<std::uint64_t>(text.substr(text.find('-') + 1));
  if (!delivery || text.find('-') == text.npos) return std::nullopt;
  return core::DeliveryId(*delivery);
}

constexpr std::string_view kHeaderPrefix = "activemq.";
constexpr std::string_view kOptionPrefix = "consumer.";
constexpr std::string_view kProducerPrefix = "producer.";

/// Options that a destination may have and that change nothing here; see kConsumerOptions.
constexpr std::string_view kOptionsWithoutEffect[] = {"dispatchAsync", "optimizedAcknowledge",
                                                      "noRangeAcks", "optimizedMessageDispatch"};

std::optional<ConsumerOption> find_option(std::string_view name) noexcept {
  std::string_view option;
  if (name.starts_with(kHeaderPrefix)) option = name.substr(kHeaderPrefix.size());
  if (name.starts_with(kOptionPrefix)) option = name.substr(kOptionPrefix.size());
  for (const ConsumerOptionName& entry : kConsumerOptions) {
    if (!option.empty() ? entry.option == option : entry.header == name && !name.empty()) {
      return entry.meaning;
    }
  }
  return std::nullopt;
}

/// `name` has its prefix.
bool is_known_option(std::string_view name) noexcept {
  if (find_option(name)) return true;
  name.remove_prefix(kOptionPrefix.size());
  return std::find(std::begin(kOptionsWithoutEffect), std::end(kOptionsWithoutEffect), name) !=
         std::end(kOptionsWithoutEffect);
}

bool takes_boolean(std::string_view name) noexcept {
  switch (find_option(name).value_or(ConsumerOption::priority)) {
    case ConsumerOption::no_local:
    case ConsumerOption::retroactive:
    case ConsumerOption::browser:
    case ConsumerOption::exclusive:
    case ConsumerOption::unsupported:
      return true;
    default:
      return false;
  }
}

}  // namespace

void StompSession::read_subscribe(const Frame& frame, Command& command, core::TimePoint /*now*/) {
  auto request = std::make_unique<SubscribeRequest>();
  const auto* destination_text = frame.find("destination");
  if (destination_text == nullptr) {
    if (const auto* window = frame.find(kWindow)) return read_window(frame, *window, command);
    refuse(command, "SUBSCRIBE received without a Destination specified!");
    return;
  }
  if (const auto* id = frame.find("id")) {
    request->id = *id;
  } else if (reads_version_ != Version::v1_0) {
    refuse(command, "SUBSCRIBE received without a subscription id!");
    return;
  }
  const auto parts = parse_destinations(*destination_text);
  if (!parts) {
    refuse(command, parts.error().text);
    return;
  }
  for (const auto& part : *parts) {
    request->destinations.push_back({part.to_destination(), part.alias});
  }
  request->options.interests.emplace_back();  // what all parts have in common
  if (const auto* ack = frame.find("ack"); ack != nullptr) {
    request->cumulative = *ack == "client";
    if (request->cumulative || *ack == "client-individual") {
      request->options.ack_mode = core::AckMode::explicit_;
    }
  }
  if (const auto* transformation = frame.find("transformation")) {
    request->transformation = *transformation;
  }

  request->options.prefetch = 0;
  // Headers come first: an option of the destination is the more particular wish.
  for (auto header = frame.headers.rbegin(); header != frame.headers.rend(); ++header) {
    if (!set_consumer_option(*request, header->name, header->value, command)) return;
  }
  if (!read_destination_options(*request, parts->front().options, command)) return;
  finish_subscribe(std::move(request), command);
}

void StompSession::read_window(const Frame& frame, std::string_view window, Command& command) {
  const auto* id = frame.find("id");
  const auto prefetch = parse_number<std::uint32_t>(trim(window));
  if (id == nullptr || !prefetch || *prefetch == 0) {
    refuse(command, "Invalid " + std::string(kWindow) + ": " + std::string(window),
           "expected: a number of messages, and the id of a subscription");
    return;
  }
  auto request = std::make_unique<SubscribeRequest>();
  request->id = *id;
  request->window = std::min(*prefetch, options_.prefetch_max);
  command.subscribe = std::move(request);
}

/// False: the command is refused. Unlike a header, which may be anybody's, an option is meant for
/// the broker, so one that it does not know is an error; those for producers are not looked at.
bool StompSession::read_destination_options(SubscribeRequest& request, std::string_view options,
                                            Command& command) {
  for (std::string_view name, value; next_option(options, name, value);) {
    if (name.empty() || name.starts_with(kProducerPrefix)) continue;
    if (!name.starts_with(kOptionPrefix) || !is_known_option(name)) {
      refuse(command, "Unknown destination option: " + std::string(name));
      return false;
    }
    const auto decoded = decode_option(value);
    if (!decoded) {
      refuse(command, "Invalid " + std::string(name) + ": " + std::string(value),
             "expected: URL encoding");
      return false;
    }
    if (takes_boolean(name) && *decoded != "true" && *decoded != "false") {
      refuse(command, "Invalid " + std::string(name) + ": " + *decoded, "expected: true or false");
      return false;
    }
    if (!set_consumer_option(request, name, *decoded, command)) return false;
  }
  return true;
}

/// False: the command is refused. Headers are handed in last to first, so that the first wins.
bool StompSession::set_consumer_option(SubscribeRequest& request, std::string_view name,
                                       std::string_view value, Command& command) {
  const auto option = find_option(name);
  if (!option) return true;
  const auto refuse_value = [&](std::string_view why) {
    refuse(command, "Invalid " + std::string(name) + ": " + std::string(value), why);
    return false;
  };
  core::SubscribeOptions& options = request.options;
  switch (*option) {
    case ConsumerOption::prefetch:
    case ConsumerOption::prefetch_count: {
      const auto prefetch = parse_number<std::uint32_t>(trim(value));
      if (!prefetch) return refuse_value("expected: a number of messages");
      if (*prefetch > 0) {
        options.prefetch = std::min(*prefetch, options_.prefetch_max);
      } else if (*option == ConsumerOption::prefetch_count) {
        options.prefetch = options_.prefetch_max;  // RabbitMQ: no limit
      } else {
        return refuse_value("a STOMP client cannot pull: at least 1");
      }
      break;
    }
    case ConsumerOption::durable_name:
      options.durable_name = value;
      break;
    case ConsumerOption::no_local:
      options.interests[0].no_local = value == "true";
      break;
    case ConsumerOption::selector:
      // Headers are texts; a number in a selector means what they spell.
      if (!trim(value).empty()) {
        options.interests[0].selector = core::Selector::kConvertTexts;
        options.interests[0].selector += trim(value);
      }
      break;
    case ConsumerOption::priority: {
      const auto priority = parse_number<std::int32_t>(trim(value));
      if (!priority || *priority < 0 || *priority > 127) return refuse_value("expected: 0 to 127");
      options.consumer_priority = *priority;
      break;
    }
    case ConsumerOption::browser:
      if (value != "true") break;
      if (reads_version_ == Version::v1_0) {
        refuse(command, "Queue Browser feature only valid for Stomp v1.1+ clients!");
        return false;
      }
      options.browser = true;
      break;
    case ConsumerOption::exclusive:
      options.exclusive = value == "true";
      break;
    case ConsumerOption::retroactive:
      options.retroactive = value == "true";
      break;
    case ConsumerOption::unsupported:
      if (value != "true") break;
      refuse(command, std::string(name) + " is not supported yet");
      return false;
    case ConsumerOption::pending_max: {
      const auto most = parse_number<std::int32_t>(trim(value));
      if (!most) return refuse_value("expected: a number of messages");
      // ActiveMQ: 0 and less is no limit.
      options.pending_max = static_cast<std::uint32_t>(std::max(*most, 0));
      break;
    }
  }
  return true;
}

void StompSession::finish_subscribe(std::unique_ptr<SubscribeRequest> request, Command& command) {
  core::SubscribeOptions& options = request->options;
  const bool queue = core::is_queue(request->destinations.front().destination.kind);
  const bool durable = !options.durable_name.empty();
  if (durable && queue) {
    refuse(command, "Invalid Subscription: cannot durably subscribe to a Queue destination!");
    return;
  }
  if (options.prefetch == 0) {
    options.prefetch_is_default = true;
    options.prefetch = durable           ? options_.durable_prefetch
                       : options.browser ? options_.browser_prefetch
                       : queue           ? options_.queue_prefetch
                                         : options_.topic_prefetch;
  }
  command.subscribe = std::move(request);
}

void StompSession::apply_subscribe(Command& command, core::Engine& engine, core::TimePoint now) {
  SubscribeRequest& request = *command.subscribe;
  if (request.window) {
    const Subscription* known = subscriptions_.find_named(*request.id);
    if (known == nullptr) return fail(command, "No subscription matched.");
    (void)engine.set_credit(known->id, *request.window, 0, now);
    return confirm(command, core::kNoTicket);
  }
  core::SubscribeOptions& options = request.options;
  const bool durable = !options.durable_name.empty();
  if (durable && !has_client_id_) {
    fail(command, "a durable subscription needs a client-id on CONNECT");
    return;
  }
  auto destinations = real_destinations(request.destinations, engine);
  if (!destinations) {
    fail(command, destinations.error().text);
    return;
  }
  options.interests.resize(destinations->size(), core::Interest(options.interests.front()));
  for (std::size_t i = 0; i < destinations->size(); ++i) {
    options.interests[i].destination = (*destinations)[i];
  }
  Subscription& subscription = subscriptions_.begin();
  if (request.id && !subscriptions_.name(subscription, *request.id)) {
    // STOMP 1.2 "SUBSCRIBE id Header": different subscriptions must have different ids.
    fail(command, "There already is a subscription with id " + *request.id);
    subscriptions_.end(subscription);
    return;
  }
  subscription.explicit_acks = options.ack_mode == core::AckMode::explicit_;
  subscription.cumulative = request.cumulative;
  subscription.destinations = std::move(*destinations);
  subscription.transformation = std::move(request.transformation);
  subscription.frame_start = "MESSAGE\n";
  if (request.id) {
    subscription.frame_start += "subscription:";
    append_escaped(subscription.frame_start, *request.id, version_);
    subscription.frame_start += '\n';
  }
  options.tag = subscription.tag;
  const auto id = engine.subscribe(*connection_, options, now);
  if (!id) {
    fail(command, id.error().text, durable ? engine.submitted() : core::kNoTicket);
    subscriptions_.end(subscription);
    return;
  }
  subscription.id = *id;
  // reference/stomp.md §5: the receipt comes before the first MESSAGE, so what waits for the store
  // holds back what comes behind it.
  confirm(command, durable ? engine.submitted() : core::kNoTicket, durable);
}

void StompSession::read_unsubscribe(const Frame& frame, Command& command, core::TimePoint /*now*/) {
  if (const auto* deletes = frame.find("delete"); deletes != nullptr && *deletes != "false") {
    if (*deletes == "true") return read_deletion(frame, command);
    refuse(command, "Invalid delete header: " + std::string(*deletes), "expected: true or false");
    return;
  }
  auto request = std::make_unique<UnsubscribeRequest>();
  if (const auto* seen = frame.find(kSeen)) request->seen = read_seen(*seen);
  if (const auto* name = frame.find("activemq.subscriptionName")) request->durable_name = *name;
  if (const auto* id = frame.find("id")) {
    request->id = *id;
  } else if (reads_version_ != Version::v1_0 && request->durable_name.empty()) {
    refuse(command, "UNSUBSCRIBE received without a subscription id!");
    return;
  } else if (const auto* text = frame.find("destination")) {
    const auto parts = parse_destinations(*text);
    if (!parts) {
      refuse(command, parts.error().text);
      return;
    }
    for (const auto& part : *parts) {
      request->destinations.push_back({part.to_destination(), part.alias});
    }
  } else if (request->durable_name.empty()) {
    refuse(command,
           "Must specify the subscriptionId or the destination you are unsubscribing from");
    return;
  }
  command.unsubscribe = std::move(request);
}

/// Pabal's own: the end of a temporary destination before that of its connection.
void StompSession::read_deletion(const Frame& frame, Command& command) {
  const auto refuse_it = [&] {
    refuse(command,
           "delete:true is for one temporary destination of this connection, /temp-queue/... or "
           "/temp-topic/...");
  };
  const auto* text = frame.find("destination");
  if (text == nullptr || frame.find("id") != nullptr) return refuse_it();
  const auto parts = parse_destinations(*text);
  if (!parts) return refuse(command, parts.error().text);
  if (parts->size() != 1 || !parts->front().alias) return refuse_it();
  auto request = std::make_unique<UnsubscribeRequest>();
  request->deletes = true;
  request->destinations.push_back({parts->front().to_destination(), true});
  command.unsubscribe = std::move(request);
  reads_deletion_ = true;
}

void StompSession::apply_unsubscribe(Command& command, core::Engine& engine, core::TimePoint now) {
  const UnsubscribeRequest& request = *command.unsubscribe;
  if (request.deletes) return delete_temporary(command, engine, now);
  if (!request.durable_name.empty()) {
    delete_durable(command, engine, now);
    return;
  }
  Subscription* subscription = nullptr;
  if (request.id) {
    subscription = subscriptions_.find_named(*request.id);
  } else {
    std::vector<core::Destination> destinations;
    for (const auto& [destination, alias] : request.destinations) {
      const auto* real =
          alias ? temporaries_.find(destination.kind, destination.name) : &destination;
      if (real != nullptr) destinations.push_back(*real);
    }
    if (destinations.size() == request.destinations.size()) {
      subscription = subscriptions_.find_destinations(destinations);
    }
  }
  if (subscription == nullptr) {
    fail(command, "No subscription matched.");
    return;
  }
  const auto ended = request.seen ? engine.unsubscribe(subscription->id, *request.seen, now)
                                  : engine.unsubscribe(subscription->id, now);
  subscriptions_.end(*subscription);
  if (!ended) {
    fail(command, ended.error().text, engine.submitted());
    return;
  }
  confirm(command, engine.submitted());
}

void StompSession::delete_durable(Command& command, core::Engine& engine, core::TimePoint now) {
  const std::string& name = command.unsubscribe->durable_name;
  auto deleted = engine.delete_durable(client_id_, name, now);
  // reference/stomp.md §5: in 1.0 the subscription's name doubles as client id.
  if (!deleted && version_ == Version::v1_0 && deleted.error().code == core::Errc::not_found) {
    deleted = engine.delete_durable(name, name, now);
  }
  if (deleted) {
    confirm(command, engine.submitted());
    return;
  }
  switch (deleted.error().code) {
    case core::Errc::in_use:
      fail(command, "Durable consumer is in use", engine.submitted());
      break;
    case core::Errc::not_found:
      fail(command, "No subscription matched.", engine.submitted());
      break;
    default:
      fail(command, deleted.error().text, engine.submitted());
      break;
  }
}

/// An alias that was never used, or is gone, has nothing that could be deleted.
void StompSession::delete_temporary(Command& command, core::Engine& engine, core::TimePoint now) {
  const core::Destination& named = command.unsubscribe->destinations.front().destination;
  if (const core::Destination* real = temporaries_.find(named.kind, named.name)) {
    const auto deleted = engine.delete_temporary(*connection_, *real, now);
    if (!deleted && deleted.error().code != core::Errc::not_found) {
      fail(command, deleted.error().text, engine.submitted());
      return;
    }
    temporaries_.remove(named.kind, named.name);
  }
  confirm(command, engine.submitted());
}

}  // namespace pabal::stomp
