#include "server/cli/bench/idle.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "server/cli/bench/connection.h"
#include "server/cli/bench/process_usage.h"

namespace pabal::cli::bench {
namespace {

/// So many answers are looked for at a time.
constexpr int kEventsMax = 256;

Outcome<void> allow_files(unsigned wanted) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t needed = rlim_t{wanted} + 200;
  if (files.rlim_cur >= needed) return {};
  files.rlim_cur = std::min(files.rlim_max, needed);
  if (files.rlim_cur >= needed && ::setrlimit(RLIMIT_NOFILE, &files) == 0) return {};
  return Failure{ExitCode::usage, "--idle: this process may open only " +
                                      std::to_string(files.rlim_max) + " files; see ulimit -Hn"};
}

}  // namespace

IdleClients::~IdleClients() {
  for (const Client& client : clients_) {
    if (client.socket < 0) continue;
    const std::string_view last = client.wire->last_words();
    if (!last.empty()) (void)::send(client.socket, last.data(), last.size(), MSG_NOSIGNAL);
    ::close(client.socket);
  }
}

Outcome<void> IdleClients::connect_all(int epoll) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const Endpoint& endpoint = scenario_.endpoint;
  if (const int error = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(),
                                      &hints, &found);
      error != 0) {
    return Failure{ExitCode::unreachable,
                   "cannot look up '" + endpoint.host + "': " + ::gai_strerror(error)};
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const int on = 1;
  for (unsigned i = 0; i < clients_.size(); ++i) {
    Client& client = clients_[i];
    client.socket = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client.socket < 0) {
      return Failure{ExitCode::failed,
                     std::string("cannot open a socket: ") + std::strerror(errno)};
    }
    ::setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(client.socket, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
      return Failure{ExitCode::unreachable, std::string("cannot connect: ") + std::strerror(errno)};
    }
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.u32 = i;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, client.socket, &event);
  }
  return {};
}

bool IdleClients::look(Client& client, IdleResult& result) {
  char buffer[4096];
  const ssize_t count = ::recv(client.socket, buffer, sizeof buffer, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    ++result.refused;
    return true;
  }
  client.rest.append(buffer, static_cast<std::size_t>(count));
  std::string replies;
  const Event event = client.wire->next(client.rest, replies);
  if (event.kind == Event::Kind::incomplete) return false;
  ++(event.kind == Event::Kind::connected ? result.served : result.refused);
  std::string().swap(client.rest);
  return true;
}

void IdleClients::measure(std::uint64_t before, IdleResult& result) const {
  // What the broker does behind its answers is over when its memory stands still.
  std::uint64_t resident = 0;
  for (int i = 0; i < 30; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::uint64_t now = measure_processes(scenario_.broker_pid).resident_bytes;
    if (now == resident) break;
    resident = now;
  }
  if (result.served > 0) {
    result.bytes_each = (resident - std::min(resident, before)) / result.served;
  }
}

Outcome<IdleResult> IdleClients::come() {
  IdleResult result;
  result.wanted = scenario_.idle;
  if (auto allowed = allow_files(scenario_.idle + scenario_.producers + scenario_.consumers);
      !allowed) {
    return allowed.error();
  }
  clients_.resize(scenario_.idle);
  for (unsigned i = 0; i < scenario_.idle; ++i) {
    clients_[i].wire = make_wire(scenario_, Role::idle, i);
  }
  const ProcessUsage before =
      scenario_.broker_pid == 0 ? ProcessUsage() : measure_processes(scenario_.broker_pid);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const std::uint64_t start = now_ns();
  if (auto connected = connect_all(epoll); !connected) {
    ::close(epoll);
    return connected.error();
  }
  const auto patience = static_cast<std::uint64_t>(scenario_.timeout_seconds * 1e9);
  while (result.served + result.refused < result.wanted && now_ns() - start < patience) {
    epoll_event events[kEventsMax];
    const int count = ::epoll_wait(epoll, events, kEventsMax, 100);
    for (int i = 0; i < count; ++i) {
      Client& client = clients_[events[i].data.u32];
      if ((events[i].events & EPOLLOUT) != 0) {
        const std::string login = client.wire->login();
        (void)::send(client.socket, login.data(), login.size(), MSG_NOSIGNAL);
        events[i].events = EPOLLIN;
        ::epoll_ctl(epoll, EPOLL_CTL_MOD, client.socket, &events[i]);
      } else if (look(client, result)) {
        ::epoll_ctl(epoll, EPOLL_CTL_DEL, client.socket, nullptr);
      }
    }
  }
  ::close(epoll);
  result.seconds = static_cast<double>(now_ns() - start) / 1e9;
  if (scenario_.broker_pid != 0) {
    result.broker_cpu_seconds =
        measure_processes(scenario_.broker_pid).cpu_seconds - before.cpu_seconds;
    measure(before.resident_bytes, result);
  }
  return result;
}

}  // namespace pabal::cli::bench
