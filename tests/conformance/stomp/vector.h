#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pabal::tests {

/// One step of a case: a line that starts with `--- `, and the lines under it. See README.md.
struct VectorStep {
  std::string verb;  ///< "send", "expect" …
  std::vector<std::string> arguments;
  std::string content;  ///< the lines under it; markers not yet replaced
  int line = 0;
};

struct VectorCase {
  std::string name;
  std::string clause;
  std::vector<VectorStep> steps;
  std::string file;
  int line = 0;
};

/// Reads one file. Errors: text with file and line, in `error`.
std::vector<VectorCase> read_vector_file(const std::string& path, std::string& error);
/// All `.vector` files of a folder, by name.
std::vector<VectorCase> read_vector_folder(const std::string& folder, std::string& error);

/// Values that a case has seen: `<$name>`.
using VectorValues = std::map<std::string, std::string>;

/// The bytes that a content stands for. Errors: nullopt and `error`.
std::optional<std::string> expand(std::string_view content, const VectorValues& values,
                                  std::string& error);

/// Whether `actual` is what `pattern` describes: text, with `<*>` for anything, `<n>` for a decimal
/// number and `<$name>` for a value to remember, or one remembered.
bool match_text(std::string_view pattern, std::string_view actual, VectorValues& values);

struct WireFrame {
  std::string command;
  std::vector<std::string> headers;  ///< "name:value"
  std::string body;
};

/// Splits what the server wrote; frames end with NUL and LF. Errors: nullopt and `error`.
std::optional<std::vector<WireFrame>> split_frames(std::string_view bytes, std::string& error);
/// Splits an `expect` content: the body ends where its line says `<NUL>`.
std::optional<std::vector<WireFrame>> split_expected(std::string_view content, std::string& error);

}  // namespace pabal::tests
