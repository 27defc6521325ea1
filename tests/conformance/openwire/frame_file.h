#pragma once

#include <string>
#include <vector>

#include "protocols/openwire/codec.h"

namespace pabal::tests {

/// One captured frame.
struct CapturedFrame {
  std::string file;
  int line = 0;
  bool from_client = false;
  int connection = 0;
  std::string comment;  ///< "ConsumerInfo …", as captured
  std::string bytes;    ///< with its length
  openwire::WireFormat format;
  bool readable = false;  ///< loose and uncached, as a broker of ours agrees to
  [[nodiscard]] std::string where() const { return file + ":" + std::to_string(line); }
};

/// All frames of a folder, by name of file and line. Errors: text with file and line, in `error`.
std::vector<CapturedFrame> read_frame_files(const std::string& folder, std::string& error);

/// The bytes of hexadecimal digits, blanks between them ignored; empty if they are none.
std::string from_hex(const std::string& text);

}  // namespace pabal::tests
