#include <string>
#include <utility>

#include "protocols/mqtt/mqtt_session.h"

// DISCONNECT, and how a connection ends in the engine.

namespace pabal::mqtt {

void MqttSession::read_disconnect(const Disconnect& packet) {
  Command& command = batch().commands.emplace_back();
  command.kind = CommandKind::disconnect;
  command.reason = packet.reason;
  if (packet.properties.has(PropertyId::session_expiry)) {
    command.session_expiry = packet.properties.number(PropertyId::session_expiry);
  }
  reading_ended_ = true;
}

void MqttSession::apply_disconnect(Command& command, core::Engine& engine, core::TimePoint now) {
  core::DisconnectOptions how;
  how.how =
      command.reason == ReasonCode::success ? core::Leaving::orderly : core::Leaving::with_will;
  if (command.session_expiry) {
    const std::uint32_t expiry = *command.session_expiry;
    if (expires_with_connection_ && expiry != 0) {  // MQTT 5.0 §3.14.2.2.2
      fail(ReasonCode::protocol_error, "a session that was to end with its connection", engine,
           now);
      return;
    }
    how.keep = expiry == 0xFFFF'FFFF ? std::nullopt : std::optional(std::chrono::seconds(expiry));
  }
  answer_close();
  end(engine, how, now);
}

void MqttSession::disconnect(core::Engine& engine, core::TimePoint now) {
  end(engine, {core::Leaving::lost, std::nullopt}, now);
}

/// Once: the engine has ended it already if another connection took the session over.
void MqttSession::end(core::Engine& engine, const core::DisconnectOptions& how,
                      core::TimePoint now) {
  state_ = State::closed;
  if (!connection_ || left_) return;
  left_ = true;
  if (kept_) {
    std::string ids;
    for (const auto& [id, key] : unanswered(*sent_)) {
      const std::string value = encode_key(key);
      ids += std::to_string(id) + ' ' + std::to_string(value.size()) + ' ' + value;
    }
    if (!ids.empty()) (void)engine.change_session(*connection_, {{"q", std::move(ids)}});
  }
  engine.disconnect(*connection_, how, now);
}

}  // namespace pabal::mqtt
