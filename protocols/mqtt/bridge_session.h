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
///                   its digest: a peer that has lost a part of its memory uses the id again
///   o/<packet id>   one to the peer: "p <place> <key>" (outgoing.h): PUBREC is missing; or
///                   "r <n> <place> <key>": PUBREC came, as the nth, and PUBCOMP is missing
///   s               what the peer has granted: its filters, a line each, to be taken back one day
///   u               whose session at the peer all this belongs to: "<remote> <client id>"
/// Unlike a client of ours, the peer owes us its answers: a message counts as forwarded, and is
/// acknowledged to core, with PUBACK or PUBCOMP. With PUBREC would be too early: a peer that has
/// taken a message of QoS 2 may forget it when it dies before PUBREL.
class BridgeSession final : public protocols::Session {
 public:
  BridgeSession(const BridgeOptions& options, BridgeStatus& status, BridgeCourse& course,
                const protocols::PeerInfo& peer, LoopCache::Clock clock);

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
  static constexpr std::uint32_t kNeverExpires = 0xFFFF'FFFF;  // Session Expiry Interval

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
    bool begun = false;            ///< settle: the peer may know of it, under its packet id
    std::uint16_t packet_id = 0;
    ReasonCode reason = ReasonCode::success;  ///< PUBLISH: an error: it is not for here
    std::uint64_t digest = 0;                 ///< PUBLISH of QoS 2
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
  void resume(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void resume_one(std::string_view key, std::string_view value,
                  std::map<std::uint64_t, std::uint16_t>& releases);
  /// Whether there was something.
  bool forget_all(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  /// What began on an earlier connection and will not come again (its route is no more, it has
  /// expired or was deleted) is ended: or its id could never be used again.
  void end_what_will_not_come(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  /// PUBREL, and nothing behind it but the id.
  void release_id(std::uint16_t packet_id, const DeliveryKey& key, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  void forget_id(std::uint16_t packet_id, core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void subscribe_here(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void subscribe_there(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  std::uint16_t take_own_id();
  void ask(const Packet& packet);
  void note_granted(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void take_grant(const BridgeRoute& route, ReasonCode reason);
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
  /// The peer said no: for good, and the message is a dead letter, or the connection ends and it is
  /// tried again.
  void take_refusal(const Outgoing& entry, std::uint16_t packet_id, ReasonCode reason,
                    core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);

  // --- in --------------------------------------------------------------------------------------
  void answer_publish(QoS qos, std::uint16_t packet_id, const core::Outcome& outcome);
  void answer(PacketType type, std::uint16_t packet_id, core::Ticket after,
              ReasonCode reason = ReasonCode::success);

  // --- out -------------------------------------------------------------------------------------
  /// False: it has to wait. `waited`: it did.
  bool start_delivery(const core::Delivery& delivery, bool waited, protocols::Output& output);
  /// They are on their way, and core does not know.
  void count_bytes(std::uint16_t packet_id, const core::Message& message);
  void uncount_bytes(std::uint16_t packet_id);
  void send_waiting(protocols::Output& output);
  [[nodiscard]] QoS qos_for(const core::Delivery& delivery) const;
  [[nodiscard]] bool is_not_for_the_peer(const core::Delivery& delivery);
  /// Why it cannot be forwarded; empty: it was appended.
  std::string append_publish(const core::Delivery& delivery, QoS qos, std::uint16_t packet_id,
                             bool dup, std::string& out);
  [[nodiscard]] std::string given_up(const core::Delivery& delivery);
  /// A delivery that began on an earlier connection goes on.
  void continue_delivery(const core::Delivery& delivery, std::uint16_t packet_id,
                         protocols::Output& output);
  /// `begun`: the peer may know of it. `why_not`: it is a dead letter; empty: it is done.
  void settle(const core::Delivery& delivery, std::uint16_t packet_id, bool begun,
              std::string why_not);
  void note_answer() noexcept;
  /// The peer ends the connection; with a `reason`, if it said one.
  void judge_end(ReasonCode reason);
  void suspect(const Outgoing& entry, bool is_certain, std::string_view why);
  [[nodiscard]] std::uint32_t in_flight_limit() const noexcept {
    return careful_ ? 1 : in_flight_max_;
  }
  void note_delivery(Outgoing& entry, const core::Delivery& delivery);
  [[nodiscard]] DeliveryKey key_of(const core::Delivery& delivery) const {
    return {delivery.message->origin(), delivery.message->sequence(),
            route_of(delivery.tag).local_filter()};
  }
  void finish(std::uint16_t packet_id);
  [[nodiscard]] const BridgeRoute& route_of(std::uint64_t tag) const {
    return options_.out[static_cast<std::size_t>(tag - 1)];
  }

  // --- encoding --------------------------------------------------------------------------------
  void flush_replies(protocols::Output& output);
  void encode_answer(Answer& each, protocols::Output& output);
  /// Ends this connection; what was not answered comes again on the next one.
  void fail(std::string_view text);
  /// What went wrong, and does not end the connection.
  void complain(std::string_view text);
  [[nodiscard]] std::string connect_packet() const;

  const BridgeOptions& options_;
  BridgeStatus& status_;
  BridgeCourse& course_;
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
  core::Ticket begun_ = core::kNoTicket;  // what is asked of a new session waits for this
  std::uint64_t origin_ = 0;
  std::uint64_t sequence_ = 0;
  core::ReplyToken token_ = 0;

  // What CONNACK said.
  QoS qos_max_ = QoS::exactly_once;
  bool takes_retained_ = true;
  std::uint32_t session_expiry_ = kNeverExpires;  // that it grants, in seconds
  std::uint16_t keep_alive_;
  std::uint32_t packet_bytes_max_ = kPacketBytesMax;
  std::uint32_t in_flight_max_;

  // In.
  std::vector<std::string> remote_filters_;          // of options_.in, in core's spelling
  std::map<std::uint16_t, std::uint64_t> incoming_;  // QoS 2, PUBREL is missing: digests
  core::Ring<Parked> parked_;                        // bounded by the engine's parked_bytes_max
  std::string asked_;                                // the attachment "s"
  bool granted_ = true;                              // all that was asked for on this connection
  std::uint16_t subscribe_id_ = 0;
  std::uint16_t unsubscribe_id_ = 0;

  // Out.
  PublishEncoder encoder_;
  OutgoingTable outgoing_;
  std::uint64_t released_ = 0;  // PUBRELs of the session; their order, when it is resumed
  std::uint32_t in_flight_ = 0;
  std::uint64_t unanswered_bytes_ = 0;             // of Outgoing::bytes
  std::multimap<DeliveryKey, Expected> expected_;  // ids of what began on an earlier connection
  std::set<std::uint16_t> completed_;              // of them: PUBCOMP came before the message
  std::set<std::uint16_t> orphans_;                // released, and no message behind them
  core::Ring<core::Delivery> waiting_;             // QoS 1 and 2: bounded by core's in_flight_max
  bool careful_ = false;                           // one at a time, until the first is answered
  bool answered_ = false;                          // anything of QoS 1 or 2, on this connection

  std::string replies_;
  core::Ticket replies_after_ = core::kNoTicket;
};

}  // namespace pabal::mqtt
