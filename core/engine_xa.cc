#include "core/engine_xa.h"

#include <algorithm>
#include <utility>

#include "core/engine_state.h"

// XA branches: what each call does in which state. How a branch lies in the store:
// engine_branch.cc.

namespace pabal::core {
namespace {

Errc errc_of(XaCode code) noexcept {
  switch (code) {
    case XaCode::unknown:
      return Errc::not_found;
    case XaCode::duplicate:
      return Errc::already_exists;
    case XaCode::invalid:
      return Errc::invalid_argument;
    case XaCode::unavailable:
      return Errc::store_full;
    case XaCode::resource_error:
      return Errc::quota_exceeded;
    case XaCode::ok:
    case XaCode::read_only:
    case XaCode::heuristically_rolled_back:
    case XaCode::heuristically_committed:
    case XaCode::rolled_back:
    case XaCode::protocol:
      return Errc::bad_state;
  }
  PABAL_UNREACHABLE();
}

std::string text_of(XaCode code, const Xid& xid, std::string_view why) {
  std::string text(to_string(code));
  text += ": branch ";
  text += xid.to_text();
  text += ' ';
  text += why;
  return text;
}

XaError error_of(XaCode code, const Xid& xid, std::string_view why) {
  return {code, text_of(code, xid, why)};
}

constexpr std::string_view kUnknown = "is not known";
/// Whether it can commit as it is, when what was read back for it has been forgotten.
bool needs_nothing_read(const Branch& branch) {
  return branch.stored_sends.empty() &&
         std::none_of(branch.held.begin(), branch.held.end(),
                      [](const HeldRange& range) { return range.needs_messages(); });
}

constexpr std::string_view kAssociated = "still has connections that work for it";

}  // namespace

Branch* Engine::State::branch_named(const Xid& xid) const {
  const auto found = branches.find(xid);
  return found == branches.end() ? nullptr : found->second.get();
}

Outcome Engine::State::xa_failure(XaCode code, const Xid& xid, std::string_view why) const {
  Outcome outcome = Outcome::failure({errc_of(code), text_of(code, xid, why)}, store.submitted());
  outcome.xa = code;
  return outcome;
}

// --- working for a branch ------------------------------------------------------------------------

Result<TransactionId, XaError> Engine::State::xa_start(ConnectionId id, const Xid& xid,
                                                       XaStart how) {
  auto* connection = connections.find(id);
  if (connection == nullptr || xid.format == -1 || xid.global.empty() ||
      xid.global.size() > kXidPartBytesMax || xid.branch.size() > kXidPartBytesMax) {
    return error_of(XaCode::invalid, xid, "cannot be started: its name is not an XID");
  }
  Branch* branch = branch_named(xid);
  if (how == XaStart::fresh && branch != nullptr) {
    return error_of(XaCode::duplicate, xid, "is known already");
  }
  if (how != XaStart::fresh && branch == nullptr) return error_of(XaCode::unknown, xid, kUnknown);
  const bool works = branch != nullptr && branch->work != nullptr &&
                     std::find(connection->transactions.begin(), connection->transactions.end(),
                               branch->work->id) != connection->transactions.end();
  if (!works && connection->transactions.size() >= limits.transactions_per_connection_max) {
    return error_of(XaCode::resource_error, xid,
                    "cannot be started: transactions_per_connection_max reached");
  }
  if (branch == nullptr) {
    branch = branches.emplace(xid, std::make_unique<Branch>(xid)).first->second.get();
    branch->since = now;
    branch->client_id = connection->client_id;
    branch->remote = connection->options.remote;
    branch->work = &transactions.insert(
        [](TransactionId made) { return std::make_unique<Transaction>(made, nullptr); });
    branch->work->branch = branch;
  }
  if (auto joined = xa_join(*connection, *branch, how); !joined) return joined.error();
  if (!works) connection->transactions.push_back(branch->work->id);
  return branch->work->id;
}

Result<void, XaError> Engine::State::xa_join(Connection& connection, Branch& branch, XaStart how) {
  if (branch.state != BranchState::active || branch.ending) {
    return error_of(XaCode::protocol, branch.xid, "takes no more work: it is being ended");
  }
  if (branch.rollback_only) {
    return error_of(XaCode::rolled_back, branch.xid, "can only roll back");
  }
  auto at = std::find_if(branch.associations.begin(), branch.associations.end(),
                         [&](const auto& each) { return each.connection == connection.id; });
  if (at != branch.associations.end() && at->active >= limits.transactions_per_connection_max) {
    return error_of(XaCode::resource_error, branch.xid,
                    "was joined too often: transactions_per_connection_max reached");
  }
  if (how == XaStart::resume) {
    if (at == branch.associations.end() || at->suspended == 0) {
      return error_of(XaCode::protocol, branch.xid, "was not suspended by this connection");
    }
    --at->suspended;
  }
  if (at == branch.associations.end()) {
    branch.associations.push_back({connection.id, 0, 0});
    at = std::prev(branch.associations.end());
  }
  ++at->active;
  return {};
}

Result<void, XaError> Engine::State::xa_end(ConnectionId id, const Xid& xid, XaEnd how) {
  Branch* branch = branch_named(xid);
  if (branch == nullptr) return error_of(XaCode::unknown, xid, kUnknown);
  const auto at = std::find_if(branch->associations.begin(), branch->associations.end(),
                               [&](const auto& each) { return each.connection == id; });
  const bool known = at != branch->associations.end();
  if (!known || (at->active == 0 && (how == XaEnd::suspend || at->suspended == 0))) {
    return error_of(XaCode::protocol, xid, "has no work under way by this connection");
  }
  if (at->active > 0) {
    --at->active;
    if (how == XaEnd::suspend) ++at->suspended;
  } else {
    --at->suspended;
  }
  if (how == XaEnd::fail) branch->rollback_only = true;
  return {};
}

std::optional<Outcome> Engine::State::not_ended(const Branch& branch) const {
  if (branch.state != BranchState::active) {
    return xa_failure(XaCode::protocol, branch.xid,
                      "is " + std::string(to_string(branch.state)) + ", not active");
  }
  if (branch.ending) return xa_failure(XaCode::protocol, branch.xid, "is being ended");
  for (const auto& association : branch.associations) {
    if (association.active > 0 || association.suspended > 0) {
      return xa_failure(XaCode::protocol, branch.xid, kAssociated);
    }
  }
  return std::nullopt;
}

void Engine::State::dissociate(Branch& branch) {
  for (const auto& association : branch.associations) {
    auto* connection = connections.find(association.connection);
    if (connection != nullptr) std::erase(connection->transactions, branch.work->id);
  }
  branch.associations.clear();
  branch.ending = false;
}

// --- prepare -------------------------------------------------------------------------------------

Outcome Engine::State::xa_prepare(ConnectionId id, const Xid& xid, ReplyToken token) {
  auto* connection = connections.find(id);
  Branch* branch = branch_named(xid);
  if (connection == nullptr || branch == nullptr) {
    return xa_failure(XaCode::unknown, xid, kUnknown);
  }
  if (auto why = not_ended(*branch)) return std::move(*why);
  return end_or_park(*connection, *branch->work, EndCall::xa_prepare, token);
}

/// A vote against it: the branch has rolled back.
Outcome Engine::State::refuse_prepare(Transaction& work, const Error& why) {
  Outcome outcome = xa_failure(XaCode::rolled_back, work.branch->xid, why.text);
  outcome.error->code = why.code;
  (void)rollback(work.id);
  return outcome;
}

std::optional<Outcome> Engine::State::prepare_branch(Transaction& work) {
  Branch& branch = *work.branch;
  if (work.lost) return refuse_prepare(work, *work.lost);
  if (branch.rollback_only) {
    return refuse_prepare(work, {Errc::bad_state, "was marked to roll back"});
  }
  std::uint64_t live = work.orphans.size();
  for (const auto& ack : work.acks) live += find_delivery(ack) != nullptr ? 1 : 0;
  if (work.sends.empty() && live == 0) {
    end_transaction(work);
    return Outcome{Disposition::done, kNoTicket, std::nullopt, XaCode::read_only};
  }
  for (const auto& send : work.sends) {
    if (auto routed = route(send); !routed) return refuse_prepare(work, routed.error());
  }
  if (branches_in_doubt >= limits.prepared_branches_max) {
    return refuse_prepare(work, {Errc::quota_exceeded, "prepared_branches_max reached"});
  }
  if (prepared_acknowledgements + live > limits.prepared_acknowledgements_max) {
    return refuse_prepare(work, {Errc::quota_exceeded, "prepared_acknowledgements_max reached"});
  }

  branch.acknowledgements = live;
  branch.stored_sends.clear();
  branch.stored_bytes = 0;
  for (std::uint32_t i = 0; i < work.sends.size(); ++i) {
    if (!may_be_stored(work.sends[i])) continue;
    branch.stored_sends.push_back(i);
    branch.stored_bytes += work.sends[i].message->flat().size();
  }
  branch.first_stored = branch.stored_sends.empty() ? 0 : branch_sequence;
  count_sent(branch);
  branch.since = now;
  std::vector<HeldRange> all;
  std::vector<HeldRange> orphans;
  collect_held(work, all, orphans);
  const std::string record = encode_branch(branch, all);
  // Of a composite send's targets another may be the one that is stored.
  const std::uint64_t more =
      branch.stored_bytes > work.admitted_bytes ? branch.stored_bytes - work.admitted_bytes : 0;
  // Without more to send, its end makes room: a store at its limit must not hold it up.
  switch (
      store.admit(record.size() + more, more > 0 ? purpose_within(work, more) : Purpose::move)) {
    case Admission::granted:
      break;
    case Admission::later:
      blocked_why_ = "the prepare of an XA branch waits: " + store.refusal();
      return std::nullopt;
    case Admission::refused:
      return refuse_prepare(work, {Errc::store_full, store.refusal()});
  }
  std::vector<StoreOp> operations;
  store_branch(branch, record, operations);
  flush_acks();
  const Ticket ticket = store.append(operations);
  store.release(record.size());
  work.admitted_bytes += more;
  if (work.admitted_bytes > branch.stored_bytes) {
    store.release(work.admitted_bytes - branch.stored_bytes);
  }
  work.admitted_bytes = 0;
  become_prepared(branch, std::move(orphans));
  return Outcome{Disposition::done, ticket, std::nullopt, XaCode::ok};
}

void Engine::State::become_prepared(Branch& branch, std::vector<HeldRange> orphans) {
  Transaction& work = *branch.work;
  dissociate(branch);
  branch.state = BranchState::prepared;
  ++branches_in_doubt;
  prepared_acknowledgements += branch.acknowledgements;
  // What a subscription that has gone acknowledged is needed no more, but for its number.
  std::erase_if(work.orphans, [&](auto& each) {
    auto& [delivery, ack] = each;
    if (delivery.reader == nullptr || !delivery.entry.message) return false;
    ++delivery.reader->locked;
    if (delivery.entry.is_volatile || needs_message(ack.kind)) return false;
    drop_message(delivery);
    return true;
  });
  for (auto& range : orphans) hold(branch, std::move(range));
  for (const auto& ack : work.acks) {
    const InFlight* delivery = find_delivery(ack);
    if (delivery == nullptr) continue;
    if (delivery->reader != nullptr) ++delivery->reader->locked;
    Connection& holder = subscriptions.find(ack.subscription)->connection;
    if (std::find(branch.holders.begin(), branch.holders.end(), holder.id) ==
        branch.holders.end()) {
      branch.holders.push_back(holder.id);
      holder.prepared.push_back(work.id);
    }
  }
  branch.counted_bytes = branch.stored_bytes;
  prepared_bytes += branch.stored_bytes;
  if (prepared_bytes > limits.prepared_bytes_max) drop_sends_from_memory(branch);
}

// --- commit --------------------------------------------------------------------------------------

Outcome Engine::State::xa_commit(ConnectionId id, const Xid& xid, bool one_phase,
                                 ReplyToken token) {
  auto* connection = connections.find(id);
  Branch* branch = branch_named(xid);
  if (connection == nullptr || branch == nullptr) {
    return xa_failure(XaCode::unknown, xid, kUnknown);
  }
  switch (branch->state) {
    case BranchState::active:
      break;
    case BranchState::prepared:
    case BranchState::committing: {
      if (one_phase) return xa_failure(XaCode::protocol, xid, "is prepared: it takes two phases");
      auto& waiting = branch->waiting;
      if (waiting.size() >= kCommitWaitersMax) {
        std::erase_if(waiting,
                      [&](const auto& each) { return connections.find(each.first) == nullptr; });
      }
      if (waiting.size() >= kCommitWaitersMax) {
        return xa_failure(XaCode::unavailable, xid,
                          "is committing, and " + std::to_string(waiting.size()) +
                              " calls wait for its end already; ask again");
      }
      if (branch->state == BranchState::prepared) {
        if (auto outcome = commit_prepared(*branch)) return std::move(*outcome);
      }
      waiting.emplace_back(id, token);
      return Outcome{Disposition::parked, kNoTicket, std::nullopt, XaCode::ok};
    }
    case BranchState::heuristically_committed:
      return xa_failure(XaCode::heuristically_committed, xid, "was committed by hand");
    case BranchState::heuristically_rolled_back:
      return xa_failure(XaCode::heuristically_rolled_back, xid, "was rolled back by hand");
    case BranchState::unreadable:
      return xa_failure(XaCode::resource_error, xid, "was written by another version");
  }
  if (!one_phase) return xa_failure(XaCode::protocol, xid, "is not prepared");
  if (auto why = not_ended(*branch)) return std::move(*why);
  return end_or_park(*connection, *branch->work, EndCall::xa_commit_one_phase, token);
}

/// Nullopt: it goes on when its messages have been read back, or there is room.
std::optional<Outcome> Engine::State::commit_prepared(Branch& branch) {
  const auto put_off = [&](std::string_view why) {
    branch.state = BranchState::prepared;
    branch.by_hand = false;
    if (branch.counted_bytes == 0) {  // it was read back, and can be again
      forget_loaded(branch);
      drop_sends_from_memory(branch);
      branch.in_memory = needs_nothing_read(branch);
    }
    return xa_failure(XaCode::unavailable, branch.xid, "stays prepared: " + std::string(why));
  };
  if (!branch.in_memory) {
    if (branch.state != BranchState::committing) {
      branch.state = BranchState::committing;
      read_back(branch);
    }
    return std::nullopt;
  }
  Transaction& work = *branch.work;
  over_limits = true;  // what it promised when it was prepared holds whatever was made meanwhile
  std::uint64_t admitted = 0;
  for (const auto& send : work.sends) {
    if (auto routed = route(send); !routed) {
      if (!may_be_stored(send)) continue;  // a temporary destination that has gone
      over_limits = false;
      if (admitted > 0) store.release(admitted);
      return put_off(routed.error().text);
    }
    const std::uint64_t bytes = route_bytes_max(*send.message);
    const Admission admission = bytes == 0 ? Admission::granted : store.admit(bytes, Purpose::move);
    if (admission == Admission::granted) {
      admitted += bytes;
      continue;
    }
    over_limits = false;
    if (admitted > 0) store.release(admitted);
    if (admission == Admission::refused) return put_off(store.refusal());
    branch.state = BranchState::committing;
    commits_waiting.push_back(branch.xid);
    return std::nullopt;
  }
  work.admitted_bytes = admitted;
  unlock_deliveries(branch);
  Outcome outcome = commit_batch(work);
  over_limits = false;
  return outcome;
}

void Engine::State::go_on_committing(const Xid& name) {
  const Xid xid = name;  // it may be that of the branch, which goes
  Branch* branch = branch_named(xid);
  if (branch == nullptr || branch->state != BranchState::committing) return;
  auto waiting = std::move(branch->waiting);
  const bool by_hand = branch->by_hand;
  auto outcome = commit_prepared(*branch);
  if (!outcome) {
    branch->waiting = std::move(waiting);
    return;
  }
  if (by_hand && outcome->disposition == Disposition::done) {
    *outcome = xa_failure(XaCode::heuristically_committed, xid, "was committed by hand");
  }
  answer_waiting(std::move(waiting), *outcome);
}

void Engine::State::answer_waiting(std::vector<std::pair<ConnectionId, ReplyToken>> waiting,
                                   const Outcome& outcome) {
  for (const auto& [id, token] : waiting) {
    auto* connection = connections.find(id);
    if (connection != nullptr) outbox_of(*connection).replies.push_back({id, token, outcome});
  }
}

void Engine::State::fail_commit(Branch& branch, std::string_view why) {
  forget_loaded(branch);
  branch.state = BranchState::prepared;
  branch.by_hand = false;
  drop_sends_from_memory(branch);
  answer_waiting(
      std::exchange(branch.waiting, {}),
      xa_failure(XaCode::resource_error, branch.xid, "stays prepared: " + std::string(why)));
}

void Engine::State::retry_commits() {
  const auto waiting = std::exchange(commits_waiting, {});
  for (const auto& xid : waiting) go_on_committing(xid);
}

// --- rollback, heuristics ------------------------------------------------------------------------

Outcome Engine::State::xa_rollback(ConnectionId id, const Xid& xid) {
  Branch* branch = branch_named(xid);
  if (branch == nullptr) return xa_failure(XaCode::unknown, xid, kUnknown);
  switch (branch->state) {
    case BranchState::active:
      // The connection's own work under way ends with it.
      for (const auto& each : branch->associations) {
        if (each.connection != id && (each.active > 0 || each.suspended > 0)) {
          return xa_failure(XaCode::protocol, xid, kAssociated);
        }
      }
      return rollback(branch->work->id);
    case BranchState::prepared:
      return rollback(branch->work->id);
    case BranchState::committing:
      return xa_failure(XaCode::protocol, xid, "is committing");
    case BranchState::heuristically_committed:
      return xa_failure(XaCode::heuristically_committed, xid, "was committed by hand");
    case BranchState::heuristically_rolled_back:
      return xa_failure(XaCode::heuristically_rolled_back, xid, "was rolled back by hand");
    case BranchState::unreadable:
      return xa_failure(XaCode::resource_error, xid, "was written by another version");
  }
  PABAL_UNREACHABLE();
}

Outcome Engine::State::xa_complete_by_hand(const Xid& xid, bool commit) {
  Branch* branch = branch_named(xid);
  if (branch == nullptr) return xa_failure(XaCode::unknown, xid, kUnknown);
  if (branch->state != BranchState::prepared) {
    return xa_failure(XaCode::protocol, xid,
                      "is " + std::string(to_string(branch->state)) + ", not prepared");
  }
  branch->by_hand = true;
  if (!commit) return rollback(branch->work->id);
  if (auto outcome = commit_prepared(*branch)) return std::move(*outcome);
  return Outcome{Disposition::parked, kNoTicket, std::nullopt, XaCode::ok};
}

Outcome Engine::State::xa_forget(const Xid& xid) {
  Branch* branch = branch_named(xid);
  if (branch == nullptr) return xa_failure(XaCode::unknown, xid, kUnknown);
  if (branch->work != nullptr) {
    return xa_failure(XaCode::protocol, xid,
                      "is " + std::string(to_string(branch->state)) +
                          ": only what was completed by hand is forgotten");
  }
  std::vector<StoreOp> operations;
  branch->by_hand = false;
  unstore_branch(*branch, operations);
  flush_acks();
  const Ticket ticket = store.append(operations);
  branches.erase(Xid(xid));
  --branches_in_doubt;
  return Outcome{Disposition::done, ticket, std::nullopt, XaCode::ok};
}

/// Its transaction is about to go.
void Engine::State::end_branch(Branch& branch) {
  if (branch.state == BranchState::active) {
    dissociate(branch);
    branches.erase(Xid(branch.xid));
    return;
  }
  prepared_acknowledgements -= branch.acknowledgements;
  prepared_bytes -= branch.counted_bytes;
  for (const auto id : branch.holders) {
    if (auto* holder = connections.find(id)) std::erase(holder->prepared, branch.work->id);
  }
  if (!branch.by_hand) {
    --branches_in_doubt;
    branches.erase(Xid(branch.xid));
    return;
  }
  branch.work = nullptr;
  branch.holders.clear();
  branch.held.clear();
  branch.counted_bytes = 0;
}

// --- views ---------------------------------------------------------------------------------------

std::vector<BranchSnapshot> Engine::State::branches_after(const Xid* after, std::size_t limit,
                                                          bool in_doubt) const {
  std::vector<BranchSnapshot> views;
  for (auto at = after != nullptr ? branches.upper_bound(*after) : branches.begin();
       at != branches.end() && views.size() < limit; ++at) {
    const Branch& branch = *at->second;
    if (in_doubt && branch.state == BranchState::active) continue;
    BranchSnapshot view;
    view.xid = branch.xid;
    view.state = branch.state;
    view.since = branch.since;
    view.client_id = branch.client_id;
    view.remote = branch.remote;
    if (branch.state == BranchState::active) {
      view.sends = branch.work->sends.size();
      view.acknowledgements = branch.work->acks.size() + branch.work->orphans.size();
      view.bytes = branch.work->bytes;
    } else {
      view.sends = branch.work != nullptr ? branch.work->sends.size() : branch.stored_sends.size();
      view.acknowledgements = branch.acknowledgements;
      view.bytes = branch.stored_bytes;
    }
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace pabal::core
