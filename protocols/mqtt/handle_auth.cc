#include <string>
#include <utility>

#include "protocols/mqtt/mqtt_session.h"
#include "protocols/mqtt/packet_encoder.h"

// AUTH: enhanced authentication, MQTT 5.0 §4.12. The exchange is outside the engine, so that all of
// it is in the reading half; what is sent goes the way of every answer.
//
//   CONNECT with a method ─▶ [AUTH 0x18 ⇄ AUTH 0x18 …] ─▶ CONNACK
//   AUTH 0x19             ─▶ [AUTH 0x18 ⇄ AUTH 0x18 …] ─▶ AUTH 0x00, or DISCONNECT

namespace pabal::mqtt {

/// CONNECT waits in `authenticating_` until the method is content with the client.
void MqttSession::begin_authentication(std::unique_ptr<ConnectRequest> request,
                                       std::string_view method, std::string_view data) {
  authentication_ =
      options_.authenticator == nullptr ? nullptr : options_.authenticator->begin(method);
  if (authentication_ == nullptr) {  // [MQTT-4.12.0-1]
    request->refusal = ReasonCode::bad_authentication_method;
    return let_connect(std::move(request));
  }
  method_ = method;
  authenticating_ = std::move(request);
  go_on_authenticating(data);
}

void MqttSession::read_auth(const Auth& packet) {
  // [MQTT-4.12.0-7]: who gave no method sends no AUTH, and the method stays what it was.
  if (method_.empty() || packet.properties.text(PropertyId::authentication_method) != method_) {
    return fail_reading(ReasonCode::protocol_error,
                        method_.empty() ? "AUTH without an authentication method in CONNECT"
                                        : "AUTH with another method than CONNECT");
  }
  if (packet.reason == ReasonCode::reauthenticate) {  // [MQTT-4.12.1-1]
    if (authentication_ != nullptr) {
      return fail_reading(ReasonCode::protocol_error, "authentication is under way");
    }
    authentication_ = options_.authenticator->begin(method_);
  }
  const bool goes_on = packet.reason == ReasonCode::reauthenticate ||
                       packet.reason == ReasonCode::continue_authentication;
  if (authentication_ == nullptr || !goes_on) {
    return fail_reading(ReasonCode::protocol_error, "nothing is being authenticated");
  }
  go_on_authenticating(packet.properties.text(PropertyId::authentication_data));
}

void MqttSession::go_on_authenticating(std::string_view data) {
  AuthenticationStep step = authentication_->take(data);
  if (step.result == AuthenticationStep::Result::more) {
    return send_auth(ReasonCode::continue_authentication, step.data);  // [MQTT-4.12.0-2]
  }
  authentication_.reset();
  const bool accepted = step.result == AuthenticationStep::Result::accepted;
  if (authenticating_ != nullptr) {
    if (!accepted) authenticating_->refusal = ReasonCode::not_authorized;  // [MQTT-4.12.0-4]
    authenticating_->user = std::move(step.user);
    authenticating_->authentication_method = method_;
    authenticating_->authentication_data = std::move(step.data);
    return let_connect(std::move(authenticating_));
  }
  if (accepted) return send_auth(ReasonCode::success, step.data);
  fail_reading(ReasonCode::not_authorized, step.reason);  // [MQTT-4.12.1-2]
}

/// [MQTT-4.12.0-5]: it repeats the method.
void MqttSession::send_auth(ReasonCode reason, std::string_view data) {
  Auth packet;
  packet.reason = reason;
  packet.properties.set(PropertyId::authentication_method, method_);
  if (!data.empty()) packet.properties.set(PropertyId::authentication_data, data);
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::auth;
  append_packet(command.text, packet, Level::v5);
}

void MqttSession::apply_auth(Command& command, core::Engine& /*engine*/, core::TimePoint /*now*/) {
  answer_bytes(Answer::Kind::bytes, std::move(command.text), core::kNoTicket);
}

}  // namespace pabal::mqtt
