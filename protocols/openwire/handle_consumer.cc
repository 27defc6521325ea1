#include <algorithm>
#include <string>
#include <utility>

#include "core/modified_utf8.h"
#include "core/selector.h"
#include "protocols/openwire/destinations.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// Consumers: what they want, their windows, pulls, and how they leave.

namespace pabal::openwire {
namespace {

/// How often a pull that wants an answer at once looks again while something is read from disk.
constexpr core::milliseconds kPullCheckInterval{1};

/// Core keeps a selector with each destination of a composite.
constexpr std::size_t kSelectorBytesMax = std::size_t{256} * 1024;

ConsumerKind consumer_kind_of(const core::SubscribeOptions& options) {
  if (options.browser) return ConsumerKind::browser;
  if (!options.durable_name.empty()) return ConsumerKind::durable;
  return core::is_queue(options.interests.front().destination.kind) ? ConsumerKind::queue
                                                                    : ConsumerKind::topic;
}

/// What clients say for applications that name no prefetch. Source: reference §6.24; with
/// optimizeAcknowledge 1000 for a durable subscriber.
bool is_default_prefetch(ConsumerKind kind, std::uint32_t prefetch) noexcept {
  switch (kind) {
    case ConsumerKind::queue:
      return prefetch == 1000;
    case ConsumerKind::browser:
      return prefetch == 500;
    case ConsumerKind::durable:
      return prefetch == 100 || prefetch == 1000;
    case ConsumerKind::topic:
      return prefetch == 32'767 || prefetch == 32'766;
  }
  return false;
}

}  // namespace

/// What is wrong in the info itself is answered here; false then.
bool OpenWireSession::read_consumer(const ConsumerInfo& info, core::SubscribeOptions& options,
                                    std::vector<core::Destination>& destinations) {
  if (!info.destination) {
    reject(info, kInvalidDestination, "a consumer without a destination");
    return false;
  }
  const auto kind = kind_of(info.destination->type);
  auto parts = read_destinations(
      kind, core::utf8_of(info.destination->physical_name, cache_.incoming.destination));
  if (!parts) {
    reject(info, kInvalidDestination, parts.error().text);
    return false;
  }
  // Source: reference §6.16: a consumer of queues gets the queues of a mixed composite, and so on.
  std::erase_if(*parts, [&](const core::Destination& part) {
    return core::is_queue(part.kind) != core::is_queue(kind);
  });
  if (parts->empty()) {
    reject(info, kInvalidDestination, "a composite without a destination of its own kind");
    return false;
  }
  destinations = std::move(*parts);
  core::Interest interest;
  interest.selector = core::utf8_of(info.selector.value_or(""), cache_.text);
  if (interest.selector.find_first_not_of(" \t\r\n") == std::string::npos) {
    interest.selector.clear();
  } else if (const auto compiled = core::Selector::compile(interest.selector); !compiled) {
    reject(info, kInvalidSelector, compiled.error().text);
    return false;
  }
  if (destinations.size() > 1 &&
      interest.selector.size() * destinations.size() > kSelectorBytesMax) {
    reject(info, kResourceAllocation, "a selector that is too long for so many destinations");
    return false;
  }
  interest.no_local = info.no_local;
  for (const core::Destination& destination : destinations) {
    interest.destination = destination;
    options.interests.push_back(interest);
  }
  if (info.prefetch_size < 0 ||
      static_cast<std::uint32_t>(info.prefetch_size) > options_.prefetch_max) {
    reject(info, kResourceAllocation,
           "prefetch_max: a consumer asks for at most " + std::to_string(options_.prefetch_max) +
               " messages ahead");
    return false;
  }
  options.prefetch = static_cast<std::uint32_t>(info.prefetch_size);
  options.ack_mode = core::AckMode::explicit_;
  options.browser = info.browser;
  options.exclusive = info.exclusive;
  options.retroactive = info.retroactive;
  options.consumer_priority = info.priority;
  options.pending_max = static_cast<std::uint32_t>(std::max(info.maximum_pending_message_limit, 0));
  if (info.subscription_name) {
    options.durable_name = core::utf8_of(*info.subscription_name, cache_.text);
  }
  options.prefetch_is_default = is_default_prefetch(consumer_kind_of(options), options.prefetch);
  return true;
}

void OpenWireSession::apply_command(ConsumerInfo& info, core::Engine& engine, core::TimePoint now) {
  const ConsumerId& id = info.consumer_id;
  if (!is_own(id.connection_id) || !registry_.has_session(id.session_id)) {
    return reject(info, kIllegalState,
                  "Cannot add a consumer to a session that had not been "
                  "registered");
  }
  const ObjectKey key{id.session_id, id.value};
  if (registry_.find_consumer(key) != nullptr) return confirm(info, core::kNoTicket);
  core::SubscribeOptions options;
  options.advisories_by_name = false;  // as with ActiveMQ
  std::vector<core::Destination> destinations;
  if (!read_consumer(info, options, destinations)) return;
  Consumer& consumer = registry_.add_consumer(key);
  consumer.advisory =
      options.durable_name.empty() &&
      std::all_of(destinations.begin(), destinations.end(), [](const core::Destination& each) {
        return core::is_advisory_topic(each.kind, each.name);
      });
  if (consumer.advisory) options.ack_mode = core::AckMode::automatic;
  consumer.kind = consumer_kind_of(options);
  append_nested(consumer.wire_id, id, format_);
  options.tag = consumer.tag;
  options.number = {id.session_id, id.value};
  const auto subscribed = engine.subscribe(*connection_, options, now);
  const bool durable = !options.durable_name.empty();
  if (!subscribed) {
    registry_.remove_consumer(consumer);
    return reject(info, subscribed.error(), durable ? engine.submitted() : core::kNoTicket);
  }
  consumer.id = *subscribed;
  consumer.prefetch = prefetch_of(consumer, options.prefetch, engine);
  confirm(info, durable ? engine.submitted() : core::kNoTicket);
}

/// Source: reference §6.7. -1: none was handed to the application; -2: nobody knows, and so all
/// may have been.
void OpenWireSession::remove_consumer(const ObjectKey& key, std::int64_t last_delivered,
                                      core::Engine& engine, core::TimePoint now) {
  Consumer* consumer = registry_.find_consumer(key);
  if (consumer == nullptr) return;  // a late word about one that never came to be
  if (last_delivered == -2) {
    (void)engine.unsubscribe(consumer->id, now);
  } else {
    const core::DeliveryId seen =
        last_delivered < 0 ? core::DeliveryId{0} : consumer->in_flight.up_to(last_delivered);
    (void)engine.unsubscribe(consumer->id, seen, now);
  }
  pulls_.erase(key);
  registry_.remove_consumer(*consumer);
}

// --- windows -------------------------------------------------------------------------------------

/// A client's default gives way to the policy, as with ActiveMQ.
std::uint32_t OpenWireSession::prefetch_of(const Consumer& consumer, std::uint32_t wanted,
                                           const core::Engine& engine) {
  if (!is_default_prefetch(consumer.kind, wanted)) return wanted;
  return engine.policy_prefetch(consumer.id).value_or(wanted);
}

void OpenWireSession::set_window(Consumer& consumer, core::Engine& engine, core::TimePoint now) {
  const std::uint64_t window =
      std::min<std::uint64_t>(consumer.prefetch + consumer.extension, options_.prefetch_max);
  (void)engine.set_credit(consumer.id, static_cast<std::uint32_t>(window), consumer.pull ? 1 : 0,
                          now);
}

/// After a failover a client restores its consumers without a window and gives it afterwards.
void OpenWireSession::apply_command(ConsumerControl& control, core::Engine& engine,
                                    core::TimePoint now) {
  if (!control.consumer_id || !is_own(control.consumer_id->connection_id)) {
    return confirm(control, core::kNoTicket);
  }
  const ObjectKey key{control.consumer_id->session_id, control.consumer_id->value};
  Consumer* consumer = registry_.find_consumer(key);
  if (consumer != nullptr && control.close) {
    remove_consumer(key, -2, engine, now);
  } else if (consumer != nullptr && control.prefetch >= 0) {
    const auto wanted =
        std::min(static_cast<std::uint32_t>(control.prefetch), options_.prefetch_max);
    consumer->prefetch = prefetch_of(*consumer, wanted, engine);
    set_window(*consumer, engine, now);
  }
  confirm(control, core::kNoTicket);
}

// --- pulls (reference §6.6) ----------------------------------------------------------------------

void OpenWireSession::apply_command(MessagePull& pull, core::Engine& engine, core::TimePoint now) {
  const ConsumerId& id = pull.consumer_id;
  Consumer* consumer =
      is_own(id.connection_id) ? registry_.find_consumer({id.session_id, id.value}) : nullptr;
  if (!is_own(id.connection_id)) return reject(pull, kIllegalState, "a consumer of another one");
  confirm(pull, core::kNoTicket);
  if (consumer == nullptr) return;  // it has crossed the end of its consumer
  consumer->pull = Pull{};
  pulls_.erase(consumer->key);
  if (pull.timeout < 0) {
    consumer->pull->at_once = true;
    consumer->pull->deadline = now;
    pulls_at_once_ = true;
  } else if (pull.timeout > 0) {
    constexpr std::int64_t kLongest = std::int64_t{1} << 40;
    consumer->pull->deadline = now + core::milliseconds(std::min(pull.timeout, kLongest));
  }
  if (consumer->pull->deadline) {
    pulls_.insert(consumer->key);
    timer_changed_ = true;
  }
  set_window(*consumer, engine, now);
}

void OpenWireSession::check_pulls(core::Engine& engine, core::TimePoint now) {
  const std::vector<ObjectKey> waiting(pulls_.begin(), pulls_.end());
  for (const ObjectKey& key : waiting) {
    Consumer* consumer = registry_.find_consumer(key);
    if (consumer == nullptr || !consumer->pull) {
      pulls_.erase(key);
      continue;
    }
    if (*consumer->pull->deadline > now) continue;
    if (consumer->pull->at_once && engine.may_deliver_soon(consumer->id)) {
      consumer->pull->deadline = now + kPullCheckInterval;
      timer_changed_ = true;
      continue;
    }
    answer_pull(*consumer, engine, now);
  }
}

/// Nothing has come: without an answer the client would wait for ever.
void OpenWireSession::answer_pull(Consumer& consumer, core::Engine& engine, core::TimePoint now) {
  consumer.pull.reset();
  pulls_.erase(consumer.key);
  set_window(consumer, engine, now);
  MessageDispatch nothing;
  nothing.consumer_id = ConsumerId{connection_id_, consumer.key.session, consumer.key.value};
  append_frame(bytes(), nothing, format_);
  end_piece(core::kNoTicket);
}

}  // namespace pabal::openwire
