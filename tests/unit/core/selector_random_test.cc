// Random selectors over random messages, against an evaluator of another make: it walks a tree, has
// truth values of its own, and never sees the compiler.

#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "core/selector.h"

namespace pabal::core {
namespace {

struct Null {};
using Value = std::variant<Null, bool, long long, double, std::string>;
enum class Truth { no, unknown, yes };
using Record = std::vector<Value>;  // by number of property

constexpr std::array kNames = {"alpha", "beta", "gamma", "delta", "epsilon"};

struct Term {  // a value
  std::string text;
  std::function<Value(const Record&)> evaluate;
};
struct Clause {  // a condition
  std::string text;
  std::function<Truth(const Record&)> evaluate;
};

bool is_null(const Value& value) {
  return std::holds_alternative<Null>(value);
}
bool is_number(const Value& value) {
  return std::holds_alternative<long long>(value) || std::holds_alternative<double>(value);
}
double real(const Value& value) {
  return std::holds_alternative<double>(value) ? std::get<double>(value)
                                               : static_cast<double>(std::get<long long>(value));
}
Truth truth(bool value) {
  return value ? Truth::yes : Truth::no;
}
Truth opposite(Truth value) {
  return value == Truth::yes ? Truth::no : value == Truth::no ? Truth::yes : Truth::unknown;
}

Truth compared(const std::string& sign, const Value& left, const Value& right) {
  if (is_null(left) || is_null(right)) return Truth::unknown;
  if (is_number(left) && is_number(right)) {
    int order = 0;
    if (std::holds_alternative<long long>(left) && std::holds_alternative<long long>(right)) {
      const auto a = std::get<long long>(left);
      const auto b = std::get<long long>(right);
      order = a < b ? -1 : a > b ? 1 : 0;
    } else {
      order = real(left) < real(right) ? -1 : real(left) > real(right) ? 1 : 0;
    }
    if (sign == "=") return truth(order == 0);
    if (sign == "<>") return truth(order != 0);
    if (sign == "<") return truth(order < 0);
    if (sign == "<=") return truth(order <= 0);
    if (sign == ">") return truth(order > 0);
    return truth(order >= 0);
  }
  if (left.index() != right.index() || (sign != "=" && sign != "<>")) return Truth::no;
  bool same = false;
  if (const auto* text = std::get_if<std::string>(&left)) same = *text == std::get<4>(right);
  if (const auto* flag = std::get_if<bool>(&left)) same = *flag == std::get<1>(right);
  return truth(same == (sign == "="));
}

bool like(const std::string& text, const std::string& pattern, std::size_t t, std::size_t p) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p] == '%') {
    return like(text, pattern, t, p + 1) || (t < text.size() && like(text, pattern, t + 1, p));
  }
  return t < text.size() && (pattern[p] == '_' || pattern[p] == text[t]) &&
         like(text, pattern, t + 1, p + 1);
}

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Record record() {
    Record made;
    for (std::size_t i = 0; i < kNames.size(); ++i) made.push_back(value());
    return made;
  }

  Clause clause(int depth) {
    const unsigned kind = pick(depth > 0 ? 10 : 6);
    if (kind < 2) return comparison(depth);
    if (kind == 2) return null_test();
    if (kind == 3) return text_test();
    if (kind == 4) return range(depth);
    if (kind == 5) return property_alone();
    if (kind == 6) {
      const Clause inner = clause(depth - 1);
      return {"NOT (" + inner.text + ")",
              [=](const Record& r) { return opposite(inner.evaluate(r)); }};
    }
    const Clause left = clause(depth - 1);
    const Clause right = clause(depth - 1);
    const bool both = kind < 9;
    return {"(" + left.text + (both ? ") AND (" : ") OR (") + right.text + ")",
            [=](const Record& r) {
              const Truth a = left.evaluate(r);
              const Truth b = right.evaluate(r);
              return both ? std::min(a, b) : std::max(a, b);
            }};
  }

  static MessageRef message(const Record& record) {
    MessageBuilder builder;
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      if (const auto* flag = std::get_if<bool>(&record[i])) builder.add_boolean(kNames[i], *flag);
      if (const auto* whole = std::get_if<long long>(&record[i])) {
        builder.add_integer(kNames[i], PropertyType::int64, *whole);
      }
      if (const auto* number = std::get_if<double>(&record[i])) {
        builder.add_real(kNames[i], PropertyType::float64, *number);
      }
      if (const auto* text = std::get_if<std::string>(&record[i])) {
        builder.add_string(kNames[i], *text);
      }
    }
    return *builder.build();
  }

 private:
  unsigned pick(unsigned bound) { return static_cast<unsigned>(random_() % bound); }
  std::string word() {
    std::string made;
    for (unsigned i = pick(4); i > 0; --i) made += "ab'"[pick(3)];
    return made;
  }
  static std::string quoted(const std::string& text) {
    std::string made = "'";
    for (const char c : text) made += c == '\'' ? "''" : std::string(1, c);
    return made + "'";
  }
  Value value() {
    switch (pick(5)) {
      case 0:
        return Null{};
      case 1:
        return pick(2) == 0;
      case 2:
        return static_cast<long long>(pick(9)) - 4;
      case 3:
        return static_cast<double>(pick(17)) / 2 - 4;
      default:
        return word();
    }
  }

  Term property() {
    const std::size_t at = pick(kNames.size());
    return {kNames[at], [=](const Record& r) { return r[at]; }};
  }

  Term number(int depth) {
    const unsigned kind = pick(depth > 0 ? 6 : 3);
    if (kind == 0) {
      const long long whole = pick(5);
      return {std::to_string(whole), [=](const Record&) { return Value(whole); }};
    }
    if (kind == 1) {
      const double half = static_cast<double>(pick(9)) / 2;
      return {std::to_string(half), [=](const Record&) { return Value(half); }};
    }
    if (kind == 2) return property();
    if (kind == 3) {
      const Term inner = number(depth - 1);
      return {"-(" + inner.text + ")", [=](const Record& r) {
                const Value v = inner.evaluate(r);
                if (const auto* whole = std::get_if<long long>(&v)) return Value(-*whole);
                return is_number(v) ? Value(-real(v)) : Value(Null{});
              }};
    }
    const Term left = number(depth - 1);
    const Term right = number(depth - 1);
    const char sign = "+-*/"[pick(4)];
    return {"(" + left.text + " " + sign + " " + right.text + ")", [=](const Record& r) -> Value {
              const Value a = left.evaluate(r);
              const Value b = right.evaluate(r);
              if (!is_number(a) || !is_number(b)) return Null{};
              if (a.index() == 2 && b.index() == 2) {
                const long long x = std::get<2>(a);
                const long long y = std::get<2>(b);
                if (sign == '/') return y == 0 ? Value(Null{}) : Value(x / y);
                return sign == '+' ? x + y : sign == '-' ? x - y : x * y;
              }
              const double x = real(a);
              const double y = real(b);
              return sign == '+' ? x + y : sign == '-' ? x - y : sign == '*' ? x * y : x / y;
            }};
  }

  Clause comparison(int depth) {
    static constexpr std::array kSigns = {"=", "<>", "<", "<=", ">", ">="};
    const std::string sign = kSigns[pick(6)];
    const Term left = number(depth);
    Term right = number(depth);
    if (pick(3) == 0 && (sign == "=" || sign == "<>")) {
      const std::string text = word();
      right = {quoted(text), [=](const Record&) { return Value(text); }};
    }
    return {left.text + " " + sign + " " + right.text, [=](const Record& r) {
              const Value a = left.evaluate(r);
              const Value b = right.evaluate(r);
              const auto not_a_number = [](const Value& v) {
                return std::holds_alternative<double>(v) && std::isnan(std::get<double>(v));
              };
              if (not_a_number(a) || not_a_number(b)) {
                // IEEE: only unequal.
                return is_null(a) || is_null(b)
                           ? Truth::unknown
                           : truth(sign == "<>" && is_number(a) && is_number(b));
              }
              return compared(sign, a, b);
            }};
  }

  Clause null_test() {
    const Term term = property();
    const bool negated = pick(2) == 0;
    return {term.text + (negated ? " IS NOT NULL" : " IS NULL"),
            [=](const Record& r) { return truth(is_null(term.evaluate(r)) != negated); }};
  }

  Clause text_test() {
    const Term term = property();
    const bool negated = pick(2) == 0;
    std::string text = term.text + (negated ? " NOT" : "");
    std::function<bool(const std::string&)> test;
    if (pick(2) == 0) {
      std::string pattern;
      for (unsigned i = pick(5); i > 0; --i) pattern += "ab%_"[pick(4)];
      text += " LIKE " + quoted(pattern);
      test = [=](const std::string& s) { return like(s, pattern, 0, 0); };
    } else {
      const std::string a = word();
      const std::string b = word();
      text += " IN (" + quoted(a) + ", " + quoted(b) + ")";
      test = [=](const std::string& s) { return s == a || s == b; };
    }
    return {text, [=](const Record& r) {
              const Value v = term.evaluate(r);
              if (is_null(v)) return Truth::unknown;
              const auto* s = std::get_if<std::string>(&v);
              return truth((s != nullptr && test(*s)) != negated);
            }};
  }

  Clause range(int depth) {
    const Term term = property();
    const Term low = number(std::min(depth, 1));
    const Term high = number(std::min(depth, 1));
    const bool negated = pick(2) == 0;
    return {
        term.text + (negated ? " NOT BETWEEN " : " BETWEEN ") + low.text + " AND " + high.text,
        [=](const Record& r) {
          const Value v = term.evaluate(r);
          if (negated) {
            return std::max(compared("<", v, low.evaluate(r)), compared(">", v, high.evaluate(r)));
          }
          return std::min(compared(">=", v, low.evaluate(r)), compared("<=", v, high.evaluate(r)));
        }};
  }

  Clause property_alone() {
    const Term term = property();
    return {term.text, [=](const Record& r) {
              const Value v = term.evaluate(r);
              if (is_null(v)) return Truth::unknown;
              const auto* flag = std::get_if<bool>(&v);
              return truth(flag != nullptr && *flag);
            }};
  }

  std::mt19937 random_;
};

bool has_not_a_number_in_range(const std::string& text) {
  return text.find("BETWEEN") != std::string::npos && text.find("/ 0.0") != std::string::npos;
}

TEST(SelectorRandomTest, AgreesWithAnotherEvaluator) {
  int counted[3] = {0, 0, 0};
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    Generator generator(seed);
    const Clause clause = generator.clause(4);
    if (has_not_a_number_in_range(clause.text)) continue;
    const auto selector = Selector::compile(clause.text);
    ASSERT_TRUE(selector) << "seed " << seed << ": " << clause.text << ": "
                          << selector.error().text;
    const auto negation = Selector::compile("NOT (" + clause.text + ")");
    ASSERT_TRUE(negation);
    for (int i = 0; i < 10; ++i) {
      const Record record = generator.record();
      const auto message = Generator::message(record);
      const Truth expected = clause.evaluate(record);
      ++counted[static_cast<int>(expected)];
      ASSERT_EQ(selector->matches(*message, {}), expected == Truth::yes)
          << "seed " << seed << ": " << clause.text;
      ASSERT_EQ(negation->matches(*message, {}), expected == Truth::no)
          << "seed " << seed << ": NOT (" << clause.text << ")";
    }
  }
  for (const int count : counted) EXPECT_GT(count, 1000) << "the generator has become lopsided";
}

}  // namespace
}  // namespace pabal::core
