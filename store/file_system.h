#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace pabal::store {

using core::Errc;
using core::Error;
using core::Result;

/// One open file. Reads may be made by several threads at once; everything else by one at a time.
/// Errors: store_full (no space, quota) or store_io, with the operating system's text.
class File {
 public:
  virtual ~File() = default;
  /// Bytes read; fewer than asked for only at the end of the file.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// All of `bytes` or an error; grows the file when needed.
  virtual Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// fdatasync. After an error nobody knows what reached the disk.
  virtual Result<void> sync() = 0;
  virtual Result<std::uint64_t> size() = 0;
};

enum class OpenMode : std::uint8_t {
  read,    ///< must exist
  write,   ///< read and write; must exist
  create,  ///< read and write; made, or emptied if it exists
};

/// Held as long as the object lives.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

/// Everything that the store does to files, so that tests and the simulator can put a disk of their
/// own below it. Any thread.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> unlink(const std::string& path) = 0;
  /// Makes a directory and its parents; fine if it exists.
  virtual Result<void> create_directory(const std::string& path) = 0;
  /// Makes created, renamed and removed names of the directory durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// Names (without path) of the files in a directory, in no order.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
  /// Bytes of all files under `path`.
  [[nodiscard]] virtual std::uint64_t bytes_under(const std::string& path) = 0;
  /// Locks `path` (a file, created if need be, that then holds the pid) against other processes.
  /// Errors: in_use, naming the file and the pid that holds it.
  virtual Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) = 0;
};

/// The operating system's. Lives as long as the process.
FileSystem& posix_file_system();

}  // namespace pabal::store
