#include "tests/sim/tap.h"

#include <algorithm>
#include <cstdio>

#include "tests/sim/model.h"

namespace pabal::sim {
namespace {

const char* name_of(core::StoreOpKind kind) {
  switch (kind) {
    case core::StoreOpKind::none:
      return "none";
    case core::StoreOpKind::add:
      return "add";
    case core::StoreOpKind::add_reference:
      return "add_reference";
    case core::StoreOpKind::acknowledge:
      return "acknowledge";
    case core::StoreOpKind::touch:
      return "touch";
    case core::StoreOpKind::count_refusal:
      return "count_refusal";
    case core::StoreOpKind::count_delivery:
      return "count_delivery";
    case core::StoreOpKind::create_list:
      return "create_list";
    case core::StoreOpKind::delete_list:
      return "delete_list";
    case core::StoreOpKind::create_reader:
      return "create_reader";
    case core::StoreOpKind::delete_reader:
      return "delete_reader";
    case core::StoreOpKind::put_attachment:
      return "put_attachment";
    case core::StoreOpKind::delete_attachment:
      return "delete_attachment";
  }
  return "?";
}

}  // namespace

/// The record of a branch goes, or says that it was completed by hand.
std::optional<core::Xid> Tap::branch_ended_by(const core::StoreOp& op) {
  constexpr std::string_view kPrefix = "xa/";
  constexpr std::string_view kFirst = "/000000";
  const bool record = op.kind == core::StoreOpKind::put_attachment ||
                      op.kind == core::StoreOpKind::delete_attachment;
  if (!record || !op.detail->key.starts_with(kPrefix) || !op.detail->key.ends_with(kFirst)) {
    return std::nullopt;
  }
  const bool goes = op.kind == core::StoreOpKind::delete_attachment || op.detail->value[1] != 0;
  if (!goes) return std::nullopt;
  std::string_view text = op.detail->key;
  text.remove_prefix(kPrefix.size());
  text.remove_suffix(kFirst.size());
  const auto xid = core::Xid::parse(text);
  return xid ? std::optional(*xid) : std::nullopt;
}

void Tap::look_at_job(const core::StoreOp& op, JobBatch& batch) {
  if (op.kind == core::StoreOpKind::create_list &&
      core::is_schedule_list(op.detail->list.destination.name)) {
    schedule_lists_.insert(op.list);
  }
  if (!schedule_lists_.contains(op.list)) {
    if (op.kind == core::StoreOpKind::add && op.message->property(core::kScheduledJobId)) {
      batch.copies.push_back(op.message);
    }
    return;
  }
  if (op.kind == core::StoreOpKind::add) {
    batch.added.push_back(job_of({core::raw(op.list), op.first}, *op.message));
  } else if (op.kind == core::StoreOpKind::acknowledge) {
    for (auto sequence = op.first; sequence <= op.last; ++sequence) {
      batch.removed.emplace_back(core::raw(op.list), sequence);
    }
  }
}

void Tap::look_at_queues(const core::StoreOp& op, const core::MessageRef& message,
                         QueueBatch& batch, std::vector<StoredPlace>& placed) {
  if (op.kind == core::StoreOpKind::create_list &&
      op.detail->list.destination.kind == core::DestinationKind::queue) {
    queues_[op.list] = op.detail->list.destination;
  }
  const auto queue = queues_.find(op.list);
  if (queue == queues_.end() || schedule_lists_.contains(op.list)) return;
  if (op.kind == core::StoreOpKind::add || op.kind == core::StoreOpKind::add_reference) {
    batch.added.emplace_back(queue->second, message);
    placed.emplace_back(op.list, op.priority, op.first);
    stored_[placed.back()] = message;
  } else if (op.kind == core::StoreOpKind::acknowledge) {
    for (auto sequence = op.first; sequence <= op.last; ++sequence) {
      const auto at = stored_.find({op.list, op.priority, sequence});
      if (at == stored_.end()) continue;
      batch.removed.emplace_back(queue->second, std::move(at->second));
      stored_.erase(at);
    }
  }
}

core::Ticket Tap::append(std::span<core::StoreOp> ops) {
  JobBatch jobs;
  QueueBatch queues;
  core::MessageRef message;
  std::vector<StoredPlace> placed;
  std::vector<core::Xid> ended;
  for (const core::StoreOp& op : ops) {
    for (const std::uint64_t value :
         {static_cast<std::uint64_t>(op.kind), static_cast<std::uint64_t>(op.priority),
          core::raw(op.list), core::raw(op.reader), op.first, op.last}) {
      mix(value);
    }
    if (op.message) mix(number_of(*op.message));
    look_at_job(op, jobs);
    if (op.message) message = op.message;
    look_at_queues(op, message, queues, placed);
    if (auto xid = branch_ended_by(op)) ended.push_back(std::move(*xid));
    if (!verbose_) continue;
    std::printf("      %s list %llu reader %llu priority %d %llu..%llu%s%s\n", name_of(op.kind),
                static_cast<unsigned long long>(core::raw(op.list)),
                static_cast<unsigned long long>(core::raw(op.reader)), op.priority,
                static_cast<unsigned long long>(op.first), static_cast<unsigned long long>(op.last),
                op.message ? " message " : "",
                op.message ? std::to_string(number_of(*op.message)).c_str() : "");
  }
  // The engine says so of few; here any plain send may be held back.
  const bool plain = std::all_of(ops.begin(), ops.end(), [](const core::StoreOp& op) {
    return op.kind == core::StoreOpKind::add || op.kind == core::StoreOpKind::add_reference;
  });
  if (plain && hash_ % 4 == 0) ops.front().passing = true;
  const core::Ticket ticket = store_.append(ops);
  if (!jobs.added.empty() || !jobs.removed.empty()) {
    jobs.ticket = ticket;
    job_batches_.push_back(std::move(jobs));
  }
  if (!queues.added.empty() || !queues.removed.empty()) {
    queues.ticket = ticket;
    queue_batches_.push_back(std::move(queues));
    if (!placed.empty()) plain_[ticket] = std::move(placed);
  }
  plain_.erase(plain_.begin(), plain_.upper_bound(store_.durable()));
  for (auto& xid : ended) branch_ends_.emplace_back(std::move(xid), ticket);
  if (verbose_) {
    std::printf("      = ticket %llu\n", static_cast<unsigned long long>(core::raw(ticket)));
  }
  return ticket;
}

bool Tap::cancel(core::Ticket ticket, core::ListId list) {
  const bool cancelled = store_.cancel(ticket, list);
  mix(core::raw(ticket) * 2 + (cancelled ? 1 : 0));
  if (const auto sent = plain_.find(ticket); cancelled && sent != plain_.end()) {
    QueueBatch queues;
    queues.ticket = store_.submitted();
    queues.cancelled = true;
    for (const auto& place : sent->second) {
      const auto at = stored_.find(place);
      if (std::get<0>(place) != list || at == stored_.end()) continue;
      queues.removed.emplace_back(queues_.at(list), std::move(at->second));
      stored_.erase(at);
    }
    queue_batches_.push_back(std::move(queues));
  }
  if (verbose_) {
    std::printf("      cancel ticket %llu list %llu: %s\n",
                static_cast<unsigned long long>(core::raw(ticket)),
                static_cast<unsigned long long>(core::raw(list)), cancelled ? "yes" : "no");
  }
  return cancelled;
}

void Tap::read(const core::PageRequest& request) {
  mix(request.first);
  mix(request.end);
  if (verbose_) {
    std::printf("      read list %llu reader %llu priority %d %llu..%llu after %llu\n",
                static_cast<unsigned long long>(core::raw(request.list)),
                static_cast<unsigned long long>(core::raw(request.reader)), request.priority,
                static_cast<unsigned long long>(request.first),
                static_cast<unsigned long long>(request.end),
                static_cast<unsigned long long>(core::raw(request.after)));
  }
  store_.read(request);
}

}  // namespace pabal::sim
