#include "server/cli/bench/body.h"
#include "server/cli/bench/wire.h"
#include "server/cli/frame_scanner.h"
#include "server/cli/stomp_client.h"

namespace pabal::cli::bench {
namespace {

constexpr std::string_view kSubscribed = "subscribed";
constexpr std::string_view kByeReceipt = "bye";
/// With its NUL.
constexpr std::string_view kByeFrame{"DISCONNECT\nreceipt:bye\n\n",
                                     sizeof "DISCONNECT\nreceipt:bye\n\n"};

std::string_view word(AckMode mode) {
  switch (mode) {
    case AckMode::automatic:
      return "auto";
    case AckMode::client:
      return "client";
    case AckMode::individual:
      return "client-individual";
  }
  PABAL_UNREACHABLE();
}

/// STOMP 1.2. A unit is a SEND, or a whole transaction; it is confirmed by a RECEIPT.
class StompWire final : public Wire {
 public:
  StompWire(const Scenario& scenario, Role role, unsigned index)
      : scenario_(scenario), role_(role), index_(index) {
    if (role == Role::producer) destinations_ = scenario.destinations_of(index);
  }

  std::string login() override;
  std::string subscribe() override;
  Unit make_unit(std::size_t slot) override;
  void stamp(char* unit, std::uint64_t number) override {
    if (receipt_at_ != 0) write_hex(unit + receipt_at_, number, kSequenceDigits);
    ++stamped_;
  }
  std::string_view bye() const override { return kByeFrame; }
  Event next(std::string_view bytes, std::string& replies) override;
  void end_of_read(std::string& replies) override;

 private:
  void append_send(Unit& unit, std::size_t message);
  void append_receipt(std::string& out);
  Event event_of(const FrameView& frame, std::string& replies);
  Event confirmation(std::string_view receipt, std::size_t size);

  const Scenario& scenario_;
  const Role role_;
  const unsigned index_;
  std::vector<std::string> destinations_;
  std::size_t receipt_at_ = 0;
  std::uint64_t stamped_ = 0;
  FrameScanner scanner_;
  std::string cumulative_ack_;  ///< last ack header of this read
  std::string text_;            ///< what an event's text points to, if not to its bytes
};

std::string StompWire::login() {
  ConnectOptions options = scenario_.connect;
  if (scenario_.durable && role_ == Role::consumer) {
    options.client_id = "pabal-bench-" + std::to_string(index_);
  }
  return encode(connect_frame(scenario_.endpoint, options));
}

std::string StompWire::subscribe() {
  Frame subscribe{"SUBSCRIBE",
                  {{"id", "0"},
                   {"destination", scenario_.destinations[index_ % scenario_.destinations.size()]},
                   {"ack", std::string(word(scenario_.ack))},
                   {"receipt", std::string(kSubscribed)}},
                  {}};
  if (scenario_.prefetch > 0) {
    const std::string prefetch = std::to_string(scenario_.prefetch);
    subscribe.headers.emplace_back("activemq.prefetchSize", prefetch);  // Pabal's name, too
    subscribe.headers.emplace_back("prefetch-count", prefetch);         // RabbitMQ's
  }
  if (index_ + scenario_.idle_selectors >= scenario_.consumers) {
    subscribe.headers.emplace_back("selector", "bucket = 'nothing'");
  } else if (scenario_.buckets > 0) {
    subscribe.headers.emplace_back("selector",
                                   "bucket = '" + std::to_string(index_ % scenario_.buckets) + "'");
  }
  if (scenario_.durable) subscribe.headers.emplace_back("activemq.subscriptionName", "bench");
  return encode(subscribe);
}

void StompWire::append_receipt(std::string& out) {
  out += "receipt:";
  receipt_at_ = out.size();
  out += std::string(kSequenceDigits, '0') + "\n";
}

void StompWire::append_send(Unit& unit, std::size_t message) {
  BodyId id;
  id.run = scenario_.run;
  id.producer = static_cast<std::uint16_t>(index_);
  id.priority = static_cast<std::uint8_t>(scenario_.priorities ? message % 10 : scenario_.priority);
  std::string& out = unit.bytes;
  out += "SEND\ndestination:" + destinations_[message % destinations_.size()] + "\n";
  if (scenario_.persistent) out += "persistent:true\n";
  if (id.priority != 4 || scenario_.priorities) {
    out += "priority:" + std::to_string(id.priority) + "\n";
  }
  if (scenario_.buckets > 0) {
    const std::string bucket = std::to_string(message % scenario_.buckets);
    // Units of a ring are equally long: leading spaces would count, so another header pads.
    const std::size_t digits = std::to_string(scenario_.buckets - 1).size();
    out += "bucket:" + bucket + "\npad:" + std::string(digits + 1 - bucket.size(), '0') + "\n";
  }
  if (scenario_.transaction > 0) {
    out += "transaction:t\n";
  } else if (scenario_.window > 0) {
    append_receipt(out);
  }
  if (scenario_.content_length) {
    out += "content-length:" + std::to_string(scenario_.body_size) + "\n";
  }
  out += '\n';
  unit.bodies.push_back(out.size());
  out += make_body(id, scenario_.body_size);
  out += '\0';
}

Unit StompWire::make_unit(std::size_t slot) {
  Unit unit;
  if (scenario_.transaction > 0) unit.bytes += std::string("BEGIN\ntransaction:t\n\n") + '\0';
  for (unsigned i = 0; i < scenario_.unit(); ++i) append_send(unit, slot * scenario_.unit() + i);
  if (scenario_.transaction > 0) {
    unit.bytes += "COMMIT\ntransaction:t\n";
    if (scenario_.window > 0) append_receipt(unit.bytes);
    unit.bytes += std::string("\n") + '\0';
  }
  return unit;
}

Event StompWire::next(std::string_view bytes, std::string& replies) {
  FrameView frame;
  switch (scanner_.next(bytes, frame)) {
    case FrameScanner::Answer::incomplete:
      return {};
    case FrameScanner::Answer::malformed:
      return {Event::Kind::malformed, "something that is not STOMP", 0};
    case FrameScanner::Answer::frame:
      return event_of(frame, replies);
  }
  PABAL_UNREACHABLE();
}

Event StompWire::event_of(const FrameView& frame, std::string& replies) {
  if (frame.command == "MESSAGE") {
    if (scenario_.ack == AckMode::individual) {
      // As it stands in the MESSAGE: escaped there, escaped here.
      replies += "ACK\nid:";
      replies += frame.ack;
      replies += std::string_view("\n\n\0", 3);
    } else if (scenario_.ack == AckMode::client) {
      cumulative_ack_ = frame.ack;
    }
    return {Event::Kind::message, frame.body, frame.size};
  }
  if (frame.command == "ERROR" || frame.command == "CONNECTED") {
    const Frame whole = decode(frame);
    const bool connected = frame.command == "CONNECTED";
    text_ = whole.header(connected ? "server" : "message")
                .value_or(connected ? std::string_view("unknown") : whole.body);
    return {connected ? Event::Kind::connected : Event::Kind::refused, text_, frame.size};
  }
  if (frame.receipt_id == kByeReceipt) return {Event::Kind::finished, {}, frame.size};
  if (frame.receipt_id == kSubscribed) return {Event::Kind::subscribed, {}, frame.size};
  if (frame.command == "RECEIPT") return confirmation(frame.receipt_id, frame.size);
  return {Event::Kind::nothing, {}, frame.size};
}

Event StompWire::confirmation(std::string_view receipt, std::size_t size) {
  std::uint64_t number = 0;
  if (receipt.size() != kSequenceDigits || !read_hex(receipt.data(), kSequenceDigits, number) ||
      number >= stamped_) {
    return {Event::Kind::malformed, "a receipt that nobody asked for", size};
  }
  return {Event::Kind::confirmed, {}, size};
}

void StompWire::end_of_read(std::string& replies) {
  if (cumulative_ack_.empty()) return;
  replies += "ACK\nid:" + cumulative_ack_ + std::string("\n\n\0", 3);
  cumulative_ack_.clear();
}

}  // namespace

std::unique_ptr<Wire> make_stomp_wire(const Scenario& scenario, Role role, unsigned index) {
  return std::make_unique<StompWire>(scenario, role, index);
}

}  // namespace pabal::cli::bench
