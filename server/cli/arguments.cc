#include "server/cli/arguments.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>

namespace pabal::cli {
namespace {

Failure usage(std::string text) {
  return {ExitCode::usage, std::move(text)};
}

std::string shown(const Option& option) {
  return "--" + std::string(option.name);
}

Outcome<std::uint64_t> parse_integer(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return usage("'" + std::string(text) + "' is not a whole number");
  }
  return number;
}

Outcome<double> parse_seconds(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(number >= 0)) {
    return usage("'" + text + "' is not a number of seconds");
  }
  return number;
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == value) return true;
    if (bar == std::string_view::npos) return false;
    choices.remove_prefix(bar + 1);
  }
  return false;
}

Outcome<void> check_range(const Option& option, double number) {
  if (number >= static_cast<double>(option.minimum) &&
      number <= static_cast<double>(option.maximum)) {
    return {};
  }
  std::string text = shown(option) + " must be at least " + std::to_string(option.minimum);
  if (option.maximum != Option().maximum) text += " and at most " + std::to_string(option.maximum);
  return usage(std::move(text));
}

Outcome<void> check_value(const Option& option, const std::string& value) {
  switch (option.kind) {
    case OptionKind::text:
      return {};
    case OptionKind::flag:
      if (value == "true" || value == "false") return {};
      return usage(shown(option) + " takes true or false, not '" + value + "'");
    case OptionKind::choice:
      if (is_choice(option.choices, value)) return {};
      return usage(shown(option) + " takes " + std::string(option.choices) + ", not '" + value +
                   "'");
    case OptionKind::integer:
    case OptionKind::bytes: {
      const auto number =
          option.kind == OptionKind::bytes ? parse_bytes(value) : parse_integer(value);
      if (!number) return usage(shown(option) + ": " + number.error().text);
      return check_range(option, static_cast<double>(*number));
    }
    case OptionKind::seconds: {
      const auto number = parse_seconds(value);
      if (!number) return usage(shown(option) + ": " + number.error().text);
      return check_range(option, *number);
    }
  }
  PABAL_UNREACHABLE();
}

Failure unknown_option(std::span<const Option> options, const std::string& word,
                       std::string_view name) {
  std::vector<std::string_view> names;
  for (const Option& option : options) names.push_back(option.name);
  std::string text = "unknown option '" + word + "'";
  if (const std::string_view near = nearest(name, names); !near.empty()) {
    text += "; did you mean --" + std::string(near) + "?";
  }
  return usage(std::move(text));
}

/// One word that starts with a dash, cut into the option it names and the value stuck to it.
struct OptionWord {
  const Option* option = nullptr;
  bool has_value = false;
  std::string value;
};

Outcome<OptionWord> match_option(std::span<const Option> options, const std::string& word) {
  OptionWord found;
  if (word.starts_with("--")) {
    const std::size_t equals = word.find('=');
    const std::string_view name = std::string_view(word).substr(
        2, equals == std::string::npos ? std::string::npos : equals - 2);
    const auto by_name = std::find_if(options.begin(), options.end(),
                                      [&](const Option& option) { return option.name == name; });
    if (by_name == options.end()) return unknown_option(options, word, name);
    found.option = &*by_name;
    found.has_value = equals != std::string::npos;
    if (found.has_value) found.value = word.substr(equals + 1);
    return found;
  }
  const auto by_letter = std::find_if(options.begin(), options.end(), [&](const Option& option) {
    return option.short_name == word[1];
  });
  if (by_letter == options.end()) return unknown_option(options, word, word.substr(1));
  found.option = &*by_letter;
  found.has_value = word.size() > 2;  // -Dname=value
  if (found.has_value) found.value = word.substr(2);
  return found;
}

}  // namespace

Outcome<std::uint64_t> parse_bytes(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
      case 'K':
        shift = 10;
        break;
      case 'm':
      case 'M':
        shift = 20;
        break;
      case 'g':
      case 'G':
        shift = 30;
        break;
      default:
        break;
    }
  }
  if (shift != 0) text.remove_suffix(1);
  const auto number = parse_integer(text);
  if (!number) return usage(number.error().text + " of bytes, such as 1024, 64k, 32m or 1g");
  if (*number > (std::uint64_t{1} << (63 - shift)))
    return usage("the number of bytes is too large");
  return *number << shift;
}

Outcome<Arguments> Arguments::parse(std::span<const Option> options,
                                    std::span<const std::string> words) {
  Arguments arguments;
  arguments.options_ = options;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      arguments.positional_.insert(arguments.positional_.end(), words.begin() + i + 1, words.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      arguments.positional_.push_back(word);
      continue;
    }
    auto matched = match_option(options, word);
    if (!matched) return matched.error();
    const Option& option = *matched->option;
    if (option.kind == OptionKind::flag && !matched->has_value) {
      matched->value = "true";
    } else if (!matched->has_value) {
      if (i + 1 == words.size()) {
        return usage(shown(option) + " needs a value: " + shown(option) + " " +
                     std::string(option.value));
      }
      matched->value = words[++i];
    }
    if (const auto checked = check_value(option, matched->value); !checked) return checked.error();
    auto& values = arguments.values_[std::string(option.name)];
    if (!values.empty() && !option.repeatable) {
      return usage(shown(option) + " is given twice");
    }
    values.push_back(std::move(matched->value));
  }
  return arguments;
}

const Option& Arguments::option(std::string_view name) const {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const Option& option) { return option.name == name; });
  PABAL_CHECK(found != options_.end(), "a command reads an option that its table does not have");
  return *found;
}

bool Arguments::given(std::string_view name) const {
  return values_.find(option(name).name) != values_.end();
}

std::string Arguments::text(std::string_view name) const {
  const Option& known = option(name);
  const auto found = values_.find(known.name);
  return found != values_.end() ? found->second.back() : std::string(known.default_value);
}

bool Arguments::flag(std::string_view name) const {
  return text(name) == "true";
}

std::uint64_t Arguments::number(std::string_view name) const {
  const std::string value = text(name);
  if (value.empty()) return 0;
  return *(option(name).kind == OptionKind::bytes ? parse_bytes(value) : parse_integer(value));
}

double Arguments::seconds(std::string_view name) const {
  const std::string value = text(name);
  return value.empty() ? 0 : *parse_seconds(value);
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  const auto found = values_.find(option(name).name);
  return found != values_.end() ? found->second : std::vector<std::string>();
}

std::string describe_options(std::span<const Option> options, std::size_t width) {
  std::string text;
  for (const Option& option : options) {
    std::string head = "  ";
    if (option.short_name != 0) head += std::string("-") + option.short_name + ", ";
    head += shown(option);
    if (option.kind != OptionKind::flag) head += " " + std::string(option.value);
    std::string help(option.help);
    if (option.repeatable) help += " (may be given several times)";
    if (!option.default_value.empty()) {
      help += " (default " + std::string(option.default_value) + ")";
    }
    constexpr std::size_t kIndent = 30;
    std::string line = head;
    line.resize(std::max(head.size() + 2, kIndent), ' ');
    for (std::size_t at = 0; at < help.size();) {
      const std::size_t space = help.find(' ', at);
      const std::string_view word = std::string_view(help).substr(
          at, space == std::string::npos ? std::string::npos : space - at);
      if (line.size() + word.size() > width && line.size() > kIndent) {
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        line.assign(kIndent, ' ');
      }
      line.append(word).push_back(' ');
      at = space == std::string::npos ? help.size() : space + 1;
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  // Two letters that changed places count as two.
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, word.size() > 3 ? 2 : 1) + 1;
  for (const std::string_view candidate : candidates) {
    // Levenshtein's distance, one row at a time.
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t replaced = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace pabal::cli
