#include "store/journal_core.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <utility>

#include "store/annotated_mutex.h"
#include "store/journal/journal_writer.h"
#include "store/pager.h"
#include "store/reclaimer.h"
#include "store/recovery.h"

namespace pabal::store {

using core::Admission;
using core::Purpose;
using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

namespace {

constexpr std::array kPurposes{Purpose::send, Purpose::move, Purpose::more};

/// What an entry takes beside a send's message bytes: its share of headers and padding, its step.
constexpr std::uint64_t kSendOverhead = 160;

/// When the index thread is woken for what became durable.
constexpr std::size_t kGroupsUnapplied = 64;
constexpr std::uint64_t kBytesUnapplied = 1ULL << 20;

class JournalCoreImpl final : public JournalCore {
 public:
  JournalCoreImpl(const JournalStoreOptions& options, FileSystem& files, KeyValueFactory& factory,
                  core::StoreListener& listener, Waker* waker)
      : options_(options),
        files_(files),
        paths_(options.directory),
        listener_(listener),
        waker_(waker),
        pool_(files, paths_.journal, options),
        index_(factory, paths_.index, options.index_memory_bytes_max),
        pending_({options.acknowledgements_wait.count() > 0, options.passing_wait_max.count() > 0}),
        pager_(index_, pool_),
        reclaimer_(index_, pool_, pending_, options.segment_bytes) {}

  Result<void> start();

  // core::Store
  core::RecoveredState recovered() override { return index_.recovered(); }
  std::uint64_t epoch() const noexcept override { return epoch_; }
  Admission admit(std::uint64_t bytes, Purpose purpose) override;
  void release(std::uint64_t bytes) override;
  std::string refusal() const override;
  Ticket append(std::span<StoreOp> ops) override;
  bool cancel(Ticket ticket, core::ListId list) override { return pending_.cancel(ticket, list); }
  core::Pushed push(Ticket wanted, core::Writer writer, Ticket overdue) override;
  bool want(Ticket wanted, Ticket overdue) override { return pending_.want(wanted, overdue); }
  std::size_t passing() override { return pending_.passing(); }
  bool unfinished() override { return pending_.sealed_outstanding(); }
  Ticket submitted() const noexcept override { return pending_.submitted(); }
  Ticket durable() const noexcept override { return pending_.durable(); }
  void read(const core::PageRequest& request) override;
  core::StoreStatus status() const override;

  // JournalCore
  bool step(Step step) override;
  bool troubled(Step step) const noexcept override;
  void allow_removal() noexcept override { pool_.allow_removal(); }
  bool hurry() override { return pending_.hurry(); }
  bool hurry_patient() override { return pending_.hurry_patient(); }
  bool only_patient() override { return pending_.only_patient(); }
  void set_lingering(bool lingering) override { pending_.set_lingering(lingering); }
  bool failed() const noexcept override { return failed_.load(); }
  Result<void> flush_now() override;
  Result<MapReport> map(const MapLimits& limits) override {
    return map_index(index_,
                     {pool_.numbers(), [this](auto number) { return pool_.find(number); },
                      reclaimer_.given_up()},
                     limits);
  }

 private:
  bool step_write();
  bool step_sync();
  bool step_apply();
  bool step_flush();
  bool step_reclaim();
  bool step_prepare();
  bool step_page();
  void publish(DurableGroup group);
  void fail(const Error& error);
  void fail_index(const Error& error);
  bool reopen_index();
  Result<bool> flush();
  void flush_succeeded();
  bool room_to_reopen();
  void wake(Step step) noexcept {
    if (waker_ != nullptr) waker_->wake(step);
  }
  [[nodiscard]] bool at_limit(std::uint64_t bytes) const;
  [[nodiscard]] std::optional<std::string> waits_in_vain(std::uint64_t bytes,
                                                         Purpose purpose) const;
  struct Judgement {
    Admission admission{};
    std::string reason;
    bool lacks_room = false;  ///< in the segments there are
  };
  [[nodiscard]] Judgement judge(std::uint64_t bytes, Purpose purpose) const;
  std::atomic<std::uint64_t>& put_off(Purpose purpose, Admission told) {
    return put_off_[static_cast<std::size_t>(purpose)][told == Admission::refused ? 1 : 0];
  }
  [[nodiscard]] bool any_put_off() const {
    return std::any_of(put_off_.begin(), put_off_.end(),
                       [](const auto& each) { return each[0].load() + each[1].load() > 0; });
  }
  void want_room(std::uint64_t bytes);
  void use_up(std::uint64_t bytes);
  void tell_space();

  const JournalStoreOptions options_;
  FileSystem& files_;
  const StorePaths paths_;
  core::StoreListener& listener_;
  Waker* const waker_;
  std::unique_ptr<DirectoryLock> lock_;
  SegmentPool pool_;
  Index index_;
  PendingQueue pending_;
  std::unique_ptr<JournalWriter> writer_;
  Pager pager_;
  Reclaimer reclaimer_;
  std::uint64_t epoch_ = 0;
  std::atomic<bool> failed_{false};

  // Written inside the engine.
  std::atomic<std::uint64_t> granted_bytes_{0};
  std::atomic<std::uint64_t> granted_sends_{0};
  std::atomic<bool> reserve_made_{false};

  // Between the engine and the threads.
  std::atomic<bool> asked_{false};  // somebody was told `later` or `refused`
  // The smallest that was put off, by purpose and what it was told; 0: none.
  std::array<std::array<std::atomic<std::uint64_t>, 2>, kPurposes.size()> put_off_{};
  std::atomic<bool> full_{false};
  std::atomic<bool> sends_wait_{false};  // at storeUsage
  mutable Mutex refusal_mutex_;
  std::string flush_refusal_ PABAL_GUARDED_BY(refusal_mutex_);
  std::string refusal_ PABAL_GUARDED_BY(refusal_mutex_);

  // Between the store thread and the index thread.
  Mutex durable_mutex_;
  std::deque<DurableGroup> durable_groups_ PABAL_GUARDED_BY(durable_mutex_);
  std::atomic<std::uint64_t> unapplied_bytes_{0};  // of journal
  std::atomic<std::uint64_t> unapplied_message_bytes_{0};
  std::atomic<bool> write_waits_{false};  // for room, or for the index

  // The store thread's.
  bool written_ = false;
  std::atomic<std::uint64_t> groups_synced_{0};
  std::atomic<std::uint64_t> bytes_written_{0};

  // The index thread's; the ticket is read by the pager.
  std::atomic<std::uint64_t> applied_ticket_{0};
  std::uint64_t applied_internal_ = 0;
  std::uint64_t unflushed_bytes_ = 0;
  std::atomic<bool> flush_fails_{false};
  bool flush_full_ = false;  // the last one failed because there is no room
};

// --- start ---------------------------------------------------------------------------------------

Result<void> JournalCoreImpl::start() {
  if (auto made = files_.create_directory(paths_.journal); !made) return made;
  auto lock = files_.lock(paths_.lock);
  if (!lock) return lock.error();
  lock_ = std::move(*lock);
  // On a full disk the index and the first segment need what was set aside; it is made anew later.
  if (files_.exists(paths_.reserve)) {
    if (auto gone = files_.unlink(paths_.reserve); !gone) return gone;
  }
  Recovery recovery(files_, paths_, pool_, index_);
  if (auto done = recovery.run(); !done) return done;
  auto beginning = recovery.begin_epoch();
  if (!beginning) return beginning.error();
  epoch_ = beginning->epoch;
  writer_ = std::make_unique<JournalWriter>(pending_, pool_, std::move(beginning->mark),
                                            std::move(beginning->active), beginning->last,
                                            options_.group_bytes_max);
  return {};
}

// --- inside the engine ---------------------------------------------------------------------------

/// Whether `bytes` more are over storeUsage: acknowledgements make room again.
bool JournalCoreImpl::at_limit(std::uint64_t bytes) const {
  return options_.bytes_limit != 0 && index_.bytes_live() + unapplied_message_bytes_.load() +
                                              pending_.undurable_bytes() + granted_bytes_.load() +
                                              bytes >
                                          options_.bytes_limit;
}

/// Why no acknowledgement could ever make room for it under storeUsage.
std::optional<std::string> JournalCoreImpl::waits_in_vain(std::uint64_t bytes,
                                                          Purpose purpose) const {
  if (options_.bytes_limit == 0 || purpose == Purpose::move) return std::nullopt;
  const std::string limit = std::to_string(options_.bytes_limit) + " bytes (storeUsage)";
  if (bytes > options_.bytes_limit) {
    return "store full: " + std::to_string(bytes) + " bytes are more than the limit of " + limit;
  }
  const std::uint64_t aside = granted_bytes_.load();
  if (purpose != Purpose::more || aside + bytes <= options_.bytes_limit) return std::nullopt;
  return "store full: open transactions have " + std::to_string(aside) + " of the limit of " +
         limit + " set aside, and this one asks for " + std::to_string(bytes) + " more";
}

/// What admit() would say now, with the reason; changes nothing.
JournalCoreImpl::Judgement JournalCoreImpl::judge(std::uint64_t bytes, Purpose purpose) const {
  const std::uint64_t underway = pending_.undurable_bytes() + granted_bytes_.load();
  if (flush_fails_.load()) {
    // What it cannot write gathers in memory and lengthens the next start.
    MutexLock lock(refusal_mutex_);
    return {Admission::refused, flush_refusal_};
  }
  if (purpose != Purpose::move && at_limit(bytes)) {
    return {Admission::later, "store full: the limit of " + std::to_string(options_.bytes_limit) +
                                  " bytes (storeUsage) is reached"};
  }
  // What is only set aside need never be written: waiting for it would be waiting for nothing.
  if (pending_.undurable_bytes() > 0 && underway + bytes > options_.undurable_bytes_max) {
    return {Admission::later, "the store is writing"};
  }
  const std::uint64_t room = pool_.room();
  const std::uint64_t reserve = pool_.reserve();
  // Until the reserve was made for the first time, what there is serves both.
  const std::uint64_t kept = reserve_made_.load() ? reserve : std::min(reserve, room / 2);
  const std::uint64_t needed =
      underway + bytes + kSendOverhead * (granted_sends_.load() + 1) + kept;
  const bool large = bytes > options_.segment_bytes / 4;
  if (needed <= room && (!large || pool_.fits(bytes + kSendOverhead))) {
    return {Admission::granted, {}};
  }
  const auto failure = pool_.failing() ? pool_.failure() : std::nullopt;
  if (failure) return {Admission::refused, "store full: " + failure->text, true};
  return {Admission::later, "room is being made", true};
}

Admission JournalCoreImpl::admit(std::uint64_t bytes, Purpose purpose) {
  if (pool_.room() > 2 * pool_.reserve()) reserve_made_.store(true);
  auto [admission, reason, lacks_room] = judge(bytes, purpose);
  if (admission == Admission::granted) {
    granted_bytes_.fetch_add(bytes);
    granted_sends_.fetch_add(1);
    if (purpose != Purpose::move) full_.store(false);
    return admission;
  }
  auto vain = waits_in_vain(bytes, purpose);
  {
    MutexLock lock(refusal_mutex_);
    refusal_ = vain ? std::move(*vain) : std::move(reason);
  }
  if (vain) return Admission::refused;  // and nobody to be told of anything
  const bool waits = admission == Admission::later && purpose != Purpose::move && at_limit(bytes);
  sends_wait_.store(waits);
  full_.store(waits || admission == Admission::refused);
  if (lacks_room) want_room(bytes);
  // Of those that were told the same, the smallest will find room first; the others ask again then.
  auto& smallest = put_off(purpose, admission);
  if (smallest.load() == 0 || bytes < smallest.load()) smallest.store(bytes);
  asked_.store(true);
  wake(Step::prepare);
  if (waits) wake(Step::apply);  // acknowledgements that are durable may make room
  return admission;
}

/// Has the room made that a send lacks: beside all that is set aside, which may stay so for long,
/// and of a large one in one piece.
void JournalCoreImpl::want_room(std::uint64_t bytes) {
  const bool large = bytes > options_.segment_bytes / 4;
  const bool piece = large && pool_.want_piece(bytes + kSendOverhead);
  const std::uint64_t aside =
      granted_bytes_.load() + kSendOverhead * granted_sends_.load() + pool_.reserve();
  if (pool_.want_room(aside + bytes + kSendOverhead) || piece) wake(Step::prepare);
}

/// Takes what was set aside back, as far as there is something.
void JournalCoreImpl::use_up(std::uint64_t bytes) {
  granted_bytes_.store(granted_bytes_.load() - std::min(granted_bytes_.load(), bytes));
  if (granted_sends_.load() > 0) granted_sends_.fetch_sub(1);
}

void JournalCoreImpl::release(std::uint64_t bytes) {
  use_up(bytes);
  if (granted_bytes_.load() == 0) granted_sends_.store(0);
  if (asked_.load()) wake(Step::prepare);  // whose thread then tells
}

std::string JournalCoreImpl::refusal() const {
  MutexLock lock(refusal_mutex_);
  return refusal_;
}

Ticket JournalCoreImpl::append(std::span<StoreOp> ops) {
  for (const StoreOp& op : ops) {
    if (op.kind != StoreOpKind::add) continue;
    use_up(op.message->flat().size());
  }
  bool much = false;
  const Ticket ticket = pending_.append(ops, much);
  if (much) wake(Step::write);
  return ticket;
}

core::Pushed JournalCoreImpl::push(Ticket wanted, core::Writer /*writer*/, Ticket overdue) {
  if (asked_.load()) (void)pending_.hurry();  // acknowledgements make room
  const auto pushed = pending_.push(wanted, overdue);
  if (pushed.wake) wake(Step::write);
  if (pushed.raised) tell_space();
  return {pushed.raised, pushed.held, options_.passing_wait_max};
}

void JournalCoreImpl::read(const core::PageRequest& request) {
  pager_.add(request);
  if (core::raw(request.after) <= applied_ticket_.load()) return wake(Step::page);
  (void)pending_.hurry();
  wake(Step::write);  // what was cancelled to the last batch is passed on by nobody else
  wake(Step::apply);
}

// --- steps ---------------------------------------------------------------------------------------

bool JournalCoreImpl::step(Step step) {
  switch (step) {
    case Step::write:
      return step_write();
    case Step::sync:
      return step_sync();
    case Step::apply:
      return step_apply();
    case Step::flush:
      return step_flush();
    case Step::reclaim:
      return step_reclaim();
    case Step::prepare:
      return step_prepare();
    case Step::page:
      return step_page();
  }
  return false;
}

bool JournalCoreImpl::troubled(Step step) const noexcept {
  if (step == Step::prepare) return pool_.failing();
  if (step == Step::flush) return flush_fails_.load();
  return false;
}

bool JournalCoreImpl::step_write() {
  if (failed() || written_) return false;
  if (unapplied_bytes_.load() > options_.unapplied_bytes_max) {
    write_waits_.store(true);
    // The index may have caught up before it could see that.
    if (unapplied_bytes_.load() > options_.unapplied_bytes_max) return false;
  }
  const auto outcome = writer_->write();
  if (!outcome) {
    fail(outcome.error());
    return false;
  }
  switch (*outcome) {
    case WriteOutcome::nothing:
      if (const auto passed = pending_.take_passed()) {
        DurableGroup group;
        group.last = *passed;
        publish(std::move(group));
        return true;
      }
      return !pending_.rest();
    case WriteOutcome::no_room:
      // A segment may have become ready before anybody could see that: once more, then wait.
      if (!write_waits_.exchange(true)) return true;
      wake(Step::prepare);
      return !writer_->has_backlog() && !pending_.rest_without_internal();
    case WriteOutcome::passed:
      publish(writer_->take());
      return true;
    case WriteOutcome::written:
      written_ = true;
      return true;
  }
  return false;
}

bool JournalCoreImpl::step_sync() {
  if (failed() || !written_) return false;
  if (const auto synced = writer_->sync(); !synced) {
    fail(synced.error());
    return false;
  }
  written_ = false;
  groups_synced_.fetch_add(1, std::memory_order_relaxed);
  publish(writer_->take());
  if (const auto marked = writer_->advance_mark(); !marked) {
    fail(marked.error());
    return false;
  }
  return true;
}

void JournalCoreImpl::publish(DurableGroup group) {
  const std::uint64_t bytes = group.has_entry ? group.position.end - group.position.offset : 0;
  const bool told = group.last != core::kNoTicket;
  const Ticket last = group.last;
  const std::uint64_t message_bytes = group.message_bytes;
  unapplied_bytes_.fetch_add(bytes);
  unapplied_message_bytes_.fetch_add(message_bytes);
  bytes_written_.fetch_add(bytes, std::memory_order_relaxed);
  if (told) {
    if (pending_.publish(last, message_bytes)) listener_.durable_advanced();
  }
  bool many = false;
  {
    MutexLock lock(durable_mutex_);
    durable_groups_.push_back(std::move(group));
    many = durable_groups_.size() >= kGroupsUnapplied;
  }
  // The index thread looks by itself now and then; a wake-up per group would cost more than its
  // work.
  if (many || unapplied_bytes_.load() >= kBytesUnapplied || pager_.waiting() || asked_.load()) {
    wake(Step::apply);
  }
  tell_space();
}

bool JournalCoreImpl::step_apply() {
  if (failed() || !index_.usable()) return false;
  DurableGroup group;
  {
    MutexLock lock(durable_mutex_);
    if (!durable_groups_.empty()) {
      group = std::move(durable_groups_.front());
      durable_groups_.pop_front();
    }
  }
  const bool nothing = group.last == core::kNoTicket && !group.has_entry && group.internal == 0;
  if (nothing) {
    const auto worked = index_.work();
    if (!worked) fail_index(worked.error());
    const bool released = worked && *worked;
    if (released) tell_space();  // what a list that was deleted held is released little by little
    return released;
  }
  if (group.has_entry) {
    const auto applied = index_.apply(group.position, group.ops, group.payload_offset);
    if (!applied) {
      fail_index(applied.error());
      return false;
    }
    const std::uint64_t bytes = group.position.end - group.position.offset;
    unflushed_bytes_ += bytes;
    unapplied_bytes_.fetch_sub(bytes);
  }
  unapplied_message_bytes_.fetch_sub(group.message_bytes);
  if (group.internal != 0) applied_internal_ = group.internal;
  if (group.last != core::kNoTicket) applied_ticket_.store(core::raw(group.last));
  if (pager_.waiting()) wake(Step::page);
  if (write_waits_.exchange(false)) wake(Step::write);
  tell_space();
  return true;
}

bool JournalCoreImpl::step_flush() {
  if (failed()) return false;
  if (!index_.usable() && !reopen_index()) return false;
  const bool due = unflushed_bytes_ >= options_.index_flush_journal_bytes || index_.memory_full() ||
                   reclaimer_.wants_flush() || flush_fails_.load();
  if (!due) return false;
  const auto flushed = flush();
  return flushed && *flushed;
}

Result<void> JournalCoreImpl::flush_now() {
  if (failed()) return Error{Errc::store_io, "the store has failed"};
  if (!index_.usable() && !reopen_index()) {
    return Error{Errc::store_io, "the index cannot be opened"};
  }
  if (const auto flushed = flush(); !flushed) return flushed.error();
  return {};
}

/// False: nothing had changed.
Result<bool> JournalCoreImpl::flush() {
  if (flush_fails_.load()) {
    // LevelDB takes no more writes after one that failed, until it is opened again. That needs some
    // room itself, and a closed index answers no reads: so it stays open until there is some.
    if (flush_full_ && !room_to_reopen()) return Error{Errc::store_full, "no room to flush"};
    if (!reopen_index()) return Error{Errc::store_io, "the index cannot be opened"};
  }
  if (!index_.begin_flush()) {
    flush_succeeded();
    return false;
  }
  const auto written = index_.write_flush();
  index_.end_flush(written.has_value());
  if (!written) {
    flush_full_ = written.error().code == Errc::store_full;
    if (flush_full_) pool_.lend_ballast();
    {
      MutexLock lock(refusal_mutex_);
      flush_refusal_ = (flush_full_ ? "store full: " : "store: ") + written.error().text;
    }
    flush_fails_.store(true);
    return written.error();
  }
  flush_succeeded();
  wake(Step::prepare);
  return true;
}

void JournalCoreImpl::flush_succeeded() {
  unflushed_bytes_ = 0;
  if (flush_fails_.exchange(false)) pool_.end_loan();
  flush_full_ = false;
  tell_space();
}

/// Whether the disk takes as many bytes as LevelDB writes at most when it is opened.
bool JournalCoreImpl::room_to_reopen() {
  const std::string path = paths_.journal + "/probe.new";
  bool room = false;
  {
    auto file = files_.open(path, OpenMode::create);
    if (!file) return false;
    const std::vector<std::byte> zeros(1 << 20);
    std::uint64_t written = 0;
    room = true;
    while (room && written < options_.ballast_bytes) {
      const auto bytes = std::min<std::uint64_t>(zeros.size(), options_.ballast_bytes - written);
      room = (*file)->write(written, std::span(zeros).first(bytes)).has_value();
      written += bytes;
    }
    room = room && (*file)->sync().has_value();  // some file systems find out only then
  }
  return files_.unlink(path).has_value() && room;
}

bool JournalCoreImpl::reopen_index() {
  std::optional<IndexUnusable> unusable;
  const auto reopened = index_.reopen(unusable);
  if (unusable) fail_index({Errc::store_io, unusable->reason});
  if (!reopened || unusable) return false;
  if (pager_.waiting()) wake(Step::page);
  return true;
}

bool JournalCoreImpl::step_reclaim() {
  if (failed() || !index_.usable()) return false;
  const auto done = reclaimer_.step(applied_internal_);
  if (!done) {
    fail_index(done.error());
    return false;
  }
  if (*done) {
    wake(Step::write);
    wake(Step::prepare);
  }
  return *done;
}

bool JournalCoreImpl::step_prepare() {
  const bool done = pool_.prepare_step();
  if (done && write_waits_.exchange(false)) wake(Step::write);
  tell_space();
  return done;
}

bool JournalCoreImpl::step_page() {
  if (failed()) return false;
  auto page = pager_.step(Ticket{applied_ticket_.load()});
  if (!page) {
    fail_index(page.error());
    return false;
  }
  if (!*page) return false;
  listener_.page_loaded(std::move(**page));
  return true;
}

// --- trouble and answers -------------------------------------------------------------------------

/// After a failed write or sync of the journal nobody knows what is on the disk: nothing becomes
/// durable any more.
void JournalCoreImpl::fail(const Error& error) {
  if (failed_.exchange(true)) return;
  listener_.failed({error.code, "the journal failed: " + error.text});
}

/// The journal is good; the next start builds the index again.
void JournalCoreImpl::fail_index(const Error& error) {
  if (failed_.exchange(true)) return;
  const auto asked = files_.open(paths_.rebuild, OpenMode::create);
  listener_.failed({error.code, "the index failed (" + error.text +
                                    "); the next start builds it again from the journal" +
                                    (asked ? "" : ", if " + paths_.rebuild + " is made by hand")});
}

/// Tells those who were put off, once the answer would be another.
void JournalCoreImpl::tell_space() {
  if (!asked_.load(std::memory_order_relaxed)) return;
  bool changed = false;
  for (const Purpose purpose : kPurposes) {
    for (const Admission told : {Admission::later, Admission::refused}) {
      std::uint64_t bytes = put_off(purpose, told).load();
      if (bytes == 0) continue;
      const auto [now, reason, lacks_room] = judge(bytes, purpose);
      if (now == told) {
        // What was made for it may have gone to another meanwhile, and nobody else asks again.
        if (lacks_room) want_room(bytes);
        continue;
      }
      changed = put_off(purpose, told).compare_exchange_strong(bytes, 0) || changed;
      // Whoever waited may have gone: then nobody asks again, and the status must not say full.
      if (now == Admission::granted && (purpose != Purpose::move || !sends_wait_.load())) {
        full_.store(false);
      }
    }
  }
  if (!any_put_off()) {
    asked_.store(false);
    if (any_put_off()) asked_.store(true);  // meanwhile
  }
  if (changed) listener_.space_changed();
}

core::StoreStatus JournalCoreImpl::status() const {
  core::StoreStatus status;
  status.epoch = epoch_;
  status.bytes_live = index_.bytes_live() + unapplied_message_bytes_.load();
  status.bytes_on_disk = pool_.bytes_on_disk() + files_.bytes_under(paths_.index);
  status.bytes_limit = options_.bytes_limit;
  status.segments = pool_.segments();
  status.segments_given_up = reclaimer_.given_up().size();
  status.groups_synced = groups_synced_.load();
  status.bytes_written = bytes_written_.load();
  status.batches_cancelled = pending_.batches_cancelled();
  status.batches_passing = pending_.passing();
  status.messages_relocated = reclaimer_.messages_relocated();
  status.submitted = pending_.submitted();
  status.durable = pending_.durable();
  status.full = full_.load();
  status.sends_wait = status.full && sends_wait_.load();
  if (status.full) status.full_reason = refusal();
  return status;
}

}  // namespace

Result<std::unique_ptr<JournalCore>> JournalCore::open(const JournalStoreOptions& options,
                                                       core::StoreListener& listener,
                                                       Waker* waker) {
  JournalStoreOptions checked = options;
  checked.segment_bytes =
      align_up(std::max<std::uint64_t>(checked.segment_bytes, 64 << 10), kPageBytes);
  checked.first_segment_bytes =
      align_up(std::max<std::uint64_t>(checked.first_segment_bytes, 32 << 10), kPageBytes);
  checked.ballast_bytes = align_up(checked.ballast_bytes, kPageBytes);
  if (checked.segment_bytes > kSegmentBytesMax / 4) {
    return Error{Errc::invalid_argument, "segments larger than 512 MB are not possible"};
  }
  FileSystem& files = checked.files != nullptr ? *checked.files : posix_file_system();
  KeyValueFactory& factory = checked.index != nullptr ? *checked.index : leveldb_factory();
  auto core = std::make_unique<JournalCoreImpl>(checked, files, factory, listener, waker);
  if (auto started = core->start(); !started) return started.error();
  return std::unique_ptr<JournalCore>(std::move(core));
}

}  // namespace pabal::store
