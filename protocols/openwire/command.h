#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

// The structures of the wire as values, in the words of OpenWire. What they are made of, in which
// order and since which version, is in fields.h. Source: reference §3 and §4.
//
// All texts and bytes are views: of the frame that was read, or of what the caller wants written.
// Texts are Java's modified UTF-8 (modified_utf8.h). An optional is what can be null on the wire; a
// null where there is none is a fault of the sender.

namespace pabal::openwire {

using Text = std::optional<std::string_view>;

/// A byte array; a type of its own because it is written differently from a text.
struct Bytes {
  std::optional<std::string_view> value;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};

// --- identifiers ---------------------------------------------------------------------------------

struct ConnectionId {
  static constexpr std::uint8_t kType = 120;
  std::string_view value;
};

struct BrokerId {
  static constexpr std::uint8_t kType = 124;
  std::string_view value;
};

struct SessionId {
  static constexpr std::uint8_t kType = 121;
  std::string_view connection_id;
  std::int64_t value = 0;
};

struct ConsumerId {
  static constexpr std::uint8_t kType = 122;
  std::string_view connection_id;
  std::int64_t session_id = 0;  ///< -1: of the connection itself
  std::int64_t value = 0;
};

struct ProducerId {
  static constexpr std::uint8_t kType = 123;
  std::string_view connection_id;
  std::int64_t value = 0;  ///< stands before the session here
  std::int64_t session_id = 0;
};

struct MessageId {
  static constexpr std::uint8_t kType = 110;
  Text text_view;
  ProducerId producer_id;
  std::int64_t producer_sequence_id = 0;
  std::int64_t broker_sequence_id = 0;
};

struct LocalTransactionId {
  static constexpr std::uint8_t kType = 111;
  std::int64_t value = 0;
  ConnectionId connection_id;
};

struct XaTransactionId {
  static constexpr std::uint8_t kType = 112;
  std::int32_t format_id = 0;
  Bytes global_transaction_id;
  Bytes branch_qualifier;
};

using TransactionId = std::variant<LocalTransactionId, XaTransactionId>;

/// What RemoveInfo is about.
using ObjectId = std::variant<ConnectionId, SessionId, ConsumerId, ProducerId>;

/// The type code says the kind.
enum class DestinationType : std::uint8_t {
  queue = 100,
  topic = 101,
  temp_queue = 102,
  temp_topic = 103
};

struct Destination {
  DestinationType type = DestinationType::queue;
  std::string_view physical_name;
};

/// Read and written, never acted upon: a class name is text here (CVE-2023-46604).
struct StackElement {
  Text class_name;
  Text method_name;
  Text file_name;
  std::int32_t line = 0;
};
struct Throwable {
  Text class_name;
  Text message;
  std::vector<StackElement> stack;  ///< only if StackTraceEnabled was agreed, as `cause`
  std::shared_ptr<Throwable> cause;
};

// --- commands ------------------------------------------------------------------------------------

/// What every command begins with.
struct CommandHead {
  std::int32_t command_id = 0;
  bool response_required = false;
};

struct Command;  // any of them, for Message::data_structure

struct WireFormatInfo {
  static constexpr std::uint8_t kType = 1;
  std::int32_t version = 0;
  Bytes marshalled_properties;  ///< a primitive map; see wire_format.h
};

struct BrokerInfo : CommandHead {
  static constexpr std::uint8_t kType = 2;
  std::optional<BrokerId> broker_id;
  Text broker_url;
  std::optional<std::vector<BrokerInfo>> peer_broker_infos;
  Text broker_name;
  bool slave_broker = false;
  bool master_broker = false;
  bool fault_tolerant_configuration = false;
  bool duplex_connection = false;
  bool network_connection = false;
  std::int64_t connection_id = 0;
  Text broker_upload_url;
  Text network_properties;
};

using BrokerPath = std::optional<std::vector<BrokerId>>;

struct ConnectionInfo : CommandHead {
  static constexpr std::uint8_t kType = 3;
  ConnectionId connection_id;
  Text client_id;
  Text password;
  Text user_name;
  BrokerPath broker_path;
  bool broker_master_connector = false;
  bool manageable = false;
  bool client_master = false;
  bool fault_tolerant = false;
  bool failover_reconnect = false;
  Text client_ip;
};

struct SessionInfo : CommandHead {
  static constexpr std::uint8_t kType = 4;
  SessionId session_id;
};

/// From network bridges only.
struct NetworkBridgeFilter {
  static constexpr std::uint8_t kType = 91;
  std::int32_t network_ttl = 0;  ///< before version 10
  std::optional<BrokerId> network_broker_id;
  std::int32_t message_ttl = 0;
  std::int32_t consumer_ttl = 0;
};

struct ConsumerInfo : CommandHead {
  static constexpr std::uint8_t kType = 5;
  ConsumerId consumer_id;
  bool browser = false;
  std::optional<Destination> destination;
  std::int32_t prefetch_size = 0;  ///< 0: MessagePull asks for each message
  std::int32_t maximum_pending_message_limit = 0;
  bool dispatch_async = false;
  Text selector;
  Text client_id;
  Text subscription_name;  ///< present: durable
  bool no_local = false;
  bool exclusive = false;
  bool retroactive = false;
  std::int8_t priority = 0;
  BrokerPath broker_path;
  std::optional<NetworkBridgeFilter> additional_predicate;
  bool network_subscription = false;
  bool optimized_acknowledge = false;
  bool no_range_acks = false;
  std::optional<std::vector<ConsumerId>> network_consumer_path;
};

struct ProducerInfo : CommandHead {
  static constexpr std::uint8_t kType = 6;
  ProducerId producer_id;
  std::optional<Destination> destination;  ///< null: each message has its own
  BrokerPath broker_path;
  bool dispatch_async = false;
  std::int32_t window_size = 0;  ///< bytes; above 0 a ProducerAck is expected for each message
};

enum class TransactionVerb : std::uint8_t {
  begin = 0,
  prepare = 1,
  commit_one_phase = 2,
  commit_two_phase = 3,
  rollback = 4,
  recover = 5,
  forget = 6,
  end = 7
};

struct TransactionInfo : CommandHead {
  static constexpr std::uint8_t kType = 7;
  std::optional<ConnectionId> connection_id;
  std::optional<TransactionId> transaction_id;  ///< null: RECOVER
  std::uint8_t type = 0;                        ///< a TransactionVerb, if it is one
};

struct DestinationInfo : CommandHead {
  static constexpr std::uint8_t kType = 8;
  static constexpr std::uint8_t kAdd = 0;
  static constexpr std::uint8_t kRemove = 1;
  std::optional<ConnectionId> connection_id;
  std::optional<Destination> destination;
  std::uint8_t operation_type = kAdd;
  std::int64_t timeout = 0;  ///< ms
  BrokerPath broker_path;
};

struct RemoveSubscriptionInfo : CommandHead {
  static constexpr std::uint8_t kType = 9;
  std::optional<ConnectionId> connection_id;
  Text subscription_name;  ///< `subcriptionName` in the protocol's own spelling
  Text client_id;
};

struct KeepAliveInfo : CommandHead {
  static constexpr std::uint8_t kType = 10;
};

struct ShutdownInfo : CommandHead {
  static constexpr std::uint8_t kType = 11;
};

struct RemoveInfo : CommandHead {
  static constexpr std::uint8_t kType = 12;
  ObjectId object_id;
  std::int64_t last_delivered_sequence_id = 0;  ///< -1: none was delivered; -2: not known
};

struct ControlCommand : CommandHead {
  static constexpr std::uint8_t kType = 14;
  Text command;
};

struct FlushCommand : CommandHead {
  static constexpr std::uint8_t kType = 15;
};

struct ConnectionError : CommandHead {
  static constexpr std::uint8_t kType = 16;
  std::optional<Throwable> exception;
  std::optional<ConnectionId> connection_id;
};

struct ConsumerControl : CommandHead {
  static constexpr std::uint8_t kType = 17;
  std::optional<Destination> destination;
  bool close = false;
  std::optional<ConsumerId> consumer_id;
  std::int32_t prefetch = 0;
  bool flush = false;
  bool start = false;
  bool stop = false;
};

struct ConnectionControl : CommandHead {
  static constexpr std::uint8_t kType = 18;
  bool close = false;
  bool exit = false;
  bool fault_tolerant = false;
  bool resume = false;
  bool suspend = false;
  Text connected_brokers;
  Text reconnect_to;
  bool rebalance_connection = false;
  Bytes token;
};

struct ProducerAck : CommandHead {
  static constexpr std::uint8_t kType = 19;
  std::optional<ProducerId> producer_id;
  std::int32_t size = 0;
};

struct MessagePull : CommandHead {
  static constexpr std::uint8_t kType = 20;
  ConsumerId consumer_id;
  std::optional<Destination> destination;
  std::int64_t timeout = 0;  ///< ms; 0: for ever, negative: answer at once
  Text correlation_id;
  std::optional<MessageId> message_id;
};

/// What a message is; the numbers are its type codes.
enum class MessageType : std::uint8_t {
  plain = 23,
  bytes = 24,
  map = 25,
  object = 26,
  stream = 27,
  text = 28,
  blob = 29
};

/// Types 23 to 29 share the layout; the last three fields are those of a blob.
struct Message : CommandHead {
  MessageType type_code = MessageType::plain;
  std::optional<ProducerId> producer_id;
  std::optional<Destination> destination;
  std::optional<TransactionId> transaction_id;
  std::optional<Destination> original_destination;
  std::optional<MessageId> message_id;
  std::optional<TransactionId> original_transaction_id;
  Text group_id;
  std::int32_t group_sequence = 0;
  Text correlation_id;
  bool persistent = false;
  std::int64_t expiration = 0;  ///< ms since 1970; 0: never
  std::int8_t priority = 0;
  std::optional<Destination> reply_to;
  std::int64_t timestamp = 0;
  Text type;
  Bytes content;
  Bytes marshalled_properties;
  std::shared_ptr<const Command> data_structure;
  std::optional<ConsumerId> target_consumer_id;
  bool compressed = false;
  std::int32_t redelivery_counter = 0;
  BrokerPath broker_path;
  std::int64_t arrival = 0;
  Text user_id;
  bool received_by_df_bridge = false;
  bool droppable = false;
  BrokerPath cluster;
  std::int64_t broker_in_time = 0;
  std::int64_t broker_out_time = 0;
  bool first_for_consumer = false;  ///< jmsXGroupFirstForConsumer
  Text remote_blob_url;
  Text mime_type;
  bool deleted_by_broker = false;
};

struct MessageDispatch : CommandHead {
  static constexpr std::uint8_t kType = 21;
  std::optional<ConsumerId> consumer_id;
  std::optional<Destination> destination;
  std::optional<Message> message;  ///< null: the end of a browse, or of a pull's patience
  std::int32_t redelivery_counter = 0;
};

enum class AckType : std::uint8_t {
  delivered = 0,
  poison = 1,
  standard = 2,
  redelivered = 3,
  individual = 4,
  unmatched = 5,
  expired = 6
};

struct MessageAck : CommandHead {
  static constexpr std::uint8_t kType = 22;
  std::optional<Destination> destination;
  std::optional<TransactionId> transaction_id;
  ConsumerId consumer_id;
  std::uint8_t ack_type = 0;                  ///< an AckType, if it is one
  std::optional<MessageId> first_message_id;  ///< null: from the oldest
  std::optional<MessageId> last_message_id;
  std::int32_t message_count = 0;
  std::optional<Throwable> poison_cause;
};

struct Response : CommandHead {
  static constexpr std::uint8_t kType = 30;
  std::int32_t correlation_id = 0;
};

struct ExceptionResponse : CommandHead {
  static constexpr std::uint8_t kType = 31;
  std::int32_t correlation_id = 0;
  std::optional<Throwable> exception;
};

struct DataResponse : CommandHead {
  static constexpr std::uint8_t kType = 32;
  std::int32_t correlation_id = 0;
  std::shared_ptr<const Command> data;
};

struct DataArrayResponse : CommandHead {
  static constexpr std::uint8_t kType = 33;
  std::int32_t correlation_id = 0;
  /// Of what RECOVER answers, the only array that is sent.
  std::optional<std::vector<XaTransactionId>> data;
};

struct IntegerResponse : CommandHead {
  static constexpr std::uint8_t kType = 34;
  std::int32_t correlation_id = 0;
  std::int32_t result = 0;
};

// --- rarely needed: to be refused by name
// ----------------------------------------------------------

struct DiscoveryEvent {
  static constexpr std::uint8_t kType = 40;
  Text service_name;
  Text broker_name;
};

struct JournalTopicAck {
  static constexpr std::uint8_t kType = 50;
  std::optional<Destination> destination;
  std::optional<MessageId> message_id;
  std::int64_t message_sequence_id = 0;
  Text subscription_name;
  Text client_id;
  std::optional<TransactionId> transaction_id;
};

struct JournalQueueAck {
  static constexpr std::uint8_t kType = 52;
  std::optional<Destination> destination;
  std::optional<MessageAck> message_ack;
};

struct JournalTrace {
  static constexpr std::uint8_t kType = 53;
  Text message;
};

struct JournalTransaction {
  static constexpr std::uint8_t kType = 54;
  std::optional<TransactionId> transaction_id;
  std::uint8_t type = 0;
  bool was_prepared = false;
};

struct SubscriptionInfo {
  static constexpr std::uint8_t kType = 55;
  Text client_id;
  std::optional<Destination> destination;
  Text selector;
  Text subscription_name;
  std::optional<Destination> subscribed_destination;
  bool no_local = false;
};

struct PartialCommand {
  static constexpr std::uint8_t kType = 60;
  std::int32_t command_id = 0;
  Bytes data;
};

struct LastPartialCommand {
  static constexpr std::uint8_t kType = 61;
  std::int32_t command_id = 0;
  Bytes data;
};

struct ReplayCommand : CommandHead {
  static constexpr std::uint8_t kType = 65;
  std::int32_t first_nak_number = 0;
  std::int32_t last_nak_number = 0;
};

struct MessageDispatchNotification : CommandHead {
  static constexpr std::uint8_t kType = 90;
  std::optional<ConsumerId> consumer_id;
  std::optional<Destination> destination;
  std::int64_t delivery_sequence_id = 0;
  std::optional<MessageId> message_id;
};

struct BrokerSubscriptionInfo : CommandHead {
  static constexpr std::uint8_t kType = 92;
  std::optional<BrokerId> broker_id;
  Text broker_name;
  std::optional<std::vector<SubscriptionInfo>> subscription_infos;
};

/// Type 0: nothing; ignored.
struct NullCommand {
  static constexpr std::uint8_t kType = 0;
};

/// All that can be a frame. Those with a kType are found by it; Message has seven.
using AnyCommand =
    std::variant<NullCommand, Message, MessageAck, MessageDispatch, Response, WireFormatInfo,
                 BrokerInfo, ConnectionInfo, SessionInfo, ConsumerInfo, ProducerInfo,
                 TransactionInfo, DestinationInfo, RemoveSubscriptionInfo, KeepAliveInfo,
                 ShutdownInfo, RemoveInfo, ControlCommand, FlushCommand, ConnectionError,
                 ConsumerControl, ConnectionControl, ProducerAck, MessagePull, ExceptionResponse,
                 DataResponse, DataArrayResponse, IntegerResponse, DiscoveryEvent, JournalTopicAck,
                 JournalQueueAck, JournalTrace, JournalTransaction, SubscriptionInfo,
                 PartialCommand, LastPartialCommand, ReplayCommand, MessageDispatchNotification,
                 NetworkBridgeFilter, BrokerSubscriptionInfo>;

struct Command {
  AnyCommand value;
};

/// "ConsumerInfo" and so on; "unknown" for a code that nothing has.
std::string_view type_name(std::uint8_t type_code) noexcept;

}  // namespace pabal::openwire
