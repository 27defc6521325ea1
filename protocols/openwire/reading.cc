#include <algorithm>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/modified_utf8.h"
#include "protocols/openwire/destinations.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// From bytes to requests, outside the engine.

namespace pabal::openwire {
namespace {

/// Producers of the engine's have names of at most so many bytes.
constexpr std::size_t kProducerBytesMax = 255;

/// As the engine's producer; the same after a restart, and with another program. Of one that is too
/// long, the first bytes and a hash (FNV-1a) of all.
std::string producer_name(const ProducerId& id) {
  std::string name(id.connection_id);
  name += ':' + std::to_string(id.session_id) + ':' + std::to_string(id.value);
  if (name.size() <= kProducerBytesMax) return name;
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char each : name) {
    hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001B3ULL;
  }
  const std::string digits = ':' + std::to_string(hash);
  return name.substr(0, kProducerBytesMax - digits.size()) + digits;
}

/// What a client has no business to send, or what is built for networks of brokers only. Source:
/// reference §3, "R".
template <class T>
inline constexpr bool kIsRefused =
    std::is_same_v<T, DiscoveryEvent> || std::is_same_v<T, JournalTopicAck> ||
    std::is_same_v<T, JournalQueueAck> || std::is_same_v<T, JournalTrace> ||
    std::is_same_v<T, JournalTransaction> || std::is_same_v<T, SubscriptionInfo> ||
    std::is_same_v<T, PartialCommand> || std::is_same_v<T, LastPartialCommand> ||
    std::is_same_v<T, ReplayCommand> || std::is_same_v<T, MessageDispatchNotification> ||
    std::is_same_v<T, NetworkBridgeFilter> || std::is_same_v<T, BrokerSubscriptionInfo>;

/// Source: reference §3, "I", as far as no answer is due.
template <class T>
inline constexpr bool kIsIgnored =
    std::is_same_v<T, NullCommand> || std::is_same_v<T, Response> ||
    std::is_same_v<T, ExceptionResponse> || std::is_same_v<T, DataResponse> ||
    std::is_same_v<T, DataArrayResponse> || std::is_same_v<T, IntegerResponse> ||
    std::is_same_v<T, ConnectionError> || std::is_same_v<T, ProducerAck> ||
    std::is_same_v<T, MessageDispatch>;

}  // namespace

void OpenWireSession::decode(std::span<const char> bytes, core::TimePoint now) {
  if (reading_ended_) return;
  if (!first_bytes_) first_bytes_ = now;
  parser_.feed({bytes.data(), bytes.size()});
  std::string_view frame;
  while (!reading_ended_) {
    const ParseStatus status = parser_.next(frame);
    if (status == ParseStatus::need_more) return;
    if (status == ParseStatus::failed) {
      fail_reading(parser_.error());
      return;
    }
    read_frame(frame, now);
  }
}

Request& OpenWireSession::begin_request(Request::Kind kind, const CommandHead& head) {
  Request& request = batch().requests.emplace_back();
  request.kind = kind;
  request.command_id = head.command_id;
  request.response_required = head.response_required;
  return request;
}

void OpenWireSession::refuse(Request& request, std::string_view exception_class, std::string text) {
  request.kind = Request::Kind::refused;
  request.exception_class = exception_class;
  request.text = std::move(text);
}

void OpenWireSession::fail_reading(std::string text) {
  Request& request = batch().requests.emplace_back();
  request.kind = Request::Kind::failed;
  request.text = std::move(text);
  end_reading();
}

void OpenWireSession::read_frame(std::string_view frame, core::TimePoint /*now*/) {
  std::string error;
  if (!read_command(frame, format_, cache_.command, error)) {
    fail_reading("a frame that makes no sense: " + error);
    return;
  }
  if (reads_greeting_) {
    read_greeting(cache_.command);
    return;
  }
  if (!reads_connected_ && !admits_before_connected(cache_.command)) {
    fail_reading(std::string(type_name(static_cast<std::uint8_t>(frame.front()))) +
                 " before ConnectionInfo");
    return;
  }
  std::visit(
      [&](const auto& command) {
        using Type = std::decay_t<decltype(command)>;
        if constexpr (std::is_same_v<Type, Message>) {
          read_message(command);
        } else if constexpr (std::is_same_v<Type, MessageAck>) {
          read_ack(command);
        } else if constexpr (std::is_same_v<Type, KeepAliveInfo>) {
          read_keep_alive(command);
        } else if constexpr (std::is_same_v<Type, WireFormatInfo>) {
          fail_reading("a second WireFormatInfo");
        } else if constexpr (std::is_same_v<Type, BrokerInfo>) {
          fail_reading("networks of brokers are not supported");
        } else if constexpr (kIsIgnored<Type>) {
          // A failover client can send a stray Response after it has reconnected.
        } else if constexpr (kIsRefused<Type>) {
          if constexpr (std::is_base_of_v<CommandHead, Type>) {
            refuse_type(frame, &command);
          } else {
            refuse_type(frame, nullptr);
          }
        } else {
          keep_control(frame);
        }
      },
      cache_.command);
}

/// Source: reference §1.2: the one frame that precedes the agreed format in each direction.
void OpenWireSession::read_greeting(const AnyCommand& command) {
  const auto* info = std::get_if<WireFormatInfo>(&command);
  if (info == nullptr) return fail_reading("the first frame is no WireFormatInfo");
  const auto theirs = read_offer(*info);
  if (!theirs) return fail_reading(theirs.error().text);
  const WireFormatOffer ours = broker_offer(options_.inactivity, options_.initial_delay,
                                            options_.frame_bytes_max, options_.version);
  const auto agreement = agree(ours, *theirs);
  if (!agreement) return fail_reading(agreement.error().text);
  append_offer(bytes(), ours);
  format_ = agreement->format;
  inactivity_ = agreement->inactivity;
  initial_delay_ = agreement->initial_delay;
  BrokerInfo broker;
  broker.broker_id = BrokerId{options_.broker_id};
  broker.broker_url = "";
  broker.broker_name = options_.broker_name;
  append_frame(bytes(), broker, format_);
  end_piece(core::kNoTicket);
  reads_greeting_ = false;
  state_ = State::waiting;
  timer_changed_ = true;
  batch().requests.emplace_back();  // there is something to be encoded
}

/// Source: reference §8, commands before authentication.
bool OpenWireSession::admits_before_connected(const AnyCommand& command) const noexcept {
  return std::holds_alternative<ConnectionInfo>(command) ||
         std::holds_alternative<ConnectionControl>(command) ||
         std::holds_alternative<KeepAliveInfo>(command) ||
         std::holds_alternative<ShutdownInfo>(command) ||
         std::holds_alternative<NullCommand>(command);
}

bool OpenWireSession::is_own(std::string_view connection_id) const noexcept {
  return connection_id == reads_connection_id_;
}

/// Source: reference §1.6: answered by a KeepAliveInfo, not by a Response.
void OpenWireSession::read_keep_alive(const KeepAliveInfo& keep_alive) {
  if (!keep_alive.response_required) return;
  append_frame(bytes(), KeepAliveInfo{}, format_);
  end_piece(core::kNoTicket);
  batch().requests.emplace_back();
}

/// Kept with its bytes, and read once more from there.
void OpenWireSession::keep_control(std::string_view frame) {
  auto control = std::make_unique<Control>();
  control->frame = frame;
  std::string error;
  const bool read = read_command(control->frame, format_, control->command, error);
  PABAL_CHECK(read, "it was read before");
  Request request;
  request.kind = Request::Kind::control;
  std::visit(
      [&](const auto& command) {
        if constexpr (std::is_base_of_v<CommandHead, std::decay_t<decltype(command)>>) {
          request.command_id = command.command_id;
          request.response_required = command.response_required;
        }
      },
      control->command);
  if (const auto* info = std::get_if<ConnectionInfo>(&control->command)) {
    // What comes in the same read is that connection's already.
    reads_connected_ = true;
    reads_connection_id_ = info->connection_id.value;
    reads_fault_tolerant_ = info->fault_tolerant || info->failover_reconnect;
    parser_.set_frame_bytes_max(options_.frame_bytes_max);
  } else if (std::holds_alternative<ShutdownInfo>(control->command)) {
    end_reading();
  }
  request.control = std::move(control);
  batch().requests.push_back(std::move(request));
}

void OpenWireSession::refuse_type(std::string_view frame, const CommandHead* head) {
  Request& request = begin_request(Request::Kind::refused, head == nullptr ? CommandHead{} : *head);
  refuse(request, kJmsException,
         std::string(type_name(static_cast<std::uint8_t>(frame.front()))) + " is not supported");
}

/// False: it is of another connection, or none at all.
bool OpenWireSession::read_transaction(const std::optional<TransactionId>& id,
                                       TransactionKey& key) {
  if (!id) return true;
  if (const auto* local = std::get_if<LocalTransactionId>(&*id)) {
    key.kind = TransactionKey::Kind::local;
    key.value = local->value;
    return is_own(local->connection_id.value);
  }
  auto xid = read_xid(std::get<XaTransactionId>(*id));
  if (!xid) return false;
  key.kind = TransactionKey::Kind::xa;
  key.xid = std::make_shared<const core::Xid>(std::move(*xid));
  return true;
}

void OpenWireSession::read_message(const Message& message) {
  Request& request = begin_request(Request::Kind::send, message);
  SendRequest& send = request.send;
  if (!read_transaction(message.transaction_id, send.transaction)) {
    return refuse(request, kJmsException, "a transaction id that is not of this connection");
  }
  const std::size_t content = message.content.value ? message.content.value->size() : 0;
  const std::size_t properties =
      message.marshalled_properties.value ? message.marshalled_properties.value->size() : 0;
  // Source: reference §6.13; another formula would drift away from the client's.
  send.window_bytes = static_cast<std::uint32_t>(1024 + content + properties);
  if (message.message_id) {
    const ProducerId& producer = message.message_id->producer_id;
    send.producer = {producer.session_id, producer.value};
  }
  core::MessageBuilder& builder = cache_.builder;
  auto incoming = fill_message(builder, message, cache_.incoming);
  if (!incoming)
    return refuse(request, java_class_of(incoming.error().code), incoming.error().text);
  const MessageId& id = *message.message_id;
  if (!is_own(id.producer_id.connection_id)) {
    return refuse(request, kJmsException, "a message id that is not of this connection");
  }
  auto targets = read_targets(builder);
  if (!targets) return refuse(request, kInvalidDestination, targets.error().text);
  send.targets = std::move(*targets);
  send.schedule = std::move(incoming->schedule);
  if (reads_fault_tolerant_ && message.persistent && id.producer_sequence_id > 0) {
    // Sent again after a failover, it is taken once (reference §6.21).
    send.identity = std::make_shared<const core::ProducerSequence>(core::ProducerSequence{
        producer_name(id.producer_id), static_cast<std::uint64_t>(id.producer_sequence_id)});
  }
  builder.origin = origin_;
  builder.sequence = ++sequence_;
  send.incomplete = state_ != State::connected;
  auto built = builder.build();
  if (!built) return refuse(request, java_class_of(built.error().code), built.error().text);
  send.message = std::move(*built);
}

/// Of a composite, the parts; null: it is one destination. The whole stays the message's name.
core::Result<std::shared_ptr<const std::vector<core::Destination>>> OpenWireSession::read_targets(
    core::MessageBuilder& builder) {
  const auto kind = builder.destination_kind;
  builder.destination_name = without_options(builder.destination_name);
  if (builder.destination_name.find(',') == std::string_view::npos) {
    return std::shared_ptr<const std::vector<core::Destination>>();
  }
  auto parts = read_destinations(kind, builder.destination_name);
  if (!parts) return parts.error();
  return std::make_shared<const std::vector<core::Destination>>(std::move(*parts));
}

void OpenWireSession::read_ack(const MessageAck& ack) {
  Request& request = begin_request(Request::Kind::ack, ack);
  AckRequest& read = request.ack;
  if (!read_transaction(ack.transaction_id, read.transaction)) {
    return refuse(request, kJmsException, "a transaction id that is not of this connection");
  }
  if (!is_own(ack.consumer_id.connection_id) || ack.ack_type > 6 || !ack.last_message_id) {
    return refuse(request, kJmsException, "an acknowledgement that makes no sense");
  }
  read.consumer = {ack.consumer_id.session_id, ack.consumer_id.value};
  read.type = static_cast<AckType>(ack.ack_type);
  if (ack.first_message_id) read.first = key_of(*ack.first_message_id);
  read.last = key_of(*ack.last_message_id);
  read.count = ack.message_count;
  if (read.type != AckType::poison) return;
  // Source: reference §6.8: class name, ": ", message.
  std::string& cause = request.text;
  if (ack.poison_cause) {
    cause = core::utf8_of(ack.poison_cause->class_name.value_or(""), cache_.text);
    if (ack.poison_cause->message) {
      if (!cause.empty()) cause += ": ";
      cause += core::utf8_of(*ack.poison_cause->message, cache_.text);
    }
  }
  if (cause.empty()) cause = "rejected by the consumer";
}

}  // namespace pabal::openwire
