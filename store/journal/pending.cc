#include "store/journal/pending.h"

#include <utility>

namespace pabal::store {

using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

namespace {

constexpr std::size_t kOpsKept = 64 * 1024;  // a group's memory above this is given back

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
  wake = std::exchange(resting_, false);
  return Ticket{ticket};
}

bool PendingQueue::cancel(Ticket ticket, core::ListId list, bool& wake) {
  MutexLock lock(mutex_);
  wake = false;
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
    // Nothing is on its way and nothing is left to write: durable at once. The store thread still
    // passes the group on, to tell those who wait for it.
    raise_durable(submitted_.load(std::memory_order_relaxed));
    wake = std::exchange(resting_, false);
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
  if (group_.empty()) return false;
  std::swap(group, group_);
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

void PendingQueue::publish(Ticket ticket, std::uint64_t bytes) {
  MutexLock lock(mutex_);
  undurable_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  if (core::raw(ticket) >= sealed_last_) sealed_outstanding_ = false;
  raise_durable(core::raw(ticket));
}

bool PendingQueue::rest() {
  MutexLock lock(mutex_);
  if (!group_.empty() || !internal_.empty()) return false;
  resting_ = true;
  return true;
}

void PendingQueue::raise_durable(std::uint64_t ticket) noexcept {
  if (ticket > durable_.load(std::memory_order_relaxed)) {
    durable_.store(ticket, std::memory_order_release);
  }
}

}  // namespace pabal::store
