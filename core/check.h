#pragma once

#include <cstdio>
#include <cstdlib>

namespace pabal::core {

/// Reports a broken invariant of our own and aborts, in every build. Never reachable by peer bytes,
/// configuration or disk contents: those get a Result.
[[noreturn]] inline void check_failed(const char* condition, const char* file, int line,
                                      const char* text) noexcept {
  std::fprintf(stderr, "pabal: broken invariant at %s:%d: %s (%s)\n", file, line, text, condition);
  std::abort();
}

}  // namespace pabal::core

#define PABAL_CHECK(condition, text) \
  ((condition) ? void(0) : ::pabal::core::check_failed(#condition, __FILE__, __LINE__, text))
#define PABAL_UNREACHABLE() \
  ::pabal::core::check_failed("unreachable", __FILE__, __LINE__, "control came where it cannot")
