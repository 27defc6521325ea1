#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pabal::cli {

/// Writes one JSON document by hand: members come out in the order in which they were added,
/// numbers keep their digits. The caller nests correctly.
class JsonWriter {
 public:
  JsonWriter& begin_object(std::string_view key = {});
  JsonWriter& end_object();
  JsonWriter& begin_array(std::string_view key = {});
  JsonWriter& end_array();
  /// `value` is UTF-8; bytes that are not come out as U+FFFD.
  JsonWriter& text(std::string_view key, std::string_view value);
  JsonWriter& number(std::string_view key, std::uint64_t value);
  JsonWriter& number(std::string_view key, double value, int decimals);
  JsonWriter& boolean(std::string_view key, bool value);

  const std::string& str() const noexcept { return out_; }

 private:
  void start_member(std::string_view key);

  std::string out_;
  bool first_ = true;
};

/// `value` with its quotes, escaped. Invalid UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view value);

}  // namespace pabal::cli
