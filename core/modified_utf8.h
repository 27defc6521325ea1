#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Java's modified UTF-8, in which OpenWire writes its texts, and UTF-8, in which core has them.
// They differ in two things: U+0000 is C0 80, and a character above U+FFFF is a surrogate pair,
// each half three bytes (ED A0..AF xx, ED B0..BF xx). Source: reference/openwire.md §2.2.
//
// What is read as modified may also have the other form of both, a plain 00 and four bytes: other
// clients than Java's write it, and it can mean nothing else.
//
// A Java text may have half of a surrogate pair alone, which is no character and has no UTF-8. It
// becomes U+FFFD, so that what leaves is always UTF-8; where a message goes from OpenWire to
// OpenWire its body and properties are not converted at all (core::Encoding::openwire).

namespace pabal::core {

/// What stands for something that is no character.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

/// How a text of one encoding stands to the other.
enum class TextForm : std::uint8_t {
  same,       ///< the same bytes in both
  differs,    ///< well-formed, and to be converted
  malformed,  ///< truncated, overlong, a stray byte, beyond U+10FFFF
};

TextForm form_of_modified(std::string_view modified) noexcept;
/// A surrogate is malformed here.
TextForm form_of_utf8(std::string_view utf8) noexcept;

/// Whether all of it is UTF-8 (RFC 3629).
inline bool is_utf8(std::string_view text) noexcept {
  return form_of_utf8(text) != TextForm::malformed;
}

/// Appends. False: malformed, and `out` is as it was.
bool to_utf8(std::string_view modified, std::string& out);
bool to_modified_utf8(std::string_view utf8, std::string& out);

/// The text in the other encoding: itself if that is the same, else made in `scratch`. What is
/// malformed becomes U+FFFD, a byte at a time, so that something readable always comes out. For
/// what was accepted before and must be shown; the strict ones above are for what comes in.
std::string_view utf8_of(std::string_view modified, std::string& scratch);
/// Surrogates are let pass: in the result they are at home.
std::string_view modified_utf8_of(std::string_view utf8, std::string& scratch);

/// As much of `text` (either encoding) as fits, without a cut through a character: not more than
/// `bytes_max` bytes, and no first half of a surrogate pair at the end.
std::string_view cut_text(std::string_view text, std::size_t bytes_max) noexcept;

}  // namespace pabal::core
