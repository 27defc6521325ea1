#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/ring.h"
#include "protocols/mqtt/bridge.h"
#include "protocols/mqtt/outgoing.h"
#include "protocols/mqtt/packet.h"
#include "protocols/mqtt/publish_encoder.h"
#include "protocols/session.h"

namespace pabal::mqtt {

/// The state machine behind make_bridge_session(): a client of the peer, and of this engine.
///
///   starting ──CONNECT──▶ waiting ──CONNACK──▶ connected ──any fault──▶ closed
///
/// Whatever goes wrong ends the connection and nothing else: the session here and the one at the
/// peer go on with the next one. The session of core has these attachments:
///   i/<packet id>   a PUBLISH of QoS 2 from the peer that was taken: PUBREL is missing
///   o/<packet id>   one to the peer: "p <origin> <sequence> <filter>": PUBREC is missing; or
///                   "r <n> <origin> <sequence> <filter>": PUBREC came, as the nth, and PUBCOMP is
///                   missing
///   s               what the peer has been asked for: its filters, a line each
/// Unlike a client of ours, the peer owes us its answers: a message counts as forwarded, and is
/// acknowledged to core, with PUBACK or PUBCOMP. With PUBREC would be too early: a peer that has
/// taken a message of QoS 2 may forget it when it dies before PUBREL.
class BridgeSession final : public protocols::Session {
 public:
  BridgeSession(const BridgeOptions& options, BridgeStatus& status, const protocols::PeerInfo& peer,
                LoopCache::Clock clock);

  void decode(std::span<const char> bytes, core::TimePoint now) override;
  [[nodiscard]] bool has_commands() const noexcept override { return !commands_.empty(); }
  void apply(core::Engine& engine, core::TimePoint now) override PABAL_REQUIRES(core::engine_role);
  void disconnect(core::Engine& engine, core::TimePoint now) override
      PABAL_REQUIRES(core::engine_role);
  void encode_outcomes(protocols::Output& output) override;
  void encode_delivery(const core::Delivery& delivery, protocols::Output& output) override;
  void encode_reply(const core::Reply& reply, protocols::Output& output) override;
  void encode_farewell(protocols::Farewell why, std::string_view reason,
                       protocols::Output& output) override;
  [[nodiscard]] std::optional<core::ConnectionId> connection() const noexcept override {
    return connection_;
  }
  std::optional<core::milliseconds> on_timer(core::milliseconds idle_in,
                                             core::milliseconds idle_out,
                                             protocols::Output& output) override;
  [[nodiscard]] std::string describe() const override;

 private:
  enum class State : std::uint8_t { starting, waiting, connected, closed };
  enum class Kind : std::uint8_t {
    connack,
    publish,
    puback,
    pubrec,
    pubrel,
    pubcomp,
    suback,
    unsuback,
    failed,
    begin_delivery,  ///< QoS 2: its packet id must be durable before it leaves
    settle,          ///< nothing will come back for it; with a text it is a dead letter
  };
  struct Command {
    Kind kind{};
    QoS qos{};
    bool session_present = false;  ///< CONNACK
    bool incomplete = false;       ///< PUBLISH: its message still needs the connection's origin
    std::uint16_t packet_id = 0;
    ReasonCode reason = ReasonCode::success;  ///< PUBLISH: an error: it is not for here
    core::MessageRef message{};
    std::string text{};
    std::optional<core::Delivery> delivery{};
  };
  /// What apply() has to say to the peer.
  struct Answer {
    std::string bytes;
    core::Ticket after = core::kNoTicket;
    std::uint16_t publish_id = 0;  ///< not 0: the PUBLISH of `delivery` under this id
    std::optional<core::Delivery> delivery{};
  };
  /// A PUBLISH of the peer that waits for room; Reply brings its end.
  struct Parked {
    core::ReplyToken token = 0;
    std::uint16_t packet_id = 0;
    QoS qos{};
  };
  struct DeliveryKey {
    std::uint64_t origin = 0;
    std::uint64_t sequence = 0;
    std::string filter;
    friend auto operator<=>(const DeliveryKey&, const DeliveryKey&) = default;
  };

  // --- reading ---------------------------------------------------------------------------------
  void read_packet(const Packet& packet, core::TimePoint now);
  void read_connack(const Connack& packet);
  void read_publish(const Publish& packet, core::TimePoint now);
  void read_acknowledgement(Kind kind, std::uint16_t packet_id, ReasonCode reason);
  void fail_reading(std::string_view text);
  Command& add(Kind kind);

  // --- applying --------------------------------------------------------------------------------
  void apply_one(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_connack(const Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void resume(bool session_present, core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void resume_one(std::string_view key, std::string_view value,
                  std::map<std::uint64_t, std::uint16_t>& releases);
  void release_orphans(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void subscribe_here(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void subscribe_there();
  void apply_suback(const Command& command, core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void apply_publish(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pubrel(const Command& command, core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void apply_puback(const Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pubrec(const Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pubcomp(const Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_begin_delivery(Command& command, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  void apply_settle(const Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  /// The peer said no. True: for good, and the message is a dead letter; false: the connection ends
  /// and it is tried again.
  bool take_refusal(const Outgoing& entry, std::uint16_t packet_id, ReasonCode reason,
                    core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);

  // --- in --------------------------------------------------------------------------------------
  void answer_publish(QoS qos, std::uint16_t packet_id, const core::Outcome& outcome);
  void answer(PacketType type, std::uint16_t packet_id, core::Ticket after,
              ReasonCode reason = ReasonCode::success);

  // --- out -------------------------------------------------------------------------------------
  void start_delivery(const core::Delivery& delivery, protocols::Output& output);
  void send_waiting(protocols::Output& output);
  /// Why it cannot be forwarded; empty: it was appended.
  std::string append_publish(const core::Delivery& delivery, QoS qos, std::uint16_t packet_id,
                             bool dup, std::string& out);
  /// A delivery that began on an earlier connection goes on.
  void continue_delivery(const core::Delivery& delivery, std::uint16_t packet_id,
                         protocols::Output& output);
  void settle(const core::Delivery& delivery, std::uint16_t packet_id, std::string why_not);
  void note_delivery(Outgoing& entry, const core::Delivery& delivery);
  void finish(std::uint16_t packet_id);
  [[nodiscard]] const BridgeRoute& route_of(std::uint64_t tag) const {
    return options_.out[static_cast<std::size_t>(tag - 1)];
  }

  // --- encoding --------------------------------------------------------------------------------
  void flush_replies(protocols::Output& output);
  void encode_answer(Answer& each, protocols::Output& output);
  void fail(std::string_view text);
  [[nodiscard]] std::string connect_packet() const;

  const BridgeOptions& options_;
  BridgeStatus& status_;
  const protocols::PeerInfo peer_;
  const LoopCache::Clock clock_;
  PacketParser parser_;
  State state_ = State::starting;
  bool reads_connected_ = false;
  bool reading_ended_ = false;
  bool left_ = false;  // the engine has been told that the connection ended
  bool ping_sent_ = false;
  std::vector<Command> commands_;
  std::vector<Answer> answers_;

  std::optional<core::ConnectionId> connection_;
  std::uint64_t origin_ = 0;
  std::uint64_t sequence_ = 0;
  core::ReplyToken token_ = 0;

  // What CONNACK said.
  QoS qos_max_ = QoS::exactly_once;
  bool takes_retained_ = true;
  std::uint16_t keep_alive_;
  std::uint32_t packet_bytes_max_ = kPacketBytesMax;
  std::uint32_t in_flight_max_;

  // In.
  std::vector<std::string> remote_filters_;  // of options_.in, in core's spelling
  std::set<std::uint16_t> incoming_;         // QoS 2: PUBREL is missing
  core::Ring<Parked> parked_;                // bounded by the engine's parked_bytes_max
  std::string asked_;                        // the attachment "s"
  std::uint16_t subscribe_id_ = 0;
  std::uint16_t unsubscribe_id_ = 0;

  // Out.
  PublishEncoder encoder_;
  OutgoingTable outgoing_;
  std::uint64_t released_ = 0;  // PUBRELs of the session; their order, when it is resumed
  std::uint32_t in_flight_ = 0;
  std::map<DeliveryKey, std::uint16_t> expected_;  // ids of what began on an earlier connection
  std::set<std::uint16_t> completed_;              // of them: PUBCOMP came before the message
  std::set<std::uint16_t> orphans_;                // the same, of routes that are no more
  core::Ring<core::Delivery> waiting_;             // bounded by core's in_flight_max

  std::string replies_;
  core::Ticket replies_after_ = core::kNoTicket;
};

}  // namespace pabal::mqtt
