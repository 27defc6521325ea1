#pragma once

#include <deque>
#include <random>
#include <string>
#include <string_view>

#include "protocols/mqtt/packet.h"

namespace pabal::tests {

/// Makes sound packets of every kind, with every property that may be in them. Same seed, same
/// packets.
class RandomPackets {
 public:
  explicit RandomPackets(unsigned seed) : random_(seed) {}

  /// A CONNECT of that level.
  mqtt::Packet connect(mqtt::Level level);
  /// Any other packet that `sender` sends at that level. Its views hold until the next call.
  mqtt::Packet other(mqtt::Level level, mqtt::Sender sender);

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

 private:
  bool chance(unsigned percent) { return below(100) < percent; }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  std::uint16_t packet_id() { return static_cast<std::uint16_t>(1 + below(65'535)); }
  mqtt::QoS qos() { return static_cast<mqtt::QoS>(below(3)); }
  std::string_view text();
  std::string_view binary();
  std::string_view topic();
  std::string filter();
  std::string_view reasons(mqtt::PacketType type, mqtt::Level level, mqtt::Sender sender);
  mqtt::ReasonCode reason(mqtt::PacketType type, mqtt::Sender sender);
  mqtt::Properties properties(mqtt::PropertyHolders in_packet, mqtt::Level level,
                              mqtt::Sender sender);
  mqtt::Publish publish(mqtt::Level level, mqtt::Sender sender);
  mqtt::Subscribe subscribe(mqtt::Level level);
  mqtt::Unsubscribe unsubscribe(mqtt::Level level);
  template <class One>
  One acknowledgement(mqtt::PacketType type, mqtt::Level level, mqtt::Sender sender);

  std::mt19937 random_;
  std::deque<std::string> texts_;
};

}  // namespace pabal::tests
