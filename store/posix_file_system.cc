#include <cerrno>
#include <cstdio>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "store/file_system.h"

namespace pabal::store {
namespace {

Error system_error(const std::string& what, const std::string& path, int number) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return {full ? Errc::store_full : Errc::store_io,
          what + " " + path + ": " + std::generic_category().message(number)};
}

class PosixFile final : public File {
 public:
  PosixFile(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~PosixFile() override { ::close(descriptor_); }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = ::pread(descriptor_, into.data() + done, into.size() - done,
                                  static_cast<off_t>(offset + done));
      if (got < 0) {
        if (errno == EINTR) continue;
        return failure("cannot read", errno);
      }
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t put = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                   static_cast<off_t>(offset + done));
      if (put < 0) {
        if (errno == EINTR) continue;
        return failure("cannot write", errno);
      }
      // Not an error by the book, but to try again and again would hang whoever waits for this.
      if (put == 0) return failure("cannot write", EIO);
      done += static_cast<std::size_t>(put);
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(descriptor_) != 0) return failure("cannot sync", errno);
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat about {};
    if (::fstat(descriptor_, &about) != 0) return failure("cannot stat", errno);
    return static_cast<std::uint64_t>(about.st_size);
  }

 private:
  /// Segments are renamed after they were opened: the name of now is what helps.
  [[nodiscard]] Error failure(const char* what, int number) const {
    char link[40];
    char path[4096];
    std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor_);
    const ssize_t got = ::readlink(link, path, sizeof(path));
    const bool known = got > 0 && static_cast<std::size_t>(got) < sizeof(path);
    return system_error(what, known ? std::string(path, static_cast<std::size_t>(got)) : path_,
                        number);
  }

  int descriptor_;
  std::string path_;
};

class PosixLock final : public DirectoryLock {
 public:
  explicit PosixLock(int descriptor) : descriptor_(descriptor) {}
  ~PosixLock() override { ::close(descriptor_); }  // which releases the lock

 private:
  int descriptor_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC | (mode == OpenMode::read ? O_RDONLY : O_RDWR);
    if (mode == OpenMode::create) flags |= O_CREAT | O_TRUNC;
    const int descriptor = ::open(path.c_str(), flags, 0640);
    if (descriptor < 0) return system_error("cannot open", path, errno);
    return std::unique_ptr<File>(new PosixFile(descriptor, path));
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return system_error("cannot rename", from, errno);
    return {};
  }

  Result<void> unlink(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return system_error("cannot remove", path, errno);
    return {};
  }

  Result<void> create_directory(const std::string& path) override {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), 0750) == 0) {
        // Its name must last as long as what will be synced in it.
        const std::size_t slash = part.rfind('/');
        const std::string parent = slash == std::string::npos ? "." : part.substr(0, slash + 1);
        if (auto synced = sync_directory(parent); !synced) return synced;
      } else if (errno != EEXIST) {
        return system_error("cannot make the directory", part, errno);
      }
      if (end == std::string::npos) break;
    }
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
      return system_error("cannot make the directory", path, ENOTDIR);
    }
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return system_error("cannot open", path, errno);
    const int failed = ::fsync(descriptor) != 0 ? errno : 0;
    ::close(descriptor);
    if (failed != 0) return system_error("cannot sync", path, failed);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return system_error("cannot list", path, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
    ::closedir(directory);
    return names;
  }

  bool exists(const std::string& path) override { return ::access(path.c_str(), F_OK) == 0; }

  std::uint64_t bytes_under(const std::string& path) override {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return 0;
    if (!S_ISDIR(about.st_mode)) return static_cast<std::uint64_t>(about.st_size);
    const auto names = list(path);
    if (!names) return 0;
    std::uint64_t bytes = 0;
    for (const std::string& name : *names) bytes += bytes_under(path + "/" + name);
    return bytes;
  }

  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0) return system_error("cannot open", path, errno);
    char text[32] = {};
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int number = errno;
      const ssize_t got = ::pread(descriptor, text, sizeof(text) - 1, 0);
      ::close(descriptor);
      if (number != EWOULDBLOCK) return system_error("cannot lock", path, number);
      std::string holder(text, got > 0 ? static_cast<std::size_t>(got) : 0);
      while (!holder.empty() && holder.back() == '\n') holder.pop_back();
      return Error{Errc::in_use, "the store is in use by another process (pid " + holder +
                                     " holds " + path + ")"};
    }
    const int length = std::snprintf(text, sizeof(text), "%ld\n", static_cast<long>(::getpid()));
    // A pid that could not be written only makes somebody else's refusal less clear.
    if (::ftruncate(descriptor, 0) == 0 &&
        ::pwrite(descriptor, text, static_cast<std::size_t>(length), 0) < 0) {
      errno = 0;
    }
    return std::unique_ptr<DirectoryLock>(new PosixLock(descriptor));
  }
};

}  // namespace

FileSystem& posix_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace pabal::store
