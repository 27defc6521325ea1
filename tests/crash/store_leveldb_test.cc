// The index in a real LevelDB on a real directory (the journal on a simulated disk): what happens
// to LevelDB's own files.
#include <filesystem>
#include <fstream>

#include <leveldb/env.h>

#include "store/index/leveldb_key_value.h"
#include "tests/crash/store_harness.h"

namespace pabal::store {
namespace {

namespace fs = std::filesystem;
using core::ListId;
using core::Ticket;

constexpr ListId kOrders{1};

/// LevelDB's files, on which writing fails while `full`.
class FullEnv final : public leveldb::EnvWrapper {
 public:
  FullEnv() : leveldb::EnvWrapper(leveldb::Env::Default()) {}

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override {
    if (full) return no_space(name);
    const leveldb::Status status = target()->NewWritableFile(name, file);
    if (status.ok()) *file = new FullFile(*this, name, *file);
    return status;
  }
  leveldb::Status NewAppendableFile(const std::string& name,
                                    leveldb::WritableFile** file) override {
    const leveldb::Status status = target()->NewAppendableFile(name, file);
    if (status.ok()) *file = new FullFile(*this, name, *file);
    return status;
  }

  std::atomic<bool> full{false};
  std::atomic<int> refused{0};

 private:
  leveldb::Status no_space(const std::string& name) {
    ++refused;
    return leveldb::Status::IOError(name, "No space left on device");
  }

  class FullFile final : public leveldb::WritableFile {
   public:
    FullFile(FullEnv& env, std::string name, leveldb::WritableFile* file)
        : env_(env), name_(std::move(name)), file_(file) {}
    leveldb::Status Append(const leveldb::Slice& data) override {
      if (!env_.full) return file_->Append(data);
      // As a disk does it: a part still had room.
      (void)file_->Append(leveldb::Slice(data.data(), data.size() / 2));
      (void)file_->Flush();
      return env_.no_space(name_);
    }
    leveldb::Status Close() override { return file_->Close(); }
    leveldb::Status Flush() override { return file_->Flush(); }
    leveldb::Status Sync() override { return file_->Sync(); }

   private:
    FullEnv& env_;
    const std::string name_;
    const std::unique_ptr<leveldb::WritableFile> file_;
  };
};

/// LevelDB in a directory of the test's, whatever the store thinks that it is called.
class LevelDbElsewhere final : public KeyValueFactory {
 public:
  LevelDbElsewhere(leveldb::Env& env, std::string directory)
      : factory_(make_leveldb_factory(env)), directory_(std::move(directory)) {}
  Result<std::unique_ptr<KeyValue>> open(const std::string&) override {
    return factory_->open(directory_);
  }
  Result<void> destroy(const std::string&) override {
    ++destroyed;
    return factory_->destroy(directory_);
  }

  int destroyed = 0;  ///< how often an index was thrown away

 private:
  std::unique_ptr<KeyValueFactory> factory_;
  std::string directory_;
};

class StoreOnLevelDb : public testing::Test {
 protected:
  StoreOnLevelDb() {
    std::string pattern = testing::TempDir() + "pabal-leveldb-XXXXXX";
    PABAL_CHECK(::mkdtemp(pattern.data()) != nullptr, "a temporary directory can be made");
    root_ = pattern;
    directory_ = root_ / "index";
    index_ = std::make_unique<LevelDbElsewhere>(env_, directory_.string());
    store_ = std::make_unique<StoreHarness>(1);
    store_->options.index = index_.get();
  }
  ~StoreOnLevelDb() override {
    store_.reset();
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  void SetUp() override {
    ASSERT_TRUE(store_->open()) << store_->error;
    store_->create_queue(kOrders);
    store_->settle(true);
    index_->destroyed = 0;
  }
  /// Messages, some consumed, and a flush: one more synced write of LevelDB's.
  void work_and_flush(int messages) {
    for (int i = 0; i < messages; ++i) {
      ASSERT_TRUE(store_->make_room(500)) << store_->core().refusal();
      store_->send(kOrders, 300);
      if (i % 3 == 0)
        store_->acknowledge(kOrders, store_->next(kOrders) - 1, store_->next(kOrders) - 1);
    }
    store_->settle(true);
  }
  void kill() {
    store_->drop();
    store_->files.kill();
  }
  /// LevelDB's newest file with this ending.
  fs::path newest(const std::string& ending) {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(directory_)) {
      if (entry.path().extension() == ending && entry.path() > found) found = entry.path();
    }
    return found;
  }

  fs::path root_;
  fs::path directory_;
  FullEnv env_;
  std::unique_ptr<LevelDbElsewhere> index_;
  std::unique_ptr<StoreHarness> store_;
};

void overwrite(const fs::path& file, std::uint64_t offset, const std::string& bytes) {
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(static_cast<std::streamoff>(offset));
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good());
}

// LevelDB passes over a damaged page of its log without a word: the flush that stood there would be
// missing below P, and with it messages. Every page of the log in turn, zeroed and scrambled.
TEST_F(StoreOnLevelDb, ALostPageInTheIndexsLogLosesNothing) {
  int pages_lost = 0;
  for (int flush = 0; flush < 40; ++flush) work_and_flush(120);
  kill();
  const fs::path kept = root_ / "kept";
  fs::copy(directory_, kept, fs::copy_options::recursive);
  const auto bytes = fs::file_size(newest(".log"));
  ASSERT_GT(bytes, 8U << 10);
  for (std::uint64_t page = 0; page * 4096 < bytes; ++page) {
    for (const char filler : {'\0', '\x5a'}) {
      SCOPED_TRACE("page " + std::to_string(page) + (filler == 0 ? " zeroed" : " scrambled"));
      fs::remove_all(directory_);
      fs::copy(kept, directory_, fs::copy_options::recursive);
      const std::uint64_t count = std::min<std::uint64_t>(4096, bytes - page * 4096);
      overwrite(newest(".log"), page * 4096, std::string(count, filler));
      ASSERT_TRUE(store_->open()) << store_->error;  // which compares with the model
      ++pages_lost;
      kill();
    }
  }
  EXPECT_GT(pages_lost, 4);
  EXPECT_GT(index_->destroyed, 0) << "a hole below P makes it be built again";
}

TEST_F(StoreOnLevelDb, ATornEndOfTheIndexsLogIsReadAgainFromTheJournal) {
  for (int flush = 0; flush < 3; ++flush) work_and_flush(60);
  kill();
  const fs::path log = newest(".log");
  const auto bytes = fs::file_size(log);
  for (std::uint64_t cut = 1; cut < 3000 && cut < bytes; cut += 97) {
    SCOPED_TRACE("without the last " + std::to_string(cut) + " bytes");
    const fs::path kept = root_ / "kept";
    fs::remove_all(kept);
    fs::copy(directory_, kept, fs::copy_options::recursive);
    fs::resize_file(newest(".log"), bytes - cut);
    ASSERT_TRUE(store_->open()) << store_->error;
    kill();
    fs::remove_all(directory_);
    fs::copy(kept, directory_, fs::copy_options::recursive);
  }
}

TEST_F(StoreOnLevelDb, ABadBlockInATableMakesTheIndexBeBuiltAgain) {
  for (int flush = 0; flush < 3; ++flush) work_and_flush(200);
  kill();
  ASSERT_TRUE(store_->open()) << store_->error;  // opening moves the log into a table
  kill();
  const fs::path table = newest(".ldb");
  ASSERT_FALSE(table.empty());
  overwrite(table, 100, std::string(200, '\x5a'));
  const bool opened = store_->open();
  if (!opened) {
    // Found only when a row was read: that start ends, the next one builds the index again.
    EXPECT_FALSE(store_->error.empty());
    store_->files.kill();
    ASSERT_TRUE(store_->open()) << store_->error;
  }
  EXPECT_EQ(index_->destroyed, 1);
}

TEST_F(StoreOnLevelDb, TheIndexDeletedAfterSegmentsWentIsRebuiltEqual) {
  for (int round = 0; round < 4; ++round) {
    for (int flush = 0; flush < 6; ++flush) work_and_flush(150);
    const std::uint64_t next = store_->next(kOrders);
    store_->acknowledge(kOrders, 1 + next / 8, next - next / 8);
    store_->settle(true);
    const std::string before = store_->contents();
    kill();
    fs::remove_all(directory_);
    ASSERT_TRUE(store_->open()) << store_->error;
    EXPECT_EQ(store_->contents(), before);
  }
}

TEST_F(StoreOnLevelDb, NoSpaceInAnIndexAppendAndSpaceAgain) {
  work_and_flush(100);
  env_.full = true;
  store_->files.set_capacity(0);  // neither has the journal's disk any for new files
  // Until the store says no.
  bool refused = false;
  for (int i = 0; i < 5000 && !refused; ++i) {
    refused = !store_->make_room(500);
    if (refused) break;
    store_->send(kOrders, 300);
    store_->settle();
  }
  ASSERT_TRUE(refused);
  EXPECT_GT(env_.refused, 0) << "LevelDB was asked to write";
  EXPECT_NE(store_->core().refusal().find("No space left on device"), std::string::npos)
      << store_->core().refusal();
  EXPECT_TRUE(store_->core().status().full);

  // Consuming goes on: reading back, and acknowledgements that become durable.
  EXPECT_NE(store_->contents().find("entries"), std::string::npos);
  const std::uint64_t next = store_->next(kOrders);
  for (std::uint64_t sequence = 1; sequence < next - 20; ++sequence) {
    const Ticket ticket = store_->acknowledge(kOrders, sequence, sequence);
    store_->settle();
    ASSERT_EQ(store_->core().durable(), ticket);
  }
  EXPECT_TRUE(store_->failures.empty()) << store_->failures[0];
  EXPECT_FALSE(store_->make_room(500));

  // Space again: no restart, and nothing of the failed appends is believed.
  env_.full = false;
  store_->files.set_capacity(~0ULL);
  const int told = store_->space_changes;
  store_->settle();
  EXPECT_GT(store_->space_changes, told);
  ASSERT_TRUE(store_->make_room(500)) << store_->core().refusal();
  work_and_flush(100);
  EXPECT_FALSE(store_->core().status().full);
  kill();
  ASSERT_TRUE(store_->open()) << store_->error;
  EXPECT_EQ(index_->destroyed, 0) << "the index is good, it need not be built again";
}

TEST_F(StoreOnLevelDb, AKillWhileTheIndexHasNoSpaceLosesNothing) {
  work_and_flush(100);
  env_.full = true;
  for (int i = 0; i < 400 && store_->make_room(500); ++i) {
    store_->send(kOrders, 300);
    store_->settle();
  }
  EXPECT_GT(env_.refused, 0);
  kill();
  env_.full = false;
  ASSERT_TRUE(store_->open()) << store_->error;
  work_and_flush(10);
}

}  // namespace
}  // namespace pabal::store
