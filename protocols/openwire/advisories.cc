#include "protocols/openwire/advisories.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/modified_utf8.h"

namespace pabal::openwire {
namespace {

using core::AdvisoryKind;

/// Makes texts of the wire, which live in the scratch.
class Wording {
 public:
  explicit Wording(AdvisoryScratch& scratch) : facts_(scratch.advisory), scratch_(scratch) {}

  /// Nullptr: the message has no data structure.
  std::shared_ptr<const Command> command() {
    auto made = std::make_shared<Command>();
    switch (facts_.kind) {
      case AdvisoryKind::connection_started:
        made->value = connection();
        break;
      case AdvisoryKind::connection_ended:
        made->value = removal(connection_id());
        break;
      case AdvisoryKind::destination_added:
        made->value = destination(DestinationInfo::kAdd);
        break;
      case AdvisoryKind::destination_removed:
        made->value = destination(DestinationInfo::kRemove);
        break;
      case AdvisoryKind::consumer_started:
      case AdvisoryKind::consumer_slow:
        made->value = consumer();
        break;
      case AdvisoryKind::consumer_ended:
        made->value = removal(consumer_id());
        break;
      case AdvisoryKind::durable_removed:
        made->value = removed_subscription();
        break;
      case AdvisoryKind::producer_started:
      case AdvisoryKind::producer_fast:
        made->value = producer();
        break;
      case AdvisoryKind::producer_ended:
        made->value = removal(producer_id());
        break;
      case AdvisoryKind::message_expired:
      case AdvisoryKind::message_dead:
      case AdvisoryKind::message_arrived:
      case AdvisoryKind::message_consumed:
      case AdvisoryKind::message_discarded:
        if (!facts_.message) return nullptr;
        made->value = wire_message(*facts_.message, nullptr, scratch_.message);
        break;
      case AdvisoryKind::destination_full:
      case AdvisoryKind::broker_active:
        return nullptr;
    }
    return made;
  }

 private:
  std::string_view text(const std::string& utf8) {
    return core::modified_utf8_of(utf8, scratch_.texts.emplace_back());
  }
  Text optional(const std::string& utf8) {
    if (utf8.empty()) return std::nullopt;
    return text(utf8);
  }
  /// As its client gave it.
  ConnectionId connection_id() const { return ConnectionId{facts_.connection}; }
  ConsumerId consumer_id() const {
    return ConsumerId{facts_.connection, facts_.number.session, facts_.number.value};
  }
  ProducerId producer_id() const {
    return ProducerId{facts_.connection, facts_.number.value, facts_.number.session};
  }
  std::optional<Destination> place() {
    if (!facts_.destination) return std::nullopt;
    return Destination{type_of(facts_.destination->kind), text(facts_.destination->name)};
  }

  /// Without the password, which is not known here.
  ConnectionInfo connection() {
    ConnectionInfo info;
    info.connection_id = connection_id();
    info.client_id = text(facts_.client_id);
    info.user_name = optional(facts_.user);
    info.client_ip = optional(facts_.remote);
    return info;
  }

  DestinationInfo destination(std::uint8_t operation) {
    DestinationInfo info;
    if (!facts_.connection.empty()) info.connection_id = connection_id();
    info.destination = place();
    info.operation_type = operation;
    return info;
  }

  ConsumerInfo consumer() {
    ConsumerInfo info;
    info.consumer_id = consumer_id();
    info.destination = place();
    info.prefetch_size =
        static_cast<std::int32_t>(std::min<std::uint32_t>(facts_.prefetch, INT32_MAX));
    info.dispatch_async = true;
    info.selector = optional(facts_.selector);
    info.client_id = optional(facts_.client_id);
    info.subscription_name = optional(facts_.durable_name);
    info.browser = facts_.browser;
    info.no_local = facts_.no_local;
    info.exclusive = facts_.exclusive;
    info.retroactive = facts_.retroactive;
    info.priority = static_cast<std::int8_t>(std::clamp(facts_.priority, -128, 127));
    return info;
  }

  ProducerInfo producer() {
    ProducerInfo info;
    info.producer_id = producer_id();
    info.destination = place();
    return info;
  }

  RemoveSubscriptionInfo removed_subscription() {
    RemoveSubscriptionInfo info;
    info.subscription_name = text(facts_.durable_name);
    info.client_id = text(facts_.client_id);
    return info;
  }

  /// Source: reference §6.7: what of it was delivered last is meaningless.
  template <class Id>
  static RemoveInfo removal(Id id) {
    RemoveInfo info;
    info.object_id = id;
    info.last_delivered_sequence_id = -2;
    return info;
  }

  const core::Advisory& facts_;
  AdvisoryScratch& scratch_;
};

}  // namespace

void word_advisory(const core::Message& message, Message& wire, AdvisoryScratch& scratch) {
  auto facts = core::read_advisory(message);
  if (!facts) return;
  scratch.advisory = std::move(*facts);
  scratch.texts.clear();
  wire.type_code = MessageType::plain;
  wire.content = {};
  wire.timestamp = 0;
  wire.data_structure = Wording(scratch).command();
  const core::Advisory& told = scratch.advisory;
  if (!told.target_connection.empty()) {
    wire.target_consumer_id =
        ConsumerId{told.target_connection, told.target.session, told.target.value};
  }
}

}  // namespace pabal::openwire
