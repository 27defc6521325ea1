#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace pabal::server {

enum class LogLevel : std::uint8_t { error, warn, info, debug };
std::string_view to_string(LogLevel level) noexcept;
/// "error", "warn", "info", "debug"; anything else: nullopt.
std::optional<LogLevel> parse_log_level(std::string_view text) noexcept;

/// One key=value of a log line.
struct LogField {
  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, const char* text) : key(name), value(text) {}
  LogField(std::string_view name, const std::string& text) : key(name), value(text) {}
  LogField(std::string_view name, std::integral auto number)
      : key(name), value(std::to_string(number)) {}

  std::string_view key;
  std::string value;
};

/// Single lines on a file descriptor: `2026-11-21T14:42:06.123Z info listener "listening"
/// port=61613`. Each line is one write, so that lines of several threads do not mix. What a peer
/// chose is quoted and its control characters escaped, so that nobody can forge a line. Bodies and
/// credentials are never passed to it. Thread: any.
class Logger {
 public:
  using Fields = std::initializer_list<LogField>;

  /// `descriptor` (2: stderr) stays open as long as the logger.
  explicit Logger(LogLevel level = LogLevel::info, int descriptor = 2) noexcept
      : level_(level), descriptor_(descriptor) {}
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void set_level(LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }
  [[nodiscard]] bool enabled(LogLevel level) const noexcept {
    return level <= level_.load(std::memory_order_relaxed);
  }

  void error(std::string_view component, std::string_view text, Fields fields = {}) {
    log(LogLevel::error, component, text, fields);
  }
  void warn(std::string_view component, std::string_view text, Fields fields = {}) {
    log(LogLevel::warn, component, text, fields);
  }
  void info(std::string_view component, std::string_view text, Fields fields = {}) {
    log(LogLevel::info, component, text, fields);
  }
  void debug(std::string_view component, std::string_view text, Fields fields = {}) {
    log(LogLevel::debug, component, text, fields);
  }
  void log(LogLevel level, std::string_view component, std::string_view text, Fields fields);

  /// A fault of a peer: at most kPeerFaultsPerPeriod lines of one `text` (a literal) per period, so
  /// that a peer cannot fill the disk; the next one says how many were left out.
  void peer_fault(std::string_view component, std::string_view text, Fields fields = {});

  static constexpr std::uint32_t kPeerFaultsPerPeriod = 20;
  static constexpr std::int64_t kPeerFaultPeriodMillis = 10'000;

 private:
  struct Quota {
    std::int64_t period_start = 0;
    std::uint32_t used = 0;
    std::uint64_t suppressed = 0;
  };
  void write(LogLevel level, std::string_view component, std::string_view text, Fields fields,
             std::uint64_t suppressed);

  std::atomic<LogLevel> level_;
  const int descriptor_;
  std::mutex quotas_mutex_;
  std::unordered_map<std::string_view, Quota> quotas_;  // by literal; guarded by quotas_mutex_
};

}  // namespace pabal::server
