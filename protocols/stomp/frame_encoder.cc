#include "protocols/stomp/frame_encoder.h"

#include <cstring>

#include "protocols/content/binary_correlation.h"
#include "protocols/stomp/headers.h"
#include "protocols/stomp/jms_types.h"
#include "protocols/stomp/text.h"
#include "protocols/stomp/transformation.h"

namespace pabal::stomp {
namespace {

constexpr std::string_view kTransformation = "transformation";

void append_header(std::string& out, std::string_view name_and_colon, std::string_view value,
                   Version version) {
  out += name_and_colon;
  append_escaped(out, value, version);
  out += '\n';
}

template <class Number>
void append_number_header(std::string& out, std::string_view name_and_colon, Number value) {
  out += name_and_colon;
  append_number(out, value);
  out += '\n';
}

void append_address(std::string& out, std::string_view name_and_colon, const core::Address& address,
                    Version version, const TemporaryNames* own) {
  out += name_and_colon;
  if (address.kind) {
    append_destination(out, *address.kind, address.name, version, own);
  } else {
    append_escaped(out, address.name, version);
  }
  out += '\n';
}

/// A property as text; nullopt for kinds that have none.
void append_property(std::string& out, const core::Property& property, Version version) {
  switch (property.type) {
    case core::PropertyType::null:
    case core::PropertyType::bytes:
    case core::PropertyType::list:
    case core::PropertyType::map:
      return;
    default:
      break;
  }
  // The first header of a name wins, but one that would stand beside ours confuses people. A header
  // without a name, which only other protocols can have, would break the client's parser.
  if (property.name.empty() || is_server_header(property.name)) return;
  std::string scratch;
  append_escaped(out, property.utf8_name(scratch), version);
  out += ':';
  if (property.type == core::PropertyType::string) {
    append_escaped(out, property.utf8_text(scratch), version);
  } else {
    scratch.clear();
    property.append_text(scratch);
    append_escaped(out, scratch, version);
  }
  out += '\n';
}

/// `asked`: the subscriber's own word about transformations stands instead of the sender's.
void append_properties(std::string& out, const core::Message& message, Version version,
                       bool asked) {
  core::PropertyReader reader(message);
  while (const auto property = reader.next()) {
    if (asked && property->name == kTransformation) continue;
    append_property(out, *property, version);
  }
}

/// reference/stomp.md §11. Bytes are what they are, whatever was asked for.
void append_transformation(std::string& out, const FrameBody& body, std::string_view asked,
                           Version version) {
  const std::string_view done = body.transformation.empty() ? asked : body.transformation;
  if (!done.empty()) append_header(out, "transformation:", done, version);
  if (!body.error.empty()) append_header(out, "transformation-error:", body.error, version);
}

/// The properties, and what there is to say about the body, which it answers.
FrameBody append_properties_for(std::string& out, const core::Message& message,
                                const MessageView& view, std::string& scratch) {
  const Transformation transformation = read_transformation(view.transformation);
  if (transformation == Transformation::jms_pabal) {
    append_typed_properties(out, message, view.version);
    const FrameBody body = frame_body(message, transformation, scratch);
    if (!body.jms_kind.empty()) {
      out += kJmsBody;
      append_header(out, ":", body.jms_kind, view.version);
    }
    append_transformation(out, body, {}, view.version);
    return body;
  }
  const std::string_view asked =
      message.body_kind() == core::BodyKind::bytes ? std::string_view{} : view.transformation;
  append_properties(out, message, view.version, !asked.empty());
  const FrameBody body = frame_body(message, read_transformation(asked), scratch);
  append_transformation(out, body, asked, view.version);
  return body;
}

bool needs_content_length(const core::Message& message, std::string_view body) noexcept {
  if (message.body_kind() == core::BodyKind::bytes) return true;
  // An object has one, and null has none.
  if (message.body_kind() == core::BodyKind::object) return !body.empty();
  // A text with a NUL would otherwise end the frame early.
  return !body.empty() && std::memchr(body.data(), '\0', body.size()) != nullptr;
}

/// Our own ids have colons, which only 1.0 writes as they are.
void append_message_id(std::string& out, const core::Message& message, Version version) {
  const std::size_t start = out.size();
  message.append_id(out);
  if (version == Version::v1_0 && message.foreign_id().empty()) return;
  char buffer[256];
  const std::size_t size = out.size() - start;
  if (size > sizeof buffer) {
    const std::string id = out.substr(start);
    out.resize(start);
    append_escaped(out, id, version);
    return;
  }
  std::memcpy(buffer, out.data() + start, size);
  out.resize(start);
  append_escaped(out, {buffer, size}, version);
}

bool is_temporary(const std::optional<core::Address>& address) noexcept {
  return address && address->kind && core::is_temporary(*address->kind);
}

}  // namespace

void append_connected(std::string& out, const ConnectedFrame& frame) {
  // STOMP 1.2 "Value Encoding": CONNECTED is not escaped. Nothing here can hold a line end: the
  // values came in an unescaped CONNECT or are our own.
  out += "CONNECTED\nversion:";
  out += to_string(frame.version);
  out += "\nheart-beat:";
  append_number(out, frame.server_sends.count());
  out += ',';
  append_number(out, frame.server_wants.count());
  out += "\nsession:";
  out += frame.session;
  out += "\nserver:";
  out += frame.server;
  if (frame.response_id != nullptr) {
    out += "\nresponse-id:";
    out += *frame.response_id;
    out += "\nreceipt-id:";
    out += *frame.response_id;
  }
  out += "\n\n";
  out += kFrameEnd;
}

void append_receipt(std::string& out, std::string_view receipt_id, Version version,
                    std::string_view vote) {
  out += "RECEIPT\nreceipt-id:";
  append_escaped(out, receipt_id, version);
  if (!vote.empty()) {
    out += "\nxa:";
    out += vote;
  }
  out += "\n\n";
  out += kFrameEnd;
}

void append_branches(std::string& out, std::string_view receipt_id, Version version,
                     std::string_view xids, bool more) {
  out += "RECEIPT\n";
  append_header(out, "receipt-id:", receipt_id, version);
  append_header(out, "xids:", xids, version);
  if (more) out += "more:true\n";
  out += '\n';
  out += kFrameEnd;
}

void append_error(std::string& out, const ErrorFrame& frame, Version version) {
  std::string body;
  if (!frame.command.empty()) {
    body += frame.command;
    body += ": ";
  }
  body += frame.message;
  body += '\n';
  if (!frame.detail.empty()) {
    body += frame.detail;
    body += '\n';
  }
  out += "ERROR\n";
  append_header(out, "message:", frame.message, version);
  if (frame.receipt_id != nullptr) append_header(out, "receipt-id:", *frame.receipt_id, version);
  if (frame.lists_versions) out += "version:1.2,1.1,1.0\n";
  out += "content-type:text/plain\n";
  append_number_header(out, "content-length:", body.size());
  out += '\n';
  out += body;
  out += kFrameEnd;
}

std::string_view append_common_headers(std::string& out, const core::Message& message,
                                       const core::Destination* place, const MessageView& view,
                                       std::string& scratch) {
  const Version version = view.version;
  const TemporaryNames* const own = view.own;
  out += "destination:";
  if (place != nullptr) {
    append_destination(out, place->kind, place->name, version, own);
  } else {
    append_destination(out, message.destination_kind(), message.destination_name(), version, own);
  }
  out += "\nmessage-id:";
  append_message_id(out, message, version);
  append_number_header(out, "\nexpires:", message.expiration());
  append_number_header(out, "priority:", static_cast<int>(message.priority()));
  append_number_header(out, "timestamp:", message.timestamp());
  if (message.persistent()) out += "persistent:true\n";
  if (!message.correlation().empty()) {
    if (message.correlation_is_bytes()) {
      std::string text;
      content::append_binary_correlation(text, message.correlation());
      append_header(out, "correlation-id:", text, version);
    } else {
      append_header(out, "correlation-id:", message.correlation(), version);
    }
  }
  if (const auto reply_to = message.reply_to()) {
    append_address(out, "reply-to:", *reply_to, version, own);
  }
  if (!message.type().empty()) append_header(out, "type:", message.type(), version);
  if (const auto group = message.group_id(); !group.empty()) {
    append_header(out, "JMSXGroupID:", group, version);
    append_number_header(out, "JMSXGroupSeq:", message.group_sequence());
  }
  if (!message.user_id().empty()) append_header(out, "JMSXUserID:", message.user_id(), version);
  // reference/stomp.md §6: what was sent elsewhere says where.
  const auto original =
      place != nullptr
          ? std::optional(core::Address{message.destination_kind(), message.destination_name()})
          : message.original_destination();
  if (original) {
    append_address(out, "original-destination:", *original, version, own);
  }
  if (!message.content_type().empty()) {
    append_header(out, "content-type:", message.content_type(), version);
  }
  const FrameBody body = append_properties_for(out, message, view, scratch);
  if (needs_content_length(message, body.body)) {
    append_number_header(out, "content-length:", body.body.size());
  }
  return body.body;
}

bool names_a_temporary(const core::Message& message, const core::Destination* place) noexcept {
  return core::is_temporary(message.destination_kind()) ||
         (place != nullptr && core::is_temporary(place->kind)) ||
         is_temporary(message.reply_to()) || is_temporary(message.original_destination());
}

}  // namespace pabal::stomp
