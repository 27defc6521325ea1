#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "protocols/content/binary_correlation.h"
#include "protocols/content/xstream.h"
#include "protocols/stomp/headers.h"
#include "protocols/stomp/jms_types.h"
#include "protocols/stomp/stomp_session.h"
#include "protocols/stomp/text.h"
#include "protocols/stomp/transformation.h"

namespace pabal::stomp {
namespace {

/// Above so many headers a set finds repeated ones, so that their number costs linear time.
constexpr std::size_t kScannedHeadersMax = 16;

constexpr std::size_t kForeignIdBytesMax = 255;

/// STOMP 1.2 "Repeated Header Entries": only the first counts.
class FirstOnly {
 public:
  explicit FirstOnly(std::span<const Header> headers) : headers_(headers) {}

  bool is_first(std::size_t index) {
    if (headers_.size() > kScannedHeadersMax) return seen_.insert(headers_[index].name).second;
    for (std::size_t i = 0; i < index; ++i) {
      if (headers_[i].name == headers_[index].name) return false;
    }
    return true;
  }

 private:
  std::span<const Header> headers_;
  std::unordered_set<std::string_view> seen_;
};

core::Destination whole_of(const std::vector<NamedDestination>& parts) {
  std::vector<core::Destination> names;
  names.reserve(parts.size());
  for (const auto& part : parts) names.push_back(part.destination);
  return composite_of(names);
}

}  // namespace

/// What read_send() found that is more than a property.
struct StompSession::SendFields {
  const std::string_view* destination = nullptr;
  const std::string_view* reply_to = nullptr;
  const std::string_view* message_type = nullptr;
  const std::string_view* transformation = nullptr;
  std::optional<std::int64_t> expires;
  std::optional<std::int64_t> expires_in;
  const std::string_view* producer_id = nullptr;
  const std::string_view* producer_sequence = nullptr;
  const std::string_view* jms_body = nullptr;
  PropertyTypes types;
  bool typed = false;  ///< headers may be other properties than strings of their name
};

void StompSession::read_send(const Frame& frame, Command& command, core::TimePoint now) {
  core::MessageBuilder& builder = cache_.builder();
  builder.clear();
  builder.timestamp = core::to_millis(now);
  SendFields fields;
  FirstOnly first_only(frame.headers);
  for (std::size_t i = 0; i < frame.headers.size(); ++i) {
    if (!first_only.is_first(i)) continue;
    const Header& header = frame.headers[i];
    const SendHeader kind = classify_send_header(header.name);
    if (kind == SendHeader::property) {
      if (!fields.typed) [[likely]] {
        builder.add_string(header.name, header.value);
      } else {
        fields.types.add(builder, header.name, header.value);
      }
    } else if (!read_send_header(kind, header, fields, command, now)) {
      return;
    }
  }
  build_message(frame, fields, command, now);
}

/// False: the command is refused. Source: reference/stomp.md §4.
bool StompSession::read_send_header(SendHeader kind, const Header& header, SendFields& fields,
                                    Command& command, core::TimePoint now) {
  core::MessageBuilder& builder = cache_.builder();
  const std::string_view value = header.value;
  const auto refuse_value = [&] {
    refuse(command, "Invalid " + std::string(header.name) + " header: " + std::string(value));
    return false;
  };
  switch (kind) {
    case SendHeader::destination:
      fields.destination = &header.value;
      break;
    case SendHeader::reply_to:
      fields.reply_to = &header.value;
      break;
    case SendHeader::persistent:
      builder.persistent = value == "true";
      break;
    case SendHeader::correlation_id:
      builder.correlation_is_bytes = content::read_binary_correlation(value, cache_.correlation());
      builder.correlation = builder.correlation_is_bytes ? cache_.correlation() : value;
      break;
    case SendHeader::type:
      builder.type = value;
      break;
    case SendHeader::priority: {
      const auto priority = parse_number<int>(trim(value));
      if (!priority) return refuse_value();
      builder.priority = static_cast<std::uint8_t>(std::clamp(*priority, 0, core::kPriorities - 1));
      break;
    }
    case SendHeader::expires:
      fields.expires = parse_number<std::int64_t>(trim(value));
      if (!fields.expires || *fields.expires < 0) return refuse_value();
      break;
    case SendHeader::expiration:  // RabbitMQ: relative; anything but a number is a property
      fields.expires_in = parse_number<std::int64_t>(trim(value));
      if (!fields.expires_in || *fields.expires_in < 0 ||
          *fields.expires_in > std::numeric_limits<std::int64_t>::max() - core::to_millis(now)) {
        fields.expires_in.reset();
        builder.add_string(header.name, value);
      }
      break;
    case SendHeader::timestamp: {
      const auto timestamp = parse_number<std::int64_t>(trim(value));
      if (!timestamp) return refuse_value();
      builder.timestamp = *timestamp;
      break;
    }
    case SendHeader::content_type:
      if (value.empty()) {
        builder.add_string(header.name, value);
      } else {
        builder.content_type = value;
      }
      break;
    case SendHeader::message_type:
      fields.message_type = &header.value;
      builder.add_string(header.name, value);
      break;
    case SendHeader::producer_id:
      fields.producer_id = &header.value;
      break;
    case SendHeader::producer_sequence:
      fields.producer_sequence = &header.value;
      break;
    case SendHeader::foreign_id:
      // A JMS client names its messages itself. One of our own kind of name would be taken for
      // another message when a 1.1 client acknowledges it.
      if (!value.starts_with("ID:") || value.starts_with("ID:pabal-") ||
          value.size() > kForeignIdBytesMax) {
        return refuse_value();
      }
      builder.foreign_id = value;
      break;
    case SendHeader::transformation:
      fields.transformation = &header.value;
      builder.add_string(header.name, value);
      break;
    case SendHeader::group_id:
      builder.group_id = value;
      break;
    case SendHeader::group_sequence: {
      const auto sequence = parse_number<std::int32_t>(trim(value));
      if (!sequence) return refuse_value();
      builder.group_sequence = *sequence;
      break;
    }
    case SendHeader::scheduled:
      // With the scheduler off it is a property like others, which only the engine knows.
      fields.types.add(builder, header.name, value);
      if (!command.schedule) command.schedule = std::make_shared<core::ScheduleRequest>();
      (void)command.schedule->read(header.name, value);
      break;
    case SendHeader::jms_body:
      fields.jms_body = &header.value;
      break;
    case SendHeader::jms_types:
      fields.types = PropertyTypes(value);
      fields.typed = true;
      break;
    case SendHeader::jms_property:
      fields.types.add(builder, header.name, value);
      break;
    case SendHeader::transaction:  // both were read with the frame
    case SendHeader::receipt:
    case SendHeader::content_length:
    case SendHeader::dropped:
    case SendHeader::property:
      break;
  }
  return true;
}

/// Pabal's own: with both headers a SEND that is repeated takes effect once. False: refused.
bool StompSession::read_identity(const SendFields& fields, Command& command) {
  if (fields.producer_id == nullptr && fields.producer_sequence == nullptr) return true;
  if (fields.producer_id == nullptr || fields.producer_sequence == nullptr) {
    refuse(command, "producer-id and producer-sequence go together");
    return false;
  }
  const auto sequence = parse_number<std::uint64_t>(trim(*fields.producer_sequence));
  if (!sequence || *sequence == 0) {
    refuse(command, "Invalid producer-sequence header: " + std::string(*fields.producer_sequence));
    return false;
  }
  command.identity = std::make_shared<const core::ProducerSequence>(
      core::ProducerSequence{std::string(*fields.producer_id), *sequence});
  return true;
}

/// The parts of a composite, into command.targets.
void StompSession::build_composite(std::string_view text, Command& command) {
  const auto parts = parse_destinations(text);
  if (!parts) {
    refuse(command, parts.error().text);
    return;
  }
  command.targets = std::make_unique<std::vector<NamedDestination>>();
  for (const auto& part : *parts) {
    // What was read of a topic exchange is a key, and no pattern.
    command.targets->push_back({{part.kind, std::string(part.name)}, part.alias});
  }
}

/// False: the command is refused. Source: reference/stomp.md §4, §11.
bool StompSession::read_body(const Frame& frame, const SendFields& fields, Command& command) {
  core::MessageBuilder& builder = cache_.builder();
  builder.body = frame.body;
  builder.body_kind = frame.has_content_length ? core::BodyKind::bytes : core::BodyKind::text;
  if (fields.message_type != nullptr) {
    if (*fields.message_type != "text" && *fields.message_type != "bytes") {
      refuse(command, "Unsupported message type '" + std::string(*fields.message_type) + "'");
      return false;
    }
    builder.body_kind =
        *fields.message_type == "text" ? core::BodyKind::text : core::BodyKind::bytes;
  }
  if (fields.jms_body != nullptr) {
    if (!read_jms_body(builder, *fields.jms_body, frame.body, frame.has_content_length,
                       cache_.map())) {
      builder.add_string(kJmsBody, *fields.jms_body);  // its receiver may know better
    }
    return true;
  }
  // With content-length the body stays bytes, whatever the header says.
  if (fields.transformation == nullptr || frame.has_content_length) return true;
  const Transformation asked = read_transformation(*fields.transformation);
  if (makes_an_object(asked)) {
    refuse(command, "transformation '" + std::string(*fields.transformation) +
                        "' is not supported: Java objects are not made here");
    return false;
  }
  if (!makes_a_map(asked)) return true;
  const auto notation =
      asked == Transformation::map_json ? content::Notation::json : content::Notation::xml;
  if (const char* why = content::read_xstream(frame.body, notation, cache_.map())) {
    builder.add_string("transformation-error", why);  // it stays a text, as with ActiveMQ
    return true;
  }
  builder.body = cache_.map();
  builder.body_kind = core::BodyKind::map;
  builder.body_encoding = core::Encoding::openwire;
  return true;
}

void StompSession::build_message(const Frame& frame, const SendFields& fields, Command& command,
                                 core::TimePoint now) {
  if (fields.destination == nullptr) {
    refuse(command, "SEND received without a Destination specified!");
    return;
  }
  // Of a composite, the whole is the message's own name, and the parts are where it goes.
  const bool several = names_several(*fields.destination);
  if (several) {
    build_composite(*fields.destination, command);
    if (command.kind == CommandKind::refused) return;
  }
  const auto destination = several ? core::Result<DestinationText>(DestinationText{})
                                   : parse_destination(*fields.destination);
  if (!destination) {
    refuse(command, destination.error().text);
    return;
  }
  if (!read_identity(fields, command)) return;
  core::MessageBuilder& builder = cache_.builder();
  if (!read_body(frame, fields, command)) return;
  if (fields.expires) {
    builder.expiration = *fields.expires;
  } else if (fields.expires_in) {
    builder.expiration = core::to_millis(now) + *fields.expires_in;
  }

  // The connection's own names are only known inside the engine the first time.
  const auto resolve = [&](core::DestinationKind kind, std::string_view& name, bool& unresolved) {
    const auto* known = reads_deletion_ ? nullptr : temporaries_.find(kind, name);
    if (known != nullptr) {
      name = known->name;
    } else {
      unresolved = true;
    }
  };
  const core::Destination whole = several ? whole_of(*command.targets) : core::Destination{};
  builder.destination_kind = several ? whole.kind : destination->kind;
  builder.destination_name = several ? std::string_view(whole.name) : destination->name;
  if (destination->alias) {
    resolve(destination->kind, builder.destination_name, command.destination_alias);
  }
  if (fields.reply_to != nullptr && !fields.reply_to->empty()) {
    bool alias = false;
    core::Address address = parse_reply_to(*fields.reply_to, alias);
    if (alias) resolve(*address.kind, address.name, command.reply_to_alias);
    builder.reply_to = address;
  }
  builder.origin = origin_;
  builder.sequence = ++sequence_;
  const bool targets_alias =
      several && std::any_of(command.targets->begin(), command.targets->end(),
                             [](const NamedDestination& target) { return target.alias; });
  command.incomplete = state_ != State::connected || command.destination_alias || targets_alias ||
                       command.reply_to_alias;

  auto message = builder.build();
  if (!message) {
    refuse(command, message.error().text);
    return;
  }
  command.message = std::move(*message);
}

void StompSession::apply_send(Command& command, core::Engine& engine, core::TimePoint now) {
  Transaction* transaction = nullptr;
  if (!find_transaction(command, transaction)) return;
  std::shared_ptr<const std::vector<core::Destination>> targets;
  if (command.targets != nullptr) {
    auto real = real_destinations(*command.targets, engine);
    if (!real) {
      fail(command, real.error().text);
      doom(view(command.transaction), real.error().text);
      return;
    }
    targets = std::make_shared<const std::vector<core::Destination>>(std::move(*real));
  }
  if (command.incomplete) {
    auto message = complete_message(command, targets.get(), engine);
    if (!message) {
      fail(command, message.error().text);
      doom(view(command.transaction), message.error().text);
      return;
    }
    command.message = std::move(*message);
  }
  // Every send has a token, because a DISCONNECT must know when nothing is parked any more.
  const core::ReplyToken token = ++token_;
  core::SendOptions options;
  if (transaction != nullptr) options.transaction = transaction->id;
  options.token = token;
  options.targets = std::move(targets);
  options.schedule = std::move(command.schedule);
  options.identity = std::move(command.identity);
  const core::Outcome outcome =
      engine.publish(*connection_, std::move(command.message), options, now);
  switch (outcome.disposition) {
    case core::Disposition::done:
      confirm(command, outcome.after);
      break;
    case core::Disposition::parked:
      park(command, token);
      break;
    case core::Disposition::failed: {
      const std::string cause = outcome.error ? outcome.error->text : "failed";
      fail(command, cause, outcome.after);
      doom(view(command.transaction), cause);
      break;
    }
  }
}

/// Fills in what only the engine knew: the connection's origin, the names of its temporaries.
core::Result<core::MessageRef> StompSession::complete_message(
    const Command& command, const std::vector<core::Destination>* targets, core::Engine& engine) {
  core::MessageBuilder builder(*command.message);
  builder.origin = origin_;
  core::Destination whole;
  if (targets != nullptr) {
    whole = composite_of(*targets);
    builder.destination_kind = whole.kind;
    builder.destination_name = whole.name;
  }
  if (command.destination_alias) {
    const auto real = temporary(builder.destination_kind, builder.destination_name, engine);
    if (!real) return real.error();
    builder.destination_name = (*real)->name;
  }
  if (command.reply_to_alias) {
    const auto real = temporary(*builder.reply_to->kind, builder.reply_to->name, engine);
    if (!real) return real.error();
    builder.reply_to->name = (*real)->name;
  }
  return builder.build();
}

core::Result<std::vector<core::Destination>> StompSession::real_destinations(
    const std::vector<NamedDestination>& named, core::Engine& engine) {
  std::vector<core::Destination> real;
  real.reserve(named.size());
  for (const auto& [destination, alias] : named) {
    if (!alias) {
      real.push_back(destination);
      continue;
    }
    const auto known = temporary(destination.kind, destination.name, engine);
    if (!known) return known.error();
    real.push_back(**known);
  }
  return real;
}

core::Result<const core::Destination*> StompSession::temporary(core::DestinationKind kind,
                                                               std::string_view alias,
                                                               core::Engine& engine) {
  if (const auto* known = temporaries_.find(kind, alias)) return known;
  auto created = engine.create_temporary(*connection_, kind);
  if (!created) return created.error();
  return &temporaries_.add(alias, std::move(*created));
}

}  // namespace pabal::stomp
