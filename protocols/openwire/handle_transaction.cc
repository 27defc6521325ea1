#include <string>
#include <utility>

#include "protocols/openwire/destinations.h"
#include "protocols/openwire/java_errors.h"
#include "protocols/openwire/openwire_session.h"

// TransactionInfo, local and XA. Source: reference §6.11, §6.12.

namespace pabal::openwire {
namespace {

/// Of branches in doubt, what one RECOVER answers: an array has no room for more.
constexpr std::size_t kInDoubtMax = 32'000;

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
      std::string answer;
      answer_xa({info.command_id, info.response_required}, outcome, false, answer);
      bytes() += answer;
      return end_piece(outcome.after);
    }
    case TransactionVerb::recover:
      return;
  }
}

/// BEGIN for a branch that is known joins or resumes it.
void OpenWireSession::begin_branch(const CommandHead& head, const core::Xid& xid,
                                   core::Engine& engine, core::TimePoint now) {
  const auto known = branches_.find(xid);
  if (known != branches_.end() && known->second.joined) return confirm(head, core::kNoTicket);
  auto id = engine.xa_start(*connection_, xid, core::XaStart::fresh, now);
  if (!id && id.error().code == core::XaCode::duplicate) {
    id = engine.xa_start(*connection_, xid, core::XaStart::join, now);
  }
  if (!id) {
    return reject(head, kXaException, xa_text(id.error().text, id.error().code),
                  engine.submitted());
  }
  Transaction& branch = branches_[xid];
  branch.id = *id;
  branch.joined = true;
  confirm(head, core::kNoTicket);
}

void OpenWireSession::leave_branch(const core::Xid& xid, core::Engine& engine) {
  const auto known = branches_.find(xid);
  if (known == branches_.end() || !known->second.joined) return;
  known->second.joined = false;
  (void)engine.xa_end(*connection_, xid,
                      known->second.doomed_by.empty() ? core::XaEnd::success : core::XaEnd::fail);
}

/// Prepare, or commit in one or two phases. What the branch acknowledged here is settled when it
/// has committed.
void OpenWireSession::end_branch(const CommandHead& head, const core::Xid& xid, bool prepares,
                                 bool one_phase, core::Engine& engine, core::TimePoint now) {
  leave_branch(xid, engine);
  const auto known = branches_.find(xid);
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
  const bool ended = !prepares || outcome.xa == core::XaCode::read_only;
  if (outcome.disposition == core::Disposition::parked) {
    Parked parked;
    parked.kind = prepares ? Parked::Kind::prepare : Parked::Kind::xa_commit;
    parked.token = token;
    parked.asker = {head.command_id, head.response_required};
    if (!prepares && known != branches_.end()) {
      parked.settled = std::move(known->second.settled);
      branches_.erase(known);
    }
    parked_.push_back(std::move(parked));
    return;
  }
  if (outcome.disposition == core::Disposition::done && ended && known != branches_.end()) {
    settle(known->second.settled);
    branches_.erase(known);
  }
  std::string answer;
  answer_xa({head.command_id, head.response_required}, outcome, prepares, answer);
  bytes() += answer;
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

void OpenWireSession::list_in_doubt(const CommandHead& head, core::Engine& engine) {
  if (!head.response_required) return;
  const auto branches = engine.branches(nullptr, kInDoubtMax, true);
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
