#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include "core/engine.h"
#include "server/engine_gate.h"

namespace pabal::server {

/// What the $SYS topics tell.
struct SysFigures {
  std::string version;
  std::chrono::seconds uptime{0};
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  core::EngineSnapshot engine;
};

/// Topic, as MQTT writes it, and value. The names are Mosquitto's where there is one with that
/// meaning.
std::vector<std::pair<std::string, std::string>> sys_topics(const SysFigures& figures);

/// Publishes them, as retained messages that are not persistent: at once, and then, every so often,
/// those that have changed. No filter that begins with a wildcard finds them. Lives on one loop.
class SysTopics {
 public:
  /// `figures` is asked on the loop of `context`.
  SysTopics(boost::asio::io_context& context, EngineGate& gate,
            std::function<SysFigures()> figures);
  /// 0: no more of them. Any thread.
  void set_interval(std::chrono::seconds interval);
  /// For good. On the loop.
  void stop();

 private:
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>,
                                        boost::asio::io_context::executor_type>;
  void publish();
  void wait();

  boost::asio::io_context& context_;
  EngineGate& gate_;
  const std::function<SysFigures()> figures_;
  Timer timer_;
  std::chrono::seconds interval_{0};
  bool stopped_ = false;
  std::map<std::string, std::string> told_;
};

}  // namespace pabal::server
