#include "protocols/stomp/frame_cache.h"

#include <cstdint>
#include <utility>

#include "protocols/stomp/command.h"
#include "protocols/stomp/frame_encoder.h"

namespace pabal::stomp {

FrameCache::FrameCache() = default;
FrameCache::~FrameCache() = default;

std::string_view FrameCache::common_headers(const core::MessageRef& message,
                                            const std::shared_ptr<const core::Destination>& place,
                                            Version version) {
  if (message->footprint() > kRememberedBytesMax) {
    unremembered_.clear();
    append_common_headers(unremembered_, *message, place.get(), version, nullptr);
    return unremembered_;
  }
  // Which slot a message takes decides only about speed, so its address may choose.
  const auto address = reinterpret_cast<std::uintptr_t>(message.get()) ^
                       reinterpret_cast<std::uintptr_t>(place.get());
  Slot& slot = slots_[((address >> 4) ^ (address >> 12)) % kSlots];
  if (slot.message.get() != message.get() || slot.place != place || slot.version != version) {
    slot.headers.clear();
    append_common_headers(slot.headers, *message, place.get(), version, nullptr);
    slot.message = message;
    slot.place = place;
    slot.version = version;
  }
  return slot.headers;
}

std::unique_ptr<Batch> FrameCache::take_batch() {
  if (spare_batches_.empty()) return std::make_unique<Batch>();
  auto batch = std::move(spare_batches_.back());
  spare_batches_.pop_back();
  return batch;
}

void FrameCache::give_back(std::unique_ptr<Batch> batch) noexcept {
  if (spare_batches_.size() >= kSpareBatchesMax || batch->is_large()) return;
  batch->clear();
  spare_batches_.push_back(std::move(batch));
}

}  // namespace pabal::stomp
