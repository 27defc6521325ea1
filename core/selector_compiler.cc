#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "core/selector.h"
#include "core/selector_lexer.h"
#include "core/selector_program.h"

namespace pabal::core {
namespace {

using Op = SelectorOp;
using Token = SelectorToken;

constexpr std::size_t kTextBytesMax = 64 * 1024;
constexpr std::size_t kNestingMax = 50;  // parentheses, signs and NOTs inside each other

/// What an expression is known to be before there is a message.
enum class Type : std::uint8_t { condition, number, text, anything };

struct HeaderName {
  std::string_view name;
  SelectorHeader header;
};

constexpr HeaderName kHeaders[] = {
    {"JMSCorrelationID", SelectorHeader::correlation_id},
    {"JMSDeliveryMode", SelectorHeader::delivery_mode},
    {"JMSDestination", SelectorHeader::destination},
    {"JMSExpiration", SelectorHeader::expiration},
    {"JMSMessageID", SelectorHeader::message_id},
    {"JMSPriority", SelectorHeader::priority},
    {"JMSRedelivered", SelectorHeader::redelivered},
    {"JMSReplyTo", SelectorHeader::reply_to},
    {"JMSTimestamp", SelectorHeader::timestamp},
    {"JMSType", SelectorHeader::type},
    {"JMSXDeliveryCount", SelectorHeader::delivery_count},
    {"JMSXGroupID", SelectorHeader::group_id},
    {"JMSXGroupSeq", SelectorHeader::group_sequence},
    {"JMSXUserID", SelectorHeader::user_id},
};

/// How a finished instruction changes the height of the stack.
int height_change(Op op) noexcept {
  switch (op) {
    case Op::push_integer:
    case Op::push_real:
    case Op::push_text:
    case Op::push_boolean:
    case Op::push_property:
    case Op::push_header:
      return 1;
    case Op::negate:
    case Op::like:
    case Op::in:
    case Op::is_null:
    case Op::condition:
    case Op::logical_not:
    case Op::jump_if_false:
    case Op::jump_if_true:
      return 0;
    case Op::between:
    case Op::not_between:
      return -2;
    default:
      return -1;
  }
}

/// Recursive descent, by rising binding: OR, AND, NOT, comparison, + and -, *, / and %, signs.
class Compiler {
 public:
  Compiler(std::string_view text, bool hyphens)
      : lexer_(text, hyphens), program_(std::make_unique<SelectorProgram>()) {}

  Result<std::unique_ptr<SelectorProgram>> run() {
    if (auto read = lexer_.next(); !read) return read.error();
    if (lexer_.token == Token::end) return selector_error(0, "the selector is empty");
    auto whole = disjunction();
    if (!whole) return whole.error();
    if (lexer_.token != Token::end) return unexpected("an operator");
    if (auto checked = make_condition(*whole); !checked) return checked.error();
    return std::move(program_);
  }

 private:
  /// An expression that has been compiled.
  struct Operand {
    Type type = Type::anything;
    std::size_t offset = 0;  ///< where it begins
  };
  using Compiled = Result<Operand>;

  // --- conditions

  Compiled disjunction() {
    return chain(Token::word_or, Op::jump_if_true, Op::logical_or,
                 [this] { return conjunction(); });
  }
  Compiled conjunction() {
    return chain(Token::word_and, Op::jump_if_false, Op::logical_and,
                 [this] { return negation(); });
  }

  template <class Next>
  Compiled chain(Token sign, Op jump, Op combine, Next next) {
    auto left = next();
    std::vector<std::size_t> jumps;
    while (left && lexer_.token == sign) {
      if (auto checked = make_condition(*left); !checked) return checked.error();
      jumps.push_back(program_->instructions.size());
      if (auto done = emit(jump); !done) return done.error();
      if (auto read = lexer_.next(); !read) return read.error();
      auto right = next();
      if (!right) return right;
      if (auto checked = make_condition(*right); !checked) return checked.error();
      if (auto done = emit(combine); !done) return done.error();
      left->type = Type::condition;
    }
    const auto end = static_cast<std::uint32_t>(program_->instructions.size());
    for (const std::size_t at : jumps) program_->instructions[at].operand = end;
    return left;
  }

  Compiled negation() {
    if (lexer_.token != Token::word_not) return comparison();
    const Nesting nesting(*this);
    if (nesting.too_deep()) return too_deep();
    const std::size_t offset = lexer_.offset;
    if (auto read = lexer_.next(); !read) return read.error();
    auto operand = negation();
    if (!operand) return operand;
    if (auto checked = make_condition(*operand); !checked) return checked.error();
    if (auto done = emit(Op::logical_not); !done) return done.error();
    return Operand{Type::condition, offset};
  }

  Compiled comparison() {
    auto left = sum();
    if (!left) return left;
    switch (lexer_.token) {
      case Token::equal:
        return compare(*left, Op::equal);
      case Token::not_equal:
        return compare(*left, Op::not_equal);
      case Token::less:
        return compare(*left, Op::less);
      case Token::less_or_equal:
        return compare(*left, Op::less_or_equal);
      case Token::greater:
        return compare(*left, Op::greater);
      case Token::greater_or_equal:
        return compare(*left, Op::greater_or_equal);
      case Token::word_is:
        return is_null(*left);
      case Token::word_not:
      case Token::word_between:
      case Token::word_like:
      case Token::word_in:
        return predicate(*left);
      default:
        return left;
    }
  }

  Compiled compare(const Operand& left, Op op) {
    const bool ordering = op != Op::equal && op != Op::not_equal;
    if (ordering) {
      if (auto checked = need_number(left); !checked) return checked.error();
    }
    if (auto read = lexer_.next(); !read) return read.error();
    auto right = sum();
    if (!right) return right;
    if (ordering) {
      if (auto checked = need_number(*right); !checked) return checked.error();
    }
    return finish(op, 0, left);
  }

  /// Source: JMS 1.1 §3.8.1.1: it asks for the presence of what an identifier names.
  Compiled is_null(const Operand& left) {
    const Op op = program_->instructions.back().op;
    if (op != Op::push_property && op != Op::push_header) {
      return selector_error(left.offset, "only of an identifier can be asked whether it IS NULL");
    }
    if (auto read = lexer_.next(); !read) return read.error();
    bool negated = false;
    if (lexer_.token == Token::word_not) {
      negated = true;
      if (auto read = lexer_.next(); !read) return read.error();
    }
    if (auto taken = expect(Token::word_null, "NULL"); !taken) return taken.error();
    return finish(Op::is_null, 0, left, negated);
  }

  /// BETWEEN, LIKE and IN, with or without NOT.
  Compiled predicate(const Operand& left) {
    bool negated = false;
    if (lexer_.token == Token::word_not) {
      negated = true;
      if (auto read = lexer_.next(); !read) return read.error();
    }
    switch (lexer_.token) {
      case Token::word_between:
        return between(left, negated ? Op::not_between : Op::between);
      case Token::word_like:
        return like(left, negated);
      case Token::word_in:
        return in(left, negated);
      default:
        return unexpected("BETWEEN, LIKE or IN");
    }
  }

  Compiled between(const Operand& left, Op op) {
    if (auto checked = need_number(left); !checked) return checked.error();
    if (auto read = lexer_.next(); !read) return read.error();
    auto low = sum();
    if (!low) return low;
    if (auto checked = need_number(*low); !checked) return checked.error();
    if (auto taken = expect(Token::word_and, "AND"); !taken) return taken.error();
    auto high = sum();
    if (!high) return high;
    if (auto checked = need_number(*high); !checked) return checked.error();
    return finish(op, 0, left);
  }

  Compiled like(const Operand& left, bool negated) {
    if (auto checked = need_text(left); !checked) return checked.error();
    if (auto read = lexer_.next(); !read) return read.error();
    if (lexer_.token != Token::text) return unexpected("a pattern in single quotes");
    const std::size_t pattern_offset = lexer_.offset;
    const std::string pattern = std::move(lexer_.value);
    if (auto read = lexer_.next(); !read) return read.error();
    std::string escape;
    if (lexer_.token == Token::word_escape) {
      if (auto read = lexer_.next(); !read) return read.error();
      if (lexer_.token != Token::text) return unexpected("the escape character in single quotes");
      escape = std::move(lexer_.value);
      if (escape.empty() || utf8_length(escape, 0) != escape.size()) {
        return selector_error(lexer_.offset, "ESCAPE takes exactly one character");
      }
      if (auto read = lexer_.next(); !read) return read.error();
    }
    auto compiled = compile_pattern(pattern, escape, pattern_offset);
    if (!compiled) return compiled.error();
    program_->patterns.push_back(std::move(*compiled));
    return finish(Op::like, program_->patterns.size() - 1, left, negated);
  }

  Compiled in(const Operand& left, bool negated) {
    if (auto checked = need_text(left); !checked) return checked.error();
    if (auto read = lexer_.next(); !read) return read.error();
    if (auto taken = expect(Token::left_parenthesis, "'('"); !taken) return taken.error();
    std::vector<std::string> list;
    for (;;) {
      if (lexer_.token != Token::text) return unexpected("a text in single quotes");
      list.push_back(std::move(lexer_.value));
      if (auto read = lexer_.next(); !read) return read.error();
      if (lexer_.token != Token::comma) break;
      if (auto read = lexer_.next(); !read) return read.error();
    }
    if (auto taken = expect(Token::right_parenthesis, "',' or ')'"); !taken) return taken.error();
    std::sort(list.begin(), list.end());
    program_->lists.push_back(std::move(list));
    return finish(Op::in, program_->lists.size() - 1, left, negated);
  }

  // --- values

  Compiled sum() {
    return arithmetic(
        [this] { return product(); },
        {{{Token::plus, Op::add}, {Token::minus, Op::subtract}, {Token::end, Op::add}}});
  }
  Compiled product() {
    return arithmetic([this] { return signed_value(); }, {{{Token::asterisk, Op::multiply},
                                                           {Token::slash, Op::divide},
                                                           {Token::percent, Op::remainder}}});
  }

  template <class Next>
  Compiled arithmetic(Next next, std::array<std::pair<Token, Op>, 3> operators) {
    auto left = next();
    while (left && lexer_.token != Token::end) {
      const auto found = std::find_if(operators.begin(), operators.end(), [this](const auto& each) {
        return each.first == lexer_.token;
      });
      if (found == operators.end()) break;
      if (auto checked = need_number(*left); !checked) return checked.error();
      if (auto read = lexer_.next(); !read) return read.error();
      auto right = next();
      if (!right) return right;
      if (auto checked = need_number(*right); !checked) return checked.error();
      if (auto done = emit(found->second); !done) return done.error();
      left->type = Type::number;
    }
    return left;
  }

  Compiled signed_value() {
    if (lexer_.token != Token::plus && lexer_.token != Token::minus) return primary(false);
    const Nesting nesting(*this);
    if (nesting.too_deep()) return too_deep();
    const bool minus = lexer_.token == Token::minus;
    const std::size_t offset = lexer_.offset;
    if (auto read = lexer_.next(); !read) return read.error();
    if (minus && lexer_.token == Token::integer) return primary(true);
    auto operand = signed_value();
    if (!operand) return operand;
    if (auto checked = need_number(*operand); !checked) return checked.error();
    if (minus) {
      if (auto done = emit(Op::negate); !done) return done.error();
    }
    return Operand{Type::number, offset};
  }

  /// `negative`: a minus stands in front of the integer that comes.
  Compiled primary(bool negative) {
    const std::size_t offset = lexer_.offset;
    switch (lexer_.token) {
      case Token::integer:
        return integer(negative);
      case Token::real:
        program_->reals.push_back(lexer_.real);
        return literal(Op::push_real, program_->reals.size() - 1, Type::number);
      case Token::text:
        program_->texts.push_back(std::move(lexer_.value));
        return literal(Op::push_text, program_->texts.size() - 1, Type::text);
      case Token::word_true:
        return literal(Op::push_boolean, 1, Type::condition);
      case Token::word_false:
        return literal(Op::push_boolean, 0, Type::condition);
      case Token::identifier:
        return identifier();
      case Token::left_parenthesis:
        break;
      case Token::word_null:
        return selector_error(offset, "nothing equals NULL; use IS NULL");
      default:
        return unexpected("a value");
    }
    const Nesting nesting(*this);
    if (nesting.too_deep()) return too_deep();
    if (auto read = lexer_.next(); !read) return read.error();
    auto inner = disjunction();
    if (!inner) return inner;
    if (auto taken = expect(Token::right_parenthesis, "')'"); !taken) return taken.error();
    inner->offset = offset;
    return inner;
  }

  Compiled integer(bool negative) {
    const std::uint64_t magnitude = lexer_.integer;
    constexpr std::uint64_t kLargest = 0x7FFF'FFFF'FFFF'FFFF;
    if (!negative && magnitude > kLargest) {
      return selector_error(lexer_.offset, "the number does not fit into 64 bits");
    }
    program_->integers.push_back(static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude));
    return literal(Op::push_integer, program_->integers.size() - 1, Type::number);
  }

  Compiled identifier() {
    const auto* header = std::find_if(std::begin(kHeaders), std::end(kHeaders),
                                      [this](const auto& h) { return h.name == lexer_.value; });
    if (header != std::end(kHeaders)) {
      if (header->header == SelectorHeader::redelivered ||
          header->header == SelectorHeader::delivery_count) {
        program_->depends_on_delivery = true;
      }
      return literal(Op::push_header, static_cast<std::size_t>(header->header), Type::anything);
    }
    auto& texts = program_->texts;
    const auto known = std::find(texts.begin(), texts.end(), lexer_.value);
    const auto index = static_cast<std::size_t>(known - texts.begin());
    if (known == texts.end()) texts.push_back(std::move(lexer_.value));
    return literal(Op::push_property, index, Type::anything);
  }

  Compiled literal(Op op, std::size_t operand, Type type) {
    const Operand made{type, lexer_.offset};
    if (auto done = emit(op, operand); !done) return done.error();
    if (auto read = lexer_.next(); !read) return read.error();
    return made;
  }

  // --- checks

  static Result<void> need_number(const Operand& operand) {
    if (operand.type == Type::number || operand.type == Type::anything) return {};
    return selector_error(operand.offset, "a number or an identifier is needed here");
  }
  static Result<void> need_text(const Operand& operand) {
    if (operand.type == Type::text || operand.type == Type::anything) return {};
    return selector_error(operand.offset, "a text or an identifier is needed here");
  }
  Result<void> make_condition(const Operand& operand) {
    if (operand.type == Type::condition) return {};
    if (operand.type == Type::anything) return emit(Op::condition);
    return selector_error(operand.offset, "a condition is needed here, not a value");
  }
  Result<void> expect(Token token, const char* what) {
    if (lexer_.token != token) return unexpected(what);
    return lexer_.next();
  }
  [[nodiscard]] Error unexpected(const std::string& wanted) const {
    const std::string found = lexer_.token == Token::end
                                  ? "the selector ends"
                                  : "'" + std::string(lexer_.spelling) + "' stands";
    return selector_error(lexer_.offset, found + " where " + wanted + " is expected");
  }
  [[nodiscard]] Error too_deep() const {
    return selector_error(lexer_.offset,
                          "nested more than " + std::to_string(kNestingMax) + " levels deep");
  }

  class Nesting {
   public:
    explicit Nesting(Compiler& compiler) : compiler_(compiler) { ++compiler_.nesting_; }
    ~Nesting() { --compiler_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    [[nodiscard]] bool too_deep() const noexcept { return compiler_.nesting_ > kNestingMax; }

   private:
    Compiler& compiler_;
  };

  // --- the program

  Result<void> emit(Op op, std::size_t operand = 0) {
    program_->instructions.push_back({op, static_cast<std::uint32_t>(operand)});
    height_ += height_change(op);
    if (height_ > static_cast<int>(SelectorProgram::kStackMax)) {
      return selector_error(lexer_.offset, "the expression is too complex");
    }
    return {};
  }
  Compiled finish(Op op, std::size_t operand, const Operand& left, bool negated = false) {
    if (auto done = emit(op, operand); !done) return done.error();
    if (negated) {
      if (auto done = emit(Op::logical_not); !done) return done.error();
    }
    return Operand{Type::condition, left.offset};
  }

  static std::size_t utf8_length(std::string_view text, std::size_t at) noexcept {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
    return end - at;
  }

  static Result<SelectorPattern> compile_pattern(std::string_view text, std::string_view escape,
                                                 std::size_t offset) {
    SelectorPattern pattern;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t length = utf8_length(text, at);
      std::string_view character = text.substr(at, length);
      at += length;
      auto kind = SelectorPattern::Kind::character;
      if (!escape.empty() && character == escape) {
        if (at == text.size()) {
          return selector_error(offset, "the pattern ends with its escape character");
        }
        length = utf8_length(text, at);
        character = text.substr(at, length);
        at += length;
      } else if (character == "_") {
        kind = SelectorPattern::Kind::any_one;
      } else if (character == "%") {
        kind = SelectorPattern::Kind::any_run;
      }
      const bool repeated = kind == SelectorPattern::Kind::any_run && !pattern.elements.empty() &&
                            pattern.elements.back().kind == kind;
      if (!repeated) pattern.elements.push_back({kind, std::string(character)});
    }
    return pattern;
  }

  SelectorLexer lexer_;
  std::unique_ptr<SelectorProgram> program_;
  std::size_t nesting_ = 0;
  int height_ = 0;
};

}  // namespace

Result<Selector> Selector::compile(std::string_view text) {
  if (text.size() > kTextBytesMax) {
    return selector_error(kTextBytesMax, "a selector of more than " +
                                             std::to_string(kTextBytesMax) + " bytes is refused");
  }
  std::string_view condition = text;
  bool convert_texts = false;
  bool hyphens = false;
  for (;;) {
    if (condition.starts_with(kConvertTexts)) {
      convert_texts = true;
      condition.remove_prefix(kConvertTexts.size());
    } else if (condition.starts_with(kHyphenatedNames)) {
      hyphens = true;
      condition.remove_prefix(kHyphenatedNames.size());
    } else {
      break;
    }
  }
  auto program = Compiler(condition, hyphens).run();
  if (!program) return program.error();
  (*program)->text = text;
  (*program)->convert_texts = convert_texts;
  return Selector(std::move(*program));
}

}  // namespace pabal::core
