#include "server/cli/bench/consumer.h"

#include <cstring>
#include <utility>

#include "server/cli/bench/body.h"

namespace pabal::cli::bench {
Findings& Findings::operator+=(const Findings& other) noexcept {
  received += other.received;
  duplicates += other.duplicates;
  reordered += other.reordered;
  damaged += other.damaged;
  foreign += other.foreign;
  return *this;
}

Consumer::Consumer(LoggedIn peer, Shared& shared, Arrivals& arrivals, Streams& streams)
    : Connection(std::move(peer), shared),
      reference_(make_body({}, shared.scenario.body_size)),
      arrivals_(arrivals),
      streams_(streams) {
  out_ = wire_->subscribe();
}

bool Consumer::turn() {
  if (read_some() || first_turn_) {
    first_turn_ = false;  // something may have come behind the login
    now_ = now_ns();
    scan();
    if (arrived_ != 0) {
      shared_.delivered.fetch_add(arrived_, std::memory_order_relaxed);
      arrived_ = 0;
    }
  }
  if (shared_.phase == Phase::finishing && !leaving_) {
    leaving_ = true;
    out_ += wire_->bye();
  }
  if (!out_.empty()) {
    const std::string_view parts[] = {out_};
    out_.erase(0, write_some(parts));
  }
  return !done_ && (readable_ || (writable_ && !out_.empty()));
}

void Consumer::on_event(const Event& event) {
  if (event.kind == Event::Kind::message) {
    ++findings_.received;
    verify(event.text);
  } else if (event.kind == Event::Kind::subscribed) {
    ++shared_.subscribed;
  }
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
  if (shared_.scenario.in_flight > 0) ++shared_.returned[id.producer];
  if (!order_.advance(stream, id.priority, id.sequence)) ++findings_.reordered;
  if (id.time != 0 && now_ > id.time) latencies_.record(now_ - id.time);
}

}  // namespace pabal::cli::bench
