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
#include "protocols/openwire/frame_parser.h"
#include "protocols/openwire/loop_cache.h"
#include "protocols/openwire/registry.h"
#include "protocols/openwire/request.h"
#include "protocols/openwire/session_options.h"
#include "protocols/openwire/wire_format.h"
#include "protocols/session.h"

namespace pabal::openwire {

/// The state machine behind make_session(). What is frequent (messages, acknowledgements) is read
/// outside the engine and becomes a Request of its own; all other commands are kept as they came
/// and applied by the function for their type (handle_….cc).
///
///   greeting ──WireFormatInfo read──▶ waiting ──ConnectionInfo applied──▶ connected ──▶ closed
///       └────────── fatal error, time-out ──────┴──────────────────────────────┴──────────▲
///
/// decode() runs ahead of apply(): what begins with `reads_` changes when a command is read,
/// `state_` when it is applied.
class OpenWireSession final : public protocols::Session {
 public:
  OpenWireSession(const SessionOptions& options, const protocols::PeerInfo& peer, LoopCache& cache);
  ~OpenWireSession() override;

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
  [[nodiscard]] bool take_timer_change() noexcept override;
  [[nodiscard]] std::string closing_reason() const override;
  [[nodiscard]] std::string describe() const override;

 private:
  enum class State : std::uint8_t { greeting, waiting, connected, closed };

  /// What a transaction acknowledged: settled when it commits, out again when it rolls back.
  struct Settled {
    std::uint64_t tag = 0;
    core::DeliveryRange range;
  };
  struct Transaction {
    core::TransactionId id{};
    std::vector<Settled> settled;
    std::string doomed_by;  ///< why a send or acknowledgement failed: it can only roll back
    bool joined = true;     ///< XA: this connection works for it; false: after END
    bool prepared = false;  ///< XA, by this connection
    /// XA: it was prepared before the client came back, and repeats what it did in it.
    bool replayed = false;
  };
  /// What asks for an answer, kept apart from the request, which may be parked.
  struct Asker {
    std::int32_t command_id = 0;
    bool response_required = false;
  };
  /// A send or the end of a transaction that waits for room; Reply brings its end.
  struct Parked {
    enum class Kind : std::uint8_t { send, commit, prepare, xa_commit } kind = Kind::send;
    core::ReplyToken token = 0;
    Asker asker;
    ObjectKey producer;              ///< of a send
    std::uint32_t window_bytes = 0;  ///< of a send
    TransactionKey transaction;      ///< of a send or a prepare
    std::vector<Settled> settled;    ///< of a commit
  };

  // --- reading (decode) ------------------------------------------------------------------------
  void read_frame(std::string_view frame, core::TimePoint now);
  void read_greeting(const AnyCommand& command);
  bool admits_before_connected(const AnyCommand& command) const noexcept;
  void read_message(const Message& message);
  void read_ack(const MessageAck& ack);
  void read_keep_alive(const KeepAliveInfo& keep_alive);
  void keep_control(std::string_view frame);
  void refuse_type(std::string_view frame, const CommandHead* head);
  bool read_transaction(const std::optional<TransactionId>& id, TransactionKey& key);
  bool is_own(std::string_view connection_id) const noexcept;
  core::Result<std::shared_ptr<const std::vector<core::Destination>>> read_targets(
      core::MessageBuilder& builder);
  Request& begin_request(Request::Kind kind, const CommandHead& head);
  void refuse(Request& request, std::string_view exception_class, std::string text);
  void fail_reading(std::string text);
  void end_reading() noexcept { reading_ended_ = true; }

  // --- applying --------------------------------------------------------------------------------
  void apply_send(Request& request, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_ack(Request& request, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  /// What a ProducerAck for the message is to give back; 0: none is expected.
  [[nodiscard]] std::uint32_t window_bytes_of(const Request& request) const;
  void apply_refused(Request& request, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_control(Request& request, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // One for each type of command (session.cc has the table).
  void apply_command(ConnectionInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(SessionInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(ProducerInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(ConsumerInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(RemoveInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(DestinationInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(RemoveSubscriptionInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(TransactionInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(MessagePull& pull, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(ConsumerControl& control, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_command(ShutdownInfo& info, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // handle_consumer.cc
  bool read_consumer(const ConsumerInfo& info, core::SubscribeOptions& options,
                     std::vector<core::Destination>& destinations);
  /// `last_delivered`: of RemoveInfo.
  void remove_consumer(const ObjectKey& key, std::int64_t last_delivered, core::Engine& engine,
                       core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void remove_producer(const ObjectKey& key, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  static std::uint32_t prefetch_of(const Consumer& consumer, std::uint32_t wanted,
                                   const core::Engine& engine);
  void set_window(Consumer& consumer, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  /// Answers pulls that nothing has come for.
  void check_pulls(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void answer_pull(Consumer& consumer, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // handle_ack.cc
  void extend_window(Consumer& consumer, std::int32_t count, core::Engine& engine,
                     core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void shrink_window(Consumer& consumer, std::size_t count, core::Engine& engine,
                     core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  std::optional<core::DeliveryRange> range_of(const AckRequest& ack, Consumer& consumer) const;
  static bool is_whole(const AckRequest& ack, const core::DeliveryRange& range, Consumer& consumer);
  void refuse_unmatched(const Request& request, const Transaction& transaction, Consumer& consumer,
                        core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void ignore_ack(const Request& request, std::string_view why);
  void settle(const std::vector<Settled>& settled);

  // handle_transaction.cc
  Transaction* find_transaction(const TransactionKey& key);
  void doom(const TransactionKey& key, std::string_view cause);
  void apply_local(const TransactionInfo& info, std::int64_t value, core::Engine& engine,
                   core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void commit_local(const CommandHead& head, std::int64_t value, core::Engine& engine,
                    core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void apply_xa(const TransactionInfo& info, const core::Xid& xid, core::Engine& engine,
                core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void begin_branch(const CommandHead& head, const core::Xid& xid, core::Engine& engine,
                    core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void end_branch(const CommandHead& head, const core::Xid& xid, bool prepares, bool one_phase,
                  core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  /// What is known here of branches that have ended elsewhere, if there is much.
  void forget_branches(const core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  /// A prepare has got its vote.
  void voted(const core::Xid& xid, const core::Outcome& outcome);
  /// This connection works for the branch no more.
  void leave_branch(const core::Xid& xid, core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void list_in_doubt(const CommandHead& head, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  void answer_xa(const Asker& asker, const core::Outcome& outcome, bool prepares,
                 std::string& bytes) const;
  void append_xa_answer(const CommandHead& head, const core::Outcome& outcome, bool prepares);

  // handle_destination.cc
  void add_destination(const CommandHead& head, const core::Destination& destination,
                       core::Engine& engine) PABAL_REQUIRES(core::engine_role);
  void remove_destination(const CommandHead& head, const core::Destination& destination,
                          core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  /// Ends the connection in the engine, if it has not ended.
  void leave(core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role);
  void hang_up(std::string_view why, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void close_for(std::string_view text, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  // --- answers ---------------------------------------------------------------------------------
  /// A Response, if the command asked for one.
  void confirm(const CommandHead& head, core::Ticket after);
  void confirm(const Asker& asker, core::Ticket after) {
    confirm(CommandHead{asker.command_id, asker.response_required}, after);
  }
  /// An ExceptionResponse, or a ConnectionError.
  void reject(const CommandHead& head, std::string_view exception_class, std::string_view text,
              core::Ticket after = core::kNoTicket);
  void reject(const CommandHead& head, const core::Error& error,
              core::Ticket after = core::kNoTicket);
  void append_error(std::string& out, const Asker& asker, std::string_view exception_class,
                    std::string_view text) const;
  void append_response(std::string& out, const Asker& asker) const;
  void append_producer_ack(std::string& out, const ObjectKey& producer, std::uint32_t bytes) const;
  /// What was appended to the batch since the last piece leaves then.
  void end_piece(core::Ticket after);
  std::string& bytes() { return batch().bytes; }
  Batch& batch();

  const SessionOptions& options_;
  LoopCache& cache_;
  const protocols::PeerInfo peer_;

  FrameParser parser_;
  State state_ = State::greeting;
  WireFormat format_;
  core::milliseconds inactivity_{0};
  core::milliseconds initial_delay_{0};
  bool reads_greeting_ = true;
  bool reads_connected_ = false;
  bool reading_ended_ = false;
  std::string reads_connection_id_;  // of ConnectionInfo
  bool reads_fault_tolerant_ = false;
  std::optional<core::TimePoint> first_bytes_;
  std::unique_ptr<Batch> batch_;

  std::optional<core::ConnectionId> connection_;
  bool left_ = false;  // the engine has ended the connection at our word
  bool taken_over_ = false;
  bool reconnected_ = false;  // it comes in the place of one that its client has lost
  std::uint64_t origin_ = 0;
  std::uint64_t sequence_ = 0;      // of the last message
  std::int64_t sequence_base_ = 0;  // of brokerSequenceId: above those of earlier connections
  core::ReplyToken token_ = 0;
  std::string connection_id_;  // the client's
  std::string client_id_;
  std::string user_;

  Registry registry_;
  std::map<std::int64_t, Transaction> transactions_;
  std::map<core::Xid, Transaction> branches_;
  std::size_t branches_looked_at_ = 0;  // when there were so many, the ended ones were forgotten
  std::optional<core::Xid> recovered_up_to_;  ///< the last RECOVER's answer ended here, full
  core::Ring<Parked> parked_;  // ascending by token; bounded by the engine's parked_bytes_max
  std::set<ObjectKey> pulls_;  // consumers whose pull has a time
  bool pulls_at_once_ = false;
  std::string closing_reason_;
  bool timer_changed_ = false;

  // Replies of one batch that wait for the store go out in one piece.
  std::string replies_;
  core::Ticket replies_after_ = core::kNoTicket;
};

}  // namespace pabal::openwire
