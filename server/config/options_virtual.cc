#include "server/config/option_rows.h"

/// Attributes of virtual destinations, and of the plugins that change messages.
namespace pabal::server {
namespace {

using Draft = PolicyDraft;
using Topic = core::VirtualTopic;
using Composite = core::CompositeDestination;
using Stamping = core::TimeStamping;
constexpr auto kComposite = &Draft::composite;
constexpr auto kTopic = &Draft::virtual_topic;

constexpr std::string_view kOneBatch = "all copies of a message are stored in one batch";
constexpr std::string_view kNetworks = "networks of brokers are not built";

template <const char* name>
void set_text(Target& target, const Value& value, const SourceLocation& at) {
  target.draft->texts[name] = {value.text, at};
}
constexpr char kSelector[] = "selector";
constexpr char kDestination[] = "destination";
constexpr char kDropOnly[] = "dropOnly";

void set_composite_name(Target& target, const Value& value, const SourceLocation&) {
  target.draft->composite.name.name = value.text;
}

void set_topic_name(Target& target, const Value& value, const SourceLocation& at) {
  target.draft->virtual_topic.name = value.text;
  target.draft->name_location = at;
}

template <core::DestinationKind kind>
void set_target(Target& target, const Value& value, const SourceLocation& at) {
  target.draft->name = core::Destination{kind, value.text};
  target.draft->name_location = at;
}

constexpr Option kOptions[] = {
    part("virtualTopic", "name", Type::text, ">", {1, 4096},
         "topics whose messages also go to queues: a name or a pattern", &set_topic_name),
    part("virtualTopic", "prefix", Type::text, "Consumer.*.", {0, 1000},
         "a queue of this and the topic's name gets them; * is any one level",
         &set_draft<kTopic, &Topic::prefix>),
    part("virtualTopic", "postfix", Type::text, "", {0, 1000}, "what follows the topic's name",
         &set_draft<kTopic, &Topic::postfix>),
    part("virtualTopic", "selectorAware", Type::boolean, "false", kAny,
         "a queue gets only what some consumer of it wants",
         &set_draft<kTopic, &Topic::selector_aware>),
    part("virtualTopic", "dropOnResourceLimit", Type::boolean, "false", kAny,
         "a queue that is over its memoryLimit or pabalStoreLimit is left out, and counts the "
         "message as dropped; false: the producer waits for it",
         &set_draft<kTopic, &Topic::drop_on_resource_limit>),
    unmet("virtualTopic", "local", Type::boolean, "false", Status::not_yet, "false", "", kNetworks),
    unmet("virtualTopic", "concurrentSend", Type::boolean, "false", Status::meaningless, "", "",
          kOneBatch),
    unmet("virtualTopic", "transactedSend", Type::boolean, "false", Status::meaningless, "", "",
          kOneBatch),
    unmet("virtualTopic", "setOriginalDestination", Type::boolean, "true", Status::not_yet, "true",
          "", "the message always says where it was sent to"),
    part("compositeQueue", "name", Type::text, "", {1, 4096},
         "the queue whose messages are forwarded", &set_composite_name),
    part("compositeQueue", "forwardOnly", Type::boolean, "true", kAny,
         "false: the queue keeps them as well", &set_draft<kComposite, &Composite::forward_only>),
    part("compositeQueue", "sendWhenNotMatched", Type::boolean, "false", kAny,
         "the queue keeps what no filter let through",
         &set_draft<kComposite, &Composite::send_when_not_matched>),
    unmet("compositeQueue", "copyMessage", Type::boolean, "true", Status::not_yet, "true", "",
          "a forwarded message always has the destination that it is forwarded to"),
    unmet("compositeQueue", "concurrentSend", Type::boolean, "false", Status::meaningless, "", "",
          kOneBatch),
    part("compositeTopic", "name", Type::text, "", {1, 4096},
         "the topic whose messages are forwarded", &set_composite_name),
    part("compositeTopic", "forwardOnly", Type::boolean, "true", kAny,
         "false: its subscribers get them as well",
         &set_draft<kComposite, &Composite::forward_only>),
    part("compositeTopic", "sendWhenNotMatched", Type::boolean, "false", kAny,
         "its subscribers get what no filter let through",
         &set_draft<kComposite, &Composite::send_when_not_matched>),
    unmet("compositeTopic", "copyMessage", Type::boolean, "true", Status::not_yet, "true", "",
          "a forwarded message always has the destination that it is forwarded to"),
    unmet("compositeTopic", "concurrentSend", Type::boolean, "false", Status::meaningless, "", "",
          kOneBatch),
    part("filteredDestination", "queue", Type::text, "", {1, 4096}, "queue to forward to",
         &set_target<core::DestinationKind::queue>),
    part("filteredDestination", "topic", Type::text, "", {1, 4096}, "topic to forward to",
         &set_target<core::DestinationKind::topic>),
    part("filteredDestination", "destination", Type::text, "", {1, 4096},
         "the same as queue://NAME or topic://NAME", &set_text<kDestination>),
    part("filteredDestination", "selector", Type::text, "", {0, 65536},
         "JMS selector: only what it matches is forwarded; a number in it also means what a text "
         "spells, because STOMP headers are texts",
         &set_text<kSelector>),
    part("mirroredQueue", "prefix", Type::text, "VirtualTopic.Mirror.", {0, 1000},
         "every message of a queue also goes to the topic of this and the queue's name",
         &set_draft<&Draft::mirrored, &core::MirroredQueues::prefix>),
    part("mirroredQueue", "postfix", Type::text, "", {0, 1000}, "what follows the queue's name",
         &set_draft<&Draft::mirrored, &core::MirroredQueues::postfix>),
    unmet("mirroredQueue", "copyMessage", Type::boolean, "true", Status::not_yet, "true", "",
          "a mirrored message always has the topic as its destination"),

    part("timeStampingBrokerPlugin", "zeroExpirationOverride", Type::milliseconds, "0",
         kMilliseconds, "life of messages that would never expire; 0: they do not",
         &set_draft<&Draft::time_stamping, &Stamping::zero_expiration_override>),
    part("timeStampingBrokerPlugin", "ttlCeiling", Type::milliseconds, "0", kMilliseconds,
         "longest life of a message; 0: no bound",
         &set_draft<&Draft::time_stamping, &Stamping::ttl_ceiling>),
    part("timeStampingBrokerPlugin", "futureOnly", Type::boolean, "false", kAny,
         "never make a message's time earlier",
         &set_draft<&Draft::time_stamping, &Stamping::future_only>),
    unmet("timeStampingBrokerPlugin", "processNetworkMessages", Type::boolean, "false",
          Status::not_yet, "false", "", kNetworks),
    part("forcePersistencyModeBrokerPlugin", "persistenceFlag", Type::boolean, "false", kAny,
         "every message that is sent is persistent (true) or non-persistent (false), whatever its "
         "sender says",
         &set_draft<&Draft::force_persistent>),
    part("discardingDLQBrokerPlugin", "dropAll", Type::boolean, "true", kAny,
         "throw all dead letters away",
         &set_draft<&Draft::discarded, &core::DiscardedDeadLetters::all>),
    part("discardingDLQBrokerPlugin", "dropTemporaryTopics", Type::boolean, "true", kAny,
         "those of temporary topics",
         &set_draft<&Draft::discarded, &core::DiscardedDeadLetters::temporary_topics>),
    part("discardingDLQBrokerPlugin", "dropTemporaryQueues", Type::boolean, "true", kAny,
         "those of temporary queues",
         &set_draft<&Draft::discarded, &core::DiscardedDeadLetters::temporary_queues>),
    part("discardingDLQBrokerPlugin", "dropOnly", Type::text, "", {0, 65536},
         "without dropAll, those of destinations whose whole name one of these regular expressions "
         "matches; separated by blanks",
         &set_text<kDropOnly>),
    unmet("discardingDLQBrokerPlugin", "reportInterval", Type::integer, "1000", Status::meaningless,
          "", "", "they are counted; see /metrics"),
};

}  // namespace

std::span<const Option> virtual_options() noexcept {
  return kOptions;
}

}  // namespace pabal::server
