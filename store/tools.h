#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "store/options.h"

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

/// Bytes of one segment that one reader of one list still needs.
struct MapRow {
  std::uint64_t segment = 0;
  core::ListId list{};
  core::Destination destination;
  core::ReaderId reader{};
  std::string reader_name;  ///< "client id/name" of a durable subscription; empty for a queue
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::int64_t since = 0;  ///< ms since 1970: when the oldest of them was sent; 0: not known
};

struct MapSegment {
  std::uint64_t segment = 0;
  std::uint64_t bytes = 0;  ///< size of the file
  std::uint64_t bytes_live = 0;
  std::vector<MapRow> rows;  ///< by list and reader
};

struct MapReport {
  std::vector<MapSegment> segments;  ///< ascending
  /// The same by destination and subscription, over all segments: MapRow::segment is zero. The one
  /// that keeps most comes first.
  std::vector<MapRow> totals;
};

/// Verifies a store that no broker has open: every entry and checksum of the journal, every row of
/// the index, every message that a row points at. Changes nothing but LevelDB's own housekeeping.
/// Errors: in_use, not_found (no store there), store_io (cannot even be read); damage is in the
/// report.
Result<CheckReport> check_store(const JournalStoreOptions& options);

/// Says what keeps which segment. Same conditions as check_store; damage is an error.
Result<MapReport> map_store(const JournalStoreOptions& options);

}  // namespace pabal::store
