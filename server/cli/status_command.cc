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
    {.name = "limit",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "show at most N destinations"},
    {.name = "after", .value = "NAME", .help = "begin behind this destination, as it was shown"},
    kJsonOption,
    kHelpOption,
};

std::string path_for(const Arguments& arguments) {
  std::string path = "/api/status";
  for (const char* const name : {"limit", "after"}) {
    if (!arguments.given(name)) continue;
    std::string value;
    Poco::URI::encode(arguments.text(name), "&=?#+/:>", value);
    path += (path.find('?') == std::string::npos ? "?" : "&") + std::string(name) + "=" + value;
  }
  return path;
}

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

std::string shown(const Poco::Dynamic::Var& value) {
  const std::string text = value.isEmpty() ? std::string() : value.convert<std::string>();
  return text.empty() ? "-" : text;
}

/// The members of an object and of the objects in it, in order.
void flatten(const Poco::JSON::Object& object,
             std::vector<std::pair<std::string, std::string>>& cells) {
  for (const std::string& name : object.getNames()) {
    if (object.isObject(name)) {
      flatten(*object.getObject(name), cells);
    } else {
      cells.emplace_back(name, shown(object.get(name)));
    }
  }
}

/// An array of objects as a table: one column per member, named by the first object.
void print_table(const Poco::JSON::Array& rows, std::ostream& out) {
  std::vector<std::vector<std::string>> lines(1);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = rows.getObject(static_cast<unsigned>(i));
    if (row.isNull()) {
      out << "  " << shown(rows.get(static_cast<unsigned>(i))) << '\n';
      continue;
    }
    std::vector<std::pair<std::string, std::string>> cells;
    flatten(*row, cells);
    auto& line = lines.emplace_back();
    for (auto& [name, value] : cells) {
      if (lines.size() == 2) lines[0].push_back(name);
      line.push_back(std::move(value));
    }
  }
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const auto& line : lines) {
    if (line.empty()) continue;
    std::string text = "  ";
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += line[i] + std::string(widths[i] + 2 - line[i].size(), ' ');
    }
    out << text.substr(0, text.find_last_not_of(' ') + 1) << '\n';
  }
}

void print_object(const Poco::JSON::Object& object, const std::string& prefix, std::ostream& out) {
  for (const std::string& name : object.getNames()) {
    if (object.isObject(name)) {
      print_object(*object.getObject(name), prefix + name + ".", out);
    } else if (object.isArray(name)) {
      const auto rows = object.getArray(name);
      out << prefix << name << " (" << rows->size() << ")\n";
      print_table(*rows, out);
    } else {
      std::string head = prefix + name;
      head.resize(std::max<std::size_t>(head.size() + 1, 28), ' ');
      out << head << shown(object.get(name)) << '\n';
    }
  }
}

int run_status(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  std::string api = arguments.text("api");
  while (api.ends_with('/')) api.pop_back();
  const auto body = get(api, path_for(arguments), arguments.seconds("timeout"));
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
