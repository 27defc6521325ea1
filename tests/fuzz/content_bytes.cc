#include "tests/fuzz/content_bytes.h"

#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/modified_utf8.h"
#include "core/primitive_values.h"
#include "protocols/content/body.h"
#include "protocols/content/inflate.h"
#include "protocols/content/xstream.h"

namespace pabal::tests {
namespace {

using core::BodyKind;
using core::Encoding;

core::MessageRef message(BodyKind kind, std::string_view body, bool compressed) {
  core::MessageBuilder builder;
  builder.destination_name = "q";
  builder.body_kind = kind;
  builder.body_encoding = Encoding::openwire;
  builder.body = body;
  builder.compressed = compressed;
  return *builder.build();
}

void check_text(std::string_view bytes) {
  std::string scratch, strict, back;
  const std::string text(core::utf8_of(bytes, scratch));
  PABAL_CHECK(core::is_utf8(text), "what is shown is UTF-8");
  if (core::to_utf8(bytes, strict)) {
    PABAL_CHECK(strict == text, "strict and lenient agree");
    PABAL_CHECK(core::to_modified_utf8(text, back), "UTF-8 is taken");
    PABAL_CHECK(core::utf8_of(back, scratch) == text, "there and back");
  }
  const std::string java(core::modified_utf8_of(bytes, scratch));
  PABAL_CHECK(core::form_of_modified(java) != core::TextForm::malformed, "Java can read it");
  const std::string_view cut = core::cut_text(java, java.size() / 2);
  PABAL_CHECK(core::form_of_modified(cut) != core::TextForm::malformed, "no cut in a character");
}

/// Properties in core's own encoding and again in OpenWire's: whole, and the same when done twice.
std::string converted(std::string_view properties) {
  core::MessageBuilder from, native, again;
  from.set_encoded_properties(Encoding::openwire, properties);
  const auto first = *from.build();
  core::PropertyReader reader(*first);
  while (const auto property = reader.next()) native.add(*property);
  const auto middle = *native.build();
  again.property_encoding = Encoding::openwire;
  core::PropertyReader other(*middle);
  while (const auto property = other.next()) again.add(*property);
  const auto last = *again.build();
  return std::string(last->properties());
}

void check_map(std::string_view bytes) {
  std::string scratch;
  (void)core::is_primitive_stream(bytes);
  const auto json = content::json_body(*message(BodyKind::stream, bytes, false), scratch);
  PABAL_CHECK(!json || core::is_utf8(*json), "JSON is UTF-8");
  if (!core::is_primitive_map(bytes)) return;
  const auto shown = content::json_body(*message(BodyKind::map, bytes, false), scratch);
  PABAL_CHECK(shown && core::is_utf8(*shown), "a whole map is shown");
  const std::string once = converted(bytes);
  PABAL_CHECK(once.empty() || core::is_primitive_map(once), "converted, it is whole");
  PABAL_CHECK(converted(once) == once, "and then stays as it is");
  for (const auto notation : {content::Notation::json, content::Notation::xml}) {
    std::string text;
    PABAL_CHECK(content::append_xstream(text, bytes, notation), "a whole map is written");
    PABAL_CHECK(core::is_utf8(text), "as UTF-8");
  }
}

void check_xstream(std::string_view text, content::Notation notation) {
  std::string map, once, first, second;
  if (content::read_xstream(text, notation, map) != nullptr) return;
  PABAL_CHECK(core::is_primitive_map(map), "what is read is a map");
  // Lists of several types lose their order once.
  PABAL_CHECK(content::append_xstream(once, map, notation), "written");
  if (content::read_xstream(once, notation, first) != nullptr) return;  // it has grown too large
  std::string twice;
  PABAL_CHECK(content::append_xstream(twice, first, notation), "written again");
  PABAL_CHECK(content::read_xstream(twice, notation, second) == nullptr && first == second,
              "and then stays as it is");
}

void check_bodies(std::string_view bytes, bool compressed) {
  std::string scratch;
  const auto text = content::plain_body(*message(BodyKind::text, bytes, compressed), scratch);
  PABAL_CHECK(!text || core::is_utf8(*text), "a text is UTF-8");
  (void)content::plain_body(*message(BodyKind::bytes, bytes, compressed), scratch);
  const auto map = content::json_body(*message(BodyKind::map, bytes, compressed), scratch);
  PABAL_CHECK(!map || core::is_utf8(*map), "JSON is UTF-8");
  constexpr std::size_t kMost = 1000;
  std::string out = "kept";
  if (content::inflate(bytes, kMost, out)) {
    PABAL_CHECK(out.size() <= kMost + 4 && out.starts_with("kept"), "bounded");
  } else {
    PABAL_CHECK(out == "kept", "nothing is left of what failed");
  }
}

}  // namespace

void play_content(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return;
  // A heap block of its own, so that a sanitizer sees a read beyond it.
  const std::vector<char> block(bytes + 1, bytes + size);
  const std::string_view input(block.data(), block.size());
  switch (bytes[0] % 6) {
    case 0:
      return check_text(input);
    case 1:
      return check_map(input);
    case 2:
      return check_xstream(input, content::Notation::json);
    case 3:
      return check_xstream(input, content::Notation::xml);
    case 4:
      return check_bodies(input, false);
    default:
      return check_bodies(input, true);
  }
}

}  // namespace pabal::tests
