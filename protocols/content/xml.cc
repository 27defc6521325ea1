#include "protocols/content/xml.h"

#include "core/modified_utf8.h"

namespace pabal::content {

void append_xml_text(std::string& out, std::string_view utf8) {
  std::string scratch;
  for (const char c : core::utf8_of(utf8, scratch)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') {
          out += c;
        } else {
          constexpr std::string_view kHex = "0123456789abcdef";
          out += "&#x";
          if (c >= 0x10) out += '1';
          out += kHex[c & 15];
          out += ';';
        }
    }
  }
}

}  // namespace pabal::content
