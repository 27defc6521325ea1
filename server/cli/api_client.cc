#include "server/cli/api_client.h"

#include <algorithm>
#include <ostream>
#include <sstream>

#include <Poco/Exception.h>
#include <Poco/JSON/Array.h>
#include <Poco/JSON/Parser.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/StreamCopier.h>
#include <Poco/URI.h>

#include "server/cli/time_text.h"

namespace pabal::cli {
namespace {

std::string shown(const Poco::Dynamic::Var& value) {
  const std::string text = value.isEmpty() ? std::string() : value.convert<std::string>();
  return text.empty() ? "-" : text;
}

/// A member for people: times are no numbers to them.
std::string shown(const std::string& name, const Poco::Dynamic::Var& value) {
  if (!is_time(name) || !value.isInteger()) return shown(value);
  return shown(time_text(value.convert<std::int64_t>(), now_millis()));
}

/// The members of an object and of the objects in it, in order.
void flatten(const Poco::JSON::Object& object,
             std::vector<std::pair<std::string, std::string>>& cells) {
  for (const std::string& name : object.getNames()) {
    if (object.isObject(name)) {
      flatten(*object.getObject(name), cells);
    } else {
      cells.emplace_back(name, shown(name, object.get(name)));
    }
  }
}

std::string encoded(std::string_view text) {
  std::string value;
  Poco::URI::encode(std::string(text), "&=?#+/:>%;,*'\"<", value);
  return value;
}

/// What a broker says that it did not do.
Failure refusal(const std::string& api, const std::string& path, int status,
                const std::string& body) {
  std::string text;
  try {
    Poco::JSON::Parser parser;
    const auto root = parser.parse(body).extract<Poco::JSON::Object::Ptr>();
    if (root->has("error")) text = root->getValue<std::string>("error");
  } catch (const Poco::Exception&) {
    text.clear();
  }
  if (text.empty()) {
    text = api + path + " answered " + std::to_string(status) + "; is that Pabal's HTTP listener?";
  }
  return {ExitCode::refused, text};
}

}  // namespace

ApiClient::ApiClient(const Arguments& arguments)
    : api_(arguments.text("api")), seconds_(arguments.seconds("timeout")) {
  while (api_.ends_with('/')) api_.pop_back();
}

Outcome<ApiReply> ApiClient::get(const std::string& path, const Parameters& parameters) const {
  std::string whole = path;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    whole += (whole.find('?') == std::string::npos ? '?' : '&') + name + '=' + encoded(value);
  }
  return call(Poco::Net::HTTPRequest::HTTP_GET, whole, {});
}

Outcome<ApiReply> ApiClient::post(const std::string& path, const Poco::JSON::Object& body) const {
  std::ostringstream text;
  body.stringify(text);
  return call(Poco::Net::HTTPRequest::HTTP_POST, path, text.str());
}

Outcome<ApiReply> ApiClient::remove(const std::string& path) const {
  return call(Poco::Net::HTTPRequest::HTTP_DELETE, path, {});
}

Outcome<ApiReply> ApiClient::call(const std::string& method, const std::string& path,
                                  const std::string& body) const {
  try {
    const Poco::URI uri(api_);
    if (uri.getScheme() != "http" || uri.getHost().empty()) {
      return Failure{ExitCode::usage, "--api takes http://host:port, not '" + api_ + "'"};
    }
    Poco::Net::HTTPClientSession session(uri.getHost(), uri.getPort());
    session.setTimeout(Poco::Timespan(static_cast<Poco::Int64>(seconds_ * 1e6)));
    Poco::Net::HTTPRequest request(method, path, Poco::Net::HTTPMessage::HTTP_1_1);
    if (method != Poco::Net::HTTPRequest::HTTP_GET) {
      request.setContentType("application/json");
      request.setContentLength64(static_cast<Poco::Int64>(body.size()));
    }
    session.sendRequest(request) << body;
    Poco::Net::HTTPResponse response;
    ApiReply reply;
    Poco::StreamCopier::copyToString(session.receiveResponse(response), reply.text);
    reply.status = static_cast<int>(response.getStatus());
    if (reply.status < 200 || reply.status > 299) {
      return refusal(api_, path, reply.status, reply.text);
    }
    Poco::JSON::Parser parser(new Poco::JSON::ParseHandler(true));  // keeps the members' order
    reply.json = parser.parse(reply.text).extract<Poco::JSON::Object::Ptr>();
    return reply;
  } catch (const Poco::TimeoutException&) {
    return Failure{ExitCode::timed_out, "no answer from " + api_ + " in time"};
  } catch (const Poco::JSON::JSONException& error) {
    return Failure{ExitCode::refused, api_ + " did not answer in JSON: " + error.displayText()};
  } catch (const Poco::SyntaxException&) {
    return Failure{ExitCode::usage, "--api takes http://host:port, not '" + api_ + "'"};
  } catch (const Poco::BadCastException&) {
    return Failure{ExitCode::refused, api_ + " did not answer with a JSON object"};
  } catch (const Poco::Exception& error) {
    return Failure{ExitCode::unreachable,
                   "cannot reach " + api_ + ": " + error.displayText() +
                       "; is the broker running? --api names its HTTP listener (the http= of its "
                       "\"pabal ready\" line)"};
  }
}

std::string path_segment(std::string_view name) {
  return encoded(name);
}

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
      out << head << shown(name, object.get(name)) << '\n';
    }
  }
}

}  // namespace pabal::cli
