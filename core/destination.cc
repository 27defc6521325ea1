#include "core/destination.h"

#include <algorithm>

namespace pabal::core {
namespace {

/// Takes the next level off `rest`; `rest.data() == nullptr` afterwards means that was the last.
std::string_view take_level(std::string_view& rest) noexcept {
  const auto dot = rest.find('.');
  const auto level = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return level;
}

}  // namespace

std::string_view to_string(DestinationKind kind) noexcept {
  switch (kind) {
    case DestinationKind::queue:
      return "queue";
    case DestinationKind::topic:
      return "topic";
    case DestinationKind::temporary_queue:
      return "temp-queue";
    case DestinationKind::temporary_topic:
      return "temp-topic";
  }
  PABAL_UNREACHABLE();
}

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::bad_destination:
      return "bad destination";
    case Errc::invalid_argument:
      return "invalid argument";
    case Errc::not_found:
      return "not found";
    case Errc::already_exists:
      return "already exists";
    case Errc::in_use:
      return "in use";
    case Errc::bad_state:
      return "bad state";
    case Errc::not_authorized:
      return "not authorized";
    case Errc::not_supported:
      return "not supported";
    case Errc::quota_exceeded:
      return "quota exceeded";
    case Errc::store_full:
      return "store full";
    case Errc::store_io:
      return "store failure";
  }
  PABAL_UNREACHABLE();
}

std::string Destination::to_text() const {
  std::string text(to_string(kind));
  text += "://";
  text += name;
  std::replace(text.begin(), text.end(), kCompositeSeparator, ',');
  return text;
}

bool Destination::is_pattern_name(std::string_view name) noexcept {
  while (name.data() != nullptr) {
    const auto level = take_level(name);
    if (level == "*" || (level == ">" && name.data() == nullptr)) return true;
  }
  return false;
}

bool matches(std::string_view pattern, std::string_view name) noexcept {
  if (is_composite_name(pattern)) {
    bool any = false;
    for_each_part(pattern, [&](std::string_view part) { any = any || matches(part, name); });
    return any;
  }
  if (is_reserved_name(name) && (pattern == ">" || pattern == "*" || pattern.starts_with("*."))) {
    return false;
  }
  while (pattern.data() != nullptr) {
    const auto wanted = take_level(pattern);
    if (wanted == ">" && pattern.data() == nullptr) return true;
    if (name.data() == nullptr) return false;
    const auto level = take_level(name);
    if (wanted != "*" && wanted != level) return false;
  }
  return name.data() == nullptr;
}

Result<void> validate_destination_name(std::string_view name) {
  if (name.empty()) return Error{Errc::bad_destination, "destination name is empty"};
  if (name.size() > kDestinationNameBytesMax) {
    return Error{Errc::bad_destination, "destination name is longer than " +
                                            std::to_string(kDestinationNameBytesMax) + " bytes"};
  }
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Error{Errc::bad_destination, "destination name has a control character"};
    }
  }
  return {};
}

}  // namespace pabal::core
