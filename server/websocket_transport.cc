#include "server/websocket_transport.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_static_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket.hpp>

#include "server/utf8.h"

namespace pabal::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;

constexpr std::size_t kHandshakeBytesMax = 8 * 1024;
constexpr std::size_t kReadBytes = 8 * 1024;
/// In the order in which they are chosen. As in ActiveMQ, who offers both wants MQTT.
constexpr std::array<std::string_view, 6> kSubprotocols = {"mqtt",      "mqttv3.1",  "v12.stomp",
                                                           "v11.stomp", "v10.stomp", "stomp"};

/// The best of ours that is in the client's comma list; empty: none.
std::string_view choose_subprotocol(std::string_view offered) {
  for (const auto candidate : kSubprotocols) {
    std::string_view rest = offered;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      std::string_view word = rest.substr(0, comma);
      while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
      while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
      if (word == candidate) return candidate;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return {};
}

class WebSocketTransport final : public Transport {
 public:
  WebSocketTransport(TcpSocket socket, const Endpoint& endpoint, Logger& logger)
      : stream_(std::move(socket)), endpoint_(endpoint), logger_(logger) {}

  void open(TransportOwner& owner) override {
    owner_ = &owner;
    stream_.read_message_max(endpoint_.message_bytes_max);
    websocket::stream_base::timeout timeouts{};
    const core::milliseconds patience = endpoint_.connect_timeout;
    timeouts.handshake_timeout = websocket::stream_base::none();
    if (patience.count() > 0) timeouts.handshake_timeout = patience;
    timeouts.idle_timeout =
        websocket::stream_base::none();  // the session has heart-beats of its own
    timeouts.keep_alive_pings = false;
    stream_.set_option(timeouts);
    read_request();
  }

  void wait_readable() override {
    wanted_ = true;
    if (error_ || input_bytes_ != 0) {
      // Never from inside the caller: it does not expect to be called back yet.
      asio::post(stream_.get_executor(),
                 [this, owner = owner_->shared_from_this()]() noexcept { tell_readable(); });
      return;
    }
    if (open_) start_read();
  }

  [[nodiscard]] Protocol subprotocol() const noexcept override {
    return mqtt_ ? Protocol::mqtt : Protocol::stomp;
  }

  Read read(std::span<char>) override {
    const auto count = std::exchange(input_bytes_, 0);
    const Read result{{input_.data(), count}, error_};
    return result;
  }

  Written write(std::string_view bytes) override {
    if (error_) return {0, error_};
    // The caller's bytes may move while the message is on its way.
    output_.assign(bytes);
    write_pending_ = true;
    if (open_) start_write();
    return {};
  }

  void shutdown_write() override {
    if (!open_ || error_) return;
    closing_ = true;
    stream_.async_close(websocket::close_code::normal,
                        [this, owner = owner_->shared_from_this()](const ErrorCode&) noexcept {
                          if (!closed_) fail(asio::error::eof);
                        });
  }

  void close() override {
    closed_ = true;
    ErrorCode ignored;
    beast::get_lowest_layer(stream_).close(ignored);
  }

 private:
  using Stream = websocket::stream<TcpSocket>;

  // --- handshake --------------------------------------------------------------------------------

  void read_request() {
    handshake_ = std::make_unique<Handshake>();
    handshake_->parser.header_limit(kHandshakeBytesMax);
    handshake_->parser.body_limit(0);
    http::async_read_header(
        stream_.next_layer(), handshake_->buffer, handshake_->parser,
        [this, owner = owner_->shared_from_this()](const ErrorCode& error, std::size_t) noexcept {
          if (closed_) return;
          if (error) {
            fail(error);
          } else {
            answer_request();
          }
        });
  }

  void answer_request() {
    const auto& request = handshake_->parser.get();
    if (!websocket::is_upgrade(request)) {
      refuse_request();
      return;
    }
    const auto field = request[http::field::sec_websocket_protocol];
    const std::string_view chosen = choose_subprotocol({field.data(), field.size()});
    mqtt_ = chosen.starts_with("mqtt");
    // The stream of packets may come in one message without end; the session limits each of them.
    if (mqtt_) stream_.read_message_max(0);
    stream_.set_option(
        websocket::stream_base::decorator([chosen](websocket::response_type& answer) {
          answer.set(http::field::server, "Pabal");
          if (!chosen.empty()) {
            answer.set(http::field::sec_websocket_protocol,
                       boost::string_view(chosen.data(), chosen.size()));
          }
        }));
    stream_.async_accept(
        request, [this, owner = owner_->shared_from_this()](const ErrorCode& error) noexcept {
          handshake_.reset();
          if (closed_) return;
          if (error) {
            fail(error);
            return;
          }
          open_ = true;
          if (write_pending_) start_write();
          if (wanted_) start_read();
        });
  }

  void refuse_request() {
    logger_.peer_fault("websocket", "closed: the request is not a WebSocket upgrade",
                       {{"listener", endpoint_.name}});
    auto& answer = handshake_->answer;
    answer.result(http::status::upgrade_required);
    answer.set(http::field::server, "Pabal");
    answer.set(http::field::upgrade, "websocket");
    answer.set(http::field::content_type, "text/plain");
    answer.keep_alive(false);
    answer.body() = "This port speaks STOMP and MQTT over WebSocket.\n";
    answer.prepare_payload();
    http::async_write(
        stream_.next_layer(), answer,
        [this, owner = owner_->shared_from_this()](const ErrorCode&, std::size_t) noexcept {
          if (!closed_) fail(asio::error::connection_refused);
        });
  }

  // --- open -------------------------------------------------------------------------------------

  void start_read() {
    if (reading_ || closed_) return;
    reading_ = true;
    if (input_.empty()) input_.resize(kReadBytes);
    stream_.async_read_some(asio::buffer(input_),
                            [this, owner = owner_->shared_from_this()](const ErrorCode& error,
                                                                       std::size_t count) noexcept {
                              reading_ = false;
                              if (closed_) return;
                              input_bytes_ = count;
                              if (error) error_ = translate(error);
                              // [MQTT-6.0.0-1]
                              if (!error && mqtt_ && !stream_.got_binary()) refuse_text();
                              tell_readable();
                            });
  }

  void refuse_text() {
    logger_.peer_fault("websocket", "closed: MQTT came in a frame that is not binary",
                       {{"listener", endpoint_.name}});
    input_bytes_ = 0;
    error_ = asio::error::connection_aborted;
    stream_.async_close(websocket::close_code::unknown_data,
                        [owner = owner_->shared_from_this()](const ErrorCode&) noexcept {});
  }

  void start_write() {
    stream_.text(!mqtt_ && is_utf8(output_));
    stream_.async_write(asio::buffer(output_),
                        [this, owner = owner_->shared_from_this()](const ErrorCode& error,
                                                                   std::size_t count) noexcept {
                          write_pending_ = false;
                          output_.clear();
                          if (output_.capacity() > kKeptBytesMax) output_.shrink_to_fit();
                          if (closed_) return;
                          if (error) fail(translate(error));
                          // The owner may be waiting for nothing else; its next write fails.
                          if (!closed_) owner_->on_writable(error ? 0 : count);
                        });
  }

  /// A proper WebSocket close is the peer's end of the stream.
  static ErrorCode translate(const ErrorCode& error) {
    return error == websocket::error::closed ? ErrorCode(asio::error::eof) : error;
  }

  void tell_readable() {
    if (closed_ || !std::exchange(wanted_, false)) return;
    owner_->on_readable();
  }

  void fail(const ErrorCode& error) {
    error_ = error;
    tell_readable();
  }

  static constexpr std::size_t kKeptBytesMax = 64 * 1024;
  struct Handshake {
    beast::flat_static_buffer<kHandshakeBytesMax> buffer;
    http::request_parser<http::string_body> parser;
    http::response<http::string_body> answer;
  };

  Stream stream_;
  const Endpoint& endpoint_;
  Logger& logger_;
  TransportOwner* owner_ = nullptr;
  std::unique_ptr<Handshake> handshake_;
  std::string input_;
  std::size_t input_bytes_ = 0;
  std::string output_;
  ErrorCode error_;
  bool open_ = false;
  bool mqtt_ = false;    // the subprotocol; otherwise STOMP
  bool wanted_ = false;  // the owner waits for on_readable()
  bool reading_ = false;
  bool write_pending_ = false;
  bool closing_ = false;
  bool closed_ = false;
};

}  // namespace

std::unique_ptr<Transport> make_websocket_transport(TcpSocket socket, const Endpoint& endpoint,
                                                    Logger& logger) {
  return std::make_unique<WebSocketTransport>(std::move(socket), endpoint, logger);
}

}  // namespace pabal::server
