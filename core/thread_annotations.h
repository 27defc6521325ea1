#pragma once

/// clang's thread-safety analysis (`-Wthread-safety`); other compilers ignore it.
#if defined(__clang__)
#define PABAL_ATTRIBUTE(x) __attribute__((x))
#else
#define PABAL_ATTRIBUTE(x)
#endif

#define PABAL_CAPABILITY(name) PABAL_ATTRIBUTE(capability(name))
#define PABAL_SCOPED_CAPABILITY PABAL_ATTRIBUTE(scoped_lockable)
#define PABAL_GUARDED_BY(x) PABAL_ATTRIBUTE(guarded_by(x))
#define PABAL_REQUIRES(...) PABAL_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define PABAL_EXCLUDES(...) PABAL_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define PABAL_ACQUIRE(...) PABAL_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define PABAL_RELEASE(...) PABAL_ATTRIBUTE(release_capability(__VA_ARGS__))
#define PABAL_TRY_ACQUIRE(...) PABAL_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define PABAL_ASSERT_CAPABILITY(x) PABAL_ATTRIBUTE(assert_capability(x))
#define PABAL_RETURN_CAPABILITY(x) PABAL_ATTRIBUTE(lock_returned(x))
#define PABAL_NO_THREAD_SAFETY_ANALYSIS PABAL_ATTRIBUTE(no_thread_safety_analysis)
