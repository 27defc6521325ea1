#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "core/ring.h"
#include "protocols/session.h"
#include "protocols/stomp/command.h"
#include "protocols/stomp/destinations.h"
#include "protocols/stomp/frame_cache.h"
#include "protocols/stomp/frame_encoder.h"
#include "protocols/stomp/frame_parser.h"
#include "protocols/stomp/headers.h"
#include "protocols/stomp/session_options.h"
#include "protocols/stomp/subscriptions.h"

namespace pabal::stomp {

/// The state machine behind make_session(). Every STOMP command has a reading half (decode: frame
/// to Command, outside the engine) and an applying half (Command to Answer, inside), both in its
/// handle_….cc and named in the one table of session.cc.
///
///   waiting ──CONNECT applied──▶ connected ──DISCONNECT──▶ leaving ──▶ closed
///      └────── fatal error, time-out ──┴───────────────────────────────▲
///
/// decode() runs ahead of apply(): what begins with `reads_` changes when a CONNECT is read,
/// `state_` and `version_` when it is applied.
class StompSession final : public protocols::Session {
 public:
  StompSession(const SessionOptions& options, const protocols::PeerInfo& peer, FrameCache& cache);
  ~StompSession() override;

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
  enum class State : std::uint8_t { waiting, connected, leaving, closed };

  struct CommandEntry;
  static const CommandEntry kCommands[];
  static const CommandEntry* find_command(std::string_view name) noexcept;

  /// What a transaction acknowledged: settled when it commits, out again when it aborts.
  struct Settled {
    std::uint64_t tag = 0;
    core::DeliveryRange range;
  };
  struct Transaction {
    core::TransactionId id{};
    std::vector<Settled> settled;
    std::string doomed_by;         ///< why one of its sends failed: it can only roll back
    std::optional<core::Xid> xid;  ///< of an XA branch
  };
  /// A send or commit that waits for room; Reply brings its end.
  struct Parked {
    core::ReplyToken token = 0;
    CommandKind command{};
    std::optional<std::string> receipt;
    std::vector<Settled> settled;
    std::string transaction;               ///< of a send
    core::Ticket after = core::kNoTicket;  ///< of a DISCONNECT: of all that it speaks for
    bool votes = false;                    ///< a prepare: its receipt says how
  };

  // --- reading (decode) ------------------------------------------------------------------------
  void read_frame(const Frame& frame, core::TimePoint now);
  void read_connect(const Frame& frame, Command& command, core::TimePoint now);
  void read_send(const Frame& frame, Command& command, core::TimePoint now);
  void read_subscribe(const Frame& frame, Command& command, core::TimePoint now);
  void read_unsubscribe(const Frame& frame, Command& command, core::TimePoint now);
  void read_ack(const Frame& frame, Command& command, core::TimePoint now);
  void read_nack(const Frame& frame, Command& command, core::TimePoint now);
  void read_transaction(const Frame& frame, Command& command, core::TimePoint now);
  void read_disconnect(const Frame& frame, Command& command, core::TimePoint now);
  void read_target(const Frame& frame, Command& command);

  struct SendFields;
  bool read_send_header(SendHeader kind, const Header& header, SendFields& fields, Command& command,
                        core::TimePoint now);
  bool read_body(const Frame& frame, const SendFields& fields, Command& command);
  bool read_identity(const SendFields& fields, Command& command);
  void build_message(const Frame& frame, const SendFields& fields, Command& command,
                     core::TimePoint now);
  void build_composite(std::string_view text, Command& command);
  bool set_consumer_option(SubscribeRequest& request, std::string_view name, std::string_view value,
                           Command& command);
  bool read_destination_options(SubscribeRequest& request, std::string_view options,
                                Command& command);
  void read_window(const Frame& frame, std::string_view window, Command& command);
  void finish_subscribe(std::unique_ptr<SubscribeRequest> request, Command& command);
  void read_deletion(const Frame& frame, Command& command);

  /// Turns the command into a refusal: its frame changes nothing, the peer gets an ERROR.
  void refuse(Command& command, std::string_view text, std::string_view detail = {});
  void refuse_fatally(Command& command, std::string_view text, std::string_view detail = {});
  void end_reading() noexcept { reading_ended_ = true; }

  // --- applying --------------------------------------------------------------------------------
  void apply_connect(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_send(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_subscribe(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_unsubscribe(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_ack(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_begin(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_commit(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_abort(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  // handle_xa.cc: the same frames with the header `xid`, or of a transaction begun with it.
  void read_xa(const Frame& frame, Command& command);
  void begin_branch(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void recover_branches(Command& command, core::Engine& engine);
  void commit_branch(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void abort_branch(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void leave_branch(Command& command, const core::Xid& xid, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  /// Answers a COMMIT or ABORT of a branch; `settled`: what it acknowledged on this connection.
  void answer_branch(const Command& command, const core::Outcome& outcome, core::ReplyToken token,
                     std::vector<Settled> settled, bool votes);
  [[nodiscard]] std::vector<Settled> take_ended(const core::Xid& xid);
  void apply_disconnect(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void apply_refused(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);

  void delete_durable(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  void delete_temporary(Command& command, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role);
  core::Result<const core::Destination*> temporary(core::DestinationKind kind,
                                                   std::string_view alias, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  /// As core names them, the connection's own temporaries too.
  core::Result<std::vector<core::Destination>> real_destinations(
      const std::vector<NamedDestination>& named, core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  core::Result<core::MessageRef> complete_message(const Command& command,
                                                  const std::vector<core::Destination>* targets,
                                                  core::Engine& engine)
      PABAL_REQUIRES(core::engine_role);
  /// Looks up the transaction that the command names; false and an ERROR if there is none.
  bool find_transaction(const Command& command, Transaction*& transaction);
  /// A send of the transaction failed: what is left of it must not take effect alone.
  void doom(std::string_view transaction, std::string_view cause);
  Subscription* find_delivery(const AckTarget& target, core::DeliveryId& delivery);
  void settle(const Settled& settled);

  // --- answers ---------------------------------------------------------------------------------
  /// A RECEIPT, if the frame asked for one.
  void append_receipt(std::string& out, const Answer& answer) const;
  void confirm(const Command& command, core::Ticket after, bool barrier = false);
  void fail(const Command& command, std::string_view text, core::Ticket after = core::kNoTicket);
  void park(const Command& command, core::ReplyToken token, std::vector<Settled> settled = {});
  void encode_answer(const Answer& answer, protocols::Output& output);
  void encode_browse_end(const Subscription& subscription, std::string& out) const;
  void encode_error(const Answer& answer, protocols::Output& output);
  void flush_receipts(protocols::Output& output);

  [[nodiscard]] std::string_view view(Text text) const noexcept { return batch_->view(text); }
  Text keep(std::string_view text) { return batch_->keep(text); }
  Batch& batch();

  const SessionOptions& options_;
  FrameCache& cache_;
  const protocols::PeerInfo peer_;

  FrameParser parser_;
  State state_ = State::waiting;
  Version version_ = Version::v1_0;
  bool reads_as_connected_ = false;
  Version reads_version_ = Version::v1_0;
  bool reads_deletion_ = false;  // of a temporary, not applied yet: its alias will mean another
  bool reading_ended_ = false;   // after DISCONNECT or a fatal error; further bytes are ignored
  bool has_client_id_ = false;   // chosen by the client: durable subscriptions need it
  std::optional<core::TimePoint> first_bytes_;
  std::unique_ptr<Batch> batch_;

  std::optional<core::ConnectionId> connection_;
  std::uint64_t origin_ = 0;
  std::uint64_t sequence_ = 0;  // of the last SEND
  core::ReplyToken token_ = 0;
  std::string client_id_;
  std::string login_;
  core::milliseconds server_sends_{0};
  core::milliseconds server_wants_{0};

  TemporaryNames temporaries_;
  Subscriptions subscriptions_;
  TextMap<Transaction> transactions_;
  /// What branches that are ended, and not finished, acknowledged here. Only 1.0 and 1.1 have any.
  std::map<core::Xid, std::vector<Settled>> ended_branches_;
  core::Ring<Parked> parked_;  // ascending by token; bounded by the engine's parked_bytes_max
  std::optional<Parked> last_words_;  // a DISCONNECT that waits until nothing is parked

  // Receipts of one batch that wait for the store go out in one piece.
  std::string receipts_;
  core::Ticket receipts_after_ = core::kNoTicket;
  std::string closing_reason_;
};

/// "SEND" and so on, for texts.
std::string_view to_string(CommandKind kind) noexcept;

}  // namespace pabal::stomp
