// The real store, a step at a time in any order, on a disk that forgets, fills up and fails.

#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/index/memory_key_value.h"
#include "store/journal_core.h"
#include "store/testing/simulated_file_system.h"
#include "store/tools.h"
#include "tests/sim/store_host.h"

namespace pabal::sim {
namespace {

using core::Errc;
using store::JournalCore;
using store::SimulatedFileSystem;
using store::Step;

constexpr std::array kSteps = {Step::write,   Step::sync,    Step::apply, Step::flush,
                               Step::reclaim, Step::prepare, Step::page};
constexpr std::array kStepNames = {"write", "sync", "apply", "flush", "reclaim", "prepare", "page"};
constexpr const char* kDirectory = "/data/store";
constexpr std::uint64_t kNever = 1ULL << 60;

/// The simulated files, but for a sync that does nothing.
class UnsyncedFile final : public store::File {
 public:
  explicit UnsyncedFile(std::unique_ptr<store::File> file) : file_(std::move(file)) {}
  store::Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    return file_->read(offset, into);
  }
  store::Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    return file_->write(offset, bytes);
  }
  store::Result<void> sync() override { return {}; }
  store::Result<std::uint64_t> size() override { return file_->size(); }

 private:
  std::unique_ptr<store::File> file_;
};

class UnsyncedFiles final : public store::FileSystem {
 public:
  explicit UnsyncedFiles(store::FileSystem& files) : files_(files) {}
  store::Result<std::unique_ptr<store::File>> open(const std::string& path,
                                                   store::OpenMode mode) override {
    auto file = files_.open(path, mode);
    if (!file) return file;
    return std::unique_ptr<store::File>(new UnsyncedFile(std::move(*file)));
  }
  store::Result<void> rename(const std::string& from, const std::string& to) override {
    return files_.rename(from, to);
  }
  store::Result<void> unlink(const std::string& path) override { return files_.unlink(path); }
  store::Result<void> create_directory(const std::string& path) override {
    return files_.create_directory(path);
  }
  store::Result<void> sync_directory(const std::string& path) override {
    return files_.sync_directory(path);
  }
  store::Result<std::vector<std::string>> list(const std::string& path) override {
    return files_.list(path);
  }
  bool exists(const std::string& path) override { return files_.exists(path); }
  std::uint64_t bytes_under(const std::string& path) override { return files_.bytes_under(path); }
  store::Result<std::unique_ptr<store::DirectoryLock>> lock(const std::string& path) override {
    return files_.lock(path);
  }

 private:
  store::FileSystem& files_;
};

class JournalHost final : public StoreHost {
 public:
  JournalHost(std::uint64_t bytes_max, std::uint64_t seed, bool skip_sync, bool verbose)
      : random_(seed ^ 0x4A4F55524E414CULL), files_(seed), verbose_(verbose) {
    options_.directory = kDirectory;
    options_.files = skip_sync ? static_cast<store::FileSystem*>(&unsynced_) : &files_;
    options_.index = &index_;
    options_.bytes_limit = bytes_max;
    // Small, so that segments are closed, reclaimed and recycled in every run.
    options_.segment_bytes = random_.one_in(3) ? 128 << 10 : 64 << 10;
    options_.first_segment_bytes = 32 << 10;
    options_.ballast_bytes = random_.one_in(2) ? 16 << 10 : 0;
    options_.group_bytes_max = random_.between(2, 32) << 10;
    options_.index_flush_journal_bytes = random_.between(2, 64) << 10;
    options_.index_memory_bytes_max = random_.between(2, 64) << 10;
    if (random_.one_in(3)) options_.undurable_bytes_max = random_.between(4, 64) << 10;
    if (random_.one_in(3)) options_.unapplied_bytes_max = random_.between(4, 64) << 10;
  }
  ~JournalHost() override { core_.reset(); }

  core::Store* start(core::StoreListener& listener, std::string& why) override {
    may_fail_ = false;
    options_.acknowledgements_wait = std::chrono::milliseconds(random_.below(2));
    options_.passing_wait_max = std::chrono::microseconds(random_.below(2));
    for (auto& weight : weights_) weight = static_cast<unsigned>(1 << random_.below(6));
    for (int deaths = 0;; ++deaths) {
      if (deaths < 3 && random_.one_in(5)) files_.die_at(random_.between(1, 30));
      auto opened = JournalCore::open(options_, listener, nullptr);
      note(opened ? "open" : "cannot open: " + opened.error().text);
      if (files_.dead()) {  // recovering, too, can be cut short
        if (opened) core_ = std::move(*opened);
        random_.one_in(2) ? power_cut(random_) : kill(random_);
        continue;
      }
      files_.die_at(kNever);
      if (opened) {
        core_ = std::move(*opened);
        return core_.get();
      }
      // A disk may be too full to start on; somebody tidies up then.
      if (opened.error().code != Errc::store_full || !full_) {
        why = opened.error().text;
        return nullptr;
      }
      calm();
    }
  }

  void step(Random& random) override {
    if (random.one_in(8)) (void)core_->hurry();
    const std::size_t chosen = random.weighted(weights_);
    for (std::uint64_t times = random.one_in(4) ? random.between(2, 20) : 1; times > 0; --times) {
      if (!perform(chosen)) return;
    }
  }

  bool settle() override {
    int steps = 0;
    for (bool busy = true; busy;) {
      busy = false;
      (void)core_->hurry();
      for (std::size_t each = 0; each < kSteps.size(); ++each) {
        bool worked = false;
        while (perform(each)) {
          worked = true;
          if (++steps > 100'000) return false;
        }
        // What fails is tried again once a second, for ever: that is rest.
        busy = busy || (worked && !core_->troubled(kSteps[each]));
      }
    }
    return true;
  }

  void answer_page() override { (void)core_->step(Step::page); }

  void kill(Random& random) override {
    die(random);
    note("killed");
    core_.reset();
    files_.kill();
    after_death(random);
  }

  void power_cut(Random& random) override {
    die(random);
    core_.reset();
    const auto unsynced = random.one_in(3)   ? SimulatedFileSystem::Unsynced::lost
                          : random.one_in(8) ? SimulatedFileSystem::Unsynced::kept
                                             : SimulatedFileSystem::Unsynced::random;
    note("power cut; unsynced: " + std::to_string(static_cast<int>(unsynced)));
    files_.cut_power(unsynced);
    after_death(random);
  }

  void trouble(Random& random) override {
    const std::uint64_t kind = random.below(8);
    note("trouble " + std::to_string(kind));
    switch (kind) {
      case 0:
      case 1:
      case 2:
        full_ = true;
        files_.set_capacity(files_.bytes_used() + random.below(200'000));
        return;
      case 3:
        return calm();
      case 4:
        may_fail_ = true;
        return files_.fail_sync(random.one_in(3) ? "mark" : "journal");
      case 5:
        may_fail_ = true;
        return files_.fail_write(random.one_in(3) ? "mark" : "journal");
      case 6:
        return index_.fail({Errc::store_full, "No space left on device"});
      default:
        // A write that failed and is there all the same; or an index that cannot be opened.
        may_fail_ = true;
        return index_.fail({Errc::store_io, "Input/output error"}, random.one_in(2),
                           random.one_in(3));
    }
  }

  void calm() override {
    full_ = false;
    files_.set_capacity(~0ULL);
    files_.fail_sync("nothing at all");
    files_.fail_write("nothing at all");
    index_.heal();
  }

  void fill_disk() override {
    (void)settle();
    full_ = true;
    files_.set_capacity(files_.bytes_used());
  }

  std::string stop() override {
    if (!settle()) return "the store never comes to rest";
    if (auto flushed = core_->flush_now(); !flushed) return "no flush: " + flushed.error().text;
    core_.reset();
    auto report = store::check_store(options_);
    if (!report) return "cannot check the store: " + report.error().text;
    return report->problems.empty() ? std::string() : "check: " + report->problems.front();
  }

  [[nodiscard]] bool may_fail() const override { return may_fail_; }

 private:
  void note(const std::string& what) const {
    if (verbose_) std::printf("       store: %s\n", what.c_str());
  }
  bool perform(std::size_t step) {
    const bool done = core_->step(kSteps[step]);
    if (done) note(kStepNames[step]);
    return done;
  }

  /// Dying may take a while: the store does a little more, and then a write is cut in the middle.
  void die(Random& random) {
    if (!core_ || !random.one_in(2)) return;
    if (random.one_in(8)) {  // an orderly stop
      (void)settle();
      (void)core_->flush_now();
      return;
    }
    if (!files_.dead()) files_.die_at(random.between(1, 6));
    for (int steps = 0; steps < 30 && !files_.dead(); ++steps) {
      (void)perform(random.below(kSteps.size()));
    }
  }

  void after_death(Random& random) {
    index_.heal();
    // As if the index had been deleted: it must be built again from the journal, and equal.
    if (!random.one_in(8)) return;
    note("the index is deleted");
    (void)index_.destroy(std::string(kDirectory) + "/index");
  }

  Random random_;
  SimulatedFileSystem files_;
  UnsyncedFiles unsynced_{files_};
  store::MemoryKeyValueFactory index_;
  store::JournalStoreOptions options_;
  std::unique_ptr<JournalCore> core_;
  std::vector<unsigned> weights_ = std::vector<unsigned>(kSteps.size(), 1);
  const bool verbose_;
  bool full_ = false;
  bool may_fail_ = false;
};

}  // namespace

std::unique_ptr<StoreHost> make_journal_host(std::uint64_t bytes_max, std::uint64_t seed,
                                             bool skip_sync, bool verbose) {
  return std::make_unique<JournalHost>(bytes_max, seed, skip_sync, verbose);
}

}  // namespace pabal::sim
