#include "server/cli/bench/consumer.h"

#include <cstring>

#include "server/cli/bench/body.h"

namespace pabal::cli::bench {
namespace {

constexpr std::string_view kSubscribed = "subscribed";

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

}  // namespace

Findings& Findings::operator+=(const Findings& other) noexcept {
  received += other.received;
  duplicates += other.duplicates;
  reordered += other.reordered;
  damaged += other.damaged;
  foreign += other.foreign;
  return *this;
}

Consumer::Consumer(int socket, Shared& shared, unsigned index, Arrivals& arrivals, Streams& streams)
    : Connection(socket, shared),
      reference_(make_body({}, shared.scenario.body_size)),
      arrivals_(arrivals),
      streams_(streams) {
  const Scenario& scenario = shared.scenario;
  Frame subscribe{"SUBSCRIBE",
                  {{"id", "0"},
                   {"destination", scenario.destinations[index % scenario.destinations.size()]},
                   {"ack", std::string(word(scenario.ack))},
                   {"receipt", std::string(kSubscribed)}},
                  {}};
  if (scenario.prefetch > 0) {
    const std::string prefetch = std::to_string(scenario.prefetch);
    subscribe.headers.emplace_back("activemq.prefetchSize", prefetch);  // Pabal's name, too
    subscribe.headers.emplace_back("prefetch-count", prefetch);         // RabbitMQ's
  }
  if (index + scenario.idle_selectors >= scenario.consumers) {
    subscribe.headers.emplace_back("selector", "bucket = 'nothing'");
  } else if (scenario.buckets > 0) {
    subscribe.headers.emplace_back("selector",
                                   "bucket = '" + std::to_string(index % scenario.buckets) + "'");
  }
  if (scenario.durable) subscribe.headers.emplace_back("activemq.subscriptionName", "bench");
  out_ = encode(subscribe);
}

bool Consumer::turn() {
  if (read_some()) {
    now_ = now_ns();
    scan();
    if (!cumulative_ack_.empty()) {
      acknowledge(cumulative_ack_);
      cumulative_ack_.clear();
    }
    if (arrived_ != 0) {
      shared_.delivered.fetch_add(arrived_, std::memory_order_relaxed);
      arrived_ = 0;
    }
  }
  if (shared_.phase == Phase::finishing && !leaving_) {
    leaving_ = true;
    out_ += kByeFrame;
  }
  if (!out_.empty()) out_.erase(0, write_some(out_));
  return !done_ && (readable_ || (writable_ && !out_.empty()));
}

void Consumer::on_frame(const FrameView& frame) {
  if (frame.command == "MESSAGE") {
    ++findings_.received;
    verify(frame.body);
    if (shared_.scenario.ack == AckMode::individual) {
      acknowledge(frame.ack);
    } else if (shared_.scenario.ack == AckMode::client) {
      cumulative_ack_ = frame.ack;
    }
  } else if (frame.receipt_id == kSubscribed) {
    ++shared_.subscribed;
  }
}

void Consumer::acknowledge(std::string_view ack) {
  // As it stands in the MESSAGE: escaped there, escaped here.
  out_ += "ACK\nid:";
  out_ += ack;
  out_ += std::string_view("\n\n\0", 3);
}

void Consumer::verify(std::string_view body) {
  BodyId id;
  const std::size_t stream = read_body(body, id) ? streams_.number(id) : Streams::kForeign;
  if (stream == Streams::kForeign) {
    ++findings_.foreign;
    return;
  }
  last_arrival_ = now_;
  if (body.size() != reference_.size() ||
      std::memcmp(body.data() + kBodyIdSize, reference_.data() + kBodyIdSize,
                  body.size() - kBodyIdSize) != 0) {
    ++findings_.damaged;
  }
  if (!arrivals_.insert(stream, id.sequence)) {
    ++findings_.duplicates;
    return;
  }
  ++arrived_;
  if (!order_.advance(stream, id.priority, id.sequence)) ++findings_.reordered;
  if (id.time != 0 && now_ > id.time) latencies_.record(now_ - id.time);
}

}  // namespace pabal::cli::bench
