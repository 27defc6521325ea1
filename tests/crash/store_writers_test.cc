// The store with its threads, several that push, and a disk of changing moods. Whoever writes, the
// store's thread or one that pushes: what durable() says is in the files, in order and whole; who
// waits is told; and after a write or sync that failed nothing is called durable any more.
//
// How it is checked: while all of them work, the disk is copied as a power cut would leave it, a
// fresh store reads the copy, without an index, and what it finds must be what the first k batches
// left, with k not below the durable() of before the copy was made.
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "store/journal_store.h"
#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

using core::Admission;
using core::ListId;
using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;
using core::Writer;

constexpr ListId kOrders{1};
constexpr std::uint8_t kPriority = 4;
constexpr std::chrono::seconds kDeadline{30};  // for what should come at once

enum class Fault : std::uint8_t { none, sync, write, death, full };

struct Mood {
  const char* name;
  std::chrono::milliseconds patience;  ///< zero: nothing that is passing is held back, either
  Fault fault = Fault::none;
  int producers = 3;     ///< one: writes itself whenever it may
  bool limits = false;   ///< storeUsage and all that a producer waits for are small
  bool at_once = false;  ///< closed as soon as the last one has pushed
};

core::MessageRef message(std::uint64_t sequence, std::size_t bytes) {
  std::string body = "message " + std::to_string(sequence) + " ";
  if (body.size() < bytes) body.resize(bytes, static_cast<char>('a' + sequence % 26));
  core::MessageBuilder builder;
  builder.destination_name = "orders";
  builder.persistent = true;
  builder.sequence = sequence;
  builder.body_kind = core::BodyKind::text;
  builder.body = body;
  return *builder.build();
}

/// What a batch of the engine does to the one list.
struct Batch {
  std::vector<std::uint64_t> added;
  std::vector<std::uint64_t> acknowledged;

  void apply(std::set<std::uint64_t>& live) const {
    live.insert(added.begin(), added.end());
    for (const std::uint64_t sequence : acknowledged) live.erase(sequence);
  }
};

/// A fresh reader of a store's files.
class Reader final : public core::StoreListener {
 public:
  void durable_advanced() noexcept override {}
  void page_loaded(core::Page page) noexcept override { page_ = std::move(page); }
  void space_changed() noexcept override {}
  void failed(core::Error failure) noexcept override { error = failure.text; }

  /// What there is in the list; `error` is not empty if it could not be read.
  std::set<std::uint64_t> read(JournalStoreOptions options, SimulatedFileSystem& files) {
    MemoryKeyValueFactory index;
    options.files = &files;
    options.index = &index;
    auto opened = JournalCore::open(options, *this, nullptr);
    if (!opened) {
      error = opened.error().text;
      return {};
    }
    core::PageRequest request;
    request.list = kOrders;
    request.priority = kPriority;
    request.end = ~0ULL;
    request.entries_max = 1'000'000;
    request.bytes_max = ~0ULL;
    (*opened)->read(request);
    while (!page_ && ((*opened)->step(Step::page) || (*opened)->step(Step::apply))) continue;
    std::set<std::uint64_t> found;
    if (!page_ || page_->error) {
      error = page_ ? page_->error->text : "no page";
      return {};
    }
    for (const core::PageEntry& entry : page_->entries) {
      found.insert(entry.sequence);
      const std::string text = "message " + std::to_string(entry.sequence) + " ";
      if (!entry.message->body().starts_with(text)) error = "another body in place of " + text;
    }
    return found;
  }

  std::string error;

 private:
  std::optional<core::Page> page_;
};

/// The store, what uses it, and what is known of both. The engine's door is `door_`, and who waits
/// looks again only when he is told something, as the loops do.
class Works final : public core::StoreListener {
 public:
  Works(const Mood& mood, std::uint64_t seed) : mood_(mood), files_(seed), seed_(seed) {
    options_.directory = "/store";
    options_.files = &files_;
    options_.index = &index_;
    options_.segment_bytes = 64 << 10;
    options_.first_segment_bytes = 32 << 10;
    options_.ballast_bytes = 64 << 10;
    options_.group_bytes_max = 16 << 10;
    options_.index_flush_journal_bytes = 96 << 10;
    options_.index_memory_bytes_max = 64 << 10;
    options_.acknowledgements_wait = mood.patience;
    if (patient()) options_.passing_wait_max = std::chrono::microseconds(300);
    if (mood.limits) {
      options_.bytes_limit = 100'000;
      options_.undurable_bytes_max = 20'000;
      options_.unapplied_bytes_max = 64 << 10;
    }
    files_.on_access([this](const std::string& path, bool sync) { pace(path, sync); });
  }
  ~Works() override {
    if (store_) store_->close();
  }

  void run();

  /// Syncs of the journal by those who push, and by the store's thread.
  std::uint64_t synced_here() const { return synced_here_.load(); }
  std::uint64_t synced_there() const { return synced_there_.load(); }
  int checks = 0;
  /// What was consumed while it was held back.
  std::uint64_t passed() const { return passed_; }

  void durable_advanced() noexcept override {
    tell([] {});
  }
  void page_loaded(core::Page page) noexcept override {
    tell([&] { pages_[page.request] = std::move(page); });
  }
  void space_changed() noexcept override {
    tell([this] { ++space_; });
  }
  void failed(core::Error /*failure*/) noexcept override {
    tell([this] { failed_ = true; });
  }

 private:
  using Random = std::mt19937_64;

  void open();
  void produce(std::uint64_t number);
  void consume(std::uint64_t number);
  void page(std::uint64_t number);
  Ticket work(Random& random, bool& put_off);
  Ticket send(Random& random, std::size_t bytes);
  bool consume_unwritten(Ticket ticket, std::uint64_t sequence);
  void consume_passing(Random& random);
  Ticket transact(Random& random);
  Ticket acknowledge(bool any);
  Ticket touch(Random& random);
  bool admit(std::uint64_t bytes);
  Ticket append(std::vector<StoreOp> ops, Batch batch);
  void push(Random& random, Ticket wanted);
  void check();
  void compare(const std::set<std::uint64_t>& found, Ticket durable);
  void break_disk(Random& random);
  void finish();
  void finish_failed();
  void pace(const std::string& path, bool sync);
  bool patient() const { return mood_.patience.count() != 0; }
  bool over() const { return failed_.load() || stuck_.load(); }

  template <class Change>
  void tell(Change change) {
    {
      const std::lock_guard lock(news_mutex_);
      change();
    }
    news_.notify_all();
  }
  /// Looks when there is news, and only then. False: there was none for too long.
  template <class Condition>
  bool wait(const char* what, Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    std::unique_lock lock(news_mutex_);
    while (!condition() && !over()) {
      if (news_.wait_until(lock, deadline) == std::cv_status::no_timeout) continue;
      stuck_ = true;
      ADD_FAILURE() << "nobody is told: " << what << " (" << (condition() ? "it is" : "it is not")
                    << " the case), seed " << seed_;
    }
    return condition();
  }
  bool wait_durable(Ticket ticket) {
    return wait("durable", [&] { return store_->durable() >= ticket; });
  }

  const Mood mood_;
  SimulatedFileSystem files_;
  MemoryKeyValueFactory index_;
  JournalStoreOptions options_;
  const std::uint64_t seed_;
  std::unique_ptr<JournalStore> store_;

  std::mutex door_;
  std::vector<Batch> batches_;  // by ticket, from 1
  std::set<std::uint64_t> live_;
  std::deque<std::pair<Ticket, std::uint64_t>> passing_;  // with their sequences
  std::uint64_t next_ = 1;
  std::uint64_t requests_ = 0;

  std::mutex news_mutex_;
  std::condition_variable news_;
  std::uint64_t passed_ = 0;
  std::uint64_t space_ = 0;
  std::map<std::uint64_t, core::Page> pages_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> stuck_{false};
  std::atomic<int> producing_{0};
  std::atomic<bool> consumed_{false};

  std::atomic<std::uint64_t> accesses_{0};
  std::atomic<std::uint64_t> synced_here_{0};
  std::atomic<std::uint64_t> synced_there_{0};
};

thread_local bool pushing = false;

/// Quick for the most part; now and then too slow for a loop to write itself, or to have the next
/// segment ready in time.
void Works::pace(const std::string& path, bool sync) {
  const bool journal = path.ends_with(".segment");
  if (!journal && !path.ends_with(".new")) return;
  if (journal && sync) ++(pushing ? synced_here_ : synced_there_);
  Random random(seed_ + ++accesses_);
  const std::uint64_t mood = random() % 400;
  const std::uint64_t slow = journal ? 40 : 100;
  if (mood < slow) std::this_thread::sleep_for(std::chrono::microseconds(random() % (4 * slow)));
  if (mood == 399) std::this_thread::sleep_for(std::chrono::milliseconds(journal ? 1 : 5));
}

void Works::open() {
  auto opened = JournalStore::open(options_, *this);
  ASSERT_TRUE(opened) << opened.error().text;
  store_ = std::move(*opened);
  std::vector<StoreOp> ops(1);
  ops[0].kind = StoreOpKind::create_list;
  ops[0].list = kOrders;
  ops[0].detail = std::make_unique<core::StoreOpDetail>();
  ops[0].detail->list = {kOrders, {core::DestinationKind::queue, "orders"}};
  const Ticket made = append(std::move(ops), {});
  (void)store_->push(made, Writer::store, core::kNoTicket);
  ASSERT_TRUE(wait_durable(made));
}

// --- inside the engine ---------------------------------------------------------------------------

Ticket Works::append(std::vector<StoreOp> ops, Batch batch) {
  const Ticket ticket = store_->append(ops);
  batch.apply(live_);
  batches_.push_back(std::move(batch));
  EXPECT_EQ(core::raw(ticket), batches_.size());
  return ticket;
}

bool Works::admit(std::uint64_t bytes) {
  return store_->admit(bytes) == Admission::granted;
}

StoreOp addition(std::uint64_t sequence, core::MessageRef message) {
  StoreOp op;
  op.kind = StoreOpKind::add;
  op.list = kOrders;
  op.priority = kPriority;
  op.first = sequence;
  op.message = std::move(message);
  return op;
}

StoreOp acknowledgement(std::uint64_t sequence) {
  return StoreHarness::range(StoreOpKind::acknowledge, kOrders, core::kQueueReader, kPriority,
                             sequence, sequence);
}

/// One message, which is consumed at once now and then.
Ticket Works::send(Random& random, std::size_t bytes) {
  auto sent = message(next_, bytes);
  if (!admit(sent->flat().size())) return core::kNoTicket;
  const std::uint64_t sequence = next_++;
  std::vector<StoreOp> ops;
  ops.push_back(addition(sequence, std::move(sent)));
  const bool passing = ops[0].passing = patient() && random() % 4 != 0;
  const Ticket ticket = append(std::move(ops), {{sequence}, {}});
  if (random() % 8 == 0) {
    (void)consume_unwritten(ticket, sequence);
  } else if (passing) {
    passing_.emplace_back(ticket, sequence);
  }
  return ticket;
}

bool Works::consume_unwritten(Ticket ticket, std::uint64_t sequence) {
  if (!live_.contains(sequence) || !store_->cancel(ticket, kOrders)) return false;
  batches_[core::raw(ticket) - 1].added.clear();
  live_.erase(sequence);
  return true;
}

/// What is held back, mostly in the order in which it came.
void Works::consume_passing(Random& random) {
  for (std::uint64_t i = random() % 6; i > 0 && !passing_.empty(); --i) {
    const std::size_t at = random() % 4 == 0 ? random() % passing_.size() : 0;
    const auto [ticket, sequence] = passing_[at];
    passing_.erase(passing_.begin() + static_cast<std::ptrdiff_t>(at));
    if (consume_unwritten(ticket, sequence)) ++passed_;
  }
}

/// Two messages and an acknowledgement, whole or not at all.
Ticket Works::transact(Random& random) {
  auto first = message(next_, 50 + random() % 3000);
  auto second = message(next_ + 1, 50 + random() % 3000);
  const std::uint64_t bytes = first->flat().size();
  if (!admit(bytes)) return core::kNoTicket;
  if (!admit(second->flat().size())) {
    store_->release(bytes);
    return core::kNoTicket;
  }
  Batch batch{{next_, next_ + 1}, {}};
  std::vector<StoreOp> ops;
  ops.push_back(addition(next_, std::move(first)));
  ops.push_back(addition(next_ + 1, std::move(second)));
  next_ += 2;
  if (!live_.empty()) {
    batch.acknowledged.push_back(*live_.begin());
    ops.push_back(acknowledgement(*live_.begin()));
  }
  return append(std::move(ops), std::move(batch));
}

Ticket Works::acknowledge(bool any) {
  if (live_.empty()) return core::kNoTicket;
  auto taken = live_.begin();
  if (any) std::advance(taken, static_cast<std::ptrdiff_t>(live_.size() / 2));
  const std::uint64_t sequence = *taken;
  std::vector<StoreOp> ops;
  ops.push_back(acknowledgement(sequence));
  return append(std::move(ops), {{}, {sequence}});
}

/// What one loop brings into the engine in a turn; the last ticket of it.
Ticket Works::work(Random& random, bool& put_off) {
  Ticket last = core::kNoTicket;
  const std::uint64_t count = 1 + random() % 4;
  for (std::uint64_t i = 0; i < count; ++i) {
    Ticket ticket = core::kNoTicket;
    const std::uint64_t kind = random() % 16;
    if (kind == 0) {
      ticket = transact(random);
    } else if (kind == 1) {
      ticket = send(random, 20'000 + (mood_.limits ? 0 : random() % 60'000));
    } else {
      ticket = send(random, 50 + random() % 3000);
    }
    put_off = ticket == core::kNoTicket;
    if (put_off) return last;
    last = ticket;
  }
  return last;
}

// --- those that push -----------------------------------------------------------------------------

void Works::push(Random& random, Ticket wanted) {
  core::Ticket overdue = core::kNoTicket;
  do {
    const bool here = mood_.producers == 1 || random() % 3 != 0;
    const auto pushed = store_->push(wanted, here ? Writer::caller : Writer::store, overdue);
    if (pushed.raised) tell([] {});
    overdue = pushed.held;
    // Closing writes what is held back, though nobody pushes again.
    if (mood_.at_once && wanted == core::kNoTicket && random() % 4 == 0) return;
    if (overdue != core::kNoTicket) std::this_thread::sleep_for(pushed.wait);
  } while (overdue != core::kNoTicket && !over());
}

void Works::produce(std::uint64_t number) {
  pushing = true;
  Random random(seed_ * 100 + number);
  for (int turn = 0; turn < 250 && !over(); ++turn) {
    bool put_off = false;
    std::uint64_t space = 0;
    {
      const std::lock_guard lock(news_mutex_);
      space = space_;
    }
    Ticket last = core::kNoTicket;
    {
      const std::lock_guard inside(door_);
      last = work(random, put_off);
    }
    const bool waits = random() % 3 != 0;
    push(random, waits ? last : core::kNoTicket);
    if (put_off && files_.dead()) {
      (void)wait_durable(touch(random));
    } else if (put_off) {
      (void)wait("room", [&] { return space_ != space || files_.dead(); });
    } else if (waits) {
      (void)wait_durable(last);
    } else if (random() % 4 == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    }
  }
  --producing_;
}

/// What needs no room: on a disk that has none, or is dead, there is nothing else to write.
Ticket Works::touch(Random& random) {
  Ticket touched = core::kNoTicket;
  {
    const std::lock_guard inside(door_);
    std::vector<StoreOp> ops;
    ops.push_back(
        StoreHarness::range(StoreOpKind::touch, kOrders, core::kQueueReader, kPriority, 0, next_));
    touched = append(std::move(ops), {});
  }
  push(random, touched);
  return touched;
}

/// Acknowledges, mostly without waiting for it.
void Works::consume(std::uint64_t number) {
  pushing = true;
  Random random(seed_ * 100 + number);
  while (!over() && producing_.load() > 0) {
    Ticket last = core::kNoTicket;
    {
      const std::lock_guard inside(door_);
      const std::size_t backlog = mood_.limits ? 0 : 20;
      consume_passing(random);
      for (std::uint64_t i = random() % 6; live_.size() > backlog && i > 0; --i) {
        last = acknowledge(random() % 4 == 0);
      }
    }
    const bool waits = last != core::kNoTicket && random() % 10 == 0;
    push(random, waits ? last : core::kNoTicket);
    if (waits) (void)wait_durable(last);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
  }
}

/// Reads pages, which must show what was submitted before.
void Works::page(std::uint64_t number) {
  pushing = true;
  Random random(seed_ * 100 + number);
  while (!over() && producing_.load() > 0) {
    core::PageRequest request;
    request.list = kOrders;
    request.priority = kPriority;
    request.end = ~0ULL;
    request.entries_max = 100;
    request.bytes_max = 1 << 20;
    std::set<std::uint64_t> gone;
    {
      const std::lock_guard inside(door_);
      request.id = ++requests_;
      request.after = store_->submitted();
      for (std::uint64_t i = 1; i < next_; ++i) {
        if (!live_.contains(i)) gone.insert(gone.end(), i);
      }
      store_->read(request);
    }
    push(random, core::kNoTicket);
    if (!wait("a page", [&] { return pages_.contains(request.id); })) return;
    const std::lock_guard lock(news_mutex_);
    const core::Page page = std::move(pages_[request.id]);
    pages_.erase(request.id);
    EXPECT_FALSE(page.error) << page.error->text << ", seed " << seed_;
    for (const core::PageEntry& entry : page.entries) {
      EXPECT_FALSE(gone.contains(entry.sequence)) << entry.sequence << ", seed " << seed_;
    }
  }
}

// --- checks --------------------------------------------------------------------------------------

void Works::check() {
  const Ticket durable = store_->durable();
  const auto copy = files_.synced_copy();
  Reader reader;
  const auto found = reader.read(options_, *copy);
  EXPECT_EQ(reader.error, "") << "seed " << seed_;
  compare(found, durable);
  ++checks;
}

/// `found` is what the first k batches left, for some k that is not below `durable`.
void Works::compare(const std::set<std::uint64_t>& found, Ticket durable) {
  const std::lock_guard inside(door_);
  std::set<std::uint64_t> live;
  for (std::size_t k = 0;; ++k) {
    if (k >= core::raw(durable) && live == found) return;
    if (k == batches_.size()) break;
    batches_[k].apply(live);
  }
  std::string text;
  live.clear();
  for (std::size_t k = 0; k < core::raw(durable); ++k) batches_[k].apply(live);
  for (const std::uint64_t sequence : live) {
    if (!found.contains(sequence)) text += " -" + std::to_string(sequence);
  }
  for (const std::uint64_t sequence : found) {
    if (!live.contains(sequence)) text += " +" + std::to_string(sequence);
  }
  stuck_ = true;
  ADD_FAILURE() << "the files have what no first k of " << batches_.size()
                << " batches left, k >= " << core::raw(durable) << "; against these:" << text
                << ", seed " << seed_;
}

void Works::break_disk(Random& random) {
  switch (mood_.fault) {
    case Fault::none:
      return;
    case Fault::sync:
      return files_.fail_sync(".segment");
    case Fault::write:
      return files_.fail_write(".segment");
    case Fault::death:
      return files_.die_at(1 + random() % 50);
    case Fault::full:
      // For a while: whoever is refused meanwhile is told when there is space again.
      files_.set_capacity(files_.bytes_used());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      return files_.set_capacity(~0ULL);
  }
}

void Works::run() {
  open();
  if (testing::Test::HasFatalFailure()) return;
  Random random(seed_);
  std::vector<std::thread> threads;
  producing_ = mood_.producers;
  for (int i = 0; i < mood_.producers; ++i) {
    threads.emplace_back([this, i] { produce(static_cast<std::uint64_t>(i)); });
  }
  threads.emplace_back([this] { consume(10); });
  if (mood_.producers > 1) threads.emplace_back([this] { page(11); });
  for (int i = 0; producing_.load() > 0 && !over(); ++i) {
    check();
    if (i == 5) break_disk(random);
    if (files_.dead()) tell([] {});  // who waits for room then waits for nothing
  }
  for (std::thread& thread : threads) thread.join();
  if (stuck_.load()) return;
  failed_.load() ? finish_failed() : finish();
}

void Works::finish() {
  EXPECT_TRUE(mood_.fault == Fault::none || mood_.fault == Fault::full) << "it was not noticed";
  const Ticket submitted = store_->submitted();
  // Nobody pushes any more, and nobody holds an answer.
  if (!mood_.at_once) {
    (void)wait_durable(submitted);
    check();
  }
  store_->close();
  EXPECT_EQ(store_->durable(), submitted) << "seed " << seed_;
  check();
}

void Works::finish_failed() {
  EXPECT_NE(mood_.fault, Fault::none);
  const Ticket durable = store_->durable();
  Random random(seed_);
  for (int i = 0; i < 5; ++i) {
    Ticket sent = core::kNoTicket;
    {
      const std::lock_guard inside(door_);
      std::vector<StoreOp> ops;
      ops.push_back(addition(next_, message(next_, 100)));
      sent = append(std::move(ops), {{next_}, {}});
      ++next_;
    }
    push(random, sent);
  }
  store_->close();
  EXPECT_EQ(store_->durable(), durable) << "seed " << seed_;
  check();
}

class StoreWriters : public testing::TestWithParam<Mood> {};

TEST_P(StoreWriters, WhatIsDurableIsInTheFiles) {
  const char* many = std::getenv("PABAL_CRASH_SEEDS");
  const char* from = std::getenv("PABAL_CRASH_FIRST_SEED");
  const std::uint64_t first = from == nullptr ? 1 : std::strtoull(from, nullptr, 10);
  const std::uint64_t count = many == nullptr ? 2 : std::strtoull(many, nullptr, 10);
  std::uint64_t here = 0;
  std::uint64_t there = 0;
  std::uint64_t passed = 0;
  for (std::uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    Works works(GetParam(), seed);
    works.run();
    here += works.synced_here();
    there += works.synced_there();
    passed += works.passed();
    EXPECT_GT(works.checks, 1);
  }
  if (GetParam().fault == Fault::none) {
    EXPECT_GT(here, 0U) << "those who push must have written";
    EXPECT_GT(there, 0U) << "and the store's thread";
    EXPECT_EQ(passed > 0, GetParam().patience.count() != 0) << "consumed while held back";
  }
  RecordProperty("syncs", std::to_string(here) + " here, " + std::to_string(there) + " there");
}

using std::chrono::milliseconds;
INSTANTIATE_TEST_SUITE_P(
    Moods, StoreWriters,
    testing::Values(Mood{"Patient", milliseconds(5)}, Mood{"Impatient", milliseconds(0)},
                    Mood{"Alone", milliseconds(5), Fault::none, 1},
                    Mood{"AloneImpatient", milliseconds(0), Fault::none, 1},
                    Mood{"AloneWithSmallLimits", milliseconds(2), Fault::none, 1, true},
                    Mood{"SmallLimits", milliseconds(5), Fault::none, 3, true},
                    Mood{"ClosedAtOnce", milliseconds(5), Fault::none, 3, false, true},
                    Mood{"SyncFails", milliseconds(5), Fault::sync},
                    Mood{"SyncFailsAlone", milliseconds(5), Fault::sync, 1},
                    Mood{"WriteFails", milliseconds(5), Fault::write},
                    Mood{"WriteFailsAlone", milliseconds(5), Fault::write, 1},
                    Mood{"Dies", milliseconds(5), Fault::death},
                    Mood{"DiesAlone", milliseconds(5), Fault::death, 1},
                    Mood{"FullForAWhile", milliseconds(5), Fault::full}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace pabal::store
