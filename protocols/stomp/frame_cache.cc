#include "protocols/stomp/frame_cache.h"

#include <cstdint>
#include <utility>

#include "protocols/stomp/command.h"
#include "protocols/stomp/frame_encoder.h"

namespace pabal::stomp {

FrameCache::FrameCache() = default;
FrameCache::~FrameCache() = default;

void FrameCache::fill(Slot& slot, const core::Message& message, const core::Destination* place,
                      const MessageView& view) {
  slot.headers.clear();
  if (slot.converted.capacity() > kRememberedBytesMax) slot.converted = std::string();
  slot.body = append_common_headers(slot.headers, message, place, view, slot.converted);
}

FrameCache::CommonPart FrameCache::common_part(
    const core::MessageRef& message, const std::shared_ptr<const core::Destination>& place,
    const MessageView& view) {
  if (message->footprint() > kRememberedBytesMax) {
    fill(unremembered_, *message, place.get(), view);
    return {unremembered_.headers, unremembered_.body};
  }
  // Which slot a message takes decides only about speed, so its address may choose.
  const auto address = reinterpret_cast<std::uintptr_t>(message.get()) ^
                       reinterpret_cast<std::uintptr_t>(place.get());
  Slot& slot = slots_[((address >> 4) ^ (address >> 12)) % kSlots];
  if (slot.message.get() != message.get() || slot.place != place || slot.version != view.version ||
      slot.transformation != view.transformation) {
    fill(slot, *message, place.get(), view);
    slot.message = message;
    slot.place = place;
    slot.version = view.version;
    slot.transformation = view.transformation;
  }
  if (slot.converted.capacity() > kRememberedBytesMax) {
    unremembered_ = std::move(slot);
    unremembered_.message.reset();  // its body is in what was made
    slot = Slot();
    return {unremembered_.headers, unremembered_.body};
  }
  return {slot.headers, slot.body};
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
