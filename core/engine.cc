#include "core/engine.h"

#include <algorithm>
#include <utility>

#include "core/engine_state.h"

namespace pabal::core {

std::string_view to_string(WaitReason reason) noexcept {
  switch (reason) {
    case WaitReason::empty:
      return "empty";
    case WaitReason::no_consumer:
      return "no consumer";
    case WaitReason::no_credit:
      return "every consumer has its prefetch unacknowledged";
    case WaitReason::socket_full:
      return "the consumers' sockets are full";
    case WaitReason::reading_from_disk:
      return "reading from disk";
    case WaitReason::waiting_for_sync:
      return "waiting for a sync";
    case WaitReason::no_room_for_dead_letter:
      return "expired, and there is no room for dead letters";
    case WaitReason::refused:
      return "no consumer's selector matches what waits";
    case WaitReason::damaged:
      return "the stored message is damaged";
    case WaitReason::working:
      return "being delivered";
    case WaitReason::group_owned:
      return "the owner of its message group takes no more now";
    case WaitReason::exclusive_owned:
      return "the exclusive consumer takes no more now";
    case WaitReason::delayed:
      return "waiting for the time of its redelivery";
    case WaitReason::warming_up:
      return "dispatch has not started: waiting for consumers";
    case WaitReason::paused:
      return "paused by an operator";
  }
  PABAL_UNREACHABLE();
}

// --- the public door -----------------------------------------------------------------------------

Engine::Engine(Store& store, EngineLimits limits, std::uint32_t homes)
    : state_(std::make_unique<State>(store, limits, homes)) {}
Engine::~Engine() = default;

/// The state, with its clock set for this call.
Engine::State& Engine::at(TimePoint now) {
  state_->now = now;
  // What there was at the last call is told of before what it did, and that before what this does.
  if (!state_->advisory_replays.empty()) {
    std::uint32_t steps = std::max<std::uint32_t>(1, state_->limits.steps_per_entry_max / 4);
    state_->replay_advisories(steps);
  }
  if (!state_->advisories_raised.empty()) state_->deliver_advisories();
  return *state_;
}
void Engine::configure(EngineSettings settings, TimePoint now) {
  at(now).configure(std::move(settings));
}
Result<ConnectionDetails> Engine::connect(const ConnectOptions& options) {
  return state_->connect(options);
}
Result<ConnectionDetails> Engine::connect(const ConnectOptions& options, TimePoint now) {
  return at(now).connect(options);
}
void Engine::disconnect(ConnectionId connection, TimePoint now) {
  at(now).disconnect(connection, {});
}
Ticket Engine::disconnect(ConnectionId connection, const DisconnectOptions& how, TimePoint now) {
  return at(now).disconnect(connection, how);
}
void Engine::written(ConnectionId connection, std::uint64_t number, TimePoint now) {
  at(now).written(connection, number);
}
Outcome Engine::publish(ConnectionId connection, MessageRef message, const SendOptions& options,
                        TimePoint now) {
  return at(now).publish(connection, std::move(message), options);
}
Result<void> Engine::announce(MessageBuilder& message, TimePoint now) {
  return at(now).announce(message);
}
Result<SubscriptionId> Engine::subscribe(ConnectionId connection, const SubscribeOptions& options,
                                         TimePoint now) {
  return at(now).subscribe(connection, options);
}
Result<void> Engine::unsubscribe(SubscriptionId id, TimePoint now) {
  auto* subscription = at(now).subscriptions.find(id);
  if (subscription == nullptr) return Error{Errc::not_found, "no such subscription"};
  state_->unsubscribe(*subscription, State::kAllSeen);
  return {};
}
Result<void> Engine::unsubscribe(SubscriptionId id, DeliveryId seen, TimePoint now) {
  auto* subscription = at(now).subscriptions.find(id);
  if (subscription == nullptr) return Error{Errc::not_found, "no such subscription"};
  state_->unsubscribe(*subscription, seen);
  return {};
}
Result<void> Engine::delete_durable(std::string_view client_id, std::string_view name,
                                    TimePoint now) {
  return at(now).delete_durable(client_id, name);
}
Result<void> Engine::grant(SubscriptionId id, std::uint32_t messages, TimePoint now) {
  auto* subscription = at(now).subscriptions.find(id);
  if (subscription == nullptr) return Error{Errc::not_found, "no such subscription"};
  subscription->granted += messages;
  state_->credit_returned(*subscription);
  return {};
}
Result<void> Engine::set_credit(SubscriptionId id, std::uint32_t prefetch, std::uint32_t granted,
                                TimePoint now) {
  auto* subscription = at(now).subscriptions.find(id);
  if (subscription == nullptr) return Error{Errc::not_found, "no such subscription"};
  subscription->options.prefetch = prefetch;
  subscription->granted = granted;
  if (prefetch == 0) state_->goes_first_no_more(*subscription);  // it may never catch up
  state_->credit_returned(*subscription);
  return {};
}
std::optional<std::uint32_t> Engine::policy_prefetch(SubscriptionId subscription) const {
  const auto* found = state_->subscriptions.find(subscription);
  if (found == nullptr) return std::nullopt;
  return state_->policy_prefetch(found->options);
}

bool Engine::may_deliver_soon(SubscriptionId subscription) const {
  return state_->may_deliver_soon(subscription);
}
Outcome Engine::acknowledge(SubscriptionId subscription, DeliveryRange range, AckKind kind,
                            std::string_view cause, std::optional<TransactionId> transaction,
                            TimePoint now) {
  return at(now).acknowledge(subscription, range, kind, cause, transaction);
}
Outcome Engine::acknowledge(SubscriptionId subscription, DeliveryRange range, AckKind kind,
                            const SessionChanges& changes, TimePoint now) {
  return at(now).acknowledge(subscription, range, kind, {}, std::nullopt, &changes);
}
Result<Ticket> Engine::resubscribe(SubscriptionId subscription, const ResubscribeOptions& options,
                                   TimePoint now) {
  return at(now).resubscribe(subscription, options);
}
Result<Ticket> Engine::pin(SubscriptionId subscription, DeliveryId delivery) {
  return state_->pin(subscription, delivery);
}
Result<Ticket> Engine::change_session(ConnectionId connection, const SessionChanges& changes) {
  return state_->change_session(connection, changes);
}
bool Engine::holds(SubscriptionId subscription, DeliveryId delivery) const {
  return state_->holds(subscription, delivery);
}
bool Engine::is_connected(ConnectionId connection) const {
  return state_->connections.find(connection) != nullptr;
}
std::optional<DeliveryPlace> Engine::stands_at(SubscriptionId subscription,
                                               DeliveryId delivery) const {
  return state_->stands_at(subscription, delivery);
}

bool Engine::may_come(ConnectionId connection, std::string_view name,
                      const std::optional<DeliveryPlace>& place) const {
  return state_->may_come(connection, name, place);
}

std::vector<std::pair<std::string, std::string>> Engine::session_attachments(
    ConnectionId connection) const {
  return state_->session_attachments(connection);
}
std::vector<SessionSubscription> Engine::session_subscriptions(ConnectionId connection) const {
  return state_->session_subscriptions(connection);
}
Result<Ticket> Engine::forget_subscription(ConnectionId connection, const std::string& name,
                                           TimePoint now) {
  return at(now).forget_subscription(connection, name);
}
std::vector<SessionSnapshot> Engine::sessions(std::string_view after, std::size_t limit) const {
  return state_->sessions_after(after, limit);
}
Result<TransactionId> Engine::begin(ConnectionId connection) {
  return state_->begin(connection);
}
Outcome Engine::commit(TransactionId transaction, ReplyToken token, TimePoint now) {
  return at(now).commit(transaction, token);
}
Outcome Engine::rollback(TransactionId transaction, TimePoint now) {
  const auto* known = at(now).transactions.find(transaction);
  if (known != nullptr && known->branch != nullptr) {
    return Outcome::failure({Errc::bad_state, "an XA branch is ended by its XID"});
  }
  return state_->rollback(transaction);
}
bool Engine::has_transaction(TransactionId transaction) const {
  return state_->transactions.find(transaction) != nullptr;
}
Result<TransactionId, XaError> Engine::xa_start(ConnectionId connection, const Xid& xid,
                                                XaStart how, TimePoint now) {
  return at(now).xa_start(connection, xid, how);
}
Result<void, XaError> Engine::xa_end(ConnectionId connection, const Xid& xid, XaEnd how) {
  return state_->xa_end(connection, xid, how);
}
Outcome Engine::xa_prepare(ConnectionId connection, const Xid& xid, ReplyToken token,
                           TimePoint now) {
  return at(now).xa_prepare(connection, xid, token);
}
Outcome Engine::xa_commit(ConnectionId connection, const Xid& xid, bool one_phase, ReplyToken token,
                          TimePoint now) {
  return at(now).xa_commit(connection, xid, one_phase, token);
}
Outcome Engine::xa_rollback(ConnectionId connection, const Xid& xid, TimePoint now) {
  return at(now).xa_rollback(connection, xid);
}
Outcome Engine::xa_forget(const Xid& xid, TimePoint now) {
  return at(now).xa_forget(xid);
}
Outcome Engine::xa_complete_by_hand(const Xid& xid, bool commit, TimePoint now) {
  return at(now).xa_complete_by_hand(xid, commit);
}
std::optional<BranchState> Engine::branch_state(const Xid& xid) const {
  const Branch* branch = state_->branch_named(xid);
  return branch == nullptr ? std::nullopt : std::optional(branch->state);
}
std::vector<BranchSnapshot> Engine::branches(const Xid* after, std::size_t limit,
                                             bool in_doubt) const {
  return state_->branches_after(after, limit, in_doubt);
}
Result<Destination> Engine::create_temporary(ConnectionId connection, DestinationKind kind) {
  return state_->create_temporary(connection, kind);
}
Result<void> Engine::create_temporary(ConnectionId connection, const Destination& destination) {
  return state_->create_temporary(connection, destination);
}
Result<void> Engine::delete_temporary(ConnectionId connection, const Destination& destination,
                                      TimePoint now) {
  return at(now).delete_temporary(connection, destination);
}
Result<ProducerId> Engine::add_producer(ConnectionId connection, ProducerOptions options,
                                        TimePoint now) {
  return at(now).add_producer(connection, std::move(options));
}
void Engine::remove_producer(ProducerId producer, TimePoint now) {
  at(now).remove_producer(producer);
}
bool Engine::has_temporary(const Destination& destination) const {
  return state_->temporaries.contains(destination);
}
std::vector<Destination> Engine::temporaries(const Destination* after, std::size_t limit) const {
  std::vector<Destination> found;
  const auto& all = state_->temporaries;
  for (auto next = after == nullptr ? all.begin() : all.upper_bound(*after);
       next != all.end() && found.size() < limit; ++next) {
    found.push_back(next->first);
  }
  return found;
}
Result<void> Engine::create_queue(const std::string& name) {
  return state_->make_queue(name);
}
Result<std::uint64_t> Engine::delete_queue(const Destination& queue, QueueDeletion how,
                                           TimePoint now) {
  return at(now).delete_queue(queue, how);
}
Result<void> Engine::delete_topic(const Destination& topic, TimePoint now) {
  return at(now).delete_topic(topic);
}
Result<void> Engine::pause_queue(const Destination& queue, bool paused, TimePoint now) {
  return at(now).pause_queue(queue, paused);
}
Result<TaskId> Engine::start_task(QueueTaskOptions options, TimePoint now) {
  return at(now).start_task(std::move(options));
}
const QueueTaskView* Engine::task(TaskId id) const {
  return std::as_const(*state_).task(id);
}
std::optional<QueueTaskView> Engine::take_task(TaskId id) {
  return state_->take_task(id);
}
Result<TaskId> Engine::start_schedule_task(ScheduleTaskOptions options, TimePoint now) {
  return at(now).start_schedule_task(std::move(options));
}
const ScheduleTaskView* Engine::schedule_task(TaskId id) const {
  const auto task = state_->schedule.tasks.find(id);
  return task == state_->schedule.tasks.end() ? nullptr : &task->second;
}
std::optional<ScheduleTaskView> Engine::take_schedule_task(TaskId id) {
  return state_->take_schedule_task(id);
}
Result<QueueExplanation> Engine::explain(const Destination& queue) const {
  return state_->explain(queue);
}
Result<MessageExplanation> Engine::explain(const Destination& queue,
                                           const ListedMessage& listed) const {
  return state_->explain(queue, listed);
}
void Engine::durable_advanced(TimePoint now) {
  at(now).see_durable();
}
void Engine::page_loaded(Page page, TimePoint now) {
  at(now).page_loaded(std::move(page));
}
void Engine::space_changed(TimePoint now) {
  at(now).spill_blocked = false;
  state_->room_was_made();
}
void Engine::stopping() noexcept {
  state_->stopping = true;
}
void Engine::tick(TimePoint now) {
  at(now).tick();
}
std::optional<TimePoint> Engine::next_timer() const {
  return state_->next_timer();
}
bool Engine::run(TimePoint now) {
  return at(now).run();
}
Outbox& Engine::outbox(HomeId home) {
  return state_->outboxes[static_cast<std::size_t>(home)];
}
Ticket Engine::submitted() const {
  return state_->store.submitted();
}
EngineSnapshot Engine::snapshot() const {
  return state_->snapshot();
}
std::vector<DestinationSnapshot> Engine::destinations(std::string_view after,
                                                      std::size_t limit) const {
  return state_->destinations(after, limit);
}
std::vector<SubscriptionSnapshot> Engine::durable_subscriptions(std::size_t limit) const {
  return state_->durable_subscriptions(limit);
}

std::vector<SubscriptionSnapshot> Engine::durable_subscriptions_of(
    std::string_view client_prefix) const {
  return state_->durable_subscriptions_of(client_prefix);
}
std::vector<RetainedView> Engine::retained(std::string_view after, std::size_t limit) const {
  return state_->retained_after(after, limit);
}
std::vector<BlockedProducer> Engine::blocked_producers(std::size_t limit) const {
  return state_->blocked_producers(limit);
}

// --- connections ---------------------------------------------------------------------------------

Engine::State::State(Store& the_store, EngineLimits the_limits, std::uint32_t homes)
    : store(the_store), limits(the_limits), outboxes(homes == 0 ? 1 : homes) {
  timers.fill(TimePoint::max());
  use_virtual_destinations();
  recover(store.recovered());
  durable = store.durable();
}

void Engine::State::configure(EngineSettings wanted) {
  settings = std::move(wanted);
  policy_queues.clear();
  for (const auto& [id, list] : lists) {
    list->policy = settings.policies.find(list->destination.kind, list->destination.name);
    if (list->is_queue() && list->reader().active()) sort_consumers(list->reader());
    if (list->is_queue()) ++policy_queues[&list->policy->entry()];
    // Those of before the start are as if they were used then: nobody had the time to come back.
    if (list->last_used == TimePoint{}) list->last_used = now;
    for (const auto& reader : list->readers) {
      if (reader->idle_since == TimePoint{}) reader->idle_since = now;
    }
  }
  for (auto& [name, topic] : topics) topic.policy.reset();
  use_virtual_destinations();
  subscriptions.for_each([this](Subscription& subscription) { apply_policy(subscription); });
  plan_collection();
  retry_all_blocked();
  use_recovery_policies();
  settle_recovered_sessions();
  count_listeners();
}

Result<ConnectionDetails> Engine::State::connect(const ConnectOptions& options) {
  Connection* taken_over = nullptr;
  if (const auto at = client_ids.find(options.client_id);
      options.session && !options.client_id.empty() && at != client_ids.end()) {
    taken_over = connections.find(at->second);
    if (taken_over != nullptr && taken_over->session == nullptr) taken_over = nullptr;
  }
  if (!options.session && !options.instance.empty()) taken_over = other_instance(options);
  if (connections.size() >= limits.connections_max && taken_over == nullptr) {
    return Error{Errc::quota_exceeded,
                 "connections_max: " + std::to_string(limits.connections_max) + " are connected"};
  }
  PABAL_CHECK(static_cast<std::size_t>(options.home) < outboxes.size(), "no such home");
  if (options.session) {
    if (auto may = admit_session(options); !may) return may.error();
  }
  std::shared_ptr<SessionCompanion> companion;
  if (taken_over != nullptr) {
    if (options.session) companion = taken_over->session->companion;
    order(*taken_over, ConnectionOrder::close,
          "the session was taken over by a connection from " + options.remote);
    outbox_of(*taken_over).effects.back().cause = CloseCause::taken_over;
    disconnect(taken_over->id, {});
  } else if (!options.client_id.empty()) {
    if (const auto at = client_ids.find(options.client_id); at != client_ids.end()) {
      const auto* other = connections.find(at->second);
      return Error{Errc::in_use, "Client: " + options.client_id + " already connected from " +
                                     (other != nullptr ? other->options.remote : "elsewhere")};
    }
  }
  const auto serial = ++connections_total;
  auto& connection = connections.insert(
      [&](ConnectionId id) { return std::make_unique<Connection>(id, options); });
  connection.origin = (store.epoch() << 32) | (serial & 0xFFFFFFFF);
  connection.client_id = options.client_id;
  if (connection.client_id.empty()) connection.client_id = assigned_client_id(serial);
  ConnectionDetails details;
  details.id = connection.id;
  details.origin = connection.origin;
  details.client_id = connection.client_id;
  if (!options.client_id.empty() || options.session) {
    client_ids[connection.client_id] = connection.id;
  }
  if (options.session) begin_session(connection, details);
  if (details.session_present) details.companion = std::move(companion);
  advise_connection(AdvisoryKind::connection_started, connection);
  return details;
}

/// The connection that a client has lost, if that is not known here yet.
Connection* Engine::State::other_instance(const ConnectOptions& options) {
  const auto at = client_ids.find(options.client_id);
  if (options.client_id.empty() || at == client_ids.end()) return nullptr;
  Connection* other = connections.find(at->second);
  const bool same = other != nullptr && other->session == nullptr &&
                    other->options.instance == options.instance &&
                    other->options.user == options.user;
  return same ? other : nullptr;
}

/// A client may give itself an id that looks like ours, and its session be here still.
std::string Engine::State::assigned_client_id(std::uint64_t serial) const {
  const std::string own =
      "ID:pabal-" + std::to_string(store.epoch()) + "-" + std::to_string(serial);
  std::string id = own;
  for (std::uint64_t more = 1; client_ids.contains(id) || sessions.contains(id); ++more) {
    id = own + "-" + std::to_string(more);
  }
  return id;
}

Ticket Engine::State::disconnect(ConnectionId id, const DisconnectOptions& how) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return kNoTicket;
  report_parked(*connection);
  drop_parked(*connection, std::nullopt);
  while (!connection->transactions.empty()) (void)rollback(connection->transactions.back());
  while (!connection->subscriptions.empty()) {
    unsubscribe(*subscriptions.find(connection->subscriptions.back()), kAllSeen);
  }
  while (!connection->temporaries.empty()) {
    const Destination destination = connection->temporaries.back();
    connection->temporaries.pop_back();
    delete_temporary(destination, *connection);
  }
  while (!connection->producers.empty()) remove_producer(connection->producers.back());
  const auto named = client_ids.find(connection->client_id);
  if (named != client_ids.end() && named->second == id) client_ids.erase(named);
  if (connection->session != nullptr) leave_session(*connection, how);
  advise_connection(AdvisoryKind::connection_ended, *connection);
  connections.erase(id);
  room_was_made();
  return store.submitted();
}

void Engine::State::written(ConnectionId id, std::uint64_t number) {
  auto* connection = connections.find(id);
  if (connection == nullptr) return;
  auto& unwritten = connection->unwritten;
  while (!unwritten.empty()) {
    auto& range = unwritten.front();
    const std::uint64_t first_number = range.last_number - range.count + 1;
    if (first_number > number) break;
    // The server reports whole batches; a range that goes on beyond one is split.
    const std::uint64_t count = std::min(range.count, number - first_number + 1);
    const std::uint64_t bytes =
        count == range.count ? range.bytes : range.bytes / range.count * count;
    const std::uint64_t first_id = range.last_id - range.count + 1;
    Subscription* subscription = range.subscription;
    if (subscription != nullptr && range.untracked) {
      subscription->out -= std::min(subscription->out, count);
      credit_returned(*subscription);
    } else if (subscription != nullptr && subscription->settles_when_written) {
      auto_acknowledge(*subscription, first_id, first_id + count - 1);
    }
    connection->unwritten_bytes -= bytes;
    range.count -= count;
    range.bytes -= bytes;
    if (range.count == 0) unwritten.pop_front();
  }
  if (connection->socket_was_full &&
      connection->unwritten_bytes <= limits.unwritten_bytes_max / 2) {
    connection->socket_was_full = false;
    for (const auto subscription : connection->subscriptions) {
      credit_returned(*subscriptions.find(subscription));
    }
  }
}

// --- the work loop -------------------------------------------------------------------------------

void Engine::State::order(Connection& connection, ConnectionOrder what, std::string reason) {
  outbox_of(connection).effects.push_back({connection.id, what, std::move(reason)});
}

void Engine::State::mark_ready(Scan& scan) {
  if (scan.ready) return;
  scan.ready = true;
  ready_scans.push_back(&scan);
}

void Engine::State::mark_ready(Reader& reader) {
  reader.for_each_scan([this](Scan& scan) {
    // Who is behind for want of credit is woken by that, and has no part in what is new.
    if (!scan.is_shared() && scan.consumers.front().wake_listed) return;
    if (scan.active()) mark_ready(scan);
  });
}

/// Nobody may point at the scan any more.
void Engine::State::forget_work(Scan& scan) {
  std::erase(awaiting_durable, &scan);
  std::erase(awaiting_room, &scan);
  scan.awaits_durable = scan.awaits_room = false;
  if (!std::exchange(scan.ready, false)) return;
  if (std::erase(reading_later, &scan) > 0) return;
  for (std::size_t i = ready_scans.size(); i > 0; --i) {
    Scan* other = ready_scans.front();
    ready_scans.pop_front();
    if (other != &scan) ready_scans.push_back(other);
  }
}

void Engine::State::mark_ready(Subscription& subscription) {
  if (subscription.ready) return;
  subscription.ready = true;
  ready_subscriptions.push_back(&subscription);
}

void Engine::State::see_durable() {
  const auto now_durable = store.durable();
  if (now_durable == durable) return;
  durable = now_durable;
  spill_blocked = false;  // undurable bytes may have blocked it
  for (auto* scan : awaiting_durable) {
    scan->awaits_durable = false;
    mark_ready(*scan);
  }
  awaiting_durable.clear();
  for (const auto id : subscriptions_awaiting_durable) {
    auto* subscription = subscriptions.find(id);
    if (subscription == nullptr) continue;
    subscription->awaits_durable = false;
    mark_ready(*subscription);
  }
  subscriptions_awaiting_durable.clear();
  if (parked_for_the_store.waiting.empty() && commits_waiting.empty()) return;
  room_was_made();  // undurable bytes are a limit too
}

void Engine::State::tick() {
  if (!sessions_to_settle.empty()) settle_recovered_sessions();
  acknowledge_all_late();
  for (std::size_t i = 0; i < timers.size(); ++i) {
    if (timers[i] > now) continue;
    timers[i] = TimePoint::max();
    fire(static_cast<Timer>(i));
  }
}

void Engine::State::fire(Timer timer) {
  switch (timer) {
    case Timer::redelivery:
      redeliveries_due = true;
      return;
    case Timer::warm_up:
      end_warm_ups();
      return;
    case Timer::expiry:
      expiry_due = true;
      return;
    case Timer::schedule:
      schedule.due = true;
      return;
    case Timer::blocked_sends:
      fail_or_warn_blocked();
      return;
    case Timer::slow_consumers:
      slow_checks_due = true;
      return;
    case Timer::collection:
      if (settings.collection_period.count() > 0) {
        collected_in_sweep = 0;
        if (!collect_at && !lists.empty()) collect_at = lists.begin()->first;
        wake_at(Timer::collection, now + settings.collection_period);
      }
      return;
    case Timer::offline_durables:
      if (settings.offline_durable_timeout.count() >= 0) {
        if (!offline_at && !durables.empty()) offline_at = durables.begin()->first;
        wake_at(Timer::offline_durables, now + settings.offline_durable_period);
      }
      return;
    case Timer::retroactive:
      prune_by_time();
      return;
    case Timer::retained:
      retained_timer();
      return;
    case Timer::sessions:
      sessions_due = true;
      return;
  }
  PABAL_UNREACHABLE();
}

std::optional<TimePoint> Engine::State::next_timer() const {
  const TimePoint next = *std::min_element(timers.begin(), timers.end());
  return next == TimePoint::max() ? std::nullopt : std::optional(next);
}

bool Engine::State::run() {
  flush_acks();
  see_durable();
  ++entry_serial;
  const std::uint32_t budget = limits.steps_per_entry_max;
  std::uint32_t steps = budget;
  read_back_left = kReadBackBytesPerEntry;
  if (redeliveries_due) release_redeliveries(steps);
  // Before the sends that wait, which would leave nothing for as long as there are any.
  if (room_changed && tasks_await_room && tasks_turn) wake_tasks();
  if (!ready_tasks.empty()) run_tasks(steps);
  if (!removed_lists.empty()) clear_some(steps);
  if (expiry_due && steps > 0) {
    // A part of the entry, however busy it is; more if there is nothing else to do.
    std::uint32_t part = std::max<std::uint32_t>(1, steps / 8);
    const std::uint32_t rest = steps - part;
    expire_due(part);
    steps = rest + part;
  }
  if (topics_have_room) room_at_topics();
  while (steps > 0) {
    if (!advisories_raised.empty()) deliver_advisories();
    if (!ready_scans.empty()) {
      Scan* scan = ready_scans.front();
      ready_scans.pop_front();
      scan->ready = false;
      dispatch(*scan, steps);
    } else if (!ready_subscriptions.empty()) {
      Subscription* subscription = ready_subscriptions.front();
      ready_subscriptions.pop_front();
      subscription->ready = false;
      deliver_pending(*subscription, steps);
    } else if (!flight_returned.empty()) {
      wake_in_flight(steps);
    } else if (!destinations_to_retry.empty()) {
      retry_destinations(steps);
    } else if (sends_are_due()) {
      retry_parked(steps);
    } else if (schedule.due) {
      advance_schedule(steps);
    } else if (!schedule.walks.empty() && walk_schedule(steps)) {
      // It goes on, or waits for a page.
    } else if (sessions_due || !ending_sessions.empty()) {
      advance_sessions(steps);
    } else if (retained.wants_page) {
      read_retained();
    } else if (retained.expiry_due) {
      expire_retained(steps);
    } else if (slow_checks_due) {
      check_slow_consumers(steps);
    } else if (collect_at) {
      collect(steps);
    } else if (offline_at) {
      expire_durables(steps);
    } else if (expiry_due) {
      expire_due(steps);
    } else if (!removed_lists.empty()) {
      clear_some(steps);
    } else if (wants_to_spill()) {
      spill(steps);
    } else {
      break;
    }
  }
  for (Scan* scan : reading_later) ready_scans.push_back(scan);
  reading_later.clear();
  flush_acks();
  for (const auto id : lists_to_trim) {
    if (const auto at = lists.find(id); at != lists.end()) trim(*at->second);
  }
  lists_to_trim.clear();
  if (errands_due) go_on_with_errands();
  if (!groups_to_end.empty()) end_deserted_groups();
  limit_windows();
  if (!awaiting_pages.empty()) grant_pages();
  steps_longest_entry = std::max<std::uint64_t>(steps_longest_entry, budget - steps);
  if (topics_have_room) room_at_topics();
  if (!advisories_raised.empty()) deliver_advisories();
  return !ready_scans.empty() || !advisory_replays.empty() || !ready_subscriptions.empty() ||
         !ready_tasks.empty() || !flight_returned.empty() || sessions_due ||
         !ending_sessions.empty() || retained.expiry_due || retained.wants_page ||
         sends_are_due() || redeliveries_due || schedule.due || !destinations_to_retry.empty() ||
         slow_checks_due || collect_at || offline_at || expiry_due || !removed_lists.empty() ||
         wants_to_spill();
}

}  // namespace pabal::core
