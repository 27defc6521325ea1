#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/destination.h"
#include "core/message.h"
#include "core/result.h"

namespace pabal::core {

struct SelectorProgram;

/// A message selector: SQL-92 conditional expressions over headers and properties (JMS 1.1
/// §3.8.1.1), compiled once. Beyond the specification, as ActiveMQ has it: `%`, identifiers in
/// double quotes ("content-type"), the headers JMSDestination, JMSReplyTo, JMSExpiration and
/// JMSRedelivered, and the prefixes `convert_string_expressions:` (a text is compared with a number
/// or a boolean by what it spells) and `hyphenated_props:` (a `-` within a name belongs to it).
/// Immutable; thread: any.
class Selector {
 public:
  /// What is true of a message for one reader only.
  struct DeliveryState {
    std::uint32_t deliveries = 0;  ///< earlier ones that were counted
    bool redelivered = false;
    /// Where it stands, for JMSDestination; null: the message's own destination.
    const Destination* destination = nullptr;
  };

  static constexpr std::string_view kConvertTexts = "convert_string_expressions:";
  static constexpr std::string_view kHyphenatedNames = "hyphenated_props:";

  /// Errors: invalid_argument; the text says what is wrong at which column (from 1, in bytes,
  /// behind the prefixes).
  static Result<Selector> compile(std::string_view text);

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
