#pragma once

#include <string_view>

#include "core/selector.h"

namespace pabal::core {

/// A selector as its author wrote it: without the prefix that adaptors and management put before it
/// for him. Lives as long as `text`.
inline std::string_view shown_selector(std::string_view text) noexcept {
  if (text.starts_with(Selector::kConvertTexts)) text.remove_prefix(Selector::kConvertTexts.size());
  return text;
}

}  // namespace pabal::core
