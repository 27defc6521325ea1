#include "protocols/openwire/frame_parser.h"

#include <utility>

#include "protocols/openwire/wire.h"

namespace pabal::openwire {
namespace {

constexpr std::size_t kSizeBytes = 4;
/// A frame is given its whole memory at once only after the peer has sent so much of it.
constexpr std::size_t kReserveAfterBytes = 1024 * 1024;

}  // namespace

ParseStatus FrameParser::next(std::string_view& frame) {
  if (failed_) return ParseStatus::failed;
  if (handed_out_collected_) {
    handed_out_collected_ = false;
    size_ = 0;
    std::string().swap(collected_);  // an idle connection owns no buffer
  }
  if (!collected_.empty()) return collect(frame);
  if (input_.empty()) return ParseStatus::need_more;
  if (input_.size() >= kSizeBytes) {
    const auto size = load_big<std::uint32_t>(input_.data());
    if (!check_size(size)) return ParseStatus::failed;
    if (input_.size() - kSizeBytes >= size) {
      frame = input_.substr(kSizeBytes, size);
      input_.remove_prefix(kSizeBytes + size);
      return ParseStatus::frame;
    }
    size_ = size;
  }
  collected_.assign(input_);
  input_ = {};
  return ParseStatus::need_more;
}

ParseStatus FrameParser::collect(std::string_view& frame) {
  const auto take = [this](std::size_t up_to) {
    const std::string_view portion = input_.substr(0, up_to - collected_.size());
    collected_.append(portion);
    input_.remove_prefix(portion.size());
    return collected_.size() == up_to;
  };
  if (size_ == 0) {
    if (!take(kSizeBytes)) return ParseStatus::need_more;
    const auto size = load_big<std::uint32_t>(collected_.data());
    if (!check_size(size)) return ParseStatus::failed;
    size_ = size;
  }
  const std::size_t whole = kSizeBytes + std::size_t{size_};
  if (collected_.size() >= kReserveAfterBytes && collected_.capacity() < whole) {
    collected_.reserve(whole);
  }
  if (!take(whole)) return ParseStatus::need_more;
  handed_out_collected_ = true;
  frame = std::string_view(collected_).substr(kSizeBytes);
  return ParseStatus::frame;
}

/// As a signed number a negative size is among those above any limit.
bool FrameParser::check_size(std::uint32_t size) {
  if (size == 0) {
    fail("a frame without a type code");
    return false;
  }
  if (size > frame_bytes_max_) {
    fail("a frame longer than the maximum of " + std::to_string(frame_bytes_max_) + " bytes");
    return false;
  }
  return true;
}

ParseStatus FrameParser::fail(std::string error) {
  failed_ = true;
  error_ = std::move(error);
  input_ = {};
  std::string().swap(collected_);
  return ParseStatus::failed;
}

}  // namespace pabal::openwire
