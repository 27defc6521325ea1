#include "protocols/stomp/headers.h"

namespace pabal::stomp {

SendHeader classify_send_header(std::string_view name) noexcept {
  using enum SendHeader;
  switch (name.size()) {
    case 3:
      if (name == "ack") return dropped;
      break;
    case 4:
      if (name == "type") return type;
      break;
    case 7:
      if (name == "receipt") return receipt;
      if (name == "expires") return expires;
      break;
    case 8:
      if (name == "priority") return priority;
      if (name == "reply-to") return reply_to;
      break;
    case 9:
      if (name == "timestamp") return timestamp;
      break;
    case 10:
      if (name == "persistent") return persistent;
      if (name == "expiration") return expiration;
      if (name == "message-id" || name == "JMSXUserID" || name == "receipt-id") return dropped;
      break;
    case 11:
      if (name == "destination") return destination;
      if (name == "transaction") return transaction;
      if (name == "JMSXGroupID") return group_id;
      if (name == "redelivered") return dropped;
      if (name == "producer-id") return producer_id;
      break;
    case 12:
      if (name == "content-type") return content_type;
      if (name == "amq-msg-type") return message_type;
      if (name == "JMSXGroupSeq") return group_sequence;
      if (name == "subscription") return dropped;
      break;
    case 14:
      if (name == "content-length") return content_length;
      if (name == "correlation-id") return correlation_id;
      if (name == "transformation") return transformation;
      if (name == "JMS_Pabal_Body") return jms_body;
      break;
    case 15:
      if (name == "JMS_Pabal_Types") return jms_types;
      break;
    case 17:
      if (name == "producer-sequence") return producer_sequence;
      if (name == "JMSXDeliveryCount") return dropped;
      break;
    case 19:
      if (name == "JMS_Pabal_MessageID") return foreign_id;
      break;
    case 25:
      if (name == "JMSXGroupFirstForConsumer") return dropped;  // the broker's to say
      break;
    default:
      break;
  }
  if (name.starts_with("AMQ_SCHEDULED_")) return scheduled;
  if (name.starts_with("JMS_Pabal_Property_")) return jms_property;
  return property;
}

bool is_server_header(std::string_view name) noexcept {
  switch (name.size()) {
    case 3:
      return name == "ack";
    case 7:
      return name == "expires";
    case 8:
      return name == "priority";
    case 9:
      return name == "timestamp";
    case 10:
      return name == "message-id" || name == "persistent" || name == "receipt-id" ||
             name == "JMSXUserID";
    case 11:
      return name == "destination" || name == "redelivered" || name == "JMSXGroupID";
    case 12:
      return name == "subscription" || name == "JMSXGroupSeq";
    case 14:
      return name == "content-length";
    case 17:
      return name == "JMSXDeliveryCount";
    case 25:
      return name == "JMSXGroupFirstForConsumer";
    default:
      return false;
  }
}

}  // namespace pabal::stomp
