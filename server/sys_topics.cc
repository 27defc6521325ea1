#include "server/sys_topics.h"

#include <algorithm>

#include <boost/asio/post.hpp>

#include "core/message.h"

namespace pabal::server {

std::vector<std::pair<std::string, std::string>> sys_topics(const SysFigures& figures) {
  const core::EngineSnapshot& engine = figures.engine;
  const std::uint64_t away = engine.sessions - engine.sessions_connected;
  const auto number = [](std::uint64_t value) { return std::to_string(value); };
  return {
      {"$SYS/broker/version", "Pabal " + figures.version},
      {"$SYS/broker/uptime", std::to_string(figures.uptime.count()) + " seconds"},
      {"$SYS/broker/clients/connected", number(engine.connections)},
      {"$SYS/broker/clients/disconnected", number(away)},
      {"$SYS/broker/clients/total", number(engine.connections + away)},
      {"$SYS/broker/subscriptions/count", number(engine.subscriptions)},
      {"$SYS/broker/retained messages/count", number(engine.retained)},
      {"$SYS/broker/retained messages/bytes", number(engine.retained_bytes)},
      {"$SYS/broker/publish/messages/received", number(engine.totals.enqueued)},
      {"$SYS/broker/publish/messages/sent", number(engine.totals.dispatched)},
      {"$SYS/broker/publish/messages/dropped", number(engine.totals.dropped)},
      {"$SYS/broker/publish/messages/expired", number(engine.totals.expired)},
      {"$SYS/broker/bytes/received", number(figures.bytes_in)},
      {"$SYS/broker/bytes/sent", number(figures.bytes_out)},
  };
}

SysTopics::SysTopics(boost::asio::io_context& context, EngineGate& gate,
                     std::function<SysFigures()> figures)
    : context_(context), gate_(gate), figures_(std::move(figures)), timer_(context) {}

void SysTopics::set_interval(std::chrono::seconds interval) {
  boost::asio::post(context_, [this, interval] {
    interval_ = interval;
    timer_.cancel();
    if (stopped_ || interval_.count() == 0) return;
    publish();
    wait();
  });
}

void SysTopics::stop() {
  stopped_ = true;
  timer_.cancel();
}

void SysTopics::wait() {
  timer_.expires_after(interval_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    publish();
    wait();
  });
}

void SysTopics::publish() {
  std::vector<std::pair<std::string, std::string>> changed;
  for (auto& [topic, value] : sys_topics(figures_())) {
    std::string& told = told_[topic];
    if (std::exchange(told, value) != value) changed.emplace_back(topic, std::move(value));
  }
  gate_.visit([&](core::Engine& engine, core::TimePoint now) PABAL_REQUIRES(core::engine_role) {
    for (auto& [topic, value] : changed) {
      std::string name = topic;  // nothing in them is swapped but the separator
      std::replace(name.begin(), name.end(), '/', '.');
      core::MessageBuilder message;
      message.destination_kind = core::DestinationKind::topic;
      message.destination_name = name;
      message.retain = true;
      message.body_kind = core::BodyKind::bytes;
      message.body = value;
      // Where the broker has no room, the next value may have it.
      if (!engine.announce(message, now)) told_.erase(topic);
    }
  });
}

}  // namespace pabal::server
