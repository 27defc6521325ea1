#include "tests/support/cli_loopback_broker.h"

#include <arpa/inet.h>
#include <cerrno>
#include <deque>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "core/check.h"
#include "server/cli/frame_scanner.h"
#include "server/cli/stomp_client.h"

namespace pabal::tests {

using cli::Frame;
using cli::FrameScanner;
using cli::FrameView;

namespace {

struct Peer {
  int socket = -1;
  std::string in;
  std::string out;
  FrameScanner scanner;
  std::map<std::string, std::vector<Frame>> transactions;
  bool leaving = false;
};

struct Subscriber {
  Peer* peer = nullptr;
  std::string id;
  std::string ack;
};

struct Place {
  std::vector<Subscriber> subscribers;
  std::size_t next = 0;
  std::deque<Frame> waiting;
};

}  // namespace

/// The broker's thread.
struct LoopbackLoop {
  LoopbackBroker& broker;
  std::vector<std::unique_ptr<Peer>> peers;
  std::map<std::string, Place> places;
  std::uint64_t sent = 0;
  std::uint64_t deliveries = 0;
  Frame held;  ///< the one that changes places with its follower

  void reply(Peer& peer, const Frame& frame) { peer.out += cli::encode(frame) + "\n"; }

  void receipt(Peer& peer, const Frame& frame) {
    const auto id = frame.header("receipt");
    if (!id || (frame.command == "SEND" && broker.options_.no_receipts)) return;
    reply(peer, {"RECEIPT", {{"receipt-id", std::string(*id)}}, {}});
  }

  void deliver(const Subscriber& subscriber, const Frame& sent_frame) {
    const std::string number = std::to_string(++deliveries);
    Frame message{"MESSAGE", {}, sent_frame.body};
    if (broker.options_.shuffle_headers && subscriber.ack != "auto") {
      message.headers.emplace_back("ack", "t:" + number);
    }
    message.headers.emplace_back("subscription", subscriber.id);
    message.headers.emplace_back("message-id", "m" + number);
    for (const auto& header : sent_frame.headers) {
      if (header.first != "receipt" && header.first != "content-length") {
        message.headers.push_back(header);
      }
    }
    if (!broker.options_.shuffle_headers && subscriber.ack != "auto") {
      message.headers.emplace_back("ack", "t:" + number);
    }
    subscriber.peer->out += cli::encode(message, broker.options_.content_length) + "\n";
    if (subscriber.ack == "auto") ++broker.acknowledged_;
  }

  void dispatch(const std::string& destination) {
    Place& place = places[destination];
    const bool topic = destination.find("/topic/") != std::string::npos;
    while (!place.waiting.empty() && (topic || !place.subscribers.empty())) {
      const Frame frame = std::move(place.waiting.front());
      place.waiting.pop_front();
      if (topic) {
        for (const Subscriber& subscriber : place.subscribers) deliver(subscriber, frame);
      } else {
        deliver(place.subscribers[place.next++ % place.subscribers.size()], frame);
      }
    }
  }

  void take(const Frame& frame) {
    const LoopbackOptions& options = broker.options_;
    const auto hits = [&](std::uint64_t every) { return every != 0 && sent % every == 0; };
    ++sent;
    const std::string destination(*frame.header("destination"));
    Place& place = places[destination];
    if (sent == options.swap_at) {
      held = frame;
      return;
    }
    if (!hits(options.lose_every)) place.waiting.push_back(frame);
    if (hits(options.double_every)) place.waiting.push_back(frame);
    if (hits(options.damage_every)) place.waiting.back().body.back() ^= 1;
    if (sent == options.swap_at + 1 && options.swap_at != 0) place.waiting.push_back(held);
    dispatch(destination);
  }

  void on_frame(Peer& peer, const Frame& frame) {
    if (frame.command == "CONNECT") {
      if (frame.header("passcode") == "wrong") {
        reply(peer, {"ERROR", {{"message", "bad: credentials"}}, {}});
        peer.leaving = true;
        return;
      }
      reply(peer, {"CONNECTED", {{"version", "1.2"}, {"server", "loopback"}}, {}});
      return;
    }
    if (frame.command == "SEND") {
      if (broker.options_.error_after != 0 && sent + 1 == broker.options_.error_after) {
        reply(peer, {"ERROR", {{"message", "the disk is full"}}, {}});
        return;
      }
      if (const auto name = frame.header("transaction")) {
        peer.transactions[std::string(*name)].push_back(frame);
      } else {
        take(frame);
      }
    } else if (frame.command == "COMMIT") {
      for (const Frame& inner : peer.transactions[std::string(*frame.header("transaction"))]) {
        take(inner);
      }
      peer.transactions.erase(std::string(*frame.header("transaction")));
      ++broker.committed_;
    } else if (frame.command == "SUBSCRIBE") {
      const std::string destination(*frame.header("destination"));
      places[destination].subscribers.push_back(
          {&peer, std::string(*frame.header("id")), std::string(*frame.header("ack"))});
      receipt(peer, frame);
      dispatch(destination);
      return;
    } else if (frame.command == "ACK") {
      ++broker.acknowledged_;
    } else if (frame.command == "NACK") {
      ++broker.nacked_;
    } else if (frame.command == "DISCONNECT") {
      peer.leaving = true;
      forget(peer);
    }
    receipt(peer, frame);
  }

  void forget(const Peer& peer) {
    for (auto& [name, place] : places) {
      std::erase_if(place.subscribers,
                    [&](const Subscriber& subscriber) { return subscriber.peer == &peer; });
    }
  }

  /// False: the connection is over.
  bool serve(Peer& peer, short events) {
    if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
      char bytes[65536];
      const ssize_t count = ::recv(peer.socket, bytes, sizeof bytes, MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return false;
      if (count > 0) peer.in.append(bytes, static_cast<std::size_t>(count));
      std::size_t at = 0;
      FrameView view;
      while (peer.scanner.next(std::string_view(peer.in).substr(at), view) ==
             FrameScanner::Answer::frame) {
        const Frame frame = cli::decode(view);
        at += view.size;
        on_frame(peer, frame);
      }
      peer.in.erase(0, at);
    }
    if (!peer.out.empty()) {
      const ssize_t count =
          ::send(peer.socket, peer.out.data(), peer.out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0 && errno != EAGAIN) return false;
      if (count > 0) peer.out.erase(0, static_cast<std::size_t>(count));
    }
    return !(peer.leaving && peer.out.empty());
  }

  void run() {
    for (;;) {
      std::vector<pollfd> waiting{{broker.stop_, POLLIN, 0}, {broker.listener_, POLLIN, 0}};
      for (const auto& peer : peers) {
        const short wish = peer->out.empty() ? 0 : POLLOUT;
        waiting.push_back({peer->socket, static_cast<short>(POLLIN | wish), 0});
      }
      ::poll(waiting.data(), waiting.size(), -1);
      if (waiting[0].revents != 0) break;
      // A frame of one peer may give another something to write: everybody gets a turn.
      for (std::size_t i = 0; i < peers.size();) {
        if (serve(*peers[i], waiting[i + 2].revents)) {
          ++i;
          continue;
        }
        forget(*peers[i]);
        ::close(peers[i]->socket);
        peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(i));
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i) + 2);
      }
      if (waiting[1].revents != 0) {
        peers.push_back(std::make_unique<Peer>());
        peers.back()->socket = ::accept(broker.listener_, nullptr, nullptr);
      }
    }
    for (const auto& peer : peers) ::close(peer->socket);
  }
};

LoopbackBroker::LoopbackBroker(LoopbackOptions options)
    : options_(options), listener_(::socket(AF_INET, SOCK_STREAM, 0)), stop_(::eventfd(0, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  PABAL_CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  PABAL_CHECK(::listen(listener_, 64) == 0, "listen");
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { LoopbackLoop{*this, {}, {}, 0, 0, {}}.run(); });
}

LoopbackBroker::~LoopbackBroker() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(listener_);
  ::close(stop_);
}

}  // namespace pabal::tests
