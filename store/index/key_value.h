#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace pabal::store {

/// Puts and deletes that take effect together.
struct KeyValueBatch {
  struct Change {
    std::string key;
    std::optional<std::string> value;  ///< nullopt: delete
  };
  std::vector<Change> changes;
  std::size_t bytes = 0;

  void put(std::string key, std::string value) {
    bytes += key.size() + value.size() + 16;
    changes.push_back({std::move(key), std::move(value)});
  }
  void remove(std::string key) {
    bytes += key.size() + 16;
    changes.push_back({std::move(key), std::nullopt});
  }
};

/// A small ordered, durable map: what the index needs of LevelDB. get() and scan() may run in
/// several threads at once, also beside write(). Errors: store_io, store_full; after a failed
/// write the object must be closed and opened again.
class KeyValue {
 public:
  virtual ~KeyValue() = default;
  virtual core::Result<std::optional<std::string>> get(std::string_view key) = 0;
  /// Atomic and synced.
  virtual core::Result<void> write(const KeyValueBatch& batch) = 0;
  /// Calls `visit` for each row whose key is at or above `from` and below `end`, in order, until it
  /// answers false.
  virtual core::Result<void> scan(
      std::string_view from, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
};

/// Opens and destroys the one map of a store.
class KeyValueFactory {
 public:
  virtual ~KeyValueFactory() = default;
  virtual core::Result<std::unique_ptr<KeyValue>> open(const std::string& directory) = 0;
  virtual core::Result<void> destroy(const std::string& directory) = 0;
};

/// LevelDB. Lives as long as the process.
KeyValueFactory& leveldb_factory();

}  // namespace pabal::store
