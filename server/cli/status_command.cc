#include <algorithm>
#include <ostream>

#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>
#include <Poco/URI.h>

#include "server/cli/command.h"

namespace pabal::cli {
namespace {

constexpr Option kOptions[] = {
    {.name = "api",
     .value = "URL",
     .default_value = "http://127.0.0.1:8161",
     .help = "the broker's HTTP listener"},
    {.name = "timeout",
     .kind = OptionKind::seconds,
     .value = "SECONDS",
     .default_value = "5",
     .help = "how long to wait for the answer",
     .minimum = 1},
    kJsonOption,
    kHelpOption,
};

/// GET of `path`; the body of a 200. Poco's exceptions end here.
Outcome<std::string> get(const std::string& api, const std::string& path, double seconds) {
  try {
    const Poco::URI uri(api);
    if (uri.getScheme() != "http" || uri.getHost().empty()) {
      return Failure{ExitCode::usage, "--api takes http://host:port, not '" + api + "'"};
    }
    Poco::Net::HTTPClientSession session(uri.getHost(), uri.getPort());
    session.setTimeout(Poco::Timespan(static_cast<Poco::Int64>(seconds * 1e6)));
    Poco::Net::HTTPRequest request(Poco::Net::HTTPRequest::HTTP_GET, path,
                                   Poco::Net::HTTPMessage::HTTP_1_1);
    session.sendRequest(request);
    Poco::Net::HTTPResponse response;
    std::string body;
    Poco::StreamCopier::copyToString(session.receiveResponse(response), body);
    if (response.getStatus() != Poco::Net::HTTPResponse::HTTP_OK) {
      return Failure{ExitCode::refused,
                     api + path + " answered " + std::to_string(response.getStatus()) + " " +
                         response.getReason() + "; is that Pabal's HTTP listener?"};
    }
    return body;
  } catch (const Poco::TimeoutException&) {
    return Failure{ExitCode::timed_out, "no answer from " + api + " in time"};
  } catch (const Poco::SyntaxException&) {
    return Failure{ExitCode::usage, "--api takes http://host:port, not '" + api + "'"};
  } catch (const Poco::Exception& error) {
    return Failure{ExitCode::unreachable,
                   "cannot reach " + api + ": " + error.displayText() +
                       "; is the broker running? --api names its HTTP listener (the http= of its "
                       "\"pabal ready\" line)"};
  }
}

/// An array of objects as a table: one column per member, in the order of the first object.
void print_table(const Poco::JSON::Array& rows, std::ostream& out) {
  std::vector<std::vector<std::string>> cells;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows.getObject(static_cast<unsigned>(i));
    if (row.isNull()) {
      out << "  " << rows.get(static_cast<unsigned>(i)).convert<std::string>() << '\n';
      continue;
    }
    if (names.empty()) names = row->getNames();
    auto& line = cells.emplace_back();
    for (const std::string& name : names) {
      const Poco::Dynamic::Var value = row->get(name);
      line.push_back(value.isEmpty() ? "-" : value.convert<std::string>());
    }
  }
  if (cells.empty()) return;
  cells.insert(cells.begin(), names);
  for (const auto& line : cells) {
    std::string text = "  ";
    for (std::size_t column = 0; column < line.size(); ++column) {
      std::size_t width = 0;
      for (const auto& other : cells) width = std::max(width, other[column].size());
      text += line[column] + std::string(width + 2 - line[column].size(), ' ');
    }
    out << text.substr(0, text.find_last_not_of(' ') + 1) << '\n';
  }
}

void print_object(const Poco::JSON::Object& object, const std::string& prefix, std::ostream& out) {
  for (const std::string& name : object.getNames()) {
    const Poco::Dynamic::Var value = object.get(name);
    if (object.isObject(name)) {
      print_object(*object.getObject(name), prefix + name + ".", out);
    } else if (object.isArray(name)) {
      const auto rows = object.getArray(name);
      out << prefix << name << " (" << rows->size() << ")\n";
      print_table(*rows, out);
    } else {
      std::string head = prefix + name;
      head.resize(std::max<std::size_t>(head.size() + 1, 28), ' ');
      out << head << (value.isEmpty() ? "-" : value.convert<std::string>()) << '\n';
    }
  }
}

int run_status(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  std::string api = arguments.text("api");
  while (api.ends_with('/')) api.pop_back();
  const auto body = get(api, "/api/status", arguments.seconds("timeout"));
  if (!body) return report(body.error(), "status", json, terminal);
  try {
    Poco::JSON::Parser parser(new Poco::JSON::ParseHandler(true));  // keeps the members' order
    const auto root = parser.parse(*body).extract<Poco::JSON::Object::Ptr>();
    if (json) {
      terminal.out << *body << (body->ends_with('\n') ? "" : "\n");
    } else {
      print_object(*root, "", terminal.out);
    }
    return 0;
  } catch (const Poco::Exception& error) {
    return report({ExitCode::refused, api + " did not answer in JSON: " + error.displayText()},
                  "status", json, terminal);
  }
}

}  // namespace

constinit const Command kStatusCommand{
    .name = "status",
    .operands = "",
    .summary = "show what a running broker is doing",
    .text = "Asks the broker's HTTP listener for its counters, connections and destinations.",
    .examples =
        "  pabal status\n"
        "  pabal status --api http://127.0.0.1:8161 --json",
    .options = kOptions,
    .run = run_status,
};

}  // namespace pabal::cli
