#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "protocols/mqtt/packet.h"

namespace pabal::mqtt {

enum class CommandKind : std::uint8_t {
  connect,
  publish,
  puback,
  pubrec,
  pubrel,
  pubcomp,
  subscribe,
  unsubscribe,
  pingreq,
  disconnect,
  auth,
  failed,  ///< what cannot be read on, or is against the protocol: the connection ends
  // Not packets: what encoding a delivery has to tell the engine.
  begin_delivery,  ///< QoS 2 of a kept session: its packet id must be durable before it leaves
  settle,          ///< sent, and nothing will come back; or never to be sent
};

struct ConnectRequest {
  Level level{};
  bool clean_start = false;
  std::string client_id;
  std::string user;
  std::uint16_t keep_alive = 0;
  std::optional<std::chrono::seconds> session_expiry = std::chrono::seconds(0);  ///< none: never
  std::uint32_t receive_maximum = 65'535;
  std::uint32_t packet_bytes_max = kPacketBytesMax;
  std::uint16_t topic_alias_maximum = 0;
  ReasonCode refusal = ReasonCode::success;  ///< an error: it is refused for that
  std::string authentication_method;         ///< for CONNACK; empty: none
  std::string authentication_data;
  std::shared_ptr<core::Will> will;
};

/// One filter of a SUBSCRIBE.
struct FilterRequest {
  std::string filter;
  QoS qos{};
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling{};
};

struct SubscribeRequest {
  std::uint32_t subscription_id = 0;  ///< 0: none
  std::vector<FilterRequest> filters;
};

/// One packet, read and owned, on its way into the engine.
struct Command {
  CommandKind kind = CommandKind::failed;
  QoS qos{};
  bool incomplete = false;  ///< PUBLISH: its message still needs the connection's origin
  std::uint16_t packet_id = 0;
  ReasonCode reason = ReasonCode::success;
  std::optional<std::uint32_t> session_expiry;  ///< DISCONNECT
  core::MessageRef message;                     ///< PUBLISH; null: it is refused for `reason`
  std::string text;                             ///< failed: for people; auth: the packet to send
  std::unique_ptr<ConnectRequest> connect;
  std::unique_ptr<SubscribeRequest> subscribe;
  std::unique_ptr<std::vector<std::string>> unsubscribe;
  std::unique_ptr<core::Delivery> delivery;
};

/// What apply() has to say to the peer.
struct Answer {
  enum class Kind : std::uint8_t { acknowledgement, bytes, barrier, at_once, publish, close };
  Kind kind{};
  PacketType type{};  ///< acknowledgement
  ReasonCode reason = ReasonCode::success;
  std::uint16_t packet_id = 0;
  core::Ticket after = core::kNoTicket;
  std::string bytes;  ///< a packet; barrier: nothing passes it; at_once: it passes what waits
  std::unique_ptr<core::Delivery> delivery;
};

/// What one decode() leaves for apply(), and that for encode_outcomes(). Reused by other sessions
/// of the loop, so that an idle session owns none.
struct Batch {
  std::vector<Command> commands;
  std::vector<Answer> answers;

  void clear() noexcept {
    commands.clear();
    answers.clear();
  }
  /// Grown by something unusual; not worth keeping.
  [[nodiscard]] bool is_large() const noexcept {
    return commands.capacity() > 4096 || answers.capacity() > 4096;
  }
};

}  // namespace pabal::mqtt
