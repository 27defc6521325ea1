#include <algorithm>
#include <string>
#include <utility>

#include "protocols/stomp/stomp_session.h"

// XA branches over STOMP: BEGIN, COMMIT and ABORT with the headers `xid` and `xa`. The README has
// the table.

namespace pabal::stomp {
namespace {

/// Of branches that others finish, the oldest are not remembered for ever.
constexpr std::size_t kEndedBranchesMax = 1000;

/// That one RECEIPT lists; a client asks again for those behind the last of them.
constexpr std::size_t kRecoveredMax = 100;

struct VerbName {
  std::string_view name;
  XaVerb verb;
  CommandKind frame;
};
constexpr VerbName kVerbs[] = {
    {"join", XaVerb::join, CommandKind::begin},
    {"resume", XaVerb::resume, CommandKind::begin},
    {"end", XaVerb::end, CommandKind::commit},
    {"suspend", XaVerb::suspend, CommandKind::commit},
    {"fail", XaVerb::fail, CommandKind::commit},
    {"prepare", XaVerb::prepare, CommandKind::commit},
    {"one-phase", XaVerb::one_phase, CommandKind::commit},
    {"forget", XaVerb::forget, CommandKind::abort},
    {"recover", XaVerb::recover, CommandKind::commit},
};

}  // namespace

void StompSession::read_xa(const Frame& frame, Command& command) {
  const auto* xid = frame.find("xid");
  const auto* verb = frame.find("xa");
  if (xid == nullptr && verb == nullptr) return;
  auto request = std::make_unique<XaRequest>();
  if (xid != nullptr) {
    auto parsed = core::Xid::parse(*xid);
    if (!parsed) return refuse(command, "XAER_INVAL: " + parsed.error().text);
    request->xid = std::move(*parsed);
  }
  if (verb != nullptr) {
    const auto* known = std::find_if(std::begin(kVerbs), std::end(kVerbs), [&](const auto& each) {
      return each.name == *verb && each.frame == command.kind;
    });
    if (known == std::end(kVerbs)) {
      return refuse(command, "XAER_INVAL: " + std::string(to_string(command.kind)) +
                                 " does not know xa:" + std::string(*verb));
    }
    request->verb = known->verb;
  }
  if (command.kind == CommandKind::begin && xid == nullptr) {
    return refuse(command, "XAER_INVAL: the header xid is missing");
  }
  command.xa = std::move(request);
}

void StompSession::begin_branch(Command& command, core::Engine& engine, core::TimePoint now) {
  const core::XaStart how = command.xa->verb == XaVerb::join     ? core::XaStart::join
                            : command.xa->verb == XaVerb::resume ? core::XaStart::resume
                                                                 : core::XaStart::fresh;
  const core::Xid& xid = *command.xa->xid;
  const auto id = engine.xa_start(*connection_, xid, how, now);
  if (!id) return fail(command, id.error().text, engine.submitted());
  transactions_.emplace(view(command.transaction), Transaction{*id, take_ended(xid), {}, xid});
  confirm(command, core::kNoTicket);
}

/// What is in doubt, above the branch with `xid` if there is one.
void StompSession::recover_branches(Command& command, core::Engine& engine) {
  const core::Xid* after = command.xa->xid ? &*command.xa->xid : nullptr;
  auto branches = engine.branches(after, kRecoveredMax + 1, true);
  const bool more = branches.size() > kRecoveredMax;
  if (more) branches.pop_back();
  std::string list;
  for (const auto& branch : branches) {
    if (!list.empty()) list += ',';
    list += branch.xid.to_text();
  }
  // One that is listed is so after a crash, too.
  confirm(command, engine.submitted());
  if (!command.receipt.present()) return;
  Answer& answer = batch_->answers.back();
  answer.lists = true;
  if (more) answer.detail = keep("true");
  answer.text = keep(list);
}

/// Of a transaction that this connection began, or of the branch with that XID.
void StompSession::commit_branch(Command& command, core::Engine& engine, core::TimePoint now) {
  XaVerb verb = command.xa != nullptr ? command.xa->verb : XaVerb::none;
  if (verb == XaVerb::recover) return recover_branches(command, engine);
  std::optional<core::Xid> xid;
  std::vector<Settled> settled;
  if (command.transaction.present()) {
    const auto found = transactions_.find(view(command.transaction));
    xid = found->second.xid;
    if (!xid || (command.xa != nullptr && command.xa->xid && command.xa->xid != xid)) {
      return fail(command, "XAER_INVAL: the transaction is not a branch of that xid");
    }
    if (verb == XaVerb::end || verb == XaVerb::suspend || verb == XaVerb::fail) {
      return leave_branch(command, *xid, engine);
    }
    const std::string doomed_by = found->second.doomed_by;
    if (!doomed_by.empty()) {
      transactions_.erase(found);
      // Others may work for it still: then it can only roll back, and not yet.
      (void)engine.xa_end(*connection_, *xid, core::XaEnd::fail);
      const core::Outcome outcome = engine.xa_rollback(*connection_, *xid, now);
      if (outcome.disposition == core::Disposition::failed) {
        return fail(command, outcome.error ? outcome.error->text : "failed", outcome.after);
      }
      return fail(command, "XA_RBROLLBACK: a SEND in it failed: " + doomed_by, outcome.after);
    }
    settled = std::move(found->second.settled);
    transactions_.erase(found);
    if (const auto ended = engine.xa_end(*connection_, *xid, core::XaEnd::success); !ended) {
      return fail(command, ended.error().text, engine.submitted());
    }
    if (verb == XaVerb::none) verb = XaVerb::one_phase;
  } else {
    xid = command.xa->xid;
    if (verb == XaVerb::end || verb == XaVerb::suspend || verb == XaVerb::fail) {
      return fail(command, "XAER_INVAL: the header transaction is missing");
    }
    settled = take_ended(*xid);
  }
  const core::ReplyToken token = ++token_;
  if (verb == XaVerb::prepare) {
    const core::Outcome outcome = engine.xa_prepare(*connection_, *xid, token, now);
    if (!settled.empty() && outcome.xa == core::XaCode::ok) {
      if (ended_branches_.size() >= kEndedBranchesMax) {
        ended_branches_.erase(ended_branches_.begin());
      }
      ended_branches_.insert_or_assign(*xid, std::move(settled));
    }
    return answer_branch(command, outcome, token, {}, true);
  }
  const core::Outcome outcome =
      engine.xa_commit(*connection_, *xid, verb == XaVerb::one_phase, token, now);
  answer_branch(command, outcome, token, std::move(settled), false);
}

void StompSession::leave_branch(Command& command, const core::Xid& xid, core::Engine& engine) {
  const auto found = transactions_.find(view(command.transaction));
  const XaVerb verb = command.xa->verb;
  const bool fails = verb == XaVerb::fail || !found->second.doomed_by.empty();
  const auto ended = engine.xa_end(*connection_, xid,
                                   fails                     ? core::XaEnd::fail
                                   : verb == XaVerb::suspend ? core::XaEnd::suspend
                                                             : core::XaEnd::success);
  auto settled = std::move(found->second.settled);
  transactions_.erase(found);
  if (!ended) return fail(command, ended.error().text, engine.submitted());
  if (!settled.empty() && ended_branches_.size() < kEndedBranchesMax) {
    ended_branches_.insert_or_assign(xid, std::move(settled));
  }
  confirm(command, core::kNoTicket);
}

void StompSession::abort_branch(Command& command, core::Engine& engine, core::TimePoint now) {
  core::Xid xid;
  if (command.transaction.present()) {
    const auto found = transactions_.find(view(command.transaction));
    if (!found->second.xid ||
        (command.xa != nullptr && command.xa->xid && command.xa->xid != found->second.xid)) {
      return fail(command, "XAER_INVAL: the transaction is not a branch of that xid");
    }
    xid = *found->second.xid;
    transactions_.erase(found);
  } else {
    xid = *command.xa->xid;
    (void)take_ended(xid);  // out again, and their tokens good
  }
  const bool forgets = command.xa != nullptr && command.xa->verb == XaVerb::forget;
  const core::Outcome outcome =
      forgets ? engine.xa_forget(xid, now) : engine.xa_rollback(*connection_, xid, now);
  answer_branch(command, outcome, 0, {}, false);
}

void StompSession::answer_branch(const Command& command, const core::Outcome& outcome,
                                 core::ReplyToken token, std::vector<Settled> settled, bool votes) {
  switch (outcome.disposition) {
    case core::Disposition::done:
      for (const Settled& one : settled) settle(one);
      confirm(command, outcome.after);
      if (command.receipt.present()) {
        batch_->answers.back().votes = votes;
        batch_->answers.back().vote = outcome.xa;
      }
      return;
    case core::Disposition::parked:
      park(command, token, std::move(settled));
      parked_.back().votes = votes;
      return;
    case core::Disposition::failed:
      return fail(command, outcome.error ? outcome.error->text : "failed", outcome.after);
  }
}

std::vector<StompSession::Settled> StompSession::take_ended(const core::Xid& xid) {
  const auto found = ended_branches_.find(xid);
  if (found == ended_branches_.end()) return {};
  auto settled = std::move(found->second);
  ended_branches_.erase(found);
  return settled;
}

}  // namespace pabal::stomp
