#include <string>
#include <utility>

#include "protocols/stomp/stomp_session.h"

namespace pabal::stomp {
namespace {

std::string_view missing_transaction(CommandKind kind) noexcept {
  switch (kind) {
    case CommandKind::begin:
      return "Must specify the transaction you are beginning";
    case CommandKind::commit:
      return "Must specify the transaction you are committing";
    default:
      return "Must specify the transaction you are aborting";
  }
}

}  // namespace

void StompSession::read_transaction(const Frame& frame, Command& command, core::TimePoint /*now*/) {
  read_xa(frame, command);
  if (command.kind == CommandKind::refused) return;
  const bool by_xid =
      command.xa != nullptr && (command.xa->xid.has_value() || command.xa->verb == XaVerb::recover);
  if (by_xid && !command.transaction.present() && command.kind != CommandKind::begin) return;
  // An empty name would stand for "no transaction" elsewhere.
  if (view(command.transaction).empty()) refuse(command, missing_transaction(command.kind));
}

void StompSession::apply_begin(Command& command, core::Engine& engine, core::TimePoint now) {
  const std::string_view name = view(command.transaction);
  if (transactions_.find(name) != transactions_.end()) {
    fail(command, "The transaction was already started: " + std::string(name));
    return;
  }
  if (command.xa != nullptr) return begin_branch(command, engine, now);
  const auto id = engine.begin(*connection_);
  if (!id) {
    fail(command, id.error().text);
    return;
  }
  transactions_.emplace(name, Transaction{*id, {}, {}, {}});
  confirm(command, core::kNoTicket);
}

void StompSession::apply_commit(Command& command, core::Engine& engine, core::TimePoint now) {
  Transaction* transaction = nullptr;
  if (!find_transaction(command, transaction)) return;
  if (command.xa != nullptr || transaction->xid) return commit_branch(command, engine, now);
  const core::TransactionId id = transaction->id;
  const auto settled = std::move(transaction->settled);
  const std::string doomed_by = std::move(transaction->doomed_by);
  transactions_.erase(transactions_.find(view(command.transaction)));
  if (!doomed_by.empty()) {
    const core::Outcome outcome = engine.rollback(id, now);
    fail(command, "The transaction was rolled back, because a SEND in it failed: " + doomed_by,
         outcome.after);
    return;
  }
  const core::ReplyToken token = ++token_;
  const core::Outcome outcome = engine.commit(id, token, now);
  switch (outcome.disposition) {
    case core::Disposition::done:
      for (const Settled& one : settled) settle(one);
      confirm(command, outcome.after);
      break;
    case core::Disposition::parked:
      park(command, token, settled);
      break;
    case core::Disposition::failed:
      // Not for the client to try again: it is over, whatever refused it.
      (void)engine.rollback(id, now);
      fail(command, outcome.error ? outcome.error->text : "failed", outcome.after);
      break;
  }
}

/// reference/stomp.md §8: what the transaction acknowledged is unacknowledged again, and its
/// tokens are good again; nothing is delivered anew while the client is connected.
void StompSession::apply_abort(Command& command, core::Engine& engine, core::TimePoint now) {
  Transaction* transaction = nullptr;
  if (!find_transaction(command, transaction)) return;
  if (command.xa != nullptr || transaction->xid) return abort_branch(command, engine, now);
  const core::Outcome outcome = engine.rollback(transaction->id, now);
  transactions_.erase(transactions_.find(view(command.transaction)));
  if (outcome.disposition == core::Disposition::failed) {
    fail(command, outcome.error ? outcome.error->text : "failed", outcome.after);
  } else {
    confirm(command, outcome.after);
  }
}

bool StompSession::find_transaction(const Command& command, Transaction*& transaction) {
  transaction = nullptr;
  if (!command.transaction.present()) return true;
  const auto found = transactions_.find(view(command.transaction));
  if (found == transactions_.end()) {
    fail(command, "Invalid transaction id: " + std::string(view(command.transaction)));
    return false;
  }
  transaction = &found->second;
  return true;
}

void StompSession::doom(std::string_view transaction, std::string_view cause) {
  const auto found = transactions_.find(transaction);
  if (found != transactions_.end() && found->second.doomed_by.empty()) {
    found->second.doomed_by = cause;
  }
}

}  // namespace pabal::stomp
