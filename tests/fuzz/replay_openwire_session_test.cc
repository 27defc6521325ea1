#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "protocols/openwire/codec.h"
#include "protocols/openwire/wire.h"
#include "protocols/openwire/wire_format.h"
#include "tests/conformance/openwire/frame_file.h"
#include "tests/fuzz/openwire_conversation.h"

// Conversations through the fuzzer's checks, without a fuzzer: what it found worth keeping, the
// captured clients, and conversations that are well-formed, with what can happen to them.

namespace pabal::tests {
namespace {

using namespace openwire;

void play(const std::string& bytes) {
  play_openwire_conversation(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::string event(OpenWireEvent what) {
  return std::string(kOpenWireMark) + static_cast<char>(what);
}

/// Commands that a client may send, from a small world of names and numbers.
class Speaker {
 public:
  explicit Speaker(std::uint32_t seed) : dice_(seed) {}

  std::string conversation() {
    std::string all(1, static_cast<char>(below(4) == 0 ? 1 + below(90) : 0));
    for (int i = 0; i < 120; ++i) {
      if (!self().connected) all += connect();
      const unsigned kind = below(50);
      if (kind == 0) {
        all += event(OpenWireEvent::restart);
        for (Client& each : clients_) each = {};
      } else if (kind < 3) {
        all += event(below(2) == 0 ? OpenWireEvent::drop : OpenWireEvent::dismiss);
        self() = {};
      } else if (kind < 9) {
        all += event(OpenWireEvent::sync);
      } else if (kind < 15) {
        turn_ = (turn_ + 1) % kIds.size();
        all += event(OpenWireEvent::next_client);
      } else if (kind == 15) {
        all += event(
            static_cast<OpenWireEvent>(4 + below(static_cast<unsigned>(OpenWireEvent::count) - 4)));
      } else {
        all += command();
      }
    }
    return all;
  }

 private:
  static constexpr std::array<std::string_view, 3> kIds = {"c0", "c1", "c2"};
  struct Client {
    bool connected = false;
    WireFormat format;
    std::vector<ConsumerId> consumers;
    std::vector<TransactionId> begun;
  };

  unsigned below(unsigned end) { return static_cast<unsigned>(dice_() % end); }
  Client& self() { return clients_[turn_]; }
  /// Its own, nearly always.
  std::string_view connection_id() { return kIds[below(100) == 0 ? below(3) : turn_]; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(static_cast<unsigned>(all.size()))];
  }

  template <class Command>
  std::string bytes_of(Command command, bool wants_answer) {
    command.command_id = ++last_command_;
    command.response_required = wants_answer;
    std::string bytes;
    append_frame(bytes, AnyCommand(std::move(command)), self().format);
    return bytes;
  }
  std::string connect() {
    self() = {};
    self().connected = true;
    self().format.version = 9 + static_cast<std::int32_t>(below(4));
    WireFormatOffer offer;
    offer.version = self().format.version;
    if (below(2) == 0) offer.max_inactivity_duration = 1 + below(60'000);
    std::string all;
    append_offer(all, offer);
    if (below(8) == 0) {
      ConnectionControl control;
      control.fault_tolerant = true;
      all += bytes_of(control, false);
    }
    ConnectionInfo info;
    info.connection_id.value = kIds[turn_];
    info.client_id = kIds[below(20) == 0 ? below(3) : turn_];
    info.manageable = below(2) == 0;
    info.fault_tolerant = below(2) == 0;
    info.failover_reconnect = info.fault_tolerant && below(2) == 0;
    all += bytes_of(info, true);
    for (std::int64_t session = 1; session <= 2; ++session) {
      SessionInfo begun;
      begun.session_id = {kIds[turn_], session};
      all += bytes_of(begun, false);
    }
    return all + consumer();
  }
  std::string command() {
    switch (below(24)) {
      case 0:
      case 1:
        return consumer();
      case 2:
        return producer();
      case 3:
        return below(3) == 0 ? remove() : message();
      case 4:
        return destination_info();
      case 5:
      case 6:
      case 7:
      case 8:
        return transaction();
      case 9:
        return pull();
      case 10:
        return control();
      case 11:
      case 12:
      case 13:
      case 14:
      case 15:
      case 16:
        return ack();
      default:
        return message();
    }
  }
  std::int64_t session() { return below(10) == 0 ? -1 : 1 + below(2); }
  openwire::Destination place() {
    constexpr std::array<openwire::Destination, 18> kPlaces = {{
        {DestinationType::queue, "q"},
        {DestinationType::queue, "q"},
        {DestinationType::queue, "q"},
        {DestinationType::queue, "q"},
        {DestinationType::queue, "q"},
        {DestinationType::queue, "r"},
        {DestinationType::queue, "r"},
        {DestinationType::queue, "q,r,topic://t"},
        {DestinationType::queue, "ActiveMQ.DLQ"},
        {DestinationType::queue, ">"},
        {DestinationType::topic, "t"},
        {DestinationType::topic, "t"},
        {DestinationType::topic, "t.>"},
        {DestinationType::topic, "VirtualTopic.v"},
        {DestinationType::topic, "ActiveMQ.Advisory.TempQueue,ActiveMQ.Advisory.TempTopic"},
        {DestinationType::temp_queue, "c0:1"},
        {DestinationType::temp_queue, "c1:1"},
        {DestinationType::temp_topic, "c0:2"},
    }};
    return kPlaces[below(kPlaces.size())];
  }
  ConsumerId consumer_id() {
    if (!self().consumers.empty() && below(8) != 0) return one_of(self().consumers);
    return {connection_id(), session(), 1 + below(3)};
  }
  ProducerId producer_id() { return {connection_id(), 1 + below(2), session()}; }
  /// Of something that somebody sent, nearly always.
  MessageId message_id() {
    if (!sent_.empty() && below(10) != 0) {
      // Late ones, nearly always.
      const auto back = std::min<std::size_t>(sent_.size(), 1 + below(6));
      return sent_[sent_.size() - back];
    }
    MessageId id;
    id.producer_id = {kIds[below(3)], 1 + below(2), session()};
    id.producer_sequence_id = 1 + below(20);
    return id;
  }
  TransactionId transaction_id() {
    constexpr std::array<std::string_view, 3> kBranches = {"x", "y", "z"};
    if (!self().begun.empty() && below(8) != 0) return one_of(self().begun);
    if (below(2) == 0) return LocalTransactionId{1 + below(2), {connection_id()}};
    XaTransactionId xid;
    xid.format_id = 7;
    xid.global_transaction_id.value = kBranches[below(3)];
    xid.branch_qualifier.value = "b";
    return xid;
  }
  std::string consumer() {
    ConsumerInfo info;
    info.consumer_id = consumer_id();
    info.destination = place();
    info.prefetch_size = static_cast<std::int32_t>(below(4));
    info.browser = below(8) == 0;
    if (below(6) == 0) info.selector = below(2) == 0 ? "a = 1" : "JMSPriority > 3";
    if (info.destination->type == DestinationType::topic && below(2) == 0) {
      info.subscription_name = "durable";
    }
    info.no_local = below(4) == 0;
    info.exclusive = below(8) == 0;
    info.retroactive = below(8) == 0;
    info.priority = static_cast<std::int8_t>(below(3));
    self().consumers.push_back(info.consumer_id);
    return bytes_of(info, true);
  }
  std::string producer() {
    ProducerInfo info;
    info.producer_id = producer_id();
    info.window_size = static_cast<std::int32_t>(below(2) * 2000);
    return bytes_of(info, true);
  }
  std::string remove() {
    RemoveInfo info;
    info.last_delivered_sequence_id = static_cast<std::int64_t>(below(3)) - 2;
    switch (below(12)) {
      case 0:
        info.object_id = SessionId{connection_id(), session()};
        break;
      case 1:
        info.object_id = ConnectionId{connection_id()};
        break;
      case 2:
        info.object_id = producer_id();
        break;
      case 3: {
        RemoveSubscriptionInfo durable;
        durable.subscription_name = "durable";
        return bytes_of(durable, true);
      }
      default:
        info.object_id = consumer_id();
        break;
    }
    return bytes_of(info, below(2) == 0);
  }
  std::string destination_info() {
    DestinationInfo info;
    info.destination = place();
    if (below(2) == 0) {
      info.destination =
          openwire::Destination{DestinationType::temp_queue, turn_ == 0 ? "c0:1" : "c1:1"};
    }
    info.operation_type = below(3) == 0 ? DestinationInfo::kRemove : DestinationInfo::kAdd;
    return bytes_of(info, true);
  }
  std::string transaction() {
    TransactionInfo info;
    info.connection_id = ConnectionId{kIds[turn_]};
    info.transaction_id = transaction_id();
    info.type = static_cast<std::uint8_t>(below(3) == 0 ? 0 : below(8));
    if (info.type == 0) self().begun.push_back(*info.transaction_id);
    if (info.type == static_cast<std::uint8_t>(TransactionVerb::recover)) {
      info.transaction_id.reset();
    }
    return bytes_of(info, info.type != 0);
  }
  std::string pull() {
    MessagePull wanted;
    wanted.consumer_id = consumer_id();
    wanted.timeout = static_cast<std::int64_t>(below(3)) - 1;
    if (below(2) == 0) wanted.timeout = 500;
    return bytes_of(wanted, false);
  }
  std::string control() {
    if (below(8) == 0) return bytes_of(KeepAliveInfo{}, below(2) == 0);
    if (below(16) == 0) return bytes_of(ShutdownInfo{}, below(2) == 0);
    ConsumerControl wanted;
    wanted.consumer_id = consumer_id();
    wanted.prefetch = static_cast<std::int32_t>(below(5));
    wanted.close = below(8) == 0;
    return bytes_of(wanted, below(4) == 0);
  }
  std::string ack() {
    MessageAck made;
    made.consumer_id = consumer_id();
    made.destination = place();
    made.ack_type = static_cast<std::uint8_t>(below(3) == 0 ? below(7) : 2);
    if (below(3) == 0) made.first_message_id = message_id();
    made.last_message_id = message_id();
    made.message_count = static_cast<std::int32_t>(below(4));
    if (below(3) == 0) made.transaction_id = transaction_id();
    if (made.ack_type == 1) {
      made.poison_cause.emplace();
      made.poison_cause->class_name = "java.lang.Throwable";
    }
    return bytes_of(made, below(8) == 0);
  }
  std::string message() {
    openwire::Message sent;
    sent.message_id = message_id();
    if (below(8) != 0) {
      sent.message_id->producer_id = producer_id();
      sent.message_id->producer_sequence_id = ++sequence_;
    }
    sent_.push_back(*sent.message_id);
    sent.producer_id = sent.message_id->producer_id;
    sent.destination = place();
    sent.persistent = below(2) == 0;
    sent.priority = static_cast<std::int8_t>(below(10));
    if (below(3) == 0) sent.transaction_id = transaction_id();
    if (below(10) == 0) sent.expiration = 1'700'000'000'000 + below(3000);
    if (below(8) == 0) sent.group_id = "g";
    if (below(8) == 0) sent.reply_to = place();
    const std::string text(below(8) == 0 ? below(9000) : below(5), 'x');
    std::string content;
    append_big(content, static_cast<std::uint32_t>(text.size()));
    content += text;
    sent.type_code = below(3) == 0 ? MessageType::plain : MessageType::text;
    if (sent.type_code == MessageType::text) sent.content.value = content;
    return bytes_of(sent, below(2) == 0);
  }

  std::mt19937 dice_;
  std::array<Client, 3> clients_;
  std::vector<MessageId> sent_;
  std::size_t turn_ = 0;
  std::int32_t last_command_ = 0;
  std::int64_t sequence_ = 0;
};

TEST(ReplayOpenWireSession, Corpus) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PABAL_CORPUS_FOLDER)) {
    SCOPED_TRACE(entry.path());
    std::ifstream stream(entry.path(), std::ios::binary);
    play(std::string(std::istreambuf_iterator<char>(stream), {}));
    ++files;
  }
  EXPECT_GT(files, 0U);
}

// What captured clients said, connection for connection, each file to one broker. With
// PABAL_WRITE_SEEDS=FOLDER it also writes them there, as seeds for a fuzzer.
TEST(ReplayOpenWireSession, CapturedClients) {
  std::string error;
  const auto frames = read_frame_files(PABAL_VECTOR_FOLDER, error);
  ASSERT_TRUE(error.empty()) << error;
  std::map<std::string, std::string> files;
  std::map<std::string, int> turns;
  for (const CapturedFrame& frame : frames) {
    if (!frame.from_client || !frame.readable) continue;
    // The same connections of the broker for those of the file, in turn.
    const int client = (frame.connection + 2) % 3;
    auto [at, is_new] = turns.try_emplace(frame.file, 0);
    std::string& all = files[frame.file];
    for (; at->second != client; at->second = (at->second + 1) % 3) {
      all += event(OpenWireEvent::next_client);
    }
    if (frame.bytes[4] == '\1') all += event(OpenWireEvent::drop);
    all += frame.bytes;
    if (frame.bytes[4] == '\3') all += event(OpenWireEvent::sync);
  }
  EXPECT_GT(files.size(), 10U);
  const char* const folder = std::getenv("PABAL_WRITE_SEEDS");
  for (const auto& [name, all] : files) {
    SCOPED_TRACE(name);
    if (folder != nullptr) {
      std::ofstream(
          std::string(folder) + "/captured-" + std::filesystem::path(name).stem().string(),
          std::ios::binary)
          << '\0' + all;
    }
    for (const char portion : {'\0', '\7', '\x7F'}) play(portion + all);
  }
}

// With PABAL_WRITE_SEEDS=FOLDER it also writes some of them there, as seeds for a fuzzer.
TEST(ReplayOpenWireSession, RandomConversations) {
  const char* const folder = std::getenv("PABAL_WRITE_SEEDS");
  const char* const wanted = std::getenv("PABAL_CONVERSATIONS");
  const std::uint32_t count =
      wanted == nullptr ? 500 : static_cast<std::uint32_t>(std::atoi(wanted));
  for (std::uint32_t seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE(seed);
    const std::string conversation = Speaker(seed).conversation();
    if (folder != nullptr && seed <= 16) {
      std::ofstream(std::string(folder) + "/random-" + std::to_string(seed), std::ios::binary)
          << conversation;
    }
    play(conversation);
  }
}

}  // namespace
}  // namespace pabal::tests
