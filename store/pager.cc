#include "store/pager.h"

#include <algorithm>
#include <utility>

namespace pabal::store {
namespace {

constexpr std::uint64_t kRunBytes = 1ULL << 20;  // of neighbours read at once
constexpr std::uint64_t kRunGap = 16 * 1024;     // what may lie between them
constexpr std::size_t kBufferKept = 4 << 20;
constexpr int kAttempts = 5;

std::uint64_t end_of(const FoundEntry& entry) {
  return std::uint64_t{entry.offset} + kPayloadHeaderBytes + entry.bytes;
}

}  // namespace

void Pager::add(const core::PageRequest& request) {
  MutexLock lock(mutex_);
  requests_.push_back(request);
  waiting_.store(requests_.size());
}

Result<std::optional<core::Page>> Pager::step(core::Ticket applied) {
  core::PageRequest request;
  {
    MutexLock lock(mutex_);
    const auto ready = std::find_if(requests_.begin(), requests_.end(),
                                    [&](const auto& each) { return each.after <= applied; });
    if (ready == requests_.end()) return std::optional<core::Page>();
    request = *ready;
    requests_.erase(ready);
    waiting_.store(requests_.size());
  }
  core::Page page;
  for (int attempt = 1;; ++attempt) {
    page = {};
    page.request = request.id;
    page.covered_to = request.first;
    auto found = index_.find(request);
    if (!found) {
      if (found.error().code != Errc::bad_state) return found.error();
      add(request);
      return std::optional<core::Page>();
    }
    page.covered_to = found->covered_to;
    page.later = std::move(found->later);
    if (load(*found, page)) break;
    if (attempt == kAttempts) {
      page.error = Error{Errc::store_io, "a segment of the journal has gone"};
      if (!found->entries.empty()) {
        const FoundEntry& first = found->entries[page.entries.size()];
        page.damaged = first.sequence;
        page.damaged_bytes = first.bytes;
      }
      break;
    }
  }
  if (page.error) {
    page.covered_to = page.entries.empty() ? request.first : page.entries.back().sequence + 1;
  }
  return std::optional(std::move(page));
}

bool Pager::load(const FoundPage& found, core::Page& page) {
  const std::span<const FoundEntry> all(found.entries);
  page.entries.reserve(all.size());
  for (std::size_t first = 0; first < all.size() && !page.error;) {
    std::size_t end = first + 1;
    while (end < all.size() && all[end].segment == all[first].segment &&
           all[end].offset >= end_of(all[end - 1]) &&
           all[end].offset - end_of(all[end - 1]) <= kRunGap &&
           end_of(all[end]) - all[first].offset <= kRunBytes) {
      ++end;
    }
    if (!load_run(all.subspan(first, end - first), page)) return false;
    first = end;
  }
  if (buffer_.size() > kBufferKept) buffer_ = {};
  return true;
}

bool Pager::load_run(std::span<const FoundEntry> run, core::Page& page) {
  const SegmentRef segment = pool_.find(run.front().segment);
  if (!segment) return false;
  const std::uint64_t start = run.front().offset;
  const std::uint64_t bytes = end_of(run.back()) - start;
  if (buffer_.size() < bytes) buffer_.resize(bytes);
  const auto got =
      segment->file->read(start, std::as_writable_bytes(std::span(buffer_)).first(bytes));
  if (!got && run.size() > 1) {  // perhaps it is only one of them
    for (std::size_t i = 0; i < run.size() && !page.error; ++i) {
      if (!load_run(run.subspan(i, 1), page)) return false;
    }
    return true;
  }
  const auto blame = [&](core::Error error, const FoundEntry& entry) {
    page.error = std::move(error);
    page.damaged = entry.sequence;
    page.damaged_bytes = entry.bytes;
    return true;
  };
  if (!got) return blame(got.error(), run.front());
  const std::string_view read = std::string_view(buffer_).substr(0, *got);
  for (const FoundEntry& entry : run) {
    const std::uint64_t at = entry.offset - start;
    const auto flat = at > read.size()
                          ? std::nullopt
                          : decode_payload(read.substr(at), segment->number, entry.offset);
    if (!flat || flat->size() != entry.bytes) {
      return blame({Errc::store_io, "damaged store: a message in segment " + segment->path +
                                        " at offset " + std::to_string(entry.offset)},
                   entry);
    }
    auto message = core::Message::from_flat(std::as_bytes(std::span(*flat)));
    if (!message) return blame(message.error(), entry);
    page.entries.push_back({entry.sequence, std::move(*message), deliveries_of(entry.counts),
                            refusals_of(entry.counts)});
  }
  return true;
}

}  // namespace pabal::store
