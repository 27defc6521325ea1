#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.h"
#include "core/message.h"
#include "protocols/mqtt/publish_encoder.h"

namespace pabal::mqtt {

struct Batch;

/// What the MQTT sessions of one event loop share: the PUBLISH that is the same for every receiver,
/// encoded once, and scratch memory, so that an idle session owns none. Home: the loop.
class LoopCache {
 public:
  using Clock = core::TimePoint (*)();
  /// `clock`: the time on the wall, for what is left of a message's life when it is delivered.
  explicit LoopCache(Clock clock);
  ~LoopCache();
  LoopCache(const LoopCache&) = delete;
  LoopCache& operator=(const LoopCache&) = delete;

  /// The encoder, with everything of the message that all receivers get; null if MQTT has no name
  /// for where it was. Valid until the next call.
  const PublishEncoder* encoder_of(const core::Delivery& delivery);
  [[nodiscard]] core::TimePoint now() const { return clock_(); }

  /// An empty batch, and its return. Batches that a session keeps are simply destroyed.
  std::unique_ptr<Batch> take_batch();
  void give_back(std::unique_ptr<Batch> batch) noexcept;

  /// Reused for every PUBLISH.
  [[nodiscard]] core::MessageBuilder& builder() noexcept { return builder_; }
  std::string name;      ///< scratch: of the destination
  std::string reply_to;  ///< scratch: of the response topic

 private:
  static constexpr std::size_t kSpareBatchesMax = 64;

  Clock clock_;
  PublishEncoder encoder_;
  core::MessageRef encoded_;  // what encoder_ has; kept alive, for its payload is a view
  std::shared_ptr<const core::Destination> place_;
  bool nameless_ = false;
  std::vector<std::unique_ptr<Batch>> spare_batches_;
  core::MessageBuilder builder_;
};

}  // namespace pabal::mqtt
