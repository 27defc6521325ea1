#include "store/tools.h"

#include <map>
#include <memory>
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
  MapSegments segments;
  std::map<std::uint64_t, SegmentRef> files;
  for (const Recovery::LogSegment& each : store.recovery.log()) {
    files[each.file->number] = each.file;
  }
  for (const auto& [number, file] : files) segments.numbers.push_back(number);
  segments.find = [&](std::uint64_t number) {
    const auto file = files.find(number);
    return file == files.end() ? nullptr : file->second;
  };
  return map_index(store.index, segments, {});
}

}  // namespace pabal::store
