#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/options.h"
#include "store/store_map.h"

namespace pabal::store {

/// What `pabal store check` found. `problems` empty: every byte that counts was read and is good.
struct CheckReport {
  std::uint64_t segments = 0;
  std::uint64_t entries = 0;   ///< journal entries read
  std::uint64_t payloads = 0;  ///< messages in them, dead ones too
  std::uint64_t lists = 0;
  std::uint64_t messages = 0;  ///< list entries that somebody still needs
  std::uint64_t bytes = 0;     ///< their message bytes
  std::uint64_t epoch = 0;     ///< of the last start
  std::uint64_t index = 0;     ///< of the last journal entry
  std::vector<std::string> problems;
};

/// Verifies a store that no broker has open: every entry and checksum of the journal, every row of
/// the index, every message that a row points at. Changes nothing but LevelDB's own housekeeping.
/// Errors: in_use, not_found (no store there), store_io (cannot even be read); damage is in the
/// report.
Result<CheckReport> check_store(const JournalStoreOptions& options);

/// Says what keeps which segment. Same conditions as check_store; damage is an error.
Result<MapReport> map_store(const JournalStoreOptions& options);

}  // namespace pabal::store
