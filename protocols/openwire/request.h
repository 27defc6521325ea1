#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine.h"
#include "protocols/openwire/command.h"
#include "protocols/openwire/registry.h"

namespace pabal::openwire {

/// Which transaction a command belongs to.
struct TransactionKey {
  enum class Kind : std::uint8_t { none, local, xa } kind = Kind::none;
  std::int64_t value = 0;                          ///< local
  std::shared_ptr<const core::Xid> xid = nullptr;  ///< xa
  [[nodiscard]] bool present() const noexcept { return kind != Kind::none; }
};

struct SendRequest {
  core::MessageRef message;
  bool incomplete = false;  ///< the message still needs its origin
  ObjectKey producer;
  std::uint32_t window_bytes = 0;  ///< what a ProducerAck gives back (reference §6.13)
  TransactionKey transaction;
  std::shared_ptr<core::ScheduleRequest> schedule;
  std::shared_ptr<const std::vector<core::Destination>> targets;
  std::shared_ptr<const core::ProducerSequence> identity;
};

struct AckRequest {
  ObjectKey consumer;
  AckType type{};
  std::optional<IdKey> first;
  IdKey last;
  std::int32_t count = 0;
  TransactionKey transaction;
};

/// A command with the bytes that its views point into.
struct Control {
  std::string frame;
  AnyCommand command;
};

/// One command, read and owned, on its way into the engine.
struct Request {
  enum class Kind : std::uint8_t {
    nothing,  ///< its answer is made already
    send,
    ack,
    control,
    refused,     ///< changes nothing; text and class say why
    failed,      ///< the same, and the connection ends
    pull_check,  ///< of our own making: whether pulls are to be answered with nothing
  };
  Kind kind = Kind::nothing;
  std::int32_t command_id = 0;
  bool response_required = false;
  SendRequest send;  ///< also of a refused one: what is to be told of it
  AckRequest ack;
  std::unique_ptr<Control> control;
  std::string text;                  ///< refused, failed; of an ack: the cause
  std::string_view exception_class;  ///< refused
};

/// What one decode() leaves for apply(), and that for encode_outcomes(). Reused by other sessions
/// of the loop, so that an idle session owns none.
struct Batch {
  /// A piece of `bytes` that leaves when the store is durable up to `after`.
  struct Piece {
    std::size_t end = 0;
    core::Ticket after = core::kNoTicket;
  };
  std::vector<Request> requests;
  std::string bytes;
  std::vector<Piece> pieces;
  bool close = false;

  void clear() noexcept {
    requests.clear();
    bytes.clear();
    pieces.clear();
    close = false;
  }
  /// Grown by something unusual; not worth keeping.
  [[nodiscard]] bool is_large() const noexcept {
    return requests.capacity() > 4096 || bytes.capacity() > 1 << 20 || pieces.capacity() > 4096;
  }
};

}  // namespace pabal::openwire
