#include "tests/conformance/openwire/frame_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace pabal::tests {
namespace {

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/// "C->B conn=2 id=1 responseRequired ConnectionInfo …" behind the '#'.
bool read_comment(std::string_view text, CapturedFrame& frame) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (!text.starts_with("C->B ") && !text.starts_with("B->C ")) return false;
  frame.from_client = text.starts_with('C');
  text.remove_prefix(5);
  constexpr std::string_view kConnection = "conn=";
  if (!text.starts_with(kConnection)) return false;
  frame.connection = std::stoi(std::string(text.substr(kConnection.size())));
  frame.comment = text.substr(text.find(' ') + 1);
  return true;
}

void read_file(const std::filesystem::path& path, std::vector<CapturedFrame>& frames,
               std::string& error) {
  const std::string name = path.filename().string();
  CapturedFrame next;
  next.file = name;
  next.format.version = std::stoi(name.substr(1));
  next.format.stack_traces = name.find("stacktrace") != std::string::npos;
  const bool plain = name.find("-loose-nocache") != std::string::npos;
  std::ifstream stream(path);
  bool announced = false;
  int line_number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++line_number;
    if (line.starts_with('#')) {
      announced = read_comment(std::string_view(line).substr(1), next) || announced;
      continue;
    }
    if (line.empty()) continue;
    next.line = line_number;
    next.bytes = from_hex(line);
    if (!announced || next.bytes.empty()) {
      error = next.where() + ": a frame without its comment, or no hexadecimal digits";
      return;
    }
    next.readable = plain || next.comment.starts_with("WireFormatInfo");
    frames.push_back(next);
    announced = false;
  }
}

}  // namespace

std::string from_hex(const std::string& text) {
  std::string bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int value = digit(c);
    if (value < 0) return {};
    if (high < 0) {
      high = value;
    } else {
      bytes += static_cast<char>(high * 16 + value);
      high = -1;
    }
  }
  return high < 0 ? bytes : std::string();
}

std::vector<CapturedFrame> read_frame_files(const std::string& folder, std::string& error) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".hex") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<CapturedFrame> frames;
  for (const auto& path : paths) {
    read_file(path, frames, error);
    if (!error.empty()) break;
  }
  return frames;
}

}  // namespace pabal::tests
