#include "store/journal/mark.h"

#include <array>

#include "store/journal/crc32c.h"

namespace pabal::store {
namespace {

constexpr std::uint64_t kSlotBytes = 512;  // a sector each
constexpr std::size_t kRecordBytes = 48;
constexpr std::uint32_t kMarkVersion = 1;

std::string encode(const LogPosition& position) {
  std::string record(kRecordBytes, '\0');
  put_fixed64(&record[0], position.epoch);
  put_fixed64(&record[8], position.index);
  put_fixed64(&record[16], position.segment);
  put_fixed64(&record[24], position.offset);
  put_fixed64(&record[32], position.end);
  const auto covered = std::as_bytes(std::span(record).first(40));
  put_fixed32(&record[40], crc32c(kMarkVersion, covered));
  return record;
}

std::optional<LogPosition> decode(std::string_view record) {
  if (record.size() < kRecordBytes) return std::nullopt;
  const auto covered = std::as_bytes(std::span(record).first(40));
  if (get_fixed32(&record[40]) != crc32c(kMarkVersion, covered)) return std::nullopt;
  return LogPosition{get_fixed64(&record[0]), get_fixed64(&record[8]), get_fixed64(&record[16]),
                     get_fixed64(&record[24]), get_fixed64(&record[32])};
}

}  // namespace

Result<std::optional<LogPosition>> SyncMark::read(FileSystem& files, const std::string& path) {
  if (!files.exists(path)) return std::optional<LogPosition>();
  auto file = files.open(path, OpenMode::read);
  if (!file) return file.error();
  std::string page(2 * kSlotBytes, '\0');
  const auto got = (*file)->read(0, std::as_writable_bytes(std::span(page)));
  if (!got) return got.error();
  page.resize(*got);
  std::optional<LogPosition> best;
  for (std::uint64_t slot = 0; slot < 2; ++slot) {
    if (page.size() < slot * kSlotBytes + kRecordBytes) break;
    const auto position = decode(std::string_view(page).substr(slot * kSlotBytes));
    if (position && (!best || position->index >= best->index)) best = position;
  }
  return best;
}

Result<std::unique_ptr<SyncMark>> SyncMark::create(FileSystem& files, const std::string& path,
                                                   const LogPosition& position) {
  const std::string fresh = path + ".new";
  auto file = files.open(fresh, OpenMode::create);
  if (!file) return file.error();
  auto mark = std::unique_ptr<SyncMark>(new SyncMark(std::move(*file)));
  for (int slot = 0; slot < 2; ++slot) {
    if (const auto written = mark->advance(position); !written) return written.error();
  }
  if (const auto synced = mark->file_->sync(); !synced) return synced.error();
  if (const auto named = files.rename(fresh, path); !named) return named.error();
  return mark;  // the caller syncs the directory
}

Result<void> SyncMark::advance(const LogPosition& position) {
  const std::string record = encode(position);
  return file_->write((turn_++ % 2) * kSlotBytes, std::as_bytes(std::span(record)));
}

}  // namespace pabal::store
