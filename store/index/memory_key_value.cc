#include "store/index/memory_key_value.h"

#include <utility>
#include <vector>

namespace pabal::store {

using core::Error;
using core::Result;

struct MemoryKeyValueFactory::Disk {
  Mutex mutex;
  std::map<std::string, std::map<std::string, std::string>> maps PABAL_GUARDED_BY(mutex);
  std::optional<Error> failure PABAL_GUARDED_BY(mutex);
  bool takes_effect PABAL_GUARDED_BY(mutex) = false;
  bool opens_fail PABAL_GUARDED_BY(mutex) = false;
};

namespace {

class MemoryKeyValue final : public KeyValue {
 public:
  MemoryKeyValue(MemoryKeyValueFactory::Disk& disk, std::string directory)
      : disk_(disk), directory_(std::move(directory)) {}

  Result<std::optional<std::string>> get(std::string_view key) override {
    MutexLock lock(disk_.mutex);
    const auto& rows = disk_.maps[directory_];
    const auto row = rows.find(std::string(key));
    if (row == rows.end()) return std::optional<std::string>();
    return std::optional(row->second);
  }

  Result<void> write(const KeyValueBatch& batch) override {
    MutexLock lock(disk_.mutex);
    if (broken_)
      return Error{core::Errc::store_io, "the map failed before and must be opened again"};
    broken_ = disk_.failure.has_value();
    if (broken_ && !disk_.takes_effect) return *disk_.failure;
    auto& rows = disk_.maps[directory_];
    for (const KeyValueBatch::Change& change : batch.changes) {
      if (change.value) {
        rows[change.key] = *change.value;
      } else {
        rows.erase(change.key);
      }
    }
    if (broken_) return *disk_.failure;
    return {};
  }

  Result<void> scan(std::string_view from, std::string_view end,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override {
    std::vector<std::pair<std::string, std::string>> found;
    for (std::string at(from);;) {
      // In pieces, so that a visitor that stops early is cheap and none runs under the lock.
      found.clear();
      {
        MutexLock lock(disk_.mutex);
        const auto& rows = disk_.maps[directory_];
        for (auto row = rows.lower_bound(at); row != rows.end() && found.size() < 16; ++row) {
          if (row->first >= end) break;
          found.emplace_back(*row);
        }
      }
      for (const auto& [key, value] : found) {
        if (!visit(key, value)) return {};
      }
      if (found.size() < 16) return {};
      at = found.back().first + '\0';
    }
  }

 private:
  MemoryKeyValueFactory::Disk& disk_;
  const std::string directory_;
  bool broken_ = false;
};

}  // namespace

MemoryKeyValueFactory::MemoryKeyValueFactory() : disk_(std::make_unique<Disk>()) {}
MemoryKeyValueFactory::~MemoryKeyValueFactory() = default;

Result<std::unique_ptr<KeyValue>> MemoryKeyValueFactory::open(const std::string& directory) {
  MutexLock lock(disk_->mutex);
  if (disk_->failure && disk_->opens_fail) return *disk_->failure;
  return std::unique_ptr<KeyValue>(new MemoryKeyValue(*disk_, directory));
}

Result<void> MemoryKeyValueFactory::destroy(const std::string& directory) {
  MutexLock lock(disk_->mutex);
  disk_->maps.erase(directory);
  return {};
}

void MemoryKeyValueFactory::fail(Error error, bool takes_effect, bool opens) {
  MutexLock lock(disk_->mutex);
  disk_->failure = std::move(error);
  disk_->takes_effect = takes_effect;
  disk_->opens_fail = opens;
}

void MemoryKeyValueFactory::heal() {
  MutexLock lock(disk_->mutex);
  disk_->failure.reset();
}

std::map<std::string, std::string>& MemoryKeyValueFactory::rows(const std::string& directory) {
  MutexLock lock(disk_->mutex);
  return disk_->maps[directory];
}

}  // namespace pabal::store
