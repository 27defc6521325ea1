#include <cstdint>

#include "core/modified_utf8.h"
#include "protocols/content/element.h"
#include "protocols/content/xstream.h"

namespace pabal::content {
namespace {

// RFC 8259, read straight into elements. `why_` is set once and ends everything.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  const char* read(Element& root) {
    Element document;
    value(document, 0);
    blanks();
    if (why_ == nullptr && at_ != text_.size()) why_ = "JSON: something stands behind the end";
    if (why_ == nullptr && document.children.size() != 1) why_ = "JSON: not one object";
    if (why_ == nullptr) root = std::move(document.children.front());
    return why_;
  }

 private:
  bool fail(const char* why) {
    if (why_ == nullptr) why_ = why;
    return false;
  }
  void blanks() noexcept {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }
  bool take(char c) noexcept {
    blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool value(Element& element, int depth) {
    if (depth > kElementDepthMax) return fail("JSON: nested too deeply");
    blanks();
    if (at_ == text_.size()) return fail("JSON: it ends too early");
    if (text_[at_] == '{') return object(element, depth);
    if (text_[at_] == '"') return string(element.text);
    return literal(element.text);
  }

  bool object(Element& element, int depth) {
    ++at_;
    if (take('}')) return true;
    do {
      blanks();
      // Names of elements have no escapes; what has is none that is understood.
      const std::size_t start = at_ + 1;
      std::string ignored;
      if (at_ == text_.size() || text_[at_] != '"') return fail("JSON: a member without a name");
      if (!string(ignored)) return false;
      const std::string_view name = text_.substr(start, at_ - start - 1);
      if (!take(':')) return fail("JSON: a member without a value");
      if (!member(element, name, depth)) return false;
    } while (take(','));
    return take('}') || fail("JSON: an object without its end");
  }

  bool member(Element& element, std::string_view name, int depth) {
    if (!take('[')) return child(element, name, depth);
    if (take(']')) return true;
    do {
      if (!child(element, name, depth)) return false;
    } while (take(','));
    return take(']') || fail("JSON: an array without its end");
  }

  bool child(Element& element, std::string_view name, int depth) {
    if (++elements_ > kXStreamElementsMax) return fail("JSON: too many values");
    Element& added = element.children.emplace_back();
    added.name = name;
    return value(added, depth + 1);
  }

  /// A number, true, false or null, as text.
  bool literal(std::string& out) {
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           std::string_view(",]} \t\r\n:\"[{").find(text_[at_]) == text_.npos) {
      ++at_;
    }
    const std::string_view word = text_.substr(start, at_ - start);
    const bool number = !word.empty() && (word[0] == '-' || (word[0] >= '0' && word[0] <= '9'));
    if (!number && word != "true" && word != "false" && word != "null") {
      return fail("JSON: what is no value");
    }
    if (word != "null") out = word;
    return true;
  }

  bool string(std::string& out) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return fail("JSON: a control character in a text");
      if (c != '\\') {
        out += c;
        ++at_;
      } else if (!escape(out)) {
        return false;
      }
    }
    if (at_ == text_.size()) return fail("JSON: a text without its end");
    ++at_;
    return true;
  }

  bool escape(std::string& out) {
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (at_ + 1 == text_.size()) return fail("JSON: a text without its end");
    const char c = text_[at_ + 1];
    at_ += 2;
    if (const auto known = kFrom.find(c); known != kFrom.npos) {
      out += kTo[known];
      return true;
    }
    std::uint32_t unit = 0;
    if (c != 'u' || !hex(unit)) return fail("JSON: an escape that is none");
    // Both halves of a pair one after the other are modified UTF-8, and turned at the end.
    std::string modified;
    append_unit(modified, unit);
    if (unit >= 0xD800 && unit <= 0xDBFF && text_.substr(at_).starts_with("\\u")) {
      const std::size_t before = at_;
      at_ += 2;
      if (!hex(unit)) return fail("JSON: an escape that is none");
      if (unit >= 0xDC00 && unit <= 0xDFFF) {
        append_unit(modified, unit);
      } else {
        at_ = before;
      }
    }
    return core::to_utf8(modified, out) || fail("JSON: an escape that is none");
  }

  bool hex(std::uint32_t& unit) noexcept {
    unit = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = at_ < text_.size() ? text_[at_] : '\0';
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return false;
      unit = unit << 4 | static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  static void append_unit(std::string& out, std::uint32_t unit) {
    if (unit < 0x80) {
      out += static_cast<char>(unit);
    } else if (unit < 0x800) {
      out += {static_cast<char>(0xC0 | unit >> 6), static_cast<char>(0x80 | (unit & 0x3F))};
    } else {
      out += {static_cast<char>(0xE0 | unit >> 12), static_cast<char>(0x80 | (unit >> 6 & 0x3F)),
              static_cast<char>(0x80 | (unit & 0x3F))};
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t elements_ = 0;
  const char* why_ = nullptr;
};

}  // namespace

const char* read_json_elements(std::string_view text, Element& root) {
  return JsonReader(text).read(root);
}

}  // namespace pabal::content
