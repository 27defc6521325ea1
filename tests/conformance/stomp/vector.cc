#include "tests/conformance/stomp/vector.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace pabal::tests {
namespace {

std::string strip(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// Blank lines at a content's end are there for the reader.
void drop_blank_end(std::string& content) {
  while (content.size() >= 2 && content.ends_with("\n\n")) content.pop_back();
  if (content == "\n") content.clear();
}

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What stands between '<' and '>' in a content, as bytes; nullopt: no marker.
std::optional<std::string> expand_marker(std::string_view marker, const VectorValues& values) {
  if (marker == "NUL") return std::string(1, '\0');
  if (marker == "LF") return "\n";
  if (marker == "CR") return "\r";
  if (marker == "TAB") return "\t";
  if (marker == "SP") return " ";
  if (marker == "LT") return "<";
  if (marker.starts_with("$")) {
    const auto found = values.find(std::string(marker.substr(1)));
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
  if (marker.starts_with("x")) {
    unsigned code = 0;
    const char* last = marker.data() + marker.size();
    const auto [end, error] = std::from_chars(marker.data() + 1, last, code, 16);
    if (error != std::errc() || end != last || code > 255) return std::nullopt;
    return std::string(1, static_cast<char>(code));
  }
  if (marker.starts_with("repeat:")) {  // repeat:COUNT:TEXT
    const std::string_view rest = marker.substr(7);
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto count = number_of(rest.substr(0, colon));
    if (!count) return std::nullopt;
    std::string text;
    for (std::size_t i = 0; i < *count; ++i) text += rest.substr(colon + 1);
    return text;
  }
  return std::nullopt;
}

}  // namespace

std::vector<VectorCase> read_vector_file(const std::string& path, std::string& error) {
  std::ifstream stream(path);
  if (!stream) {
    error = path + ": cannot be read";
    return {};
  }
  std::vector<VectorCase> cases;
  int number = 0;
  const auto fail = [&](const std::string& text) {
    error = path + ":" + std::to_string(number) + ": " + text;
    return std::vector<VectorCase>();
  };
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.starts_with("#!")) continue;  // a comment, wherever it stands
    if (line.starts_with("=== ")) {
      const auto bar = line.find(" | ");
      if (bar == std::string::npos) return fail("expected: === name | clause");
      cases.push_back(
          {strip(line.substr(4, bar - 4)), strip(line.substr(bar + 3)), {}, path, number});
    } else if (line.starts_with("--- ")) {
      if (cases.empty()) return fail("a step before the first case");
      auto words = words_of(line.substr(4));
      if (words.empty()) return fail("an empty step");
      VectorStep step;
      step.verb = words.front();
      step.arguments.assign(words.begin() + 1, words.end());
      step.line = number;
      cases.back().steps.push_back(std::move(step));
    } else if (!cases.empty() && !cases.back().steps.empty()) {
      cases.back().steps.back().content += line + "\n";
    } else if (!strip(line).empty()) {
      return fail("text before the first step");
    }
  }
  for (VectorCase& one : cases) {
    for (VectorStep& step : one.steps) drop_blank_end(step.content);
  }
  return cases;
}

std::vector<VectorCase> read_vector_folder(const std::string& folder, std::string& error) {
  std::vector<std::string> paths;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    if (entry.path().extension() == ".vector") paths.push_back(entry.path().string());
  }
  if (code) {
    error = folder + ": " + code.message();
    return {};
  }
  std::sort(paths.begin(), paths.end());
  std::vector<VectorCase> all;
  for (const std::string& path : paths) {
    auto cases = read_vector_file(path, error);
    if (!error.empty()) return {};
    std::move(cases.begin(), cases.end(), std::back_inserter(all));
  }
  return all;
}

std::optional<std::string> expand(std::string_view content, const VectorValues& values,
                                  std::string& error) {
  std::string bytes;
  while (!content.empty()) {
    const auto open = content.find('<');
    bytes += content.substr(0, open);
    if (open == std::string_view::npos) break;
    content.remove_prefix(open);
    const auto close = content.find('>');
    if (close == std::string_view::npos) {
      error = "'<' without '>'; write <LT>";
      return std::nullopt;
    }
    const std::string_view marker = content.substr(1, close - 1);
    content.remove_prefix(close + 1);
    if (marker == "-") {  // no line end here
      if (content.starts_with("\n")) content.remove_prefix(1);
      continue;
    }
    const auto text = expand_marker(marker, values);
    if (!text) {
      error = "unknown marker <" + std::string(marker) + ">";
      return std::nullopt;
    }
    bytes += *text;
  }
  return bytes;
}

bool match_text(std::string_view pattern, std::string_view actual, VectorValues& values) {
  const auto open = pattern.find('<');
  if (open == std::string_view::npos) return pattern == actual;
  if (pattern.substr(0, open) != actual.substr(0, open)) return false;
  pattern.remove_prefix(open);
  actual.remove_prefix(open);
  const auto close = pattern.find('>');
  if (close == std::string_view::npos) return false;
  const std::string_view marker = pattern.substr(1, close - 1);
  pattern.remove_prefix(close + 1);

  const bool named = marker.starts_with("$");
  const auto known = named ? values.find(std::string(marker.substr(1))) : values.end();
  if (marker == "*" || marker == "n" || (named && known == values.end())) {
    const std::size_t least = marker == "*" ? 0 : 1;
    for (std::size_t size = actual.size() + 1; size-- > least;) {
      const std::string_view taken = actual.substr(0, size);
      if (marker == "n" && taken.find_first_not_of("0123456789") != std::string_view::npos)
        continue;
      VectorValues trial = values;
      if (named) trial[std::string(marker.substr(1))] = taken;
      if (!match_text(pattern, actual.substr(size), trial)) continue;
      values = std::move(trial);
      return true;
    }
    return false;
  }
  const auto text = expand_marker(marker, values);
  if (!text || !actual.starts_with(*text)) return false;
  return match_text(pattern, actual.substr(text->size()), values);
}

std::optional<std::vector<WireFrame>> split_frames(std::string_view bytes, std::string& error) {
  std::vector<WireFrame> frames;
  while (!bytes.empty()) {
    if (bytes.starts_with("\n")) {  // heart-beats are frames of their own here
      frames.push_back({"<heart-beat>", {}, {}});
      bytes.remove_prefix(1);
      continue;
    }
    WireFrame frame;
    std::size_t length = std::string_view::npos;
    for (bool first = true;; first = false) {
      const auto end = bytes.find('\n');
      if (end == std::string_view::npos) {
        error = "the server's frame ends in its headers";
        return std::nullopt;
      }
      const std::string_view line = bytes.substr(0, end);
      bytes.remove_prefix(end + 1);
      if (line.empty()) break;
      if (first) {
        frame.command = line;
        continue;
      }
      frame.headers.emplace_back(line);
      if (line.starts_with("content-length:")) length = number_of(line.substr(15)).value_or(0);
    }
    if (length == std::string_view::npos) length = bytes.find('\0');
    if (length == std::string_view::npos || length >= bytes.size() || bytes[length] != '\0') {
      error = "the server's " + frame.command + " has no NUL where it must end";
      return std::nullopt;
    }
    frame.body = bytes.substr(0, length);
    bytes.remove_prefix(length + 1);
    if (!bytes.starts_with("\n")) {
      error = "the server's " + frame.command + " has no line end behind its NUL";
      return std::nullopt;
    }
    bytes.remove_prefix(1);
    frames.push_back(std::move(frame));
  }
  return frames;
}

std::optional<std::vector<WireFrame>> split_expected(std::string_view content, std::string& error) {
  std::vector<WireFrame> frames;
  constexpr std::string_view kEnd = "<NUL>\n";
  while (!content.empty()) {
    if (content.starts_with("\n")) {
      content.remove_prefix(1);
      continue;
    }
    if (content.starts_with("<heart-beat>\n")) {
      frames.push_back({"<heart-beat>", {}, {}});
      content.remove_prefix(13);
      continue;
    }
    const auto end = content.find(kEnd);
    const auto blank = content.find("\n\n");
    if (end == std::string_view::npos || blank == std::string_view::npos || blank > end) {
      error = "an expected frame needs a blank line and <NUL> at the end of a line";
      return std::nullopt;
    }
    WireFrame frame;
    std::istringstream head{std::string(content.substr(0, blank))};
    std::getline(head, frame.command);
    for (std::string line; std::getline(head, line);) frame.headers.push_back(line);
    frame.body = content.substr(blank + 2, end - blank - 2);
    content.remove_prefix(end + kEnd.size());
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace pabal::tests
