#include "server/logger.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <time.h>
#include <unistd.h>
#include <utility>

namespace pabal::server {
namespace {

constexpr std::size_t kFieldBytesMax = 1024;  // a peer's header can be long; a log line must not be

void append_time(std::string& line) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 40> text{};
  const auto size = strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  line.append(text.data(), size);
  const int written =
      std::snprintf(text.data(), text.size(), ".%03dZ", static_cast<int>(now.tv_nsec / 1'000'000));
  line.append(text.data(), static_cast<std::size_t>(written));
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const unsigned char c : text) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (byte < ' ' || byte == 0x7f) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\x%02x", byte);
      line += escape.data();
    } else {
      line += c;
    }
  }
  line += '"';
}

void append_value(std::string& line, std::string_view text) {
  const bool cut = text.size() > kFieldBytesMax;
  if (cut) text = text.substr(0, kFieldBytesMax);
  if (needs_quotes(text)) {
    append_quoted(line, text);
  } else {
    line += text;
  }
  if (cut) line += "...";
}

std::int64_t steady_millis() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warn:
      return "warn";
    case LogLevel::info:
      return "info";
    case LogLevel::debug:
      return "debug";
  }
  return "?";
}

std::optional<LogLevel> parse_log_level(std::string_view text) noexcept {
  for (const auto level : {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug}) {
    if (text == to_string(level)) return level;
  }
  return std::nullopt;
}

void Logger::log(LogLevel level, std::string_view component, std::string_view text, Fields fields) {
  if (enabled(level)) write(level, component, text, fields, 0);
}

void Logger::peer_fault(std::string_view component, std::string_view text, Fields fields) {
  if (!enabled(LogLevel::warn)) return;
  std::uint64_t suppressed = 0;
  {
    const std::lock_guard lock(quotas_mutex_);
    Quota& quota = quotas_[text];
    const auto now = steady_millis();
    if (quota.used == 0 || now - quota.period_start >= kPeerFaultPeriodMillis) {
      quota.period_start = now;
      quota.used = 0;
    }
    if (quota.used >= kPeerFaultsPerPeriod) {
      ++quota.suppressed;
      return;
    }
    ++quota.used;
    suppressed = std::exchange(quota.suppressed, 0);
  }
  write(LogLevel::warn, component, text, fields, suppressed);
}

void Logger::write(LogLevel level, std::string_view component, std::string_view text, Fields fields,
                   std::uint64_t suppressed) {
  std::string line;
  line.reserve(160);
  append_time(line);
  line += ' ';
  line += to_string(level);
  line += ' ';
  line += component;
  line += ' ';
  append_quoted(line, text);
  for (const auto& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    append_value(line, field.value);
  }
  if (suppressed != 0) line += " suppressed=" + std::to_string(suppressed);
  line += '\n';
  // Nobody can be told that the log is gone, and the broker does not stop for it.
  [[maybe_unused]] const auto written = ::write(descriptor_, line.data(), line.size());
}

}  // namespace pabal::server
