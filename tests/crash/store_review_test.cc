// Single faults and orders of events that random work finds too rarely.
#include <algorithm>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "store/journal/segment_pool.h"
#include "store/journal_store.h"
#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

using core::ListId;

constexpr ListId kOrders{1};

/// Each of the steps in turn, until none has anything to do.
void drive(StoreHarness& store, std::initializer_list<Step> steps) {
  for (bool worked = true; worked && store.running();) {
    worked = false;
    for (const Step step : steps) worked = store.core().step(step) || worked;
  }
}

void open_with_queue(StoreHarness& store) {
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kOrders);
  store.settle();
}

/// Sends until that many more segments were begun.
void send_through_segments(StoreHarness& store, std::uint64_t segments,
                           std::initializer_list<Step> steps) {
  const std::uint64_t bytes = segments * store.options.segment_bytes;
  for (std::uint64_t sent = 0; sent < bytes; sent += 1000) {
    store.send(kOrders, 1000);
    drive(store, steps);
  }
}

TEST(StoreReview, ServesOnAfterAKillAtAnyCallThenLosesPower) {
  std::uint64_t calls = 0;
  {
    StoreHarness store(2);
    open_with_queue(store);
    const std::uint64_t before = store.files.calls();
    send_through_segments(store, 2, {Step::write, Step::sync, Step::apply, Step::prepare});
    calls = store.files.calls() - before;
  }
  for (std::uint64_t call = 1; call <= calls; ++call) {
    SCOPED_TRACE("call " + std::to_string(call) + " of " + std::to_string(calls));
    StoreHarness store(2);
    open_with_queue(store);
    store.files.die_at(call);
    send_through_segments(store, 2, {Step::write, Step::sync, Step::apply, Step::prepare});
    store.recover();
    store.send(kOrders, 100);
    store.settle();
    store.drop();
    store.files.cut_power(SimulatedFileSystem::Unsynced::lost);
    store.recover();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(StoreReview, DoesNotGrowInARestartLoop) {
  StoreHarness store(3);
  ASSERT_TRUE(store.open()) << store.error;
  // Nothing is prepared before the next start.
  for (int round = 0; round < 20; ++round) store.recover();
  EXPECT_LE(store.files.bytes_used(), 3 * store.options.first_segment_bytes);
}

TEST(StoreReview, CheckingLeavesTheRequestForARebuild) {
  StoreHarness store(5);
  open_with_queue(store);
  store.close();
  const std::string request = store.options.directory + "/rebuild-index";
  ASSERT_TRUE(store.files.open(request, OpenMode::create));
  const auto report = check_store(store.options);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_FALSE(report->problems.empty());
  EXPECT_TRUE(store.files.exists(request));
  ASSERT_TRUE(store.open()) << store.error;
  EXPECT_FALSE(store.files.exists(request));
}

/// What was woken.
class Bells final : public Waker {
 public:
  void wake(Step step) noexcept override { rung.push_back(step); }
  [[nodiscard]] bool was_rung(Step step) const {
    return std::find(rung.begin(), rung.end(), step) != rung.end();
  }
  std::vector<Step> rung;
};

TEST(StoreReview, AnswersPagesThatWaitedForTheIndexToBeOpenedAgain) {
  StoreHarness store(8);
  Bells bells;
  auto opened = JournalCore::open(store.options, store, &bells);
  ASSERT_TRUE(opened) << opened.error().text;
  JournalCore& core = **opened;
  std::vector<core::StoreOp> ops(1);
  ops[0].kind = core::StoreOpKind::create_list;
  ops[0].list = kOrders;
  ops[0].detail = std::make_unique<core::StoreOpDetail>();
  ops[0].detail->list = {kOrders, {core::DestinationKind::queue, "orders"}};
  (void)core.append(ops);
  for (const Step step : {Step::write, Step::sync, Step::apply}) EXPECT_TRUE(core.step(step));
  store.memory_index.fail({Errc::store_full, "No space left on device"}, false, true);
  EXPECT_FALSE(core.flush_now());
  EXPECT_FALSE(core.step(Step::flush));  // not even opened again
  core::PageRequest request;
  request.id = 1;
  request.list = kOrders;
  core.read(request);
  EXPECT_FALSE(core.step(Step::page));
  bells.rung.clear();
  store.memory_index.heal();
  EXPECT_TRUE(core.step(Step::flush));
  EXPECT_TRUE(bells.was_rung(Step::page));
  EXPECT_TRUE(core.step(Step::page));
}

std::vector<core::StoreOp> attachment(std::string key, std::size_t bytes) {
  std::vector<core::StoreOp> ops(1);
  ops[0].kind = core::StoreOpKind::put_attachment;
  ops[0].detail = std::make_unique<core::StoreOpDetail>();
  ops[0].detail->key = std::move(key);
  ops[0].detail->value = std::string(bytes, 'v');
  return ops;
}

TEST(StoreReview, WritesWhatFitsThoughTheReclaimersBatchFindsNoRoom) {
  StoreHarness store(16);
  store.options.ballast_bytes = 0;
  Bells bells;
  auto opened = JournalCore::open(store.options, store, &bells);
  ASSERT_TRUE(opened) << opened.error().text;
  JournalCore& core = **opened;
  const auto put = [&](const std::string& key, std::size_t bytes) {
    auto ops = attachment(key, bytes);
    (void)core.append(ops);
    (void)core.push(core.submitted(), core::Writer::store, core::kNoTicket);
    while (core.step(Step::write) || core.step(Step::sync) || core.step(Step::apply)) continue;
  };
  // 20 KB that count in the first segment, then one segment more and no other.
  put("large", 20'000);
  while (core.status().segments < 2) ASSERT_TRUE(core.step(Step::prepare));
  store.files.set_capacity(store.files.bytes_used());
  while (core.status().bytes_written < 75'000) put("another", 1000);
  ASSERT_EQ(core.durable(), core.submitted());
  while (core.step(Step::reclaim)) continue;
  while (core.step(Step::write)) ASSERT_FALSE(core.step(Step::sync)) << "it should not fit";

  bells.rung.clear();
  auto ops = attachment("another", 100);
  const core::Ticket ticket = core.append(ops);
  (void)core.push(core.submitted(), core::Writer::store, core::kNoTicket);
  EXPECT_TRUE(bells.was_rung(Step::write));
  EXPECT_TRUE(core.step(Step::write));
  EXPECT_TRUE(core.step(Step::sync));
  EXPECT_EQ(core.durable(), ticket);
}

/// Tells of each write before it is made, and of each sync of a directory, which it may refuse.
class WatchedFiles final : public FileSystem {
 public:
  explicit WatchedFiles(FileSystem& files) : files_(files) {}

  std::function<void(std::string_view path)> before_write;
  bool directories_fail = false;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    auto file = files_.open(path, mode);
    if (!file) return file.error();
    return std::unique_ptr<File>(new WatchedFile(*this, path, std::move(*file)));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return files_.rename(from, to);
  }
  Result<void> unlink(const std::string& path) override { return files_.unlink(path); }
  Result<void> create_directory(const std::string& path) override {
    return files_.create_directory(path);
  }
  Result<void> sync_directory(const std::string& path) override {
    if (directories_fail) return Error{Errc::store_io, "cannot sync " + path};
    return files_.sync_directory(path);
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    return files_.list(path);
  }
  bool exists(const std::string& path) override { return files_.exists(path); }
  std::uint64_t bytes_under(const std::string& path) override { return files_.bytes_under(path); }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    return files_.lock(path);
  }

 private:
  class WatchedFile final : public File {
   public:
    WatchedFile(WatchedFiles& watch, std::string path, std::unique_ptr<File> file)
        : watch_(watch), path_(std::move(path)), file_(std::move(file)) {}
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
      return file_->read(offset, into);
    }
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
      if (watch_.before_write) watch_.before_write(path_);
      return file_->write(offset, bytes);
    }
    Result<void> sync() override { return file_->sync(); }
    Result<std::uint64_t> size() override { return file_->size(); }

   private:
    WatchedFiles& watch_;
    const std::string path_;
    std::unique_ptr<File> file_;
  };

  FileSystem& files_;
};

/// A store whose first segment is full of messages that were all acknowledged.
void fill_first_segment(StoreHarness& store) {
  ASSERT_TRUE(store.open()) << store.error;
  store.create_queue(kOrders);
  drive(store, {Step::write, Step::sync, Step::apply});
  while (store.core().status().bytes_written + 4000 < store.options.first_segment_bytes - 4096) {
    store.send(kOrders, 1000);
    drive(store, {Step::write, Step::sync});
  }
  store.acknowledge(kOrders, 1, store.next(kOrders) - 1);
  drive(store, {Step::write, Step::sync, Step::apply, Step::prepare});
}

/// As much as makes it go on in the next segment.
void send_and_acknowledge(StoreHarness& store) {
  for (int i = 0; i < 8; ++i) {
    store.send(kOrders, 1000);
    store.acknowledge(kOrders, store.next(kOrders) - 1, store.next(kOrders) - 1);
    drive(store, {Step::write, Step::sync, Step::apply});
  }
}

TEST(StoreReview, ReclaimsNoSegmentBeforeItsClosingMarkIsWritten) {
  StoreHarness store(9);
  WatchedFiles watched(store.files);
  store.options.files = &watched;
  fill_first_segment(store);
  const std::string first = store.options.directory + "/journal/000000000001.segment";
  // The index thread is as quick as it can be.
  int writes = 0;
  watched.before_write = [&](std::string_view path) {
    if (!path.ends_with("/first.new")) return;  // the name under which it was opened
    ++writes;
    while (store.core().step(Step::reclaim)) continue;
  };
  send_and_acknowledge(store);
  EXPECT_GT(writes, 0);
  watched.before_write = nullptr;
  store.settle(true);
  store.settle(true);
  EXPECT_FALSE(store.files.exists(first));
  store.drop();
}

TEST(StoreReview, RemovesASegmentThoughItsDirectoryCouldNotBeSyncedAtFirst) {
  StoreHarness store(10);
  WatchedFiles watched(store.files);
  store.options.files = &watched;
  fill_first_segment(store);
  send_and_acknowledge(store);
  drive(store, {Step::write, Step::sync, Step::apply, Step::reclaim, Step::flush});
  watched.directories_fail = true;
  EXPECT_FALSE(store.core().step(Step::prepare));
  watched.directories_fail = false;
  EXPECT_FALSE(store.files.exists(store.options.directory + "/journal/000000000001.segment"));
  EXPECT_TRUE(store.core().troubled(Step::prepare));
  (void)store.core().step(Step::prepare);
  EXPECT_FALSE(store.core().troubled(Step::prepare));
  store.drop();
}

TEST(StoreReview, RemovesWhatIsNotNeededOneByOneUnlessSpaceIsWanted) {
  StoreHarness store(14);
  open_with_queue(store);
  store.core().allow_removal();
  send_through_segments(store, 8, {Step::write, Step::sync, Step::apply, Step::prepare});
  store.acknowledge(kOrders, 1, store.next(kOrders) - 1);
  const auto settle = [&] {
    drive(store, {Step::write, Step::sync, Step::apply, Step::flush, Step::reclaim, Step::prepare});
  };
  (void)store.core().flush_now();
  settle();
  const std::uint64_t many = store.core().status().segments;
  ASSERT_GE(many, 7U) << "of eight that were used up, not more than one has gone";
  settle();
  EXPECT_EQ(store.core().status().segments, many);
  store.core().allow_removal();
  settle();
  EXPECT_EQ(store.core().status().segments, many - 1);
  // An entry that fits in none of those that are ready.
  ASSERT_NE(store.core().admit(store.options.segment_bytes, core::Purpose::send),
            core::Admission::granted);
  settle();
  EXPECT_LT(store.core().status().segments, many - 2);
  store.drop();
}

TEST(StoreReview, HandsOutNoCondemnedSegment) {
  SimulatedFileSystem files(11);
  JournalStoreOptions options;
  options.segment_bytes = 64 << 10;
  options.ballast_bytes = 0;
  SegmentPool pool(files, "/journal", options);
  const auto first = pool.begin_epoch(1, {});
  ASSERT_TRUE(first) << first.error().text;
  pool.note_written(1, kSegmentHeaderBytes + 100);
  while (pool.prepare_step()) continue;
  ASSERT_TRUE(pool.activate(100));
  pool.note_closed(1);
  EXPECT_TRUE(pool.find(1));
  pool.condemn(1);
  // Whoever got it now would see it be overwritten.
  EXPECT_FALSE(pool.find(1));
}

class Silent final : public core::StoreListener {
 public:
  void durable_advanced() noexcept override {}
  void page_loaded(core::Page) noexcept override {}
  void space_changed() noexcept override {}
  void failed(core::Error error) noexcept override { ADD_FAILURE() << error.text; }
};

/// A megabyte of what is admitted without asking.
void put_attachments(core::Store& store) {
  for (int i = 0; i < 1000; ++i) {
    std::vector<core::StoreOp> ops(1);
    ops[0].kind = core::StoreOpKind::put_attachment;
    ops[0].detail = std::make_unique<core::StoreOpDetail>();
    ops[0].detail->key = "key " + std::to_string(i);
    ops[0].detail->value = std::string(1000, 'v');
    (void)store.append(ops);
  }
  (void)store.push(store.submitted(), core::Writer::store, core::kNoTicket);
}

TEST(StoreReview, ClosesOnAFullDisk) {
  StoreHarness harness(12);
  harness.files.set_capacity(256 << 10);
  Silent listener;
  auto store = JournalStore::open(harness.options, listener);
  ASSERT_TRUE(store) << store.error().text;
  put_attachments(**store);
  (*store)->close();
  EXPECT_LT((*store)->durable(), (*store)->submitted());
}

TEST(StoreReview, ClosesThoughTheIndexCannotBeOpened) {
  StoreHarness harness(14);
  harness.options.unapplied_bytes_max = 64 << 10;
  harness.options.index_flush_journal_bytes = 1;
  Silent listener;
  auto store = JournalStore::open(harness.options, listener);
  ASSERT_TRUE(store) << store.error().text;
  harness.memory_index.fail({Errc::store_full, "No space left on device"}, false, true);
  put_attachments(**store);
  (*store)->close();
}

/// Remembers how small a batch was written.
class MeasuringFactory final : public KeyValueFactory {
 public:
  explicit MeasuringFactory(KeyValueFactory& factory) : factory_(factory) {}
  std::size_t smallest_batch = ~std::size_t{0};

  Result<std::unique_ptr<KeyValue>> open(const std::string& directory) override {
    auto rows = factory_.open(directory);
    if (!rows) return rows.error();
    return std::unique_ptr<KeyValue>(new Rows(*this, std::move(*rows)));
  }
  Result<void> destroy(const std::string& directory) override {
    return factory_.destroy(directory);
  }

 private:
  class Rows final : public KeyValue {
   public:
    Rows(MeasuringFactory& factory, std::unique_ptr<KeyValue> rows)
        : factory_(factory), rows_(std::move(rows)) {}
    Result<std::optional<std::string>> get(std::string_view key) override {
      return rows_->get(key);
    }
    Result<void> write(const KeyValueBatch& batch) override {
      std::size_t bytes = 0;
      for (const auto& change : batch.changes) {
        bytes += change.key.size() + change.value.value_or("").size();
      }
      factory_.smallest_batch = std::min(factory_.smallest_batch, bytes);
      return rows_->write(batch);
    }
    Result<void> scan(
        std::string_view from, std::string_view end,
        const std::function<bool(std::string_view, std::string_view)>& visit) override {
      return rows_->scan(from, end, visit);
    }

   private:
    MeasuringFactory& factory_;
    std::unique_ptr<KeyValue> rows_;
  };
  KeyValueFactory& factory_;
};

TEST(StoreReview, NumbersAllTheFlushesThatAreInTheIndexsLogs) {
  StoreHarness store(15);
  MeasuringFactory measured(store.memory_index);
  store.options.index = &measured;
  open_with_queue(store);
  for (int i = 0; i < 5000; ++i) {
    store.acknowledge(kOrders, 1, 1);  // the smallest change
    for (const Step step : {Step::write, Step::sync, Step::apply, Step::prepare}) {
      (void)store.core().step(step);
    }
    ASSERT_TRUE(store.core().flush_now());
  }
  const auto& rows = store.memory_index.rows(store.options.directory + "/index");
  const auto numbered = static_cast<std::size_t>(
      std::distance(rows.lower_bound(std::string("F")), rows.lower_bound(std::string("G"))));
  constexpr std::size_t kLevelDbLogBytes = 4 << 20;
  EXPECT_GE(numbered * measured.smallest_batch, 2 * kLevelDbLogBytes * 15 / 16);
  store.drop();
}

TEST(StoreReview, BuildsTheIndexAgainWhenAnAttachmentIsBad) {
  StoreHarness store(13);
  open_with_queue(store);
  core::StoreOp op;
  op.kind = core::StoreOpKind::put_attachment;
  op.detail = std::make_unique<core::StoreOpDetail>();
  op.detail->key = "session";
  op.detail->value = "state";
  std::vector<core::StoreOp> ops;
  ops.push_back(std::move(op));
  store.submit(std::move(ops));
  store.close();
  auto& rows = store.memory_index.rows(store.options.directory + "/index");
  const auto row = rows.lower_bound("A");
  ASSERT_TRUE(row != rows.end() && row->first[0] == 'A');
  row->second.resize(row->second.size() - 1);
  store.recover();
}

TEST(StoreReview, StartsOnAFullDisk) {
  StoreHarness store(4);
  store.options.ballast_bytes = 64 << 10;
  open_with_queue(store);
  store.settle(true);  // everything prepared, the ballast too
  store.files.set_capacity(store.files.bytes_used());
  while (store.make_room(1200)) store.send(kOrders, 1000);
  // Acknowledgements go on into what is kept for them, until nothing is ready any more.
  for (std::uint64_t at = 1; at < store.next(kOrders); at += 2) {
    store.acknowledge(kOrders, at, at);
    drive(store, {Step::write, Step::sync, Step::apply});
  }
  store.recover();
}

TEST(StoreReview, TakesNoDamagedSegmentForAnEmptyOne) {
  StoreHarness store(6);
  open_with_queue(store);
  send_through_segments(store, 3, {Step::write, Step::sync, Step::apply, Step::prepare});
  store.close();
  const auto names = store.files.list(store.options.directory + "/journal");
  ASSERT_TRUE(names);
  std::vector<std::string> segments;
  for (const std::string& name : *names) {
    if (name.ends_with(".segment")) segments.push_back(name);
  }
  std::sort(segments.begin(), segments.end());
  store.files.damage(store.options.directory + "/journal/" + segments[1], 4096 + 20);
  ASSERT_TRUE(store.memory_index.destroy(store.options.directory + "/index"));
  auto opened = JournalCore::open(store.options, store, nullptr);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().text.find("damaged store"), std::string::npos) << opened.error().text;
}

TEST(StoreReview, BuildsTheIndexAgainWhenAPageFindsABadBlock) {
  StoreHarness store(7);
  open_with_queue(store);
  send_through_segments(store, 1, {Step::write, Step::sync, Step::apply, Step::prepare});
  store.close();
  auto& rows = store.memory_index.rows(store.options.directory + "/index");
  const auto block = rows.lower_bound("B");
  ASSERT_TRUE(block != rows.end() && block->first[0] == 'B');
  block->second.resize(block->second.size() / 2);

  auto opened = JournalCore::open(store.options, store, nullptr);
  ASSERT_TRUE(opened) << opened.error().text;
  core::PageRequest request;
  request.id = 1;
  request.list = kOrders;
  request.reader = core::kQueueReader;
  request.priority = 4;
  request.first = 1;
  request.end = ~0ULL;
  request.entries_max = 10;
  request.bytes_max = ~0ULL;
  (*opened)->read(request);
  (void)(*opened)->step(Step::page);
  EXPECT_TRUE((*opened)->failed());
  EXPECT_EQ(store.failures.size(), 1U);
  opened->reset();
  store.recover();
}

}  // namespace
}  // namespace pabal::store
