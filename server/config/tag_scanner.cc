#include "server/config/tag_scanner.h"

#include "server/config/xml_document.h"

namespace pabal::server {
namespace {

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
bool ends_name(char c) noexcept {
  return is_blank(c) || c == '=' || c == '>' || c == '/';
}

class Scanner {
 public:
  Scanner(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  core::Result<std::vector<TagPlace>, Finding> run() {
    while (position_ < text_.size()) {
      if (text_[position_] != '<') {
        advance(1);
      } else if (starts("<!--")) {
        skip_past("-->");
      } else if (starts("<![CDATA[")) {
        skip_past("]]>");
      } else if (starts("<?")) {
        skip_past("?>");
      } else if (starts("<!")) {
        return refuse("a DOCTYPE is not allowed: nothing outside the file is loaded");
      } else if (starts("</")) {
        if (depth_ > 0) --depth_;
        skip_past(">");
      } else {
        read_start_tag();
        if (depth_ > kXmlDepthMax) {
          return refuse("elements are nested deeper than " + std::to_string(kXmlDepthMax));
        }
      }
    }
    return std::move(tags_);
  }

 private:
  bool starts(std::string_view what) const noexcept {
    return text_.substr(position_, what.size()) == what;
  }

  SourceLocation here() const { return {file_, line_, column_}; }

  Finding refuse(std::string why) const { return {here(), Severity::error, "", std::move(why)}; }

  /// Columns count characters, so the continuation bytes of UTF-8 do not count.
  void advance(std::size_t count) noexcept {
    for (; count > 0 && position_ < text_.size(); --count, ++position_) {
      const auto byte = static_cast<unsigned char>(text_[position_]);
      if (byte == '\n') {
        ++line_;
        column_ = 1;
      } else if ((byte & 0xC0) != 0x80) {
        ++column_;
      }
    }
  }

  void skip_past(std::string_view what) noexcept {
    const auto end = text_.find(what, position_);
    advance(end == std::string_view::npos ? text_.size() : end + what.size() - position_);
  }

  void skip_blanks() noexcept {
    while (position_ < text_.size() && is_blank(text_[position_])) advance(1);
  }

  std::string_view read_name() noexcept {
    const auto start = position_;
    while (position_ < text_.size() && !ends_name(text_[position_])) advance(1);
    return text_.substr(start, position_ - start);
  }

  void skip_value() noexcept {
    skip_blanks();
    if (position_ >= text_.size() || text_[position_] != '=') return;
    advance(1);
    skip_blanks();
    if (position_ >= text_.size()) return;
    const char quote = text_[position_];
    if (quote != '"' && quote != '\'') return;
    advance(1);
    skip_past(std::string_view(&quote, 1));
  }

  void read_start_tag() {
    TagPlace tag;
    tag.location = here();
    advance(1);
    read_name();
    bool empty = false;
    while (position_ < text_.size() && text_[position_] != '>') {
      const char c = text_[position_];
      empty = c == '/';
      if (is_blank(c) || c == '/' || c == '=') {
        advance(1);
        continue;
      }
      const SourceLocation location = here();
      const std::string_view name = read_name();
      tag.attributes.push_back({name, location});
      skip_value();
    }
    advance(1);
    if (!empty) ++depth_;
    tags_.push_back(std::move(tag));
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t position_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t column_ = 1;
  std::uint32_t depth_ = 0;
  std::vector<TagPlace> tags_;
};

}  // namespace

core::Result<std::vector<TagPlace>, Finding> scan_tags(std::string_view text,
                                                       const std::string& file) {
  return Scanner(text, file).run();
}

}  // namespace pabal::server
