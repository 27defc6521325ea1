// What the rows of OpenWire cost at least, and what the client can do at most: a peer that says yes
// to every command, passes each message on as it is to the one consumer of its queue, and keeps
// nothing. One thread, no decoding beyond what finds the consumer, no disk. For the comparison
// only:
//
//     openwire_relay PORT
//
// Frames: ../../protocols/openwire (one field table there; here only the offsets that are needed).

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr char kWireFormatInfo = 1;
constexpr char kConsumerInfo = 5;
constexpr char kMessageDispatch = 21;
constexpr char kBytesMessage = 24;
constexpr char kResponse = 30;
/// Of a frame: its type, the command's number, whether a response is wanted.
constexpr std::size_t kHeadBytes = 6;

std::uint32_t load_u32(const char* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return ntohl(value);
}

std::uint16_t load_u16(const char* bytes) {
  std::uint16_t value;
  std::memcpy(&value, bytes, sizeof value);
  return ntohs(value);
}

void append_u32(std::string& out, std::size_t value) {
  const std::uint32_t big = htonl(static_cast<std::uint32_t>(value));
  out.append(reinterpret_cast<const char*>(&big), sizeof big);
}

std::string_view take(std::string_view& frame, std::size_t size) {
  const std::string_view taken = frame.substr(0, size);
  frame.remove_prefix(taken.size());
  return taken;
}

/// That it is there, its type, that its text is there, and the text.
std::size_t size_with_text(std::string_view frame) {
  constexpr std::size_t kBefore = 3;
  return frame.size() < kBefore + 2 ? frame.size() : kBefore + 2 + load_u16(frame.data() + kBefore);
}

/// A ConsumerId or ProducerId: a text and two numbers.
std::string_view take_id(std::string_view& frame) {
  return take(frame, size_with_text(frame) + 16);
}

std::string_view take_destination(std::string_view& frame) {
  return take(frame, !frame.empty() && frame.front() == 0 ? 1 : size_with_text(frame));
}

/// Version 12, loose, without cache, as Pabal says it.
std::string greeting() {
  constexpr std::string_view kName = "TcpNoDelayEnabled";
  std::string properties;
  append_u32(properties, 1);
  properties += '\0';
  properties += static_cast<char>(kName.size());
  properties += kName;
  properties += "\1\1";  // a boolean: true
  std::string frame;
  append_u32(frame, 1 + 8 + 4 + 1 + 4 + properties.size());
  frame += kWireFormatInfo;
  frame += "ActiveMQ";
  append_u32(frame, 12);
  frame += '\1';
  append_u32(frame, properties.size());
  return frame + properties;
}

struct Connection {
  explicit Connection(int descriptor) : socket(descriptor), out(greeting()) {}
  int socket;
  std::string in;  // the beginning of a frame
  std::string out;
  bool touched = false;
};

class Relay {
 public:
  explicit Relay(std::uint16_t port) : listener_(listen_at(port)), epoll_(epoll_create1(0)) {
    watch(listener_, nullptr);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 64> events;
    while (true) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        if (events[i].data.ptr == nullptr) {
          accept_one();
        } else {
          read(*static_cast<Connection*>(events[i].data.ptr));
        }
      }
      for (Connection* connection : std::exchange(touched_, {})) write(*connection);
    }
  }

 private:
  struct Consumer {
    Connection* connection;
    std::string id;
  };

  static int listen_at(std::uint16_t port) {
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(made, 50) != 0) {
      std::perror("openwire_relay");
      std::exit(1);
    }
    return made;
  }

  void watch(int descriptor, Connection* connection) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = connection;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  void accept_one() {
    const int made = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (made < 0) return;
    const int on = 1;
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Connection& connection = *connections_.emplace_back(std::make_unique<Connection>(made));
    watch(made, &connection);
    touch(connection);
  }

  void read(Connection& connection) {
    const ssize_t got = recv(connection.socket, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) {
      epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.socket, nullptr);
      return;
    }
    std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
    if (!connection.in.empty()) bytes = connection.in.append(bytes);
    while (bytes.size() >= 4 && bytes.size() - 4 >= load_u32(bytes.data())) {
      const std::size_t size = load_u32(take(bytes, 4).data());
      obey(connection, take(bytes, size));
    }
    connection.in = std::string(bytes);
  }

  void obey(Connection& connection, std::string_view frame) {
    if (frame.size() < kHeadBytes || frame.front() == kWireFormatInfo) return;
    const std::string_view whole = frame;
    const std::string_view head = take(frame, kHeadBytes);
    if (head.front() == kConsumerInfo) {
      std::string id(take_id(frame));
      take(frame, 1);  // whether it is a browser
      consumers_[std::string(take_destination(frame))] = {&connection, std::move(id)};
    } else if (head.front() == kBytesMessage) {
      take_id(frame);
      const std::string_view place = take_destination(frame);
      if (const auto at = consumers_.find(std::string(place)); at != consumers_.end()) {
        dispatch(at->second, place, whole);
      }
    }
    if (head.back() == 0) return;
    append_u32(connection.out, 10);
    connection.out += kResponse;
    append_u32(connection.out, 0);
    connection.out += '\0';
    append_u32(connection.out, load_u32(head.data() + 1));
    touch(connection);
  }

  void dispatch(const Consumer& consumer, std::string_view place, std::string_view message) {
    std::string& out = consumer.connection->out;
    append_u32(out, kHeadBytes + consumer.id.size() + place.size() + 1 + message.size() + 4);
    out += kMessageDispatch;
    append_u32(out, 0);
    out += '\0';
    out += consumer.id;
    out += place;
    out += '\1';
    out += message;
    append_u32(out, 0);
    touch(*consumer.connection);
  }

  void touch(Connection& connection) {
    if (!std::exchange(connection.touched, true)) touched_.push_back(&connection);
  }

  /// What the socket does not take now is tried again after the next events.
  void write(Connection& connection) {
    connection.touched = false;
    const ssize_t sent =
        send(connection.socket, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (sent > 0) connection.out.erase(0, static_cast<std::size_t>(sent));
    if (!connection.out.empty()) touch(connection);
  }

  const int listener_;
  const int epoll_;
  std::array<char, 262'144> buffer_;
  std::vector<std::unique_ptr<Connection>> connections_;  // of the run; none is given up
  std::unordered_map<std::string, Consumer> consumers_;   // by the bytes of their queue
  std::vector<Connection*> touched_;
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: openwire_relay PORT\n");
    return 2;
  }
  auto relay = std::make_unique<Relay>(static_cast<std::uint16_t>(std::atoi(arguments[1])));
  relay->run();
}
