#include "store/journal/pending.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pabal::store {

using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

namespace {

constexpr std::size_t kOpsKept = 64 * 1024;  // a group's memory above this is given back

/// Batches that were cancelled before all others are forgotten so many at a time.
constexpr std::size_t kPassedKept = 64;

/// So much is worth beginning with before the turn that brings it has ended. Less waits: what is
/// consumed within the turn is never written, and its receipt costs no sync.
constexpr std::uint64_t kBeginBytes = 256 * 1024;

bool is_add(const StoreOp& op) noexcept {
  return op.kind == StoreOpKind::add || op.kind == StoreOpKind::add_reference;
}

/// Takes the first `count` batches out of `group`, which has more, and their steps.
void drop_front(PendingGroup& group, std::size_t count) {
  const std::uint32_t first_op = group.batches[count].first_op;
  group.ops.erase(group.ops.begin(), group.ops.begin() + first_op);
  group.batches.erase(group.batches.begin(),
                      group.batches.begin() + static_cast<std::ptrdiff_t>(count));
  for (PendingBatch& batch : group.batches) batch.first_op -= first_op;
  group.first_ticket += count;
}

}  // namespace

/// A consumer that acknowledges one message after the other writes one step for all of a group.
bool PendingQueue::merge_acknowledgement(std::span<StoreOp> ops) {
  if (ops.size() != 1 || ops[0].kind != StoreOpKind::acknowledge) return false;
  if (group_.ops.empty()) return false;
  StoreOp& last = group_.ops.back();
  if (last.kind != StoreOpKind::acknowledge || last.list != ops[0].list ||
      last.reader != ops[0].reader || last.priority != ops[0].priority ||
      ops[0].first != last.last + 1) {
    return false;
  }
  last.last = ops[0].last;
  return true;
}

Ticket PendingQueue::append(std::span<StoreOp> ops, bool& wake) {
  MutexLock lock(mutex_);
  const std::uint64_t ticket = submitted_.load(std::memory_order_relaxed) + 1;
  if (group_.empty()) group_.first_ticket = ticket;
  PendingBatch batch;
  batch.first_op = static_cast<std::uint32_t>(group_.ops.size());
  batch.passing = waits_.passing && !ops.empty() && ops[0].passing;
  batch.patient =
      waits_.acknowledgements && ops.size() == 1 && ops[0].kind == StoreOpKind::acknowledge;
  if (!merge_acknowledgement(ops)) {
    batch.ops = static_cast<std::uint32_t>(ops.size());
    for (StoreOp& op : ops) {
      if (op.kind == StoreOpKind::add) batch.bytes += op.message->flat().size();
      group_.ops.push_back(std::move(op));
    }
    undurable_bytes_.fetch_add(batch.bytes, std::memory_order_relaxed);
  }
  group_.batches.push_back(batch);
  submitted_.store(ticket, std::memory_order_relaxed);
  unpushed_.store(true, std::memory_order_relaxed);
  if (batch.passing) ++passing_;
  if (batch.patient) {
    if (first_patient_ == 0) first_patient_ = ticket;
    last_patient_ = ticket;
  }
  const bool much = undurable_bytes_.load(std::memory_order_relaxed) >= kBeginBytes;
  if (much || (!batch.patient && !batch.passing)) urgent_to_ = ticket;
  wake = resting_ && much;
  if (wake) resting_ = false;
  return Ticket{ticket};
}

PendingQueue::Pushed PendingQueue::push(Ticket wanted, Ticket overdue) {
  const std::uint64_t number = core::raw(wanted);
  if (overdue == core::kNoTicket && !unpushed_.load(std::memory_order_relaxed) &&
      number <= wanted_.load(std::memory_order_relaxed)) {
    return {};
  }
  MutexLock lock(mutex_);
  unpushed_.store(false, std::memory_order_relaxed);
  if (number > wanted_.load(std::memory_order_relaxed)) {
    wanted_.store(number, std::memory_order_relaxed);
  }
  Pushed pushed;
  if (!group_.empty()) {
    want_patient(number);
    (void)make_urgent(core::raw(overdue));
    const bool begin = urgent_to_ != 0 || (first_patient_ != 0 && !lingering_);
    pushed.wake = begin && std::exchange(resting_, false);
    // What is urgent already needs nobody to push again.
    if (passing_ != 0 && last() > urgent_to_) pushed.held = Ticket{last()};
  }
  pushed.raised = std::exchange(raised_, false);
  return pushed;
}

bool PendingQueue::want(Ticket wanted, Ticket overdue) {
  MutexLock lock(mutex_);
  if (group_.empty() || core::raw(wanted) < first_live()) return false;
  want_patient(core::raw(wanted));
  (void)make_urgent(core::raw(overdue));
  return urgent_to_ != 0;
}

/// Somebody holds an answer until `number` is durable: that takes what is patient up to there.
void PendingQueue::want_patient(std::uint64_t number) {
  if (first_patient_ == 0 || first_patient_ > number) return;
  urgent_to_ = std::max(urgent_to_, std::min(number, last_patient_));
}

bool PendingQueue::make_urgent(std::uint64_t number) {
  if (group_.empty()) return false;
  number = std::min(number, last());
  if (number < first_live() || number <= urgent_to_) return false;
  urgent_to_ = number;
  return true;
}

bool PendingQueue::hurry(Ticket last_ticket) {
  MutexLock lock(mutex_);
  return make_urgent(core::raw(last_ticket));
}

bool PendingQueue::hurry_patient() {
  MutexLock lock(mutex_);
  return make_urgent(last_patient_);
}

bool PendingQueue::only_patient() {
  MutexLock lock(mutex_);
  return first_patient_ != 0 && urgent_to_ == 0;
}

void PendingQueue::set_lingering(bool lingering) {
  MutexLock lock(mutex_);
  lingering_ = lingering;
}

bool PendingQueue::cancel(Ticket ticket, core::ListId list) {
  MutexLock lock(mutex_);
  const std::uint64_t number = core::raw(ticket);
  if (group_.empty() || number < group_.first_ticket || number > last()) {
    return false;  // sealed, or never given
  }
  PendingBatch& batch = group_.batches[number - group_.first_ticket];
  if (batch.cancelled || batch.ops == 0) return false;
  const auto ops = std::span(group_.ops).subspan(batch.first_op, batch.ops);
  if (ops[0].kind != StoreOpKind::add) return false;
  bool found = false;
  std::size_t left = 0;
  for (StoreOp& op : ops) {
    if (!is_add(op)) return false;  // not a plain send
    if (op.first == 0) continue;    // taken out before
    if (op.list == list) {
      found = true;
    } else {
      ++left;
    }
  }
  if (!found) return false;
  // The `add` keeps its message while references need it; sequence 0 says: no place of its own.
  for (StoreOp& op : ops) {
    if (op.list == list) op.first = 0;
  }
  if (left > 0) return true;
  for (StoreOp& op : ops) op.message.reset();
  undurable_bytes_.fetch_sub(batch.bytes, std::memory_order_relaxed);
  batch.cancelled = true;
  if (batch.passing) --passing_;
  batches_cancelled_.fetch_add(1, std::memory_order_relaxed);
  set_cancelled(cancelled_.load(std::memory_order_relaxed) + 1);
  if (pass_cancelled()) {
    raised_ = true;
    unpushed_.store(true, std::memory_order_relaxed);  // the next push tells of it
  }
  return true;
}

/// What was cancelled in the beginning is durable, unless something before it is on its way. True:
/// durable() has grown.
bool PendingQueue::pass_cancelled() {
  const auto& batches = group_.batches;
  std::size_t count = passed();
  if (count == batches.size() || !batches[count].cancelled) return false;
  while (count < batches.size() && batches[count].cancelled) ++count;
  passed_to_ = group_.first_ticket + count - 1;
  if (urgent_to_ <= passed_to_) urgent_to_ = 0;
  forget_passed(count);
  return !sealed_outstanding_ && raise_passed();  // or publish() comes back to it
}

bool PendingQueue::raise_passed() {
  if (!raise_durable(passed_to_)) return false;
  passed_last_ = passed_to_;
  return true;
}

/// Gives up the first `count` batches, of which nothing is left to do.
void PendingQueue::forget_passed(std::size_t count) {
  if (count == group_.batches.size()) {
    group_.clear();
    if (group_.ops.capacity() > kOpsKept) group_ = {};
  } else if (count >= kPassedKept && 2 * count >= group_.batches.size()) {
    drop_front(group_, count);
  } else {
    return;
  }
  set_cancelled(cancelled_.load(std::memory_order_relaxed) - count);
}

void PendingQueue::append_internal(InternalBatch batch) {
  MutexLock lock(mutex_);
  internal_.push_back(std::move(batch));
  resting_ = false;
}

bool PendingQueue::seal(PendingGroup& group) {
  MutexLock lock(mutex_);
  if (group_.empty() || urgent_to_ == 0) return false;
  std::size_t cut = urgent_to_ - group_.first_ticket + 1;
  const auto stays = [](const PendingBatch& batch) { return batch.passing && !batch.cancelled; };
  while (cut < group_.batches.size() && !stays(group_.batches[cut])) ++cut;
  std::swap(group, group_);
  if (group_.ops.capacity() > kOpsKept) group_ = {};
  urgent_to_ = first_patient_ = last_patient_ = 0;
  passing_ = 0;
  set_cancelled(0);
  if (cut < group.batches.size()) leave_behind(group, cut);
  sealed_outstanding_ = true;
  sealed_last_ = group.first_ticket + group.batches.size() - 1;
  return true;
}

/// From batch `cut` on, which is passing, nothing is urgent.
void PendingQueue::leave_behind(PendingGroup& sealed, std::size_t cut) {
  group_.first_ticket = sealed.first_ticket + cut;
  const std::uint32_t first_op = sealed.batches[cut].first_op;
  for (std::size_t i = cut; i < sealed.batches.size(); ++i) {
    PendingBatch& batch = sealed.batches[i];
    batch.first_op -= first_op;
    group_.batches.push_back(batch);
    if (batch.cancelled) {
      set_cancelled(cancelled_.load(std::memory_order_relaxed) + 1);
    } else if (batch.passing) {
      ++passing_;
    }
    if (!batch.patient) continue;
    last_patient_ = sealed.first_ticket + i;
    if (first_patient_ == 0) first_patient_ = last_patient_;
  }
  group_.ops.assign(std::make_move_iterator(sealed.ops.begin() + first_op),
                    std::make_move_iterator(sealed.ops.end()));
  sealed.batches.resize(cut);
  sealed.ops.resize(first_op);
}

std::size_t PendingQueue::passing() const {
  MutexLock lock(mutex_);
  return passing_;
}

bool PendingQueue::sealed_outstanding() {
  MutexLock lock(mutex_);
  return sealed_outstanding_;
}

std::optional<InternalBatch> PendingQueue::take_internal() {
  MutexLock lock(mutex_);
  if (internal_.empty()) return std::nullopt;
  InternalBatch batch = std::move(internal_.front());
  internal_.pop_front();
  return batch;
}

std::optional<Ticket> PendingQueue::take_passed() {
  MutexLock lock(mutex_);
  const std::uint64_t passed = std::exchange(passed_last_, 0);
  if (passed <= sealed_last_) return std::nullopt;
  return Ticket{passed};
}

bool PendingQueue::publish(Ticket ticket, std::uint64_t bytes) {
  MutexLock lock(mutex_);
  undurable_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (core::raw(ticket) >= sealed_last_) sealed_outstanding_ = false;
  bool raised = raise_durable(core::raw(ticket));
  if (!sealed_outstanding_ && raise_passed()) raised = true;
  return raised;
}

bool PendingQueue::rest() {
  MutexLock lock(mutex_);
  if (urgent_to_ != 0 || !internal_.empty()) return false;
  resting_ = true;
  return true;
}

bool PendingQueue::rest_without_internal() {
  MutexLock lock(mutex_);
  resting_ = urgent_to_ == 0;
  return resting_;
}

bool PendingQueue::raise_durable(std::uint64_t ticket) noexcept {
  if (ticket <= durable_.load(std::memory_order_relaxed)) return false;
  durable_.store(ticket, std::memory_order_release);
  return true;
}

}  // namespace pabal::store
