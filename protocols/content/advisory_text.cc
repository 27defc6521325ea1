#include "protocols/content/advisory_text.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "protocols/content/json.h"
#include "protocols/content/xml.h"

namespace pabal::content {
namespace {

using core::AdvisoryKind;

/// Elements that have elements, or a text, a number or a word.
class ElementWriter {
 public:
  ElementWriter(std::string& out, Notation notation)
      : out_(out), json_(notation == Notation::json) {}

  /// `class_name`: what the element is, if its name does not say it.
  void begin(std::string_view name, std::string_view class_name = {}) {
    start(name);
    if (json_) {
      out_ += '{';
      first_ = true;
      if (!class_name.empty()) text("@class", class_name);
    } else {
      if (!class_name.empty()) {
        out_.pop_back();
        out_ += " class=\"";
        append_xml_text(out_, class_name);
        out_ += "\">";
      }
      out_ += '\n';
    }
    ++depth_;
  }
  void end(std::string_view name) {
    --depth_;
    if (json_) {
      out_ += '}';
      first_ = false;
      return;
    }
    out_.append(2 * depth_, ' ');
    close(name);
  }
  void text(std::string_view name, std::string_view utf8) {
    start(name);
    if (json_) {
      append_json_string(out_, utf8);
    } else {
      append_xml_text(out_, utf8);
      close(name);
    }
  }
  /// Left out if it is empty.
  void optional(std::string_view name, std::string_view utf8) {
    if (!utf8.empty()) text(name, utf8);
  }
  void number(std::string_view name, std::int64_t value) { word(name, std::to_string(value)); }
  void boolean(std::string_view name, bool value) { word(name, value ? "true" : "false"); }
  void null() {
    if (json_) {
      text("null", {});
      return;
    }
    out_.append(2 * depth_, ' ');
    out_ += "<null/>\n";
  }

 private:
  void start(std::string_view name) {
    if (json_) {
      if (!first_) out_ += ',';
      first_ = false;
      append_json_string(out_, name);
      out_ += ':';
      return;
    }
    out_.append(2 * depth_, ' ');
    out_ += '<';
    out_ += name;
    out_ += '>';
  }
  void close(std::string_view name) {
    out_ += "</";
    out_ += name;
    out_ += ">\n";
  }
  void word(std::string_view name, std::string_view value) {
    start(name);
    out_ += value;
    if (!json_) close(name);
  }

  std::string& out_;
  const bool json_;
  bool first_ = true;
  std::size_t depth_ = 0;
};

std::string_view class_of(core::DestinationKind kind) noexcept {
  switch (kind) {
    case core::DestinationKind::queue:
      return "ActiveMQQueue";
    case core::DestinationKind::topic:
      return "ActiveMQTopic";
    case core::DestinationKind::temporary_queue:
      return "ActiveMQTempQueue";
    case core::DestinationKind::temporary_topic:
      return "ActiveMQTempTopic";
  }
  return "ActiveMQQueue";
}

std::string_view class_of(core::BodyKind kind) noexcept {
  switch (kind) {
    case core::BodyKind::none:
      return "ActiveMQMessage";
    case core::BodyKind::text:
      return "ActiveMQTextMessage";
    case core::BodyKind::bytes:
      return "ActiveMQBytesMessage";
    case core::BodyKind::map:
      return "ActiveMQMapMessage";
    case core::BodyKind::stream:
      return "ActiveMQStreamMessage";
    case core::BodyKind::object:
      return "ActiveMQObjectMessage";
    case core::BodyKind::blob:
      return "ActiveMQBlobMessage";
  }
  return "ActiveMQMessage";
}

class AdvisoryWriter {
 public:
  AdvisoryWriter(std::string& out, const core::Advisory& facts, Notation notation)
      : facts_(facts), to_(out, notation) {}

  void write() {
    switch (facts_.kind) {
      case AdvisoryKind::connection_started:
        return connection();
      case AdvisoryKind::connection_ended:
        return removal("ConnectionId");
      case AdvisoryKind::destination_added:
        return destination(0);
      case AdvisoryKind::destination_removed:
        return destination(1);
      case AdvisoryKind::consumer_started:
      case AdvisoryKind::consumer_slow:
        return consumer();
      case AdvisoryKind::consumer_ended:
        return removal("ConsumerId");
      case AdvisoryKind::durable_removed:
        return removed_subscription();
      case AdvisoryKind::producer_started:
      case AdvisoryKind::producer_fast:
        return producer();
      case AdvisoryKind::producer_ended:
        return removal("ProducerId");
      case AdvisoryKind::message_expired:
      case AdvisoryKind::message_dead:
      case AdvisoryKind::message_arrived:
      case AdvisoryKind::message_consumed:
      case AdvisoryKind::message_discarded:
        if (facts_.message) message(*facts_.message);
        return;
      case AdvisoryKind::destination_full:
      case AdvisoryKind::broker_active:
        return;
    }
  }

 private:
  void begin_command(std::string_view name) {
    to_.begin(name);
    to_.number("commandId", 0);
    to_.boolean("responseRequired", false);
  }
  void object_id(std::string_view connection, std::int64_t session, std::int64_t value) {
    to_.text("connectionId", connection);
    to_.number("sessionId", session);
    to_.number("value", value);
  }
  void connection_id() {
    if (facts_.connection.empty()) return;
    to_.begin("connectionId");
    to_.text("value", facts_.connection);
    to_.end("connectionId");
  }
  void own_id(std::string_view name) {
    to_.begin(name);
    object_id(facts_.connection, facts_.number.session, facts_.number.value);
    to_.end(name);
  }
  void place(std::string_view element, core::DestinationKind kind, std::string_view name) {
    to_.begin(element, class_of(kind));
    to_.text("string", name);
    to_.null();
    to_.end(element);
  }
  void place() {
    if (facts_.destination)
      place("destination", facts_.destination->kind, facts_.destination->name);
  }

  void connection() {
    begin_command("ConnectionInfo");
    connection_id();
    to_.text("clientId", facts_.client_id);
    to_.optional("clientIp", facts_.remote);
    to_.optional("userName", facts_.user);
    to_.boolean("brokerMasterConnector", false);
    to_.boolean("manageable", false);
    to_.boolean("clientMaster", false);
    to_.boolean("faultTolerant", false);
    to_.boolean("failoverReconnect", false);
    to_.end("ConnectionInfo");
  }

  void consumer() {
    begin_command("ConsumerInfo");
    own_id("consumerId");
    place();
    to_.number("prefetchSize", facts_.prefetch);
    to_.number("maximumPendingMessageLimit", 0);
    to_.boolean("browser", facts_.browser);
    to_.boolean("dispatchAsync", true);
    to_.optional("selector", facts_.selector);
    to_.optional("clientId", facts_.client_id);
    to_.optional("subscriptionName", facts_.durable_name);
    to_.boolean("noLocal", facts_.no_local);
    to_.boolean("exclusive", facts_.exclusive);
    to_.boolean("retroactive", facts_.retroactive);
    to_.number("priority", facts_.priority);
    to_.boolean("optimizedAcknowledge", false);
    to_.boolean("noRangeAcks", false);
    to_.end("ConsumerInfo");
  }

  void producer() {
    begin_command("ProducerInfo");
    own_id("producerId");
    place();
    to_.boolean("dispatchAsync", false);
    to_.number("windowSize", 0);
    to_.number("sentCount", 0);
    to_.end("ProducerInfo");
  }

  void destination(std::int64_t operation) {
    begin_command("DestinationInfo");
    connection_id();
    place();
    to_.number("operationType", operation);
    to_.number("timeout", 0);
    to_.end("DestinationInfo");
  }

  void removed_subscription() {
    begin_command("RemoveSubscriptionInfo");
    to_.text("clientId", facts_.client_id);
    to_.text("subscriptionName", facts_.durable_name);
    to_.end("RemoveSubscriptionInfo");
  }

  void removal(std::string_view class_name) {
    begin_command("RemoveInfo");
    to_.begin("objectId", class_name);
    if (facts_.kind == AdvisoryKind::connection_ended) {
      to_.text("value", facts_.connection);
    } else {
      object_id(facts_.connection, facts_.number.session, facts_.number.value);
    }
    to_.end("objectId");
    to_.number("lastDeliveredSequenceId", -2);
    to_.end("RemoveInfo");
  }

  /// `connection:session:value:sequence`, as clients write it; other ids are texts.
  void message_id(std::string_view id) {
    to_.begin("messageId");
    std::string_view rest = id;
    std::int64_t numbers[3] = {};
    bool good = true;
    for (auto& number : numbers) {
      const auto colon = rest.rfind(':');
      if (colon == rest.npos) {
        good = false;
        break;
      }
      const auto digits = rest.substr(colon + 1);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), number);
      good =
          good && !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
      rest = rest.substr(0, colon);
    }
    if (good) {
      to_.begin("producerId");
      object_id(rest, numbers[2], numbers[1]);
      to_.end("producerId");
      to_.number("producerSequenceId", numbers[0]);
      to_.number("brokerSequenceId", 0);
    } else {
      to_.text("textView", id);
    }
    to_.end("messageId");
  }

  void message(const core::Message& told) {
    const auto name = class_of(told.body_kind());
    begin_command(name);
    message_id(told.id());
    place("destination", told.destination_kind(), told.destination_name());
    if (const auto original = told.original_destination(); original && original->kind) {
      place("originalDestination", *original->kind, original->name);
    }
    to_.number("expiration", told.expiration());
    to_.number("timestamp", told.timestamp());
    if (!told.correlation_is_bytes()) to_.optional("correlationId", told.correlation());
    if (const auto reply_to = told.reply_to(); reply_to && reply_to->kind) {
      place("replyTo", *reply_to->kind, reply_to->name);
    }
    to_.boolean("persistent", told.persistent());
    to_.optional("type", told.type());
    to_.number("priority", told.priority());
    to_.optional("groupID", told.group_id());
    to_.number("groupSequence", told.group_sequence());
    to_.boolean("compressed", told.compressed());
    to_.optional("userID", told.user_id());
    to_.end(name);
  }

  const core::Advisory& facts_;
  ElementWriter to_;
};

}  // namespace

void append_advisory_text(std::string& out, const core::Advisory& advisory, Notation notation) {
  const std::size_t start = out.size();
  if (notation == Notation::json) out += '{';
  AdvisoryWriter(out, advisory, notation).write();
  if (notation == Notation::json) {
    out += '}';
    if (out.size() == start + 2) out.resize(start);
  } else if (out.size() > start) {
    out.pop_back();  // no line end behind the last
  }
}

}  // namespace pabal::content
