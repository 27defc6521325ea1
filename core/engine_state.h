#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/advisory.h"
#include "core/engine.h"
#include "core/engine_model.h"
#include "core/engine_xa.h"
#include "core/expiry_index.h"
#include "core/message_list.h"
#include "core/passing_trial.h"
#include "core/queue_walk.h"
#include "core/retained.h"
#include "core/ring.h"
#include "core/session.h"
#include "core/slot_map.h"
#include "core/topic_trie.h"
#include "core/virtual_routes.h"

// The engine's insides. One class, because every rule needs most of the state; its functions are
// spread over engine_*.cc by subject:
//
//   engine.cc               the public door, connections, the work loop
//   engine_send.cc          admission, queueing
//   engine_route.cc         where a send goes: composites, virtual topics, mirrors
//   engine_flow.cc          limits of destinations; sends that wait for room, and their turns
//   engine_slow.cc          consumers that do not keep up
//   engine_collect.cc       destinations and durable subscriptions that nobody uses
//   engine_retroactive.cc   what topics remember for those who come later
//   engine_retained.cc      the one message that a topic keeps because its sender said so
//   engine_sessions.cc      what clients leave behind between their connections, and their wills
//   engine_session_parts.cc what stands in sessions
//   engine_shared.cc        subscriptions with several members
//   engine_subscribe.cc     subscriptions, durable ones, temporary destinations
//   engine_dispatch.cc      what goes to whom and why not, paging
//   engine_groups.cc        who may get it: message groups, exclusive consumers, the start
//   engine_schedule.cc      scheduled delivery: what waits for its time, and when that comes
//   engine_schedule_order.cc  what is scheduled, shown and removed
//   engine_pages.cc         reading back what is not in memory
//   engine_damage.cc        what cannot be read back, and passing it
//   engine_settle.cc        acknowledgements, returning
//   engine_expiry.cc        what expires before its turn
//   engine_redelivery.cc    what was refused: whether, when and how it is tried again
//   engine_dead_letter.cc   where goes what cannot be delivered, and how it comes back
//   engine_spill.cc         non-persistent messages that memory has no room for
//   engine_duplicates.cc    sends that came before
//   engine_transaction.cc   begin, commit, rollback
//   engine_walk.cc          going through a queue, taking out of turn, browsers
//   engine_admin.cc         an operator's commands about queues
//   engine_removal.cc       queues and topics that somebody removes
//   engine_explain.cc       why a queue's messages, or one of them, wait
//   engine_explain_transactions.cc  what of them has to do with transactions that have not ended
//   engine_xa.cc            XA branches: what each call does in which state
//   engine_branch.cc        what a prepared branch has in the store, and how it comes back
//   engine_lists.cc         lists, readers, their windows, recovery
//   engine_advisories.cc    what the broker tells of all this, and to whom
//   engine_views.cc         snapshots

namespace pabal::core {

/// Of ExpiryIndex, some 10 MB: 16 million messages that expire; of more, parts are larger.
inline constexpr std::size_t kExpiryPartsMax = 65'536;

class Engine::State {
 public:
  State(Store& store, EngineLimits limits, std::uint32_t homes);

  // --- engine.cc
  Result<ConnectionDetails> connect(const ConnectOptions& options);
  [[nodiscard]] std::string assigned_client_id(std::uint64_t serial) const;
  [[nodiscard]] Connection* other_instance(const ConnectOptions& options);
  Ticket disconnect(ConnectionId id, const DisconnectOptions& how);
  void written(ConnectionId id, std::uint64_t number);
  void configure(EngineSettings wanted);
  void tick();
  /// Does what `timer` is for; its slot is empty.
  void fire(Timer timer);
  /// `timer` fires at `time`, or earlier if it was planned so. A time that has passed: next tick.
  void wake_at(Timer timer, TimePoint time) {
    auto& slot = timers[static_cast<std::size_t>(timer)];
    slot = std::min(slot, time);
  }
  [[nodiscard]] bool planned(Timer timer) const noexcept {
    return timers[static_cast<std::size_t>(timer)] != TimePoint::max();
  }
  [[nodiscard]] std::optional<TimePoint> next_timer() const;
  bool run();
  Outbox& outbox_of(const Connection& connection) {
    return outboxes[static_cast<std::size_t>(connection.options.home)];
  }
  void order(Connection& connection, ConnectionOrder what, std::string reason);
  void mark_ready(Scan& scan);
  /// Every scan of it that has consumers.
  void mark_ready(Reader& reader);
  void mark_ready(Subscription& subscription);
  void mark_ready(QueueTask& task);
  void forget_work(Scan& scan);

  // --- engine_send.cc
  Outcome publish(ConnectionId id, MessageRef message, const SendOptions& options);
  /// One try at a send whose connection and transaction are known; nullopt: there is no room now.
  std::optional<Outcome> try_send(const Send& send, Transaction* transaction);
  /// Of a message that route() has looked at. `granted`: `stored_bytes` are set aside in the store.
  /// Fills `why` when refused.
  Admission admit(const Message& message, std::uint64_t stored_bytes, Error& why,
                  Purpose purpose = Purpose::send);
  // --- engine_flow.cc
  /// Whether a destination of the routed message is over a limit of its policy; then blocked_at_
  /// and `why` say which.
  bool destination_full(const Message& message, Error& why);
  /// The same of one list, for who can leave it out. Never for a policy without flow control.
  static bool is_full(const MessageList& list, Error& why);
  /// Whether a send that finds no room fails instead of waiting.
  [[nodiscard]] bool fails_when_full(const Message& message) const;
  [[nodiscard]] std::shared_ptr<const DestinationPolicy> policy_where_blocked(
      const Message& message) const;
  /// The connection's first parked send waits at blocked_at_.
  void list_blocked(Connection& connection);
  void unlist_blocked(Connection& connection);
  /// What the connection has parked first may not be what it waited for: it gets a turn.
  void try_anew(Connection& connection);
  [[nodiscard]] const Blocked* blocked_in_turn(
      const std::pair<ConnectionId, std::uint64_t>& waiting) const;
  void retry_all_blocked();
  /// There may be room at the destination.
  void room_at(MessageList& list);
  void room_at_topics();
  void retry_destinations(std::uint32_t& steps);
  void fail_or_warn_blocked();
  [[nodiscard]] std::vector<BlockedProducer> blocked_producers(std::size_t limit) const;
  void reply_to_parked(Connection& connection, const Parked& parked, Outcome outcome);

  // --- engine_slow.cc
  /// A topic message has come to wait: drops what is beyond the subscription's limit; how many.
  std::uint64_t limit_pending(Subscription& subscription);
  std::size_t eviction_candidate(const Subscription& subscription) const;
  void watch_slow(Subscription& subscription);
  void check_slow_consumers(std::uint32_t& steps);
  [[nodiscard]] bool is_slow(const Subscription& subscription) const;
  void abort_slow(Subscription& subscription, const std::string& why);
  void apply_policy(Subscription& subscription);

  // --- engine_collect.cc
  void plan_collection();
  void collect(std::uint32_t& steps);
  void expire_durables(std::uint32_t& steps);
  [[nodiscard]] bool collectable(const MessageList& list) const;
  /// Whether another destination may come into being under the policy of this one. Errors:
  /// quota_exceeded.
  Result<void> admit_destination(const Destination& destination) const;

  Outcome park(Connection& connection, Parked parked);
  static constexpr std::string_view kEndWaits =
      "the end of a transaction waits for its sends, or for the store";
  /// Whatever is tried next, nothing is known of what it waits for, but for this.
  void forget_block(std::string_view why) {
    blocked_at_.name.clear();
    blocked_why_ = why;
    blocked_in_memory_ = false;
    blocked_bytes_ = 0;
  }
  [[nodiscard]] ParkedConnections& parked_with(const Blocked& blocked) {
    return blocked.in_memory ? parked_for_memory : parked_for_the_store;
  }
  [[nodiscard]] bool sends_are_due() const noexcept {
    return room_changed || parked_for_memory.due() || parked_for_the_store.due();
  }
  void report_parked(Connection& connection);
  void drop_parked(Connection& connection, std::optional<TransactionId> transaction);
  void unpark_front(Connection& connection);
  void read_on(Connection& connection);
  bool retry_parked_of(Connection& connection, std::uint32_t& steps);
  void retry_parked(std::uint32_t& steps);
  bool retry_round(ParkedConnections& parked, std::uint32_t& steps);
  /// Gives `message` its places in route_, adding the store operations to `batch`; the message
  /// bytes that they store.
  std::uint64_t prepare(const MessageRef& message, Batch& batch);
  /// Queues what `batch` has placed. `visible_after`: a transaction's ticket, else none.
  void place(Batch& batch, Ticket stored, Ticket visible_after);
  void log_touches(MessageList& list, int priority, std::uint64_t sequence);
  /// Whether a durable subscription's selector wants a message; without one: yes.
  static bool wants(const Reader& reader, const Message& message) noexcept;
  static bool anybody_wants(const MessageList& list, const Message& message) noexcept;
  void refuse(Reader& reader, int priority, std::uint64_t sequence);
  void acknowledge_refused(Reader& reader, int priority);
  void acknowledge_late(Reader& reader, int priority, std::uint64_t sequence);
  void acknowledge_run(Reader& reader, int priority, AckLate& run);
  static StoreOp acknowledgement_of(ListId list, ReaderId reader, int priority, AckLate& run);
  void acknowledge_all_late();
  void acknowledge_all_late(Reader& reader);
  static bool stored_in(const Message& message, const MessageList& list) {
    return message.persistent() && list.stored;
  }

  // --- engine_route.cc
  /// Where the send goes: into route_, topic_places_ and copies_, until the next call.
  Result<void> route(const Send& send);
  Result<void> route_everywhere(const Send& send);
  Result<void> visit_queue(const Message& message, const Stop& stop);
  Result<void> visit_topic(const Message& message, const Stop& stop);
  [[nodiscard]] const Stop* stop_in_loop() const;
  void visit_list(MessageList& list);
  /// The send that route() looked at takes effect without the queues that it left out.
  void count_left_out();
  bool forward(const Message& message, const Stop& stop,
               const std::vector<const CompositeRoute*>& composites);
  static bool consumer_wants(MessageList& queue, const Message& message);
  Result<Topic*> topic_named(std::string_view name, DestinationKind kind);
  /// Who gets what is sent to a topic. Valid until the next route().
  Topic* resolve(std::string_view name, DestinationKind kind);
  /// The same, when no route is in use.
  Topic* resolve_alone(std::string_view name, DestinationKind kind) {
    scratch_topics_used_ = 0;
    return resolve(name, kind);
  }
  [[nodiscard]] std::uint64_t topics_epoch() const noexcept {
    return patterns.epoch() + virtual_routes->epoch();
  }
  /// Message bytes that the routed message will take in the store at most.
  [[nodiscard]] std::uint64_t route_bytes_max(const Message& message) const;
  static std::uint64_t copy_bytes_max(const Message& message, const Destination& place);
  /// prepare() for copies_, behind that for route_, which is lost; the bytes that it stores.
  std::uint64_t prepare_copies(const Message& message, Batch& batch);
  static MessageRef copy_for(const Message& message, const Destination& place);
  /// To the subscriptions that topics have directly. `visible_after`: a transaction's ticket, or
  /// none.
  void publish_to_topics(const MessageRef& message, Ticket visible_after);
  /// Where a message of `list` is, for Delivery::destination; null: where it says.
  static const std::shared_ptr<const Destination>& delivery_place(MessageList& list,
                                                                  const Message& message);
  Result<void> make_wildcard_queue(const Destination& pattern);
  /// After a change of the settings.
  void use_virtual_destinations();
  void stamp(MessageRef& message) const;
  void force_persistency(MessageRef& message) const;
  static void name_sender(MessageRef& message, std::string_view user);
  void hold_if_passing(Batch& batch);
  [[nodiscard]] bool soon(const Entry& entry) const;
  /// Of a message that is acknowledged: was it soon, and so never written?
  enum class Passed : std::uint8_t { no, written, unwritten };
  void judge_passing(MessageList& list, const Entry& entry, Passed passed);
  /// Whether a transaction has room for one more send. Errors: quota_exceeded.
  Result<void> check_room(const Transaction& transaction, const Message& message) const;

  // --- engine_schedule.cc
  /// As try_send(), of what is to be delivered later.
  std::optional<Outcome> try_schedule(const Send& send, Transaction* transaction);
  Result<ScheduledJob> plan_job(const Send& send, std::int64_t repeat_max);
  /// What a send to be delivered later takes in the store at most.
  [[nodiscard]] static std::uint64_t scheduled_bytes_max(const Send& send);
  Admission admit_job(std::uint64_t bytes, bool stored, Error& why,
                      Purpose purpose = Purpose::send);
  /// Gives a job its place, adding the store operations to `batch`.
  void prepare_job(const MessageRef& packed, TimePoint at, Batch& batch);
  /// A send that was planned before, at its commit; how many bytes are stored.
  std::uint64_t prepare_scheduled(const Send& send, Batch& batch);
  /// What `batch` has placed waits from here on. `visible_after`: a transaction's ticket, else
  /// none.
  void place_jobs(Batch& batch, Ticket visible_after);
  ScheduleBucket& bucket_of(TimePoint at);
  void recover_bucket(const RecoveredList& found);
  void advance_schedule(std::uint32_t& steps);
  void load_bucket(ScheduleBucket& bucket);
  void request_jobs(ScheduleBucket& bucket, ScheduleBook::Asked::For what);
  void read_due_jobs(ScheduleBucket& bucket);
  bool take_schedule_page(Page& page);
  void take_jobs(ScheduleBucket& bucket, Page& page);
  void take_one_job(ScheduleBucket& bucket, const ScheduleBucket::Key& key, Page& page);
  void keep_job(ScheduleBucket& bucket, const ScheduleBucket::Key& key, MessageRef packed,
                Ticket visible_after);
  using JobPosition = std::map<ScheduleBucket::Key, PlannedJob>::iterator;
  /// Takes a job out of memory.
  void drop_job(ScheduleBucket& bucket, JobPosition job);
  /// It is through: it counts no more.
  void forget_job(ScheduleBucket& bucket, JobPosition job);
  void postpone_job(ScheduleBucket& bucket, JobPosition job, milliseconds by);
  void fire_jobs(ScheduleBucket& bucket, std::uint32_t& steps);
  bool fire_job(ScheduleBucket& bucket, JobPosition job);
  bool deliver_job(const ScheduledJob& job, const Message& packed, Batch& along);
  bool dead_letter_job(const MessageRef& copy, std::string_view cause, Batch& along);
  [[nodiscard]] StoreOp acknowledgement_of(const ScheduleBucket& bucket,
                                           std::uint64_t sequence) const;

  // --- engine_schedule_order.cc
  Outcome order_schedule(const Message& message, const SendOptions& options);
  /// Goes on with the first order; false: it waits, or there is none.
  bool walk_schedule(std::uint32_t& steps);
  bool walk_memory(ScheduleWalk& walk, std::uint32_t& steps);
  void take_walk_page(ScheduleBucket& bucket, Page& page);
  Result<TaskId> start_schedule_task(ScheduleTaskOptions options);
  std::optional<ScheduleTaskView> take_schedule_task(TaskId id);
  void note_job(ScheduleWalk& walk, const Message& packed, const SchedulePlace& next);
  void note_looked_at(const ScheduleWalk& walk, std::uint64_t jobs);
  void remove_job(ScheduleBucket& bucket, std::uint64_t sequence, const Message& packed);
  void show_job(ScheduleWalk& walk, const Message& packed);
  void end_walk();

  // --- engine_duplicates.cc
  [[nodiscard]] Result<bool> identifies(const Send& send) const;
  std::optional<Outcome> answer_duplicate(const ProducerSequence& identity,
                                          const Transaction* transaction, bool parked);
  static void note_in(Transaction& transaction, const ProducerSequence& identity);
  [[nodiscard]] Result<void> check_producers(const Transaction& transaction) const;
  void remember_all(const Transaction& transaction, bool stored, Batch& batch);
  void remember(const std::string& name, Producer::Gap numbers, bool stored, Batch& batch);
  void remember(const ProducerSequence& identity, bool stored, Batch& batch) {
    remember(identity.producer, {identity.sequence, identity.sequence}, stored, batch);
  }
  void refused(const ProducerSequence& identity);
  Producer& producer_named(const std::string& name);
  void forget_oldest_producer(std::vector<StoreOp>& operations);
  void recover_producers(const std::vector<std::pair<std::string, std::string>>& attachments);
  // --- engine_retroactive.cc
  void use_recovery_policies();
  void remember(const TopicPlace& place, const MessageRef& message, Ticket visible_after);
  void forget_oldest(TopicMemory& memory);
  void prune(TopicMemory& memory);
  void prune_by_time();
  void remind(Subscription& subscription);

  // --- engine_retained.cc
  /// What sends that go together will keep, beside what is kept: topics, and bytes of each.
  struct RetainedTally {
    std::map<std::string, std::uint64_t, std::less<>> topics;  ///< zero: nothing is kept there
    std::int64_t added = 0;
    std::int64_t bytes = 0;
  };
  [[nodiscard]] Result<std::uint64_t> admit_retained(const Message& message,
                                                     RetainedTally* tally = nullptr) const;
  std::uint64_t prepare_retained(const MessageRef& message, bool stored, Batch& batch);
  std::uint64_t retain_at(const TopicPlace& place, const MessageRef& message, bool shares,
                          Batch& batch, std::vector<StoreOp>& done);
  static Retained deletion(std::uint64_t sequence);
  void forget_deletions();
  StoreOp retained_list();
  [[nodiscard]] StoreOp retained_done(std::uint64_t sequence) const;
  void keep_retained(std::string_view name, Retained next);
  void place_retained(Batch& batch, Ticket ticket);
  void retained_timer();
  void expire_retained(std::uint32_t& steps);
  void begin_replay(Subscription& subscription);
  bool replay_retained(Subscription& subscription, std::uint32_t& steps);
  void look_ahead(Subscription& subscription, std::uint32_t& steps);
  static bool is_wanted_before(const Subscription& subscription, std::size_t interest,
                               std::string_view name);
  bool take_ahead(Subscription& subscription, const RetainedMap::value_type& found);
  static bool wants_retained(const Subscription& subscription, const Message& message);
  void read_retained();
  bool take_retained_page(Page& page);
  void take_recovered_retained(Page& page);
  void recover_retained(const RecoveredList& found);
  [[nodiscard]] std::vector<RetainedView> retained_after(std::string_view after,
                                                         std::size_t limit) const;

  // --- engine_sessions.cc
  static StoreOp attachment_step(StoreOpKind kind, std::string key, std::string value);
  static StoreOp session_record(const Session& session);
  static StoreOp no_session_record(const Session& session);
  Ticket append_all(std::vector<StoreOp>& operations);
  Ticket store_session(Session& session);
  [[nodiscard]] Result<void> admit_session(const ConnectOptions& options) const;
  void grant_keep(Session& session, std::optional<seconds> wanted, bool configured) const;
  void begin_session(Connection& connection, ConnectionDetails& details);
  void leave_session(Connection& connection, const DisconnectOptions& how);
  void end_session(Session& session);
  void clear_ended_sessions(std::uint32_t& steps);
  void end_own_subscription(const EndingSession& ending, const std::string& name, ReaderId id);
  void send_will(Session& session);
  void publish_will(const std::shared_ptr<const Will>& will, const std::string& client_id,
                    std::vector<StoreOp>& operations);
  enum class WillFate : std::uint8_t { sent, later, refused };
  Result<void> announce(MessageBuilder& message);
  void sign(MessageBuilder& message);
  WillFate try_will(const Will& will, std::vector<StoreOp>& operations);
  void retry_wills(std::uint32_t& steps);
  void plan_never(Session& session);
  void plan_session(Session& session);
  void advance_sessions(std::uint32_t& steps);
  void settle_recovered_sessions();
  void recover_sessions(const std::vector<std::pair<std::string, std::string>>& attachments);
  void recover_session(std::string client_id, std::string_view record);
  bool recover_will(const std::string& key, std::string_view record);

  // --- engine_session_parts.cc
  static std::string part_key(std::uint64_t generation, std::string_view client_id,
                              std::string_view key);
  static std::string subscription_key(std::uint64_t generation, std::string_view client_id,
                                      std::string_view name);
  static std::string pin_key(const Session& session, const PinKey& pin);
  [[nodiscard]] Session* session_of(std::string_view client_id, std::uint64_t generation) const;
  [[nodiscard]] Session* owner_of(std::string_view key) const;
  [[nodiscard]] Result<void> check_changes(const Session& session,
                                           const SessionChanges& changes) const;
  [[nodiscard]] Result<void> check_session_bytes(const Session& session, std::uint64_t bytes) const;
  static void apply_changes(Session& session, const SessionChanges& changes,
                            std::vector<StoreOp>& operations);
  Result<Ticket> change_session(ConnectionId id, const SessionChanges& changes);
  [[nodiscard]] std::optional<DeliveryPlace> stands_at(SubscriptionId id, DeliveryId delivery);
  [[nodiscard]] bool holds(SubscriptionId id, DeliveryId delivery) const;
  [[nodiscard]] bool may_come(ConnectionId id, std::string_view name,
                              const std::optional<DeliveryPlace>& place);
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> session_attachments(
      ConnectionId id) const;
  void store_parts(Session& session);
  bool recover_part(std::string_view key, const std::string& value);
  [[nodiscard]] Result<void> check_own_subscription(const Session& session,
                                                    const SubscribeOptions& options) const;
  static StoreOp own_record(const Session& session, const std::string& name,
                            const OwnSubscription& own);
  void own_subscription(Session& session, const SubscribeOptions& options, Reader& reader,
                        std::vector<StoreOp>& operations);
  static void disown(Reader& reader, std::vector<StoreOp>& operations);
  void end_replay(Subscription& subscription);
  static OwnSubscription* own_of(const Subscription& subscription);
  Result<Ticket> resubscribe(SubscriptionId id, const ResubscribeOptions& wanted);
  [[nodiscard]] std::vector<SessionSubscription> session_subscriptions(ConnectionId id) const;
  bool recover_subscription(std::string_view key, std::string_view record);
  [[nodiscard]] std::vector<SessionSnapshot> sessions_after(std::string_view after,
                                                            std::size_t limit) const;

  // --- engine_shared.cc
  static Result<void> check_shared(const SubscribeOptions& options);
  Result<Reader*> shared_reader(const Connection& connection, const SubscribeOptions& options,
                                std::vector<StoreOp>& operations);
  Reader& make_group(const std::string& group, const std::string& pattern,
                     const std::string& selector, bool stored, std::vector<StoreOp>& operations);
  MessageList& volatile_list(const std::string& pattern);
  static StoreOp creation_of(const Reader& reader);
  void take_group(Reader& reader);
  Reader& store_group(Reader& old, std::vector<StoreOp>& operations);
  void leave_group(Reader& reader, bool may_stay);
  [[nodiscard]] bool is_deserted(const Reader& reader) const;
  void end_deserted_groups();
  Result<Ticket> forget_subscription(ConnectionId id, const std::string& name);
  Result<Ticket> pin(SubscriptionId id, DeliveryId delivery_id);
  void unpin(Subscription& subscription, InFlight& delivery, std::vector<StoreOp>& operations);
  bool keep_pinned(Subscription& subscription, InFlight& delivery);
  void drop_pins(Session& session, std::optional<ReaderId> only = std::nullopt);
  void discard_pinned(Reader& reader, const PinKey& key, const Pin& pinned,
                      std::vector<StoreOp>& operations);
  void begin_recall(Subscription& subscription);
  void recall_pins(Subscription& subscription);
  bool take_pinned_page(Page& page);
  bool deliver_pinned(Subscription& subscription, std::uint32_t& steps);
  bool recover_pin(std::string_view key, std::string_view record);

  // --- engine_subscribe.cc
  Result<SubscriptionId> subscribe(ConnectionId id, const SubscribeOptions& options);
  Result<void> check_subscribe(Connection& connection, const SubscribeOptions& options);
  Result<Reader*> durable_reader(Connection& connection, const SubscribeOptions& options,
                                 std::vector<StoreOp>& operations);
  Result<Reader*> kept_reader(Connection& connection, const SubscribeOptions& options);
  Result<void> check_interest(const Connection& connection, const SubscribeOptions& options,
                              const Interest& interest);
  void begin_consuming(Subscription& subscription, const std::vector<Reader*>& readers);
  void attach(Subscription& subscription, Reader& reader);
  void add_interests(Subscription& subscription, const std::vector<Reader*>& readers);
  Scan& scan_for(const Subscription& subscription, Reader& reader);
  void detach(Subscription& subscription, Scan& scan);
  void begin_volatile(Reader& reader);
  void drop_volatile(Reader& reader);
  void keep_acknowledged(Subscription& subscription, Transaction& transaction);
  static constexpr DeliveryId kAllSeen{UINT64_MAX};
  void unsubscribe(Subscription& subscription, DeliveryId seen);
  [[nodiscard]] bool may_deliver_soon(SubscriptionId id);
  [[nodiscard]] std::optional<std::uint32_t> policy_prefetch(const SubscribeOptions& options) const;
  Result<void> delete_durable(std::string_view client_id, std::string_view name);
  Result<Destination> create_temporary(ConnectionId id, DestinationKind kind);
  Result<void> create_temporary(ConnectionId id, const Destination& destination);
  Result<void> delete_temporary(ConnectionId id, const Destination& destination);
  void delete_temporary(const Destination& destination, const Connection& owner);

  // --- engine_dispatch.cc
  struct Candidate {
    Entry* entry = nullptr;
    int priority = 0;
    enum class From : std::uint8_t { returned, page, spilled_page, window, volatile_ring } from{};
    std::size_t position = 0;        ///< in the ring
    std::optional<bool> selected{};  ///< what the scan's selector says, if it was asked
    [[nodiscard]] bool is_read_back() const noexcept {
      return from == From::page || from == From::spilled_page;
    }
  };
  void dispatch(Scan& scan, std::uint32_t& steps);
  /// The message to go next; without one, scan.waiting says why.
  std::optional<Candidate> next_entry(Scan& scan, std::uint32_t& steps);
  void skip_refused(Scan& scan, const Candidate& candidate);
  /// What its own connection sent, and it does not want back.
  static bool is_local(const Subscription& consumer, const Message& message);
  static bool is_foreign(Reader& reader, const Candidate& candidate);
  std::optional<Candidate> next_returned(Scan& scan, int priority, std::uint32_t& steps);
  /// Why a lane has nothing to give now.
  struct LaneWait {
    WaitReason why = WaitReason::empty;
    bool holds_lower = false;  ///< its turn is near: a lower priority must not overtake it
  };
  std::optional<Candidate> next_in_lane(Scan& scan, int priority, LaneWait& wait);
  void drop_gone(Scan& scan, int priority, Cursor& cursor);
  void drop_page_front(Pages& pages);
  bool may_leave(Reader& reader, int priority, const Entry& entry, LaneWait& wait);
  /// The scan's selector does not want it: it stays for others.
  void pass(Scan& scan, const Candidate& candidate);
  Entry take(Scan& scan, const Candidate& candidate);
  void took_ahead(Scan& scan, int priority, const Entry& entry);
  void forget_ahead(Reader& reader, int priority, std::uint64_t sequence);
  /// What becomes of a scan's candidate.
  enum class Turn : std::uint8_t { take, pass, stop };
  struct Receiver {
    Subscription* consumer = nullptr;
    GroupMember* member = nullptr;  ///< null: the reader has no groups
  };
  Turn turn_of(Scan& scan, const Candidate& candidate, Receiver& receiver);
  void dispatch_waiting(Scan& scan, std::uint32_t& steps);
  bool may_read_back(Scan& scan, const Message& message);
  bool take_expired(Scan& scan, const Candidate& candidate);
  Subscription* pick_consumer(Scan& scan);
  Subscription* pick_exclusive(Scan& scan);
  void list_for_wake(Scan& scan);
  void wake_blocked(Subscription& subscription);
  [[nodiscard]] bool has_socket_room(Connection& connection);
  /// Whether its connection takes another delivery for it; else it is woken when it does.
  [[nodiscard]] bool has_room(Subscription& subscription);
  /// The same but for a replay of what is retained.
  [[nodiscard]] bool connection_takes(Subscription& subscription);
  void wake_in_flight(std::uint32_t& steps);
  void list_flight(Connection& connection);
  void see_durable();
  /// `destination`: of a message without a list, as in PendingMessage.
  void deliver(Subscription& subscription, Reader* reader, int priority, Entry entry,
               std::shared_ptr<const Destination> destination = nullptr);
  void deliver_pending(Subscription& subscription, std::uint32_t& steps);
  ReturnedMessage take_waiting(Subscription& subscription);
  void offer_topic_message(Subscription& subscription, const MessageRef& message,
                           Ticket visible_after,
                           const std::shared_ptr<const Destination>& destination);
  bool first_pending_is_visible(Subscription& subscription);
  struct PageFor {
    ListId list{};
    ReaderId reader{};
    int priority = 0;
    std::uint64_t recall_to = 0;  ///< not zero: for recall(), up to here
    bool spilled = false;         ///< of what the list has spilled
    std::uint64_t recall_from = 0;
    std::uint64_t errand = 0;    ///< not zero: for this one
    WalkId walk{};               ///< not zero: for this walk
    std::uint64_t reserved = 0;  ///< of pages_reserved
  };
  void request_page(Scan& scan, int priority);
  std::uint64_t ask_for_page(Scan& scan, PageRequest& request, PageFor place);
  std::uint64_t send_request(PageRequest& request, const PageFor& place);
  Ticket everything_submitted();
  std::uint64_t room_for_pages(const Scan* asking);
  void await_page(Scan& scan);
  void list_as_blocked(Scan& scan);
  void grant_pages();
  void page_added(const Message& message) noexcept {
    window_bytes += message.footprint();
    page_bytes += message.footprint();
  }
  void page_removed(const Message& message) noexcept {
    window_bytes -= message.footprint();
    page_bytes -= message.footprint();
  }
  void page_loaded(Page page);
  /// Brings stored messages that belong to nobody, and are not in memory, back to
  /// Reader::returned: `first` to `last` of a lane, all that are still there.
  void recall(Reader& reader, int priority, std::uint64_t first, std::uint64_t last);
  void take_recalled(Reader& reader, const PageFor& place, Page& page);
  void take_page(Scan& scan, int priority, Page& page);
  void touch(Reader& reader, int priority, std::uint64_t up_to);
  void drop_pages(Scan& scan);
  void drop_pages(Pages& pages);
  void drop_loaded(Scan& scan);
  void trim(MessageList& list);

  // --- engine_groups.cc
  Turn group_turn(Scan& scan, const Candidate& candidate, GroupMember*& member);
  [[nodiscard]] bool takes_more(Subscription& consumer);
  [[nodiscard]] bool somebody_takes_more(const Scan& scan);
  GroupMember* pick_member(Scan& scan, bool new_group);
  bool yields_to_higher(Scan& scan, const Subscription& consumer, const Candidate& candidate);
  void wake_yielding(Reader& reader, const Scan* scan);
  void begin_groups(Reader& reader);
  void add_member(Scan& scan, ConsumerLink& link);
  void remove_member(Reader& reader, const GroupMember& member);
  void fall_behind(GroupMember& member);
  void caught_up(GroupMember& member);
  void remove_scan(Scan& scan);
  void pass_group(const Scan& scan, const Candidate& candidate, MessageGroup& group);
  void join_group(Reader& reader, GroupMember& member, Entry& entry);
  void group_settled(Reader& reader, const Message& message);
  void release_group(Reader& reader, MessageGroup& group);
  void go_back(Reader& reader, const Scan* owner);
  void leave_groups(Reader& reader, GroupMember& member);
  static std::int32_t rank_of(const Reader& reader, const Subscription& consumer);
  void consumers_changed(Reader& reader);
  void sort_consumers(Reader& reader);
  void begin_warm_up(Reader& reader);
  bool may_start(Scan& scan);
  void end_warm_ups();
  /// Who has the message group; null: nobody.
  [[nodiscard]] static const Subscription* group_owner(const Reader& reader,
                                                       std::string_view group);
  /// Who gets everything of the queue; null: everybody gets some.
  [[nodiscard]] static const Subscription* exclusive_owner(const Reader& reader) {
    return reader.exclusive;
  }

  // --- engine_settle.cc
  Outcome acknowledge(SubscriptionId id, DeliveryRange range, AckKind kind, std::string_view cause,
                      std::optional<TransactionId> transaction,
                      const SessionChanges* changes = nullptr);
  /// `admitted`: admit_dead_letter() was asked before. Errors: that one's; nothing changed then.
  Result<void> settle(Subscription& subscription, InFlight& delivery, AckKind kind,
                      std::string_view cause, Batch* batch, bool admitted = false);
  /// `reader` needs the entry no more: it is acknowledged, in `batch` if one is given.
  /// `may_wait`: nobody waits for a reply about it.
  void release(Reader& reader, int priority, Entry& entry, Batch* batch, bool may_wait = false);
  void release_volatile(Reader& reader, int priority, Entry& entry);
  void give_back(InFlight& delivery, std::vector<StoreOp>& counts, bool seen = true);
  void return_delivery(Subscription& subscription, InFlight& delivery, Batch* batch = nullptr);
  using ReturnedPlace =
      std::pair<Reader*, std::pair<int, std::uint64_t>>;  ///< see Reader::returned
  std::vector<ReturnedPlace> may_return(Transaction& work);
  static void hide_returned(const std::vector<ReturnedPlace>& places, Ticket until);
  void put_back(Reader& reader, int priority, Entry entry);
  void return_to_subscription(Subscription& subscription, InFlight& delivery);
  void delivery_done(Subscription& subscription, InFlight& delivery);
  /// A delivery of the reader's is out no more: acknowledged, moved or on its way back. Called
  /// while the entry still has its message.
  void no_longer_out(Reader& reader, const Entry& entry);
  void note_freed(Transaction& transaction, const InFlight& delivery);
  void room_was_made() { room_changed = true; }
  /// Message memory that could not be dropped is free again, and parked sends may get it. Who waits
  /// for the store is not asked each time.
  void unhold(const Message& message) {
    held_bytes -= message.footprint();
    if (blocked_topics > 0) topics_have_room = true;
    if (!parked_for_memory.waiting.empty()) parked_for_memory.wanted = true;
  }
  void forget_settled(Subscription& subscription);
  void credit_returned(Subscription& subscription);
  void flush_acks();
  void add_ack(const Reader& reader, int priority, std::uint64_t sequence) {
    add_ack(reader.list.id, reader.id, priority, sequence);
  }
  void add_ack(ListId list, ReaderId reader, int priority, std::uint64_t sequence);
  Result<void> check_acknowledge(const Subscription& subscription, DeliveryRange range,
                                 AckKind kind, std::string_view cause, const Transaction* within);
  bool expire(Reader& reader, int priority, Entry& entry);
  void retry_expired(std::uint32_t& steps);
  void auto_acknowledge(Subscription& subscription, std::uint64_t first, std::uint64_t last);

  // --- engine_redelivery.cc
  /// What an acknowledgement of that kind means for a delivery, by the policy of its destination.
  [[nodiscard]] Fate fate_of(const Reader* reader, const Entry& entry, AckKind kind) const;
  static void count_failure(const Reader& reader, int priority, std::uint64_t sequence,
                            StoreOpKind kind, std::vector<StoreOp>& counts);
  /// `delivery` is refused, and due again when the policy says. Its count goes to `counts`.
  void delay(InFlight& delivery, std::vector<StoreOp>& counts);
  void delay_copy(Subscription& subscription, InFlight& delivery);
  void plan_redelivery(const DelayedKey& key);
  /// Those whose time has come, a bounded number: to Reader::returned, or to be read back.
  void release_redeliveries(std::uint32_t& steps);
  void release_redelivery(const DelayedKey& key);
  /// Reads back what is due, as much as may be in memory at a time.
  void recall_due(Reader& reader);
  /// A page of recall() has come, which says all about `first` to `covered`.
  void recalled(Reader& reader, int priority, std::uint64_t first, std::uint64_t covered,
                bool damaged);
  /// What is delayed belongs to nobody: takes it out of there; none if it is not. Stored ones have
  /// no message.
  std::optional<Entry> take_delayed(Reader& reader, int priority, std::uint64_t sequence);
  void forget_delayed(Reader& reader);
  void forget_delayed(Subscription& subscription);

  // --- engine_dead_letter.cc
  static std::string_view dead_letter_cause(AckKind kind, std::string_view cause) noexcept;
  /// What applies to a message of `reader`; null: a copy of a topic message. Never null.
  [[nodiscard]] std::shared_ptr<const DestinationPolicy> policy_of(const Reader* reader,
                                                                   const Message& message) const;
  /// Where a message goes that `reader` could not deliver; none: nowhere.
  [[nodiscard]] std::optional<Destination> dead_letter_target(const Reader* reader,
                                                              const Message& message,
                                                              bool expired) const;
  /// Where the message stands: a list's messages in the list, whatever they were addressed to,
  /// unless it collects what matches a pattern.
  static Address where_it_stands(const Reader* reader, const Message& message);
  [[nodiscard]] bool is_dead_letter_at(const Destination& place, const Message& message) const;
  /// Sets room aside for dead_letter() with the same arguments; how much. Errors: store_full,
  /// quota_exceeded (the queue for it cannot be made), invalid_argument (too large).
  Result<std::uint64_t> admit_dead_letter(const Reader* reader, const Message& message,
                                          std::string_view cause, bool expired);
  /// Moves a message to where its destination's strategy wants it, in one batch with its
  /// acknowledgement. `reader` null: a copy of a topic message. `delivered`: how often it was.
  void dead_letter(Reader* reader, int priority, Entry& entry, std::string_view cause, bool expired,
                   Batch* batch, std::uint32_t delivered);

  // --- engine_spill.cc
  [[nodiscard]] bool wants_to_spill() const noexcept {
    return limits.spilled_bytes_max != 0 && !spill_blocked && !spillable.empty() &&
           limits.memory_bytes_max != 0 && held_bytes > limits.memory_bytes_max / 2;
  }
  void spill(std::uint32_t& steps);
  struct Spilling;
  std::uint32_t spill_from(MessageList& list, std::uint32_t steps);
  void spill_queue_lane(MessageList& list, int priority, Spilling& spilling);
  void spill_topic_lane(MessageList& list, int priority, Spilling& spilling);
  void spill_for_readers(MessageList& list, int priority, const Entry& entry, Spilling& spilling);
  void begin_spill(MessageList& list, Spilling& spilling);
  void left_memory(MessageList& list, const Message& message);
  bool admit_spill(const Message& message, std::size_t places);
  void account_spill(MessageList& list);
  void end_spill_of(Reader& reader);
  /// A durable subscription's part of what is spilled goes, undelivered.
  void drop_spilled(Reader& reader);
  std::uint64_t known_spilled(Scan& scan, int priority);
  void take_spilled_page(Scan& scan, int priority, Page& page);
  Entry take_spilled(Scan& scan, int priority);
  void leave_spill(Reader& reader, int priority, const Entry& entry, const Scan* taker);
  void left_spill(Reader& reader, int priority, std::uint64_t sequence, std::uint64_t size,
                  const Scan* taker);
  void drop_spill(MessageList& list);

  // --- engine_damage.cc
  void note_damage(const Reader& reader, int priority, const Page& page, Pages& pages);
  /// A walk has met what `page` could not bring: its task may be there to skip it.
  void skip_if_asked(Walk& walk, const Page& page, bool spilled);
  /// Whether a stored message is in memory as well, where the dispatcher finds it.
  [[nodiscard]] static bool is_in_memory(Reader& reader, int priority, std::uint64_t sequence);
  /// What held its scans up may have gone, or be readable now.
  void read_damaged_again(Reader& reader);
  [[nodiscard]] static std::vector<std::string> damage_of(const Reader& reader);

  // --- engine_walk.cc
  /// How a queue's message stands that the store has unacknowledged, or that is in memory.
  [[nodiscard]] Standing standing(const Reader& reader, int priority, std::uint64_t sequence,
                                  bool is_volatile) const;
  /// Takes one message of a queue that is waiting, wherever it stands, as if it was its turn; it is
  /// then out, and held, and must be settled or put back. Not for what is spilled. `read_back`: the
  /// message as the store has it, for when it is only there; who read it must know that it was not
  /// acknowledged since, as a walk does. Nullopt: it does not wait, or is only on disk and was not
  /// given.
  std::optional<Entry> take_out_of_turn(Reader& reader, int priority, std::uint64_t sequence,
                                        bool is_volatile, const Entry* read_back);
  Entry take_from_pages(Reader& reader, int priority, std::uint64_t sequence);
  /// Errors: quota_exceeded.
  Result<void> begin_walk(Walk& walk, Reader& reader);
  void end_walk(Walk& walk);
  void enter_lane(Walk& walk, int priority, std::uint64_t from);
  WalkStep walk_step(Walk& walk);
  /// Behind what walk_step() found.
  void walk_on(Walk& walk);
  [[nodiscard]] Standing standing(const Walk& walk, const Entry& entry) const;
  void read_walk_page(Walk& walk);
  void take_walk_page(Walk& walk, Page& page);
  /// False: it is being read.
  bool fill_portion(Walk& walk, std::uint64_t end);
  std::uint64_t gather_portion(Walk& walk, std::uint64_t end, std::vector<Entry> found);
  void take_spilled_portion(Walk& walk, Page& page);
  /// What walk_step() found, if it waits. It is then out, as from take_out_of_turn().
  std::optional<Entry> take_found(Walk& walk, const Entry& found);
  void wake(Walk& walk);
  void orphan_walks(Reader& reader);
  Result<void> check_browser(const SubscribeOptions& options);
  void browse(Subscription& subscription, std::uint32_t& steps);
  void deliver_browse_end(Subscription& subscription);
  /// Every delivery of the reader that is out, with its subscription.
  template <class Visit>
  void for_each_out(Reader& reader, Visit visit) {
    reader.for_each_scan([&](Scan& scan) {
      if (!scan.is_shared()) return;  // its consumer is one of a shared scan as well
      for (const auto& link : scan.consumers) {
        const auto& in_flight = link.subscription->in_flight;
        for (std::size_t i = 0; i < in_flight.size(); ++i) {
          if (in_flight[i].reader == &reader) visit(in_flight[i], *link.subscription);
        }
      }
    });
  }

  // --- engine_admin.cc
  Result<void> make_queue(const std::string& name);
  Result<void> pause_queue(const Destination& queue, bool paused);
  [[nodiscard]] StoreOp paused_step(const std::string& queue, bool paused) const;
  void recover_paused(const RecoveredState& recovered);
  Result<MessageList*> existing_queue(const Destination& queue);
  /// What a command goes through. Errors: not_found, invalid_argument.
  Result<Reader*> reader_for(QueueTaskOptions& wanted);
  Result<TaskId> start_task(QueueTaskOptions wanted);
  [[nodiscard]] const QueueTaskView* task(TaskId id) const;
  std::optional<QueueTaskView> take_task(TaskId id);
  void run_tasks(std::uint32_t& steps);
  void run_task(QueueTask& task, std::uint32_t& steps);
  void end_task(QueueTask& task, TaskState state, std::string text);
  void wake_tasks();
  enum class TaskStep : std::uint8_t { on, wait, stop };
  [[nodiscard]] bool wanted_by(const QueueTask& task, const Entry& entry) const;
  TaskStep apply_task(QueueTask& task, const WalkStep& step);
  TaskStep list_message(QueueTask& task, const WalkStep& step, Standing stands);
  TaskStep send_on(QueueTask& task, const WalkStep& step, MessageRef copy);
  Result<MessageRef> redirected(const QueueTask& task, const Message& message);

  // --- engine_removal.cc
  Result<std::uint64_t> delete_queue(const Destination& queue, QueueDeletion how);
  [[nodiscard]] Result<void> check_deletion(MessageList& list, QueueDeletion how) const;
  Result<void> delete_topic(const Destination& topic);
  Result<void> delete_retained(const Destination& topic);
  void bury(std::unique_ptr<MessageList> list);
  std::uint32_t clear_removed(std::uint32_t steps);
  void clear_some(std::uint32_t& steps);
  bool clear_list(MessageList& list, std::uint32_t& steps);

  // --- engine_explain.cc
  [[nodiscard]] Result<QueueExplanation> explain(const Destination& queue);
  [[nodiscard]] Result<MessageExplanation> explain(const Destination& queue,
                                                   const ListedMessage& listed);
  [[nodiscard]] const Entry* next_in_memory(Reader& reader) const;
  void explain_consumers(Reader& reader, QueueExplanation& told);
  static void explain_owner(const Reader& reader, const Message& message,
                            std::vector<std::string>& reasons);
  static void explain_groups(Reader& reader, QueueExplanation& told);
  void explain_start(const Reader& reader, QueueExplanation& told) const;
  void explain_producers(QueueExplanation& told) const;
  void explain_reasons(const Reader& reader, QueueExplanation& told) const;

  // --- engine_explain_transactions.cc
  static TransactionExplanation explain_transaction(const Transaction& work);
  [[nodiscard]] std::string transaction_name(const TransactionExplanation& told) const;
  static std::string transaction_end(const TransactionExplanation& told);
  void explain_transactions(Reader& reader, QueueExplanation& told);
  void tell_transactions(QueueExplanation& told) const;
  const Transaction* holder_of(Reader& reader, const QueuePosition& place);
  void explain_holder(Reader& reader, const ListedMessage& listed, MessageExplanation& told);

  // --- engine_expiry.cc
  /// A page of what has expired, under way.
  struct ExpiryPage {
    ListId list{};
    ReaderId reader{};
    int priority = 0;
    std::uint64_t begin = 0;  ///< of the part that is looked at
    std::uint64_t end = 0;
    std::uint64_t first = 0;          ///< of `reader`: what is below was looked at
    bool spilled = false;             ///< of what the list has spilled
    ReaderId spill_reader{};          ///< then: Reader::spill_reader
    std::vector<std::uint64_t> gone;  ///< acknowledged since it was asked for
  };
  void note_expiry(const MessageList& list, int priority, const Entry& entry);
  void plan_expiry(TimePoint at);
  void recover_expiry(const MessageList& list, const std::vector<RecoveredExpiry>& found);
  void expire_due(std::uint32_t& steps);
  void expire_part(const ExpiryIndex::Part& part, std::uint32_t& steps);
  void expire_returned(Reader& reader, const ExpiryIndex::Part& part, std::uint32_t& steps);
  void expire_in_ring(MessageList& list, const Ring<Entry>& ring, const ExpiryIndex::Part& part,
                      std::uint32_t& steps);
  void expire_waiting(Reader& reader, int priority, std::uint64_t sequence, bool is_volatile,
                      const Entry* read_back);
  static bool somebody_comes_to(const MessageList& list, const ExpiryIndex::Part& part,
                                const Entry& entry);
  static bool comes_to(const Reader& reader, std::size_t priority, const Entry& entry);
  void expire_in_topic(MessageList& list, int priority, const Entry& entry);
  void expire_or_keep(Reader& reader, int priority, Entry entry);
  bool skip_expired(Scan& scan, const Candidate& candidate);
  static void forget_expired(MessageList& list, int priority, std::uint64_t sequence);
  static std::pair<std::uint64_t, std::uint64_t> range_on_disk(const Reader& reader,
                                                               const ExpiryPage& page);
  bool expire_on_disk(MessageList& list, ReaderId from, ExpiryPage page);
  void gone_while_expiring(const Reader& reader, int priority, std::uint64_t sequence,
                           bool spilled);
  bool take_expiry_page(Page& page);
  void expire_loaded(Reader& reader, const ExpiryPage& asked, PageEntry& loaded);
  /// The lowest sequence of a lane in Reader::returned or Reader::delayed; kEverything: none.
  template <class Kept>
  static std::uint64_t first_kept(const Kept& kept, int priority) {
    const auto at = kept.lower_bound({9 - priority, 0});
    const bool there = at != kept.end() && at->first.first == 9 - priority;
    return there ? at->first.second : ~std::uint64_t{0};
  }

  // --- engine_transaction.cc
  Result<TransactionId> begin(ConnectionId id);
  Outcome commit(TransactionId id, ReplyToken token);
  std::optional<Outcome> commit_now(Transaction& transaction);
  /// For what `bytes` more are, that a send of the transaction has the store set aside.
  static Purpose purpose_within(const Transaction& transaction, std::uint64_t bytes) noexcept;
  Outcome commit_batch(Transaction& transaction);
  InFlight* find_delivery(const PendingAck& ack);
  Outcome rollback(TransactionId id);
  void end_transaction(Transaction& transaction);
  /// Whether the connection may send and acknowledge in it.
  static bool works_for(const Connection& connection, const Transaction& transaction) noexcept;
  /// Ends it now, or nullopt: there is no room now, or a send of it is parked.
  std::optional<Outcome> try_end(Transaction& transaction, EndCall call);
  Outcome end_or_park(Connection& connection, Transaction& transaction, EndCall call,
                      ReplyToken token);

  // --- engine_xa.cc
  Result<TransactionId, XaError> xa_start(ConnectionId id, const Xid& xid, XaStart how);
  Result<void, XaError> xa_join(Connection& connection, Branch& branch, XaStart how);
  Result<void, XaError> xa_end(ConnectionId id, const Xid& xid, XaEnd how);
  Outcome xa_prepare(ConnectionId id, const Xid& xid, ReplyToken token);
  Outcome xa_commit(ConnectionId id, const Xid& xid, bool one_phase, ReplyToken token);
  Outcome xa_rollback(ConnectionId id, const Xid& xid);
  Outcome xa_forget(const Xid& xid);
  Outcome xa_complete_by_hand(const Xid& xid, bool commit);
  [[nodiscard]] Branch* branch_named(const Xid& xid) const;
  Outcome xa_failure(XaCode code, const Xid& xid, std::string_view why) const;
  /// Why an active branch cannot be ended by an XA call now; nullopt: it can.
  std::optional<Outcome> not_ended(const Branch& branch) const;
  /// The branch has ended, or is remembered from here on: nobody works for it any more.
  void dissociate(Branch& branch);
  /// Whether the store may get it, wherever it is routed to in the end.
  static bool may_be_stored(const Send& send) noexcept;
  std::optional<Outcome> prepare_branch(Transaction& work);
  Outcome refuse_prepare(Transaction& work, const Error& why);
  void become_prepared(Branch& branch, std::vector<HeldRange> orphans);
  std::optional<Outcome> commit_prepared(Branch& branch);
  /// Tries a commit again that had to wait, and answers those who wait for it.
  void go_on_committing(const Xid& xid);
  /// A commit that was under way cannot be done: it stays prepared.
  void fail_commit(Branch& branch, std::string_view why);
  void answer_waiting(std::vector<std::pair<ConnectionId, ReplyToken>> waiting,
                      const Outcome& outcome);
  void retry_commits();
  void end_branch(Branch& branch);
  [[nodiscard]] std::vector<BranchSnapshot> branches_after(const Xid* after, std::size_t limit,
                                                           bool in_doubt) const;

  // --- engine_branch.cc
  static std::string attachment_key(const Xid& xid, std::uint32_t piece);
  static std::string encode_branch(const Branch& branch, const std::vector<HeldRange>& held);
  /// What the branch acknowledged of stored messages, joined: all, and those without a delivery.
  void collect_held(Transaction& work, std::vector<HeldRange>& all,
                    std::vector<HeldRange>& orphans);
  void hold(Branch& branch, HeldRange range);
  void drop_message(InFlight& delivery);
  /// Adds what prepares the branch to `operations`.
  void store_branch(Branch& branch, const std::string& record, std::vector<StoreOp>& operations);
  /// Adds what takes the branch out of the store again, but for the memory of a heuristic end.
  void unstore_branch(Branch& branch, std::vector<StoreOp>& operations);
  static void count_sent(Branch& branch);
  void drop_sends_from_memory(Branch& branch);
  /// It ends: what is with its deliveries is not locked any more.
  void unlock_deliveries(Branch& branch);
  void forget_loaded(Branch& branch);
  /// A prepared branch commits or rolls back: what it held by number goes or returns.
  void commit_held(Branch& branch, Batch& batch);
  void roll_back_held(Branch& branch, std::vector<StoreOp>& operations, Errand& returning);
  void recover_branches(std::vector<std::pair<std::string, std::string>> attachments);
  void recover_branch(const Xid& xid, std::string_view record, std::uint32_t pieces);
  void lock_recovered(Branch& branch);
  void read_back(Branch& branch);
  /// What a branch has let go is read back for its readers.
  void add_errand(Errand errand);
  void go_on_with_errands();
  static std::uint64_t end_of_request(const Errand& errand);
  bool request_next(std::uint64_t id, Errand& errand);
  void loaded_branch(const Errand& errand);
  void errand_page(std::uint64_t id, Page& page);
  void take_for_branch(Errand& errand, const Errand::Range& range, PageEntry& loaded);
  void take_for_reader(Errand& errand, const Errand::Range& range, PageEntry& loaded);
  Reader* find_reader(ListId list, ReaderId reader);

  // --- engine_lists.cc
  Result<MessageList*> queue_named(std::string_view name, DestinationKind kind, bool create);
  Result<MessageList*> create_queue(const Destination& destination);
  MessageList& add_list(std::unique_ptr<MessageList> list);
  MessageList& topic_list(const std::string& pattern);
  void remove_list(MessageList& list);
  /// Lets go of a reader that is about to disappear.
  void orphan(Reader& reader);
  void forget_entry(Reader& reader, int priority, Entry& entry);
  Reader& add_reader(MessageList& list, ReaderId id);
  /// `along`: what changes in the store with it.
  void remove_reader(MessageList& list, Reader& reader, std::vector<StoreOp> along = {});
  void recover(RecoveredState recovered);
  void add_to_window(MessageList& list, Lane& lane, Entry entry);
  void window_removed(MessageList& list, const Entry& entry);
  void evict(MessageList& list, std::uint64_t down_to_bytes);
  void limit_windows();

  // --- engine_advisories.cc
  /// Whether somebody listens to such advisories: what the hot path asks first of all.
  [[nodiscard]] bool hears(AdvisoryTopic topic) const noexcept {
    return advisory_listeners[static_cast<std::size_t>(topic)] != 0;
  }
  void count_listener(const Subscription& subscription, std::int32_t by);
  void count_listeners();
  void begin_hearing(Subscription& subscription);
  void end_hearing(Subscription& subscription);
  [[nodiscard]] bool somebody_listens(std::string_view topic) const;
  void advise(const Advisory& advisory);
  void raise(MessageRef message);
  void deliver_advisories();
  void offer_advisory(Subscription& subscription, const MessageRef& message);
  void goes_before_others(Subscription& subscription);
  void goes_first_no_more(Subscription& subscription);
  void advise_connection(AdvisoryKind kind, const Connection& connection);
  void advise_destination(AdvisoryKind kind, const Destination& destination,
                          const Connection* owner);
  void advise_consumer(AdvisoryKind kind, const Subscription& subscription);
  void advise_durable_removed(const Reader& reader);
  void advise_producer(AdvisoryKind kind, const AnnouncedProducer& producer);
  /// `place`: where the message was. `count`: as in Advisory.
  void advise_message(AdvisoryKind kind, const Destination& place, const Message& message,
                      const DestinationPolicy& policy, const Subscription* consumer = nullptr,
                      std::int64_t count = 0);
  /// A message has come to a place. `wanted`: somebody consumes there.
  void advise_arrival(const Destination& place, const Message& message,
                      const DestinationPolicy& policy, bool wanted);
  void advise_slow(Subscription& subscription, const Destination& place,
                   const DestinationPolicy& policy, std::uint64_t waiting);
  /// A send of the connection is held up, or refused, at blocked_at_.
  void advise_full(const Connection& connection);
  [[nodiscard]] std::int64_t consumers_of(const Destination& destination) const;
  [[nodiscard]] std::int64_t producers_of(const Destination& destination) const;
  void topic_wanted(const Destination& topic);
  void topic_unwanted(const Destination& topic);
  Result<ProducerId> add_producer(ConnectionId id, ProducerOptions options);
  void remove_producer(ProducerId id);
  void list_replay(Subscription& subscription);
  void replay_advisories(std::uint32_t& steps);
  bool replay_step(Subscription& subscription, AdvisoryReplay& replay);
  void tell_before(Subscription& subscription, Advisory advisory);
  void tell_destination_before(Subscription& subscription, const Destination& destination,
                               const Connection* owner);
  void caught_up_with_advisories(Subscription& subscription);

  // --- engine_views.cc
  [[nodiscard]] EngineSnapshot snapshot() const;
  [[nodiscard]] std::vector<DestinationSnapshot> destinations(std::string_view after,
                                                              std::size_t limit) const;
  [[nodiscard]] DestinationSnapshot view_of(const MessageList& queue) const;
  [[nodiscard]] DestinationSnapshot view_of(const std::string& name, const Topic& topic) const;
  [[nodiscard]] static SubscriptionSnapshot subscription_view(const std::string& client_id,
                                                              const std::string& name,
                                                              const Reader& reader);
  [[nodiscard]] std::vector<SubscriptionSnapshot> durable_subscriptions(std::size_t limit) const;
  [[nodiscard]] std::vector<SubscriptionSnapshot> durable_subscriptions_of(
      std::string_view client_prefix) const;

  // --- the model
  Store& store;
  const EngineLimits limits;
  EngineSettings settings;
  TimePoint now{};                        ///< of the call that is under way
  std::array<TimePoint, kTimers> timers;  ///< by Timer; TimePoint::max(): nothing planned
  std::vector<Outbox> outboxes;

  SlotMap<Connection, ConnectionId> connections;
  SlotMap<Subscription, SubscriptionId> subscriptions;
  SlotMap<Transaction, TransactionId> transactions;
  std::map<Xid, std::unique_ptr<Branch>> branches;
  NameMap<ConnectionId> client_ids;
  std::uint64_t connections_total = 0;
  NameMap<Producer> producers;                     ///< limit: producers_max
  std::list<const std::string*> producers_by_use;  ///< keys of it, the one used longest ago first

  std::map<ListId, std::unique_ptr<MessageList>> lists;
  Ring<std::unique_ptr<MessageList>> removed_lists;  ///< nobody's; what they hold goes in steps
  NameMap<MessageList*> queues;  ///< and temporary queues: their names never collide
  std::map<std::pair<DestinationKind, std::string_view>, MessageList*> queues_in_order;
  NameMap<MessageList*> topic_lists;                                ///< by pattern
  std::map<std::pair<std::string, std::string>, Reader*> durables;  ///< client id, name
  std::vector<Subscription*> queue_patterns;  ///< wildcard consumers of queues
  TopicTrie<TopicTarget> patterns;
  TopicTrie<TopicTarget> temporary_patterns;
  std::map<std::string, Topic, std::less<>> topics;          ///< only those with a target
  std::unique_ptr<VirtualRoutes> virtual_routes;             ///< of the settings; never null
  bool topics_remember = false;                              ///< some policy asks for it
  std::map<std::string, TopicMemory, std::less<>> memories;  ///< by topic
  std::list<Remembered> remembered;                          ///< of all memories, as they came
  std::uint64_t remembered_bytes = 0;                        ///< limit: retroactive_bytes_max
  RetainedBook retained;
  std::map<std::string, std::unique_ptr<Session>, std::less<>> sessions;  ///< by client id
  std::uint64_t last_session_generation = 0;
  std::set<std::pair<TimePoint, std::string_view>> session_times;  ///< by Session::planned
  bool sessions_due = false;
  std::uint64_t sessions_connected = 0;
  Ring<EndingSession> ending_sessions;
  std::vector<std::string> sessions_to_settle;  ///< recovered, and connected before
  Ring<DueWill> due_wills;                      ///< limit: sessions_max
  std::size_t wills_tried = 0;                  ///< of due_wills, in the round under way
  TimePoint wills_again{};                      ///< when the next round is
  std::uint64_t last_due_will = 0;
  std::uint64_t wills_sent = 0;
  std::uint64_t wills_dropped = 0;
  std::map<std::pair<std::string, std::string>, Reader*> shared;  ///< by group and pattern
  std::map<ReaderId, Reader*> shared_readers;                     ///< those replaced as well
  std::vector<ReaderId> groups_to_end;                            ///< that may be deserted
  std::size_t volatile_lists = 0;                                 ///< of shared subscriptions
  std::map<std::uint64_t, std::pair<SubscriptionId, PinKey>> pins_asked;  ///< by request
  NameMap<ConnectionId> temporary_topics;                                 ///< owners
  std::map<Destination, ConnectionId> temporaries;  ///< of all connections: owners
  /// Topics without wildcards that somebody consumes from, and how many do.
  std::map<std::string, std::uint32_t, std::less<>> topic_names;
  SlotMap<AnnouncedProducer, ProducerId> announced_producers;
  std::map<Destination, std::uint32_t> producer_counts;  ///< of them, by destination
  std::array<std::uint32_t, kAdvisoryTopics> advisory_listeners{};
  /// Told to nobody yet: they are raised in the middle of something.
  Ring<MessageRef> advisories_raised;
  std::uint64_t advisories_raised_bytes = 0;  ///< limit: topic_pending_bytes_max
  Ring<SubscriptionId> advisory_replays;
  std::uint64_t last_list = 0;
  std::uint64_t last_reader = 0;

  ScheduleBook schedule;
  std::uint64_t broker_sequence = 0;  ///< of messages that the broker itself sends

  // --- work to do
  Ring<Scan*> ready_scans;
  std::vector<Scan*> reading_later;  ///< ready, but this entry has read back what it may
  std::uint64_t read_back_left = 0;  ///< bytes of messages that this entry may take from pages
  Ring<Subscription*> ready_subscriptions;
  Ring<ConnectionId> flight_returned;  ///< below their in_flight_max again, with waiting ones
  std::vector<Scan*> awaiting_durable;
  std::vector<ListId> warming_up;    ///< queues whose dispatch starts with time
  std::vector<Reader*> acking_late;  ///< are done with what is not acknowledged in the store yet
  std::vector<SubscriptionId> subscriptions_awaiting_durable;
  bool room_changed = false;               ///< parked sends are worth another try
  ParkedConnections parked_for_memory;     ///< Blocked::in_memory
  ParkedConnections parked_for_the_store;  ///< all others
  struct BlockedDestination {
    Ring<std::pair<ConnectionId, std::uint64_t>> waiting;  ///< by turn (Blocked::turn)
    std::size_t stale = 0;      ///< of them, those that wait here no more
    bool retry_listed = false;  ///< stands in destinations_to_retry
  };
  std::uint64_t last_turn = 0;
  std::map<Destination, BlockedDestination> blocked_destinations;
  Ring<Destination> destinations_to_retry;
  std::size_t blocked_topics = 0;  ///< of blocked_destinations
  bool topics_have_room = false;
  std::set<std::pair<TimePoint, ConnectionId>> blocked_times;  ///< by Blocked::wake_at()
  std::set<std::pair<TimePoint, SubscriptionId>> slow_checks;
  bool slow_checks_due = false;
  std::optional<ListId> collect_at;  ///< the look for inactive destinations goes on here
  std::uint32_t collected_in_sweep = 0;
  std::optional<std::pair<std::string, std::string>> offline_at;  ///< of durables: goes on here
  std::uint64_t slow_consumers_aborted = 0;
  std::uint64_t destinations_collected = 0;
  std::uint64_t durables_expired = 0;
  /// How many queues fall under each policy entry; only looked up, never walked.
  std::unordered_map<const DestinationPolicy*, std::uint64_t> policy_queues;
  std::vector<ListId> lists_to_trim;
  std::map<std::uint64_t, PageFor> pages_requested;  ///< by PageRequest::id
  std::uint64_t last_page = 0;
  std::set<DelayedKey> delayed;            ///< whose time has not come
  std::uint64_t redeliveries_waiting = 0;  ///< in Reader::delayed and such; limit: delayed_max
  bool redeliveries_due = false;
  std::map<WalkId, Walk*> walks;  ///< limit: walks_max
  std::uint64_t last_walk = 0;
  std::map<TaskId, std::unique_ptr<QueueTask>> tasks;  ///< limit: tasks_max
  std::uint64_t last_task = 0;
  Ring<TaskId> ready_tasks;
  bool tasks_await_room = false;  ///< some task waits for room
  bool tasks_turn = true;         ///< sends that waited got some since a task that waited did
  std::map<std::uint64_t, Errand> errands;
  std::uint64_t last_errand = 0;
  bool errands_due = false;          ///< one of them may go on
  std::vector<Xid> commits_waiting;  ///< prepared branches that commit as soon as there is room
  ListId branch_list{};  ///< the hidden list of prepared branches' sends; zero: not made yet
  std::uint64_t branch_sequence = 1;  ///< next in it
  bool over_limits = false;           ///< under way: a commit that destinations_max may not refuse
  std::uint64_t page_bytes = 0;       ///< of window_bytes: in scans' pages; at most half, nearly
  std::uint64_t pages_reserved = 0;   ///< for pages that are on their way
  Ring<Scan*> awaiting_pages;         ///< found no room for one
  Ring<Scan*> blocked_with_pages;     ///< their consumers took no more when last seen
  ExpiryIndex expiry{kExpiryPartsMax};
  bool expiry_due = false;                           ///< there is something to look at
  std::map<std::uint64_t, ExpiryPage> expiry_pages;  ///< by PageRequest::id; few
  TimePoint expiry_not_before{};  ///< so that a part is not looked at for each of its messages
  /// Expired messages, taken and held, whose dead letter had no room; tried again when there is. At
  /// most kExpiredWaitingMax: then their readers stop at the next one.
  struct ExpiredWaiting {
    ListId list{};
    ReaderId reader{};
    int priority = 0;
    Entry entry;
  };
  Ring<ExpiredWaiting> expired_waiting;
  std::vector<Scan*> awaiting_room;

  // --- accounts
  Ticket durable = kNoTicket;       ///< as seen at the beginning of this entry
  std::uint64_t held_bytes = 0;     ///< limit: memory_bytes_max
  std::uint64_t window_bytes = 0;   ///< limit: window_bytes_max
  std::list<ListId> windows;        ///< lists that have a window, oldest listing first
  std::uint64_t spilled_bytes = 0;  ///< limit: spilled_bytes_max
  std::set<ListId> spillable;       ///< may have volatile entries in their rings
  ListId spill_at{};                ///< spilling goes on at this one or the next
  std::size_t spill_entries_min = kSpillEntriesFirst;  ///< lists with fewer are passed over
  bool spill_fruitless = false;                        ///< since the round through the lists began
  bool spill_blocked = false;                          ///< no room there at the moment
  bool stopping = false;                               ///< Engine::stopping()
  std::uint64_t spilled_undurable_bytes = 0;
  Ticket spill_ticket = kNoTicket;      ///< the last of them
  std::uint64_t branches_in_doubt = 0;  ///< prepared, and remembered; limit: prepared_branches_max
  std::uint64_t prepared_acknowledgements = 0;
  std::uint64_t prepared_bytes = 0;  ///< of prepared branches' sends that are in memory
  AckRun ack_run;
  std::uint64_t entry_serial = 0;  ///< grows with every run(): deliveries coalesce within one
  std::uint64_t steps_longest_entry = 0;
  std::uint64_t damaged_reads = 0;
  std::uint64_t damaged_skipped = 0;
  std::string damage;  ///< the last: where, and what
  DestinationCounters totals;

  /// How much was on its way to the disk as plain sends came, of late.
  double under_way_ = 0;
  PassingTrial passing_trial_;

  // Reused so that the hot path allocates nothing.
  Batch batch_;
  std::vector<MessageList*> route_;
  std::vector<TopicPlace> topic_places_;
  std::vector<ListCopy> copies_;
  std::vector<MessageList*> left_out_;  ///< by VirtualTopic::drop_on_resource_limit
  std::vector<Stop> stops_;
  std::size_t stop_visited_ = Stop::kNoStop;  ///< index of the stop that is being visited
  std::set<std::pair<DestinationKind, std::string_view>> visited_;
  std::vector<const CompositeRoute*> found_composites_;
  std::deque<Topic> scratch_topics_;  ///< resolutions of topics that are not remembered
  std::size_t scratch_topics_used_ = 0;
  std::uint64_t route_serial_ = 0;
  std::uint64_t offer_serial_ = 0;
  Destination blocked_at_;           ///< of the last admission that said later: where
  std::string blocked_why_;          ///< and why
  bool blocked_in_memory_ = false;   ///< it was for memory
  std::uint64_t blocked_bytes_ = 0;  ///< Blocked::store_bytes
  std::uint64_t remember_serial_ = 0;
};

inline constexpr std::size_t kExpiredWaitingMax = 1024;
inline constexpr std::uint32_t kPageEntriesMax = 1024;
/// Footprints of messages from pages that one entry goes through.
inline constexpr std::uint64_t kReadBackBytesPerEntry = 64ULL << 10;
/// So many in a row are acknowledged in the store at the latest.
inline constexpr std::uint64_t kLateAcksMax = 1024;
inline constexpr std::uint64_t kEverything = ~std::uint64_t{0};
/// A block of arrivals: touches end at its borders.
inline constexpr std::uint64_t kTouchBlock = 256;
/// How far ahead of what leaves a touch is logged at most. After a crash so many messages may carry
/// the mark of redelivery in vain.
inline constexpr std::uint64_t kTouchAheadMax = 4096;

}  // namespace pabal::core
