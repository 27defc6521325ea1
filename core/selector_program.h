#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pabal::core {

/// A message header that a selector can name.
enum class SelectorHeader : std::uint8_t {
  correlation_id,
  delivery_count,
  delivery_mode,
  destination,
  expiration,
  group_id,
  group_sequence,
  message_id,
  priority,
  redelivered,
  reply_to,
  timestamp,
  type,
  user_id,
};

enum class SelectorOp : std::uint8_t {
  // Push one value.
  push_integer,   ///< integers[operand]
  push_real,      ///< reals[operand]
  push_text,      ///< texts[operand]
  push_boolean,   ///< operand != 0
  push_property,  ///< the property named texts[operand]
  push_header,    ///< SelectorHeader(operand)
  // Replace the top, or the two or three topmost, by the result.
  negate,
  add,
  subtract,
  multiply,
  divide,
  remainder,
  equal,
  not_equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
  between,
  not_between,
  like,  ///< patterns[operand]
  in,    ///< lists[operand]
  is_null,
  condition,  ///< a value where a condition is needed
  logical_not,
  logical_and,
  logical_or,
  // Look at the top and leave it.
  jump_if_false,  ///< to instruction `operand`
  jump_if_true,
};

struct SelectorInstruction {
  SelectorOp op{};
  std::uint32_t operand = 0;
};

/// LIKE: what a text must look like, taken apart. Each element is one character or a wildcard.
struct SelectorPattern {
  enum class Kind : std::uint8_t { character, any_one, any_run };
  struct Element {
    Kind kind{};
    std::string character;  ///< UTF-8
  };
  std::vector<Element> elements;
};

/// A compiled selector: a program for a stack of values. Conditions are jumped over as soon as they
/// are decided.
struct SelectorProgram {
  static constexpr std::size_t kStackMax = 64;  ///< the compiler refuses what needs more

  std::string text;
  std::vector<SelectorInstruction> instructions;
  std::vector<std::int64_t> integers;
  std::vector<double> reals;
  std::vector<std::string> texts;
  std::vector<SelectorPattern> patterns;
  std::vector<std::vector<std::string>> lists;  ///< each sorted
  bool convert_texts = false;
  bool depends_on_delivery = false;
};

}  // namespace pabal::core
