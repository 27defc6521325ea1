#include "store/index/leveldb_key_value.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/write_batch.h>

namespace pabal::store {
namespace {

using core::Errc;
using core::Error;
using core::Result;

constexpr std::size_t kWriteBufferBytes = 4 << 20;
constexpr std::size_t kCacheBytes = 4 << 20;
constexpr int kFilesOpenMax = 100;

Error to_error(const leveldb::Status& status) {
  const std::string text = status.ToString();
  // LevelDB hands on the operating system's words, not its number.
  const bool full = text.find("No space left") != std::string::npos ||
                    text.find("quota exceeded") != std::string::npos;
  return {full ? Errc::store_full : Errc::store_io, "index: " + text};
}

class LevelDbKeyValue final : public KeyValue {
 public:
  LevelDbKeyValue(std::unique_ptr<leveldb::Cache> cache, leveldb::DB* rows)
      : cache_(std::move(cache)), rows_(rows) {}

  Result<std::optional<std::string>> get(std::string_view key) override {
    std::string value;
    const leveldb::Status status = rows_->Get(read_options(), slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return to_error(status);
    return std::optional(std::move(value));
  }

  Result<void> write(const KeyValueBatch& batch) override {
    leveldb::WriteBatch writes;
    for (const KeyValueBatch::Change& change : batch.changes) {
      if (change.value) {
        writes.Put(change.key, *change.value);
      } else {
        writes.Delete(change.key);
      }
    }
    leveldb::WriteOptions options;
    options.sync = true;
    const leveldb::Status status = rows_->Write(options, &writes);
    if (!status.ok()) return to_error(status);
    return {};
  }

  Result<void> scan(std::string_view from, std::string_view end,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override {
    const std::unique_ptr<leveldb::Iterator> row(rows_->NewIterator(read_options()));
    for (row->Seek(slice(from)); row->Valid(); row->Next()) {
      const std::string_view key(row->key().data(), row->key().size());
      if (key >= end) break;
      if (!visit(key, {row->value().data(), row->value().size()})) break;
    }
    if (!row->status().ok()) return to_error(row->status());
    return {};
  }

 private:
  static leveldb::Slice slice(std::string_view text) { return {text.data(), text.size()}; }
  static leveldb::ReadOptions read_options() {
    leveldb::ReadOptions options;
    options.verify_checksums = true;
    return options;
  }

  std::unique_ptr<leveldb::Cache> cache_;  // outlives the database
  std::unique_ptr<leveldb::DB> rows_;
};

class LevelDbFactory final : public KeyValueFactory {
 public:
  explicit LevelDbFactory(leveldb::Env* env) : env_(env) {}

  Result<std::unique_ptr<KeyValue>> open(const std::string& directory) override {
    std::unique_ptr<leveldb::Cache> cache(leveldb::NewLRUCache(kCacheBytes));
    leveldb::Options options = base_options();
    options.create_if_missing = true;
    options.paranoid_checks = true;
    options.write_buffer_size = kWriteBufferBytes;
    options.max_open_files = kFilesOpenMax;
    options.block_cache = cache.get();
    leveldb::DB* rows = nullptr;
    const leveldb::Status status = leveldb::DB::Open(options, directory, &rows);
    if (!status.ok()) return to_error(status);
    return std::unique_ptr<KeyValue>(new LevelDbKeyValue(std::move(cache), rows));
  }

  Result<void> destroy(const std::string& directory) override {
    const leveldb::Status status = leveldb::DestroyDB(directory, base_options());
    if (!status.ok()) return to_error(status);
    return {};
  }

 private:
  [[nodiscard]] leveldb::Options base_options() const {
    leveldb::Options options;
    if (env_ != nullptr) options.env = env_;
    return options;
  }

  leveldb::Env* env_;
};

}  // namespace

KeyValueFactory& leveldb_factory() {
  static LevelDbFactory factory(nullptr);
  return factory;
}

std::unique_ptr<KeyValueFactory> make_leveldb_factory(leveldb::Env& env) {
  return std::make_unique<LevelDbFactory>(&env);
}

}  // namespace pabal::store
