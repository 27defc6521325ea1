#include "server/cli/stomp_client.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/cli/tcp_connect.h"

namespace pabal::cli {
namespace {

using Clock = std::chrono::steady_clock;

void append_escaped(std::string& out, std::string_view text) {
  for (const char letter : text) {
    switch (letter) {
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case ':':
        out += "\\c";
        break;
      default:
        out += letter;
    }
  }
}

/// What no escape is, stays as it is: this client shows what came.
std::string unescape(std::string_view text) {
  constexpr std::string_view kEscaped = "nrc\\";
  constexpr std::string_view kMeant = "\n\r:\\";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t escape = text[i] == '\\' && i + 1 < text.size() ? kEscaped.find(text[i + 1])
                                                                      : std::string_view::npos;
    if (escape == std::string_view::npos) {
      out += text[i];
    } else {
      out += kMeant[escape];
      ++i;
    }
  }
  return out;
}

int remaining(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

}  // namespace

std::optional<std::string_view> Frame::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string encode(const Frame& frame, bool content_length) {
  const bool escape = frame.command != "CONNECT" && frame.command != "STOMP";
  std::string out = frame.command + "\n";
  for (const auto& [name, value] : frame.headers) {
    if (escape) {
      append_escaped(out, name);
      out += ':';
      append_escaped(out, value);
    } else {
      out += name + ":" + value;
    }
    out += '\n';
  }
  if (content_length && !frame.body.empty() && !frame.header("content-length")) {
    out += "content-length:" + std::to_string(frame.body.size()) + "\n";
  }
  out += '\n';
  out += frame.body;
  out += '\0';
  return out;
}

Frame decode(const FrameView& view) {
  Frame frame{std::string(view.command), {}, std::string(view.body)};
  const bool escaped = view.command != "CONNECTED";
  std::string_view rest = view.headers;
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    const std::string_view value =
        colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    frame.headers.emplace_back(escaped ? unescape(name) : std::string(name),
                               escaped ? unescape(value) : std::string(value));
  }
  return frame;
}

Outcome<Endpoint> parse_url(std::string_view url, std::string_view scheme, std::uint16_t port) {
  const std::string whole(url);
  const auto wrong = [&](std::string_view reason) {
    return Failure{ExitCode::usage, "'" + whole + "' is no address: " + std::string(reason) +
                                        "; write " + std::string(scheme) +
                                        "://host:port, such as " + std::string(scheme) +
                                        "://127.0.0.1:" + std::to_string(port)};
  };
  if (const std::size_t end = url.find("://"); end != std::string_view::npos) {
    if (url.substr(0, end) != scheme && url.substr(0, end) != "tcp") {
      return wrong("only " + std::string(scheme) + ":// and tcp:// are spoken here");
    }
    url.remove_prefix(end + 3);
  }
  if (url.ends_with('/')) url.remove_suffix(1);
  Endpoint endpoint;
  endpoint.port = port;
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = url.substr(0, at);
    const std::size_t colon = user.find(':');
    endpoint.login = user.substr(0, colon);
    if (colon != std::string_view::npos) endpoint.passcode = user.substr(colon + 1);
    url.remove_prefix(at + 1);
  }
  std::string_view digits;
  if (url.starts_with('[')) {
    const std::size_t bracket = url.find(']');
    if (bracket == std::string_view::npos) return wrong("the ] is missing");
    endpoint.host = url.substr(1, bracket - 1);
    digits = url.substr(bracket + 1);
  } else {
    endpoint.host = url.substr(0, url.find(':'));
    digits = url.substr(endpoint.host.size());
  }
  if (endpoint.host.empty()) return wrong("there is no host");
  if (!digits.empty()) {
    digits.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
    if (error != std::errc() || end != digits.data() + digits.size() || endpoint.port == 0) {
      return wrong("the port is not a number between 1 and 65535");
    }
  }
  return endpoint;
}

Failure StompClient::broken(std::string_view doing, int error) const {
  return {ExitCode::unreachable, std::string(doing) + " " + peer_ + ": " + std::strerror(error)};
}

Frame connect_frame(const Endpoint& endpoint, const ConnectOptions& options) {
  Frame hello{"CONNECT",
              {{"accept-version", "1.2"},
               {"host", options.virtual_host.empty() ? endpoint.host : options.virtual_host},
               {"heart-beat", "0,0"}},
              {}};
  const bool from_url = options.login.empty();
  const std::string& login = from_url ? endpoint.login : options.login;
  if (!login.empty()) {
    hello.headers.emplace_back("login", login);
    hello.headers.emplace_back("passcode", from_url ? endpoint.passcode : options.passcode);
  }
  if (!options.client_id.empty()) hello.headers.emplace_back("client-id", options.client_id);
  return hello;
}

Outcome<StompClient> StompClient::connect(const Endpoint& endpoint, const ConnectOptions& options) {
  const std::string peer = endpoint.host + ":" + std::to_string(endpoint.port);
  const auto socket = tcp_connect(endpoint, Clock::now() + options.timeout);
  if (!socket) return socket.error();
  StompClient client(*socket, peer);
  if (auto greeted = client.handshake(endpoint, options); !greeted) return greeted.error();
  return client;
}

StompClient::StompClient(StompClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      peer_(std::move(other.peer_)),
      buffer_(std::move(other.buffer_)),
      consumed_(other.consumed_),
      scanner_(other.scanner_),
      connected_(std::move(other.connected_)),
      messages_(std::move(other.messages_)),
      receipts_(std::move(other.receipts_)) {}

StompClient::~StompClient() {
  if (socket_ >= 0) ::close(socket_);
}

Outcome<void> StompClient::handshake(const Endpoint& endpoint, const ConnectOptions& options) {
  const Frame hello = connect_frame(endpoint, options);
  const Clock::time_point deadline = Clock::now() + options.timeout;
  if (auto sent = send(hello); !sent) return sent;
  auto answer = next_frame(deadline);
  if (!answer) return answer.error();
  if (!answer->has_value()) {
    return Failure{ExitCode::timed_out, peer_ +
                                            " did not answer CONNECT in time; is that its "
                                            "STOMP port?"};
  }
  if ((*answer)->command != "CONNECTED") {
    return Failure{ExitCode::unreachable,
                   peer_ + " does not speak STOMP: it answered '" + (*answer)->command + "'"};
  }
  connected_ = std::move(**answer);
  return {};
}

Outcome<void> StompClient::send(const Frame& frame, bool content_length) {
  const std::string bytes = encode(frame, content_length);
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd waiting{socket_, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      const int error = errno;
      // A broker that refuses says why and closes: its reason is worth more than "Broken pipe".
      const auto reason = next_frame(Clock::now());
      if (!reason && reason.error().exit_code == ExitCode::refused) return reason.error();
      return broken("lost the connection to", error);
    }
  }
  return {};
}

Outcome<std::optional<Frame>> StompClient::next_frame(Clock::time_point deadline) {
  for (;;) {
    FrameView view;
    const auto answer = scanner_.next(std::string_view(buffer_).substr(consumed_), view);
    if (answer == FrameScanner::Answer::malformed) {
      return Failure{ExitCode::unreachable, peer_ + " sent something that is not STOMP"};
    }
    if (answer == FrameScanner::Answer::frame) {
      Frame frame = decode(view);
      consumed_ += view.size;
      if (frame.command == "ERROR") {
        std::string text(frame.header("message").value_or(frame.body));
        return Failure{ExitCode::refused, "the broker refused: " + text};
      }
      return std::optional<Frame>(std::move(frame));
    }
    buffer_.erase(0, consumed_);
    consumed_ = 0;
    pollfd waiting{socket_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, remaining(deadline));
    if (ready == 0) return std::optional<Frame>();
    if (ready < 0 && errno != EINTR) return broken("cannot wait for", errno);
    const std::size_t old_size = buffer_.size();
    buffer_.resize(old_size + 65536);
    const ssize_t count = ::recv(socket_, buffer_.data() + old_size, 65536, 0);
    const int error = errno;
    buffer_.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) {
      return Failure{ExitCode::unreachable, peer_ + " closed the connection"};
    }
    if (count < 0 && error != EAGAIN && error != EINTR) {
      return broken("lost the connection to", error);
    }
  }
}

Outcome<std::optional<Frame>> StompClient::receive(Milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  for (;;) {
    if (!messages_.empty()) {
      std::optional<Frame> message(std::move(messages_.front()));
      messages_.pop_front();
      return message;
    }
    auto frame = next_frame(deadline);
    if (!frame || !frame->has_value()) return frame;
    if ((*frame)->command == "MESSAGE") return frame;
    if ((*frame)->command == "RECEIPT") {
      receipts_.emplace_back((*frame)->header("receipt-id").value_or(""));
    }
  }
}

Outcome<void> StompClient::await_receipt(std::string_view id, Milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  for (;;) {
    const auto known = std::find(receipts_.begin(), receipts_.end(), id);
    if (known != receipts_.end()) {
      receipts_.erase(known);
      return {};
    }
    auto frame = next_frame(deadline);
    if (!frame) return frame.error();
    if (!frame->has_value()) {
      return Failure{ExitCode::timed_out, "no receipt from " + peer_ +
                                              " in time; the broker may have stored what was "
                                              "sent, or may not"};
    }
    if ((*frame)->command == "MESSAGE")
      messages_.push_back(std::move(**frame));
    else if ((*frame)->command == "RECEIPT") {
      receipts_.emplace_back((*frame)->header("receipt-id").value_or(""));
    }
  }
}

Outcome<void> StompClient::disconnect(Milliseconds timeout) {
  constexpr std::string_view kLast = "pabal-disconnect";
  if (auto sent = send(Frame{"DISCONNECT", {{"receipt", std::string(kLast)}}, {}}); !sent) {
    return sent;
  }
  return await_receipt(kLast, timeout);
}

}  // namespace pabal::cli
