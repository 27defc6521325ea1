#pragma once

#include <cstdint>
#include <tuple>

#include "protocols/openwire/command.h"

// What the structures of the wire are made of, in marshalling order: the one table from which
// codec.cc makes both reading and writing. Source: reference §4.
//
// The C++ type of a member says how it is written:
//   bool, (u)int8, int32, int64            as they are
//   Text; string_view                      a string; one that is never null
//   Bytes                                  a byte array
//   a struct, in an optional or not        nested, nullable or never null ("cached" is the same,
//                                          because the cache is always negotiated away)
//   a variant                              nested, one of several types
//   optional<vector<…>>                    an array of nested structures
//   optional<Throwable>, shared_ptr<Command>   a throwable; any command, nested

namespace pabal::openwire {

inline constexpr std::int32_t kVersionMin = 9;
inline constexpr std::int32_t kVersionMax = 12;

template <class Owner, class Member>
struct Field {
  const char* name;  ///< the protocol's own
  Member Owner::*member;
  std::int32_t since = 1;           ///< first version that has it
  std::int32_t before = INT32_MAX;  ///< first version that has it no more
};
template <class Owner, class Member, class... Versions>
Field(const char*, Member Owner::*, Versions...) -> Field<Owner, Member>;

template <class Struct>
struct FieldsOf;

template <class... Fields>
constexpr auto command_fields(Fields... fields) {
  return std::make_tuple(Field{"commandId", &CommandHead::command_id},
                         Field{"responseRequired", &CommandHead::response_required}, fields...);
}

// --- identifiers (reference §4.1)
// ------------------------------------------------------------------

template <>
struct FieldsOf<ConnectionId> {
  static constexpr auto kFields = std::make_tuple(Field{"value", &ConnectionId::value});
};
template <>
struct FieldsOf<BrokerId> {
  static constexpr auto kFields = std::make_tuple(Field{"value", &BrokerId::value});
};
template <>
struct FieldsOf<SessionId> {
  static constexpr auto kFields = std::make_tuple(Field{"connectionId", &SessionId::connection_id},
                                                  Field{"value", &SessionId::value});
};
template <>
struct FieldsOf<ConsumerId> {
  static constexpr auto kFields = std::make_tuple(Field{"connectionId", &ConsumerId::connection_id},
                                                  Field{"sessionId", &ConsumerId::session_id},
                                                  Field{"value", &ConsumerId::value});
};
template <>
struct FieldsOf<ProducerId> {
  static constexpr auto kFields = std::make_tuple(Field{"connectionId", &ProducerId::connection_id},
                                                  Field{"value", &ProducerId::value},
                                                  Field{"sessionId", &ProducerId::session_id});
};
template <>
struct FieldsOf<MessageId> {
  static constexpr auto kFields = std::make_tuple(
      Field{"textView", &MessageId::text_view, 10}, Field{"producerId", &MessageId::producer_id},
      Field{"producerSequenceId", &MessageId::producer_sequence_id},
      Field{"brokerSequenceId", &MessageId::broker_sequence_id});
};
template <>
struct FieldsOf<LocalTransactionId> {
  static constexpr auto kFields =
      std::make_tuple(Field{"value", &LocalTransactionId::value},
                      Field{"connectionId", &LocalTransactionId::connection_id});
};
template <>
struct FieldsOf<XaTransactionId> {
  static constexpr auto kFields =
      std::make_tuple(Field{"formatId", &XaTransactionId::format_id},
                      Field{"globalTransactionId", &XaTransactionId::global_transaction_id},
                      Field{"branchQualifier", &XaTransactionId::branch_qualifier});
};
template <>
struct FieldsOf<Destination> {
  static constexpr auto kFields =
      std::make_tuple(Field{"physicalName", &Destination::physical_name});
};

// --- connection level (reference §4.3)
// -------------------------------------------------------------

template <>
struct FieldsOf<BrokerInfo> {
  static constexpr auto kFields = command_fields(
      Field{"brokerId", &BrokerInfo::broker_id}, Field{"brokerURL", &BrokerInfo::broker_url},
      Field{"peerBrokerInfos", &BrokerInfo::peer_broker_infos},
      Field{"brokerName", &BrokerInfo::broker_name},
      Field{"slaveBroker", &BrokerInfo::slave_broker},
      Field{"masterBroker", &BrokerInfo::master_broker},
      Field{"faultTolerantConfiguration", &BrokerInfo::fault_tolerant_configuration},
      Field{"duplexConnection", &BrokerInfo::duplex_connection, 2},
      Field{"networkConnection", &BrokerInfo::network_connection, 2},
      Field{"connectionId", &BrokerInfo::connection_id, 2},
      Field{"brokerUploadUrl", &BrokerInfo::broker_upload_url, 3},
      Field{"networkProperties", &BrokerInfo::network_properties, 3});
};
template <>
struct FieldsOf<ConnectionInfo> {
  static constexpr auto kFields = command_fields(
      Field{"connectionId", &ConnectionInfo::connection_id},
      Field{"clientId", &ConnectionInfo::client_id}, Field{"password", &ConnectionInfo::password},
      Field{"userName", &ConnectionInfo::user_name},
      Field{"brokerPath", &ConnectionInfo::broker_path},
      Field{"brokerMasterConnector", &ConnectionInfo::broker_master_connector},
      Field{"manageable", &ConnectionInfo::manageable},
      Field{"clientMaster", &ConnectionInfo::client_master, 2},
      Field{"faultTolerant", &ConnectionInfo::fault_tolerant, 6},
      Field{"failoverReconnect", &ConnectionInfo::failover_reconnect, 6},
      Field{"clientIp", &ConnectionInfo::client_ip, 8});
};
template <>
struct FieldsOf<KeepAliveInfo> {
  static constexpr auto kFields = command_fields();
};
template <>
struct FieldsOf<ShutdownInfo> {
  static constexpr auto kFields = command_fields();
};
template <>
struct FieldsOf<FlushCommand> {
  static constexpr auto kFields = command_fields();
};

// --- sessions, consumers, producers, destinations (reference §4.4)
// ---------------------------------

template <>
struct FieldsOf<SessionInfo> {
  static constexpr auto kFields = command_fields(Field{"sessionId", &SessionInfo::session_id});
};
template <>
struct FieldsOf<ConsumerInfo> {
  static constexpr auto kFields = command_fields(
      Field{"consumerId", &ConsumerInfo::consumer_id}, Field{"browser", &ConsumerInfo::browser},
      Field{"destination", &ConsumerInfo::destination},
      Field{"prefetchSize", &ConsumerInfo::prefetch_size},
      Field{"maximumPendingMessageLimit", &ConsumerInfo::maximum_pending_message_limit},
      Field{"dispatchAsync", &ConsumerInfo::dispatch_async},
      Field{"selector", &ConsumerInfo::selector}, Field{"clientId", &ConsumerInfo::client_id, 10},
      Field{"subscriptionName", &ConsumerInfo::subscription_name},
      Field{"noLocal", &ConsumerInfo::no_local}, Field{"exclusive", &ConsumerInfo::exclusive},
      Field{"retroactive", &ConsumerInfo::retroactive}, Field{"priority", &ConsumerInfo::priority},
      Field{"brokerPath", &ConsumerInfo::broker_path},
      Field{"additionalPredicate", &ConsumerInfo::additional_predicate},
      Field{"networkSubscription", &ConsumerInfo::network_subscription},
      Field{"optimizedAcknowledge", &ConsumerInfo::optimized_acknowledge},
      Field{"noRangeAcks", &ConsumerInfo::no_range_acks},
      Field{"networkConsumerPath", &ConsumerInfo::network_consumer_path, 4});
};
template <>
struct FieldsOf<ProducerInfo> {
  static constexpr auto kFields =
      command_fields(Field{"producerId", &ProducerInfo::producer_id},
                     Field{"destination", &ProducerInfo::destination},
                     Field{"brokerPath", &ProducerInfo::broker_path},
                     Field{"dispatchAsync", &ProducerInfo::dispatch_async, 2},
                     Field{"windowSize", &ProducerInfo::window_size, 3});
};
template <>
struct FieldsOf<DestinationInfo> {
  static constexpr auto kFields =
      command_fields(Field{"connectionId", &DestinationInfo::connection_id},
                     Field{"destination", &DestinationInfo::destination},
                     Field{"operationType", &DestinationInfo::operation_type},
                     Field{"timeout", &DestinationInfo::timeout},
                     Field{"brokerPath", &DestinationInfo::broker_path});
};
template <>
struct FieldsOf<RemoveInfo> {
  static constexpr auto kFields =
      command_fields(Field{"objectId", &RemoveInfo::object_id},
                     Field{"lastDeliveredSequenceId", &RemoveInfo::last_delivered_sequence_id, 5});
};
template <>
struct FieldsOf<RemoveSubscriptionInfo> {
  static constexpr auto kFields =
      command_fields(Field{"connectionId", &RemoveSubscriptionInfo::connection_id},
                     Field{"subcriptionName", &RemoveSubscriptionInfo::subscription_name},
                     Field{"clientId", &RemoveSubscriptionInfo::client_id});
};

// --- messages (reference §4.5)
// ---------------------------------------------------------------------

template <>
struct FieldsOf<Message> {
  static constexpr auto kFields = command_fields(
      Field{"producerId", &Message::producer_id}, Field{"destination", &Message::destination},
      Field{"transactionId", &Message::transaction_id},
      Field{"originalDestination", &Message::original_destination},
      Field{"messageId", &Message::message_id},
      Field{"originalTransactionId", &Message::original_transaction_id},
      Field{"groupID", &Message::group_id}, Field{"groupSequence", &Message::group_sequence},
      Field{"correlationId", &Message::correlation_id}, Field{"persistent", &Message::persistent},
      Field{"expiration", &Message::expiration}, Field{"priority", &Message::priority},
      Field{"replyTo", &Message::reply_to}, Field{"timestamp", &Message::timestamp},
      Field{"type", &Message::type}, Field{"content", &Message::content},
      Field{"marshalledProperties", &Message::marshalled_properties},
      Field{"dataStructure", &Message::data_structure},
      Field{"targetConsumerId", &Message::target_consumer_id},
      Field{"compressed", &Message::compressed},
      Field{"redeliveryCounter", &Message::redelivery_counter},
      Field{"brokerPath", &Message::broker_path}, Field{"arrival", &Message::arrival},
      Field{"userID", &Message::user_id},
      Field{"recievedByDFBridge", &Message::received_by_df_bridge},
      Field{"droppable", &Message::droppable, 2}, Field{"cluster", &Message::cluster, 3},
      Field{"brokerInTime", &Message::broker_in_time, 3},
      Field{"brokerOutTime", &Message::broker_out_time, 3},
      Field{"jmsXGroupFirstForConsumer", &Message::first_for_consumer, 10});
  /// Of a blob, behind the others.
  static constexpr auto kBlobFields =
      std::make_tuple(Field{"remoteBlobUrl", &Message::remote_blob_url, 3},
                      Field{"mimeType", &Message::mime_type, 3},
                      Field{"deletedByBroker", &Message::deleted_by_broker, 3});
};

// --- delivery (reference §4.6)
// ---------------------------------------------------------------------

template <>
struct FieldsOf<MessageDispatch> {
  static constexpr auto kFields =
      command_fields(Field{"consumerId", &MessageDispatch::consumer_id},
                     Field{"destination", &MessageDispatch::destination},
                     Field{"message", &MessageDispatch::message},
                     Field{"redeliveryCounter", &MessageDispatch::redelivery_counter});
};
template <>
struct FieldsOf<MessageAck> {
  static constexpr auto kFields = command_fields(
      Field{"destination", &MessageAck::destination},
      Field{"transactionId", &MessageAck::transaction_id},
      Field{"consumerId", &MessageAck::consumer_id}, Field{"ackType", &MessageAck::ack_type},
      Field{"firstMessageId", &MessageAck::first_message_id},
      Field{"lastMessageId", &MessageAck::last_message_id},
      Field{"messageCount", &MessageAck::message_count},
      Field{"poisonCause", &MessageAck::poison_cause, 7});
};
template <>
struct FieldsOf<MessagePull> {
  static constexpr auto kFields = command_fields(
      Field{"consumerId", &MessagePull::consumer_id},
      Field{"destination", &MessagePull::destination}, Field{"timeout", &MessagePull::timeout},
      Field{"correlationId", &MessagePull::correlation_id, 3},
      Field{"messageId", &MessagePull::message_id, 3});
};
template <>
struct FieldsOf<ProducerAck> {
  static constexpr auto kFields = command_fields(Field{"producerId", &ProducerAck::producer_id, 3},
                                                 Field{"size", &ProducerAck::size, 3});
};

// --- transactions, responses (reference §4.7, §4.8)
// ------------------------------------------------

template <>
struct FieldsOf<TransactionInfo> {
  static constexpr auto kFields =
      command_fields(Field{"connectionId", &TransactionInfo::connection_id},
                     Field{"transactionId", &TransactionInfo::transaction_id},
                     Field{"type", &TransactionInfo::type});
};
template <>
struct FieldsOf<Response> {
  static constexpr auto kFields = command_fields(Field{"correlationId", &Response::correlation_id});
};
template <>
struct FieldsOf<ExceptionResponse> {
  static constexpr auto kFields =
      command_fields(Field{"correlationId", &ExceptionResponse::correlation_id},
                     Field{"exception", &ExceptionResponse::exception});
};
template <>
struct FieldsOf<DataResponse> {
  static constexpr auto kFields = command_fields(
      Field{"correlationId", &DataResponse::correlation_id}, Field{"data", &DataResponse::data});
};
template <>
struct FieldsOf<DataArrayResponse> {
  static constexpr auto kFields =
      command_fields(Field{"correlationId", &DataArrayResponse::correlation_id},
                     Field{"data", &DataArrayResponse::data});
};
template <>
struct FieldsOf<IntegerResponse> {
  static constexpr auto kFields =
      command_fields(Field{"correlationId", &IntegerResponse::correlation_id},
                     Field{"result", &IntegerResponse::result});
};
template <>
struct FieldsOf<ConnectionError> {
  static constexpr auto kFields =
      command_fields(Field{"exception", &ConnectionError::exception},
                     Field{"connectionId", &ConnectionError::connection_id});
};

// --- control (reference §4.9)
// ----------------------------------------------------------------------

template <>
struct FieldsOf<ConnectionControl> {
  static constexpr auto kFields = command_fields(
      Field{"close", &ConnectionControl::close}, Field{"exit", &ConnectionControl::exit},
      Field{"faultTolerant", &ConnectionControl::fault_tolerant},
      Field{"resume", &ConnectionControl::resume}, Field{"suspend", &ConnectionControl::suspend},
      Field{"connectedBrokers", &ConnectionControl::connected_brokers, 6},
      Field{"reconnectTo", &ConnectionControl::reconnect_to, 6},
      Field{"rebalanceConnection", &ConnectionControl::rebalance_connection, 6},
      Field{"token", &ConnectionControl::token, 8});
};
template <>
struct FieldsOf<ConsumerControl> {
  static constexpr auto kFields = command_fields(
      Field{"destination", &ConsumerControl::destination, 6},
      Field{"close", &ConsumerControl::close}, Field{"consumerId", &ConsumerControl::consumer_id},
      Field{"prefetch", &ConsumerControl::prefetch}, Field{"flush", &ConsumerControl::flush, 2},
      Field{"start", &ConsumerControl::start, 2}, Field{"stop", &ConsumerControl::stop, 2});
};
template <>
struct FieldsOf<ControlCommand> {
  static constexpr auto kFields = command_fields(Field{"command", &ControlCommand::command});
};

// --- rarely needed (reference §4.10)
// ---------------------------------------------------------------

template <>
struct FieldsOf<NullCommand> {
  static constexpr auto kFields = std::make_tuple();
};
template <>
struct FieldsOf<DiscoveryEvent> {
  static constexpr auto kFields =
      std::make_tuple(Field{"serviceName", &DiscoveryEvent::service_name},
                      Field{"brokerName", &DiscoveryEvent::broker_name});
};
template <>
struct FieldsOf<JournalTopicAck> {
  static constexpr auto kFields =
      std::make_tuple(Field{"destination", &JournalTopicAck::destination},
                      Field{"messageId", &JournalTopicAck::message_id},
                      Field{"messageSequenceId", &JournalTopicAck::message_sequence_id},
                      Field{"subscritionName", &JournalTopicAck::subscription_name},
                      Field{"clientId", &JournalTopicAck::client_id},
                      Field{"transactionId", &JournalTopicAck::transaction_id});
};
template <>
struct FieldsOf<JournalQueueAck> {
  static constexpr auto kFields =
      std::make_tuple(Field{"destination", &JournalQueueAck::destination},
                      Field{"messageAck", &JournalQueueAck::message_ack});
};
template <>
struct FieldsOf<JournalTrace> {
  static constexpr auto kFields = std::make_tuple(Field{"message", &JournalTrace::message});
};
template <>
struct FieldsOf<JournalTransaction> {
  static constexpr auto kFields =
      std::make_tuple(Field{"transactionId", &JournalTransaction::transaction_id},
                      Field{"type", &JournalTransaction::type},
                      Field{"wasPrepared", &JournalTransaction::was_prepared});
};
template <>
struct FieldsOf<SubscriptionInfo> {
  static constexpr auto kFields =
      std::make_tuple(Field{"clientId", &SubscriptionInfo::client_id},
                      Field{"destination", &SubscriptionInfo::destination},
                      Field{"selector", &SubscriptionInfo::selector},
                      Field{"subcriptionName", &SubscriptionInfo::subscription_name},
                      Field{"subscribedDestination", &SubscriptionInfo::subscribed_destination, 3},
                      Field{"noLocal", &SubscriptionInfo::no_local, 11});
};
template <>
struct FieldsOf<PartialCommand> {
  static constexpr auto kFields = std::make_tuple(Field{"commandId", &PartialCommand::command_id},
                                                  Field{"data", &PartialCommand::data});
};
template <>
struct FieldsOf<LastPartialCommand> {
  static constexpr auto kFields =
      std::make_tuple(Field{"commandId", &LastPartialCommand::command_id},
                      Field{"data", &LastPartialCommand::data});
};
template <>
struct FieldsOf<ReplayCommand> {
  static constexpr auto kFields =
      command_fields(Field{"firstNakNumber", &ReplayCommand::first_nak_number},
                     Field{"lastNakNumber", &ReplayCommand::last_nak_number});
};
template <>
struct FieldsOf<MessageDispatchNotification> {
  static constexpr auto kFields = command_fields(
      Field{"consumerId", &MessageDispatchNotification::consumer_id},
      Field{"destination", &MessageDispatchNotification::destination},
      Field{"deliverySequenceId", &MessageDispatchNotification::delivery_sequence_id},
      Field{"messageId", &MessageDispatchNotification::message_id});
};
template <>
struct FieldsOf<NetworkBridgeFilter> {
  static constexpr auto kFields =
      std::make_tuple(Field{"networkTTL", &NetworkBridgeFilter::network_ttl, 1, 10},
                      Field{"networkBrokerId", &NetworkBridgeFilter::network_broker_id},
                      Field{"messageTTL", &NetworkBridgeFilter::message_ttl, 10},
                      Field{"consumerTTL", &NetworkBridgeFilter::consumer_ttl, 10});
};
template <>
struct FieldsOf<BrokerSubscriptionInfo> {
  static constexpr auto kFields =
      command_fields(Field{"brokerId", &BrokerSubscriptionInfo::broker_id, 12},
                     Field{"brokerName", &BrokerSubscriptionInfo::broker_name, 12},
                     Field{"subscriptionInfos", &BrokerSubscriptionInfo::subscription_infos, 12});
};

}  // namespace pabal::openwire
