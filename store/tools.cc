#include "store/tools.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "store/index/memory_key_value.h"
#include "store/recovery.h"

namespace pabal::store {
namespace {

/// A store opened for looking: the lock, and all that a recovery needs.
struct OpenStore {
  OpenStore(const JournalStoreOptions& options, KeyValueFactory& factory, bool may_rebuild)
      : files(options.files != nullptr ? *options.files : posix_file_system()),
        paths(options.directory),
        pool(files, paths.journal, options),
        index(factory, paths.index, options.index_memory_bytes_max),
        recovery(files, paths, pool, index, may_rebuild) {}

  FileSystem& files;
  StorePaths paths;
  SegmentPool pool;
  Index index;
  Recovery recovery;
};

Result<std::unique_ptr<DirectoryLock>> lock_store(const JournalStoreOptions& options) {
  FileSystem& files = options.files != nullptr ? *options.files : posix_file_system();
  const StorePaths paths(options.directory);
  if (!files.exists(paths.journal)) {
    return Error{Errc::not_found, "there is no store in " + options.directory};
  }
  return files.lock(paths.lock);
}

/// What an index says about one list, independent of the order of reading.
struct ListSum {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t places = 0;

  friend bool operator==(const ListSum&, const ListSum&) = default;
};

std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  return value;
}

Result<std::map<std::uint64_t, ListSum>> sum_up(Index& index) {
  std::map<std::uint64_t, ListSum> sums;
  auto visited = index.visit_entries([&](const core::ListDescription& list, std::uint8_t priority,
                                         std::uint64_t sequence, const BlockEntry& entry,
                                         const std::vector<core::ReaderId>& readers) {
    ListSum& sum = sums[core::raw(list.id)];
    ++sum.entries;
    sum.bytes += entry.bytes;
    std::uint64_t place = mix(sequence * 16 + priority);
    place = mix(place ^ (std::uint64_t{entry.segment} << 32 | entry.offset));
    for (const core::ReaderId reader : readers) place += mix(place ^ core::raw(reader));
    sum.places += place;
  });
  if (!visited) return visited.error();
  return sums;
}

/// Compares the index with one built from the journal alone.
void compare(OpenStore& truth, OpenStore& index, std::vector<std::string>& problems) {
  const auto expected = sum_up(truth.index);
  const auto found = sum_up(index.index);
  if (!expected || !found) {
    problems.push_back(!found ? found.error().text : expected.error().text);
    return;
  }
  for (const auto& [list, sum] : *expected) {
    const auto there = found->find(list);
    if (there != found->end() && there->second == sum) continue;
    problems.push_back("the index has list " + std::to_string(list) + " with " +
                       std::to_string(there == found->end() ? 0 : there->second.entries) +
                       " messages, the journal with " + std::to_string(sum.entries) +
                       ", or in other places");
  }
  for (const auto& [list, sum] : *found) {
    if (expected->contains(list)) continue;
    problems.push_back("the index has list " + std::to_string(list) + " with " +
                       std::to_string(sum.entries) + " messages, which the journal does not know");
  }
}

/// When the message of an entry was sent; 0: it cannot be read.
std::int64_t time_of(OpenStore& store, const BlockEntry& entry) {
  const SegmentRef segment = store.pool.find(entry.segment);
  if (!segment) return 0;
  std::string record(kPayloadHeaderBytes + entry.bytes, '\0');
  const auto got = segment->file->read(entry.offset, std::as_writable_bytes(std::span(record)));
  if (!got || *got != record.size()) return 0;
  const auto flat = decode_payload(record, entry.segment, entry.offset);
  if (!flat) return 0;
  const auto message = core::Message::from_flat(std::as_bytes(std::span(*flat)));
  return message ? (*message)->timestamp() : 0;
}

/// What all segments together hold for each reader, the most first.
std::vector<MapRow> totals_of(const MapReport& report) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, MapRow> sums;
  for (const MapSegment& segment : report.segments) {
    for (const MapRow& row : segment.rows) {
      MapRow& sum = sums[{core::raw(row.list), core::raw(row.reader)}];
      const MapRow before = sum;
      sum = row;
      sum.segment = 0;
      sum.messages += before.messages;
      sum.bytes += before.bytes;
      if (before.since != 0 && (sum.since == 0 || before.since < sum.since)) {
        sum.since = before.since;
      }
    }
  }
  std::vector<MapRow> totals;
  for (auto& [key, row] : sums) totals.push_back(std::move(row));
  std::stable_sort(totals.begin(), totals.end(),
                   [](const MapRow& a, const MapRow& b) { return a.bytes > b.bytes; });
  return totals;
}

}  // namespace

Result<CheckReport> check_store(const JournalStoreOptions& options) {
  auto lock = lock_store(options);
  if (!lock) return lock.error();
  CheckReport report;
  // The journal alone, every byte of it, into an index of its own.
  MemoryKeyValueFactory scratch;
  OpenStore truth(options, scratch, true);
  if (auto read = truth.recovery.run(); !read) {
    report.problems.push_back(read.error().text);
    return report;
  }
  report.segments = truth.recovery.log().size();
  report.epoch = truth.recovery.last_epoch();
  report.index = truth.recovery.last().index;
  auto counted = truth.recovery.read_all(Verify::ops, [&](const EntryView& entry) {
    ++report.entries;
    report.payloads += entry.header.payloads;
    return Result<void>();
  });
  if (!counted) report.problems.push_back(counted.error().text);
  auto visited =
      truth.index.visit_entries([&](const core::ListDescription&, std::uint8_t, std::uint64_t,
                                    const BlockEntry& entry, const std::vector<core::ReaderId>&) {
        ++report.messages;
        report.bytes += entry.bytes;
      });
  if (!visited) report.problems.push_back(visited.error().text);
  report.lists = truth.index.recovered().lists.size();

  if (!truth.files.exists(truth.paths.index) && options.index == nullptr) {
    report.problems.push_back("the index is missing; the next start builds it from the journal");
    return report;
  }
  OpenStore index(options, options.index != nullptr ? *options.index : leveldb_factory(), false);
  if (auto read = index.recovery.run(); !read) {
    report.problems.push_back(read.error().text);
    return report;
  }
  compare(truth, index, report.problems);
  return report;
}

Result<MapReport> map_store(const JournalStoreOptions& options) {
  auto lock = lock_store(options);
  if (!lock) return lock.error();
  OpenStore store(options, options.index != nullptr ? *options.index : leveldb_factory(), false);
  if (auto read = store.recovery.run(); !read) return read.error();

  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, MapRow> rows;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> names;
  for (const core::RecoveredList& list : store.index.recovered().lists) {
    for (const core::RecoveredReader& reader : list.readers) {
      if (core::is_queue(list.description.destination.kind)) continue;
      names[{core::raw(list.description.id), core::raw(reader.description.id)}] =
          reader.description.client_id + "/" + reader.description.name;
    }
  }
  // The oldest of a row is among the first of each priority: messages come in their order.
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>, std::map<int, BlockEntry>>
      firsts;
  auto visited = store.index.visit_entries(
      [&](const core::ListDescription& list, std::uint8_t priority, std::uint64_t,
          const BlockEntry& entry, const std::vector<core::ReaderId>& readers) {
        for (const core::ReaderId reader : readers) {
          firsts[{entry.segment, core::raw(list.id), core::raw(reader)}].emplace(priority, entry);
        }
        for (const core::ReaderId reader : readers) {
          MapRow& row = rows[{entry.segment, core::raw(list.id), core::raw(reader)}];
          if (row.messages++ == 0) {
            row.segment = entry.segment;
            row.list = list.id;
            row.destination = list.destination;
            row.reader = reader;
            row.reader_name = names[{core::raw(list.id), core::raw(reader)}];
          }
          row.bytes += entry.bytes;
        }
      });
  if (!visited) return visited.error();
  for (auto& [key, row] : rows) {
    for (const auto& [priority, entry] : firsts[key]) {
      const std::int64_t sent = time_of(store, entry);
      if (sent != 0 && (row.since == 0 || sent < row.since)) row.since = sent;
    }
  }

  MapReport report;
  for (const Recovery::LogSegment& each : store.recovery.log()) {
    MapSegment& segment = report.segments.emplace_back();
    segment.segment = each.file->number;
    segment.bytes = each.file->bytes;
    segment.bytes_live = store.index.live_bytes(each.file->number);
    for (const auto& [key, row] : rows) {
      if (std::get<0>(key) == segment.segment) segment.rows.push_back(row);
    }
  }
  std::sort(report.segments.begin(), report.segments.end(),
            [](const MapSegment& a, const MapSegment& b) { return a.segment < b.segment; });
  report.totals = totals_of(report);
  return report;
}

}  // namespace pabal::store
