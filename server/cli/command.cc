#include "server/cli/command.h"

#include <algorithm>
#include <ostream>
#include <sstream>

#include "server/cli/json.h"
#include "server/cli/version.h"

namespace pabal::cli {
namespace {

constexpr std::string_view kExitCodes =
    "Exit codes: 0 done, 1 the answer is no (findings, damage, loss), 2 wrong command line,\n"
    "3 no connection, 4 the broker refused, 5 no answer in time, 74 the journal failed (serve).\n";

/// One line each, of those whose names begin with `family`; false: there is none.
bool print_commands(std::span<const Command* const> commands, std::string_view family,
                    std::ostream& out) {
  std::size_t width = 0;
  for (const Command* const command : commands) {
    if (command->name.starts_with(family)) width = std::max(width, command->name.size());
  }
  for (const Command* const command : commands) {
    if (!command->name.starts_with(family)) continue;
    std::string name(command->name);
    name.resize(width + 2, ' ');
    out << "  " << name << command->summary << '\n';
  }
  return width > 0;
}

void print_overview(std::span<const Command* const> commands, std::ostream& out) {
  out << "Pabal is a message broker for STOMP, MQTT and ActiveMQ's Java clients. This one "
         "program is the broker and its tools.\n\nUsage: pabal COMMAND [OPTION…]\n\nCommands:\n";
  (void)print_commands(commands, {}, out);
  out << "\nA first message:\n"
         "  pabal serve -d /tmp/pabal &\n"
         "  pabal send --destination /queue/hello --body 'Hello, courier'\n"
         "  pabal receive --destination /queue/hello --count 1\n\n"
         "Every command has --help with its options and examples, and --json for programs.\n"
         "pabal --version prints the version.\n\n"
      << kExitCodes;
}

void print_help(const Command& command, std::ostream& out) {
  out << "Usage: pabal " << command.name << " [OPTION…]";
  if (!command.operands.empty()) out << ' ' << command.operands;
  out << "\n\n" << command.text << "\n\nOptions:\n" << describe_options(command.options);
  out << "\nExamples:\n" << command.examples << "\n\n" << kExitCodes;
}

/// `pabal queue --help`: the commands whose names begin with `family`; false: there is none.
bool print_family(std::span<const Command* const> commands, const std::string& family,
                  std::ostream& out) {
  std::ostringstream lines;
  const bool found = print_commands(commands, family + " ", lines);
  if (!found) return false;
  out << "Usage: pabal " << family << " COMMAND [OPTION…]\n\nCommands:\n"
      << lines.str() << "\nEach has --help with its options and examples.\n";
  return true;
}

bool wants_json(std::span<const std::string> words) {
  return std::find(words.begin(), words.end(), "--json") != words.end();
}

/// How many of `words` spell the command's name; 0: they do not.
std::size_t spells(const Command& command, std::span<const std::string> words) {
  std::string_view name = command.name;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t space = name.find(' ');
    if (name.substr(0, space) != words[i]) return 0;
    if (space == std::string_view::npos) return i + 1;
    name.remove_prefix(space + 1);
  }
  return 0;
}

Failure unknown_command(std::span<const Command* const> commands,
                        std::span<const std::string> words) {
  std::vector<std::string_view> names;
  std::string family;  // "store" alone: say what may follow
  for (const Command* const command : commands) {
    names.push_back(command->name);
    if (command->name.starts_with(words[0] + " ")) {
      family += (family.empty() ? "pabal " : ", pabal ") + std::string(command->name);
    }
  }
  if (!family.empty()) return {ExitCode::usage, "which one? There is " + family};
  std::string text = "there is no command '" + words[0] + "'";
  if (const std::string_view near = nearest(words[0], names); !near.empty()) {
    text += "; did you mean pabal " + std::string(near) + "?";
  } else {
    text += "; pabal --help lists them";
  }
  return {ExitCode::usage, std::move(text)};
}

int run_command(const Command& command, std::span<const std::string> words, Terminal& terminal) {
  // Help is answered even where something else is wrong: that is when one asks.
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word == "--help" || word == "-h") {
      print_help(command, terminal.out);
      return 0;
    }
  }
  const bool json = wants_json(words);
  const auto help_hint = "; pabal " + std::string(command.name) + " --help explains the options";
  const auto arguments = Arguments::parse(command.options, words);
  if (!arguments) {
    return report({ExitCode::usage, arguments.error().text + help_hint}, command.name, json,
                  terminal);
  }
  const std::size_t operands = arguments->positional().size();
  if (operands < command.operands_min || operands > command.operands_max) {
    const std::string text =
        operands < command.operands_min
            ? "it needs " + std::string(command.operands)
            : "'" + arguments->positional()[command.operands_max] + "' is one word too many";
    return report({ExitCode::usage, text + help_hint}, command.name, json, terminal);
  }
  return command.run(*arguments, terminal);
}

}  // namespace

int report(const Failure& failure, std::string_view command, bool json, Terminal& terminal) {
  const int code = static_cast<int>(failure.exit_code);
  if (json) {
    JsonWriter writer;
    writer.begin_object().text("error", failure.text);
    writer.number("exit_code", static_cast<std::uint64_t>(code)).end_object();
    terminal.out << writer.str() << '\n';
  } else {
    terminal.err << "pabal" << (command.empty() ? "" : " ") << command << ": " << failure.text
                 << '\n';
  }
  return code;
}

int run_program(std::span<const Command* const> commands, std::span<const std::string> words,
                Terminal& terminal) {
  if (!words.empty() && words[0] == "help" && words.size() > 1) {
    std::vector<std::string> asked(words.begin() + 1, words.end());
    asked.emplace_back("--help");
    return run_program(commands, asked, terminal);
  }
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_overview(commands, words.empty() ? terminal.err : terminal.out);
    return static_cast<int>(words.empty() ? ExitCode::usage : ExitCode::ok);
  }
  if (words[0] == "--version" || words[0] == "version") {
    if (wants_json(words)) {
      terminal.out << "{\"version\":" << json_quote(kVersion) << "}\n";
    } else {
      terminal.out << "pabal " << kVersion << '\n';
    }
    return 0;
  }
  for (const Command* const command : commands) {
    const std::size_t used = spells(*command, words);
    if (used > 0) return run_command(*command, words.subspan(used), terminal);
  }
  if (words.size() == 2 && (words[1] == "--help" || words[1] == "-h") &&
      print_family(commands, words[0], terminal.out)) {
    return 0;
  }
  if (words[0].starts_with('-')) {
    return report({ExitCode::usage,
                   "a command comes first, then its options; pabal --help lists "
                   "the commands"},
                  "", wants_json(words), terminal);
  }
  return report(unknown_command(commands, words), "", wants_json(words), terminal);
}

}  // namespace pabal::cli
