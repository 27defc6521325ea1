#pragma once

#include <string>
#include <string_view>

#include "core/message.h"
#include "protocols/stomp/destinations.h"
#include "protocols/stomp/session_options.h"
#include "protocols/stomp/version.h"

namespace pabal::stomp {

/// The end of every frame that the server sends: NUL and, as ActiveMQ does, a line end.
inline constexpr std::string_view kFrameEnd{"\0\n", 2};

/// What CONNECTED says.
struct ConnectedFrame {
  Version version{};
  std::string_view session;
  std::string_view server;
  core::milliseconds server_sends{0};
  core::milliseconds server_wants{0};
  const std::string_view* response_id = nullptr;  ///< of a CONNECT with request-id or receipt
};

/// What ERROR says.
struct ErrorFrame {
  std::string_view message;
  std::string_view detail;   ///< one more line of the body, or empty
  std::string_view command;  ///< of the frame at fault, or empty
  const std::string_view* receipt_id = nullptr;
  bool lists_versions = false;  ///< STOMP 1.2 "Protocol Negotiation": the versions we would take
};

void append_connected(std::string& out, const ConnectedFrame& frame);
/// `vote`: the value of its header `xa`, of a transaction that was prepared; else empty.
void append_receipt(std::string& out, std::string_view receipt_id, Version version,
                    std::string_view vote = {});
/// The RECEIPT that lists branches; `more`: there are others behind the last.
void append_branches(std::string& out, std::string_view receipt_id, Version version,
                     std::string_view xids, bool more);
void append_error(std::string& out, const ErrorFrame& frame, Version version);

/// How the receivers of a MESSAGE differ.
struct MessageView {
  Version version{};
  /// The header `transformation` of the subscription; empty: it had none.
  std::string_view transformation{};
  /// With it, the receiver's own temporaries appear under their alias.
  const TemporaryNames* own = nullptr;
};

/// The headers of a MESSAGE that are the same for every receiver with this view, each with its line
/// end, and its body: a view of the message or of `scratch`. `place`: core::Delivery::destination,
/// may be null.
std::string_view append_common_headers(std::string& out, const core::Message& message,
                                       const core::Destination* place, const MessageView& view,
                                       std::string& scratch);
/// Whether append_common_headers() could differ between receivers.
[[nodiscard]] bool names_a_temporary(const core::Message& message,
                                     const core::Destination* place) noexcept;

}  // namespace pabal::stomp
