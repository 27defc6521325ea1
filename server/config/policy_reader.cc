#include "server/config/policy_reader.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <regex>
#include <utility>

#include "core/selector.h"
#include "server/config/values.h"

namespace pabal::server {
namespace {

using Draft = PolicyDraft;

/// What an element that stands in a policy says by being there, before its attributes are read.
struct Part {
  std::string_view element;
  void (*begin)(Draft& draft);
};

template <core::DeadLetterStrategy::Kind kind>
void dead_letter(Draft& draft) {
  draft.policy.dead_letter = {};
  draft.policy.dead_letter.kind = kind;
}
template <core::PendingLimit::Kind kind>
void pending_limit(Draft& draft) {
  draft.policy.pending_limit = {};
  draft.policy.pending_limit.kind = kind;
}
template <core::EvictionStrategy::Kind kind>
void eviction(Draft& draft) {
  draft.policy.eviction = {};
  draft.policy.eviction.kind = kind;
}
template <core::SlowConsumerStrategy::Kind kind>
void slow_consumer(Draft& draft) {
  draft.policy.slow_consumer = {};
  draft.policy.slow_consumer.kind = kind;
}
template <core::RecoveryPolicy::Kind kind>
void recovery(Draft& draft) {
  draft.policy.recovery = {};
  draft.policy.recovery.kind = kind;
}
template <bool strict>
void strict_order(Draft& draft) {
  draft.policy.strict_order_dispatch = strict;
}
void nothing(Draft&) {}

constexpr Part kParts[] = {
    {"policyEntry",
     [](Draft& draft) {
       draft.name.reset();
       draft.policy = {};
     }},
    {"redeliveryPolicy",
     [](Draft& draft) {
       draft.name.reset();
       draft.redelivery = {};
       draft.redelivery.dead_letter_when_exhausted = draft.dead_letter_when_exhausted;
     }},
    {"sharedDeadLetterStrategy", &dead_letter<core::DeadLetterStrategy::Kind::shared>},
    {"individualDeadLetterStrategy", &dead_letter<core::DeadLetterStrategy::Kind::individual>},
    {"discarding", &dead_letter<core::DeadLetterStrategy::Kind::discard>},
    {"constantPendingMessageLimitStrategy", &pending_limit<core::PendingLimit::Kind::constant>},
    {"prefetchRatePendingMessageLimitStrategy",
     &pending_limit<core::PendingLimit::Kind::prefetch_rate>},
    {"oldestMessageEvictionStrategy", &eviction<core::EvictionStrategy::Kind::oldest>},
    {"oldestMessageWithLowestPriorityEvictionStrategy",
     &eviction<core::EvictionStrategy::Kind::oldest_with_lowest_priority>},
    {"uniquePropertyMessageEvictionStrategy",
     &eviction<core::EvictionStrategy::Kind::unique_property>},
    {"abortSlowConsumerStrategy", &slow_consumer<core::SlowConsumerStrategy::Kind::abort_slow>},
    {"abortSlowAckConsumerStrategy",
     &slow_consumer<core::SlowConsumerStrategy::Kind::abort_slow_ack>},
    {"noSubscriptionRecoveryPolicy", &recovery<core::RecoveryPolicy::Kind::none>},
    {"lastImageSubscriptionRecoveryPolicy", &recovery<core::RecoveryPolicy::Kind::last_image>},
    {"fixedCountSubscriptionRecoveryPolicy", &recovery<core::RecoveryPolicy::Kind::fixed_count>},
    {"fixedSizedSubscriptionRecoveryPolicy", &recovery<core::RecoveryPolicy::Kind::fixed_size>},
    {"timedSubscriptionRecoveryPolicy", &recovery<core::RecoveryPolicy::Kind::timed>},
    {"roundRobinDispatchPolicy", &strict_order<false>},
    {"simpleDispatchPolicy", &nothing},
    {"strictOrderDispatchPolicy", &strict_order<true>},
    {"cachedMessageGroupMapFactory",
     [](Draft& draft) { draft.policy.groups_max = core::DestinationPolicy{}.groups_max; }},
    {"messageGroupHashBucketFactory",
     [](Draft& draft) { draft.policy.groups_max = core::DestinationPolicy{}.groups_max; }},
    {"simpleMessageGroupMapFactory",
     [](Draft& draft) { draft.policy.groups_max = kSimpleGroupsMax; }},
    {"virtualTopic",
     [](Draft& draft) {
       draft.virtual_topic = {};
       draft.virtual_topic.name = ">";
     }},
    {"compositeQueue",
     [](Draft& draft) {
       draft.composite = {};
       draft.composite.name.kind = core::DestinationKind::queue;
     }},
    {"compositeTopic",
     [](Draft& draft) {
       draft.composite = {};
       draft.composite.name.kind = core::DestinationKind::topic;
     }},
    {"filteredDestination", [](Draft& draft) { draft.name.reset(); }},
    {"mirroredQueue", [](Draft& draft) { draft.mirrored = {}; }},
    {"timeStampingBrokerPlugin", [](Draft& draft) { draft.time_stamping = {}; }},
    {"forcePersistencyModeBrokerPlugin", [](Draft& draft) { draft.force_persistent = false; }},
    {"discardingDLQBrokerPlugin", [](Draft& draft) { draft.discarded = {}; }},
    {"networkConnector", [](Draft& draft) { draft.bridge = {}; }},
    {"pabalOut", [](Draft& draft) { draft.route = {}; }},
    {"pabalIn", [](Draft& draft) { draft.route = {}; }},
    {"redeliveryPlugin", [](Draft& draft) { draft.dead_letter_when_exhausted = true; }},
};

const Part* find_part(std::string_view element) noexcept {
  const auto* const found = std::find_if(std::begin(kParts), std::end(kParts),
                                         [&](const Part& part) { return part.element == element; });
  return found == std::end(kParts) ? nullptr : found;
}

/// What tells an element from others of its kind: the name that it is for.
std::string key_of(Reading& reading, const XmlElement& element) {
  for (const char* name : {"queue", "topic", "destination", "name"}) {
    const XmlAttribute* given = element.attribute(name);
    if (given == nullptr) continue;
    const auto text = reading.placeholders.resolve(given->value);
    return std::string(name) + ' ' + (text ? *text : given->value);
  }
  for (const char* name : {"tempQueue", "tempTopic"}) {
    if (element.attribute(name) != nullptr) return name;
  }
  return {};
}

/// "queue://A", "topic://A", or a name, which is that of a queue.
core::Destination parse_reference(std::string_view text) {
  for (const auto kind : {core::DestinationKind::queue, core::DestinationKind::topic}) {
    const std::string prefix = std::string(core::to_string(kind)) + "://";
    if (text.starts_with(prefix)) return {kind, std::string(text.substr(prefix.size()))};
  }
  return {core::DestinationKind::queue, std::string(text)};
}

/// Whether a name matches one of the expressions, as a whole. libstdc++ recurses once per character
/// of the name, so a name that is too long for that is never matched: what is in doubt is kept.
class NameFilter {
 public:
  static constexpr std::size_t kNameBytesMax = 1000;

  explicit NameFilter(std::vector<std::regex> expressions) : expressions_(std::move(expressions)) {}
  bool operator()(std::string_view name) const {
    if (name.size() > kNameBytesMax) return false;
    return std::any_of(expressions_.begin(), expressions_.end(), [&](const std::regex& each) {
      try {
        return std::regex_match(name.begin(), name.end(), each);
      } catch (const std::regex_error&) {
        return false;
      }
    });
  }

 private:
  std::vector<std::regex> expressions_;
};

}  // namespace

// --- the walk ------------------------------------------------------------------------------------

void PolicyReader::begin(const XmlElement& element, const Shape& shape,
                         const std::string& property) {
  const Part* part = find_part(shape.name);
  if (part == nullptr) return;
  part->begin(reading_.draft);
  if (shape.name == "policyEntry") {
    dead_letters_given_ = false;
  } else if (part->begin == &dead_letter<core::DeadLetterStrategy::Kind::shared> ||
             part->begin == &dead_letter<core::DeadLetterStrategy::Kind::individual> ||
             part->begin == &dead_letter<core::DeadLetterStrategy::Kind::discard>) {
    if (std::exchange(dead_letters_given_, true)) {
      reading_.report(Severity::warning, element.location, scope(),
                      "a second dead-letter strategy in one entry: " + std::string(shape.name) +
                          " counts, because it is the last");
    }
  }
  std::string name(shape.name);
  if (property.ends_with(".defaultEntry")) {
    name += "[default]";
  } else if (const std::string key = key_of(reading_, element); !key.empty()) {
    name += '[' + key + ']';
  }
  scopes_.push_back({std::move(name), std::exchange(reading_.draft.texts, {})});
  Setting present;
  present.path = scope();
  present.value = "present";
  present.reloadable = shape.name != "networkConnector" && !shape.name.starts_with("pabal");
  present.location = element.location;
  reading_.settings_seen.insert(present.path);
  std::erase_if(reading_.config.settings,
                [&](const Setting& other) { return other.path == present.path; });
  reading_.config.settings.push_back(std::move(present));
}

void PolicyReader::end(const XmlElement& element, const Shape& shape, const std::string& property,
                       const std::string& path) {
  if (find_part(shape.name) == nullptr) return;
  core::EngineSettings& engine = reading_.config.engine;
  Draft& draft = reading_.draft;
  if (shape.name == "policyEntry") {
    end_policy(element, property, path);
  } else if (shape.name == "redeliveryPolicy") {
    end_redelivery(element, property, path);
  } else if (shape.name == "sharedDeadLetterStrategy") {
    take_dead_letter_queue(path);
  } else if (shape.name == "uniquePropertyMessageEvictionStrategy") {
    if (draft.policy.eviction.property.empty()) {
      error(element.location, path, "attribute 'propertyName' is missing");
    }
  } else if (shape.name == "filteredDestination") {
    end_filter(element, path);
  } else if (shape.name == "compositeQueue" || shape.name == "compositeTopic") {
    end_composite(element, path);
  } else if (shape.name == "virtualTopic") {
    end_virtual_topic(element, path);
  } else if (shape.name == "mirroredQueue") {
    draft.interceptors = true;
    draft.listed.mirrored = draft.mirrored;
  } else if (shape.name == "timeStampingBrokerPlugin") {
    engine.time_stamping = draft.time_stamping;
  } else if (shape.name == "forcePersistencyModeBrokerPlugin") {
    engine.force_persistent = draft.force_persistent;
  } else if (shape.name == "discardingDLQBrokerPlugin") {
    end_discarding_plugin(path);
  }
  draft.texts = std::move(scopes_.back().outer_texts);
  scopes_.pop_back();
}

std::string PolicyReader::scope() const {
  std::string path;
  for (const auto& scope : scopes_) path += (path.empty() ? "" : "/") + scope.name;
  return path;
}

bool PolicyReader::refers(std::string_view property) noexcept {
  return property == "policyEntry.destination" || property == "redeliveryPolicy.destination" ||
         property == "filteredDestination.destination" || property.ends_with(".deadLetterQueue") ||
         property.ends_with(".forwardTo");
}

void PolicyReader::reference(core::Destination destination, const std::string& property,
                             const SourceLocation& location, const std::string& path) {
  Draft& draft = reading_.draft;
  const bool for_many =
      property == "policyEntry.destination" || property == "redeliveryPolicy.destination";
  if (auto valid = core::validate_destination_name(destination.name); !valid) {
    error(location, path, valid.error().text);
  } else if (!for_many && destination.is_pattern()) {
    error(location, path, "a destination to send to has no wildcards");
  } else if (property.ends_with(".deadLetterQueue")) {
    draft.policy.dead_letter.destination = std::move(destination);
  } else if (property.ends_with(".forwardTo")) {
    draft.composite.forward_to.push_back({std::move(destination), ""});
  } else {
    draft.name = std::move(destination);
    draft.name_location = location;
  }
}

// --- policies ------------------------------------------------------------------------------------

void PolicyReader::end_policy(const XmlElement& element, const std::string& property,
                              const std::string& path) {
  take_group_map_type(path);
  core::PolicyTable& table = reading_.config.engine.policies;
  const auto policy = std::make_shared<const core::DestinationPolicy>(reading_.draft.policy);
  if (property.ends_with(".defaultEntry")) {
    table.set_default(policy);
    return;
  }
  const bool both = element.attribute("queue") != nullptr && element.attribute("topic") != nullptr;
  for (auto& target : targets(element, path)) {
    if (both) {
      reading_.report(Severity::warning, element.location, path,
                      "it has both queue and topic; it is for " + target.to_text() +
                          " only: write an entry for each");
    }
    for (const auto& other : table.entries()) {
      if (other.target != target) continue;
      reading_.report(Severity::warning, element.location, path,
                      "a second entry for " + target.to_text() + "; this one counts");
      break;
    }
    table.add({std::move(target), policy});
  }
}

void PolicyReader::end_redelivery(const XmlElement& element, const std::string& property,
                                  const std::string& path) {
  core::PolicyTable& table = reading_.config.engine.policies;
  if (property.ends_with(".defaultEntry")) {
    table.set_default_redelivery(reading_.draft.redelivery);
    return;
  }
  for (auto& target : targets(element, path)) {
    table.add_redelivery({std::move(target), reading_.draft.redelivery});
  }
}

std::vector<core::Destination> PolicyReader::targets(const XmlElement& element,
                                                     const std::string& path) {
  Draft& draft = reading_.draft;
  if (const Text* given = text("destination"); given != nullptr) {
    draft.name = parse_reference(given->text);
    draft.name_location = given->location;
  }
  if (!draft.name) {
    error(element.location, path,
          "it does not say what it is for: queue, topic, tempQueue or tempTopic");
    return {};
  }
  if (core::is_temporary(draft.name->kind)) return {*draft.name};
  std::vector<core::Destination> found;
  for (const std::string_view name : split(draft.name->name, ',')) {
    core::Destination target{draft.name->kind, std::string(trim(name))};
    if (auto valid = core::validate_destination_name(target.name); valid) {
      found.push_back(std::move(target));
    } else {
      error(draft.name_location, path, valid.error().text);
    }
  }
  return found;
}

void PolicyReader::take_dead_letter_queue(const std::string& path) {
  const Text* given = text("deadLetterQueue");
  if (given == nullptr) return;
  reference(parse_reference(given->text), "sharedDeadLetterStrategy.deadLetterQueue",
            given->location, path + "@deadLetterQueue");
}

/// "cached", "bucket" or "simple", and `?cacheSize=N` or `?bucketCount=N`.
void PolicyReader::take_group_map_type(const std::string& path) {
  const Text* given = text("messageGroupMapFactoryType");
  if (given == nullptr) return;
  const std::string_view all = given->text;
  const auto kind = trim(all.substr(0, all.find('?')));
  std::uint32_t& groups = reading_.draft.policy.groups_max;
  if (kind == "simple") {
    groups = kSimpleGroupsMax;
  } else if (kind != "cached" && kind != "bucket") {
    error(given->location, path + "@messageGroupMapFactoryType",
          '\'' + std::string(kind.substr(0, 100)) +
              "' is not allowed: cached, bucket or simple expected");
    return;
  }
  if (all.find('?') == std::string_view::npos) return;
  for (const std::string_view option : split(all.substr(all.find('?') + 1), '&')) {
    const auto equals = option.find('=');
    const std::string_view name = trim(option.substr(0, equals));
    const std::string_view wanted = kind == "bucket" ? "bucketCount" : "cacheSize";
    if (name != wanted || equals == std::string_view::npos) continue;  // as ActiveMQ
    const auto count = parse_integer(trim(option.substr(equals + 1)));
    if (count && *count > 0 && *count <= kSimpleGroupsMax) {
      groups = static_cast<std::uint32_t>(*count);
    } else {
      error(given->location, path + "@messageGroupMapFactoryType",
            std::string(name) + " from 1 to " + std::to_string(kSimpleGroupsMax) + " expected");
    }
  }
}

// --- virtual destinations and plugins ------------------------------------------------------------

void PolicyReader::end_filter(const XmlElement& element, const std::string& path) {
  Draft& draft = reading_.draft;
  std::string selector;
  if (const Text* given = text("selector"); given != nullptr) {
    selector = given->text;
    if (!selector.empty()) {
      // What STOMP clients send has texts only; a number in a selector means what they spell.
      selector.insert(0, core::Selector::kConvertTexts);
      if (auto compiled = core::Selector::compile(selector); !compiled) {
        error(given->location, path + "@selector", compiled.error().text);
      }
    }
  }
  for (auto& target : targets(element, path)) {
    if (target.is_pattern()) {
      error(draft.name_location, path, "a destination to send to has no wildcards");
    } else {
      draft.composite.forward_to.push_back({std::move(target), selector});
    }
  }
}

void PolicyReader::end_composite(const XmlElement& element, const std::string& path) {
  Draft& draft = reading_.draft;
  draft.interceptors = true;
  if (draft.composite.name.name.empty()) {
    error(element.location, path, "attribute 'name' is missing");
  } else if (auto valid = core::validate_destination_name(draft.composite.name.name); !valid) {
    error(element.attribute("name")->location, path + "@name", valid.error().text);
  } else {
    draft.listed.composites.push_back(draft.composite);
    const core::CompositeDestination& listed = draft.listed.composites.back();
    if (listed.forward_to.empty()) {
      reading_.report(Severity::warning, element.location, path,
                      listed.forward_only && !listed.send_when_not_matched
                          ? "it has no forwardTo: what is sent to it is dropped"
                          : "it has no forwardTo: it forwards nothing");
    } else if (last_composite_loops()) {
      error(element.location, path,
            "what is sent to " + listed.name.to_text() + " is forwarded back to it");
    }
  }
}

bool PolicyReader::last_composite_loops() const {
  const auto& all = reading_.draft.listed.composites;
  const core::Destination& origin = all.back().name;
  std::vector<const core::CompositeDestination*> reached{&all.back()};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    for (const auto& target : reached[i]->forward_to) {
      if (target.destination == origin) return true;
      for (const auto& next : all) {
        if (next.name == target.destination &&
            std::find(reached.begin(), reached.end(), &next) == reached.end()) {
          reached.push_back(&next);
        }
      }
    }
  }
  return false;
}

void PolicyReader::end_virtual_topic(const XmlElement&, const std::string& path) {
  Draft& draft = reading_.draft;
  draft.interceptors = true;
  if (auto valid = core::validate_destination_name(draft.virtual_topic.name); !valid) {
    error(draft.name_location, path + "@name", valid.error().text);
  } else if (draft.virtual_topic.prefix.empty() && draft.virtual_topic.postfix.empty()) {
    error(draft.name_location, path, "without a prefix and a postfix the queue cannot be told");
  } else {
    draft.listed.topics.push_back(draft.virtual_topic);
  }
}

void PolicyReader::end_discarding_plugin(const std::string& path) {
  Draft& draft = reading_.draft;
  std::vector<std::regex> expressions;
  if (const Text* given = text("dropOnly"); given != nullptr) {
    for (const std::string_view expression : split(given->text, ' ')) {
      if (trim(expression).empty()) continue;
      try {
        expressions.emplace_back(std::string(trim(expression)));
      } catch (const std::regex_error& problem) {
        error(given->location, path + "@dropOnly",
              '\'' + std::string(expression) + "' is no regular expression: " + problem.what());
      }
    }
  }
  if (!expressions.empty()) draft.discarded.others = NameFilter(std::move(expressions));
  reading_.config.engine.policies.discard_dead_letters(draft.discarded);
}

const PolicyReader::Text* PolicyReader::text(const std::string& name) const {
  const auto found = reading_.draft.texts.find(name);
  return found == reading_.draft.texts.end() ? nullptr : &found->second;
}

void PolicyReader::error(const SourceLocation& location, const std::string& path,
                         std::string what) {
  reading_.report(Severity::error, location, path, std::move(what));
}

void finish_policies(Reading& reading) {
  core::VirtualDestinations& virtuals = reading.config.engine.virtuals;
  Draft& draft = reading.draft;
  if (draft.interceptors) {
    virtuals = draft.listed;
  } else {
    if (!draft.use_virtual_topics) virtuals.topics.clear();
    if (draft.use_mirrored_queues) virtuals.mirrored = core::MirroredQueues{};
  }
  if (virtuals.mirrored) virtuals.mirrored->temporaries = draft.mirror_temporaries;
}

}  // namespace pabal::server
