#include "core/selector.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/selector_program.h"

namespace pabal::core {
namespace {

using Op = SelectorOp;

/// A value on the stack. `unknown` is SQL's NULL; `other` is something that no operator can use.
struct Value {
  enum class Kind : std::uint8_t { unknown, boolean, integer, real, text, other };
  Kind kind;
  bool boolean;
  std::int64_t integer;
  double real;
  std::string_view text;

  static Value of(bool value) {
    Value made{};
    made.kind = Kind::boolean;
    made.boolean = value;
    return made;
  }
  static Value of(std::int64_t value) {
    Value made{};
    made.kind = Kind::integer;
    made.integer = value;
    return made;
  }
  static Value of(double value) {
    Value made{};
    made.kind = Kind::real;
    made.real = value;
    return made;
  }
  static Value of(std::string_view value) {
    Value made{};
    made.kind = Kind::text;
    made.text = value;
    return made;
  }
  static Value other() {
    Value made{};
    made.kind = Kind::other;
    return made;
  }
  static Value of_optional_text(std::string_view value) {
    return value.empty() ? Value{} : of(value);
  }
  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind == wanted; }
  [[nodiscard]] bool is_number() const noexcept {
    return kind == Kind::integer || kind == Kind::real;
  }
  [[nodiscard]] double as_real() const noexcept {
    return kind == Kind::integer ? static_cast<double>(integer) : real;
  }
  [[nodiscard]] bool is_true() const noexcept { return kind == Kind::boolean && boolean; }
  [[nodiscard]] bool is_false() const noexcept { return kind == Kind::boolean && !boolean; }
};

using Kind = Value::Kind;

Value number_in(std::string_view text) noexcept {
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, integer);
      error == std::errc() && stop == end) {
    return Value::of(integer);
  }
  double real = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, real);
      error == std::errc() && stop == end && std::isfinite(real)) {
    return Value::of(real);
  }
  return Value::other();
}

Value boolean_in(std::string_view text) noexcept {
  const auto spells = [text](std::string_view word) {
    return text.size() == word.size() && std::equal(text.begin(), text.end(), word.begin(),
                                                    [](char a, char b) { return (a | 0x20) == b; });
  };
  if (spells("true")) return Value::of(true);
  if (spells("false")) return Value::of(false);
  return Value::other();
}

// --- arithmetic: Java's, but that a result too large for 64 bits becomes a real ------------------

Value arithmetic(Op op, std::int64_t left, std::int64_t right) noexcept {
  std::int64_t result = 0;
  switch (op) {
    case Op::add:
      if (__builtin_add_overflow(left, right, &result)) break;
      return Value::of(result);
    case Op::subtract:
      if (__builtin_sub_overflow(left, right, &result)) break;
      return Value::of(result);
    case Op::multiply:
      if (__builtin_mul_overflow(left, right, &result)) break;
      return Value::of(result);
    case Op::divide:
      if (right == 0) return {};
      if (right == -1) return arithmetic(Op::subtract, 0, left);
      return Value::of(left / right);
    case Op::remainder:
      if (right == 0) return {};
      return Value::of(right == -1 ? std::int64_t{0} : left % right);
    default:
      return {};
  }
  const auto a = static_cast<double>(left);
  const auto b = static_cast<double>(right);
  return Value::of(op == Op::add ? a + b : op == Op::subtract ? a - b : a * b);
}

Value arithmetic(Op op, double left, double right) noexcept {
  switch (op) {
    case Op::add:
      return Value::of(left + right);
    case Op::subtract:
      return Value::of(left - right);
    case Op::multiply:
      return Value::of(left * right);
    case Op::divide:
      return Value::of(left / right);
    case Op::remainder:
      return Value::of(std::fmod(left, right));
    default:
      return {};
  }
}

// --- comparison ----------------------------------------------------------------------------------

template <class T>
bool holds(Op op, const T& left, const T& right) noexcept {
  switch (op) {
    case Op::equal:
      return left == right;
    case Op::not_equal:
      return left != right;
    case Op::less:
      return left < right;
    case Op::less_or_equal:
      return left <= right;
    case Op::greater:
      return left > right;
    default:
      return left >= right;
  }
}

// --- LIKE ----------------------------------------------------------------------------------------

std::size_t character_end(std::string_view text, std::size_t at) noexcept {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

/// Goes back to the last run only, so the time is at most text × pattern.
bool is_like(std::string_view text, const SelectorPattern& pattern) noexcept {
  const auto& elements = pattern.elements;
  std::size_t at = 0;
  std::size_t element = 0;
  std::optional<std::size_t> run;
  std::size_t run_to = 0;
  while (at < text.size()) {
    const auto* wanted = element < elements.size() ? &elements[element] : nullptr;
    if (wanted != nullptr && wanted->kind == SelectorPattern::Kind::any_run) {
      run = element++;
      run_to = at;
    } else if (wanted != nullptr && wanted->kind == SelectorPattern::Kind::any_one) {
      at = character_end(text, at);
      ++element;
    } else if (wanted != nullptr && text.substr(at).starts_with(wanted->character)) {
      at += wanted->character.size();
      ++element;
    } else if (run) {
      run_to = character_end(text, run_to);
      at = run_to;
      element = *run + 1;
    } else {
      return false;
    }
  }
  while (element < elements.size() && elements[element].kind == SelectorPattern::Kind::any_run) {
    ++element;
  }
  return element == elements.size();
}

// --- evaluation ----------------------------------------------------------------------------------

/// One run of a program over one message.
class Evaluation {
 public:
  Evaluation(const SelectorProgram& program, const Message& message,
             const Selector::DeliveryState& state) noexcept
      : program_(program), message_(message), state_(state) {}

  bool run() {
    const auto& instructions = program_.instructions;
    for (std::size_t at = 0; at < instructions.size(); ++at) {
      const auto [op, operand] = instructions[at];
      if (op == Op::jump_if_false || op == Op::jump_if_true) {
        const Value& top = stack_[height_ - 1].value;
        // What is jumped over would end in one value in the place of this one.
        if (op == Op::jump_if_false ? top.is_false() : top.is_true()) at = operand - 1;
        continue;
      }
      execute(op, operand);
    }
    return height_ == 1 && stack_[0].value.is_true();
  }

 private:
  void push(const Value& value) noexcept { stack_[height_++].value = value; }
  Value pop() noexcept { return stack_[--height_].value; }
  Value& top() noexcept { return stack_[height_ - 1].value; }

  void execute(Op op, std::uint32_t operand) {
    switch (op) {
      case Op::push_integer:
        return push(Value::of(program_.integers[operand]));
      case Op::push_real:
        return push(Value::of(program_.reals[operand]));
      case Op::push_text:
        return push(Value::of(std::string_view(program_.texts[operand])));
      case Op::push_boolean:
        return push(Value::of(operand != 0));
      case Op::push_property:
        return push(property(program_.texts[operand]));
      case Op::push_header:
        return push(header(static_cast<SelectorHeader>(operand)));
      case Op::negate:
        top() = negated(top());
        return;
      case Op::add:
      case Op::subtract:
      case Op::multiply:
      case Op::divide:
      case Op::remainder:
        return calculate(op);
      case Op::equal:
      case Op::not_equal:
      case Op::less:
      case Op::less_or_equal:
      case Op::greater:
      case Op::greater_or_equal: {
        const Value right = pop();
        top() = compare(op, top(), right);
        return;
      }
      case Op::between:
      case Op::not_between:
        return between(op);
      case Op::like:
        top() = of_text(
            [&](std::string_view text) { return is_like(text, program_.patterns[operand]); });
        return;
      case Op::in:
        top() = of_text([&](std::string_view text) {
          const auto& list = program_.lists[operand];
          return std::binary_search(list.begin(), list.end(), text, std::less<>());
        });
        return;
      case Op::is_null:
        top() = Value::of(top().is(Kind::unknown));
        return;
      case Op::condition:
        top() = condition(top());
        return;
      case Op::logical_not:
        if (top().is(Kind::boolean)) top().boolean = !top().boolean;
        return;
      case Op::logical_and:
      case Op::logical_or:
        return combine(op);
      case Op::jump_if_false:
      case Op::jump_if_true:
        return;
    }
  }

  // --- operators

  [[nodiscard]] Value as_number(const Value& value) const noexcept {
    if (value.is_number()) return value;
    if (value.is(Kind::text) && program_.convert_texts) return number_in(value.text);
    return Value::other();
  }

  [[nodiscard]] Value negated(const Value& value) const noexcept {
    const Value number = as_number(value);
    if (number.is(Kind::integer)) return arithmetic(Op::subtract, 0, number.integer);
    return number.is(Kind::real) ? Value::of(-number.real) : Value{};
  }

  /// With something that is no number the result is unknown.
  void calculate(Op op) noexcept {
    const Value right = as_number(pop());
    const Value left = as_number(top());
    if (!left.is_number() || !right.is_number()) {
      top() = {};
    } else if (left.is(Kind::integer) && right.is(Kind::integer)) {
      top() = arithmetic(op, left.integer, right.integer);
    } else {
      top() = arithmetic(op, left.as_real(), right.as_real());
    }
  }

  /// Unlike types are never equal, unequal, less or greater: false. With NULL: unknown.
  [[nodiscard]] Value compare(Op op, Value left, Value right) const noexcept {
    if (left.is(Kind::unknown) || right.is(Kind::unknown)) return {};
    if (program_.convert_texts) {
      convert(left, right);
      convert(right, left);
    }
    if (left.is(Kind::integer) && right.is(Kind::integer)) {
      return Value::of(holds(op, left.integer, right.integer));
    }
    if (left.is_number() && right.is_number()) {
      return Value::of(holds(op, left.as_real(), right.as_real()));
    }
    const bool equality = op == Op::equal || op == Op::not_equal;
    if (!equality || left.kind != right.kind) return Value::of(false);
    if (left.is(Kind::text)) return Value::of(holds(op, left.text, right.text));
    if (left.is(Kind::boolean)) return Value::of(holds(op, left.boolean, right.boolean));
    return Value::of(false);
  }

  /// Makes of a text what the other side is, if it spells that.
  static void convert(Value& value, const Value& like) noexcept {
    if (!value.is(Kind::text)) return;
    if (like.is_number()) value = number_in(value.text);
    if (like.is(Kind::boolean)) value = boolean_in(value.text);
  }

  void between(Op op) noexcept {
    const Value high = pop();
    const Value low = pop();
    if (op == Op::between) {
      top() = conjunction(compare(Op::greater_or_equal, top(), low),
                          compare(Op::less_or_equal, top(), high));
    } else {
      top() = disjunction(compare(Op::less, top(), low), compare(Op::greater, top(), high));
    }
  }

  template <class Test>
  Value of_text(Test test) {
    if (top().is(Kind::unknown)) return {};
    return Value::of(top().is(Kind::text) && test(top().text));
  }

  [[nodiscard]] Value condition(const Value& value) const noexcept {
    if (value.is(Kind::boolean) || value.is(Kind::unknown)) return value;
    if (value.is(Kind::text) && program_.convert_texts) {
      return Value::of(boolean_in(value.text).is_true());
    }
    return Value::of(false);
  }

  static Value conjunction(const Value& left, const Value& right) noexcept {
    if (left.is_false() || right.is_false()) return Value::of(false);
    return left.is_true() && right.is_true() ? Value::of(true) : Value{};
  }
  static Value disjunction(const Value& left, const Value& right) noexcept {
    if (left.is_true() || right.is_true()) return Value::of(true);
    return left.is_false() && right.is_false() ? Value::of(false) : Value{};
  }
  void combine(Op op) noexcept {
    const Value right = pop();
    top() = op == Op::logical_and ? conjunction(top(), right) : disjunction(top(), right);
  }

  // --- operands

  [[nodiscard]] Value property(std::string_view name) {
    const auto found = message_.property(name);
    if (!found) return {};
    switch (found->type) {
      case PropertyType::null:
        return {};
      case PropertyType::boolean:
        return Value::of(found->integer != 0);
      case PropertyType::int8:
      case PropertyType::int16:
      case PropertyType::int32:
      case PropertyType::int64:
        return Value::of(found->integer);
      case PropertyType::float32:
      case PropertyType::float64:
        return Value::of(found->real);
      case PropertyType::string:
        return Value::of(utf8_text(*found));
      case PropertyType::bytes:
      case PropertyType::character:
      case PropertyType::list:
      case PropertyType::map:
        break;
    }
    return Value::other();
  }

  /// A string that is not UTF-8 as it stands is copied, which needs no haste.
  std::string_view utf8_text(const Property& property) {
    std::string scratch;
    const std::string_view text = property.utf8_text(scratch);
    if (text.data() == property.text.data()) return text;
    const std::span<char> copy = room(text.size());
    std::copy(text.begin(), text.end(), copy.begin());
    return {copy.data(), copy.size()};
  }

  Value header(SelectorHeader header) {
    switch (header) {
      case SelectorHeader::correlation_id:
        return Value::of_optional_text(message_.correlation());
      case SelectorHeader::delivery_count:
        return Value::of(std::int64_t{state_.deliveries} + 1);
      case SelectorHeader::delivery_mode:
        return Value::of(std::string_view(message_.persistent() ? "PERSISTENT" : "NON_PERSISTENT"));
      case SelectorHeader::destination:
        if (state_.destination != nullptr) {
          return address(state_.destination->kind, state_.destination->name);
        }
        return address(message_.destination_kind(), message_.destination_name());
      case SelectorHeader::expiration:
        return Value::of(message_.expiration());
      case SelectorHeader::group_id:
        return Value::of_optional_text(message_.group_id());
      case SelectorHeader::group_sequence:
        return message_.group_id().empty() ? Value{}
                                           : Value::of(std::int64_t{message_.group_sequence()});
      case SelectorHeader::message_id:
        return Value::of(message_.id_in(
            std::span<char, Message::kNativeIdBytesMax>(room(Message::kNativeIdBytesMax))));
      case SelectorHeader::priority:
        return Value::of(std::int64_t{message_.priority()});
      case SelectorHeader::redelivered:
        return Value::of(state_.redelivered);
      case SelectorHeader::reply_to: {
        const auto reply_to = message_.reply_to();
        if (!reply_to) return {};
        return reply_to->kind ? address(*reply_to->kind, reply_to->name)
                              : Value::of(reply_to->name);
      }
      case SelectorHeader::timestamp:
        return Value::of(message_.timestamp());
      case SelectorHeader::type:
        return Value::of_optional_text(message_.type());
      case SelectorHeader::user_id:
        return Value::of_optional_text(message_.user_id());
    }
    return {};
  }

  Value address(DestinationKind kind, std::string_view name) {
    constexpr std::string_view kColon = "://";
    const std::string_view scheme = to_string(kind);
    const std::span<char> text = room(scheme.size() + kColon.size() + name.size());
    auto at = std::copy(scheme.begin(), scheme.end(), text.begin());
    at = std::copy(kColon.begin(), kColon.end(), at);
    std::copy(name.begin(), name.end(), at);
    return Value::of(std::string_view(text.data(), text.size()));
  }

  /// For a text that the message does not hold as such; lasts as long as the evaluation.
  std::span<char> room(std::size_t bytes) {
    if (bytes <= room_.size() - room_used_) {
      const auto taken = std::span(room_).subspan(room_used_, bytes);
      room_used_ += bytes;
      return taken;
    }
    more_room_.push_back(std::make_unique_for_overwrite<char[]>(bytes));
    return {more_room_.back().get(), bytes};
  }

  const SelectorProgram& program_;
  const Message& message_;
  const Selector::DeliveryState& state_;
  /// Nothing is in it before it is pushed: clearing all of them would cost more than most
  /// selectors.
  union Slot {
    Slot() noexcept {}
    Value value;
  };
  std::array<Slot, SelectorProgram::kStackMax> stack_;
  std::size_t height_ = 0;
  std::array<char, 512> room_;
  std::size_t room_used_ = 0;
  std::vector<std::unique_ptr<char[]>> more_room_;
};

}  // namespace

Selector::Selector(std::unique_ptr<SelectorProgram> program) noexcept
    : program_(std::move(program)) {}
Selector::Selector(Selector&&) noexcept = default;
Selector& Selector::operator=(Selector&&) noexcept = default;
Selector::~Selector() = default;

bool Selector::matches(const Message& message, const DeliveryState& state) const noexcept {
  return Evaluation(*program_, message, state).run();
}

const std::string& Selector::text() const noexcept {
  return program_->text;
}

bool Selector::depends_on_delivery() const noexcept {
  return program_->depends_on_delivery;
}

}  // namespace pabal::core
