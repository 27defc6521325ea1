#include "tests/sim/lying_store.h"

#include "core/schedule.h"

namespace pabal::sim {

using core::StoreOp;
using core::StoreOpKind;

core::RecoveredState LyingStore::recovered() {
  core::RecoveredState state = store_.recovered();
  for (auto& list : state.lists) {
    if (sabotage_ == Sabotage::forget_expiry) list.expiry.clear();
    if (list.description.destination.name.starts_with("moved.")) {
      moved_lists_.insert(list.description.id);
    }
    if (list.description.destination.kind == core::DestinationKind::queue) {
      queues_.insert(list.description.id);
    }
    if (core::is_schedule_list(list.description.destination.name)) {
      schedule_lists_.insert(list.description.id);
    }
    if (list.description.destination.kind == core::DestinationKind::temporary_topic) {
      spill_lists_.insert(list.description.id);
    }
  }
  if (sabotage_ == Sabotage::forget_expiry) {
    for (auto& list : state.lists) list.expiry.clear();
  }
  return state;
}

core::Ticket LyingStore::append(std::span<StoreOp> ops) {
  if (sabotage_ == Sabotage::tear_batches && ops.size() > 1) {
    const auto half = ops.size() / 2;
    // A reference belongs to the message before it: no store takes it alone.
    if (ops[half].kind != StoreOpKind::add_reference) {
      store_.append(ops.first(half));
      return store_.append(ops.subspan(half));
    }
  }
  lie_about_moved(ops);
  for (StoreOp& op : ops) {
    if (op.kind == StoreOpKind::create_list &&
        op.detail->list.destination.name.starts_with("moved.")) {
      moved_lists_.insert(op.list);
    }
    if (op.kind == StoreOpKind::create_list &&
        op.detail->list.destination.kind == core::DestinationKind::queue) {
      queues_.insert(op.list);
    }
    if (op.kind == StoreOpKind::create_list &&
        core::is_schedule_list(op.detail->list.destination.name)) {
      schedule_lists_.insert(op.list);
    }
    if (op.kind == StoreOpKind::create_list &&
        op.detail->list.destination.kind == core::DestinationKind::temporary_topic) {
      spill_lists_.insert(op.list);
    }
    if (sabotage_ == Sabotage::forget_refusals && op.kind == StoreOpKind::count_refusal) {
      op.kind = StoreOpKind::count_delivery;
    }
    if (drops(op)) op = StoreOp{};
  }
  return store_.append(ops);
}

void LyingStore::lie_about_moved(std::span<StoreOp> ops) {
  if (sabotage_ != Sabotage::lose_moved && sabotage_ != Sabotage::keep_moved) return;
  StoreOp* added = nullptr;
  StoreOp* removed = nullptr;
  for (StoreOp& op : ops) {
    if (op.kind == StoreOpKind::add && moved_lists_.contains(op.list)) added = &op;
    if (op.kind == StoreOpKind::acknowledge) removed = &op;
  }
  if (added == nullptr || removed == nullptr || ++seen_ % 4 != 0) return;
  *(sabotage_ == Sabotage::lose_moved ? added : removed) = StoreOp{};
}

void LyingStore::read(const core::PageRequest& request) {
  core::PageRequest asked = request;
  if (sabotage_ == Sabotage::hide_expired && asked.due_by != 0) asked.first = asked.end;
  store_.read(asked);
}

bool LyingStore::drops(const StoreOp& op) {
  const StoreOpKind kind = op.kind;
  switch (sabotage_) {
    case Sabotage::lose_durable:
      return kind == StoreOpKind::add && ++seen_ % 16 == 0;
    case Sabotage::resurrect:
      return kind == StoreOpKind::acknowledge && ++seen_ % 16 == 0;
    case Sabotage::forget_touches:
      return kind == StoreOpKind::touch;
    case Sabotage::forget_counts:
      return kind == StoreOpKind::count_delivery || kind == StoreOpKind::count_refusal;
    case Sabotage::forget_producers:
      return kind == StoreOpKind::put_attachment && !op.detail->key.starts_with("xa/");
    case Sabotage::forget_branches:
      return kind == StoreOpKind::put_attachment && op.detail->key.starts_with("xa/");
    case Sabotage::forget_jobs:
      return kind == StoreOpKind::add && schedule_lists_.contains(op.list) && ++seen_ % 4 == 0;
    case Sabotage::repeat_jobs:
      return kind == StoreOpKind::acknowledge && schedule_lists_.contains(op.list) &&
             ++seen_ % 4 == 0;
    case Sabotage::lose_spilled:
      return kind == StoreOpKind::add && spill_lists_.contains(op.list) && ++seen_ % 4 == 0;
    case Sabotage::keep_spilled:
      return kind == StoreOpKind::delete_list && spill_lists_.contains(op.list);
    case Sabotage::keep_deleted:
      return kind == StoreOpKind::delete_list && queues_.contains(op.list);
    case Sabotage::split_sends:
      return kind == StoreOpKind::add_reference && queues_.contains(op.list) && ++seen_ % 4 == 0;
    case Sabotage::forget_targets:
    case Sabotage::answer_twice:
    case Sabotage::late_takes:
    case Sabotage::lose_moved:
    case Sabotage::keep_moved:
    case Sabotage::hide_browsed:
    case Sabotage::command_all:
    case Sabotage::copy_instead:
    case Sabotage::forget_refusals:
    case Sabotage::forget_expiry:
    case Sabotage::hide_expired:
    case Sabotage::none:
    case Sabotage::lose_early:
    case Sabotage::tear_batches:
    case Sabotage::skip_sync:
    case Sabotage::drop_marks:
    case Sabotage::swap_deliveries:
    case Sabotage::repeat_deliveries:
    case Sabotage::lose_deliveries:
    case Sabotage::invent_counts:
    case Sabotage::commit_instead:
    case Sabotage::forget_selectors:
    case Sabotage::forget_groups:
    case Sabotage::forget_exclusive:
    case Sabotage::forget_identities:
    case Sabotage::come_early:
    case Sabotage::commit_prepared:
    case Sabotage::free_prepared:
      return false;
  }
  return false;
}

}  // namespace pabal::sim
