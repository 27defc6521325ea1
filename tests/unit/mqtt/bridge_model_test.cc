// A bridge and a broker that keeps every promise of MQTT, under random losses: of the connection at
// any byte that was written, of the process with any part of what is not durable yet.

#include <deque>
#include <map>
#include <random>
#include <set>

#include "protocols/mqtt/packet_encoder.h"
#include "tests/unit/mqtt/bridge_fixture.h"

namespace pabal::mqtt {
namespace {

/// The other broker. Its session survives everything.
class ModelPeer {
 public:
  /// Its answer to one packet, if there is one.
  std::optional<Packet> take(const Packet& packet) {
    if (const auto* connect = std::get_if<Connect>(&packet)) return welcome(*connect);
    if (const auto* publish = std::get_if<Publish>(&packet)) return take_publish(*publish);
    if (const auto* pubrel = std::get_if<Pubrel>(&packet)) {
      Pubcomp answer;
      answer.packet_id = pubrel->packet_id;
      if (taken_.erase(pubrel->packet_id) == 0) {
        answer.reason = ReasonCode::packet_identifier_not_found;
      }
      return answer;
    }
    if (const auto* subscribe = std::get_if<Subscribe>(&packet)) {
      is_asked_ = true;
      Suback answer;
      answer.packet_id = subscribe->packet_id;
      answer.reasons = std::string_view("\x02", 1);
      return answer;
    }
    if (const auto* pubrec = std::get_if<Pubrec>(&packet)) {
      const auto at = sent_.find(pubrec->packet_id);
      if (at != sent_.end()) at->second.clear();
      Pubrel answer;
      answer.packet_id = pubrec->packet_id;
      return answer;
    }
    if (const auto* pubcomp = std::get_if<Pubcomp>(&packet)) sent_.erase(pubcomp->packet_id);
    return std::nullopt;
  }
  /// What it says first on a connection that goes on: [MQTT-4.4.0-1].
  [[nodiscard]] std::string resumed() const {
    std::string bytes;
    for (const auto& [id, payload] : sent_) bytes += packet_of(id, payload, true);
    return bytes;
  }
  /// A message for the bridge; empty: its window is full, or it was not asked for any.
  std::string send(const std::string& payload) {
    if (!is_asked_) return {};
    for (std::uint16_t id = 1; id <= 5; ++id) {
      if (!sent_.emplace(id, payload).second) continue;
      return packet_of(id, payload, false);
    }
    return {};
  }
  [[nodiscard]] bool rests() const { return sent_.empty() && taken_.empty(); }
  [[nodiscard]] const std::map<std::string, int>& got() const { return got_; }

 private:
  Packet welcome(const Connect& packet) {
    Connack answer;
    if (packet.clean_start) {
      EXPECT_TRUE(sent_.empty()) << "it was asked to gather, and has to forget it";
      taken_.clear();
      is_asked_ = false;
      is_known_ = false;
    }
    answer.session_present = std::exchange(is_known_, true);
    return answer;
  }
  Packet take_publish(const Publish& packet) {
    const bool is_new = packet.qos != QoS::exactly_once || taken_.insert(packet.packet_id).second;
    if (is_new) ++got_[std::string(packet.payload)];
    if (packet.qos == QoS::at_least_once) {
      Puback answer;
      answer.packet_id = packet.packet_id;
      return answer;
    }
    Pubrec answer;
    answer.packet_id = packet.packet_id;
    return answer;
  }
  static std::string packet_of(std::uint16_t id, const std::string& payload, bool again) {
    std::string bytes;
    if (payload.empty()) {
      Pubrel packet;
      packet.packet_id = id;
      append_packet(bytes, packet, Level::v5);
    } else {
      Publish packet;
      packet.qos = QoS::exactly_once;
      packet.dup = again;
      packet.packet_id = id;
      packet.topic = "i/x";
      packet.payload = payload;
      append_packet(bytes, packet, Level::v5);
    }
    return bytes;
  }

  bool is_known_ = false;
  bool is_asked_ = false;
  std::set<std::uint16_t> taken_;              // PUBREL is missing
  std::map<std::uint16_t, std::string> sent_;  // empty: PUBREC came
  std::map<std::string, int> got_;             // how often
};

class BridgeModelTest : public BridgeFixture {
 protected:
  /// What the bridge has written goes to the peer, at most so many packets of it; what the peer
  /// answers comes back, at most so many.
  void exchange(unsigned there, unsigned back) {
    unread_ = broker_.take_bytes(link_);
    parser_->feed(unread_);
    Packet packet;
    while (parser_->next(packet) == ParseStatus::packet) arrived_.push_back(copy(packet));
    for (; there > 0 && !arrived_.empty(); --there) {
      hear(arrived_.front());
      arrived_.pop_front();
    }
    for (; back > 0 && !answers_.empty(); --back) {
      broker_.receive(link_, answers_.front());
      answers_.pop_front();
    }
  }
  void hear(const std::string& bytes) {
    hearing_->feed(bytes);
    Packet packet;
    ASSERT_EQ(hearing_->next(packet), ParseStatus::packet);
    const auto answer = peer_.take(packet);
    if (!answer) return;
    append_packet(answers_.emplace_back(), *answer, Level::v5);
    const auto* connack = std::get_if<Connack>(&*answer);
    if (connack == nullptr || !connack->session_present) return;
    if (std::string again = peer_.resumed(); !again.empty()) answers_.push_back(std::move(again));
  }
  static std::string copy(const Packet& packet) {
    std::string bytes;
    EXPECT_TRUE(append_packet(bytes, packet, Level::v5));
    return bytes;
  }
  void connect_again() {
    arrived_.clear();
    answers_.clear();
    parser_ = std::make_unique<PacketParser>(options_.parser, Sender::client);
    hearing_ = std::make_unique<PacketParser>(options_.parser, Sender::client);
    course_.accepted = course_.again_at_once = false;
    course_.ending.clear();
    link_ = broker_.dial(options_, status_, course_);
  }
  void kill(std::uint64_t submitted_behind) {
    const auto last = static_cast<std::uint64_t>(broker_.submitted());
    broker_.restart(core::Ticket{last > submitted_behind ? last - submitted_behind : 0});
    suspicion_gone();
    prepare();
    connect_again();
  }

  ModelPeer peer_;
  std::unique_ptr<PacketParser> parser_;   // of what the bridge has written
  std::unique_ptr<PacketParser> hearing_;  // of what the peer has read of it
  std::string unread_;
  std::deque<std::string> arrived_;  // packets that the peer has not read
  std::deque<std::string> answers_;  // that the bridge has not read
};

TEST_F(BridgeModelTest, ExactlyOnceBothWays) {
  core::engine_role.assert_held();
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](unsigned bound) { return static_cast<unsigned>(random() % bound); };
    options_.name = "b" + std::to_string(seed);
    options_.client_id = options_.name;
    options_.in_flight_max = static_cast<std::uint16_t>(1 + below(6));
    options_.out.clear();
    options_.in.clear();
    const std::string topic = "o" + std::to_string(seed);
    out(topic + "/#", QoS::exactly_once);
    in("i/#", QoS::exactly_once, "in" + std::to_string(seed) + '/');
    peer_ = ModelPeer();
    prepare();
    const auto keeper = resume("keeper" + std::to_string(seed));
    subscribe(keeper, "in" + std::to_string(seed) + "/#", QoS::exactly_once);
    broker_.drop(keeper);
    connect_again();
    int sent_out = 0;
    int sent_in = 0;
    for (int step = 0; step < 400; ++step) {
      switch (below(10)) {
        case 0:
        case 1:
          publish(device_, topic + "/x", "out " + std::to_string(sent_out++), QoS::exactly_once,
                  ++device_id_);
          broker_.sync();
          acknowledge<Pubrel>(device_, device_id_);
          break;
        case 2: {
          if (!course_.accepted) break;
          std::string bytes = peer_.send("in " + std::to_string(sent_in));
          if (bytes.empty()) break;
          ++sent_in;
          answers_.push_back(std::move(bytes));
          break;
        }
        case 3:
          broker_.sync();
          break;
        case 4:
          if (below(3) != 0) break;
          broker_.drop(link_);
          connect_again();
          break;
        case 5:
          if (below(6) == 0) kill(below(5));
          break;
        default:
          exchange(below(4), below(4));
      }
      if (broker_.closed(link_)) FAIL() << step << ": " << course_.ending;
    }
    for (int round = 0; round < 1000 && (waiting() != 0 || !peer_.rests()); ++round) {
      broker_.sync();
      exchange(100, 100);
    }
    EXPECT_EQ(waiting(), 0U);
    EXPECT_EQ(remembered(), 2U) << "whose session it is, and what was granted";
    EXPECT_EQ(peer_.got().size(), static_cast<std::size_t>(sent_out));
    for (const auto& [payload, times] : peer_.got()) EXPECT_EQ(times, 1) << payload;
    std::uint64_t kept = 0;
    for (const auto& each :
         broker_.engine().durable_subscriptions_of("keeper" + std::to_string(seed))) {
      if (each.client_id == "keeper" + std::to_string(seed)) kept += each.depth;
    }
    EXPECT_EQ(kept, static_cast<std::uint64_t>(sent_in));
    broker_.drop(link_);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pabal::mqtt
