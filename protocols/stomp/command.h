#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "protocols/stomp/session_options.h"
#include "protocols/stomp/version.h"

namespace pabal::stomp {

/// A piece of Batch::texts. Offsets, because the texts move while they grow.
struct Text {
  static constexpr std::uint32_t kAbsent = UINT32_MAX;
  std::uint32_t offset = kAbsent;
  std::uint32_t size = 0;
  [[nodiscard]] bool present() const noexcept { return offset != kAbsent; }
};

enum class CommandKind : std::uint8_t {
  connect,
  send,
  subscribe,
  unsubscribe,
  ack,
  nack,
  begin,
  commit,
  abort,
  disconnect,
  refused,  ///< a frame that decode() already found fault with
};

/// Which message ACK or NACK is about, before it is looked up.
struct AckTarget {
  std::uint64_t tag = 0;       ///< 1.2: the subscription; 0: the token makes no sense
  std::uint64_t delivery = 0;  ///< 1.2
  Text subscription;           ///< 1.0 (may be absent), 1.1
  Text id;                     ///< as the client wrote it
};

struct ConnectRequest {
  Version version{};
  std::string client_id;
  std::string login;
  std::optional<std::string> response_id;
  core::milliseconds server_sends{0};
  core::milliseconds server_wants{0};
};

/// A destination that a frame names.
struct NamedDestination {
  core::Destination destination;
  bool alias = false;  ///< the name is the connection's own of a temporary
};

struct SubscribeRequest {
  std::optional<std::string> id;
  core::SubscribeOptions options;              ///< with one interest, which has no destination yet
  std::vector<NamedDestination> destinations;  ///< of a composite: several
  bool cumulative = false;                     ///< ack:client
  std::string transformation;                  ///< the header of that name
  std::optional<std::uint32_t> window;  ///< nothing but the prefetch of that `id` is to change
};

struct UnsubscribeRequest {
  std::optional<std::string> id;
  std::vector<NamedDestination> destinations;  ///< 1.0 without id; of a deletion: the one
  std::string durable_name;
  bool deletes = false;  ///< the temporary goes, and not a subscription
  std::optional<core::DeliveryId>
      seen;  ///< the last that the client's application has had; 0: none
};

/// What the header `xa` asks for, of BEGIN, COMMIT or ABORT.
enum class XaVerb : std::uint8_t {
  none,
  join,
  resume,
  end,
  suspend,
  fail,
  prepare,
  one_phase,
  forget,
  recover
};

/// The header `xa` of a prepare's RECEIPT.
constexpr std::string_view vote_text(core::XaCode vote) noexcept {
  return vote == core::XaCode::read_only ? "read-only" : "ok";
}

/// Headers `xid` and `xa`.
struct XaRequest {
  std::optional<core::Xid> xid;
  XaVerb verb = XaVerb::none;
};

/// One frame, read and owned, on its way into the engine.
struct Command {
  CommandKind kind = CommandKind::refused;
  CommandKind frame = CommandKind::refused;  ///< refused: what it was to become
  bool fatal = false;                        ///< refused: the connection ends
  bool lists_versions = false;
  bool requeue = false;     ///< NACK
  bool incomplete = false;  ///< SEND: the message still needs its origin or a temporary's name
  bool destination_alias = false;
  bool reply_to_alias = false;
  Text receipt;
  Text transaction;
  Text text;    ///< refused: the error; NACK: the cause
  Text detail;  ///< refused: one more line
  AckTarget target;
  core::MessageRef message;
  std::shared_ptr<core::ScheduleRequest> schedule;  ///< SEND: its AMQ_SCHEDULED_*; null: none
  std::shared_ptr<const core::ProducerSequence> identity;  ///< SEND
  std::unique_ptr<std::vector<NamedDestination>> targets;  ///< SEND to a composite
  std::unique_ptr<ConnectRequest> connect;
  std::unique_ptr<SubscribeRequest> subscribe;
  std::unique_ptr<UnsubscribeRequest> unsubscribe;
  std::unique_ptr<XaRequest> xa;
};

enum class AnswerKind : std::uint8_t { connected, receipt, error, close };

/// What apply() has to say to the peer.
struct Answer {
  AnswerKind kind{};
  CommandKind command = CommandKind::refused;
  bool barrier = false;  ///< receipt of a durable SUBSCRIBE: deliveries come behind it
  bool close = false;
  bool lists_versions = false;
  core::Ticket after = core::kNoTicket;
  Text receipt;  ///< connected: the response-id
  Text text;
  Text detail;
  core::XaCode vote = core::XaCode::ok;  ///< receipt of a prepare, which has one
  bool votes = false;
  bool lists =
      false;  ///< receipt of a recover: `text` names branches, `detail` says if there are more
};

/// What one decode() leaves for apply(), and that for encode_outcomes(). Reused by other sessions
/// of the loop, so that an idle session owns none.
struct Batch {
  std::vector<Command> commands;
  std::vector<Answer> answers;
  std::string texts;

  Text keep(std::string_view text) {
    const Text kept{static_cast<std::uint32_t>(texts.size()),
                    static_cast<std::uint32_t>(text.size())};
    texts += text;
    return kept;
  }
  [[nodiscard]] std::string_view view(Text text) const noexcept {
    if (!text.present()) return {};
    return std::string_view(texts).substr(text.offset, text.size);
  }
  void clear() noexcept {
    commands.clear();
    answers.clear();
    texts.clear();
  }
  /// Grown by something unusual; not worth keeping.
  [[nodiscard]] bool is_large() const noexcept {
    return commands.capacity() > 4096 || answers.capacity() > 4096 || texts.capacity() > 1 << 20;
  }
};

}  // namespace pabal::stomp
