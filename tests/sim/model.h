#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/engine.h"

namespace pabal::sim {

using core::Ticket;

/// A message as its sender knows it; the number is in the body.
struct Message {
  std::uint64_t number = 0;
  std::uint64_t content = 0;   ///< the number in its body: of an occurrence, that of what was sent
  std::uint64_t sequence = 0;  ///< in its id; of an occurrence that nobody has seen: zero
  std::uint64_t producer = 0;
  std::uint64_t order = 0;  ///< position among what its producer did, by effect
  core::Destination destination;
  std::vector<core::Destination> targets;  ///< it goes to all of them; empty: to `destination`
  std::uint8_t priority = 0;
  bool persistent = false;
  std::int64_t expiration = 0;
  std::uint64_t origin = 0;
  std::string group;        ///< empty: none
  bool closes = false;      ///< its group
  bool identified = false;  ///< sent with an identity: however often, it is taken once
  bool taken = false;       ///< identified: it takes no further effect
  bool dead = false;        ///< in the dead-letter queue, or was
  std::string cause;        ///< of that; empty: it expired
  std::shared_ptr<const core::ScheduleRequest> schedule;  ///< it is to come later
  bool cancelled = false;                                 ///< somebody asked that it does not
  bool copied = false;                ///< it is in several places, and must not die
  bool revived = false;               ///< by a command: it died, and must not again
  std::set<core::Destination> stood;  ///< where commands took it
};

struct List;

/// A message in a queue or with a subscription, as far as it can be known from outside.
struct Place {
  enum class State : std::uint8_t {
    parked,          ///< sent without asking for an answer, and no room: it may be there already
    here,            ///< waits
    out,             ///< with a consumer
    in_transaction,  ///< acknowledged in a transaction that is open
    gone,
    refused,  ///< by a durable subscription's selector: not to be seen, but a crash may bring it
  };
  Message* message = nullptr;
  List* list = nullptr;
  State state = State::here;
  bool stored = false;
  bool may_be_cancelled = false;           ///< `removed` may have taken the send back unwritten
  Ticket added = core::kNoTicket;          ///< durable from here on
  Ticket visible_after = core::kNoTicket;  ///< of its transaction
  std::uint64_t since = 0;           ///< entry of the engine in which it came, came back or went
  Ticket removed = core::kNoTicket;  ///< with state gone: gone for good from here on
  Ticket removed_from = core::kNoTicket;  ///< and not yet before this
  std::uint64_t with = 0;                 ///< the consumer that has it, or had it
  std::uint32_t deliveries = 0;           ///< failed or lost ones
  std::vector<Ticket> counted;            ///< tickets of the counts of this epoch
  std::uint32_t refusals = 0;             ///< of `deliveries`
  std::vector<Ticket> refused;            ///< tickets of these, of this epoch
  core::TimePoint not_before{};           ///< refused: not delivered again before
  bool prepared = false;                  ///< in_transaction: of a prepared XA branch
  std::uint64_t epoch = 0;                ///< in which it was sent
  bool dispatched = false;                ///< in this epoch
  bool received = false;                  ///< ever, by a client
};

enum class ListKind : std::uint8_t { queue, temporary_queue, durable, transient, dead_letters };

struct List {
  ListKind kind = ListKind::queue;
  core::Destination destination;  ///< a topic: the pattern
  std::string client_id;          ///< durable
  std::string name;               ///< durable
  std::uint64_t connection = 0;   ///< owner of a temporary or transient one
  bool no_local = false;          ///< transient
  std::uint64_t origin = 0;       ///< of its consumer, for no_local
  bool red_only = false;          ///< of topics: its consumer has the selector
  bool deleted = false;
  Ticket created = core::kNoTicket;
  Ticket deleted_by = core::kNoTicket;
  std::map<std::uint64_t, Place> places;  ///< by message number
  /// By producer, priority, colour (consumers with a selector go ahead of the others) and message
  /// group: the highest order that was delivered for the first time.
  std::map<std::tuple<std::uint64_t, std::uint8_t, bool, std::string>, std::uint64_t>
      first_deliveries;

  [[nodiscard]] bool topic() const {
    return kind == ListKind::durable || kind == ListKind::transient;
  }
  [[nodiscard]] std::string text() const;
};

struct Out {
  Place* place = nullptr;
  std::uint64_t transaction = 0;  ///< zero: none
  bool received = false;
};

/// A consumer.
struct Consumer {
  core::SubscriptionId id{};
  std::uint64_t connection = 0;
  core::Destination destination;
  List* list = nullptr;  ///< of a topic; null: queues
  bool automatic = false;
  bool red_only = false;  ///< by its selector
  bool exclusive = false;
  std::int32_t priority = 0;
  std::uint64_t arrival = 0;  ///< order among all consumers
  std::uint32_t prefetch = 0;
  std::uint64_t granted = 0;         ///< deliveries beyond the prefetch
  std::map<std::uint64_t, Out> out;  ///< by delivery id
};

struct TransactionModel {
  struct Ack {
    std::uint64_t consumer = 0;
    std::uint64_t delivery = 0;
    core::AckKind kind{};
  };
  std::uint64_t connection = 0;  ///< zero: an XA branch
  std::vector<Message*> sends;
  std::vector<Ack> acks;
  /// Acknowledged in it; their consumer has gone.
  std::vector<std::pair<Place*, core::AckKind>> orphans;
};

/// An XA branch. What it sent and acknowledged is a TransactionModel, until it ends.
struct BranchModel {
  struct Work {
    std::uint32_t active = 0;
    std::uint32_t suspended = 0;
  };
  core::BranchState state = core::BranchState::active;
  bool gone = false;                   ///< but a crash may bring it back
  std::map<std::uint64_t, Work> work;  ///< while active: by connection
  bool rollback_only = false;
  std::uint64_t ending_for = 0;    ///< the connection that waits for its prepare or one phase
  bool by_hand = false;            ///< it is completed by an operator
  std::optional<Ticket> prepared;  ///< since this is durable
  std::optional<Ticket> ended;
  std::optional<Ticket> forgotten;
  std::vector<Message*> sends;  ///< as prepared, and as a crash may bring it back: stored ones only
  std::vector<std::pair<Place*, core::AckKind>> held;  ///< the same
};

/// Where a job of the scheduler stands in the store: list and sequence.
using JobPlace = std::pair<std::uint64_t, std::uint64_t>;

/// One time at which a scheduled message is to come.
struct JobModel {
  Message* message = nullptr;  ///< as it was sent
  core::TimePoint at{};
  core::milliseconds period{0};
  std::int64_t repeat = 0;  ///< -1: without end
  bool cron = false;        ///< each minute
  JobPlace place;           ///< zeros: not known yet
  Ticket added = core::kNoTicket;
  std::optional<Ticket> removed;
};

/// What a batch does to jobs.
struct JobBatch {
  struct Added {
    JobPlace place;
    std::uint64_t number = 0;
    core::TimePoint at{};
  };
  Ticket ticket = core::kNoTicket;
  std::vector<Added> added;
  std::vector<JobPlace> removed;
  std::vector<core::MessageRef> copies;  ///< for consumers
};

/// What a batch does to queues.
struct QueueBatch {
  using Item = std::pair<core::Destination, core::MessageRef>;
  Ticket ticket = core::kNoTicket;
  bool cancelled = false;  ///< `removed` was added by a batch that is never written
  std::vector<Item> added;
  std::vector<Item> removed;
};

/// An operator's command that goes through a queue.
struct CommandModel {
  core::TaskId id{};
  core::QueueCommand command{};
  List* queue = nullptr;
  core::Destination to;     ///< move, copy: a queue of its own
  bool red_only = false;    ///< by its selector
  Message* only = nullptr;  ///< null: all that is stored, and may take part
  std::uint64_t started = 0;
  Ticket durable = core::kNoTicket;  ///< when it started
  std::uint64_t affected = 0;
};

/// A browser, until it has seen all.
struct BrowserModel {
  std::uint64_t connection = 0;
  List* queue = nullptr;
  bool red_only = false;
  std::uint64_t started = 0;
  Ticket durable = core::kNoTicket;  ///< when it started
  std::uint8_t priority = 9;
  std::set<std::uint64_t> seen;
};

/// What the store handed back at a start: the judge reads it before the engine does.
struct RecoveredLane {
  core::ListDescription list;
  core::ReaderDescription reader;
  core::RecoveredCursor cursor;
  std::vector<core::PageEntry> entries;
};

/// The judge: what clients did, what they may expect, and every way in which the broker broke its
/// promise. It knows no rule but the promises of design.md §1 and what the calls answered.
class Model {
 public:
  /// The engine is entered; `durable` and `submitted`: of the store at that time.
  void entry_begins(Ticket durable, Ticket submitted, core::TimePoint now) {
    ++entry_;
    now_ = now;
    durable_ = durable;
    submitted_ = submitted;
  }
  /// The engine is left: what `written` removed has gone to the store by now.
  void entry_ends(Ticket submitted);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  void violation(std::string text) { violations_.push_back(std::move(text)); }

  /// What consumers refuse is tried again so.
  void use_redelivery(const core::RedeliveryPolicy& policy) { redelivery_ = policy; }

  // --- sending
  Message& create(std::uint64_t producer, core::Destination destination, bool persistent,
                  std::uint8_t priority, std::int64_t expiration, std::uint64_t origin);
  /// Its effect comes no earlier than that of what the producer did before.
  void order(Message& message) { message.order = ++orders_[message.producer]; }
  void sent(Message& message, Ticket after);
  void parked_silently(Message& message);
  /// An identified one was sent, or sent again, and the answer was "done".
  void sent_once(Message& message, Ticket after);

  // --- consuming
  void subscribed(core::SubscriptionId id, std::uint64_t connection, std::uint64_t origin,
                  const std::string& client_id, const core::SubscribeOptions& options,
                  Ticket submitted);
  void granted(core::SubscriptionId id, std::uint32_t messages);
  void unsubscribed(core::SubscriptionId id, Ticket submitted);
  void durable_deleted(const std::string& client_id, const std::string& name, Ticket submitted);
  void dispatched(const core::Delivery& delivery, core::TimePoint now);
  void received(const core::Delivery& delivery);
  /// Automatic: the socket has taken it.
  void written(const core::Delivery& delivery);
  void acknowledged(core::SubscriptionId id, core::DeliveryRange range, core::AckKind kind,
                    const std::string& cause, Ticket after);
  void acknowledged_in(std::uint64_t transaction, core::SubscriptionId id,
                       core::DeliveryRange range, core::AckKind kind);

  // --- transactions
  void begun(std::uint64_t transaction, std::uint64_t connection);
  void sent_in(std::uint64_t transaction, Message& message);
  void refused_in(std::uint64_t transaction, Message& message);
  void ordered_in(std::uint64_t transaction);
  void committed(std::uint64_t transaction, Ticket after);
  void rolled_back(std::uint64_t transaction, Ticket submitted);
  [[nodiscard]] bool open(std::uint64_t transaction) const {
    return transactions_.contains(transaction);
  }

  // --- XA branches, by number (model_xa.cc)
  /// Of branch `number` where a transaction is asked for.
  static constexpr std::uint64_t branch_key(std::uint64_t number) { return (1ULL << 62) + number; }
  /// What each call must answer at least; ok: it may be done.
  [[nodiscard]] core::XaCode expect_start(std::uint64_t number, std::uint64_t connection,
                                          core::XaStart how) const;
  [[nodiscard]] core::XaCode expect_end(std::uint64_t number, std::uint64_t connection,
                                        core::XaEnd how) const;
  [[nodiscard]] core::XaCode expect_prepare(std::uint64_t number) const;
  [[nodiscard]] core::XaCode expect_commit(std::uint64_t number, bool one_phase) const;
  [[nodiscard]] core::XaCode expect_rollback(std::uint64_t number, std::uint64_t connection) const;
  [[nodiscard]] core::XaCode expect_by_hand(std::uint64_t number) const;
  [[nodiscard]] core::XaCode expect_forget(std::uint64_t number) const;
  void branch_started(std::uint64_t number, std::uint64_t connection, core::XaStart how);
  void branch_left(std::uint64_t number, std::uint64_t connection, core::XaEnd how);
  /// A prepare or one-phase commit is parked; by nobody: it is no more.
  void branch_ending(std::uint64_t number, std::uint64_t connection);
  void branch_prepared(std::uint64_t number, Ticket after);
  void branch_read_only(std::uint64_t number);
  /// Its commit waits for something; or it could not be done, and the branch stays prepared.
  void branch_committing(std::uint64_t number, bool by_hand);
  void branch_put_off(std::uint64_t number);
  void branch_committed(std::uint64_t number, Ticket after, bool by_hand);
  void branch_rolled_back(std::uint64_t number, Ticket after, bool by_hand);
  void branch_forgotten(std::uint64_t number, Ticket after);
  /// The engine wrote the end of one: that must have been asked for.
  void branch_end_written(std::uint64_t number, Ticket ticket);
  /// Exactly those in doubt must be listed.
  void check_branches(const std::vector<core::BranchSnapshot>& views);
  [[nodiscard]] const BranchModel* branch(std::uint64_t number) const;
  [[nodiscard]] std::vector<std::uint64_t> branches() const;
  /// Those that end with the connection.
  [[nodiscard]] std::vector<std::uint64_t> branches_of(std::uint64_t connection) const;
  /// Whether a prepared branch holds messages of the durable subscription.
  [[nodiscard]] bool locked(const std::string& client_id, const std::string& name);

  // --- scheduled sends (model_schedule.cc)
  void jobs_written(const JobBatch& batch);
  void cancelled(std::uint64_t number);
  /// Of each job that is there, the message as it was sent.
  [[nodiscard]] std::vector<const Message*> scheduled() const;
  [[nodiscard]] core::TimePoint next_job() const;
  static bool endless(const Message& message);
  /// The engine counts so many.
  void check_schedule(std::uint64_t scheduled);

  // --- browsers and commands (model_commands.cc)
  /// One that may be given, and that the rest of the model can follow; false: there is none.
  bool may_revive(const Message& message) const;
  [[nodiscard]] std::vector<List*> queues_for_commands();
  [[nodiscard]] bool works_on(const List& queue, core::QueueCommand command) const;
  /// Of which the model knows all that is in them.
  [[nodiscard]] std::vector<List*> queues_that_may_go();
  void queue_deleted(List& queue, std::uint64_t messages, Ticket after);
  void queue_not_deleted(const List& queue);
  void command_started(const CommandModel& command);
  void queues_written(const QueueBatch& batch);
  /// As the engine has it, after each entry. Answers whether it has ended.
  bool command_goes_on(const core::QueueTaskView& view);
  void command_cancelled(core::TaskId id) { commands_.erase(id); }
  [[nodiscard]] std::vector<core::TaskId> commands() const;
  void browser_started(core::SubscriptionId id, std::uint64_t connection, List& queue,
                       bool red_only);
  [[nodiscard]] bool is_browser(core::SubscriptionId id) const { return browsers_.contains(id); }
  void browsed(const core::Delivery& delivery);

  // --- connections
  void temporary_created(const core::Destination& destination, std::uint64_t connection);
  void disconnected(std::uint64_t connection, Ticket submitted);

  // --- the end of a process and the start of the next
  void crashed(Ticket durable, core::TimePoint now);
  void recovered(const core::RecoveredState& state, const std::vector<RecoveredLane>& lanes);

  // --- what must hold
  void check_depths(const core::Engine& engine, core::TimePoint now);
  /// Nothing may wait any more that had expired by `by`.
  void check_expired(const core::Engine& engine, core::TimePoint by);
  /// Nothing may be left, in place or with a consumer.
  void check_drained(core::TimePoint now);
  /// Nothing that kRedOnly asks for may be left in any queue.
  void check_no_red_left(core::TimePoint now);

  // --- for clients that choose
  [[nodiscard]] const Consumer* consumer(core::SubscriptionId id) const;
  [[nodiscard]] const Message* message_of(core::SubscriptionId id, core::DeliveryId delivery) const;
  /// Whether it can be acknowledged: it is with that consumer, and in no transaction.
  [[nodiscard]] bool is_out(core::SubscriptionId id, core::DeliveryId delivery) const;
  [[nodiscard]] std::optional<std::pair<core::SubscriptionId, core::DeliveryId>> some_delivery_out()
      const;
  [[nodiscard]] std::vector<core::Destination> temporaries() const;
  /// Whether a durable subscription of this pattern was deleted and may come back with a crash.
  [[nodiscard]] bool ghost_of(const std::string& client_id, const std::string& name,
                              const std::string& pattern, bool red_only, Ticket durable) const;
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_.size(); }
  [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }

 private:
  void check_gone(const List& list, bool red_only, core::TimePoint now);
  List& queue(const core::Destination& destination);
  List* durable(const std::string& client_id, const std::string& name);
  Place& place(Message& message, List& list, Ticket added);
  void place_at(const core::Destination& target, Message& message, Ticket after,
                Ticket visible_after, Place::State state);
  void place_everywhere(Message& message, Ticket after, Ticket visible_after, Place::State state);
  void remove(Place& place, Ticket removed, bool plain);
  void give_back(Place& place, Ticket counted);
  void refuse(Place& place, core::AckKind kind, const std::string& cause, Ticket after);
  void take_effect(Message& message, Ticket after, Ticket visible_after);
  void planned(Message& message, Ticket after);
  [[nodiscard]] std::vector<JobModel> successors(const JobModel& job) const;
  void fired_or_cancelled(const JobModel& job, const JobBatch& batch);
  void name_occurrence(Message& occurrence, const core::Message& copy);
  Message* occurrence_of(const core::Message& copy);
  static void let_go(Place& place, Ticket after);
  CommandModel* command_on(const List& queue, const Message& message, const List* to);
  static bool wanted_by(const CommandModel& command, const Message& message);
  [[nodiscard]] bool somebody_has_part_in(const List& queue) const;
  void taken_by(CommandModel& command, Place& place, List* to, Ticket after);
  void copied_by(CommandModel& command, Message& message, List& to, Ticket after);
  [[nodiscard]] bool not_sent_yet(const Place& place) const;
  [[nodiscard]] bool stood_there(const Place& place, std::uint64_t started, Ticket durable) const;
  void end_consumer(Consumer& consumer, Ticket submitted);
  BranchModel* live_branch(std::uint64_t number);
  void end_branch(std::uint64_t number, BranchModel& branch, Ticket after, bool by_hand);
  void dead_letter(Place& place, const std::string& cause, bool expired, Ticket after);
  Place* place_of(const core::Delivery& delivery, const Consumer& consumer);
  void check_dispatch(const core::Delivery& delivery, const Consumer& consumer, Place& place,
                      core::TimePoint now);
  void check_dead_letter(const core::Delivery& delivery, const Message& message);
  void check_priority(const Place& place, const Consumer& consumer);
  void check_owner(const Place& place, const Consumer& consumer);
  Place* appeared_dead(Message& message, List& dead_letters, core::TimePoint now);
  Message* known(const core::Message& message);

  // recovery
  struct Found {
    std::map<const Place*, const core::PageEntry*> entries;
    std::set<const List*> lists;
    std::map<std::uint64_t, int> branches;  ///< number, and the state in its record
    std::set<const JobModel*> jobs;
  };
  void match_branches(const core::RecoveredState& state, Found& found);
  [[nodiscard]] Ticket proven_by_branches(const Found& found, Ticket survivors) const;
  void settle_branches(const Found& found, Ticket survivors);
  bool settle_branch(std::uint64_t number, BranchModel& branch, const Found& found,
                     Ticket survivors);
  void hold_again();
  void match_job(const JobBatch::Added& added, Found& found);
  [[nodiscard]] Ticket proven_by_jobs(const Found& found, Ticket survivors) const;
  void settle_jobs(const Found& found, Ticket survivors);
  Found match(const core::RecoveredState& state, const std::vector<RecoveredLane>& lanes);
  void match_lane(const RecoveredLane& lane, List& list, Found& found);
  List* list_of(const core::ListDescription& list, const core::ReaderDescription& reader);
  void settle_list(List& list, const Found& found, Ticket survivors);
  Ticket survived(const Found& found) const;
  void settle(const Found& found, Ticket survivors);
  void settle_place(Place& place, const Found& found, Ticket survivors);
  [[nodiscard]] bool moved_by_expiry(const Place& place, const Found& found) const;
  [[nodiscard]] static std::string text(const Place& place);

  std::vector<std::string> violations_;
  std::vector<std::unique_ptr<Message>> messages_;  ///< number - 1
  std::vector<std::unique_ptr<List>> lists_;
  std::map<std::uint64_t, Consumer> consumers_;
  std::map<std::uint64_t, List*> consumed_;  ///< by consumer, gone ones too; null: queues
  std::map<std::uint64_t, TransactionModel> transactions_;
  std::map<std::uint64_t, BranchModel> branches_;
  std::deque<JobModel> jobs_;  ///< gone ones too, until a crash
  std::vector<Message*> occurrences_;
  std::map<core::TaskId, CommandModel> commands_;
  std::map<core::SubscriptionId, BrowserModel> browsers_;  ///< ended ones too
  std::map<std::uint64_t, std::uint64_t> orders_;
  std::vector<Place*> written_;  ///< removed in this entry; the ticket comes at its end
  std::uint64_t epoch_ = 1;
  std::uint64_t entry_ = 0;
  std::uint64_t rollback_entry_ = 0;  ///< the last in which one was rolled back
  std::optional<core::RedeliveryPolicy> redelivery_;
  core::TimePoint now_{};
  Ticket durable_ = core::kNoTicket;
  Ticket submitted_ = core::kNoTicket;
  std::uint64_t deliveries_ = 0;
  std::uint64_t arrivals_ = 0;
  Ticket durable_at_crash_ = core::kNoTicket;
  std::int64_t crashed_at_ = 0;
};

/// The XID of branch `number`, and the number in it; 0: it is none of ours.
core::Xid xid_of(std::uint64_t number);
std::uint64_t number_of(const core::Xid& xid);
/// Where it is delivered from: the place that it was sent to, or that this led to.
inline core::Destination place_of(const core::Delivery& delivery) {
  return delivery.destination != nullptr ? *delivery.destination : delivery.message->destination();
}
/// The number in a message's body; 0 if there is none.
std::uint64_t number_of(const core::Message& message);
/// What `packed`, a job in the list at `place`, says that it is.
JobBatch::Added job_of(JobPlace place, const core::Message& packed);
/// The body of message `number`: the number, and as much filler as the number says.
std::string body_of(std::uint64_t number);
/// What selectors can ask for: every third message has the property colour = 'red'.
inline bool is_red(const Message& message) {
  return message.content % 3 == 0;
}
inline constexpr const char* kRedOnly = "colour = 'red'";
/// `*` and `>` as design.md says, written a second time on purpose.
bool pattern_matches(const std::string& pattern, const std::string& name);

/// Of a send whose effect nobody was told: later than everything.
inline constexpr Ticket kUnknownTicket{~0ULL};
inline constexpr const char* kDeadLetters = "ActiveMQ.DLQ";

}  // namespace pabal::sim
