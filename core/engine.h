#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/advisory.h"
#include "core/destination.h"
#include "core/ids.h"
#include "core/message.h"
#include "core/policy.h"
#include "core/queue_admin.h"
#include "core/result.h"
#include "core/retained.h"
#include "core/schedule.h"
#include "core/session.h"
#include "core/store.h"
#include "core/thread_annotations.h"
#include "core/xa.h"

namespace pabal::core {

/// The right to be inside the engine: a token without a lock of its own. The server's gate acquires
/// it together with its mutex; single-threaded tests and the simulator assert it once.
class PABAL_CAPABILITY("engine") EngineRole {
 public:
  void assert_held() const PABAL_ASSERT_CAPABILITY(this) {}
  void acquire() PABAL_ACQUIRE() {}
  void release() PABAL_RELEASE() {}
};
inline EngineRole engine_role;

/// Named limits of the model; conf/ has an entry for each.
struct EngineLimits {
  std::uint64_t memory_bytes_max = 1ULL << 30;  ///< systemUsage/memoryUsage: held messages; 0: none
  /// systemUsage/tempUsage: non-persistent messages moved to disk when they hold more than half of
  /// memory_bytes_max; 0: none are, and producers wait for memory.
  std::uint64_t spilled_bytes_max = 0;
  std::uint64_t window_bytes_max = 64ULL << 20;  ///< stored messages also kept in memory, all lists
  std::uint64_t list_window_bytes_max = 8ULL << 20;  ///< the same, of one list
  std::uint64_t parked_bytes_max = 1ULL << 20;       ///< sends of one connection waiting for room
  std::uint64_t transaction_bytes_max = 64ULL << 20;
  std::uint32_t transaction_operations_max = 1'000'000;
  std::uint32_t transactions_per_connection_max = 1000;
  std::uint32_t prepared_branches_max = 10'000;  ///< XA, heuristically completed ones included
  std::uint32_t prepared_acknowledgements_max = 4'000'000;  ///< of all prepared branches
  std::uint64_t prepared_bytes_max = 16ULL << 20;  ///< of their sends, kept in memory as well
  std::uint32_t subscriptions_per_connection_max = 10'000;
  std::uint32_t connections_max = 100'000;
  std::uint32_t sessions_max = 1'000'000;           ///< those whose client is away included
  std::uint32_t session_attachments_max = 100'000;  ///< of one session
  std::uint64_t session_attachment_bytes_max = 16ULL << 20;  ///< and its subscriptions
  std::chrono::seconds session_keep_max{0};  ///< what a session is granted at most; 0: any time
  std::uint64_t will_bytes_max = 1ULL << 20;
  std::uint32_t destinations_max = 1'000'000;
  std::uint32_t composite_targets_max = 1000;         ///< that one send or subscription names
  std::uint64_t retroactive_bytes_max = 64ULL << 20;  ///< that topics remember; the oldest go
  std::uint32_t retroactive_topics_max = 65'536;      ///< that remember; others then do not
  std::uint64_t retained_bytes_max = 1ULL
                                     << 30;  ///< of messages that topics keep; more are refused
  std::uint32_t retained_messages_max = 1'000'000;        ///< the same; their names are in memory
  std::uint64_t retained_window_bytes_max = 64ULL << 20;  ///< of them, also kept in memory
  std::uint64_t unwritten_bytes_max = 1ULL << 20;  ///< deliveries handed to one connection's socket
  std::uint64_t topic_pending_bytes_max = 32ULL << 20;  ///< of one non-durable topic subscription
  std::uint32_t producers_max = 65'536;  ///< last numbers remembered; the oldest are forgotten
  std::uint64_t delayed_max =
      1'000'000;                  ///< redeliveries waiting for their time; more come at once
  std::uint32_t walks_max = 256;  ///< browsers and operators' commands that go through queues
  std::uint32_t tasks_max = 64;   ///< operators' commands, of those that ended the last ones too
  std::uint32_t scheduled_volatile_max = 100'000;  ///< non-persistent messages that are scheduled
  std::uint32_t schedule_orders_max = 16;  ///< BROWSE, REMOVE and the like waiting at a time
  /// Topic lists with at least so many durable subscriptions write automatic acknowledgements a
  /// second late at most, in runs: or they would be most of what is written. 0: none do.
  std::uint32_t late_acks_readers_min = 8;
  std::uint32_t steps_per_entry_max = 4096;  ///< deliveries and the like before the door is left
  bool send_fail_if_no_space = false;        ///< refuse instead of pausing the producer
};

/// Result of a send or a commit.
enum class Disposition : std::uint8_t {
  done,    ///< took effect (or will with its transaction); a receipt waits for Outcome::after
  parked,  ///< waiting for room: a Reply effect with the given token follows
  failed,  ///< changed nothing; see Outcome::error
};

struct Outcome {
  Disposition disposition = Disposition::done;
  /// A reply about this may be sent when Store::durable() has reached it; kNoTicket: at once.
  Ticket after = kNoTicket;
  std::optional<Error> error;
  XaCode xa = XaCode::ok;  ///< of XA calls: the vote, or what kind of failure it is

  static Outcome failure(Error error, Ticket after = kNoTicket) {
    return {Disposition::failed, after, std::move(error), XaCode::resource_error};
  }
};

/// Chosen by the adaptor; comes back in Reply. 0: the client wants no answer unless it is an error.
using ReplyToken = std::uint64_t;

/// Who sent a message, and which of that producer's it is: sent again, it is taken once. The
/// numbers of a producer begin at 1 and only grow, and it sends on one connection at a time.
struct ProducerSequence {
  std::string producer;  ///< 1–255 bytes
  std::uint64_t sequence = 0;
};

struct SendOptions {
  std::optional<TransactionId> transaction;
  ReplyToken token = 0;
  /// A composite send: it goes to each of these instead of the message's own destination, all or
  /// none. Null: to the message's own.
  std::shared_ptr<const std::vector<Destination>> targets;
  /// To be delivered later, if the scheduler is on; see core/schedule.h. Null: now.
  std::shared_ptr<const ScheduleRequest> schedule = nullptr;
  /// Null: the send is what it is, however often it comes.
  std::shared_ptr<const ProducerSequence> identity = nullptr;
  /// Changes of the connection's session that take effect with the send, or not at all: in one
  /// batch. Not in a transaction, and not of what is scheduled. Null: none.
  std::shared_ptr<const SessionChanges> attach = nullptr;
};

struct ConnectOptions {
  HomeId home{};
  std::string client_id;  ///< empty: one is made up
  std::string remote;     ///< "tcp://127.0.0.1:53422", for people
  std::string protocol;   ///< "stomp 1.2", for people
  std::string user;
  /// At most so many deliveries that it must acknowledge are out at a time, over all its
  /// subscriptions; 0: no such limit.
  std::uint32_t in_flight_max = 0;
  /// Not empty: a name that the client gives this connection, and each that it makes in its place.
  /// One of the same user that has it, and the client id, is ended as if it were lost
  /// (ConnectionOrder::close, by CloseCause::taken_over). Not with a session.
  std::string instance;
  /// Null: none; and a client id that is in use is refused. With a session, the connection that has
  /// the session of the client id now, if one has, is ended (ConnectionOrder::close, by
  /// CloseCause::taken_over), as if it were lost.
  std::shared_ptr<const SessionRequest> session = nullptr;
};

struct DisconnectOptions {
  Leaving how = Leaving::lost;
  std::optional<std::optional<seconds>> keep;  ///< a value: SessionRequest::keep from here on
};

struct ConnectionDetails {
  ConnectionId id{};
  std::uint64_t origin = 0;  ///< for message ids: unique over all starts of this store
  std::string client_id;
  bool session_present = false;              ///< there was one, and it goes on
  std::optional<seconds> keep = seconds{0};  ///< as granted
  Ticket after = kNoTicket;  ///< the session is durable when Store::durable() has reached it
  /// Of the connection that had the session, if this one has taken it over; else null.
  std::shared_ptr<SessionCompanion> companion = nullptr;
};

enum class AckMode : std::uint8_t {
  automatic,  ///< done when the delivery is in the socket (Engine::written)
  explicit_,  ///< done by Engine::acknowledge
  mixed,      ///< persistent messages as explicit_, others as automatic
};

/// One thing a subscription wants.
struct Interest {
  Destination destination;  ///< may be a pattern
  std::string selector;     ///< see core/selector.h; empty: everything
  /// Not what the same connection sent. Topics only: a queue's message is not lost because its
  /// sender is the one who is there (JMS 1.1 leaves it open for queues).
  bool no_local = false;
};

struct SubscribeOptions {
  /// One, or the parts of a composite, which share the credit and the order of deliveries. They
  /// have the selector and no_local in common; a subscription of a session has exactly one.
  std::vector<Interest> interests;
  AckMode ack_mode = AckMode::automatic;
  /// Credit: at most so many deliveries unacknowledged (automatic: unwritten) at a time. 0: none
  /// until grant().
  std::uint32_t prefetch = 1000;
  /// The client named no prefetch: if the destination's policy does, that counts.
  bool prefetch_is_default = false;
  /// Durable topic subscription of this name (with the connection's client id); empty: not durable.
  std::string durable_name;
  std::int32_t consumer_priority = 0;  ///< higher first
  /// Of a queue: while it is there, one consumer gets all, the first of the exclusive ones with the
  /// highest priority.
  bool exclusive = false;
  /// Copies of what stands in one queue now, in order, then a Delivery without a message: the end.
  /// Takes nothing; acknowledging gives back credit.
  bool browser = false;
  /// Of topics, not durable: at most so many wait beyond the credit, and of more the policy's
  /// eviction strategy drops; its PendingLimit counts too, if that is lower. 0: only that counts.
  std::uint32_t pending_max = 0;
  /// Durable, or shared: messages that are not persistent are kept for it only while somebody
  /// consumes; those that its last consumer leaves behind are dropped.
  bool volatile_when_active = false;
  /// Of topics, not durable: first of all what they remember (DestinationPolicy::recovery).
  bool retroactive = false;
  /// Of topics: first of all what they retain (Message::retain), as Delivery::retained.
  bool retained = false;
  /// A shared subscription of this name; with a session, `durable_name` is what the session calls
  /// it. Empty: not shared. See core/engine_shared.cc.
  std::string shared_group;
  /// Kept with a durable or shared subscription of a session, for SessionSubscription.
  std::string session_data;
  /// Advisories only where an interest names at least "ActiveMQ" itself: a wildcard in its place
  /// does not bring them.
  bool advisories_by_name = true;
  ClientNumber number;  ///< by which advisories tell of it
  /// The adaptor's own name for this subscription, echoed in every Delivery.
  std::uint64_t tag = 0;

  /// Whether it reads what is kept for it, or for its group.
  [[nodiscard]] bool has_reader() const noexcept {
    return !durable_name.empty() || !shared_group.empty();
  }
};

/// Somebody who will send. The engine tells of it by advisory, and asks nothing of it: who sends
/// need not be one.
struct ProducerOptions {
  std::optional<Destination> destination;  ///< none: each message has its own
  ClientNumber number;
};

/// What can be changed of a subscription while it consumes.
struct ResubscribeOptions {
  AckMode ack_mode = AckMode::automatic;  ///< of deliveries from here on
  bool no_local = false;
  bool volatile_when_active = false;
  bool retained = false;  ///< what its topics retain is delivered (again)
  std::string session_data;
};

/// Inclusive.
struct DeliveryRange {
  DeliveryId first{};
  DeliveryId last{};
};

enum class AckKind : std::uint8_t {
  consumed,
  poisoned,  ///< not deliverable: dead-letter queue, non-persistent ones too
  requeued,  ///< back to its place, to anybody, its delivery count one up
  expired,   ///< the client found it expired
};

/// One message on its way to one connection. No allocation per delivery.
struct Delivery {
  ConnectionId connection{};
  SubscriptionId subscription{};
  std::uint64_t tag = 0;     ///< SubscribeOptions::tag
  std::uint64_t number = 0;  ///< counts the deliveries of the connection; see Engine::written
  DeliveryId id{};
  MessageRef message;  ///< null: a browser has seen everything
  /// Where it was: set only if that is not the message's own destination (composites, virtual
  /// topics …).
  std::shared_ptr<const Destination> destination;
  std::uint32_t deliveries = 0;  ///< failed or lost deliveries before this one
  bool redelivered = false;      ///< it may have been delivered before
  bool first_of_group = false;   ///< the first of its message group for this consumer
  bool retained = false;         ///< its topic had it before the subscription came
  bool refused = false;          ///< or lost, before, and a redelivery policy says how often
};

/// The late answer to a parked send or commit.
struct Reply {
  ConnectionId connection{};
  ReplyToken token = 0;
  Outcome outcome;
};

/// What the server must do to a connection.
enum class ConnectionOrder : std::uint8_t {
  pause_reading,
  resume_reading,
  close,
  warn,  ///< nothing to do to it: `reason` is for the log
};

/// Why a connection is to be closed, as far as a protocol tells its clients.
enum class CloseCause : std::uint8_t {
  other,
  taken_over,  ///< by another connection of the same client; the engine has ended this one
};

struct ConnectionEffect {
  ConnectionId connection{};
  ConnectionOrder order{};
  std::string reason;
  CloseCause cause = CloseCause::other;
};

/// Effects for the connections of one home, in order. The server swaps it out after every entry.
struct Outbox {
  std::vector<Delivery> deliveries;
  std::vector<Reply> replies;
  std::vector<ConnectionEffect> effects;

  [[nodiscard]] bool empty() const noexcept {
    return deliveries.empty() && replies.empty() && effects.empty();
  }
  void clear() noexcept {
    deliveries.clear();
    replies.clear();
    effects.clear();
  }
};

/// Why a list's next message is not on its way, as the dispatcher last saw it.
enum class WaitReason : std::uint8_t {
  empty,
  no_consumer,
  no_credit,
  socket_full,
  reading_from_disk,
  waiting_for_sync,
  no_room_for_dead_letter,
  refused,
  damaged,
  working,
  group_owned,      ///< its message group belongs to a consumer that takes no more now
  exclusive_owned,  ///< the queue's exclusive consumer takes no more now
  delayed,          ///< waits for the time of its redelivery
  warming_up,       ///< consumersBeforeDispatchStarts, timeBeforeDispatchStarts
  paused,           ///< by an operator
};
std::string_view to_string(WaitReason reason) noexcept;

struct DestinationCounters {
  std::uint64_t enqueued = 0;    ///< messages accepted
  std::uint64_t dequeued = 0;    ///< acknowledged
  std::uint64_t dispatched = 0;  ///< deliveries
  std::uint64_t expired = 0;
  std::uint64_t dead_lettered = 0;
  std::uint64_t redelivered = 0;
  std::uint64_t duplicates = 0;  ///< sends that were taken before (in totals only)
  /// Waited for a slow topic consumer (PendingLimit); came to a full queue from a VirtualTopic that
  /// leaves such out; in totals only: had no room, and its sender left, or is told of nothing.
  std::uint64_t dropped = 0;
};

struct DestinationSnapshot {
  Destination destination;
  DestinationCounters counters;
  std::uint64_t depth = 0;  ///< not acknowledged (queues)
  std::uint64_t depth_bytes = 0;
  std::uint64_t spilled_bytes = 0;  ///< of them, non-persistent ones that are on disk
  std::uint64_t in_flight = 0;
  std::uint32_t consumers = 0;
  std::uint32_t groups = 0;  ///< message groups that a consumer owns, as far as remembered
  WaitReason waiting = WaitReason::empty;
  std::uint64_t held_bytes = 0;         ///< message memory that cannot be dropped (queues)
  std::uint64_t memory_limit = 0;       ///< of its policy; 0: none
  std::uint64_t store_limit = 0;        ///< the same
  std::uint32_t producers_blocked = 0;  ///< connections whose next send waits for room here
};

/// A connection whose sends wait for room.
struct BlockedProducer {
  std::string client_id;
  std::string remote;
  Destination destination;  ///< where there is no room; without a name: in the broker as a whole
  std::string reason;       ///< which limit, and how much of it is used
  TimePoint since{};
  std::uint64_t sends = 0;
  std::uint64_t bytes = 0;
};

struct SubscriptionSnapshot {
  std::string client_id;
  std::string name;  ///< of a durable subscription
  Destination destination;
  std::string selector;
  bool active = false;
  std::uint64_t depth = 0;
  std::uint64_t in_flight = 0;
  WaitReason waiting = WaitReason::empty;
  std::vector<std::string> damaged;  ///< where messages that cannot be read hold others up
};

struct EngineSnapshot {
  std::uint64_t connections = 0;
  std::uint64_t connections_total = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t queues = 0;
  std::uint64_t durable_subscriptions = 0;
  std::uint64_t transactions = 0;
  std::uint64_t branches_prepared = 0;
  std::uint64_t branches_heuristic = 0;      ///< completed by hand and not forgotten
  std::optional<TimePoint> oldest_prepared;  ///< since when
  DestinationCounters totals;
  std::uint64_t bytes_held = 0;     ///< messages in memory that cannot be dropped (limit: memory)
  std::uint64_t bytes_window = 0;   ///< stored messages also kept in memory
  std::uint64_t bytes_spilled = 0;  ///< non-persistent ones moved to disk (limit: spilled)
  std::uint64_t scheduled = 0;      ///< messages that wait for their time
  std::uint64_t scheduled_bytes = 0;
  std::string scheduled_waiting;  ///< why one that was due could not be delivered, the last time
  std::uint64_t bytes_remembered = 0;  ///< by topics, for retroactive subscriptions
  std::uint64_t retained = 0;          ///< messages that topics keep
  std::uint64_t retained_bytes = 0;
  std::uint64_t sessions = 0;
  std::uint64_t sessions_connected = 0;
  std::uint64_t wills_sent = 0;
  std::uint64_t wills_waiting = 0;  ///< due, and there is no room for them
  std::uint64_t wills_dropped = 0;  ///< the same, when too many waited
  bool retained_known = true;       ///< false: those of before the start are being read
  std::uint64_t connections_parked = 0;
  std::uint64_t slow_consumers_aborted = 0;
  std::uint64_t destinations_collected = 0;
  std::uint64_t durable_subscriptions_expired = 0;
  std::uint64_t damaged_reads = 0;    ///< that met a stored message that cannot be read
  std::uint64_t damaged_skipped = 0;  ///< of these messages, deleted unread by an operator
  std::string damage;                 ///< the last: where, and what; empty: none since the start
  std::uint64_t steps_longest_entry = 0;
};

/// All broker state and all rules. Owns no thread, lock, clock, socket, file or random source: the
/// same calls in the same order have the same effects. Every call is made inside the engine, one
/// caller at a time; `now` never goes backwards. Effects gather in the outboxes until taken.
class Engine {
 public:
  /// `store` outlives the engine. Builds the model from Store::recovered(). `homes`: number of
  /// event loops.
  Engine(Store& store, EngineLimits limits, std::uint32_t homes);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// At start, before the first connection, and when the configuration was reloaded: from here on
  /// every destination behaves as `settings` say.
  void configure(EngineSettings settings, TimePoint now);

  // --- connections -----------------------------------------------------------------------------

  /// Errors: in_use (client id), quota_exceeded.
  Result<ConnectionDetails> connect(const ConnectOptions& options);
  /// The same; with a session, as this changes with time.
  Result<ConnectionDetails> connect(const ConnectOptions& options, TimePoint now);
  /// Ends everything of the connection: transactions roll back, deliveries return marked
  /// redelivered, temporary destinations go. Unknown ids are ignored.
  void disconnect(ConnectionId connection, TimePoint now);
  /// The same; what becomes of its session and will is durable with the answer.
  Ticket disconnect(ConnectionId connection, const DisconnectOptions& how, TimePoint now);
  /// The socket has taken every delivery of the connection up to Delivery::number `number`.
  void written(ConnectionId connection, std::uint64_t number, TimePoint now);

  // --- sending ---------------------------------------------------------------------------------

  /// Routes, stores and queues one message. The destination is the message's own; a queue comes
  /// into being with its first message. Errors: bad_destination, quota_exceeded, store_full,
  /// not_found (transaction).
  Outcome publish(ConnectionId connection, MessageRef message, const SendOptions& options,
                  TimePoint now);
  Outcome publish(ConnectionId connection, MessageRef message,
                  std::optional<TransactionId> transaction, ReplyToken token, TimePoint now) {
    return publish(connection, std::move(message), {transaction, token, nullptr}, now);
  }

  /// A message of the broker's own, and no advisory: it gets its id and its time here. It waits for
  /// no room: errors as of publish().
  Result<void> announce(MessageBuilder& message, TimePoint now);

  /// It is there until remove_producer(), or the end of its connection. Errors: not_found.
  Result<ProducerId> add_producer(ConnectionId connection, ProducerOptions options, TimePoint now);
  /// Unknown ids are ignored.
  void remove_producer(ProducerId producer, TimePoint now);

  // --- receiving -------------------------------------------------------------------------------

  /// Errors: bad_destination, not_supported, quota_exceeded, in_use (active durable subscriber),
  /// invalid_argument (durable name without client id, or on a queue; selector).
  Result<SubscriptionId> subscribe(ConnectionId connection, const SubscribeOptions& options,
                                   TimePoint now);
  /// Deliveries not acknowledged return, not marked unless the client may have seen them.
  Result<void> unsubscribe(SubscriptionId subscription, TimePoint now);
  /// The same; deliveries above `seen` were never handed to the client's application, which says
  /// so: they return as they were, uncounted.
  Result<void> unsubscribe(SubscriptionId subscription, DeliveryId seen, TimePoint now);
  /// Removes a durable subscription and what waits for it. Errors: not_found, in_use.
  Result<void> delete_durable(std::string_view client_id, std::string_view name, TimePoint now);
  /// Adds credit for so many deliveries beyond the prefetch (pull consumers: prefetch 0). Errors:
  /// not_found.
  Result<void> grant(SubscriptionId subscription, std::uint32_t messages, TimePoint now);
  /// Sets the credit anew: at most `prefetch` deliveries out at a time, and `granted` beyond them,
  /// in place of what is left of earlier grants. Errors: not_found.
  Result<void> set_credit(SubscriptionId subscription, std::uint32_t prefetch,
                          std::uint32_t granted, TimePoint now);
  /// What the destination's policy says for consumers that name no prefetch, if it does; see
  /// SubscribeOptions::prefetch_is_default. nullopt as well: there is no such subscription.
  [[nodiscard]] std::optional<std::uint32_t> policy_prefetch(SubscriptionId subscription) const;
  /// With credit, and after run() has answered false: whether something for it may be on its way,
  /// from the disk or through it. False: nothing waits that it can have.
  [[nodiscard]] bool may_deliver_soon(SubscriptionId subscription) const;
  /// Settles the deliveries of the range that are still out; with a transaction, when that commits.
  /// Errors: not_found if not one delivery of the range is out; not_found for the transaction.
  Outcome acknowledge(SubscriptionId subscription, DeliveryRange range, AckKind kind,
                      std::string_view cause, std::optional<TransactionId> transaction,
                      TimePoint now);

  /// The same with changes of the connection's session, in one batch; not in a transaction. Errors
  /// in addition: quota_exceeded, invalid_argument; nothing changed then.
  Outcome acknowledge(SubscriptionId subscription, DeliveryRange range, AckKind kind,
                      const SessionChanges& changes, TimePoint now);
  /// Changes a subscription in its place; what is out stays out. Errors: not_found, quota_exceeded.
  Result<Ticket> resubscribe(SubscriptionId subscription, const ResubscribeOptions& options,
                             TimePoint now);
  /// A delivery of a shared subscription stays with the connection's session from here on, whatever
  /// becomes of the connection; durable with the answer. Errors: not_found, bad_state.
  Result<Ticket> pin(SubscriptionId subscription, DeliveryId delivery);

  // --- sessions (core/session.h) ---------------------------------------------------------------

  /// Of the connection's session. Errors: not_found (it has none), invalid_argument,
  /// quota_exceeded; nothing changed then.
  Result<Ticket> change_session(ConnectionId connection, const SessionChanges& changes);
  /// Whether the delivery is out, or was acknowledged in a transaction that has not ended.
  [[nodiscard]] bool holds(SubscriptionId subscription, DeliveryId delivery) const;
  /// Whether the connection is there: another one may have taken its session over.
  [[nodiscard]] bool is_connected(ConnectionId connection) const;
  /// Where a delivery that is out stands; nullopt: it is not out.
  [[nodiscard]] std::optional<DeliveryPlace> stands_at(SubscriptionId subscription,
                                                       DeliveryId delivery) const;
  /// Whether what stood there can still be delivered to the session's subscription `name`; without
  /// a place, whether anything can. True if that cannot be said at the moment.
  [[nodiscard]] bool may_come(ConnectionId connection, std::string_view name,
                              const std::optional<DeliveryPlace>& place) const;
  /// All attachments of its session, in order of their keys.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> session_attachments(
      ConnectionId connection) const;
  /// What its session is subscribed to, in order of the names; to consume, subscribe anew.
  [[nodiscard]] std::vector<SessionSubscription> session_subscriptions(
      ConnectionId connection) const;
  /// Its session has the subscription no more, and what waits for it goes; unsubscribe() comes
  /// before. Errors: not_found, in_use.
  Result<Ticket> forget_subscription(ConnectionId connection, const std::string& name,
                                     TimePoint now);
  /// At most `limit` sessions above `after`, in order of client id.
  [[nodiscard]] std::vector<SessionSnapshot> sessions(std::string_view after,
                                                      std::size_t limit) const;

  // --- transactions ----------------------------------------------------------------------------

  /// Errors: quota_exceeded.
  Result<TransactionId> begin(ConnectionId connection);
  /// All sends and acknowledgements of it in one store batch. May be parked behind parked sends.
  Outcome commit(TransactionId transaction, ReplyToken token, TimePoint now);
  /// Sends are dropped; acknowledged deliveries are out again, with the same consumer.
  Outcome rollback(TransactionId transaction, TimePoint now);
  /// Whether the transaction, or the work of the XA branch, has not ended.
  [[nodiscard]] bool has_transaction(TransactionId transaction) const;

  // --- XA transactions (X/Open XA, JTA) --------------------------------------------------------

  /// The connection works for branch `xid` from here on: the id is for publish() and acknowledge().
  /// Errors: invalid, duplicate (fresh), unknown (join, resume), protocol, rolled_back (it can only
  /// roll back), resource_error (a limit).
  Result<TransactionId, XaError> xa_start(ConnectionId connection, const Xid& xid, XaStart how,
                                          TimePoint now);
  /// Errors: unknown, protocol (the connection does not work for it).
  Result<void, XaError> xa_end(ConnectionId connection, const Xid& xid, XaEnd how);
  /// Makes everything that the branch did durable, and locks what it acknowledged: from `after` on,
  /// it waits for xa_commit() or xa_rollback(), over any number of restarts and connections. What
  /// is not persistent does not survive one. Outcome::xa: ok; read_only: there was nothing, it has
  /// ended. Failed: unknown, protocol, or rolled_back: that is done. May be parked.
  Outcome xa_prepare(ConnectionId connection, const Xid& xid, ReplyToken token, TimePoint now);
  /// One phase: of a branch that is not prepared. Failed: unknown, protocol, rolled_back (one
  /// phase), heuristically_…, unavailable (no room; it stays prepared). May be parked: until its
  /// messages are read back, or there is room.
  Outcome xa_commit(ConnectionId connection, const Xid& xid, bool one_phase, ReplyToken token,
                    TimePoint now);
  /// Prepared or not. Acknowledged messages return, marked redelivered; to the consumer that had
  /// them if it is still there. Failed: unknown, protocol, heuristically_….
  Outcome xa_rollback(ConnectionId connection, const Xid& xid, TimePoint now);
  /// Ends the memory of a heuristically completed branch. Failed: unknown, protocol.
  Outcome xa_forget(const Xid& xid, TimePoint now);
  /// An operator's word instead of the transaction manager's, who will be told (heuristically_…)
  /// until it forgets. Of prepared branches only. Commit may be parked; there is no Reply then.
  Outcome xa_complete_by_hand(const Xid& xid, bool commit, TimePoint now);
  /// nullopt: there is none of this name.
  [[nodiscard]] std::optional<BranchState> branch_state(const Xid& xid) const;
  /// At most `limit` branches above `after` (null: from the first), in order; `in_doubt`: only
  /// those that xa_recover lists, prepared or heuristically completed.
  [[nodiscard]] std::vector<BranchSnapshot> branches(const Xid* after, std::size_t limit,
                                                     bool in_doubt) const;

  // --- temporary destinations ------------------------------------------------------------------

  /// A name that no other temporary has; lives until the connection ends. Errors: quota_exceeded.
  Result<Destination> create_temporary(ConnectionId connection, DestinationKind kind);
  /// The same under a name of the client's; nothing changes if it has it already. Errors in
  /// addition: bad_destination, already_exists (another connection has it).
  Result<void> create_temporary(ConnectionId connection, const Destination& destination);
  /// Before its connection ends. Errors: not_found (it is none of the connection's), in_use.
  Result<void> delete_temporary(ConnectionId connection, const Destination& destination,
                                TimePoint now);
  [[nodiscard]] bool has_temporary(const Destination& destination) const;
  /// At most `limit` of all above `after` (null: from the first), in order.
  [[nodiscard]] std::vector<Destination> temporaries(const Destination* after,
                                                     std::size_t limit) const;

  // --- administration (core/queue_admin.h) -----------------------------------------------------

  /// Errors: bad_destination, already_exists, quota_exceeded.
  Result<void> create_queue(const std::string& name);
  /// Answers how many messages went with it; that it has gone, with all of them, is durable as a
  /// whole when what is submitted now is. Errors: not_found, in_use.
  Result<std::uint64_t> delete_queue(const Destination& queue, QueueDeletion how, TimePoint now);
  /// What it keeps for those who subscribe later goes. Errors: not_found (a pattern),
  /// bad_destination, store_full, in_use (it has subscriptions, those of absent clients included).
  Result<void> delete_topic(const Destination& topic, TimePoint now);
  /// While a queue is paused nothing of it is dispatched; sends go on. Survives a restart, unless
  /// the queue is a temporary one. Errors: not_found.
  Result<void> pause_queue(const Destination& queue, bool paused, TimePoint now);
  /// Begins a command, which goes on with every run(). Errors: not_found (queue, subscription),
  /// invalid_argument (selector, destination), quota_exceeded.
  Result<TaskId> start_task(QueueTaskOptions options, TimePoint now);
  /// How far it is; null: there is none. Valid until the next call.
  [[nodiscard]] const QueueTaskView* task(TaskId id) const;
  /// Takes its result along, and cancels it if it has not ended: what took effect stays.
  std::optional<QueueTaskView> take_task(TaskId id);
  /// Lists or cancels what is scheduled, with every run(). Errors: invalid_argument (destination),
  /// quota_exceeded.
  Result<TaskId> start_schedule_task(ScheduleTaskOptions options, TimePoint now);
  /// How far it is; null: there is none. Valid until the next call.
  [[nodiscard]] const ScheduleTaskView* schedule_task(TaskId id) const;
  /// Takes its result along, and ends it: what it has cancelled stays cancelled.
  std::optional<ScheduleTaskView> take_schedule_task(TaskId id);
  /// Why its messages wait. Errors: not_found.
  [[nodiscard]] Result<QueueExplanation> explain(const Destination& queue) const;
  /// The same of one message that a list command found. Errors: not_found (queue).
  [[nodiscard]] Result<MessageExplanation> explain(const Destination& queue,
                                                   const ListedMessage& listed) const;

  // --- what the world did ----------------------------------------------------------------------

  void durable_advanced(TimePoint now);
  void page_loaded(Page page, TimePoint now);
  void space_changed(TimePoint now);
  /// The broker is about to end. What connections leave behind from here on is marked as maybe
  /// delivered, but not counted: it is not their failure, and clients take for poisonous what was
  /// delivered too often.
  void stopping() noexcept;
  /// Does what is due by time. Call it when next_timer() has come, and at least once a second.
  void tick(TimePoint now);
  /// The earliest time at which tick() has something to do that cannot wait for the next second;
  /// none: nothing is planned. Changes with any call.
  [[nodiscard]] std::optional<TimePoint> next_timer() const;
  /// Does queued work (dispatch, returning deliveries …), at most steps_per_entry_max steps. The
  /// caller runs it at the end of every entry, and enters again while it answers true.
  bool run(TimePoint now);

  // --- effects and views -----------------------------------------------------------------------

  Outbox& outbox(HomeId home);
  /// Last ticket submitted: what a reply that touches durable state must wait for.
  [[nodiscard]] Ticket submitted() const;

  [[nodiscard]] EngineSnapshot snapshot() const;
  /// At most `limit` destinations whose text is above `after`, in order of text.
  [[nodiscard]] std::vector<DestinationSnapshot> destinations(std::string_view after,
                                                              std::size_t limit) const;
  [[nodiscard]] std::vector<SubscriptionSnapshot> durable_subscriptions(std::size_t limit) const;
  /// All of the clients whose ids begin so, in order; it looks at no others.
  [[nodiscard]] std::vector<SubscriptionSnapshot> durable_subscriptions_of(
      std::string_view client_prefix) const;
  /// At most `limit` topics above `after` that keep a message, in order.
  [[nodiscard]] std::vector<RetainedView> retained(std::string_view after, std::size_t limit) const;
  /// Those that wait at destinations first, then those that wait for the broker.
  [[nodiscard]] std::vector<BlockedProducer> blocked_producers(std::size_t limit) const;

 private:
  class State;
  State& at(TimePoint now);
  std::unique_ptr<State> state_;
};

}  // namespace pabal::core
