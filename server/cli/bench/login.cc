#include "server/cli/bench/login.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "server/cli/tcp_connect.h"

namespace pabal::cli::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::string peer_of(const Scenario& scenario) {
  return scenario.endpoint.host + ":" + std::to_string(scenario.endpoint.port);
}

/// Says little, and waits for what must be there before it goes on.
class Dialogue {
 public:
  Dialogue(const Scenario& scenario, LoggedIn& peer, Clock::time_point deadline)
      : scenario_(scenario), peer_(peer), deadline_(deadline) {}

  /// Sends and waits for an event of this kind; what comes before it is forgotten.
  Outcome<void> ask(std::string_view bytes, Event::Kind wanted);

 private:
  Outcome<void> wait(short what);
  Failure broken(int error) const {
    return {ExitCode::unreachable,
            "lost the connection to " + peer_of(scenario_) + ": " + std::strerror(error)};
  }

  const Scenario& scenario_;
  LoggedIn& peer_;
  const Clock::time_point deadline_;
};

Outcome<void> Dialogue::wait(short what) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
  pollfd waiting{peer_.socket, what, 0};
  if (left > 0 && ::poll(&waiting, 1, static_cast<int>(left)) != 0) return {};
  return Failure{ExitCode::timed_out, peer_of(scenario_) + " did not answer in time; is that its " +
                                          (scenario_.mqtt ? "MQTT" : "STOMP") + " port?"};
}

Outcome<void> Dialogue::ask(std::string_view bytes, Event::Kind wanted) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(peer_.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EAGAIN && errno != EINTR) {
      break;  // why, stands in what is still to be read
    } else if (auto writable = wait(POLLOUT); !writable) {
      return writable;
    }
  }
  std::string replies;
  for (;;) {
    const Event event = peer_.wire->next(peer_.rest, replies);
    if (event.kind == Event::Kind::refused) {
      return Failure{ExitCode::refused, "the broker refused: " + std::string(event.text)};
    }
    if (event.kind == Event::Kind::malformed) {
      return Failure{ExitCode::unreachable,
                     peer_of(scenario_) + " sent " + std::string(event.text)};
    }
    if (event.kind == Event::Kind::connected) peer_.broker = event.text;
    peer_.rest.erase(0, event.size);
    if (event.kind == wanted) return {};
    if (event.kind != Event::Kind::incomplete) continue;
    char buffer[4096];
    const ssize_t count = ::recv(peer_.socket, buffer, sizeof buffer, 0);
    if (count > 0) {
      peer_.rest.append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0) {
      return Failure{ExitCode::refused, peer_of(scenario_) + " closed the connection"};
    } else if (errno != EAGAIN && errno != EINTR) {
      return broken(errno);
    } else if (auto readable = wait(POLLIN); !readable) {
      return readable;
    }
  }
}

}  // namespace

Outcome<LoggedIn> log_in(const Scenario& scenario, Role role, unsigned index) {
  const auto deadline = Clock::now() + scenario.connect.timeout;
  const auto socket = tcp_connect(scenario.endpoint, deadline);
  if (!socket) return socket.error();
  LoggedIn peer;
  peer.socket = *socket;
  peer.wire = make_wire(scenario, role, index);
  const auto connected =
      Dialogue(scenario, peer, deadline).ask(peer.wire->login(), Event::Kind::connected);
  if (connected) return peer;
  ::close(peer.socket);
  return connected.error();
}

Outcome<void> subscribe_and_go(const Scenario& scenario, unsigned index) {
  auto peer = log_in(scenario, Role::consumer, index);
  if (!peer) return peer.error();
  Dialogue dialogue(scenario, *peer, Clock::now() + scenario.connect.timeout);
  auto done = dialogue.ask(peer->wire->subscribe(), Event::Kind::subscribed);
  if (done) done = dialogue.ask(peer->wire->bye(), Event::Kind::finished);
  const std::string_view last = peer->wire->last_words();
  if (!last.empty()) (void)::send(peer->socket, last.data(), last.size(), MSG_NOSIGNAL);
  ::close(peer->socket);
  return done;
}

}  // namespace pabal::cli::bench
