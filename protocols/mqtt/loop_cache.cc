#include "protocols/mqtt/loop_cache.h"

#include <utility>

#include "protocols/mqtt/command.h"
#include "protocols/mqtt/message_mapping.h"

namespace pabal::mqtt {

LoopCache::LoopCache(Clock clock) : clock_(clock) {}
LoopCache::~LoopCache() = default;

const PublishEncoder* LoopCache::encoder_of(const core::Delivery& delivery) {
  if (encoded_.get() != delivery.message.get() || place_ != delivery.destination) {
    encoded_ = delivery.message;
    place_ = delivery.destination;
    nameless_ = !begin_publish(encoder_, *encoded_, place_.get());
  }
  return nameless_ ? nullptr : &encoder_;
}

std::unique_ptr<Batch> LoopCache::take_batch() {
  if (spare_batches_.empty()) return std::make_unique<Batch>();
  auto batch = std::move(spare_batches_.back());
  spare_batches_.pop_back();
  return batch;
}

void LoopCache::give_back(std::unique_ptr<Batch> batch) noexcept {
  if (spare_batches_.size() >= kSpareBatchesMax || batch->is_large()) return;
  batch->clear();
  spare_batches_.push_back(std::move(batch));
}

}  // namespace pabal::mqtt
