#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "protocols/openwire/destinations.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// TransactionInfo, local and XA. Source: reference §6.11, §6.12.

namespace pabal::openwire {
namespace {

/// Branches that one connection has begun and nobody has ended through it.
constexpr std::size_t kBranchesMax = 10'000;
constexpr std::size_t kBranchesFew = 64;
/// Of answers to the same portion of input: behind more of them nothing is listed.
constexpr std::size_t kListBehindBytesMax = 65'536;

std::string not_started(std::int64_t value) {
  return "Transaction 'TX:" + std::to_string(value) + "' has not been started.";
}

}  // namespace

OpenWireSession::Transaction* OpenWireSession::find_transaction(const TransactionKey& key) {
  if (key.kind == TransactionKey::Kind::local) {
    const auto found = transactions_.find(key.value);
    return found == transactions_.end() ? nullptr : &found->second;
  }
  if (key.kind != TransactionKey::Kind::xa) return nullptr;
  const auto found = branches_.find(*key.xid);
  return found == branches_.end() || !found->second.joined ? nullptr : &found->second;
}

void OpenWireSession::doom(const TransactionKey& key, std::string_view cause) {
  Transaction* transaction = find_transaction(key);
  if (transaction != nullptr && transaction->doomed_by.empty()) transaction->doomed_by = cause;
}

void OpenWireSession::apply_command(TransactionInfo& info, core::Engine& engine,
                                    core::TimePoint now) {
  if (info.type > static_cast<std::uint8_t>(TransactionVerb::end)) {
    return reject(info, kJmsException, "an unknown operation on a transaction");
  }
  if (static_cast<TransactionVerb>(info.type) == TransactionVerb::recover) {
    return list_in_doubt(info, engine);
  }
  if (!info.transaction_id) {
    return reject(info, kJmsException, "an operation on no transaction");
  }
  if (const auto* local = std::get_if<LocalTransactionId>(&*info.transaction_id)) {
    if (!is_own(local->connection_id.value)) {
      return reject(info, kJmsException, "a transaction of another connection");
    }
    return apply_local(info, local->value, engine, now);
  }
  const auto xid = read_xid(std::get<XaTransactionId>(*info.transaction_id));
  if (!xid) {
    return reject(info, kXaException, xa_text(xid.error().text, core::XaCode::invalid));
  }
  apply_xa(info, *xid, engine, now);
}

// --- local ---------------------------------------------------------------------------------------

void OpenWireSession::apply_local(const TransactionInfo& info, std::int64_t value,
                                  core::Engine& engine, core::TimePoint now) {
  switch (static_cast<TransactionVerb>(info.type)) {
    case TransactionVerb::begin: {
      if (transactions_.contains(value)) return confirm(info, core::kNoTicket);
      const auto id = engine.begin(*connection_);
      if (!id) return reject(info, id.error());
      transactions_[value].id = *id;
      return confirm(info, core::kNoTicket);
    }
    case TransactionVerb::commit_one_phase:
    case TransactionVerb::commit_two_phase:
      return commit_local(info, value, engine, now);
    case TransactionVerb::rollback:
    case TransactionVerb::forget: {
      const auto found = transactions_.find(value);
      if (found == transactions_.end()) return reject(info, kJmsException, not_started(value));
      const core::Outcome outcome = engine.rollback(found->second.id, now);
      transactions_.erase(found);
      return confirm(info, outcome.after);
    }
    case TransactionVerb::prepare:
    case TransactionVerb::end:
    case TransactionVerb::recover:
      return confirm(info, core::kNoTicket);
  }
}

void OpenWireSession::commit_local(const CommandHead& head, std::int64_t value,
                                   core::Engine& engine, core::TimePoint now) {
  const auto found = transactions_.find(value);
  if (found == transactions_.end()) return reject(head, kJmsException, not_started(value));
  Transaction transaction = std::move(found->second);
  transactions_.erase(found);
  if (!transaction.doomed_by.empty()) {
    const core::Outcome outcome = engine.rollback(transaction.id, now);
    return reject(
        head, kRolledBack,
        "the transaction was rolled back, because something in it failed: " + transaction.doomed_by,
        outcome.after);
  }
  const core::ReplyToken token = ++token_;
  const core::Outcome outcome = engine.commit(transaction.id, token, now);
  switch (outcome.disposition) {
    case core::Disposition::done:
      settle(transaction.settled);
      return confirm(head, outcome.after);
    case core::Disposition::parked: {
      Parked parked;
      parked.kind = Parked::Kind::commit;
      parked.token = token;
      parked.asker = {head.command_id, head.response_required};
      parked.settled = std::move(transaction.settled);
      parked_.push_back(std::move(parked));
      return;
    }
    case core::Disposition::failed: {
      // Not for the client to try again: it is over, whatever refused it.
      (void)engine.rollback(transaction.id, now);
      return reject(head, kRolledBack, outcome.error ? outcome.error->text : "failed",
                    outcome.after);
    }
  }
}

// --- XA ------------------------------------------------------------------------------------------

void OpenWireSession::apply_xa(const TransactionInfo& info, const core::Xid& xid,
                               core::Engine& engine, core::TimePoint now) {
  switch (static_cast<TransactionVerb>(info.type)) {
    case TransactionVerb::begin:
      return begin_branch(info, xid, engine, now);
    case TransactionVerb::end:
      leave_branch(xid, engine);
      return confirm(info, core::kNoTicket);
    case TransactionVerb::prepare:
      return end_branch(info, xid, true, false, engine, now);
    case TransactionVerb::commit_one_phase:
      return end_branch(info, xid, false, true, engine, now);
    case TransactionVerb::commit_two_phase:
      return end_branch(info, xid, false, false, engine, now);
    case TransactionVerb::rollback:
    case TransactionVerb::forget: {
      leave_branch(xid, engine);
      branches_.erase(xid);
      core::Outcome outcome;
      if (static_cast<TransactionVerb>(info.type) == TransactionVerb::forget) {
        outcome = engine.xa_forget(xid, now);
        // ActiveMQ takes it for a rollback of a branch that nobody has completed.
        if (outcome.xa == core::XaCode::protocol) {
          outcome = engine.xa_rollback(*connection_, xid, now);
        }
      } else {
        outcome = engine.xa_rollback(*connection_, xid, now);
      }
      return append_xa_answer(info, outcome, false);
    }
    case TransactionVerb::recover:
      return;
  }
}

/// BEGIN for a branch that is known joins or resumes it.
void OpenWireSession::begin_branch(const CommandHead& head, const core::Xid& xid,
                                   core::Engine& engine, core::TimePoint now) {
  forget_branches(engine);
  auto known = branches_.find(xid);
  if (known != branches_.end() && known->second.prepared &&
      !engine.has_transaction(known->second.id)) {
    branches_.erase(known);  // another connection has ended it: a new one of its name
    known = branches_.end();
  }
  if (known != branches_.end() && !known->second.replayed &&
      !engine.has_transaction(known->second.id)) {
    // Rolled back with another connection. Begun anew, it would commit without what it had before.
    known->second.joined = true;
    doom({TransactionKey::Kind::xa, 0, std::make_shared<const core::Xid>(xid)},
         "a connection that worked for it was lost");
  }
  if (known != branches_.end() && known->second.joined) return confirm(head, core::kNoTicket);
  if (known == branches_.end() && branches_.size() >= kBranchesMax) {
    return reject(head, kXaException,
                  xa_text("the connection works for " + std::to_string(kBranchesMax) + " branches",
                          core::XaCode::resource_error));
  }
  auto id = engine.xa_start(*connection_, xid, core::XaStart::fresh, now);
  if (!id && id.error().code == core::XaCode::duplicate) {
    if (reconnected_ && engine.branch_state(xid) == core::BranchState::prepared) {
      // A client that comes back says again all that it did in what it has not seen the end of.
      Transaction& again = branches_[xid];
      again.joined = again.replayed = true;
      return confirm(head, engine.submitted());
    }
    id = engine.xa_start(*connection_, xid, core::XaStart::join, now);
  }
  if (!id) {
    return reject(head, kXaException, xa_text(id.error().text, id.error().code),
                  engine.submitted());
  }
  Transaction& branch = branches_[xid];
  branch.id = *id;
  branch.joined = true;
  branch.replayed = false;
  confirm(head, core::kNoTicket);
}

void OpenWireSession::leave_branch(const core::Xid& xid, core::Engine& engine) {
  const auto known = branches_.find(xid);
  if (known == branches_.end() || !known->second.joined) return;
  known->second.joined = false;
  if (known->second.replayed) return;
  (void)engine.xa_end(*connection_, xid,
                      known->second.doomed_by.empty() ? core::XaEnd::success : core::XaEnd::fail);
}

void OpenWireSession::forget_branches(const core::Engine& engine) {
  const std::size_t many = std::max(kBranchesFew, 2 * branches_looked_at_);
  if (branches_.size() < std::min(many, kBranchesMax)) return;
  std::erase_if(branches_, [&](const auto& each) {
    return each.second.prepared && !engine.has_transaction(each.second.id);
  });
  branches_looked_at_ = branches_.size();
}

void OpenWireSession::voted(const core::Xid& xid, const core::Outcome& outcome) {
  const auto known = branches_.find(xid);
  if (known == branches_.end()) return;
  known->second.prepared = outcome.xa == core::XaCode::ok;
  if (known->second.prepared || outcome.xa == core::XaCode::protocol) return;
  if (outcome.xa == core::XaCode::read_only) settle(known->second.settled);
  branches_.erase(known);  // rolled back: what it acknowledged is out again
}

/// Prepare, or commit in one or two phases. What the branch acknowledged here is settled when it
/// has committed.
void OpenWireSession::end_branch(const CommandHead& head, const core::Xid& xid, bool prepares,
                                 bool one_phase, core::Engine& engine, core::TimePoint now) {
  leave_branch(xid, engine);
  auto known = branches_.find(xid);
  if (known != branches_.end() && known->second.replayed) {
    if (prepares && engine.branch_state(xid) == core::BranchState::prepared) {
      core::Outcome prepared;
      prepared.after = engine.submitted();
      return append_xa_answer(head, prepared, prepares);
    }
    branches_.erase(known);
    known = branches_.end();
  }
  if (known != branches_.end() && !known->second.doomed_by.empty()) {
    const std::string cause = known->second.doomed_by;
    branches_.erase(known);
    const core::Outcome outcome = engine.xa_rollback(*connection_, xid, now);
    return reject(head, kXaException,
                  xa_text("the branch was rolled back, because something in it failed: " + cause,
                          core::XaCode::rolled_back),
                  outcome.after);
  }
  const core::ReplyToken token = ++token_;
  const core::Outcome outcome = prepares
                                    ? engine.xa_prepare(*connection_, xid, token, now)
                                    : engine.xa_commit(*connection_, xid, one_phase, token, now);
  if (outcome.disposition == core::Disposition::parked) {
    Parked parked;
    parked.kind = prepares ? Parked::Kind::prepare : Parked::Kind::xa_commit;
    parked.token = token;
    parked.asker = {head.command_id, head.response_required};
    if (prepares) {
      parked.transaction = {TransactionKey::Kind::xa, 0, std::make_shared<const core::Xid>(xid)};
    } else if (known != branches_.end()) {
      parked.settled = std::move(known->second.settled);
      branches_.erase(known);
    }
    parked_.push_back(std::move(parked));
    return;
  }
  if (prepares) {
    voted(xid, outcome);
  } else if (known != branches_.end()) {
    const bool done = outcome.disposition == core::Disposition::done;
    if (done) settle(known->second.settled);
    if (done || !engine.has_transaction(known->second.id)) branches_.erase(known);
  }
  append_xa_answer(head, outcome, prepares);
}

void OpenWireSession::append_xa_answer(const CommandHead& head, const core::Outcome& outcome,
                                       bool prepares) {
  answer_xa({head.command_id, head.response_required}, outcome, prepares, bytes());
  end_piece(outcome.after);
}

/// Source: reference §6.12: PREPARE is answered by an IntegerResponse, and an XAException has its
/// number at the end of its text.
void OpenWireSession::answer_xa(const Asker& asker, const core::Outcome& outcome, bool prepares,
                                std::string& out) const {
  if (outcome.disposition == core::Disposition::failed) {
    append_error(out, asker, kXaException,
                 xa_text(outcome.error ? outcome.error->text : "failed", outcome.xa));
    return;
  }
  if (!prepares) return append_response(out, asker);
  if (!asker.response_required) return;
  IntegerResponse response;
  response.correlation_id = asker.command_id;
  response.result = outcome.xa == core::XaCode::read_only ? 3 : 0;
  append_frame(out, response, format_);
}

/// An array of the wire has no room for all that there may be, and a client does not say where it
/// wants to begin: what did not fit is in the answer to its next RECOVER. Who sends many at once,
/// for short commands with long answers, gets a few.
void OpenWireSession::list_in_doubt(const CommandHead& head, core::Engine& engine) {
  if (!head.response_required) return;
  if (bytes().size() > kListBehindBytesMax) {
    return reject(head, kXaException,
                  xa_text("ask again when the answers to what was sent before are read",
                          core::XaCode::unavailable));
  }
  const std::size_t most = options_.in_doubt_page_max;
  const core::Xid* after = recovered_up_to_ ? &*recovered_up_to_ : nullptr;
  auto branches = engine.branches(after, most, true);
  if (branches.empty() && after != nullptr) branches = engine.branches(nullptr, most, true);
  recovered_up_to_.reset();
  if (branches.size() == most) recovered_up_to_ = branches.back().xid;
  DataArrayResponse response;
  response.correlation_id = head.command_id;
  response.data.emplace();
  for (const core::BranchSnapshot& branch : branches) {
    response.data->push_back(wire_xid(branch.xid));
  }
  append_frame(bytes(), response, format_);
  end_piece(engine.submitted());
}

}  // namespace pabal::openwire
