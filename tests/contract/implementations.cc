#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>

#include <gtest/gtest.h>

#include "store/journal_store.h"
#include "store/memory/memory_store.h"
#include "tests/contract/store_under_test.h"

namespace pabal::contract {
namespace {

/// Keeps pages by request and counts the other calls, for waiting on.
class Recorder final : public core::StoreListener {
 public:
  void durable_advanced() noexcept override {
    note([] {});
  }
  void page_loaded(core::Page page) noexcept override {
    note([&] { pages_[page.request] = std::move(page); });
  }
  void space_changed() noexcept override {
    note([&] { ++space_changes_; });
  }
  void failed(core::Error error) noexcept override {
    std::fprintf(stderr, "the store failed: %s\n", error.text.c_str());
    std::abort();
  }

  core::Page wait_for_page(std::uint64_t request) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return pages_.contains(request); });
    return std::move(pages_.extract(request).mapped());
  }
  void wait_for_space_changes(std::uint64_t times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return space_changes_ >= times; });
  }
  void wait_for_durable(const core::Store& store, core::Ticket ticket) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return store.durable() >= ticket; });
  }

 private:
  template <class Change>
  void note(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, core::Page> pages_;
  std::uint64_t space_changes_ = 0;
};

/// As a broker uses it: durable at once, answers come from the store's thread.
class ThreadedMemory final : public StoreUnderTest {
 public:
  explicit ThreadedMemory(std::uint64_t bytes_limit) : store_({.bytes_max = bytes_limit}) {
    store_.start(recorder_);
  }
  ~ThreadedMemory() override { store_.stop(); }
  core::Store& store() override { return store_; }
  void sync() override { recorder_.wait_for_durable(store_, store_.submitted()); }
  core::Page read(const core::PageRequest& request) override {
    store_.read(request);
    return recorder_.wait_for_page(request.id);
  }
  void reopen() override {
    store_.stop();
    store_.restart();
    store_.start(recorder_);
  }
  void wait_for_space_changed(std::uint64_t times) override {
    recorder_.wait_for_space_changes(times);
  }

 private:
  Recorder recorder_;
  store::MemoryStore store_;
};

/// As the simulator uses it: durable when told, and reopening drops what was not.
class ManualMemory final : public StoreUnderTest {
 public:
  explicit ManualMemory(std::uint64_t bytes_limit)
      : store_({.bytes_max = bytes_limit, .manual_durability = true}) {
    store_.set_listener(&recorder_);
  }
  core::Store& store() override { return store_; }
  void sync() override {
    store_.make_durable(store_.submitted());
    store_.deliver();
  }
  core::Page read(const core::PageRequest& request) override {
    store_.read(request);
    store_.make_durable(request.after);
    store_.deliver();
    return recorder_.wait_for_page(request.id);
  }
  void reopen() override {
    sync();
    store_.restart();
  }
  void wait_for_space_changed(std::uint64_t times) override {
    store_.deliver();
    recorder_.wait_for_space_changes(times);
  }

 private:
  Recorder recorder_;
  store::MemoryStore store_;
};

/// A directory of its own that goes with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = testing::TempDir() + "pabal-contract-XXXXXX";
    PABAL_CHECK(::mkdtemp(pattern.data()) != nullptr, "a temporary directory can be made");
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// As a broker uses it: journal, LevelDB and threads, in small segments.
class Journal : public StoreUnderTest {
 public:
  explicit Journal(std::uint64_t bytes_limit) : bytes_limit_(bytes_limit) { open(); }
  ~Journal() override { store_->close(); }
  core::Store& store() override { return *store_; }
  void sync() override {
    store_->push(store_->submitted(), core::Writer::store, core::kNoTicket);
    recorder_->wait_for_durable(*store_, store_->submitted());
  }
  core::Page read(const core::PageRequest& request) override {
    store_->read(request);
    store_->push(store_->submitted(), core::Writer::store, core::kNoTicket);
    return recorder_->wait_for_page(request.id);
  }
  void reopen() override {
    sync();
    store_->close();
    store_.reset();
    before_open(directory_.path() + "/store");
    open();
  }
  void wait_for_space_changed(std::uint64_t times) override {
    store_->push(store_->submitted(), core::Writer::store, core::kNoTicket);
    recorder_->wait_for_space_changes(times);
  }

 private:
  virtual void before_open(const std::string& /*directory*/) {}
  void open() {
    recorder_ = std::make_unique<Recorder>();
    store::JournalStoreOptions options;
    options.directory = directory_.path() + "/store";
    options.segment_bytes = 4 << 20;
    options.first_segment_bytes = 2 << 20;
    options.ballast_bytes = 64 << 10;
    options.bytes_limit = bytes_limit_;
    options.acknowledgements_wait = std::chrono::milliseconds(5);
    options.passing_wait_max = std::chrono::milliseconds(1);
    auto store = store::JournalStore::open(options, *recorder_);
    PABAL_CHECK(store.has_value(), "the store opens");
    store_ = std::move(*store);
  }

  TemporaryDirectory directory_;
  std::uint64_t bytes_limit_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<store::JournalStore> store_;
};

/// The same, but each start finds no index and builds it again from the journal.
class JournalRebuilt final : public Journal {
 public:
  using Journal::Journal;

 private:
  void before_open(const std::string& directory) override {
    std::filesystem::remove_all(directory + "/index");
  }
};

template <class Kind>
Implementation implementation(std::string name) {
  return {std::move(name), [](std::uint64_t bytes_limit) -> std::unique_ptr<StoreUnderTest> {
            return std::make_unique<Kind>(bytes_limit);
          }};
}

}  // namespace

std::vector<Implementation> implementations() {
  return {
      implementation<ThreadedMemory>("Memory"),
      implementation<ManualMemory>("MemoryManual"),
      implementation<Journal>("Journal"),
      implementation<JournalRebuilt>("JournalRebuilt"),
  };
}

}  // namespace pabal::contract
