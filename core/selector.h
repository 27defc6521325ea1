#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/message.h"
#include "core/result.h"

namespace pabal::core {

struct SelectorProgram;

/// A message selector: SQL-92 conditional expressions over headers and properties (JMS 1.1
/// §3.8.1.1), compiled once. Beyond the specification, as ActiveMQ has it: `%`, identifiers in
/// double quotes ("content-type"), the headers JMSDestination, JMSReplyTo, JMSExpiration and
/// JMSRedelivered. Immutable; thread: any.
class Selector {
 public:
  struct Options {
    /// A text is compared with a number or a boolean by what it spells: STOMP headers are texts
    /// only.
    bool convert_texts = false;
  };
  /// What is true of a message for one reader only.
  struct DeliveryState {
    std::uint32_t deliveries = 0;  ///< earlier ones that were counted
    bool redelivered = false;
  };

  /// Errors: invalid_argument; the text says what is wrong at which column (from 1, in bytes).
  static Result<Selector> compile(std::string_view text, const Options& options);

  Selector(Selector&&) noexcept;
  Selector& operator=(Selector&&) noexcept;
  ~Selector();

  /// Whether the condition is true; false and unknown are the same here. Allocates nothing, unless
  /// the selector asks for an address or id of more than 512 bytes.
  [[nodiscard]] bool matches(const Message& message, const DeliveryState& state) const noexcept;
  /// As it was given.
  [[nodiscard]] const std::string& text() const noexcept;
  /// Whether the answer for one message may change with its DeliveryState.
  [[nodiscard]] bool depends_on_delivery() const noexcept;

 private:
  explicit Selector(std::unique_ptr<SelectorProgram> program) noexcept;
  std::unique_ptr<const SelectorProgram> program_;
};

}  // namespace pabal::core
