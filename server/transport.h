#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <boost/system/error_code.hpp>

#include "server/config/config.h"

namespace pabal::server {

using ErrorCode = boost::system::error_code;

/// Whom a transport tells; the connection. Home: the loop.
class TransportOwner : public std::enable_shared_from_this<TransportOwner> {
 public:
  virtual ~TransportOwner() = default;
  /// One per wait_readable(): read() has something, or its error.
  virtual void on_readable() noexcept = 0;
  /// One per write() that did not take everything: `taken` more bytes of what it was given are gone
  /// now, and it may be called again.
  virtual void on_writable(std::size_t taken) noexcept = 0;
};

/// A byte stream to one peer that never blocks: TCP or WebSocket today, TLS later. Home: the loop.
/// Pending operations keep the owner alive; after close() it is not called any more.
class Transport {
 public:
  struct Read {
    std::span<const char> bytes;  ///< valid until the next call
    ErrorCode error;              ///< boost::asio::error::eof: the peer sends no more
  };
  struct Written {
    std::size_t bytes = 0;
    ErrorCode error;
  };

  virtual ~Transport() = default;
  /// Once, before anything else.
  virtual void open(TransportOwner& owner) = 0;
  /// Asks for one on_readable(). Not again before it came.
  virtual void wait_readable() = 0;
  /// What the peer has said, before its first bytes, that they are; automatic: it said nothing.
  /// Known when on_readable() comes.
  [[nodiscard]] virtual Protocol subprotocol() const noexcept = 0;
  /// What is there now, in `scratch` or in memory of the transport. Nothing and no error: nothing
  /// there yet.
  virtual Read read(std::span<char> scratch) = 0;
  /// Takes what it can of `bytes`. Fewer without an error: on_writable() follows, and the caller
  /// repeats what was not taken by then, from the same place.
  virtual Written write(std::string_view bytes) = 0;
  /// No more bytes will be written; what was is delivered, then the peer reads the end.
  virtual void shutdown_write() = 0;
  virtual void close() = 0;
};

}  // namespace pabal::server
