#include "server/http_endpoint.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string>

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/ThreadPool.h>
#include <Poco/URI.h>

#include "server/api.h"
#include "server/http_socket.h"
#include "server/store_map_report.h"

namespace pabal::server {
namespace {

using Poco::Net::HTTPRequest;
using Poco::Net::HTTPResponse;
using Poco::Net::HTTPServerRequest;
using Poco::Net::HTTPServerResponse;

/// Destinations of one /api/status page and of /metrics: so many labels a Prometheus server bears.
constexpr std::size_t kPageDefault = 100;
constexpr std::size_t kPageMax = 1000;
constexpr std::size_t kMetricsDestinationsMax = 1000;
constexpr std::size_t kPathBytesMax = 16 << 10;
constexpr std::size_t kBodyBytesMax = 64 << 10;
constexpr int kThreadsMax = 8;

struct Answer {
  HTTPResponse::HTTPStatus status = HTTPResponse::HTTP_OK;
  std::string type = "application/json";
  std::string body;
};

Answer error_answer(HTTPResponse::HTTPStatus status, const std::string& text) {
  return {status, "application/json", "{\"error\":\"" + text + "\"}\n"};
}

Answer health(StatusSource& source) {
  const auto report = source.report({}, 0);
  return {illness(report).empty() ? HTTPResponse::HTTP_OK : HTTPResponse::HTTP_SERVICE_UNAVAILABLE,
          "application/json", format_health(report)};
}

Answer metrics(StatusSource& source) {
  return {HTTPResponse::HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
          format_metrics(source.report({}, kMetricsDestinationsMax))};
}

/// The parameter `limit`. Errors: invalid_argument (no number, too large, an unknown parameter).
core::Result<std::size_t> page_limit(const Poco::URI& uri,
                                     std::initializer_list<std::string_view> known) {
  std::size_t limit = kPageDefault;
  for (const auto& [name, value] : uri.getQueryParameters()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string names;
      for (const auto each : known) names += (names.empty() ? "" : " and ") + std::string(each);
      return core::Error{core::Errc::invalid_argument, "parameters are " + names};
    }
    if (name != "limit") continue;
    const auto* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, limit);
    if (error != std::errc() || stop != end || limit > kPageMax) {
      return core::Error{core::Errc::invalid_argument,
                         "limit is a number from 0 to " + std::to_string(kPageMax)};
    }
  }
  return limit;
}

Answer status(StatusSource& source, const Poco::URI& uri) {
  const auto limit = page_limit(uri, {"after", "limit"});
  if (!limit) return error_answer(HTTPResponse::HTTP_BAD_REQUEST, limit.error().text);
  std::string after;
  for (const auto& [name, value] : uri.getQueryParameters()) {
    if (name == "after") after = value;
  }
  return {HTTPResponse::HTTP_OK, "application/json", format_status(source.report(after, *limit))};
}

/// Who keeps how much of the store on disk. What is told apart while counting is bounded; beyond
/// it, `pabal store map DIR` does it with the broker stopped.
Answer store_map(StatusSource& source, const Poco::URI& uri) {
  constexpr std::size_t kPairsMax = 500'000;
  constexpr std::size_t kRowsOfSegment = 10;
  auto limit = page_limit(uri, {"limit"});
  if (!limit) return error_answer(HTTPResponse::HTTP_BAD_REQUEST, limit.error().text);
  const auto report = source.store_map({*limit, std::min(*limit, kRowsOfSegment), kPairsMax});
  if (!report) {
    ApiAnswer failure = ApiAnswer::failure(report.error());
    return {static_cast<HTTPResponse::HTTPStatus>(failure.status), "application/json",
            std::move(failure.body)};
  }
  return {HTTPResponse::HTTP_OK, "application/json", ApiAnswer::ok(*store_map_json(*report)).body};
}

/// All of them, which the configuration bounds.
Answer bridges(StatusSource& source, const Poco::URI& uri) {
  const auto limit = page_limit(uri, {"after", "limit"});
  if (!limit) return error_answer(HTTPResponse::HTTP_BAD_REQUEST, limit.error().text);
  return {HTTPResponse::HTTP_OK, "application/json", format_bridges(source.bridges())};
}

/// The body of a request, of which the socket lets only so much through.
std::string read_body(HTTPServerRequest& request) {
  std::string body;
  if (request.getMethod() != HTTPRequest::HTTP_POST) return body;
  if (!request.hasContentLength()) return body;
  if (request.getContentLength64() > static_cast<Poco::Int64>(kBodyBytesMax)) return body;
  body.resize(static_cast<std::size_t>(request.getContentLength64()));
  request.stream().read(body.data(), static_cast<std::streamsize>(body.size()));
  body.resize(static_cast<std::size_t>(std::max<std::streamsize>(request.stream().gcount(), 0)));
  return body;
}

Answer answer_api_call(HTTPServerRequest& request, EngineGate& gate) {
  if (request.getMethod() == HTTPRequest::HTTP_POST &&
      (!request.hasContentLength() ||
       request.getContentLength64() > static_cast<Poco::Int64>(kBodyBytesMax))) {
    return error_answer(HTTPResponse::HTTP_REQUEST_ENTITY_TOO_LARGE,
                        "a body has a Content-Length, of 64 KiB at most");
  }
  const std::string body = read_body(request);
  const std::string host = request.get("Host", "");
  const std::string origin = request.get("Origin", "");
  ApiCall call;
  call.method = request.getMethod();
  call.uri = request.getURI();
  call.content_type = request.getContentType();
  call.host = host;
  call.origin = origin;
  call.from_loopback = request.clientAddress().host().isLoopback();
  call.body = body;
  ApiAnswer answer = answer_api(gate, call);
  return {static_cast<HTTPResponse::HTTPStatus>(answer.status), "application/json",
          std::move(answer.body)};
}

Answer answer_to(HTTPServerRequest& request, StatusSource& source, EngineGate& gate) {
  if (is_api_path(request.getURI()) && request.getURI().size() <= kPathBytesMax) {
    return answer_api_call(request, gate);
  }
  if (request.getMethod() != HTTPRequest::HTTP_GET &&
      request.getMethod() != HTTPRequest::HTTP_HEAD) {
    return error_answer(HTTPResponse::HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
  }
  if (request.getURI().size() > kPathBytesMax) {
    return error_answer(HTTPResponse::HTTP_REQUEST_URI_TOO_LONG, "the path is too long");
  }
  const Poco::URI uri(request.getURI());
  const std::string& path = uri.getPath();
  if (path == "/health") return health(source);
  if (path == "/metrics") return metrics(source);
  if (path == "/api/status") return status(source, uri);
  if (path == "/api/bridges") return bridges(source, uri);
  if (path == "/api/store/map") return store_map(source, uri);
  return error_answer(HTTPResponse::HTTP_NOT_FOUND,
                      "try /health, /metrics, /api/status, /api/bridges, /api/store/map or "
                      "/api/queues");
}

class Handler final : public Poco::Net::HTTPRequestHandler {
 public:
  Handler(StatusSource& source, EngineGate& gate, Logger& logger)
      : source_(source), gate_(gate), logger_(logger) {}

  void handleRequest(HTTPServerRequest& request, HTTPServerResponse& response) override {
    try {
      const Answer answer = answer_to(request, source_, gate_);
      response.setStatusAndReason(answer.status);
      response.setContentType(answer.type);
      response.set("Cache-Control", "no-store");
      response.set("X-Content-Type-Options", "nosniff");
      if (answer.status == HTTPResponse::HTTP_METHOD_NOT_ALLOWED)
        response.set("Allow", "GET, HEAD");
      response.setContentLength64(static_cast<Poco::Int64>(answer.body.size()));
      auto& out = response.send();
      if (request.getMethod() != HTTPRequest::HTTP_HEAD) out << answer.body;
    } catch (const Poco::Exception& exception) {
      logger_.peer_fault("http", "request failed", {{"error", exception.displayText()}});
      if (!response.sent()) {
        response.setStatusAndReason(HTTPResponse::HTTP_BAD_REQUEST);
        response.setContentLength64(0);
        response.send();
      }
    }
  }

 private:
  StatusSource& source_;
  EngineGate& gate_;
  Logger& logger_;
};

class HandlerFactory final : public Poco::Net::HTTPRequestHandlerFactory {
 public:
  HandlerFactory(StatusSource& source, EngineGate& gate, Logger& logger)
      : source_(source), gate_(gate), logger_(logger) {}
  Poco::Net::HTTPRequestHandler* createRequestHandler(const HTTPServerRequest&) override {
    return new Handler(source_, gate_, logger_);  // Poco deletes it
  }

 private:
  StatusSource& source_;
  EngineGate& gate_;
  Logger& logger_;
};

Poco::Net::HTTPServerParams::Ptr make_parameters(const HttpSettings& settings) {
  Poco::Net::HTTPServerParams::Ptr parameters = new Poco::Net::HTTPServerParams;
  parameters->setMaxThreads(kThreadsMax);
  parameters->setMaxQueued(static_cast<int>(settings.connections_max));
  // A connection that is kept for later keeps a thread, and there are few.
  parameters->setKeepAlive(false);
  return parameters;
}

HttpSocketLimits socket_limits(const HttpSettings& settings) {
  return {settings.request_timeout, settings.request_timeout, settings.request_bytes_max};
}

}  // namespace

class HttpEndpoint::Server {
 public:
  Server(StatusSource& source, EngineGate& gate, Logger& logger, const HttpSettings& settings)
      : socket_(Poco::Net::SocketAddress(settings.host, settings.port), socket_limits(settings)),
        pool_(1, kThreadsMax, 30),
        server_(new HandlerFactory(source, gate, logger), pool_, socket_,
                make_parameters(settings)) {}

  [[nodiscard]] std::uint16_t port() const { return socket_.address().port(); }
  void start() { server_.start(); }
  void stop() {
    server_.stopAll(true);
    pool_.stopAll();
  }

 private:
  HttpServerSocket socket_;
  Poco::ThreadPool pool_;
  Poco::Net::HTTPServer server_;
};

HttpEndpoint::HttpEndpoint(StatusSource& source, EngineGate& gate, Logger& logger)
    : source_(source), gate_(gate), logger_(logger) {}

HttpEndpoint::~HttpEndpoint() {
  stop();
}

core::Result<void> HttpEndpoint::open(const HttpSettings& settings) {
  try {
    server_ = std::make_unique<Server>(source_, gate_, logger_, settings);
    return {};
  } catch (const Poco::Exception& exception) {
    const std::string where = settings.location.line != 0 ? settings.location.to_text() + ": " : "";
    return core::Error{core::Errc::invalid_argument,
                       where + "listener http: cannot listen on " + settings.host + ":" +
                           std::to_string(settings.port) + ": " + exception.displayText()};
  }
}

std::uint16_t HttpEndpoint::port() const noexcept {
  return server_ ? server_->port() : 0;
}

void HttpEndpoint::start() {
  server_->start();
}

void HttpEndpoint::stop() {
  if (!server_) return;
  server_->stop();
  server_.reset();
}

}  // namespace pabal::server
