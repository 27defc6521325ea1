#include "protocols/stomp/frame_parser.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "protocols/stomp/text.h"

// The grammar (STOMP 1.2 "Augmented BNF", and what reference/stomp.md §2 observed of clients):
//
//   frame   = *EOL command EOL *(header EOL) EOL body NUL
//   header  = name ":" value          split at the first colon, name not empty
//   EOL     = [CR] LF                 1.1 keeps the CR of a header line in the value
//   body    = content-length octets if that header is present, else everything up to the first NUL
//
// advance() walks the stages command → headers → counted_body | open_body and remembers where it
// stands in offsets, so that it goes on when more bytes are there, wherever these lie by then.

namespace pabal::stomp {
namespace {

/// A counted body is given its whole memory at once only after the peer has sent so much of it.
constexpr std::size_t kReserveAfterBytes = 1024 * 1024;
/// Vectors grown by an unusual frame are given back.
constexpr std::size_t kKeptHeaders = 64;

const char* find_byte(const char* bytes, std::size_t from, std::size_t to, char wanted) noexcept {
  return static_cast<const char*>(std::memchr(bytes + from, wanted, to - from));
}

/// STOMP 1.2 "Value Encoding": these do not escape, so that 1.0 peers understand them.
bool is_connect(std::string_view command) noexcept {
  return command == "CONNECT" || command == "STOMP";
}

}  // namespace

void FrameParser::set_version(Version version) noexcept {
  version_ = version;
  connected_ = true;
}

ParseStatus FrameParser::next(Frame& frame) {
  if (failed_) return ParseStatus::failed;
  if (handed_out_collected_) {
    handed_out_collected_ = false;
    std::string().swap(collected_);  // an idle connection owns no buffer
  }
  if (!collected_.empty()) return collect(frame);

  const auto first =
      std::find_if(input_.begin(), input_.end(), [](char c) { return c != '\n' && c != '\r'; });
  input_.remove_prefix(static_cast<std::size_t>(first - input_.begin()));
  if (input_.empty()) return ParseStatus::need_more;

  begin_frame();
  const ParseStatus status = advance(input_.data(), input_.size());
  if (status == ParseStatus::frame) {
    hand_out(input_.data(), frame);
    input_.remove_prefix(frame_end_);
  } else if (status == ParseStatus::need_more) {
    collected_.assign(input_);
    input_ = {};
  }
  return status;
}

void FrameParser::begin_frame() noexcept {
  stage_ = Stage::command;
  has_content_length_ = false;
  scanned_ = line_start_ = command_size_ = body_start_ = frame_end_ = 0;
  raw_headers_.clear();
  if (raw_headers_.capacity() > kKeptHeaders) {
    std::vector<RawHeader>().swap(raw_headers_);
    std::vector<Header>().swap(headers_);
  }
}

/// Goes on with the frame in `collected_`, taking from the input nothing that may belong to the
/// next one.
ParseStatus FrameParser::collect(Frame& frame) {
  while (!input_.empty()) {
    const std::size_t size = portion();
    if (stage_ == Stage::counted_body && collected_.size() >= kReserveAfterBytes &&
        collected_.capacity() < frame_end_) {
      collected_.reserve(frame_end_);
    }
    collected_.append(input_.substr(0, size));
    input_.remove_prefix(size);
    const ParseStatus status = advance(collected_.data(), collected_.size());
    if (status == ParseStatus::frame) {
      hand_out(collected_.data(), frame);
      handed_out_collected_ = true;
      return status;
    }
    if (status == ParseStatus::failed) return status;
    if (stage_ < Stage::counted_body && collected_.back() == '\0') {
      return fail("Malformed frame: NUL before the end of the headers", "");
    }
  }
  return ParseStatus::need_more;
}

/// How much of the input surely belongs to the frame: what is missing of a counted body, else up to
/// the first NUL, which either ends the frame, lies in a counted body, or is an error.
std::size_t FrameParser::portion() const noexcept {
  if (stage_ == Stage::counted_body) {
    return std::min(input_.size(), frame_end_ - collected_.size());
  }
  const char* nul = find_byte(input_.data(), 0, input_.size(), '\0');
  return nul == nullptr ? input_.size() : static_cast<std::size_t>(nul - input_.data()) + 1;
}

ParseStatus FrameParser::advance(const char* bytes, std::size_t size) {
  if (stage_ == Stage::command) {
    if (const ParseStatus status = read_command(bytes, size); status != ParseStatus::frame) {
      return status;
    }
  }
  if (stage_ == Stage::headers) {
    if (const ParseStatus status = read_headers(bytes, size); status != ParseStatus::frame) {
      return status;
    }
  }
  return read_body(bytes, size);
}

ParseStatus FrameParser::read_command(const char* bytes, std::size_t size) {
  const char* end = find_byte(bytes, scanned_, size, '\n');
  const std::size_t line = end == nullptr ? size : static_cast<std::size_t>(end - bytes);
  if (line > options_->command_line_bytes_max) {
    return fail_limit("The maximum command length was exceeded", "command_line_bytes_max",
                      options_->command_line_bytes_max);
  }
  if (end == nullptr) {
    if (find_byte(bytes, scanned_, size, '\0') != nullptr) {
      return fail("Malformed frame: NUL in the command line", "");
    }
    scanned_ = size;
    return ParseStatus::need_more;
  }
  command_size_ = line;
  scanned_ = line_start_ = line + 1;
  stage_ = Stage::headers;
  return ParseStatus::frame;
}

ParseStatus FrameParser::read_headers(const char* bytes, std::size_t size) {
  while (true) {
    const char* end = find_byte(bytes, scanned_, size, '\n');
    const std::size_t line_end = end == nullptr ? size : static_cast<std::size_t>(end - bytes);
    if (line_end - line_start_ > options_->header_line_bytes_max) {
      return fail_limit("The maximum header length was exceeded", "header_line_bytes_max",
                        options_->header_line_bytes_max);
    }
    if (line_end > frame_bytes_max()) {
      return fail_limit("The maximum frame size was exceeded", "frame_bytes_max",
                        frame_bytes_max());
    }
    if (end == nullptr) {
      if (find_byte(bytes, scanned_, size, '\0') != nullptr) {
        return fail("Malformed frame: NUL before the end of the headers", "");
      }
      scanned_ = size;
      return ParseStatus::need_more;
    }
    const std::size_t line_size = line_end - line_start_;
    scanned_ = line_end + 1;
    if (line_size == 0 || (line_size == 1 && bytes[line_start_] == '\r')) {
      return end_headers(bytes);
    }
    if (const ParseStatus status = read_header(bytes, line_end); status != ParseStatus::frame) {
      return status;
    }
    line_start_ = line_end + 1;
  }
}

ParseStatus FrameParser::read_header(const char* bytes, std::size_t line_end) {
  if (raw_headers_.size() == options_->headers_max) {
    return fail_limit("The maximum number of headers was exceeded", "headers_max",
                      options_->headers_max);
  }
  const char* colon = find_byte(bytes, line_start_, line_end, ':');
  if (colon == nullptr || colon == bytes + line_start_) {
    return fail(
        "Unable to parse header line",
        std::string(bytes + line_start_, std::min<std::size_t>(line_end - line_start_, 200)));
  }
  RawHeader header;
  header.name = line_start_;
  header.name_size = static_cast<std::size_t>(colon - bytes) - line_start_;
  header.value = header.name + header.name_size + 1;
  header.value_size = line_end - header.value;
  if (!has_content_length_ &&
      trim({bytes + header.name, header.name_size}) == std::string_view("content-length")) {
    has_content_length_ = true;
    content_length_value_ = raw_headers_.size();
  }
  raw_headers_.push_back(header);
  return ParseStatus::frame;
}

/// The blank line is read: whether the headers are sound, and how the body ends.
ParseStatus FrameParser::end_headers(const char* bytes) {
  body_start_ = scanned_;
  if (find_byte(bytes, 0, body_start_, '\0') != nullptr) {
    // Such a header would end the frame early for every receiver that it is passed on to.
    return fail("Malformed frame: NUL before the end of the headers", "");
  }
  if (!has_content_length_) {
    stage_ = Stage::open_body;
    return ParseStatus::frame;
  }
  const RawHeader& header = raw_headers_[content_length_value_];
  std::string_view text(bytes + header.value, header.value_size);
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  text = trim(text);
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error == std::errc::result_out_of_range ||
      (error == std::errc() && end == text.data() + text.size() &&
       length > options_->body_bytes_max)) {
    return fail_limit("The maximum data length was exceeded", "body_bytes_max",
                      options_->body_bytes_max);
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail("Specified content-length is not a valid integer",
                std::string(text.substr(0, 200)));
  }
  stage_ = Stage::counted_body;
  frame_end_ = body_start_ + static_cast<std::size_t>(length) + 1;
  if (frame_end_ > frame_bytes_max()) {
    return fail_limit("The maximum frame size was exceeded", "frame_bytes_max", frame_bytes_max());
  }
  return ParseStatus::frame;
}

ParseStatus FrameParser::read_body(const char* bytes, std::size_t size) {
  if (stage_ == Stage::counted_body) {
    if (size < frame_end_) return ParseStatus::need_more;
    if (bytes[frame_end_ - 1] != '\0') {
      return fail("content-length bytes were read and there was no trailing null byte", "");
    }
    return ParseStatus::frame;
  }
  const char* nul = find_byte(bytes, scanned_, size, '\0');
  const std::size_t end = nul == nullptr ? size : static_cast<std::size_t>(nul - bytes);
  if (end - body_start_ > options_->body_bytes_max) {
    return fail_limit("The maximum data length was exceeded", "body_bytes_max",
                      options_->body_bytes_max);
  }
  if (end + 1 > frame_bytes_max()) {
    return fail_limit("The maximum frame size was exceeded", "frame_bytes_max", frame_bytes_max());
  }
  scanned_ = end;
  frame_end_ = end + 1;
  return nul == nullptr ? ParseStatus::need_more : ParseStatus::frame;
}

void FrameParser::hand_out(const char* bytes, Frame& frame) {
  std::string_view command(bytes, command_size_);
  if (!command.empty() && command.back() == '\r') command.remove_suffix(1);
  frame.command = trim(command);
  frame.has_content_length = has_content_length_;
  frame.body = {bytes + body_start_, frame_end_ - 1 - body_start_};

  const bool connect = is_connect(frame.command);
  const bool trims = version_ == Version::v1_0 && !connect;
  const bool drops_carriage_return = version_ != Version::v1_1 || connect;
  const bool escaped = !connect && find_byte(bytes, 0, body_start_, '\\') != nullptr;
  if (escaped) {
    unescaped_.clear();
    unescaped_.reserve(body_start_);  // unescaping only shortens: the views below stay valid
  }
  headers_.clear();
  for (const RawHeader& raw : raw_headers_) {
    Header header{{bytes + raw.name, raw.name_size}, {bytes + raw.value, raw.value_size}};
    if (drops_carriage_return && !header.value.empty() && header.value.back() == '\r') {
      header.value.remove_suffix(1);
    }
    if (trims) header = {trim(header.name), trim(header.value)};
    if (escaped) {
      // 1.0 knows no escapes in names; ActiveMQ unescapes values in every version.
      if (version_ != Version::v1_0) header.name = unescape(header.name);
      header.value = unescape(header.value);
    }
    headers_.push_back(header);
  }
  frame.headers = headers_;
}

/// STOMP 1.2 "Value Encoding", lenient: what is no escape of this version is taken as it stands.
std::string_view FrameParser::unescape(std::string_view text) {
  std::size_t backslash = text.find('\\');
  if (backslash == std::string_view::npos) return text;
  const std::size_t start = unescaped_.size();
  while (backslash != std::string_view::npos && backslash + 1 < text.size()) {
    unescaped_.append(text.substr(0, backslash));
    const char code = text[backslash + 1];
    if (code == 'n') {
      unescaped_ += '\n';
    } else if (code == 'c') {
      unescaped_ += ':';
    } else if (code == '\\') {
      unescaped_ += '\\';
    } else if (code == 'r' && version_ == Version::v1_2) {
      unescaped_ += '\r';
    } else {
      unescaped_ += '\\';
      unescaped_ += code;
    }
    text.remove_prefix(backslash + 2);
    backslash = text.find('\\');
  }
  unescaped_.append(text);
  return std::string_view(unescaped_).substr(start);
}

ParseStatus FrameParser::fail(std::string_view error, std::string detail) {
  failed_ = true;
  error_ = error;
  error_detail_ = std::move(detail);
  input_ = {};
  std::string().swap(collected_);
  return ParseStatus::failed;
}

ParseStatus FrameParser::fail_limit(std::string_view error, std::string_view name,
                                    std::size_t limit) {
  std::string detail(name);
  detail += " is ";
  detail += std::to_string(limit);
  return fail(error, std::move(detail));
}

}  // namespace pabal::stomp
