#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/engine_xa.h"
#include "core/message_list.h"
#include "core/queue_walk.h"
#include "core/retained.h"
#include "core/ring.h"
#include "core/session.h"
#include "core/virtual_routes.h"

// What the engine keeps of connections, subscriptions, sends, transactions and topics.
// Engine::State (engine_state.h) has the rules; these hold what they are about.

namespace pabal::core {

class Connection;

/// A delivery that is out, or was and stands between others that are.
struct InFlight {
  enum class State : std::uint8_t { out, in_transaction, settled };

  DeliveryId id{};
  Reader* reader = nullptr;  ///< null: a topic message without a list, or its list has gone
  /// Of a topic message without a list: where it was; null: where it says.
  std::shared_ptr<const Destination> destination;
  Entry entry;
  std::uint8_t priority = 0;
  State state = State::out;
  bool automatic = false;   ///< settled by Engine::written
  bool pinned = false;      ///< stays with its session: engine_shared.cc
  std::uint32_t since = 0;  ///< seconds since 1970: when it was delivered
  TransactionId transaction{};
};

/// A topic message that waits for the credit of one subscription.
struct PendingMessage {
  MessageRef message;
  Ticket visible_after = kNoTicket;  ///< sent in a transaction: not before this is durable
  std::shared_ptr<const Destination> destination;  ///< where it was sent; null: where it says
};

/// A topic message that its subscription had and gave back.
struct ReturnedMessage {
  Entry entry;
  std::shared_ptr<const Destination> destination;  ///< as in PendingMessage
};

/// One that was refused and waits for the time of its redelivery.
struct DelayedCopy {
  TimePoint due{};
  ReturnedMessage message;
};

/// A new listener to advisories is told what there is, in portions, in this order.
struct AdvisoryReplay {
  enum class Stage : std::uint8_t {
    temporaries,
    broker,
    connections,
    queues,
    topics,
    consumers,
    producers,
    done,
  };
  Stage stage = Stage::temporaries;
  std::optional<Destination> after;  ///< among temporaries, queues, topics: this one was told
  std::size_t slot = 0;              ///< among the others: the next one
  bool listed = false;               ///< stands in the engine's queue of work
};

/// Somebody who will send (Engine::add_producer).
struct AnnouncedProducer {
  ProducerId id{};
  Connection* connection = nullptr;
  std::optional<Destination> destination;
  ClientNumber number;
  std::size_t position = 0;  ///< in Connection::producers
};

class Subscription {
 public:
  Subscription(SubscriptionId subscription_id, Connection& owner, SubscribeOptions wanted)
      : id(subscription_id),
        connection(owner),
        options(std::move(wanted)),
        settles_when_written(options.ack_mode != AckMode::explicit_) {}

  const SubscriptionId id;
  Connection& connection;
  SubscribeOptions options;  ///< changed by resubscribe() only
  Ring<InFlight> in_flight;  ///< ascending by id; settled ones are dropped from the front
  std::uint64_t last_delivery = 0;
  std::uint64_t out = 0;      ///< what the credit counts
  std::uint64_t settled = 0;  ///< of in_flight
  std::uint64_t granted = 0;  ///< beyond the prefetch; used up one by one
  /// Of its one interest; null: everything. Its scans share it.
  std::shared_ptr<const Selector> selector;
  std::vector<Scan*> scans;    ///< by which it consumes from lists
  std::vector<Scan*> blocked;  ///< of these, the ones that wait for its credit

  // Non-durable topic subscriptions only: what waits for credit, or for its transaction's sync.
  Ring<PendingMessage> pending;
  /// What was delivered and requeued, by the order of its first delivery: goes before `pending`.
  std::map<std::uint64_t, ReturnedMessage> returned;
  std::map<std::uint64_t, DelayedCopy> delayed;  ///< refused; go to `returned` when due
  std::uint64_t pending_bytes = 0;               ///< of all three
  std::uint64_t offered = 0;          ///< the last send to several topics that it was offered
  std::uint64_t last_sequence = 0;    ///< of those taken from `pending`
  bool ready = false;                 ///< stands in the engine's queue of work
  bool awaits_durable = false;        ///< stands in the list to wake when the store has synced
  bool flight_turn = false;           ///< woken by that list: it may take one now
  bool awaits_flight = false;         ///< stands in the list of its connection to wake
  bool settles_when_written = false;  ///< some of its deliveries are, or have been

  std::uint64_t retained_out = 0;  ///< of in_flight: retained ones
  bool ending = false;             ///< unsubscribe() is under way
  // Of a member of a shared subscription: deliveries that stay with its session.
  std::uint64_t pinned = 0;               ///< of in_flight
  std::map<PinKey, Entry> recalled_pins;  ///< read back, to be delivered
  std::size_t pins_asked = 0;             ///< being read back
  Ring<PinKey> pins_to_recall;            ///< not asked for yet
  /// Of what its topics retain, until it has it all.
  std::unique_ptr<RetainedReplay> replay;
  std::unique_ptr<Walk> walk;  ///< of a browser, until it has seen everything

  ClientNumber number;       ///< by which advisories tell of it
  AdvisoryTopics hears = 0;  ///< advisories that its interests match
  std::unique_ptr<AdvisoryReplay> advisory_replay;
  /// It has advisories before it that its client must know before it gets anything else.
  bool goes_first = false;
  bool told_slow = false;  ///< an advisory has said that it is slow

  std::shared_ptr<const DestinationPolicy> policy;  ///< of its destination; never null
  std::uint64_t dropped = 0;                        ///< messages, for PendingLimit
  TimePoint last_progress{};                        ///< it acknowledged, or came to have something
  TimePoint slow_check{};                           ///< the next one; TimePoint{}: none
  std::optional<TimePoint> slow_since;
  std::int64_t slow_count = 0;  ///< checks in a row that found it slow

  [[nodiscard]] bool has_waiting() const noexcept {
    return !pending.empty() || !returned.empty() || walk != nullptr || replay != nullptr ||
           !recalled_pins.empty();
  }
  /// The first; of selector and no_local, all are alike.
  [[nodiscard]] const Interest& interest() const noexcept { return options.interests.front(); }
  /// Whether it consumes from every queue of this name that comes.
  [[nodiscard]] bool wants_queue(std::string_view name) const noexcept {
    return std::any_of(options.interests.begin(), options.interests.end(), [&](const auto& each) {
      return each.destination.kind == DestinationKind::queue && each.destination.is_pattern() &&
             matches(each.destination.name, name);
    });
  }
  /// Whether there is a bound to what waits for it, see State::limit_pending().
  [[nodiscard]] bool limits_pending() const noexcept {
    return policy->pending_limit.kind != PendingLimit::Kind::none || options.pending_max != 0;
  }
  [[nodiscard]] bool automatic() const noexcept { return options.ack_mode == AckMode::automatic; }
  /// Whether a delivery of the message is settled by Engine::written.
  [[nodiscard]] bool is_automatic_for(const Message& message) const noexcept {
    return automatic() || (options.ack_mode == AckMode::mixed && !message.persistent());
  }
  [[nodiscard]] bool has_credit() const noexcept { return out < options.prefetch || granted > 0; }
};

/// Deliveries in the outbox or the socket, of one subscription, one behind the other.
struct Unwritten {
  Subscription* subscription = nullptr;  ///< null: it has gone
  std::uint64_t last_number = 0;
  std::uint64_t last_id = 0;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  bool untracked = false;  ///< they have no InFlight: only their credit comes back
};

/// What a client sends: to the message's own destination, or to several.
struct Send {
  MessageRef message;
  std::shared_ptr<const std::vector<Destination>> targets;    ///< SendOptions::targets
  std::shared_ptr<const ScheduleRequest> schedule = nullptr;  ///< SendOptions::schedule
  Purpose purpose = Purpose::send;
  /// Store operations that take effect with it, or not at all; taken when it is done. Null: none.
  std::vector<StoreOp>* along = nullptr;
  std::shared_ptr<const ProducerSequence> identity = nullptr;  ///< null: none that matters
  std::shared_ptr<const SessionChanges> attach = nullptr;      ///< SendOptions::attach
  ConnectionId attach_to{};                                    ///< whose session
};

/// A producer that names its sends. Source: design.md §7, "dedupe identity".
struct Producer {
  std::uint64_t last = 0;     ///< zero: none was taken …
  std::uint64_t refused = 0;  ///< … then: the first that was refused
  bool stored = false;        ///< the store has a number of it
  struct Gap {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  std::vector<Gap> gaps;  ///< ascending: numbers below `last` that were not taken, the newest few
  std::list<const std::string*>::iterator use;
};

/// How a transaction is asked to end.
enum class EndCall : std::uint8_t { commit, xa_prepare, xa_commit_one_phase };

/// A send or the end of a transaction that waits for room.
struct Parked {
  Send send;  ///< without a message: an end
  std::optional<TransactionId> transaction;
  ReplyToken token = 0;
  EndCall call = EndCall::commit;
  TimePoint since{};
};

/// Why a connection's first parked send waits, and where.
struct Blocked {
  Destination place;  ///< without a name: the broker as a whole
  std::string reason;
  TimePoint since{};
  TimePoint fail_at = TimePoint::max();  ///< then it fails
  TimePoint warn_at = TimePoint::max();
  milliseconds warn_every{0};
  std::uint64_t turn = 0;  ///< which of its entries in the list of `place` counts
  bool in_memory = false;  ///< at the broker as a whole: memory is all that it waits for
  /// The send asks the store for so much, which put it off; 0: something else.
  std::uint64_t store_bytes = 0;
  [[nodiscard]] TimePoint wake_at() const { return std::min(fail_at, warn_at); }
};

/// Connections whose first send waits for the broker as a whole, in turn, and the round in which
/// each of them tries again.
struct ParkedConnections {
  std::map<std::uint64_t, ConnectionId> waiting;  ///< by Blocked::turn
  bool wanted = false;     ///< another round, when the one under way has ended
  std::uint64_t next = 1;  ///< turn that is next in the round
  std::uint64_t last = 0;  ///< and the last one of it; below `next`: none is under way
  /// The smallest send that the store put off in this round: of larger ones it need not be asked.
  std::uint64_t put_off = 0;
  [[nodiscard]] bool due() const noexcept { return wanted || next <= last; }
};

class Connection {
 public:
  Connection(ConnectionId connection_id, ConnectOptions wanted)
      : id(connection_id), options(std::move(wanted)) {}

  const ConnectionId id;
  const ConnectOptions options;
  std::string client_id;
  std::uint64_t origin = 0;
  std::vector<SubscriptionId> subscriptions;
  std::vector<TransactionId> transactions;  ///< open ones, and XA branches that it works for
  std::vector<TransactionId> prepared;      ///< XA branches that its subscriptions acknowledged in
  std::vector<Destination> temporaries;
  std::uint64_t temporaries_made = 0;
  std::vector<ProducerId> producers;
  std::int64_t numbers_given = 0;  ///< to consumers and producers that have none of the client's
  std::uint32_t going_first = 0;   ///< subscriptions with Subscription::goes_first

  std::uint64_t last_number = 0;  ///< Delivery::number
  Ring<Unwritten> unwritten;
  std::uint64_t unwritten_bytes = 0;
  bool socket_was_full = false;          ///< somebody waits for its socket
  std::uint64_t explicit_out = 0;        ///< deliveries that it must acknowledge
  Ring<SubscriptionId> awaiting_flight;  ///< wait for ConnectOptions::in_flight_max, by turns
  bool flight_listed = false;            ///< stands in the engine's list of those to wake
  Session* session = nullptr;            ///< null: it has none

  Ring<Parked> parked;
  std::uint64_t parked_bytes = 0;
  std::optional<Blocked> blocked;  ///< has a value while something is parked
  bool reading_paused = false;
};

struct PendingAck {
  SubscriptionId subscription{};
  DeliveryId delivery{};
  AckKind kind{};
  std::string cause;
};

class Transaction {
 public:
  Transaction(TransactionId transaction_id, Connection* owner)
      : id(transaction_id), connection(owner) {}

  const TransactionId id;
  Connection* const connection;  ///< null: an XA branch, see Branch::associations
  Branch* branch = nullptr;      ///< null: local to its connection
  TimePoint since{};             ///< when its client began it; of an XA branch: Branch::since
  std::uint64_t parked_sends = 0;
  std::vector<Send> sends;
  std::uint64_t bytes = 0;
  std::uint64_t admitted_bytes = 0;  ///< set aside in the store
  std::uint64_t freed_bytes =
      0;  ///< that what it acknowledges leaves in the store, see note_freed()
  struct Sent {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  std::map<std::string, Sent> producers;  ///< numbers that it sends, by producer
  std::vector<PendingAck> acks;
  std::optional<Error> lost;  ///< why a parked send of it was refused: it cannot be committed
  /// Acknowledged deliveries whose subscription ended before the transaction did.
  std::vector<std::pair<InFlight, PendingAck>> orphans;
};

/// A topic that somebody wants: who, under the current patterns.
struct Topic {
  std::uint64_t epoch = 0;
  std::vector<Subscription*> subscriptions;
  std::vector<MessageList*> lists;
  std::vector<VirtualQueue> virtual_queues;       ///< that a virtual topic feeds
  std::vector<const CompositeRoute*> composites;  ///< by which it forwards
  DestinationCounters counters;
  std::shared_ptr<const DestinationPolicy> policy;  ///< null: not looked up yet

  /// Whether its messages go to other places as well.
  [[nodiscard]] bool forwards() const noexcept {
    return !virtual_queues.empty() || !composites.empty();
  }
  void clear() noexcept {
    subscriptions.clear();
    lists.clear();
    virtual_queues.clear();
    composites.clear();
    policy.reset();
  }
  void swap_targets(Topic& other) noexcept {
    subscriptions.swap(other.subscriptions);
    lists.swap(other.lists);
    virtual_queues.swap(other.virtual_queues);
    composites.swap(other.composites);
  }
};

/// A topic among the places that a send goes to.
struct TopicPlace {
  Topic* topic = nullptr;
  std::shared_ptr<const Destination> destination;  ///< null: the message's own
};

/// Lists of patterns that get a message under the name of the topic that it was forwarded to.
struct ListCopy {
  std::shared_ptr<const Destination> destination;
  std::vector<MessageList*> lists;
};

struct TopicMemory;

/// A message that a topic remembers.
struct Remembered {
  TopicMemory* memory = nullptr;
  MessageRef message;
  std::shared_ptr<const Destination> destination;  ///< as in TopicPlace
  Ticket visible_after = kNoTicket;
  TimePoint at;
  std::uint64_t serial = 0;  ///< of arrival
};

/// What one topic remembers, oldest first.
struct TopicMemory {
  std::shared_ptr<const DestinationPolicy> policy;  ///< never null
  Ring<std::list<Remembered>::iterator> messages;
  std::uint64_t bytes = 0;
};

/// A place on the way of a send, to be looked at. `name` belongs to the message, to `destination`
/// or to a list.
struct Stop {
  DestinationKind kind{};
  std::string_view name;
  std::shared_ptr<const Destination> destination;  ///< null: the message's own
  std::size_t from = kNoStop;                      ///< index of the stop whose composite led here

  static constexpr std::size_t kNoStop = SIZE_MAX;
};

/// What a topic pattern leads to: exactly one of the two.
struct TopicTarget {
  Subscription* subscription = nullptr;
  MessageList* list = nullptr;
  friend bool operator==(const TopicTarget&, const TopicTarget&) = default;
};

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <class Value>
using NameMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

/// A message given its place in a list, before or after its batch went to the store.
struct Placed {
  MessageList* list = nullptr;
  std::uint64_t sequence = 0;
  MessageRef message;
  std::uint8_t priority = 0;  ///< the lane
};

/// A scheduled message given its place in a bucket, in the same way.
struct PlacedJob {
  ScheduleBucket* bucket = nullptr;
  ScheduleBucket::Key key;
  MessageRef packed;
};

/// Store operations that take effect together, and what becomes visible with them.
struct Batch {
  std::vector<StoreOp> operations;
  std::vector<Placed> placed;
  std::vector<PlacedJob> jobs;
  std::vector<MessageRef> announced;  ///< dead letters for a topic's subscriptions without a list
  std::vector<std::string> retained;  ///< topics whose retained message came with it
  bool passing = false;               ///< StoreOp::passing

  void clear() noexcept {
    passing = false;
    operations.clear();
    placed.clear();
    jobs.clear();
    announced.clear();
    retained.clear();
  }
};

/// StoreOp::passing: from so much under way on, several senders wait at once. As many as the store
/// takes for several, or what it holds back for a shorter time would be judged by the longer one.
inline constexpr double kSeveralUnderWay = 4;
inline constexpr double kUnderWayShare = 16;  // of the last send in the running mean

/// Of a spilling engine: lists with fewer entries in their rings come later, if spilling the others
/// was not enough.
inline constexpr std::size_t kSpillEntriesFirst = 1024;

/// Joins acknowledgements of neighbours into ranges before they go to the store.
struct AckRun {
  ListId list{};
  ReaderId reader{};
  std::uint8_t priority = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< zero: nothing collected
};

/// What the engine does by time. Each has one slot, so that planning costs no memory: a feature
/// says when it wants to be called next (State::wake_at), keeps what it has planned in its own
/// order, and is called once when that time has come (State::fire), to plan again.
enum class Timer : std::uint8_t {
  warm_up,  ///< dispatch of queues whose first consumer came
  expiry,
  redelivery,
  schedule,
  blocked_sends,
  slow_consumers,
  collection,
  offline_durables,
  retroactive,  ///< what topics remember for some time
  retained,     ///< the end of retained messages
  sessions,     ///< ends of sessions, and wills
};
inline constexpr std::size_t kTimers = 11;

/// What waits for the time of its redelivery, in the order in which that comes. Of a reader, or (a
/// topic message without a list) of a subscription.
struct DelayedKey {
  TimePoint due{};
  ListId list{};
  ReaderId reader{};
  SubscriptionId subscription{};
  std::pair<int, std::uint64_t> place;  ///< key of Reader::delayed; of Subscription: the second
  friend auto operator<=>(const DelayedKey&, const DelayedKey&) = default;
};

/// What becomes of a delivery.
enum class Fate : std::uint8_t {
  done,      ///< nobody needs the message any more
  returned,  ///< back to its place, to anybody, at once
  delayed,   ///< the same after a while
  dead,      ///< it goes where its dead-letter strategy says
};

}  // namespace pabal::core
