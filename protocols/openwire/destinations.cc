#include "protocols/openwire/destinations.h"

#include <algorithm>
#include <utility>

namespace pabal::openwire {
namespace {

/// As many as core takes (composite_targets_max), so that looking for repeated ones stays short.
constexpr std::size_t kPartsMax = 1000;

struct Prefix {
  std::string_view text;
  core::DestinationKind kind;
};
constexpr Prefix kPrefixes[] = {
    {"queue://", core::DestinationKind::queue},
    {"topic://", core::DestinationKind::topic},
    {"temp-queue://", core::DestinationKind::temporary_queue},
    {"temp-topic://", core::DestinationKind::temporary_topic},
};

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view without_options(std::string_view name) noexcept {
  return name.substr(0, name.find('?'));
}

core::Result<std::vector<core::Destination>> read_destinations(core::DestinationKind kind,
                                                               std::string_view name) {
  std::vector<core::Destination> parts;
  while (true) {
    const auto comma = name.find(',');
    std::string_view part = trim(name.substr(0, comma));
    core::DestinationKind part_kind = kind;
    for (const Prefix& prefix : kPrefixes) {
      if (!part.starts_with(prefix.text)) continue;
      part.remove_prefix(prefix.text.size());
      part_kind = prefix.kind;
      break;
    }
    part = without_options(part);
    if (auto valid = core::validate_destination_name(part); !valid) return valid.error();
    core::Destination destination{part_kind, std::string(part)};
    if (parts.size() >= kPartsMax) {
      return core::Error{core::Errc::bad_destination,
                         "a name of more than " + std::to_string(kPartsMax) + " destinations"};
    }
    if (std::find(parts.begin(), parts.end(), destination) == parts.end()) {
      parts.push_back(std::move(destination));
    }
    if (comma == std::string_view::npos) return parts;
    name.remove_prefix(comma + 1);
  }
}

core::Result<core::Xid> read_xid(const XaTransactionId& id) {
  core::Xid xid;
  xid.format = id.format_id;
  xid.global = id.global_transaction_id.value.value_or(std::string_view{});
  xid.branch = id.branch_qualifier.value.value_or(std::string_view{});
  if (xid.global.empty() || xid.global.size() > core::kXidPartBytesMax ||
      xid.branch.size() > core::kXidPartBytesMax) {
    return core::Error{core::Errc::invalid_argument, "not an XID: 1 to 64 and 0 to 64 bytes"};
  }
  return xid;
}

XaTransactionId wire_xid(const core::Xid& xid) {
  XaTransactionId id;
  id.format_id = xid.format;
  id.global_transaction_id.value = xid.global;
  id.branch_qualifier.value = xid.branch;
  return id;
}

}  // namespace pabal::openwire
