#include "store/memory/memory_store.h"

#include <algorithm>
#include <utility>

namespace pabal::store {

using core::Admission;
using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

MemoryStore::MemoryStore(MemoryStoreOptions options) : options_(options), epoch_(options.epoch) {}

MemoryStore::~MemoryStore() {
  stop();
}

// --- in a broker ---------------------------------------------------------------------------------

void MemoryStore::start(core::StoreListener& listener) {
  PABAL_CHECK(!thread_.joinable(), "it runs already");
  listener_ = &listener;
  {
    MutexLock lock(mutex_);
    stopping_ = false;
  }
  thread_ = std::thread([this] { run(); });
}

void MemoryStore::stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void MemoryStore::run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !has_work()) work_.wait(mutex_);
      if (stopping_) return;
    }
    deliver_next(listener_);
  }
}

bool MemoryStore::has_work() const {
  if (tell_durable_ || tell_space_) return true;
  for (const core::PageRequest& request : requests_) {
    if (core::raw(request.after) <= durable_) return true;
  }
  return false;
}

/// Answers the first read that can be answered already.
std::optional<core::Page> MemoryStore::next_page() {
  for (auto request = requests_.begin(); request != requests_.end(); ++request) {
    if (core::raw(request->after) > durable_) continue;
    core::Page page = readable().read(*request);
    requests_.erase(request);
    return page;
  }
  return std::nullopt;
}

/// Tells the listener one thing, with the lock released; false: nothing to tell.
bool MemoryStore::deliver_next(core::StoreListener* listener) {
  bool durable = false;
  bool space = false;
  std::optional<core::Page> page;
  {
    MutexLock lock(mutex_);
    durable = std::exchange(tell_durable_, false);
    space = !durable && std::exchange(tell_space_, false);
    if (!durable && !space) page = next_page();
    if (!durable && !space && !page) return false;
  }
  if (listener == nullptr) return true;
  if (durable) {
    listener->durable_advanced();
  } else if (space) {
    listener->space_changed();
  } else {
    listener->page_loaded(std::move(*page));
  }
  return true;
}

// --- core::Store ---------------------------------------------------------------------------------

core::RecoveredState MemoryStore::recovered() {
  MutexLock lock(mutex_);
  return state_.recovered();
}

std::uint64_t MemoryStore::epoch() const noexcept {
  MutexLock lock(mutex_);
  return epoch_;
}

std::string MemoryStore::full_reason() const {
  if (admission_ != Admission::granted) return "store full: no room at the moment";
  return "store full: " + std::to_string(state_.bytes_live()) + " of " +
         std::to_string(options_.bytes_max) + " bytes (storeUsage) in use";
}

Admission MemoryStore::admit(std::uint64_t bytes, core::Purpose purpose) {
  MutexLock lock(mutex_);
  in_vain_.clear();
  if (admission_ != Admission::granted) {
    if (granted_first_ == 0) {
      refused_ = true;
      return admission_;
    }
    --granted_first_;
  }
  if (purpose != core::Purpose::move && options_.bytes_max != 0 &&
      state_.bytes_live() + reserved_ + bytes > options_.bytes_max) {
    const std::string limit = std::to_string(options_.bytes_max) + " bytes (storeUsage)";
    if (bytes > options_.bytes_max) {
      in_vain_ =
          "store full: " + std::to_string(bytes) + " bytes are more than the limit of " + limit;
    } else if (purpose == core::Purpose::more && reserved_ + bytes > options_.bytes_max) {
      in_vain_ = "store full: open transactions have " + std::to_string(reserved_) +
                 " of the limit of " + limit + " set aside, and this one asks for " +
                 std::to_string(bytes) + " more";
    }
    if (!in_vain_.empty()) return Admission::refused;
    refused_ = true;
    return Admission::later;
  }
  reserved_ += bytes;
  return Admission::granted;
}

void MemoryStore::release(std::uint64_t bytes) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    reserved_ -= std::min(reserved_, bytes);
    note_space();
    wake = has_work();
  }
  if (wake) work_.notify_one();
}

std::string MemoryStore::refusal() const {
  MutexLock lock(mutex_);
  return in_vain_.empty() ? full_reason() : in_vain_;
}

/// Whoever was refused may try again: room was given back.
void MemoryStore::note_space() {
  if (!refused_ || admission_ != Admission::granted) return;
  if (options_.bytes_max != 0 && state_.bytes_live() + reserved_ >= options_.bytes_max) return;
  refused_ = false;
  tell_space_ = true;
}

Ticket MemoryStore::append(std::span<StoreOp> ops) {
  Ticket ticket{};
  {
    MutexLock lock(mutex_);
    ticket = Ticket{++submitted_};
    if (!ops.empty() && ops.front().passing) ++batches_passing_;
    for (const StoreOp& op : ops) {
      if (op.kind != StoreOpKind::add) continue;
      const std::uint64_t bytes = op.message->flat().size();
      bytes_written_ += bytes;
      reserved_ -= std::min(reserved_, bytes);
    }
    state_.apply(ops);
    note_space();
    if (options_.manual_durability) {
      Batch& batch = pending_.emplace_back();
      batch.ticket = ticket;
      batch.ops.assign(std::make_move_iterator(ops.begin()), std::make_move_iterator(ops.end()));
    } else {
      durable_ = sealed_ = submitted_;
      tell_durable_ = true;
      for (StoreOp& op : ops) op = StoreOp{};
    }
  }
  work_.notify_one();
  return ticket;
}

bool MemoryStore::cancel(Ticket ticket, core::ListId list) {
  MutexLock lock(mutex_);
  if (core::raw(ticket) <= std::max(sealed_, durable_)) return false;
  const auto batch =
      std::lower_bound(pending_.begin(), pending_.end(), ticket,
                       [](const Batch& each, Ticket wanted) { return each.ticket < wanted; });
  if (batch == pending_.end() || batch->ticket != ticket) return false;
  const bool plain_send = std::all_of(batch->ops.begin(), batch->ops.end(), [](const StoreOp& op) {
    return op.kind == StoreOpKind::add || op.kind == StoreOpKind::add_reference ||
           op.kind == StoreOpKind::none;
  });
  if (!plain_send) return false;
  drop_cancelled_reference(*batch, list);
  note_space();
  pass_cancelled();
  return true;
}

void MemoryStore::drop_cancelled_reference(Batch& batch, core::ListId list) {
  core::MessageRef message;  // of the last `add`
  bool carried = false;      // by what is left
  bool any = false;
  for (StoreOp& op : batch.ops) {
    if (op.kind == StoreOpKind::none) continue;
    if (op.kind == StoreOpKind::add) {
      message = op.message;
      carried = false;
    }
    if (op.list == list) {
      state_.release_entry(op.list, op.priority, op.first);
      op = StoreOp{};
      continue;
    }
    // The first that is left of those that refer to a message carries it.
    if (!std::exchange(carried, true)) {
      op.kind = StoreOpKind::add;
      op.message = message;
    }
    any = true;
  }
  if (any) return;
  batch.cancelled = true;
  ++batches_cancelled_;
}

/// A send that was wholly consumed counts as durable once all before it is.
void MemoryStore::pass_cancelled() {
  while (!pending_.empty() && pending_.front().cancelled &&
         core::raw(pending_.front().ticket) == durable_ + 1) {
    durable_ = core::raw(pending_.front().ticket);
    pending_.pop_front();
    tell_durable_ = true;
  }
  sealed_ = std::max(sealed_, durable_);
}

Ticket MemoryStore::submitted() const noexcept {
  MutexLock lock(mutex_);
  return Ticket{submitted_};
}

Ticket MemoryStore::durable() const noexcept {
  MutexLock lock(mutex_);
  return Ticket{durable_};
}

void MemoryStore::read(const core::PageRequest& request) {
  {
    MutexLock lock(mutex_);
    requests_.push_back(request);
  }
  work_.notify_one();
}

core::StoreStatus MemoryStore::status() const {
  MutexLock lock(mutex_);
  core::StoreStatus status;
  status.epoch = epoch_;
  status.bytes_live = state_.bytes_live();
  status.bytes_limit = options_.bytes_max;
  status.bytes_written = bytes_written_;
  status.batches_cancelled = batches_cancelled_;
  status.submitted = Ticket{submitted_};
  status.durable = Ticket{durable_};
  status.full = refused_;
  status.sends_wait = refused_ && admission_ == Admission::granted;
  if (refused_) status.full_reason = full_reason();
  return status;
}

// --- in tests ------------------------------------------------------------------------------------

void MemoryStore::set_listener(core::StoreListener* listener) {
  listener_ = listener;
}

void MemoryStore::deliver_pages() {
  for (;;) {
    std::optional<core::Page> page;
    {
      MutexLock lock(mutex_);
      page = next_page();
    }
    if (!page) return;
    if (listener_ != nullptr) listener_->page_loaded(std::move(*page));
  }
}

void MemoryStore::deliver() {
  while (deliver_next(listener_)) {
  }
}

std::size_t MemoryStore::pages_waiting() const {
  MutexLock lock(mutex_);
  return requests_.size();
}

std::uint64_t MemoryStore::batches_passing() const {
  MutexLock lock(mutex_);
  return batches_passing_;
}

void MemoryStore::seal(Ticket ticket) {
  MutexLock lock(mutex_);
  sealed_ = std::max(sealed_, std::min(core::raw(ticket), submitted_));
}

void MemoryStore::apply_durable(Ticket ticket) {
  while (!pending_.empty() && pending_.front().ticket <= ticket) {
    durable_state_.apply(pending_.front().ops);
    pending_.pop_front();
  }
}

void MemoryStore::make_durable(Ticket ticket) {
  MutexLock lock(mutex_);
  PABAL_CHECK(options_.manual_durability, "only with manual_durability");
  const std::uint64_t to = std::min(core::raw(ticket), submitted_);
  if (to <= durable_) return;
  apply_durable(Ticket{to});
  durable_ = to;
  tell_durable_ = true;
  pass_cancelled();
}

void MemoryStore::set_admission(Admission admission, std::uint32_t granted_first) {
  MutexLock lock(mutex_);
  admission_ = admission;
  granted_first_ = granted_first;
  note_space();
}

void MemoryStore::set_bytes_max(std::uint64_t bytes_max) {
  MutexLock lock(mutex_);
  options_.bytes_max = bytes_max;
  note_space();
}

void MemoryStore::restart(Ticket survives) {
  MutexLock lock(mutex_);
  PABAL_CHECK(!thread_.joinable(), "a puppet has no thread");
  if (options_.manual_durability) {
    apply_durable(survives);
    state_ = durable_state_;
  }
  pending_.clear();
  requests_.clear();
  ++epoch_;
  submitted_ = sealed_ = durable_ = reserved_ = 0;
  refused_ = tell_space_ = tell_durable_ = false;
}

}  // namespace pabal::store
