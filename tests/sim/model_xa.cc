// XA branches, as a transaction manager knows them: what each call must answer, what is held
// between a prepare and the word that ends it, and what of that a crash may bring back. A branch is
// judged by the tickets of its prepare and of its end: the process may die between any two.

#include <algorithm>
#include <charconv>
#include <string_view>

#include "tests/sim/model.h"

namespace pabal::sim {

using core::BranchState;
using core::XaCode;

namespace {

constexpr std::string_view kAttachments = "xa/";

/// Of a branch that is prepared: is it so in a store that has everything up to `survivors`?
bool survives(const std::optional<Ticket>& ticket, Ticket survivors) {
  return ticket && *ticket <= survivors;
}

std::string name(std::uint64_t number) {
  return "branch " + std::to_string(number);
}

}  // namespace

core::Xid xid_of(std::uint64_t number) {
  return {7, "sim", std::to_string(number)};
}

std::uint64_t number_of(const core::Xid& xid) {
  std::uint64_t number = 0;
  std::from_chars(xid.branch.data(), xid.branch.data() + xid.branch.size(), number);
  return xid == xid_of(number) ? number : 0;
}

// --- what must be answered -----------------------------------------------------------------------

const BranchModel* Model::branch(std::uint64_t number) const {
  const auto found = branches_.find(number);
  return found == branches_.end() || found->second.gone ? nullptr : &found->second;
}

BranchModel* Model::live_branch(std::uint64_t number) {
  const auto found = branches_.find(number);
  if (found != branches_.end() && !found->second.gone) return &found->second;
  violation(name(number) + " is not there, and something was done to it");
  return nullptr;
}

std::vector<std::uint64_t> Model::branches() const {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, branch] : branches_) {
    if (!branch.gone) numbers.push_back(number);
  }
  return numbers;
}

std::vector<std::uint64_t> Model::branches_of(std::uint64_t connection) const {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, branch] : branches_) {
    const bool ends = !branch.gone && branch.state == BranchState::active;
    if (ends && branch.work.contains(connection)) numbers.push_back(number);
  }
  return numbers;
}

XaCode Model::expect_start(std::uint64_t number, std::uint64_t connection,
                           core::XaStart how) const {
  const BranchModel* known = branch(number);
  if (how == core::XaStart::fresh) return known != nullptr ? XaCode::duplicate : XaCode::ok;
  if (known == nullptr) return XaCode::unknown;
  if (known->state != BranchState::active || known->ending_for != 0) return XaCode::protocol;
  if (known->rollback_only) return XaCode::rolled_back;
  const auto work = known->work.find(connection);
  const bool suspended = work != known->work.end() && work->second.suspended > 0;
  return how == core::XaStart::resume && !suspended ? XaCode::protocol : XaCode::ok;
}

XaCode Model::expect_end(std::uint64_t number, std::uint64_t connection, core::XaEnd how) const {
  const BranchModel* known = branch(number);
  if (known == nullptr) return XaCode::unknown;
  const auto work = known->work.find(connection);
  if (work == known->work.end()) return XaCode::protocol;
  const bool may =
      work->second.active > 0 || (how != core::XaEnd::suspend && work->second.suspended > 0);
  return may ? XaCode::ok : XaCode::protocol;
}

XaCode Model::expect_prepare(std::uint64_t number) const {
  const BranchModel* known = branch(number);
  if (known == nullptr) return XaCode::unknown;
  const bool works = std::any_of(known->work.begin(), known->work.end(), [](const auto& each) {
    return each.second.active > 0 || each.second.suspended > 0;
  });
  const bool may = known->state == BranchState::active && known->ending_for == 0 && !works;
  return may ? XaCode::ok : XaCode::protocol;
}

XaCode Model::expect_commit(std::uint64_t number, bool one_phase) const {
  const BranchModel* known = branch(number);
  if (known == nullptr) return XaCode::unknown;
  switch (known->state) {
    case BranchState::active:
      return one_phase ? expect_prepare(number) : XaCode::protocol;
    case BranchState::prepared:
    case BranchState::committing:
      return one_phase ? XaCode::protocol : XaCode::ok;
    case BranchState::heuristically_committed:
      return XaCode::heuristically_committed;
    case BranchState::heuristically_rolled_back:
      return XaCode::heuristically_rolled_back;
    case BranchState::unreadable:
      break;
  }
  return XaCode::resource_error;
}

XaCode Model::expect_rollback(std::uint64_t number, std::uint64_t connection) const {
  const BranchModel* known = branch(number);
  if (known == nullptr) return XaCode::unknown;
  if (known->state == BranchState::committing) return XaCode::protocol;
  if (known->state != BranchState::active) {
    return known->state == BranchState::prepared ? XaCode::ok : expect_commit(number, false);
  }
  const bool others = std::any_of(known->work.begin(), known->work.end(), [&](const auto& each) {
    return each.first != connection && (each.second.active > 0 || each.second.suspended > 0);
  });
  return others ? XaCode::protocol : XaCode::ok;
}

XaCode Model::expect_by_hand(std::uint64_t number) const {
  const BranchModel* known = branch(number);
  if (known == nullptr) return XaCode::unknown;
  return known->state == BranchState::prepared ? XaCode::ok : XaCode::protocol;
}

XaCode Model::expect_forget(std::uint64_t number) const {
  const BranchModel* known = branch(number);
  if (known == nullptr) return XaCode::unknown;
  const bool done = known->state == BranchState::heuristically_committed ||
                    known->state == BranchState::heuristically_rolled_back;
  return done ? XaCode::ok : XaCode::protocol;
}

// --- its life ------------------------------------------------------------------------------------

void Model::branch_started(std::uint64_t number, std::uint64_t connection, core::XaStart how) {
  BranchModel& branch = branches_[number];
  if (how == core::XaStart::fresh) transactions_[branch_key(number)] = {};
  auto& work = branch.work[connection];
  ++work.active;
  if (how == core::XaStart::resume) --work.suspended;
}

void Model::branch_left(std::uint64_t number, std::uint64_t connection, core::XaEnd how) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  auto& work = branch->work[connection];
  if (work.active > 0) {
    --work.active;
    if (how == core::XaEnd::suspend) ++work.suspended;
  } else {
    --work.suspended;
  }
  if (how == core::XaEnd::fail) branch->rollback_only = true;
}

void Model::branch_ending(std::uint64_t number, std::uint64_t connection) {
  if (BranchModel* branch = live_branch(number)) branch->ending_for = connection;
}

void Model::branch_prepared(std::uint64_t number, Ticket after) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  if (branch->rollback_only) violation(name(number) + " could only roll back, and is prepared");
  if (after == core::kNoTicket) violation(name(number) + " is prepared without being stored");
  branch->state = BranchState::prepared;
  branch->prepared = after;
  branch->ending_for = 0;
  branch->work.clear();
  const TransactionModel& work = transactions_[branch_key(number)];
  for (Message* message : work.sends) {
    const bool stored =
        message->persistent && message->destination.kind != core::DestinationKind::temporary_queue;
    if (stored) branch->sends.push_back(message);
  }
  const auto hold = [&](Place& place, core::AckKind kind) {
    place.prepared = true;
    if (place.stored) branch->held.emplace_back(&place, kind);
  };
  for (const auto& ack : work.acks) {
    const auto& out = consumers_.at(ack.consumer).out;
    const auto at = out.find(ack.delivery);
    if (at != out.end()) hold(*at->second.place, ack.kind);
  }
  for (const auto& [place, kind] : work.orphans) hold(*place, kind);
}

void Model::branch_read_only(std::uint64_t number) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  const TransactionModel& work = transactions_[branch_key(number)];
  if (!work.sends.empty() || !work.acks.empty() || !work.orphans.empty()) {
    violation(name(number) + " had something to prepare, and says that it had not");
  }
  transactions_.erase(branch_key(number));
  branches_.erase(number);
}

void Model::branch_committing(std::uint64_t number, bool by_hand) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  if (branch->state != BranchState::committing) branch->by_hand = by_hand;
  branch->state = BranchState::committing;
}

void Model::branch_put_off(std::uint64_t number) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  branch->state = BranchState::prepared;
  branch->by_hand = false;
}

void Model::branch_committed(std::uint64_t number, Ticket after, bool by_hand) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  committed(branch_key(number), after);
  end_branch(number, *branch, after, by_hand);
  if (by_hand) branch->state = BranchState::heuristically_committed;
}

void Model::branch_rolled_back(std::uint64_t number, Ticket after, bool by_hand) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  rolled_back(branch_key(number), after);
  end_branch(number, *branch, after, by_hand);
  if (by_hand) branch->state = BranchState::heuristically_rolled_back;
}

void Model::end_branch(std::uint64_t number, BranchModel& branch, Ticket after, bool by_hand) {
  if (!branch.prepared) {
    branches_.erase(number);
    return;
  }
  branch.by_hand = by_hand;
  branch.ended = after;
  branch.gone = !by_hand;
}

void Model::branch_forgotten(std::uint64_t number, Ticket after) {
  BranchModel* branch = live_branch(number);
  if (branch == nullptr) return;
  branch->forgotten = after;
  branch->gone = true;
}

void Model::branch_end_written(std::uint64_t number, Ticket ticket) {
  const auto found = branches_.find(number);
  if (found == branches_.end()) {
    return violation(name(number) + " that nobody knows has an end in the store");
  }
  BranchModel& branch = found->second;
  if (!branch.gone && branch.state == BranchState::committing) {
    return branch_committed(number, ticket, branch.by_hand);
  }
  if (ticket != branch.ended && ticket != branch.forgotten) {
    violation(name(number) + " has another end in the store than its manager was told");
  }
}

void Model::check_branches(const std::vector<core::BranchSnapshot>& views) {
  std::set<std::uint64_t> seen;
  for (const auto& view : views) {
    const std::uint64_t number = number_of(view.xid);
    const BranchModel* known = branch(number);
    if (known == nullptr) {
      violation(view.xid.to_text() + " is listed, and nobody has it");
      continue;
    }
    seen.insert(number);
    const bool put_off =
        known->state == BranchState::committing && view.state == BranchState::prepared;
    if (view.state != known->state && !put_off) {
      violation(name(number) + " is " + std::string(to_string(view.state)) + " instead of " +
                std::string(to_string(known->state)));
    }
  }
  for (const auto& [number, branch] : branches_) {
    if (!branch.gone && !seen.contains(number)) violation(name(number) + " is not listed");
  }
}

bool Model::locked(const std::string& client_id, const std::string& name) {
  const List* list = durable(client_id, name);
  return list != nullptr &&
         std::any_of(list->places.begin(), list->places.end(), [](const auto& each) {
           return each.second.prepared && each.second.state == Place::State::in_transaction;
         });
}

// --- after a crash -------------------------------------------------------------------------------

void Model::match_branches(const core::RecoveredState& state, Found& found) {
  for (const auto& [key, value] : state.attachments) {
    if (!key.starts_with(kAttachments) || !key.ends_with("/000000")) continue;
    const auto xid = core::Xid::parse(
        std::string_view(key).substr(kAttachments.size(), key.rfind('/') - kAttachments.size()));
    const std::uint64_t number = xid ? number_of(*xid) : 0;
    if (number == 0 || value.size() < 2) {
      violation("what is this branch? " + key);
      continue;
    }
    found.branches[number] = value[1];
  }
}

/// Which batches must have survived, for the branches to be as they are.
Ticket Model::proven_by_branches(const Found& found, Ticket survivors) const {
  Ticket proven = core::kNoTicket;
  for (const auto& [number, branch] : branches_) {
    const auto at = found.branches.find(number);
    if (at != found.branches.end()) {
      const auto& by = at->second == 0 ? branch.prepared : branch.ended;
      proven = std::max(proven, by.value_or(core::kNoTicket));
    } else if (survives(branch.prepared, survivors)) {
      const auto& by = branch.by_hand ? branch.forgotten : branch.ended;
      proven = std::max(proven, by.value_or(core::kNoTicket));
    }
  }
  return proven;
}

/// Before places are: what a branch holds again is one of those.
void Model::settle_branches(const Found& found, Ticket survivors) {
  for (const auto& [number, state] : found.branches) {
    if (!branches_.contains(number)) violation(name(number) + " came back, and nobody prepared it");
  }
  for (auto at = branches_.begin(); at != branches_.end();) {
    at = settle_branch(at->first, at->second, found, survivors) ? std::next(at)
                                                                : branches_.erase(at);
  }
}

/// Whether it is there.
bool Model::settle_branch(std::uint64_t number, BranchModel& branch, const Found& found,
                          Ticket survivors) {
  const bool ended = survives(branch.ended, survivors);
  const bool there = survives(branch.prepared, survivors) &&
                     !survives(branch.forgotten, survivors) && (!ended || branch.by_hand);
  const auto at = found.branches.find(number);
  if (there != (at != found.branches.end())) {
    violation(name(number) + (there ? " is lost" : " came back after its end"));
    return there;
  }
  if (!there) return false;
  if ((at->second != 0) != ended) violation(name(number) + " came back as something else");
  branch.prepared = core::kNoTicket;  // long ago
  branch.forgotten.reset();
  branch.gone = false;
  branch.work.clear();
  if (ended) {
    branch.ended = core::kNoTicket;
    branch.state = at->second == 1 ? BranchState::heuristically_committed
                                   : BranchState::heuristically_rolled_back;
    return true;
  }
  branch.ended.reset();
  branch.by_hand = false;
  branch.state = BranchState::prepared;
  for (const auto& [place, kind] : branch.held) {
    if (found.entries.contains(place)) continue;
    violation(name(number) + " has lost what it acknowledged: " + text(*place));
  }
  return true;
}

/// What is in doubt is with nobody until somebody says what becomes of it.
void Model::hold_again() {
  for (auto& [number, branch] : branches_) {
    if (branch.state != BranchState::prepared) continue;
    TransactionModel& work = transactions_[branch_key(number)];
    work.sends = branch.sends;
    work.orphans = branch.held;
    for (const auto& [place, kind] : branch.held) {
      place->state = Place::State::in_transaction;
      place->prepared = true;
      place->with = 0;
      place->dispatched = true;  // if it returns, it is behind what came later
    }
  }
}

}  // namespace pabal::sim
