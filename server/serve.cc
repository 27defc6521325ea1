#include "server/serve.h"

#include <cstdio>
#include <malloc.h>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

#include "server/broker.h"
#include "server/config/config.h"
#include "server/logger.h"

namespace pabal::server {
namespace {

/// Blocks the signals that steer the broker in this thread and all that it will start.
sigset_t take_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// A broker that held a million messages and was drained gives the memory back, and threads that
/// allocate now and then do not get heaps of their own.
void tune_allocator() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 4 << 20);
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

LoadOptions load_options(const ServeOptions& options) {
  LoadOptions load;
  load.insecure = options.insecure;
  load.data_directory = options.data_directory;
  for (const auto& [name, value] : options.definitions) load.definitions[name] = value;
  return load;
}

/// Sockets must not take the descriptors that the store needs to go on: the journal's next segment,
/// the index's tables. Raises the soft limit as far as the system allows, and lowers the number of
/// connections to what that leaves.
void limit_connections(Config& config, Logger& logger) {
  constexpr std::uint64_t kReserve = 320;  // the store, files, connections that are being refused
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) ::getrlimit(RLIMIT_NOFILE, &files);
  const std::uint64_t reserve = kReserve + config.http.connections_max;
  const std::uint64_t room = files.rlim_cur > reserve ? files.rlim_cur - reserve : 1;
  std::uint32_t& connections = config.limits.connections_max;
  if (room >= connections) return;
  logger.info(
      "server", "fewer connections than configured: that many descriptors it may have",
      {{"configured", connections}, {"connections", room}, {"descriptors", files.rlim_cur}});
  connections = static_cast<std::uint32_t>(room);
}

void print_error(const std::string& text) {
  std::fprintf(stderr, "pabal: %s\n", text.c_str());
}

void log_findings(const LoadedConfig& loaded, Logger& logger) {
  for (const auto& finding : loaded.findings) {
    const LogLevel level = finding.severity == Severity::note ? LogLevel::debug : LogLevel::warn;
    logger.log(level, "config", "not as configured", {{"finding", finding.to_text()}});
  }
}

void reload(const ServeOptions& options, Broker& broker, Logger& logger) {
  auto loaded = load_config(options.config_file, load_options(options));
  if (!loaded) {
    logger.error("config", "not reloaded: the file is wrong", {{"reason", loaded.error().text}});
    return;
  }
  if (auto reloaded = broker.reload(loaded->config); !reloaded) {
    logger.error("config", "not reloaded", {{"reason", reloaded.error().text}});
    return;
  }
  logger.info("config", "reloaded", {{"file", options.config_file}});
}

/// Until SIGTERM or SIGINT.
void wait_for_stop(const sigset_t& signals, const ServeOptions& options, Broker& broker,
                   Logger& logger) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) {
      logger.info("server", "stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
      return;
    }
    reload(options, broker, logger);
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  tune_allocator();
  const sigset_t signals = take_signals();
  auto loaded = load_config(options.config_file, load_options(options));
  if (!loaded) {
    print_error(loaded.error().text);
    return 1;
  }
  Logger logger(parse_log_level(loaded->config.server.log_level).value_or(LogLevel::info));
  log_findings(*loaded, logger);
  limit_connections(loaded->config, logger);

  Broker broker(std::move(loaded->config), logger);
  if (auto started = broker.start(); !started) {
    print_error(started.error().text);
    return 1;
  }
  std::printf("%s\n", broker.ready_line().c_str());
  std::fflush(stdout);
  wait_for_stop(signals, options, broker, logger);
  broker.stop();
  logger.info("server", "stopped");
  return 0;
}

}  // namespace pabal::server
