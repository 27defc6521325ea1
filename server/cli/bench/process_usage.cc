#include "server/cli/bench/process_usage.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <map>
#include <memory>
#include <unistd.h>
#include <vector>

namespace pabal::cli::bench {
namespace {

struct Stat {
  pid_t parent = 0;
  std::uint64_t ticks = 0;
  std::uint64_t ended_children_ticks = 0;
  std::uint64_t resident_pages = 0;
};

/// /proc/PID/stat, see proc(5): fields 4, 14 to 17 and 24.
bool read_stat(pid_t process, Stat& stat) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", process);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "r"), &std::fclose);
  if (!file) return false;
  char text[1024];
  text[std::fread(text, 1, sizeof text - 1, file.get())] = '\0';
  // The name may hold anything, so what follows its last parenthesis counts.
  const char* const rest = std::strrchr(text, ')');
  if (rest == nullptr) return false;
  unsigned long long user = 0, system = 0, children_user = 0, children_system = 0;
  long long resident = 0;
  if (std::sscanf(rest + 1,
                  " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d "
                  "%*d %*u %*u %lld",
                  &stat.parent, &user, &system, &children_user, &children_system, &resident) != 6) {
    return false;
  }
  stat.ticks = user + system;
  stat.ended_children_ticks = children_user + children_system;
  stat.resident_pages = static_cast<std::uint64_t>(resident);
  return true;
}

}  // namespace

ProcessUsage measure_processes(pid_t root) {
  std::map<pid_t, Stat> all;
  std::multimap<pid_t, pid_t> children;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), &::closedir);
  if (!directory) return {};
  while (const dirent* entry = ::readdir(directory.get())) {
    const pid_t process = std::atoi(entry->d_name);
    Stat stat;
    if (process <= 0 || !read_stat(process, stat)) continue;
    all[process] = stat;
    children.emplace(stat.parent, process);
  }
  ProcessUsage usage;
  std::uint64_t ticks = 0;
  std::uint64_t pages = 0;
  std::vector<pid_t> todo{root};
  while (!todo.empty()) {
    const pid_t process = todo.back();
    todo.pop_back();
    const auto found = all.find(process);
    if (found == all.end()) continue;
    ++usage.processes;
    ticks += found->second.ticks + found->second.ended_children_ticks;
    pages += found->second.resident_pages;
    const auto [first, last] = children.equal_range(process);
    for (auto child = first; child != last; ++child) todo.push_back(child->second);
  }
  usage.cpu_seconds = static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  usage.resident_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return usage;
}

}  // namespace pabal::cli::bench
