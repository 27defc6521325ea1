#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pabal::openwire {

enum class ParseStatus : std::uint8_t { need_more, frame, failed };

/// Bytes to frames, in any portions. A frame that lies whole in the input is handed out as a view
/// of the input; only one that straddles two portions is collected. Its length is compared with the
/// limit before anything is set aside for it, and memory grows with what has come, not with what
/// was announced. Source: reference §1.1, §1.7.
///
///   parser.feed(bytes);
///   while (parser.next(frame) == ParseStatus::frame) …
///
/// `bytes` must stay valid until next() answers need_more or failed, and a frame until the next
/// call of next(). A failure is final.
class FrameParser {
 public:
  explicit FrameParser(std::uint32_t frame_bytes_max) noexcept
      : frame_bytes_max_(frame_bytes_max) {}

  /// Without the four bytes of their length; of the one that is being collected, too.
  void set_frame_bytes_max(std::uint32_t bytes) {
    frame_bytes_max_ = bytes;
    if (size_ != 0 && !handed_out_collected_) (void)check_size(size_);
  }

  void feed(std::string_view bytes) noexcept { input_ = bytes; }
  /// `frame`: from the type code on; at least one byte.
  ParseStatus next(std::string_view& frame);

  /// After failed.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  bool check_size(std::uint32_t size);
  ParseStatus collect(std::string_view& frame);
  ParseStatus fail(std::string error);

  std::uint32_t frame_bytes_max_;
  bool failed_ = false;
  bool handed_out_collected_ = false;
  std::uint32_t size_ = 0;  // of the frame in `collected_`; 0: not known yet
  std::string_view input_;
  std::string collected_;  // a frame that straddles portions, with its length
  std::string error_;
};

}  // namespace pabal::openwire
