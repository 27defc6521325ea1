#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "protocols/stomp/stomp_session.h"
#include "protocols/stomp/text.h"

namespace pabal::stomp {
namespace {

/// STOMP 1.2 "Protocol Negotiation": the highest version on the comma list that we speak.
std::optional<Version> negotiate(const std::string_view* accepted) noexcept {
  if (accepted == nullptr) return Version::v1_0;
  std::optional<Version> best;
  std::string_view rest = *accepted;
  while (true) {
    const auto comma = rest.find(',');
    const std::string_view item = trim(rest.substr(0, comma));
    for (const Version version : {Version::v1_0, Version::v1_1, Version::v1_2}) {
      if (item == to_string(version) && (!best || version > *best)) best = version;
    }
    if (comma == std::string_view::npos) return best;
    rest.remove_prefix(comma + 1);
  }
}

/// "cx,cy" in milliseconds.
std::optional<HeartBeat> parse_heart_beat(std::string_view text) noexcept {
  const auto comma = text.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const auto sends = parse_number<std::uint32_t>(trim(text.substr(0, comma)));
  const auto wants = parse_number<std::uint32_t>(trim(text.substr(comma + 1)));
  if (!sends || !wants) return std::nullopt;
  return HeartBeat{core::milliseconds(*sends), core::milliseconds(*wants)};
}

}  // namespace

void StompSession::read_connect(const Frame& frame, Command& command, core::TimePoint /*now*/) {
  const auto* accepted = frame.find("accept-version");
  const auto version = negotiate(accepted);
  if (!version) {
    command.lists_versions = true;
    refuse_fatally(command, "Invalid Protocol version[" + std::string(*accepted) +
                                "], supported versions are: [1.2, 1.1, 1.0]");
    return;
  }
  HeartBeat heart_beat = options_.default_heart_beat;
  if (const auto* text = frame.find("heart-beat")) {
    const auto parsed = parse_heart_beat(*text);
    if (!parsed) {
      refuse_fatally(command, "Invalid heart-beat header:" + std::string(*text),
                     "expected: <cx>,<cy> in milliseconds");
      return;
    }
    heart_beat = *parsed;
  }
  // 1.0 trims values; from 1.1 on a blank may be part of a credential.
  const auto value = [&](std::string_view name) -> std::optional<std::string> {
    const auto* text = frame.find(name);
    if (text == nullptr) return std::nullopt;
    return std::string(*version == Version::v1_0 ? trim(*text) : *text);
  };
  auto request = std::make_unique<ConnectRequest>();
  auto client_id = value("client-id");
  if (!client_id) client_id = value("activemq.clientId");
  request->client_id = client_id.value_or("");
  request->login = value("login").value_or("");
  request->response_id = value("request-id");
  if (!request->response_id) request->response_id = value("receipt");
  // Any wish is granted, but for intervals that would only burn the server's time.
  const auto at_least = [&](core::milliseconds interval) {
    return interval.count() == 0 ? interval : std::max(interval, options_.heart_beat_min);
  };
  request->server_sends = at_least(heart_beat.client_wants);
  request->server_wants = at_least(heart_beat.client_sends);
  request->version = *version;
  command.connect = std::move(request);
  // What comes in the same read is already written in the version that was asked for.
  reads_as_connected_ = true;
  reads_version_ = *version;
  parser_.set_version(*version);
}

void StompSession::apply_connect(Command& command, core::Engine& engine, core::TimePoint /*now*/) {
  ConnectRequest& request = *command.connect;
  version_ = request.version;
  core::ConnectOptions options;
  options.home = peer_.home;
  options.client_id = request.client_id;
  options.remote = peer_.remote;
  options.protocol = "stomp " + std::string(to_string(version_));
  options.user = request.login;
  auto details = engine.connect(options);
  if (!details) {
    // reference/stomp.md §1: a failed CONNECT ends the connection.
    std::string text = details.error().text;
    if (details.error().code == core::Errc::in_use) {
      text = "Broker: " + options_.broker_name + " - " + text;
    }
    fail(command, text);
    batch_->answers.back().close = true;
    state_ = State::closed;
    end_reading();
    return;
  }
  state_ = State::connected;
  connection_ = details->id;
  origin_ = details->origin;
  client_id_ = std::move(details->client_id);
  has_client_id_ = !request.client_id.empty();
  login_ = std::move(request.login);
  server_sends_ = request.server_sends;
  server_wants_ = request.server_wants;
  Answer& answer = batch_->answers.emplace_back();
  answer.kind = AnswerKind::connected;
  if (request.response_id) answer.receipt = keep(*request.response_id);
}

}  // namespace pabal::stomp
