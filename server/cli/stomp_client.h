#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/cli/failure.h"
#include "server/cli/frame_scanner.h"

namespace pabal::cli {

/// A frame as people write it: header text without escapes, in order; of equal names the first
/// counts (STOMP 1.2, "Repeated Header Entries").
struct Frame {
  std::string command;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::optional<std::string_view> header(std::string_view name) const;
};

/// The bytes of `frame`. CONNECT is not escaped (STOMP 1.2, "Value Encoding"). A frame with a body
/// gets a content-length unless it has one or `content_length` is false.
std::string encode(const Frame& frame, bool content_length = true);
Frame decode(const FrameView& view);

/// Where a broker listens, and as whom.
struct Endpoint {
  std::string host;
  std::uint16_t port = 61613;
  std::string login;  ///< from login:passcode@ in the URL
  std::string passcode;
};

/// stomp://[login:passcode@]host[:port], also tcp:// or nothing before the host; [::1] for IPv6.
/// Another scheme and port than STOMP's: of another protocol. Errors: usage.
Outcome<Endpoint> parse_url(std::string_view url, std::string_view scheme = "stomp",
                            std::uint16_t port = 61613);

struct ConnectOptions {
  std::string login;
  std::string passcode;
  std::string virtual_host;  ///< the `host` header; empty: the endpoint's host
  std::string client_id;     ///< for durable subscriptions of ActiveMQ and Pabal; empty: none
  std::chrono::milliseconds timeout{10'000};
};

/// The CONNECT that says all this.
Frame connect_frame(const Endpoint& endpoint, const ConnectOptions& options);

/// A blocking STOMP 1.2 client for one connection to any broker, without heart-beats. Not
/// thread-safe. Errors: unreachable, timed_out; refused with the text of the broker's ERROR.
class StompClient {
 public:
  using Milliseconds = std::chrono::milliseconds;

  static Outcome<StompClient> connect(const Endpoint& endpoint, const ConnectOptions& options);
  StompClient(StompClient&& other) noexcept;
  StompClient& operator=(StompClient&& other) = delete;
  ~StompClient();

  /// Hands the frame to the kernel; returns when all of it is there.
  Outcome<void> send(const Frame& frame, bool content_length = true);
  /// The next MESSAGE, in order of arrival. Nothing: none came in time.
  Outcome<std::optional<Frame>> receive(Milliseconds timeout);
  /// Waits for the RECEIPT with this id; MESSAGEs that come before it are kept for receive().
  Outcome<void> await_receipt(std::string_view id, Milliseconds timeout);
  /// DISCONNECT with a receipt: when this answers, the broker has done all that was sent before.
  Outcome<void> disconnect(Milliseconds timeout);

  const Frame& connected() const noexcept { return connected_; }
  /// Gives the connected socket away, blocking and with TCP_NODELAY. The client is empty after it.
  int release_socket() noexcept { return std::exchange(socket_, -1); }

 private:
  using Clock = std::chrono::steady_clock;

  StompClient(int socket, std::string peer) : socket_(socket), peer_(std::move(peer)) {}
  Outcome<void> handshake(const Endpoint& endpoint, const ConnectOptions& options);
  /// The next frame that is not an ERROR. Nothing: the deadline passed.
  Outcome<std::optional<Frame>> next_frame(Clock::time_point deadline);
  Failure broken(std::string_view doing, int error) const;

  int socket_ = -1;
  std::string peer_;
  std::string buffer_;
  std::size_t consumed_ = 0;
  FrameScanner scanner_;
  Frame connected_;
  std::deque<Frame> messages_;
  std::deque<std::string> receipts_;
};

}  // namespace pabal::cli
