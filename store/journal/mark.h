#pragma once

#include <memory>
#include <optional>
#include <string>

#include "store/file_system.h"
#include "store/journal/format.h"

namespace pabal::store {

/// The file that says up to where the journal was synced, written (not synced) after each sync of
/// the journal: below it a bad entry is damage, above it a torn tail. Two slots in turn, so that a
/// torn write leaves the other. Home: the store thread.
class SyncMark {
 public:
  /// What the file says; nullopt: no file, or no whole slot.
  static Result<std::optional<LogPosition>> read(FileSystem& files, const std::string& path);
  /// Starts a new file that says `position`, durable on return.
  static Result<std::unique_ptr<SyncMark>> create(FileSystem& files, const std::string& path,
                                                  const LogPosition& position);

  Result<void> advance(const LogPosition& position);

 private:
  explicit SyncMark(std::unique_ptr<File> file) : file_(std::move(file)) {}

  std::unique_ptr<File> file_;
  std::uint64_t turn_ = 0;
};

}  // namespace pabal::store
