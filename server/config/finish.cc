#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

#include "server/config/policy_reader.h"
#include "server/config/reading.h"
#include "server/config/values.h"

/// What can be said only after the whole file is read: directories, limits against the machine, the
/// HTTP port, the values of options that the file does not mention.
namespace pabal::server {
namespace {

constexpr std::uint64_t kGigabyte = 1ULL << 30;
constexpr std::uint64_t kJavaHeap = kGigabyte;  ///< of the stock ActiveMQ scripts: -Xmx1G
constexpr std::uint64_t kSegmentMax =
    kGigabyte / 2;                          ///< of the store: JournalCore::open refuses more
constexpr std::uint64_t kMemoryShare = 70;  ///< percent of the machine's, as ActiveMQ's of its heap

namespace fs = std::filesystem;

std::uint64_t machine_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  std::uint64_t bytes = pages > 0 && page > 0
                            ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page)
                            : 0;
  std::ifstream file("/sys/fs/cgroup/memory.max");
  std::uint64_t limit = 0;
  if (file >> limit && limit > 0 && (bytes == 0 || limit < bytes)) bytes = limit;
  return bytes;
}

/// Bytes of the regular files below `directory`; 0 if it does not exist.
std::uint64_t bytes_below(const std::string& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(directory, error);
  while (!error && entry != fs::recursive_directory_iterator()) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) {
      const auto size = entry->file_size(ignored);
      if (!ignored) bytes += size;
    }
    entry.increment(error);
  }
  return bytes;
}

Machine this_machine(const std::string& store_directory) {
  Machine machine;
  machine.memory_bytes = machine_memory();
  std::error_code error;
  fs::path existing = fs::absolute(store_directory, error);
  while (!existing.empty() && !fs::exists(existing, error) && existing != existing.root_path()) {
    existing = existing.parent_path();
  }
  struct statvfs figures {};
  if (::statvfs(existing.c_str(), &figures) == 0) {
    machine.disk_bytes = static_cast<std::uint64_t>(figures.f_blocks) * figures.f_frsize;
    machine.disk_free_bytes = static_cast<std::uint64_t>(figures.f_bavail) * figures.f_frsize +
                              bytes_below(store_directory);
  }
  return machine;
}

bool lies_inside(const std::string& path, const std::string& directory) {
  std::error_code error;
  const fs::path inner = fs::absolute(path, error).lexically_normal();
  const fs::path outer = fs::absolute(directory + "/", error).lexically_normal();
  const auto relative = inner.lexically_relative(outer);
  return !relative.empty() && *relative.begin() != "..";
}

void strip_file_scheme(std::string& path) {
  if (path.starts_with("file:")) path.erase(0, 5);
}

SourceLocation location_of(const Reading& reading, std::string_view setting) {
  for (const Setting& candidate : reading.config.settings) {
    if (candidate.path == setting) return candidate.location;
  }
  return {};
}

void finish_directories(Reading& reading) {
  Config& config = reading.config;
  const std::string& given = reading.options.data_directory;
  strip_file_scheme(config.data_directory);
  strip_file_scheme(config.store.directory);
  if (!given.empty()) {
    if (!config.data_directory.empty() && !lies_inside(config.data_directory, given)) {
      reading.report(Severity::note, location_of(reading, "broker@dataDirectory"),
                     "broker@dataDirectory", "replaced by -d " + given);
    }
    if (!config.store.directory.empty() && !lies_inside(config.store.directory, given)) {
      reading.report(Severity::note, location_of(reading, "kahaDB@directory"), "kahaDB@directory",
                     "replaced by -d " + given);
      config.store.directory.clear();
    }
    config.data_directory = given;
  } else if (config.data_directory.empty()) {
    config.data_directory = reading.placeholders.resolve("${activemq.data}").has_value()
                                ? *reading.placeholders.resolve("${activemq.data}")
                                : "data";
  }
  if (config.store.directory.empty()) config.store.directory = config.data_directory + "/store";
}

/// Lowers a limit that was asked for to what there is.
void lower(Reading& reading, std::uint64_t& limit, std::uint64_t available, bool asked,
           const SourceLocation& location, const std::string& path, const std::string& what) {
  if (available == 0 || limit <= available) return;
  if (asked) {
    const std::string text = std::to_string(limit) + " bytes are more than " + what;
    if (!reading.usage.adjust) {
      reading.report(Severity::error, location, path,
                     text + " (" + std::to_string(available) + "), and adjustUsageLimits is false");
      return;
    }
    reading.report(Severity::warning, location, path,
                   text + "; lowered to " + std::to_string(available));
  }
  limit = available;
}

void finish_limits(Reading& reading) {
  Config& config = reading.config;
  UsageDraft& usage = reading.usage;
  const Machine machine =
      reading.options.machine ? *reading.options.machine : this_machine(config.store.directory);
  if (usage.memory_percent > 0) {
    const std::uint64_t base =
        machine.memory_bytes == 0 ? kJavaHeap : std::min(kJavaHeap, machine.memory_bytes);
    config.limits.memory_bytes_max = base / 100 * static_cast<std::uint64_t>(usage.memory_percent);
  } else if (usage.is_explicit && !usage.memory_given) {
    config.limits.memory_bytes_max = 0;  // As ActiveMQ: what an explicit systemUsage leaves out.
  }
  if (config.store.memory) config.limits.spilled_bytes_max = 0;  // there is no disk
  if (usage.store_percent > 0) {
    const std::uint64_t total =
        usage.store_total > 0 ? static_cast<std::uint64_t>(usage.store_total) : machine.disk_bytes;
    config.store.bytes_limit = total / 100 * static_cast<std::uint64_t>(usage.store_percent);
  } else if (usage.is_explicit && !usage.store_given) {
    config.store.bytes_limit = 0;
  }
  lower(reading, config.limits.memory_bytes_max, machine.memory_bytes / 100 * kMemoryShare,
        usage.memory_given, usage.memory_location, "memoryUsage",
        std::to_string(kMemoryShare) + " % of this machine's memory");
  // ActiveMQ's own files ask for more than the store can: they start all the same.
  if (config.store.segment_bytes > kSegmentMax && !config.store.memory) {
    reading.report(Severity::warning, location_of(reading, "kahaDB@journalMaxFileLength"),
                   "kahaDB@journalMaxFileLength",
                   "segments larger than 512 MB are not possible; lowered to that");
    config.store.segment_bytes = kSegmentMax;
  }
  // The default is not lowered: a full disk refuses sends whatever the limit says.
  if (usage.store_given && !config.store.memory) {
    lower(reading, config.store.bytes_limit, machine.disk_free_bytes, true, usage.store_location,
          "storeUsage", "there is room for on the disk");
  }
}

void finish_http(Reading& reading) {
  HttpSettings& http = reading.config.http;
  const WebConsole& console = reading.console;
  if (reading.http_given) return;
  if (console.found) {
    const auto port = parse_port(console.port);
    if (!port) {
      reading.report(
          Severity::error, console.location, "beans/bean/property",
          "port '" + console.port + "' is not allowed: a number from 0 to 65535 expected");
      return;
    }
    http.enabled = !port->off;
    if (!console.host.empty()) http.host = console.host;
    http.port = port->number;
    http.location = console.location;
    if (console.login && !reading.options.insecure) {
      http.enabled = false;
      http.closed_because = "logins are not built";
      reading.report(Severity::warning, console.login_location, "beans/bean/property",
                     "not honoured yet: logins are not built, so the HTTP port stays closed "
                     "(--insecure opens it)");
    } else if (console.login) {
      reading.report(Severity::warning, console.login_location, "beans/bean/property",
                     "not honoured yet: logins are not built; --insecure opens the HTTP port");
    }
    return;
  }
  // A file without a word about HTTP opens no port of its own, as ActiveMQ without jetty.xml.
  const auto asked = reading.placeholders.resolve("${http.port:off}");
  const auto port = parse_port(asked ? *asked : "off");
  if (!port) {
    reading.report(Severity::error, {"-D http.port"}, "",
                   "'" + *asked + "' is not allowed: a number from 0 to 65535 or off expected");
    return;
  }
  http.enabled = !port->off;
  http.port = port->number;
}

void check_http_port(Reading& reading) {
  const HttpSettings& http = reading.config.http;
  if (!http.enabled || http.port == 0) return;
  for (const ListenerConfig& listener : reading.config.listeners) {
    if (!listener.open || listener.port != http.port) continue;
    const bool any = listener.host == "0.0.0.0" || http.host == "0.0.0.0";
    if (!any && listener.host != http.host) continue;
    reading.report(Severity::error, http.location, "http",
                   "port " + std::to_string(http.port) + " is taken by the connector at " +
                       listener.location.to_text());
  }
}

/// Options that the file does not mention have their defaults; diff() compares those too.
void record_defaults(Reading& reading) {
  for (const Option& option : option_rows()) {
    const bool single = option.status == Status::honoured && option.set != nullptr &&
                        !option.many && option.owner != "transportConnector";
    const std::string path = std::string(option.owner) + '@' + std::string(option.name);
    if (!single || reading.settings_seen.contains(path)) continue;
    auto value = parse_value(option, option.default_text);
    Value text;
    text.text = option.default_text;
    reading.record(option, path, value ? *value : text, {});
  }
  auto& settings = reading.config.settings;
  std::sort(settings.begin(), settings.end(),
            [](const Setting& a, const Setting& b) { return a.path < b.path; });
}

}  // namespace

void finish(Reading& reading) {
  finish_directories(reading);
  finish_limits(reading);
  finish_policies(reading);
  finish_http(reading);
  check_http_port(reading);
  record_defaults(reading);
  for (const std::string& name : reading.placeholders.unused_definitions()) {
    reading.report(Severity::warning, {"-D " + name}, "", "nothing in the file asks for it");
  }
}

}  // namespace pabal::server
