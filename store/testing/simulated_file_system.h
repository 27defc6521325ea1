#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "store/annotated_mutex.h"
#include "store/file_system.h"

namespace pabal::store {

/// Files in memory that behave like a disk below a page cache: what was written and not synced is
/// lost in a power cut, page by page, any subset of it; names are durable when their directory was
/// synced. Faults come when told. Deterministic: the seed decides which pages survive.
class SimulatedFileSystem final : public FileSystem {
 public:
  explicit SimulatedFileSystem(std::uint64_t seed = 1) : random_(seed) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> unlink(const std::string& path) override;
  Result<void> create_directory(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  bool exists(const std::string& path) override;
  std::uint64_t bytes_under(const std::string& path) override;
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;

  /// What happens to unsynced pages and names in a power cut.
  enum class Unsynced : std::uint8_t { lost, random, kept };
  /// The machine stops: open files are dead (every call fails), locks are free, and of what was not
  /// synced some is gone.
  void cut_power(Unsynced unsynced);
  /// The process is killed: open files are dead, locks are free, nothing is lost.
  void kill();

  /// Every write, sync, rename, unlink and sync_directory counts one. From call `number` on
  /// (counted from now, 1 is the next) all of them fail as if the process were gone.
  void die_at(std::uint64_t number);
  [[nodiscard]] bool dead() const;
  [[nodiscard]] std::uint64_t calls() const;
  /// The disk holds no more than so many bytes: writing that grows a file beyond fails, store_full.
  void set_capacity(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t bytes_used() const;
  /// The next sync of a file whose path contains `part` fails; the pages that it should have
  /// written are marked clean all the same: they read well and are lost in the next power cut.
  void fail_sync(std::string part);
  /// The next write to a file whose path contains `part` fails.
  void fail_write(std::string part);
  /// Called before each write and each sync of a file, with its path, by who makes it and under no
  /// lock. Before the files are used.
  void on_access(std::function<void(const std::string& path, bool sync)> pace) {
    pace_ = std::move(pace);
  }
  /// What a power cut would leave now that takes all that was not synced: as a disk of its own.
  [[nodiscard]] std::unique_ptr<SimulatedFileSystem> synced_copy() const;
  /// Flips a bit of a file's durable and visible content.
  void damage(const std::string& path, std::uint64_t offset);

  struct Node;
  struct State;

 private:
  friend class SimulatedFile;

  [[nodiscard]] Result<void> count_call() PABAL_REQUIRES(mutex_);
  Result<void> write(Node& node, std::uint64_t offset, std::span<const std::byte> bytes,
                     std::uint64_t life) PABAL_EXCLUDES(mutex_);
  Result<std::size_t> read(Node& node, std::uint64_t offset, std::span<std::byte> into,
                           std::uint64_t life) PABAL_EXCLUDES(mutex_);
  Result<void> sync(Node& node, std::uint64_t life) PABAL_EXCLUDES(mutex_);
  Result<std::uint64_t> size(Node& node, std::uint64_t life) PABAL_EXCLUDES(mutex_);
  [[nodiscard]] std::uint64_t used() const PABAL_REQUIRES(mutex_);
  void pace(const Node& node, bool sync) PABAL_EXCLUDES(mutex_);

  std::function<void(const std::string& path, bool sync)> pace_;
  mutable Mutex mutex_;
  std::mt19937_64 random_ PABAL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Node>> names_ PABAL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Node>> durable_names_ PABAL_GUARDED_BY(mutex_);
  std::map<std::string, bool> locks_ PABAL_GUARDED_BY(mutex_);
  std::uint64_t life_ PABAL_GUARDED_BY(mutex_) = 1;  // of the process whose files are open
  std::uint64_t calls_ PABAL_GUARDED_BY(mutex_) = 0;
  std::uint64_t die_at_ PABAL_GUARDED_BY(mutex_) = ~0ULL;
  std::uint64_t capacity_ PABAL_GUARDED_BY(mutex_) = ~0ULL;
  std::optional<std::string> fail_sync_ PABAL_GUARDED_BY(mutex_);
  std::optional<std::string> fail_write_ PABAL_GUARDED_BY(mutex_);
};

}  // namespace pabal::store
