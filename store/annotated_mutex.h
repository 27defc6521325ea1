#pragma once

#include <condition_variable>
#include <mutex>

#include "core/thread_annotations.h"

namespace pabal::store {

/// std::mutex as clang's thread-safety analysis wants it (libstdc++'s is not annotated).
class PABAL_CAPABILITY("mutex") Mutex {
 public:
  void lock() PABAL_ACQUIRE() { mutex_.lock(); }
  bool try_lock() PABAL_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() PABAL_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// Holds a Mutex for a scope.
class PABAL_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) PABAL_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() PABAL_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waited for with the Mutex held: `while (!ready) condition.wait(mutex);`.
class Condition {
 public:
  void wait(Mutex& mutex) PABAL_REQUIRES(mutex) { condition_.wait(mutex); }
  void notify_one() noexcept { condition_.notify_one(); }
  void notify_all() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace pabal::store
