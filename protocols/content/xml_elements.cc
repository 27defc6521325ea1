#include <charconv>
#include <cstdint>

#include "protocols/content/element.h"
#include "protocols/content/xstream.h"

namespace pabal::content {
namespace {

class XmlReader {
 public:
  explicit XmlReader(std::string_view text) : text_(text) {}

  const char* read(Element& root) {
    if (!prologue() || !element(root, 0)) return why_;
    if (!misc()) return why_;
    if (at_ != text_.size()) fail("XML: something stands behind the end");
    return why_;
  }

 private:
  bool fail(const char* why) {
    if (why_ == nullptr) why_ = why;
    return false;
  }
  [[nodiscard]] std::string_view rest() const noexcept { return text_.substr(at_); }
  void blanks() noexcept {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  static bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  bool skip_to(std::string_view end) {
    const std::size_t found = text_.find(end, at_);
    if (found == text_.npos) return fail("XML: it ends too early");
    at_ = found + end.size();
    return true;
  }
  bool prologue() {
    blanks();
    if (rest().starts_with("<?xml") && !skip_to("?>")) return false;
    return misc();
  }
  /// Blanks and comments.
  bool misc() {
    for (blanks(); rest().starts_with("<!--"); blanks()) {
      if (!skip_to("-->")) return false;
    }
    return true;
  }

  bool element(Element& element, int depth) {
    if (depth > kElementDepthMax) return fail("XML: nested too deeply");
    if (++elements_ > kXStreamElementsMax) return fail("XML: too many elements");
    bool closed = false;
    if (!start_tag(element.name, closed)) return false;
    return closed || content(element, depth);
  }

  bool start_tag(std::string_view& name, bool& closed) {
    if (!rest().starts_with('<')) return fail("XML: an element was expected");
    const std::size_t start = ++at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    name = text_.substr(start, at_ - start);
    if (name.empty()) return fail("XML: an element was expected");
    // Attributes say nothing about a map's values.
    for (char quote = '\0'; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '>') {
        closed = text_[at_ - 1] == '/';
        ++at_;
        return true;
      } else if (c == '<') {
        break;
      }
    }
    return fail("XML: a tag without its end");
  }
  static bool is_name(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  }

  bool content(Element& element, int depth) {
    bool blank = true;
    while (at_ < text_.size()) {
      if (rest().starts_with("<!--")) {
        if (!skip_to("-->")) return false;
      } else if (rest().starts_with("<![CDATA[")) {
        const std::size_t start = at_ + 9;
        if (!skip_to("]]>")) return false;
        element.text += text_.substr(start, at_ - 3 - start);
        blank = false;
      } else if (rest().starts_with("</")) {
        return end_tag(element, blank);
      } else if (text_[at_] == '<') {
        if (!this->element(element.children.emplace_back(), depth + 1)) return false;
      } else if (text_[at_] == '&') {
        if (!entity(element.text)) return false;
        blank = false;
      } else {
        blank = blank && is_blank(text_[at_]);
        element.text += text_[at_++];
      }
    }
    return fail("XML: it ends too early");
  }

  bool end_tag(Element& element, bool blank) {
    at_ += 2;
    if (!rest().starts_with(element.name)) return fail("XML: an end that does not fit");
    at_ += element.name.size();
    blanks();
    if (!rest().starts_with('>')) return fail("XML: an end that does not fit");
    ++at_;
    if (element.children.empty()) return true;
    if (!blank) return fail("XML: text beside elements");
    element.text.clear();
    return true;
  }

  bool entity(std::string& out) {
    struct Row {
      std::string_view name;
      char character;
    };
    static constexpr Row kRows[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (const Row& row : kRows) {
      if (!rest().starts_with(row.name)) continue;
      out += row.character;
      at_ += row.name.size();
      return true;
    }
    std::uint32_t code = 0;
    if (!rest().starts_with("&#")) return fail("XML: an unknown entity");
    const bool hex = rest().starts_with("&#x");
    const char* const begin = text_.data() + at_ + (hex ? 3 : 2);
    const auto [end, error] =
        std::from_chars(begin, text_.data() + text_.size(), code, hex ? 16 : 10);
    const bool ends = error == std::errc() && end != text_.data() + text_.size() && *end == ';';
    if (!ends || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      return fail("XML: what is no character");
    }
    append(out, code);
    at_ = static_cast<std::size_t>(end - text_.data()) + 1;
    return true;
  }

  static void append(std::string& out, std::uint32_t code) {
    const auto tail = [code](int shift) {
      return static_cast<char>(0x80 | (code >> shift & 0x3F));
    };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += {static_cast<char>(0xC0 | code >> 6), tail(0)};
    } else if (code < 0x10000) {
      out += {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
    } else {
      out += {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
  const char* why_ = nullptr;
};

}  // namespace

const char* read_xml_elements(std::string_view text, Element& root) {
  return XmlReader(text).read(root);
}

}  // namespace pabal::content
