#include "protocols/mqtt/properties.h"

#include <algorithm>

#include "protocols/mqtt/wire.h"

namespace pabal::mqtt {
namespace {

static_assert([] {
  std::size_t numbers = 0;
  std::size_t texts = 0;
  for (const PropertyRow& row : kPropertyRows) {
    if (row.kind == PropertyKind::text || row.kind == PropertyKind::binary) {
      ++texts;
    } else if (row.kind != PropertyKind::none && row.kind != PropertyKind::pair) {
      ++numbers;
    }
  }
  return numbers == kNumberProperties && texts == kTextProperties;
}());

/// Takes `size` bytes off the front, or what is left.
std::string_view take(std::string_view& rest, std::size_t size) noexcept {
  const std::string_view front = rest.substr(0, std::min(size, rest.size()));
  rest.remove_prefix(front.size());
  return front;
}

std::string_view take_text(std::string_view& rest) noexcept {
  const std::string_view size = take(rest, 2);
  return size.size() < 2 ? std::string_view() : take(rest, load_two(size.data()));
}

std::uint32_t take_variable(std::string_view& rest) noexcept {
  const char* at = rest.data();
  std::uint32_t value = 0;
  if (read_variable(at, rest.data() + rest.size(), value) != VariableStatus::done) {
    rest = {};
    return 0;
  }
  rest.remove_prefix(static_cast<std::size_t>(at - rest.data()));
  return value;
}

/// Passes over one value of a well-formed list. Of any other bytes it makes nothing sensible, but
/// it never leaves them and always comes to their end.
void skip(std::string_view& rest, PropertyKind kind) noexcept {
  switch (kind) {
    case PropertyKind::byte:
      take(rest, 1);
      return;
    case PropertyKind::two_bytes:
      take(rest, 2);
      return;
    case PropertyKind::four_bytes:
      take(rest, 4);
      return;
    case PropertyKind::variable:
      (void)take_variable(rest);
      return;
    case PropertyKind::text:
    case PropertyKind::binary:
      (void)take_text(rest);
      return;
    case PropertyKind::pair:
      (void)take_text(rest);
      (void)take_text(rest);
      return;
    case PropertyKind::none:
      rest = {};
      return;
  }
}

}  // namespace

void UserProperties::Iterator::find() noexcept {
  while (!rest_.empty()) {
    const PropertyRow& row = property_row(static_cast<std::uint8_t>(rest_.front()));
    rest_.remove_prefix(1);
    if (row.kind == PropertyKind::pair) {
      property_.name = take_text(rest_);
      property_.value = take_text(rest_);
      return;
    }
    skip(rest_, row.kind);
  }
  done_ = true;
}

bool append_user_property(std::string& encoded, std::string_view name, std::string_view value) {
  if (name.size() > kTextBytesMax || value.size() > kTextBytesMax) return false;
  encoded += static_cast<char>(PropertyId::user_property);
  append_text(encoded, name);
  append_text(encoded, value);
  return true;
}

std::uint32_t next_subscription_id(std::string_view& encoded) noexcept {
  while (!encoded.empty()) {
    const PropertyRow& row = property_row(static_cast<std::uint8_t>(encoded.front()));
    encoded.remove_prefix(1);
    if (row.id == PropertyId::subscription_id) return take_variable(encoded);
    skip(encoded, row.kind);
  }
  return 0;
}

}  // namespace pabal::mqtt
