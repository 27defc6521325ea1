#include "server/cli/config_arguments.h"

namespace pabal::cli {

Outcome<std::vector<std::pair<std::string, std::string>>> read_definitions(
    const Arguments& arguments) {
  std::vector<std::pair<std::string, std::string>> definitions;
  for (const std::string& text : arguments.all("define")) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Failure{ExitCode::usage,
                     "-D takes NAME=VALUE, such as -D stomp.port=61613, not '" + text + "'"};
    }
    definitions.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return definitions;
}

}  // namespace pabal::cli
