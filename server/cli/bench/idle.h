#pragma once

#include <memory>
#include <vector>

#include "server/cli/bench/scenario.h"
#include "server/cli/bench/wire.h"

namespace pabal::cli::bench {

/// What became of clients that came all at once.
struct IdleResult {
  unsigned wanted = 0;
  unsigned served = 0;   ///< logged in
  unsigned refused = 0;  ///< by the broker's word, or closed
  double seconds = 0;    ///< from the first connect to the last answer
  double broker_cpu_seconds = 0;
  std::uint64_t bytes_each = 0;  ///< the broker's resident memory, more than before; 0: unknown
};

/// Clients that connect all at once, without waiting for each other, log in and stay until this is
/// destroyed. Main thread.
class IdleClients {
 public:
  explicit IdleClients(const Scenario& scenario) : scenario_(scenario) {}
  IdleClients(const IdleClients&) = delete;
  IdleClients& operator=(const IdleClients&) = delete;
  ~IdleClients();

  /// Returns when all are served or refused, or after the scenario's timeout. Errors: usage (not
  /// enough file descriptors), unreachable.
  Outcome<IdleResult> come();

 private:
  struct Client {
    int socket = -1;
    std::unique_ptr<Wire> wire;
    std::string rest;
  };
  Outcome<void> connect_all(int epoll);
  /// Reads the answer if it is there. True: it is known whether it is served.
  bool look(Client& client, IdleResult& result);
  void measure(std::uint64_t before, IdleResult& result) const;

  const Scenario& scenario_;
  std::vector<Client> clients_;
};

}  // namespace pabal::cli::bench
