#include "store/journal/pending.h"

#include <utility>

namespace pabal::store {

using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

namespace {

constexpr std::size_t kOpsKept = 64 * 1024;  // a group's memory above this is given back

/// So much is worth beginning with before the turn that brings it has ended. Less waits: what is
/// consumed within the turn is never written, and its receipt costs no sync.
constexpr std::uint64_t kBeginBytes = 256 * 1024;

bool is_add(const StoreOp& op) noexcept {
  return op.kind == StoreOpKind::add || op.kind == StoreOpKind::add_reference;
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
  const bool patient = patience_ && ops.size() == 1 && ops[0].kind == StoreOpKind::acknowledge;
  if (!patient) urgent_ = true;
  if (!merge_acknowledgement(ops)) {
    batch.ops = static_cast<std::uint32_t>(ops.size());
    for (StoreOp& op : ops) {
      if (op.kind == StoreOpKind::add) batch.bytes += op.message->flat().size();
      group_.ops.push_back(std::move(op));
    }
    undurable_bytes_.fetch_add(batch.bytes, std::memory_order_relaxed);
  }
  group_.batches.push_back(batch);
  ++live_batches_;
  submitted_.store(ticket, std::memory_order_relaxed);
  unpushed_.store(true, std::memory_order_relaxed);
  wake = resting_ && undurable_bytes_.load(std::memory_order_relaxed) >= kBeginBytes;
  if (wake) resting_ = false;
  return Ticket{ticket};
}

PendingQueue::Pushed PendingQueue::push(Ticket wanted) {
  const std::uint64_t number = core::raw(wanted);
  if (!unpushed_.load(std::memory_order_relaxed) &&
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
    if (number >= group_.first_ticket) urgent_ = true;
    pushed.wake = (urgent_ || !lingering_) && std::exchange(resting_, false);
  }
  pushed.raised = std::exchange(raised_, false);
  return pushed;
}

bool PendingQueue::want(Ticket ticket) {
  MutexLock lock(mutex_);
  if (group_.empty() || core::raw(ticket) < group_.first_ticket) return false;
  urgent_ = true;
  return true;
}

bool PendingQueue::hurry() {
  MutexLock lock(mutex_);
  if (group_.empty()) return false;
  urgent_ = true;
  return true;
}

bool PendingQueue::only_patient() {
  MutexLock lock(mutex_);
  return !group_.empty() && !urgent_;
}

void PendingQueue::set_lingering(bool lingering) {
  MutexLock lock(mutex_);
  lingering_ = lingering;
}

bool PendingQueue::cancel(Ticket ticket, core::ListId list) {
  MutexLock lock(mutex_);
  const std::uint64_t number = core::raw(ticket);
  if (group_.empty() || number < group_.first_ticket ||
      number - group_.first_ticket >= group_.batches.size()) {
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
  batches_cancelled_.fetch_add(1, std::memory_order_relaxed);
  if (--live_batches_ == 0 && !sealed_outstanding_) {
    // Nothing is on its way and nothing is left to write: durable at once.
    passed_last_ = submitted_.load(std::memory_order_relaxed);
    raise_durable(passed_last_);
    raised_ = true;
    group_.clear();
    urgent_ = false;
  }
  return true;
}

void PendingQueue::append_internal(InternalBatch batch) {
  MutexLock lock(mutex_);
  internal_.push_back(std::move(batch));
  resting_ = false;
}

bool PendingQueue::seal(PendingGroup& group) {
  MutexLock lock(mutex_);
  if (group_.empty() || !urgent_) return false;
  std::swap(group, group_);
  urgent_ = false;
  if (group_.ops.capacity() > kOpsKept) group_ = {};
  live_batches_ = 0;
  sealed_outstanding_ = true;
  sealed_last_ = group.first_ticket + group.batches.size() - 1;
  return true;
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

void PendingQueue::publish(Ticket ticket, std::uint64_t bytes) {
  MutexLock lock(mutex_);
  undurable_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (core::raw(ticket) >= sealed_last_) sealed_outstanding_ = false;
  raise_durable(core::raw(ticket));
}

bool PendingQueue::rest() {
  MutexLock lock(mutex_);
  if ((!group_.empty() && urgent_) || !internal_.empty()) return false;
  resting_ = true;
  return true;
}

bool PendingQueue::rest_without_internal() {
  MutexLock lock(mutex_);
  resting_ = group_.empty() || !urgent_;
  return resting_;
}

void PendingQueue::raise_durable(std::uint64_t ticket) noexcept {
  if (ticket > durable_.load(std::memory_order_relaxed)) {
    durable_.store(ticket, std::memory_order_release);
  }
}

}  // namespace pabal::store
