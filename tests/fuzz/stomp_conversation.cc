#include "tests/fuzz/stomp_conversation.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/check.h"
#include "tests/conformance/stomp/vector.h"
#include "tests/support/stomp_broker.h"

namespace pabal::tests {
namespace {

void check_output(const std::string& bytes) {
  std::string error;
  const auto frames = split_frames(bytes, error);
  PABAL_CHECK(frames.has_value(), error.c_str());
  for (const WireFrame& frame : *frames) {
    const bool known = frame.command == "CONNECTED" || frame.command == "MESSAGE" ||
                       frame.command == "RECEIPT" || frame.command == "ERROR" ||
                       frame.command == "<heart-beat>";
    PABAL_CHECK(known, frame.command.c_str());
    for (const std::string& header : frame.headers) {
      PABAL_CHECK(header.find(':') != std::string::npos, header.c_str());
      PABAL_CHECK(header.find('\0') == std::string::npos, "NUL in a header");
    }
  }
}

}  // namespace

void play_stomp_conversation(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return;
  core::EngineLimits limits;
  limits.memory_bytes_max = 64 * 1024;  // so that sends get parked
  limits.transaction_operations_max = 16;
  limits.subscriptions_per_connection_max = 16;
  stomp::SessionOptions options;
  options.command_line_bytes_max = 64;
  options.header_line_bytes_max = 512;
  options.headers_max = 32;
  options.body_bytes_max = 4096;
  options.frame_bytes_max = 8192;
  options.unconnected_frame_bytes_max = 4096;
  StompBroker broker({}, limits, options);
  std::size_t peers[2] = {broker.accept(), broker.accept()};

  const std::size_t portion_max = bytes[0] == 0 ? size : bytes[0];
  std::string_view rest(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  std::size_t current = 0;
  constexpr std::string_view kOther = "\xFF\xFE";
  while (!rest.empty()) {
    if (rest.starts_with(kOther)) {
      rest.remove_prefix(kOther.size());
      current = 1 - current;
      continue;
    }
    const std::size_t portion = std::min({portion_max, rest.size(), rest.find(kOther)});
    // A heap block of its own, so that a sanitizer sees a read beyond it or after its time.
    const std::string block(rest.substr(0, portion));
    broker.receive(peers[current], block);
    rest.remove_prefix(portion);
  }
  for (const std::size_t peer : peers) {
    auto& [session, wire, undelivered, gone] = broker.peer(peer);
    (void)session->describe();
    (void)session->on_timer(core::milliseconds(5), core::milliseconds(5000), *wire);
  }
  broker.drop(peers[0]);
  broker.settle();
  for (const std::size_t peer : peers) check_output(broker.take(peer));
}

}  // namespace pabal::tests
