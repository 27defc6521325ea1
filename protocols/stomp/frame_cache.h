#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/message.h"
#include "protocols/stomp/frame_encoder.h"
#include "protocols/stomp/version.h"

namespace pabal::stomp {

struct Batch;

/// What the STOMP sessions of one event loop share: the headers of MESSAGE frames that are the same
/// for every receiver, encoded once per loop and protocol version, and scratch memory, so that an
/// idle session owns none. Home: the loop.
class FrameCache {
 public:
  FrameCache();
  ~FrameCache();
  FrameCache(const FrameCache&) = delete;
  FrameCache& operator=(const FrameCache&) = delete;

  struct CommonPart {
    std::string_view headers;  ///< each with its line end, without the blank line
    std::string_view body;
  };
  /// What a MESSAGE of `message` has for every receiver with this view, which has no temporaries of
  /// its own. `place`: core::Delivery::destination. Valid until the next call.
  CommonPart common_part(const core::MessageRef& message,
                         const std::shared_ptr<const core::Destination>& place,
                         const MessageView& view);

  /// An empty batch, and its return. Batches that a session keeps are simply destroyed.
  std::unique_ptr<Batch> take_batch();
  void give_back(std::unique_ptr<Batch> batch) noexcept;

  /// Reused for every SEND; clear() before use.
  [[nodiscard]] core::MessageBuilder& builder() noexcept { return builder_; }
  /// Reused too: the correlation of that SEND, if it is bytes.
  [[nodiscard]] std::string& correlation() noexcept { return correlation_; }
  /// And the map that its body means.
  [[nodiscard]] std::string& map() noexcept { return map_; }

 private:
  struct Slot;
  static void fill(Slot& slot, const core::Message& message, const core::Destination* place,
                   const MessageView& view);

  /// Remembering a message keeps it alive: larger ones are encoded anew for every receiver, and so
  /// are those whose body has become larger by converting.
  static constexpr std::size_t kRememberedBytesMax = 64 * 1024;
  static constexpr std::size_t kSlots = 16;
  static constexpr std::size_t kSpareBatchesMax = 64;

  struct Slot {
    core::MessageRef message;
    std::shared_ptr<const core::Destination> place;
    Version version{};
    std::string transformation;
    std::string headers;
    std::string converted;  // what the body was made in, if it had to be
    std::string_view body;
  };

  std::array<Slot, kSlots> slots_;
  Slot unremembered_;  // of the last message that was too large
  std::vector<std::unique_ptr<Batch>> spare_batches_;
  core::MessageBuilder builder_;
  std::string correlation_;
  std::string map_;
};

}  // namespace pabal::stomp
