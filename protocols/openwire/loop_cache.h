#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.h"
#include "core/message.h"
#include "protocols/openwire/advisories.h"
#include "protocols/openwire/codec.h"
#include "protocols/openwire/message_mapping.h"
#include "protocols/openwire/registry.h"

namespace pabal::openwire {

struct Batch;

/// A message as every consumer of its place gets it, but for the two fields that differ.
struct EncodedMessage {
  std::string bytes;  ///< destination and message as nested fields of a MessageDispatch
  MessageMarks marks;
  IdKey key;  ///< without a broker sequence
};

/// What the OpenWire sessions of one event loop share: the last message, encoded once for all of
/// its receivers, and scratch memory, so that an idle session owns none. Home: the loop.
class LoopCache {
 public:
  using Clock = core::TimePoint (*)();
  /// `clock`: the time on the wall, for time-outs of pulls and brokerOutTime.
  explicit LoopCache(Clock clock);
  ~LoopCache();
  LoopCache(const LoopCache&) = delete;
  LoopCache& operator=(const LoopCache&) = delete;

  /// Valid until the next call. One that failed before where a redelivery policy counts, or that is
  /// marked because the broker was restarted, has the property `redeliveryDelay`: without it the
  /// stock client refuses in transactions, unseen, what came more often than its own policy allows.
  const EncodedMessage& encoded(const core::Delivery& delivery, const WireFormat& format);
  [[nodiscard]] core::TimePoint now() const { return clock_(); }

  /// An empty batch, and its return. Batches that a session keeps are simply destroyed.
  std::unique_ptr<Batch> take_batch();
  void give_back(std::unique_ptr<Batch> batch) noexcept;

  // Reused for every command and message.
  AnyCommand command;
  core::MessageBuilder builder;
  IncomingScratch incoming;
  std::string text;  ///< scratch

 private:
  static constexpr std::size_t kSpareBatchesMax = 64;

  Clock clock_;
  EncodedMessage encoded_;
  OutgoingScratch outgoing_;
  AdvisoryScratch advisory_;
  core::MessageRef message_;  // what encoded_ has, of this place and in this version
  std::shared_ptr<const core::Destination> place_;
  std::int32_t version_ = 0;
  bool again_ = false;
  std::vector<std::unique_ptr<Batch>> spare_batches_;
};

}  // namespace pabal::openwire
