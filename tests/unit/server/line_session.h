#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/engine.h"
#include "core/message.h"
#include "protocols/session.h"

namespace pabal::server {

/// A protocol for tests: one command per line, real engine behind it.
///
///   ID name        connects under a client id         → OK name
///   SUB queue      automatic acknowledgement          → SUBSCRIBED queue   (a barrier)
///   SEND queue x   persistent                         → RECEIPT x          (held until durable)
///   POST queue x   not persistent, no answer
///   BYE            → BYE, then closes
///   delivery       → MSG x          farewell → FAREWELL reason
///   every 20 ms    → TICK, if the client id is "ticker"
///   ID idler       → IDLE n, how many ms the loop believes that it was silent before that
class LineSession final : public protocols::Session {
 public:
  explicit LineSession(const protocols::PeerInfo& peer) : peer_(peer) {}

  void decode(std::span<const char> bytes, core::TimePoint) override {
    partial_.append(bytes.data(), bytes.size());
    for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
      lines_.push_back(partial_.substr(0, end));
      partial_.erase(0, end + 1);
    }
  }
  [[nodiscard]] bool has_commands() const noexcept override { return !lines_.empty(); }

  void apply(core::Engine& engine, core::TimePoint now) override PABAL_REQUIRES(core::engine_role) {
    for (const auto& line : std::exchange(lines_, {})) apply_line(line, engine, now);
  }
  void disconnect(core::Engine& engine, core::TimePoint now) override {
    if (connection_) engine.disconnect(*connection_, now);
  }
  void encode_outcomes(protocols::Output& output) override {
    for (const auto& answer : std::exchange(answers_, {})) {
      if (answer.after == core::kNoTicket) {
        output.ready() += answer.text;
      } else {
        output.hold(answer.after, answer.text, answer.barrier);
      }
      if (answer.text == "BYE\n") output.close_after_flush();
    }
  }
  void encode_delivery(const core::Delivery& delivery, protocols::Output& output) override {
    output.ready().append("MSG ").append(delivery.message->body()).append("\n");
  }
  void encode_reply(const core::Reply& reply, protocols::Output& output) override {
    output.hold(reply.outcome.after, "LATE\n", false);
  }
  void encode_farewell(protocols::Farewell /*why*/, std::string_view reason,
                       protocols::Output& output) override {
    output.ready().append("FAREWELL ").append(reason).append("\n");
  }
  [[nodiscard]] std::optional<core::ConnectionId> connection() const noexcept override {
    return connection_;
  }
  std::optional<core::milliseconds> on_timer(core::milliseconds idle_in, core::milliseconds,
                                             protocols::Output& output) override {
    if (connection_ && tells_idle_) {
      output.ready().append("IDLE " + std::to_string(idle_in.count()) + "\n");
    }
    if (!connection_ || !ticks_) return std::nullopt;
    output.ready().append("TICK\n");
    return core::milliseconds(20);
  }
  [[nodiscard]] std::string describe() const override { return "line"; }

 private:
  struct Answer {
    core::Ticket after;
    std::string text;
    bool barrier;
  };

  void apply_line(const std::string& line, core::Engine& engine, core::TimePoint now)
      PABAL_REQUIRES(core::engine_role) {
    const auto space = line.find(' ');
    const std::string word = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (word == "ID") {
      core::ConnectOptions options;
      options.home = peer_.home;
      options.client_id = rest;
      const bool again = connection_.has_value();
      if (!again) {
        if (auto details = engine.connect(options)) connection_ = details->id;
      }
      ticks_ = rest == "ticker";
      tells_idle_ = rest == "idler";
      answers_.push_back({core::kNoTicket, (again ? "NO " : "OK ") + rest + "\n", false});
    } else if (word == "SUB") {
      core::SubscribeOptions options;
      options.interests.push_back({{core::DestinationKind::queue, rest}, "", false});
      (void)engine.subscribe(*connection_, options, now);
      answers_.push_back({engine.submitted(), "SUBSCRIBED " + rest + "\n", true});
    } else if (word == "SEND" || word == "POST") {
      const auto split = rest.find(' ');
      const std::string queue = rest.substr(0, split);
      const std::string body = rest.substr(split + 1);
      core::MessageBuilder builder;
      builder.destination_name = queue;
      builder.persistent = word == "SEND";
      builder.body_kind = core::BodyKind::text;
      builder.body = body;
      const auto outcome =
          engine.publish(*connection_, *builder.build(), std::nullopt, next_token_++, now);
      if (word == "SEND" && outcome.disposition == core::Disposition::done) {
        answers_.push_back({outcome.after, "RECEIPT " + body.substr(0, 20) + "\n", false});
      }
    } else if (word == "BYE") {
      answers_.push_back({core::kNoTicket, "BYE\n", false});
    }
  }

  const protocols::PeerInfo peer_;
  std::string partial_;
  std::vector<std::string> lines_;
  std::vector<Answer> answers_;
  std::optional<core::ConnectionId> connection_;
  core::ReplyToken next_token_ = 1;
  bool ticks_ = false;
  bool tells_idle_ = false;
};

}  // namespace pabal::server
