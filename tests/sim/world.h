#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "core/engine.h"
#include "tests/sim/lying_store.h"
#include "tests/sim/model.h"
#include "tests/sim/random.h"
#include "tests/sim/sabotage.h"
#include "tests/sim/store_host.h"
#include "tests/sim/tap.h"

namespace pabal::sim {

/// In runs with sends to several places: a composite queue, a virtual topic and its queues.
inline constexpr const char* kFan = "fan";
inline constexpr const char* kVirtualTopic = "VirtualTopic.v";
inline constexpr const char* kVirtualQueues[] = {"Consumer.a.VirtualTopic.v",
                                                 "Consumer.b.VirtualTopic.v"};

enum class StoreKind : std::uint8_t { memory, journal };

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t steps = 0;  ///< zero: as many as the seed says
  StoreKind store = StoreKind::memory;
  Sabotage sabotage = Sabotage::none;
  bool verbose = false;
};

struct Report {
  std::vector<std::string> violations;
  std::uint64_t hash = 0;  ///< of everything that the engine did
  std::uint64_t steps = 0;
  std::uint64_t starts = 0;
  std::uint64_t messages = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t receipts = 0;
  // How often the rarer things happened: a simulation that never gets there proves nothing.
  std::uint64_t pages = 0;        ///< read back from disk
  std::uint64_t spills = 0;       ///< entries that left non-persistent messages on disk
  std::uint64_t relocations = 0;  ///< messages moved out of a segment
  std::uint64_t cancelled = 0;    ///< batches that were never written
  std::uint64_t refused = 0;      ///< sends and commits
  std::uint64_t parked = 0;
  std::uint64_t failures = 0;  ///< of the store, each ending a process
  std::uint64_t branches = 0;  ///< prepared ones
  std::uint64_t several = 0;   ///< sends to several places
  std::uint64_t late = 0;      ///< acknowledgements that came too late
  std::uint64_t commands = 0;
  std::uint64_t commanded = 0;  ///< messages that they purged, moved, copied, retried
  std::uint64_t browsers = 0;
  std::uint64_t queues_deleted = 0;
};

/// What the seed decides about a run as a whole.
struct Scenario {
  std::uint64_t steps = 0;
  std::uint64_t clients = 0;
  std::uint64_t queues = 0;
  std::uint64_t topics = 0;
  std::uint64_t bytes_max = 0;
  std::uint64_t kill_permille = 0;
  bool troubles = false;
  bool expiration = false;
  bool selectors = false;
  bool groups = false;      ///< and exclusive consumers
  bool identities = false;  ///< clients send again what was not answered
  bool xa = false;
  bool schedule = false;
  bool commands = false;  ///< and browsers
  bool several = false;   ///< sends go to several places
  bool fan_only = false;  ///< the composite queue keeps nothing
  std::optional<core::RedeliveryPolicy> redelivery;
  std::vector<unsigned> client_weights;  ///< per kind of client action
  core::EngineLimits limits;
  core::EngineSettings settings;
};

/// A connection from the server's side to the client's: what the engine handed out, what the socket
/// has taken, and what waits for a sync before it may be said.
struct Connection {
  struct Receipt {
    std::uint64_t token = 0;
  };
  struct Held {
    core::Ticket after = core::kNoTicket;
    Receipt receipt;
  };
  core::ConnectionDetails details;
  std::size_t client = 0;
  std::deque<core::Delivery> unwritten;
  std::deque<std::variant<core::Delivery, Receipt>> pipe;
  std::deque<Held> held;
  bool paused = false;
};

struct OpenTransaction {
  core::TransactionId id{};
  std::uint64_t operations = 0;
  bool closing = false;      ///< a commit is parked
  std::uint64_t branch = 0;  ///< of XA; zero: the connection's own

  /// Its name in the model.
  [[nodiscard]] std::uint64_t key() const {
    return branch != 0 ? Model::branch_key(branch) : core::raw(id);
  }
};

/// A program that uses the broker.
struct Client {
  std::size_t index = 0;
  std::string client_id;  ///< empty: none
  std::optional<core::ConnectionId> connection;
  std::vector<core::SubscriptionId> subscriptions;
  std::vector<OpenTransaction> transactions;
  /// Received, to be acknowledged.
  std::deque<std::pair<core::SubscriptionId, core::DeliveryId>> unacknowledged;
  std::uint64_t receipts_awaited = 0;

  /// Sent with an identity, and the client was not told that it took effect. Outlives connections.
  struct Unanswered {
    std::shared_ptr<const core::ProducerSequence> identity;
    Message* message = nullptr;
    core::MessageRef body;
    std::uint64_t token = 0;  ///< of the last try
  };
  std::deque<Unanswered> unanswered;
  std::optional<core::SubscriptionId> browser;
  /// The last deliveries to it, settled or not; of earlier connections too.
  std::deque<std::pair<core::SubscriptionId, core::DeliveryId>> remembered;
  std::size_t to_repeat = 0;  ///< of these, how many the connection of now has not sent
  std::uint64_t last_identity = 0;
};

/// One simulated life of a broker: engine, store, disk, network and clients on one thread. What
/// happens next is decided by the seed alone.
class World final : private core::StoreListener {
 public:
  explicit World(const Options& options);
  ~World() override;
  Report run();

 private:
  // --- world.cc: the scheduler and the broker's process
  void step();
  void start();
  void crash();
  void fall_over();
  void count_store();
  std::vector<RecoveredLane> read_everything(const core::RecoveredState& state);
  [[nodiscard]] bool broken() const { return !model_.violations().empty(); }
  void note(const std::string& what);
  void mix(std::uint64_t value);

  void durable_advanced() noexcept override { durable_told_ = true; }
  void page_loaded(core::Page page) noexcept override { pages_.push_back(std::move(page)); }
  void space_changed() noexcept override { space_told_ = true; }
  void failed(core::Error error) noexcept override;

  // --- drain.cc: coming to rest
  void drain();
  void pump_everything();
  [[nodiscard]] std::string why_waiting() const;
  void everybody_leaves();
  void expire_everything();
  void consume_everything();
  void consume_what_comes();
  void acknowledge_everything(Client& client);

  // --- door.cc: entering the engine, and what comes out
  template <class Calls>
  void enter(Calls calls) {
    model_.entry_begins(store_->durable(), store_->submitted(), now_);
    calls();
    more_work_ = engine_->run(now_);
    model_.entry_ends(store_->submitted());
    collect();
    if (store_->push(wanted_, core::Writer::store, core::kNoTicket).raised) durable_told_ = true;
  }
  void collect();
  void sabotage(std::vector<core::Delivery>& deliveries);
  void replied(const core::Reply& reply);
  void answer(core::ConnectionId connection, std::uint64_t token, core::Ticket after);
  void tell_engine();
  void write_sockets(bool everything);
  void write_socket(Connection& connection, std::size_t deliveries);
  void release_receipts();
  bool receive(Connection& connection);

  // --- clients.cc: what clients do; all but connecting happen inside enter()
  void client_turn(Client& client);
  void client_action(Client& client);
  bool connect(Client& client, std::string client_id);
  void disconnect(Client& client);
  void send(Client& client, OpenTransaction* transaction);
  std::shared_ptr<const std::vector<core::Destination>> choose_several(core::Destination& target);
  std::vector<core::Destination> where_to(const Message& message) const;
  core::Destination choose_target(Client& client);
  void send_identified(Client& client);
  void repeat_unanswered(Client& client);
  void publish_identified(Client& client, Client::Unanswered& send);
  static void forget_answered(Client& client, std::uint64_t token);
  void subscribe(Client& client);
  bool subscribe(Client& client, const core::SubscribeOptions& options);
  void subscribe_durable(Client& client);
  void grant(Client& client);
  void unsubscribe(Client& client);
  void unsubscribe(Client& client, std::size_t at);
  void delete_durable(Client& client);
  void acknowledge(Client& client, OpenTransaction* transaction);
  void begin(Client& client);
  void commit(Client& client, OpenTransaction& transaction);
  void roll_back(Client& client, OpenTransaction& transaction);
  void create_temporary(Client& client);
  void collect_unacknowledged(Client& client);
  Connection& connection_of(Client& client);
  void forget_transaction(core::ConnectionId connection, core::TransactionId id);

  // --- clients_xa.cc: transaction managers, and who works for them
  enum class BranchCall : std::uint8_t { prepare, one_phase, commit };
  struct ParkedBranch {
    std::uint64_t branch = 0;
    BranchCall call{};
    core::ConnectionId connection{};
  };
  bool answered(const char* call, std::uint64_t branch, core::XaCode expected, core::XaCode code);
  void work_on_branch(Client& client);
  enum class XaCall : std::uint8_t;
  XaCall sensible_call(const BranchModel& branch, std::uint64_t connection);
  void call_for_branch(Client& client, std::uint64_t number, XaCall call);
  void sync_branch(std::uint64_t number);
  void start_branch(Client& client, std::uint64_t number, core::XaStart how);
  void leave_branch(Client& client, std::uint64_t number, core::XaEnd how);
  void end_all_work(Client& client, std::uint64_t number);
  void prepare_branch(Client& client, std::uint64_t number);
  void prepare_answered(std::uint64_t number, const core::Outcome& outcome);
  void lie_about_prepared(std::uint64_t number);
  void commit_branch(Client& client, std::uint64_t number, bool one_phase);
  std::size_t commits_waiting(std::uint64_t number) const;
  void commit_answered(std::uint64_t number, bool one_phase, const core::Outcome& outcome);
  void roll_back_branch(Client& client, std::uint64_t number);
  void complete_by_hand(std::uint64_t number, bool commit);
  void forget_branch(std::uint64_t number);
  void branch_replied(const ParkedBranch& parked, const core::Outcome& outcome);
  void read_branch_ends();
  void branch_ended(std::uint64_t number);
  void finish_branches();

  // --- clients_commands.cc: browsers and operators
  void delete_a_queue();
  void give_command();
  void start_command(CommandModel& command);
  void follow_commands();
  void finish_commands();
  void browse(Client& client);

  // --- clients_late.cc
  static void remember(Client& client, core::SubscriptionId subscription,
                       core::DeliveryId delivery);
  void acknowledge_late(Client& client, OpenTransaction* transaction);

  // --- clients_schedule.cc: what is to come later
  std::shared_ptr<const core::ScheduleRequest> choose_schedule(const core::Destination& target);
  std::shared_ptr<const core::ScheduleRequest> told_schedule(
      const std::shared_ptr<const core::ScheduleRequest>& schedule);
  void cancel_scheduled(Client& client);
  void cancel(core::ConnectionId connection, const Message& message);
  void finish_schedule();

  struct Parked {
    Message* message = nullptr;  ///< null: a commit
    std::uint64_t transaction = 0;
    bool wants_receipt = false;
  };

  const Options options_;
  Random random_;
  Scenario scenario_;
  std::unique_ptr<StoreHost> host_;
  std::unique_ptr<LyingStore> liar_;
  std::unique_ptr<Tap> store_;
  std::unique_ptr<core::Engine> engine_;
  Model model_;
  core::TimePoint now_{core::milliseconds{1'700'000'000'000}};
  std::map<core::ConnectionId, Connection> connections_;
  std::vector<Client> clients_;
  std::map<std::uint64_t, Parked> parked_;                 ///< by token
  std::map<std::uint64_t, ParkedBranch> parked_branches_;  ///< by token
  std::uint64_t last_branch_ = 0;
  std::uint64_t last_command_queue_ = 0;
  std::uint64_t last_token_ = 0;
  std::set<std::uint64_t> answered_;  ///< tokens, since the start
  std::deque<core::Page> pages_;
  std::uint64_t spilled_bytes_ = 0;  ///< as last seen
  bool durable_told_ = false;
  bool space_told_ = false;
  bool more_work_ = false;
  core::Ticket wanted_ = core::kNoTicket;  // the highest that an answer waits for, or waited
  std::optional<std::string> failure_;     ///< of the store, in this life
  bool draining_ = false;
  std::uint64_t step_ = 0;
  std::uint64_t replies_ = 0;  ///< late ones
  std::uint64_t sabotage_seen_ = 0;
  Report report_;
};

Scenario choose_scenario(Random& random, std::uint64_t steps);

}  // namespace pabal::sim
