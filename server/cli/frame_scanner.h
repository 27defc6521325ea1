#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pabal::cli {

/// One frame of a server, as views into the bytes it was found in. Header text is as on the wire,
/// escapes and all.
struct FrameView {
  std::string_view command;
  std::string_view headers;  ///< the lines between command and blank line, each with its LF
  std::string_view body;
  std::string_view ack;         ///< first `ack` header; empty: none
  std::string_view receipt_id;  ///< first `receipt-id` header; empty: none
  std::size_t size = 0;         ///< bytes to step over, line ends before the frame included
};

/// Finds the frames in a stream of bytes from any STOMP broker. A client trusts its broker, so
/// there are no limits here beyond the caller's buffer. Skips a body by its content-length, or
/// finds its NUL; remembers how far it looked, so that a large body costs one pass.
class FrameScanner {
 public:
  enum class Answer : std::uint8_t {
    frame,       ///< `frame` is filled
    incomplete,  ///< more bytes are needed
    malformed,   ///< this is not STOMP: no NUL after content-length bytes, or a bad length
  };

  /// Looks for one frame at the start of `bytes`. After `incomplete`, call again with the same
  /// start and more bytes; after `frame`, with what follows frame.size bytes.
  Answer next(std::string_view bytes, FrameView& frame);

 private:
  std::size_t searched_ = 0;  ///< bytes of an incomplete body known to hold no NUL, from the start
};

}  // namespace pabal::cli
