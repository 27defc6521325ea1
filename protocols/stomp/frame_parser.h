#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/stomp/session_options.h"
#include "protocols/stomp/version.h"

namespace pabal::stomp {

struct Header {
  std::string_view name;
  std::string_view value;
};

/// One frame from the peer, unescaped. Its views hold until the parser's next call.
struct Frame {
  std::string_view command;
  std::span<const Header> headers;
  std::string_view body;
  bool has_content_length = false;

  /// The first header of that name (STOMP 1.2 "Repeated Header Entries"), or null.
  [[nodiscard]] const std::string_view* find(std::string_view name) const noexcept {
    for (const Header& header : headers) {
      if (header.name == name) return &header.value;
    }
    return nullptr;
  }
};

enum class ParseStatus : std::uint8_t { need_more, frame, failed };

/// Bytes to frames, in any portions. A frame that lies whole in the input is handed out as views of
/// the input; only one that straddles two portions is collected, and what was scanned once is not
/// scanned again, so that a large body in many small portions costs linear time.
///
///   parser.feed(bytes);
///   while (parser.next(frame) == ParseStatus::frame) …
///
/// `bytes` must stay valid until next() answers need_more or failed. A failure is final.
class FrameParser {
 public:
  /// `options` outlives the parser. Starts with the rules of 1.0 and the limit for frames before
  /// CONNECT.
  explicit FrameParser(const SessionOptions& options) noexcept : options_(&options) {}

  /// The rules for the frames that come next; lifts the limit for frames before CONNECT.
  void set_version(Version version) noexcept;

  void feed(std::string_view bytes) noexcept { input_ = bytes; }
  ParseStatus next(Frame& frame);

  /// After failed: what ActiveMQ says, and the limit that was passed or the line at fault.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  [[nodiscard]] const std::string& error_detail() const noexcept { return error_detail_; }

 private:
  enum class Stage : std::uint8_t { command, headers, counted_body, open_body };

  /// Places in the frame's bytes, which may still move.
  struct RawHeader {
    std::size_t name = 0;
    std::size_t name_size = 0;
    std::size_t value = 0;
    std::size_t value_size = 0;
  };

  void begin_frame() noexcept;
  ParseStatus collect(Frame& frame);
  [[nodiscard]] std::size_t portion() const noexcept;
  ParseStatus advance(const char* bytes, std::size_t size);
  ParseStatus read_command(const char* bytes, std::size_t size);
  ParseStatus read_headers(const char* bytes, std::size_t size);
  ParseStatus read_header(const char* bytes, std::size_t line_end);
  ParseStatus end_headers(const char* bytes);
  ParseStatus read_body(const char* bytes, std::size_t size);
  void hand_out(const char* bytes, Frame& frame);
  std::string_view unescape(std::string_view text);
  ParseStatus fail(std::string_view error, std::string detail);
  ParseStatus fail_limit(std::string_view error, std::string_view name, std::size_t limit);
  [[nodiscard]] std::size_t frame_bytes_max() const noexcept {
    return connected_ ? options_->frame_bytes_max : options_->unconnected_frame_bytes_max;
  }

  const SessionOptions* options_;
  Version version_ = Version::v1_0;
  bool connected_ = false;
  bool failed_ = false;
  bool handed_out_collected_ = false;

  std::string_view input_;
  std::string collected_;  // the frame that straddles portions, from its first byte
  std::string unescaped_;  // of the frame handed out

  // The frame being read; offsets count from its first byte.
  Stage stage_ = Stage::command;
  bool has_content_length_ = false;
  std::size_t scanned_ = 0;  // no line end (or NUL, in an open body) before this
  std::size_t line_start_ = 0;
  std::size_t command_size_ = 0;
  std::size_t content_length_value_ = 0;  // index of the raw header
  std::size_t body_start_ = 0;
  std::size_t frame_end_ = 0;  // one past its NUL, once known
  std::vector<RawHeader> raw_headers_;
  std::vector<Header> headers_;

  std::string error_;
  std::string error_detail_;
};

}  // namespace pabal::stomp
