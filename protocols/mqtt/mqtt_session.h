#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/engine.h"
#include "core/ring.h"
#include "protocols/mqtt/command.h"
#include "protocols/mqtt/loop_cache.h"
#include "protocols/mqtt/outgoing.h"
#include "protocols/mqtt/packet_parser.h"
#include "protocols/mqtt/session_options.h"
#include "protocols/mqtt/subscriptions.h"
#include "protocols/session.h"

namespace pabal::mqtt {

/// The state machine behind make_session(), of all three levels. Every packet has a reading half
/// (decode: packet to Command, outside the engine) and an applying half (Command to Answers,
/// inside), both in its handle_….cc and named in the one table of session.cc.
///
///   waiting ──CONNECT applied──▶ connected ──DISCONNECT, error, time-out──▶ closed
///
/// What a session keeps beyond its connection are attachments of core's session:
///   i/<packet id>   a PUBLISH of QoS 2 that was taken: PUBREL is missing
///   o/<packet id>   one that was sent: "p", its place and its key (outgoing.h), or "r <n>": it
///                   was received, as the nth, and PUBCOMP is missing
///   q               ids of QoS 1 that were not answered when the connection ended
///   s/<filter>      a subscription at QoS 0; those above are core's durable ones
///
/// Replies are in one stream that keeps their order; PUBLISH and PINGRESP may pass what of it waits
/// for the store.
class MqttSession final : public protocols::Session {
 public:
  MqttSession(const SessionOptions& options, const protocols::PeerInfo& peer, LoopCache& cache);
  ~MqttSession() override;

  void decode(std::span<const char> bytes, core::TimePoint now) override;
  [[nodiscard]] bool has_commands() const noexcept override;
  void apply(core::Engine& engine, core::TimePoint now) override PABAL_REQUIRES(core::engine_role);
  void disconnect(core::Engine& engine, core::TimePoint now) override
      PABAL_REQUIRES(core::engine_role);
  void encode_outcomes(protocols::Output& output) override;
  void encode_delivery(const core::Delivery& delivery, protocols::Output& output) override;
  void encode_reply(const core::Reply& reply, protocols::Output& output) override;
  void encode_farewell(protocols::Farewell why, std::string_view reason,
                       protocols::Output& output) override;
  [[nodiscard]] std::optional<core::ConnectionId> connection() const noexcept override;
  std::optional<core::milliseconds> on_timer(core::milliseconds idle_in,
                                             core::milliseconds idle_out,
                                             protocols::Output& output) override;
  [[nodiscard]] std::string closing_reason() const override { return closing_reason_; }
  [[nodiscard]] std::string describe() const override;

 private:
  enum class State : std::uint8_t { waiting, connected, closed };
  using Apply = void (MqttSession::*)(Command&, core::Engine&, core::TimePoint);

  /// A PUBLISH that waits for room; Reply brings its end.
  struct Parked {
    core::ReplyToken token = 0;
    std::uint16_t packet_id = 0;
    QoS qos{};
  };

  /// QoS 2, with a packet id that is not durable yet.
  struct Unbegun {
    std::uint16_t packet_id = 0;
    std::unique_ptr<core::Delivery> delivery;
  };

  // --- reading (decode) ------------------------------------------------------------------------
  void read_packet(const Packet& packet, core::TimePoint now);
  void read_connect(const Connect& packet, core::TimePoint now);
  void read_publish(const Publish& packet, core::TimePoint now);
  void read_acknowledgement(CommandKind kind, std::uint16_t packet_id, ReasonCode reason);
  void read_subscribe(const Subscribe& packet);
  void read_unsubscribe(const Unsubscribe& packet);
  void read_disconnect(const Disconnect& packet);
  void read_auth(const Auth& packet);
  void begin_authentication(std::unique_ptr<ConnectRequest> request, std::string_view method,
                            std::string_view data);
  void go_on_authenticating(std::string_view data);
  void send_auth(ReasonCode reason, std::string_view data);
  void let_connect(std::unique_ptr<ConnectRequest> request);
  void fail_reading(ReasonCode reason, std::string_view text);
  /// The topic behind an alias, or the packet's own; nullopt and a failure: none.
  std::optional<std::string_view> resolve_alias(const Publish& packet);

  // --- applying --------------------------------------------------------------------------------
  static Apply apply_of(CommandKind kind) noexcept;
  void apply_connect(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_publish(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pubrel(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_puback(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pubrec(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pubcomp(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_subscribe(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_unsubscribe(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_pingreq(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_disconnect(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_auth(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_failed(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_begin_delivery(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_settle(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // handle_connect.cc
  void refuse_connect(ReasonCode reason, std::string_view text);
  void answer_connect(const ConnectRequest& request, const core::ConnectionDetails& details);
  void resume(core::SessionCompanion* companion, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void take_over(Sent& sent) PABAL_REQUIRES(core::engine_role);
  void expect(std::uint16_t id, DeliveryKey key, std::optional<core::DeliveryPlace> place);
  void resume_attachment(std::string_view key, std::string_view value,
                         std::map<std::uint64_t, std::uint16_t>& releases, core::Engine& engine,
                         core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void resume_subscription(std::string_view filter, std::string_view data, bool durable,
                           core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // handle_subscribe.cc
  ReasonCode subscribe_one(const FilterRequest& request, std::uint32_t subscription_id,
                           core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  std::optional<core::Error> consume(Subscription& subscription, bool retained,
                                     core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void give_up(Subscription& subscription, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // handle_publish.cc
  void answer_publish(QoS qos, std::uint16_t packet_id, const core::Outcome& outcome);
  void refuse_publish(QoS qos, std::uint16_t packet_id, ReasonCode reason, core::Ticket after);

  // handle_acknowledge.cc
  /// What began at QoS 2 on an earlier connection for a filter that is no more, and cannot come
  /// again, is ended with PUBREL: or its id could never be used again.
  void release_orphans(std::string_view filter, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  void finish(std::uint16_t packet_id);
  /// The same of messages that have expired or were deleted, as far as that is known.
  void release_settled(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void begin_waiting(core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  /// False: the session has no room for it.
  bool begin_delivery(std::uint16_t packet_id, std::unique_ptr<core::Delivery>& delivery,
                      core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  /// Takes an attachment away.
  core::Ticket forget(const std::string& key, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  void end_reserved(std::uint16_t packet_id, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);

  /// Ends the connection for a fault of the client: DISCONNECT where there is one, its will is
  /// sent.
  void fail(ReasonCode reason, std::string_view text, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void end(core::Engine& engine, const core::DisconnectOptions& how, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // --- answers ---------------------------------------------------------------------------------
  void answer(PacketType type, std::uint16_t packet_id, core::Ticket after,
              ReasonCode reason = ReasonCode::success);
  Answer& answer_bytes(Answer::Kind kind, std::string bytes, core::Ticket after);
  void answer_close();
  [[nodiscard]] std::string disconnect_packet(ReasonCode reason, std::string_view text) const;
  void encode_answer(Answer& answer, protocols::Output& output);
  void flush_replies(protocols::Output& output);
  void say_last(std::string_view packet, protocols::Output& output);

  // --- deliveries (deliveries.cc) --------------------------------------------------------------
  /// False: it has to wait. `waited`: it did.
  bool start_delivery(const core::Delivery& delivery, bool waited, protocols::Output& output);
  /// They are on their way, and core does not know.
  void count_bytes(std::uint16_t packet_id, const core::Message& message);
  void uncount_bytes(std::uint16_t packet_id);
  void send_unanswered(const core::Delivery& delivery, const Subscription& subscription,
                       protocols::Output& output);
  /// Takes a packet id; 0: there is none, or the session has been taken over.
  std::uint16_t register_delivery(const core::Delivery& delivery, const Subscription& subscription,
                                  QoS qos, bool& again);
  void send_waiting(protocols::Output& output);
  /// False: it is larger than the client takes.
  bool append_publish(const core::Delivery& delivery, const Subscription& subscription, QoS qos,
                      std::uint16_t packet_id, bool dup, bool may_alias, std::string& out);
  void give_up_delivery(const core::Delivery& delivery, std::uint16_t packet_id);
  std::uint16_t packet_id_for(const core::Delivery& delivery, const Subscription& subscription,
                              bool& again);
  [[nodiscard]] bool is_again(const core::Delivery& delivery,
                              const Subscription& subscription) const;

  [[nodiscard]] bool is_v5() const noexcept { return level_ == Level::v5; }
  Batch& batch();

  const SessionOptions& options_;
  LoopCache& cache_;
  const protocols::PeerInfo peer_;

  PacketParser parser_;
  State state_ = State::waiting;
  Level level_ = Level::v5;
  bool reads_connected_ = false;
  bool reading_ended_ = false;  // after DISCONNECT or an error; further bytes are ignored
  std::optional<core::TimePoint> first_bytes_;
  std::unique_ptr<Batch> batch_;
  std::string method_;                              ///< of authentication; empty: none
  std::unique_ptr<Authentication> authentication_;  ///< under way
  std::unique_ptr<ConnectRequest> authenticating_;  ///< waits for it

  std::optional<core::ConnectionId> connection_;
  bool left_ = false;                     // the engine has ended the connection at our word
  bool kept_ = false;                     // the session outlives the connection
  bool expires_with_connection_ = false;  // CONNECT said so: DISCONNECT must not say otherwise
  std::uint64_t origin_ = 0;
  std::uint64_t sequence_ = 0;  // of the last PUBLISH
  core::ReplyToken token_ = 0;
  std::string client_id_;
  std::string user_;
  std::uint16_t keep_alive_ = 0;
  std::uint32_t packet_bytes_max_ = kPacketBytesMax;

  // In.
  std::vector<std::string> aliases_in_;  // by alias - 1
  std::set<std::uint16_t> incoming_;     // QoS 2: PUBREL is missing
  core::Ring<Parked> parked_;            // ascending; bounded by the engine's parked_bytes_max
  std::size_t parked_qos_1_ = 0;         // of them; those of QoS 2 are in incoming_ too

  // Out.
  const std::shared_ptr<Sent> sent_ = std::make_shared<Sent>();
  Subscriptions& subscriptions_ = sent_->subscriptions;
  OutgoingTable& outgoing_ = sent_->outgoing;
  std::uint64_t released_ = 0;  // PUBRELs of the session; their order, when it is resumed
  std::uint32_t in_flight_ = 0;
  std::uint32_t in_flight_max_ = 65'535;
  std::uint64_t unanswered_bytes_ = 0;  // of Outgoing::bytes
  std::multimap<DeliveryKey, Expected>& expected_ = sent_->expected;
  core::Ring<Unbegun> unbegun_;         // the session has no room for their ids; bounded likewise
  bool room_was_made_ = false;          // in the session, since the last of them was tried
  core::Ring<core::Delivery> waiting_;  // bounded by core's in_flight_max
  std::uint16_t topic_alias_maximum_ = 0;
  std::map<std::string, std::uint16_t, std::less<>> aliases_out_;

  // Replies of one batch that wait for the store go out in one piece.
  std::string replies_;
  core::Ticket replies_after_ = core::kNoTicket;
  std::string closing_reason_;
};

/// "i/7" and the like.
std::string attachment_key(char kind, std::uint16_t packet_id);

}  // namespace pabal::mqtt
