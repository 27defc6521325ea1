#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "store/annotated_mutex.h"
#include "store/index/key_value.h"

namespace pabal::store {

/// The index's map in memory, for the simulator and for tests: what was written stays as long as
/// this object, through any number of opens ("crashes"), because every write is synced.
class MemoryKeyValueFactory final : public KeyValueFactory {
 public:
  MemoryKeyValueFactory();
  ~MemoryKeyValueFactory() override;

  core::Result<std::unique_ptr<KeyValue>> open(const std::string& directory) override;
  core::Result<void> destroy(const std::string& directory) override;

  /// The next writes (and opens, if `opens`) fail with `error`, until heal(). `takes_effect`: what
  /// is written is there all the same, as after an error that came late.
  void fail(core::Error error, bool takes_effect = false, bool opens = false);
  void heal();
  /// Direct access, to damage rows.
  std::map<std::string, std::string>& rows(const std::string& directory);

  struct Disk;

 private:
  std::unique_ptr<Disk> disk_;
};

}  // namespace pabal::store
