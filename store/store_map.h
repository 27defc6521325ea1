#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/destination.h"
#include "core/ids.h"
#include "core/result.h"

namespace pabal::store {

class Index;
struct SegmentFile;

/// The journal's segments, for who looks at them beside those who write.
struct MapSegments {
  std::vector<std::uint64_t> numbers;  ///< ascending
  /// Null: it is gone.
  std::function<std::shared_ptr<SegmentFile>(std::uint64_t number)> find;
  std::vector<std::uint64_t> given_up;  ///< of `numbers`, those that cannot be read; ascending
};

/// Messages of one segment, or of all, that one reader of one list still needs.
struct MapRow {
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
  std::uint64_t bytes = 0;       ///< size of the file
  std::uint64_t bytes_live = 0;  ///< of messages that somebody needs, each counted once
  std::vector<MapRow> rows;      ///< who keeps most comes first
  std::uint64_t rows_left_out = 0;
  bool given_up = false;  ///< it cannot be read and stays; known of a store at work only
};

/// Which destination or subscription keeps how much of a store on disk, and where.
struct MapReport {
  std::vector<MapSegment> segments;  ///< ascending
  std::vector<MapRow> totals;        ///< over all segments; who keeps most comes first
  std::uint64_t totals_left_out = 0;
};

/// How much a report says: its memory, and how many messages are read for their time.
struct MapLimits {
  std::size_t totals_max = std::numeric_limits<std::size_t>::max();
  std::size_t rows_max = std::numeric_limits<std::size_t>::max();  ///< of each segment
  /// Destinations and subscriptions with something in a segment, counted for each of them, that are
  /// told apart while counting. Errors beyond it: quota_exceeded.
  std::size_t pairs_max = std::numeric_limits<std::size_t>::max();
};

/// Goes through the index in portions, beside whatever else is done with it: what comes and goes
/// meanwhile is in the report or is not. Any thread; reads from the disk. Errors: store_io,
/// bad_state (the index is being opened again), quota_exceeded.
core::Result<MapReport> map_index(Index& index, const MapSegments& segments,
                                  const MapLimits& limits);

}  // namespace pabal::store
