// What transaction managers and the programs that work for them do: XA branches, their order of
// calls mostly as it should be, and finished by whoever comes.

#include <algorithm>

#include "core/engine_xa.h"
#include "tests/sim/world.h"

namespace pabal::sim {

using core::BranchState;
using core::Disposition;
using core::raw;
using core::XaCode;

namespace {

constexpr std::size_t kBranchesMax = 6;

std::string text(std::uint64_t branch) {
  return " branch " + std::to_string(branch);
}

}  // namespace

/// False, and a violation, if the answer is not one that the call may have.
bool World::answered(const char* call, std::uint64_t branch, XaCode expected, XaCode code) {
  note("client calls " + std::string(call) + text(branch) + ": " + std::string(to_string(code)));
  if (expected == XaCode::ok || expected == code) return expected == XaCode::ok;
  model_.violation(std::string(call) + " of" + text(branch) + " answered " +
                   std::string(to_string(code)) + " instead of " +
                   std::string(to_string(expected)));
  return false;
}

enum class World::XaCall : std::uint8_t {
  start,
  join,
  suspend,
  resume,
  end,
  prepare,
  one_phase,
  commit,
  roll_back,
  by_hand,
  forget,
  nothing,
};

void World::work_on_branch(Client& client) {
  const auto numbers = model_.branches();
  const bool room = client.transactions.size() < 2 && numbers.size() < kBranchesMax;
  if (numbers.empty() || (room && random_.one_in(5))) {
    if (room) start_branch(client, ++last_branch_, core::XaStart::fresh);
    return;
  }
  const std::uint64_t number = random_.one_in(50) ? last_branch_ + 1 : random_.of(numbers);
  sync_branch(number);
  const auto work = std::find_if(client.transactions.begin(), client.transactions.end(),
                                 [&](const auto& open) { return open.branch == number; });
  if (work != client.transactions.end() && random_.one_in(2)) {
    return random_.one_in(2) ? send(client, &*work) : acknowledge(client, &*work);
  }
  const BranchModel* branch = model_.branch(number);
  call_for_branch(client, number,
                  branch == nullptr || random_.one_in(8)
                      ? static_cast<XaCall>(random_.below(11))
                      : sensible_call(*branch, raw(*client.connection)));
}

/// What somebody who knows how it stands would do next.
World::XaCall World::sensible_call(const BranchModel& branch, std::uint64_t connection) {
  switch (branch.state) {
    case BranchState::active: {
      const auto work = branch.work.find(connection);
      if (work != branch.work.end() && work->second.suspended > 0) return XaCall::resume;
      const bool others =
          std::any_of(branch.work.begin(), branch.work.end(), [&](const auto& each) {
            return each.first != connection && each.second.active + each.second.suspended > 0;
          });
      if (work != branch.work.end() && work->second.active > 0) {
        if (others) return XaCall::end;
        return random_.one_in(4)   ? XaCall::end
               : random_.one_in(6) ? XaCall::suspend
               : random_.one_in(5) ? XaCall::one_phase
                                   : XaCall::prepare;
      }
      if (random_.one_in(8)) return XaCall::join;
      return others ? XaCall::nothing : XaCall::prepare;
    }
    case BranchState::heuristically_committed:
    case BranchState::heuristically_rolled_back:
      return random_.one_in(3) ? XaCall::forget : XaCall::commit;
    case BranchState::prepared:
    case BranchState::committing:
    case BranchState::unreadable:
      break;
  }
  return random_.one_in(8)   ? XaCall::by_hand
         : random_.one_in(3) ? XaCall::roll_back
                             : XaCall::commit;
}

void World::call_for_branch(Client& client, std::uint64_t number, XaCall call) {
  const bool room = client.transactions.size() < 2;
  switch (call) {
    case XaCall::start:  // there is one of this name
      if (model_.branch(number) == nullptr || !room) return;
      return start_branch(client, number, core::XaStart::fresh);
    case XaCall::join:
      if (room) start_branch(client, number, core::XaStart::join);
      return;
    case XaCall::resume:
      if (room) start_branch(client, number, core::XaStart::resume);
      return;
    case XaCall::suspend:
      return leave_branch(client, number, core::XaEnd::suspend);
    case XaCall::end:
      return leave_branch(client, number,
                          random_.one_in(10) ? core::XaEnd::fail : core::XaEnd::success);
    case XaCall::prepare:
      end_all_work(client, number);
      return prepare_branch(client, number);
    case XaCall::one_phase:
      end_all_work(client, number);
      return commit_branch(client, number, true);
    case XaCall::commit:
      return commit_branch(client, number, false);
    case XaCall::roll_back:
      return roll_back_branch(client, number);
    case XaCall::by_hand:
      return complete_by_hand(number, random_.one_in(2));
    case XaCall::forget:
      return forget_branch(number);
    case XaCall::nothing:
      return;
  }
}

/// A commit that nobody waits for any more may have been given up.
void World::sync_branch(std::uint64_t number) {
  const BranchModel* known = model_.branch(number);
  if (known == nullptr || known->state != BranchState::committing) return;
  for (const auto& view : engine_->branches(nullptr, 1000, true)) {
    if (number_of(view.xid) == number && view.state == BranchState::prepared) {
      model_.branch_put_off(number);
    }
  }
}

// --- working for it ------------------------------------------------------------------------------

void World::start_branch(Client& client, std::uint64_t number, core::XaStart how) {
  const std::uint64_t connection = raw(*client.connection);
  const XaCode expected = model_.expect_start(number, connection, how);
  const auto started = engine_->xa_start(*client.connection, xid_of(number), how, now_);
  const XaCode code = started ? XaCode::ok : started.error().code;
  if (!answered("xa_start", number, expected, code) || !started) return;
  model_.branch_started(number, connection, how);
  const bool works = std::any_of(client.transactions.begin(), client.transactions.end(),
                                 [&](const auto& open) { return open.branch == number; });
  if (!works) client.transactions.push_back({*started, 0, false, number});
}

void World::leave_branch(Client& client, std::uint64_t number, core::XaEnd how) {
  const std::uint64_t connection = raw(*client.connection);
  const XaCode expected = model_.expect_end(number, connection, how);
  const auto ended = engine_->xa_end(*client.connection, xid_of(number), how);
  const XaCode code = ended ? XaCode::ok : ended.error().code;
  if (!answered("xa_end", number, expected, code) || !ended) return;
  model_.branch_left(number, connection, how);
  if (model_.branch(number)->work.at(connection).active > 0) return;
  std::erase_if(client.transactions, [&](const auto& open) { return open.branch == number; });
}

void World::end_all_work(Client& client, std::uint64_t number) {
  const std::uint64_t connection = raw(*client.connection);
  while (random_.percent(90) &&
         model_.expect_end(number, connection, core::XaEnd::success) == XaCode::ok && !broken()) {
    leave_branch(client, number, core::XaEnd::success);
  }
}

// --- ending it -----------------------------------------------------------------------------------

void World::prepare_branch(Client& client, std::uint64_t number) {
  const XaCode expected = model_.expect_prepare(number);
  const std::uint64_t token = ++last_token_;
  const auto outcome = engine_->xa_prepare(*client.connection, xid_of(number), token, now_);
  if (!answered("xa_prepare", number, expected, outcome.xa)) return;
  mix(static_cast<std::uint64_t>(outcome.disposition));
  if (outcome.disposition == Disposition::parked) {
    ++report_.parked;
    model_.branch_ending(number, raw(*client.connection));
    parked_branches_[token] = {number, BranchCall::prepare, *client.connection};
    return;
  }
  prepare_answered(number, outcome);
}

void World::prepare_answered(std::uint64_t number, const core::Outcome& outcome) {
  if (outcome.disposition == Disposition::done) {
    if (outcome.xa == XaCode::read_only) {
      model_.branch_read_only(number);
    } else {
      ++report_.branches;
      model_.branch_prepared(number, outcome.after);
      lie_about_prepared(number);
    }
  } else if (outcome.xa == XaCode::rolled_back) {
    ++report_.refused;
    model_.branch_rolled_back(number, store_->submitted(), false);
  } else if (outcome.xa != XaCode::resource_error) {  // not parked, so nothing happened
    return model_.violation("prepare failed: " + outcome.error->text);
  } else {
    ++report_.refused;
    return;
  }
  branch_ended(number);
}

void World::lie_about_prepared(std::uint64_t number) {
  const auto manager = connections_.begin()->first;
  if (options_.sabotage == Sabotage::commit_prepared) {
    (void)engine_->xa_commit(manager, xid_of(number), false, 0, now_);
  } else if (options_.sabotage == Sabotage::free_prepared) {
    (void)engine_->xa_rollback(manager, xid_of(number), now_);
  }
}

void World::commit_branch(Client& client, std::uint64_t number, bool one_phase) {
  const XaCode expected = model_.expect_commit(number, one_phase);
  const std::uint64_t token = ++last_token_;
  const auto outcome =
      engine_->xa_commit(*client.connection, xid_of(number), one_phase, token, now_);
  if (!answered("xa_commit", number, expected, outcome.xa)) return;
  mix(static_cast<std::uint64_t>(outcome.disposition));
  if (outcome.disposition == Disposition::parked) {
    ++report_.parked;
    parked_branches_[token] = {number, one_phase ? BranchCall::one_phase : BranchCall::commit,
                               *client.connection};
    if (one_phase) {
      model_.branch_ending(number, raw(*client.connection));
    } else {
      model_.branch_committing(number, false);
    }
    return;
  }
  if (outcome.xa == XaCode::unavailable && commits_waiting(number) >= core::kCommitWaitersMax) {
    note("  refused: " + outcome.error->text);
    ++report_.refused;
    return;  // one caller too many: the commit itself goes on
  }
  commit_answered(number, one_phase, outcome);
}

std::size_t World::commits_waiting(std::uint64_t number) const {
  return static_cast<std::size_t>(
      std::count_if(parked_branches_.begin(), parked_branches_.end(), [&](const auto& each) {
        return each.second.branch == number && each.second.call == BranchCall::commit;
      }));
}

void World::commit_answered(std::uint64_t number, bool one_phase, const core::Outcome& outcome) {
  if (outcome.disposition == Disposition::done) {
    model_.branch_committed(number, outcome.after, false);
    return branch_ended(number);
  }
  note("  refused: " + outcome.error->text);
  ++report_.refused;
  if (one_phase && outcome.xa == XaCode::rolled_back) {
    model_.branch_rolled_back(number, store_->submitted(), false);
    return branch_ended(number);
  }
  const bool put_off = outcome.xa == XaCode::unavailable || outcome.xa == XaCode::resource_error;
  if (!put_off) return model_.violation("commit failed: " + outcome.error->text);
  if (!one_phase) model_.branch_put_off(number);
}

void World::roll_back_branch(Client& client, std::uint64_t number) {
  const XaCode expected = model_.expect_rollback(number, raw(*client.connection));
  const auto outcome = engine_->xa_rollback(*client.connection, xid_of(number), now_);
  if (!answered("xa_rollback", number, expected, outcome.xa)) return;
  if (outcome.disposition != Disposition::done) {
    return model_.violation("cannot roll back: " + outcome.error->text);
  }
  const bool prepared = model_.branch(number)->state == BranchState::prepared;
  model_.branch_rolled_back(number, prepared ? outcome.after : store_->submitted(), false);
  branch_ended(number);
}

void World::complete_by_hand(std::uint64_t number, bool commit) {
  const XaCode expected = model_.expect_by_hand(number);
  const auto outcome = engine_->xa_complete_by_hand(xid_of(number), commit, now_);
  if (!answered("xa_complete_by_hand", number, expected, outcome.xa)) return;
  switch (outcome.disposition) {
    case Disposition::parked:
      return model_.branch_committing(number, true);
    case Disposition::failed:
      if (!commit || outcome.xa != XaCode::unavailable) {
        model_.violation("cannot complete by hand: " + outcome.error->text);
      }
      return;
    case Disposition::done:
      break;
  }
  if (commit) {
    model_.branch_committed(number, outcome.after, true);
  } else {
    model_.branch_rolled_back(number, outcome.after, true);
  }
  branch_ended(number);
}

void World::forget_branch(std::uint64_t number) {
  const XaCode expected = model_.expect_forget(number);
  const auto outcome = engine_->xa_forget(xid_of(number), now_);
  if (!answered("xa_forget", number, expected, outcome.xa)) return;
  if (outcome.disposition != Disposition::done) {
    return model_.violation("cannot forget: " + outcome.error->text);
  }
  model_.branch_forgotten(number, outcome.after);
}

// --- what comes of it ----------------------------------------------------------------------------

void World::branch_replied(const ParkedBranch& parked, const core::Outcome& outcome) {
  note("  reply about" + text(parked.branch) + ": " + std::string(to_string(outcome.xa)));
  const BranchModel* known = model_.branch(parked.branch);
  const bool waits = known != nullptr && (parked.call == BranchCall::commit
                                              ? known->state == BranchState::committing
                                              : known->ending_for == raw(parked.connection));
  if (!waits) return;  // it was ended otherwise, or its end was seen before
  if (parked.call != BranchCall::commit) model_.branch_ending(parked.branch, 0);
  if (parked.call == BranchCall::prepare) return prepare_answered(parked.branch, outcome);
  commit_answered(parked.branch, parked.call == BranchCall::one_phase, outcome);
}

/// What the engine wrote about branches in this entry: of one that nobody waits for any more, or
/// that an operator committed, nothing else says it.
void World::read_branch_ends() {
  const auto ends = store_->take_branch_ends();
  // That would give the liar away, and it is others who should notice.
  if (options_.sabotage == Sabotage::commit_prepared ||
      options_.sabotage == Sabotage::free_prepared) {
    return;
  }
  for (const auto& [xid, ticket] : ends) {
    const std::uint64_t number = number_of(xid);
    const BranchModel* known = model_.branch(number);
    const bool unsaid = known != nullptr && known->state == BranchState::committing;
    if (unsaid) note("  the end of" + text(number) + " is written");
    model_.branch_end_written(number, ticket);
    if (unsaid) branch_ended(number);
  }
}

/// It takes no more work, and what it let go is its clients' to acknowledge again.
void World::branch_ended(std::uint64_t number) {
  const std::uint64_t key = Model::branch_key(number);
  std::erase_if(parked_, [&](const auto& each) { return each.second.transaction == key; });
  for (Client& client : clients_) {
    std::erase_if(client.transactions, [&](const auto& open) { return open.branch == number; });
    if (client.connection) collect_unacknowledged(client);
  }
}

/// A transaction manager comes back, asks what is in doubt, and ends it.
void World::finish_branches() {
  if (!connect(clients_[0], clients_[0].client_id)) return;
  for (int rounds = 0; rounds < 100 && !broken(); ++rounds) {
    model_.check_branches(engine_->branches(nullptr, 1000, false));
    const auto numbers = model_.branches();
    if (numbers.empty() || broken()) break;
    enter([&] {
      for (const std::uint64_t number : numbers) {
        sync_branch(number);
        switch (model_.branch(number)->state) {
          case BranchState::prepared:
            if (random_.one_in(5)) {
              complete_by_hand(number, random_.one_in(2));
            } else if (random_.one_in(3)) {
              roll_back_branch(clients_[0], number);
            } else {
              commit_branch(clients_[0], number, false);
            }
            break;
          case BranchState::committing:
            break;
          case BranchState::active:
          case BranchState::heuristically_committed:
          case BranchState::heuristically_rolled_back:
          case BranchState::unreadable:
            forget_branch(number);
        }
      }
    });
    pump_everything();
  }
  if (broken()) return;
  if (!model_.branches().empty()) return model_.violation("a branch cannot be ended");
  enter([&] { disconnect(clients_[0]); });
  pump_everything();
}

}  // namespace pabal::sim
