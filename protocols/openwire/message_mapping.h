#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/message.h"
#include "core/result.h"
#include "core/schedule.h"
#include "protocols/openwire/command.h"

// Messages of OpenWire as messages of core, and back. Body and properties stay in the bytes in
// which they came (core::Encoding::openwire), so that an OpenWire consumer gets them back as they
// were; selectors and the other protocols read them there. All pairs: protocols/MAPPING.md.
//
//   core                         OpenWire
//   body, Encoding::openwire     content, as it came; empty: null
//   properties, same encoding    marshalledProperties, as they came; empty: null
//   foreign_id                   messageId: `connectionId:sessionId:value:sequence`, or its
//   textView of a blob, body              remoteBlobUrl, mimeType, deletedByBroker
//
// Source: reference/openwire.md §2.2, §4.5, §5, §6.20; reference/mqtt.md C1, C2.

namespace pabal::openwire {

/// Where the texts live that are made for a MessageBuilder, until it has built. Reused.
struct IncomingScratch {
  std::string destination, reply_to, id, correlation, type, group, blob, text;
};

/// What fill_message() found beside the message.
struct Incoming {
  /// AMQ_SCHEDULED_*, if there is any; see core::SendOptions::schedule.
  std::shared_ptr<core::ScheduleRequest> schedule;
};

/// Fills `builder`, but for origin and sequence, which are the session's to give. What only a
/// broker may say (original destination, user, counters, target consumer) is left out. Views go to
/// `message` and `scratch`. Errors: invalid_argument: there is no destination or id, or body or
/// properties make no sense.
core::Result<Incoming> fill_message(core::MessageBuilder& builder, const Message& message,
                                    IncomingScratch& scratch);

/// Where the texts live that are made for the wire, until the frame is written. Reused.
struct OutgoingScratch {
  std::string destination, reply_to, original, id, own_id, correlation, type, group, user;
  std::string content, properties;
  std::vector<core::Property> list;
};

/// The message for a consumer, as in MessageDispatch. `place`: core::Delivery::destination, may be
/// null. Of what differs from delivery to delivery (brokerSequenceId, redeliveryCounter, times,
/// jmsXGroupFirstForConsumer) nothing is set. Views go to `message`, `place` and `scratch`.
Message wire_message(const core::Message& message, const core::Destination* place,
                     OutgoingScratch& scratch);

/// Adds the property with which ActiveMQ's redelivery plugin marks what it sends again, for the
/// client to show it to its application whatever its own policy says. Its value, there the delay in
/// ms, is 0. `message` is what wire_message() made with `scratch`.
void say_it_comes_again(Message& message, OutgoingScratch& scratch);

/// The kinds of destination under their type codes.
core::DestinationKind kind_of(DestinationType type) noexcept;
DestinationType type_of(core::DestinationKind kind) noexcept;

/// `connectionId:sessionId:value:sequence`, as clients write a message id; modified UTF-8.
void append_id_text(std::string& out, const MessageId& id);
/// The id that has this text, or nullopt: it is no such text.
std::optional<MessageId> read_id_text(std::string_view text) noexcept;

}  // namespace pabal::openwire
