// A disk with faults below the real program, for LD_PRELOAD. Files under $PABAL_FAULT_DIRECTORY
// fail while the file $PABAL_FAULT_CONTROL exists; its first word says how:
//
//   full N  what makes a file longer fails with ENOSPC if all of them would have more than N bytes
//           (writing into what a file has does not; deleting one makes room)
//   sync    fdatasync and fsync of the journal's segments fail with EIO
//   write   writing to the journal's segments fails with EIO
//           (sync, write NAME: in threads whose name begins with NAME)
//
// The real functions are those behind this library.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

enum class Fault { none, full, sync, write };

const char* directory() {
  static const char* const path = std::getenv("PABAL_FAULT_DIRECTORY");
  return path;
}

bool is_for_this_thread(const char* text) {
  const char* const space = std::strchr(text, ' ');
  if (space == nullptr) return true;
  char name[16] = {};
  (void)::pthread_getname_np(::pthread_self(), name, sizeof(name));
  return std::strncmp(name, space + 1, std::strlen(space + 1)) == 0;
}

/// What is on; of `full` with its number.
Fault fault_now(long long& limit) {
  static const char* const control = std::getenv("PABAL_FAULT_CONTROL");
  if (control == nullptr) return Fault::none;
  const int descriptor = ::open(control, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return Fault::none;
  char text[64] = {};
  const ssize_t got = ::read(descriptor, text, sizeof(text) - 1);
  ::close(descriptor);
  if (got <= 0) return Fault::none;
  if (std::strncmp(text, "full", 4) == 0) {
    limit = std::atoll(text + 4);
    return Fault::full;
  }
  if (!is_for_this_thread(text)) return Fault::none;
  if (std::strncmp(text, "sync", 4) == 0) return Fault::sync;
  if (std::strncmp(text, "write", 5) == 0) return Fault::write;
  return Fault::none;
}

/// Path of an open file below the directory, or false.
bool ours(int descriptor, char* path, std::size_t bytes) {
  if (directory() == nullptr) return false;
  char link[40];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", descriptor);
  const ssize_t got = ::readlink(link, path, bytes - 1);
  if (got <= 0) return false;
  path[got] = '\0';
  const std::size_t prefix = std::strlen(directory());
  return std::strncmp(path, directory(), prefix) == 0 && path[prefix] == '/';
}

long long bytes_under(const char* path) {
  DIR* const folder = ::opendir(path);
  if (folder == nullptr) return 0;
  long long bytes = 0;
  while (const dirent* entry = ::readdir(folder)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    char name[4096];
    std::snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
    struct stat about {};
    if (::lstat(name, &about) != 0) continue;
    bytes += S_ISDIR(about.st_mode) ? bytes_under(name) : static_cast<long long>(about.st_size);
  }
  ::closedir(folder);
  return bytes;
}

bool is_segment(const char* path) {
  return std::strstr(path, ".segment") != nullptr;
}

/// Whether writing up to `end` (-1: appending) must fail, with errno set.
bool refuses_write(int descriptor, off_t end, std::size_t count) {
  const int before = errno;
  long long limit = 0;
  const Fault fault = fault_now(limit);
  char path[4096];
  if ((fault == Fault::full || fault == Fault::write) && ours(descriptor, path, sizeof(path))) {
    struct stat about {};
    const bool known = ::fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode);
    if (end < 0) end = ::lseek(descriptor, 0, SEEK_CUR) + static_cast<off_t>(count);
    if (fault == Fault::full && known && end > about.st_size &&
        bytes_under(directory()) + end - about.st_size > limit) {
      errno = ENOSPC;
      return true;
    }
    if (fault == Fault::write && is_segment(path)) {
      errno = EIO;
      return true;
    }
  }
  errno = before;
  return false;
}

bool refuses_sync(int descriptor) {
  const int before = errno;
  long long limit = 0;
  char path[4096];
  if (fault_now(limit) == Fault::sync && ours(descriptor, path, sizeof(path)) && is_segment(path)) {
    errno = EIO;
    return true;
  }
  errno = before;
  return false;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* bytes, size_t count) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  return refuses_write(descriptor, -1, count) ? -1 : real(descriptor, bytes, count);
}

ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const off_t end = offset + static_cast<off_t>(count);
  return refuses_write(descriptor, end, count) ? -1 : real(descriptor, bytes, count, offset);
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t count, off64_t offset) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  const off_t end = offset + static_cast<off_t>(count);
  return refuses_write(descriptor, end, count) ? -1 : real(descriptor, bytes, count, offset);
}

int fdatasync(int descriptor) {
  static auto* const real = next<int(int)>("fdatasync");
  return refuses_sync(descriptor) ? -1 : real(descriptor);
}

int fsync(int descriptor) {
  static auto* const real = next<int(int)>("fsync");
  return refuses_sync(descriptor) ? -1 : real(descriptor);
}

}  // extern "C"
