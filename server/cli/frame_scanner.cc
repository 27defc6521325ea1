#include "server/cli/frame_scanner.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace pabal::cli {
namespace {

/// Value of the header `line` if its name is `name` (with the colon).
bool header_value(std::string_view line, std::string_view name, std::string_view& value) {
  if (!line.starts_with(name)) return false;
  value = line.substr(name.size());
  return true;
}

}  // namespace

FrameScanner::Answer FrameScanner::next(std::string_view bytes, FrameView& frame) {
  const char* const start = bytes.data();
  const char* const end = start + bytes.size();
  const char* at = start;
  while (at != end && (*at == '\n' || *at == '\r')) ++at;  // heart-beats, and the LF after a NUL

  const auto next_line = [&](std::string_view& line) {
    const auto* newline = static_cast<const char*>(std::memchr(at, '\n', end - at));
    if (newline == nullptr) return false;
    line = {at, static_cast<std::size_t>(newline - at)};
    if (line.ends_with('\r')) line.remove_suffix(1);
    at = newline + 1;
    return true;
  };

  if (at == end || !next_line(frame.command)) return Answer::incomplete;
  const char* const headers = at;
  std::string_view length_text;
  frame.ack = frame.receipt_id = {};
  for (std::string_view line;;) {
    const char* const line_start = at;
    if (at == end || !next_line(line)) return Answer::incomplete;
    if (line.empty()) {
      frame.headers = {headers, static_cast<std::size_t>(line_start - headers)};
      break;
    }
    // First letters decide before anything is compared: this runs for every header of every frame.
    if (line[0] == 'c') {
      if (length_text.empty()) header_value(line, "content-length:", length_text);
    } else if (line[0] == 'a') {
      if (frame.ack.empty()) header_value(line, "ack:", frame.ack);
    } else if (line[0] == 'r') {
      if (frame.receipt_id.empty()) header_value(line, "receipt-id:", frame.receipt_id);
    }
  }

  const auto available = static_cast<std::size_t>(end - at);
  if (!length_text.empty()) {
    std::size_t length = 0;
    const char* const text_end = length_text.data() + length_text.size();
    const auto [stop, error] = std::from_chars(length_text.data(), text_end, length);
    if (error != std::errc() || stop != text_end) return Answer::malformed;
    if (available <= length) return Answer::incomplete;
    if (at[length] != '\0') return Answer::malformed;
    frame.body = {at, length};
  } else {
    const std::size_t body_start = at - start;
    const char* const from = start + std::max(body_start, searched_);
    const auto* nul = static_cast<const char*>(std::memchr(from, '\0', end - from));
    if (nul == nullptr) {
      searched_ = bytes.size();
      return Answer::incomplete;
    }
    frame.body = {at, static_cast<std::size_t>(nul - at)};
  }
  searched_ = 0;
  frame.size = static_cast<std::size_t>(frame.body.data() + frame.body.size() + 1 - start);
  return Answer::frame;
}

}  // namespace pabal::cli
