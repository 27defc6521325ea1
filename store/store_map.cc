#include "store/store_map.h"

#include <algorithm>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "store/index/index.h"
#include "store/journal/format.h"
#include "store/journal/segment_pool.h"

namespace pabal::store {
namespace {

/// About a millisecond of the index's mutex.
constexpr int kBlocksPerPortion = 64;

/// Where the oldest message of a row is: messages of one priority come in their order, so it is the
/// first of one of them.
using Firsts = std::vector<std::pair<std::uint8_t, BlockEntry>>;

struct Pinned {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  Firsts firsts;
};

using ReaderKey = std::pair<std::uint64_t, std::uint64_t>;  // list, reader

void add(Pinned& pinned, std::uint8_t priority, const BlockEntry& entry) {
  ++pinned.messages;
  pinned.bytes += entry.bytes;
  for (const auto& [known, first] : pinned.firsts) {
    if (known == priority) return;
  }
  pinned.firsts.emplace_back(priority, entry);
}

/// When the message of an entry was sent; 0: it cannot be read.
std::int64_t time_of(const MapSegments& segments, const BlockEntry& entry) {
  const SegmentRef segment = segments.find(entry.segment);
  if (!segment) return 0;
  std::string record(kPayloadHeaderBytes + entry.bytes, '\0');
  const auto got = segment->file->read(entry.offset, std::as_writable_bytes(std::span(record)));
  if (!got || *got != record.size()) return 0;
  const auto flat = decode_payload(record, entry.segment, entry.offset);
  if (!flat) return 0;
  const auto message = core::Message::from_flat(std::as_bytes(std::span(*flat)));
  return message ? (*message)->timestamp() : 0;
}

class Mapper {
 public:
  Mapper(Index& index, const MapSegments& segments, const MapLimits& limits)
      : index_(index), files_(segments), limits_(limits) {}

  Result<MapReport> run() {
    auto place = index_.begin_visit();
    for (;;) {
      auto more = index_.visit_some(
          place, kBlocksPerPortion,
          [this](const core::ListDescription& list, std::uint8_t priority, std::uint64_t,
                 const BlockEntry& entry, const std::vector<core::ReaderId>& readers) {
            count(list, priority, entry, readers);
          });
      if (!more) return more.error();
      if (pairs_ > limits_.pairs_max) {
        return Error{Errc::quota_exceeded,
                     "more than " + std::to_string(limits_.pairs_max) +
                         " destinations and subscriptions have something in some segment"};
      }
      if (!*more) break;
    }
    name_readers();
    return report();
  }

 private:
  void count(const core::ListDescription& list, std::uint8_t priority, const BlockEntry& entry,
             const std::vector<core::ReaderId>& readers) {
    if (readers.empty()) return;
    destinations_.try_emplace(core::raw(list.id), list.destination);
    for (const auto reader : readers) {
      const ReaderKey key{core::raw(list.id), core::raw(reader)};
      auto& rows = segments_[entry.segment];
      const auto before = rows.size();
      add(rows[key], priority, entry);
      pairs_ += rows.size() - before;
      add(totals_[key], priority, entry);
    }
  }

  void name_readers() {
    for (const core::RecoveredList& list : index_.recovered().lists) {
      if (core::is_queue(list.description.destination.kind)) continue;
      for (const core::RecoveredReader& reader : list.readers) {
        names_[{core::raw(list.description.id), core::raw(reader.description.id)}] =
            reader.description.client_id + "/" + reader.description.name;
      }
    }
  }

  /// The rows that keep most, at most `limit` of them; how many others there are in `left_out`.
  std::vector<MapRow> rows_of(const std::map<ReaderKey, Pinned>& pinned, std::size_t limit,
                              std::uint64_t& left_out) const {
    std::vector<const std::pair<const ReaderKey, Pinned>*> order;
    order.reserve(pinned.size());
    for (const auto& each : pinned) order.push_back(&each);
    std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
      return a->second.bytes > b->second.bytes;
    });
    left_out = order.size() - std::min(order.size(), limit);
    order.resize(std::min(order.size(), limit));
    std::vector<MapRow> rows;
    for (const auto* each : order) {
      const auto& [key, sum] = *each;
      MapRow& row = rows.emplace_back();
      row.list = core::ListId{key.first};
      row.reader = core::ReaderId{key.second};
      row.destination = destinations_.at(key.first);
      if (const auto name = names_.find(key); name != names_.end()) row.reader_name = name->second;
      row.messages = sum.messages;
      row.bytes = sum.bytes;
      for (const auto& [priority, entry] : sum.firsts) {
        const std::int64_t sent = time_of(files_, entry);
        if (sent != 0 && (row.since == 0 || sent < row.since)) row.since = sent;
      }
    }
    return rows;
  }

  MapReport report() const {
    MapReport report;
    for (const std::uint64_t number : files_.numbers) {
      const SegmentRef file = files_.find(number);
      if (!file) continue;
      MapSegment& segment = report.segments.emplace_back();
      segment.segment = number;
      segment.bytes = file->bytes;
      segment.bytes_live = index_.live_bytes(number);
      segment.given_up = std::binary_search(files_.given_up.begin(), files_.given_up.end(), number);
      if (const auto rows = segments_.find(number); rows != segments_.end()) {
        segment.rows = rows_of(rows->second, limits_.rows_max, segment.rows_left_out);
      }
    }
    report.totals = rows_of(totals_, limits_.totals_max, report.totals_left_out);
    return report;
  }

  Index& index_;
  const MapSegments& files_;
  const MapLimits limits_;
  std::map<std::uint64_t, std::map<ReaderKey, Pinned>> segments_;
  std::map<ReaderKey, Pinned> totals_;
  std::map<std::uint64_t, core::Destination> destinations_;  // by list
  std::map<ReaderKey, std::string> names_;                   // of durable subscriptions
  std::size_t pairs_ = 0;
};

}  // namespace

Result<MapReport> map_index(Index& index, const MapSegments& segments, const MapLimits& limits) {
  return Mapper(index, segments, limits).run();
}

}  // namespace pabal::store
