#include "protocols/openwire/loop_cache.h"

#include <utility>

#include "protocols/openwire/request.h"

namespace pabal::openwire {

LoopCache::LoopCache(Clock clock) : clock_(clock) {}
LoopCache::~LoopCache() = default;

const EncodedMessage& LoopCache::encoded(const core::Delivery& delivery, const WireFormat& format) {
  const bool again = delivery.refused || (delivery.redelivered && delivery.deliveries == 0);
  if (message_.get() == delivery.message.get() && place_ == delivery.destination &&
      version_ == format.version && again_ == again) {
    return encoded_;
  }
  message_ = delivery.message;
  place_ = delivery.destination;
  version_ = format.version;
  again_ = again;
  Message message = wire_message(*message_, place_.get(), outgoing_);
  word_advisory(*message_, message, advisory_);
  if (again) say_it_comes_again(message, outgoing_);
  message.broker_in_time = message_->timestamp();
  message.broker_out_time = core::to_millis(now());
  encoded_.key = message.message_id ? key_of(*message.message_id) : IdKey{};
  encoded_.bytes.clear();
  append_destination_and_message(encoded_.bytes, message, format, encoded_.marks);
  advisory_.advisory.message.reset();  // it may be large
  return encoded_;
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

}  // namespace pabal::openwire
