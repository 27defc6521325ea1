// Files as the operating system gives them: what it does only in part, or refuses.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>
#include <sys/types.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "store/file_system.h"

namespace {

using Write = std::function<ssize_t(int, const void*, std::size_t, off_t)>;
Write on_write;      // instead of the system's, if there is one
int sync_error = 0;  // of the next fdatasync
int writes = 0;

ssize_t really_write(int descriptor, const void* bytes, std::size_t count, off_t offset) {
  if (::lseek(descriptor, offset, SEEK_SET) < 0) return -1;
  return ::write(descriptor, bytes, count);
}

}  // namespace

// The store's calls end here, before they are the C library's.
extern "C" ssize_t pwrite(int descriptor, const void* bytes, size_t count, off_t offset) {
  ++writes;
  return on_write ? on_write(descriptor, bytes, count, offset)
                  : really_write(descriptor, bytes, count, offset);
}

extern "C" int fdatasync(int descriptor) {
  if (sync_error == 0) return ::fsync(descriptor);
  errno = std::exchange(sync_error, 0);
  return -1;
}

namespace pabal::store {
namespace {

class PosixFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = testing::TempDir() + "pabal-file-XXXXXX";
    const int descriptor = ::mkstemp(path.data());
    ASSERT_GE(descriptor, 0);
    ::close(descriptor);
    path_ = path;
    auto opened = posix_file_system().open(path_, OpenMode::create);
    ASSERT_TRUE(opened) << opened.error().text;
    file_ = std::move(*opened);
    writes = 0;
  }
  void TearDown() override {
    on_write = nullptr;
    ::unlink(path_.c_str());
  }

  Result<void> write(std::string_view text) {
    return file_->write(0, std::as_bytes(std::span(text)));
  }
  std::string content() {
    std::array<char, 100> bytes{};
    const auto got = file_->read(0, std::as_writable_bytes(std::span(bytes)));
    return got ? std::string(bytes.data(), *got) : got.error().text;
  }
  static void fail_with(int number) {
    on_write = [number](int, const void*, std::size_t, off_t) {
      errno = number;
      return ssize_t{-1};
    };
  }

  std::string path_;
  std::unique_ptr<File> file_;
};

TEST_F(PosixFiles, WhatIsWrittenInPartsIsWrittenToItsEnd) {
  on_write = [](int descriptor, const void* bytes, std::size_t count, off_t offset) {
    return really_write(descriptor, bytes, std::min<std::size_t>(count, 3), offset);
  };
  EXPECT_TRUE(write("twelve bytes"));
  EXPECT_EQ(writes, 4);
  EXPECT_EQ(content(), "twelve bytes");
}

TEST_F(PosixFiles, AnInterruptedWriteIsMadeAgain) {
  on_write = [](int descriptor, const void* bytes, std::size_t count, off_t offset) {
    if (writes > 1) return really_write(descriptor, bytes, count, offset);
    errno = EINTR;
    return ssize_t{-1};
  };
  EXPECT_TRUE(write("twelve bytes"));
  EXPECT_EQ(content(), "twelve bytes");
}

TEST_F(PosixFiles, AWriteThatFailsAfterItsFirstPartFails) {
  on_write = [](int descriptor, const void* bytes, std::size_t count, off_t offset) {
    if (writes == 1)
      return really_write(descriptor, bytes, std::min<std::size_t>(count, 3), offset);
    errno = ENOSPC;
    return ssize_t{-1};
  };
  const auto written = write("twelve bytes");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::store_full);
}

// Some file systems in user space answer so; to ask again and again would hang the store's thread,
// and with it all who wait for an answer.
TEST_F(PosixFiles, AWriteThatTakesNothingFails) {
  on_write = [](int, const void*, std::size_t, off_t) { return writes < 1000 ? ssize_t{0} : -1; };
  const auto written = write("twelve bytes");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::store_io);
  EXPECT_EQ(writes, 1);
}

TEST_F(PosixFiles, SaysWhetherThereIsNoRoomOrSomethingIsBroken) {
  for (const auto& [number, code] :
       {std::pair(ENOSPC, Errc::store_full), {EDQUOT, Errc::store_full}, {EIO, Errc::store_io}}) {
    fail_with(number);
    const auto written = write("text");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, code);
    EXPECT_NE(written.error().text.find(path_), std::string::npos) << written.error().text;
  }
}

TEST_F(PosixFiles, AFailedSyncIsAnError) {
  sync_error = EIO;
  const auto synced = file_->sync();
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().code, Errc::store_io);
}

}  // namespace
}  // namespace pabal::store
