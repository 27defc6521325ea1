#include "server/cli/bench/producer.h"

#include <algorithm>
#include <numeric>

#include "server/cli/bench/body.h"

namespace pabal::cli::bench {
namespace {

/// About as much as one write should carry: it stays in the second-level cache.
constexpr std::size_t kRingBytes = 160 * 1024;

/// With a rate: what falls due within so long of the last turn is sent together. Its latency counts
/// from when it was due. A wake-up for each message of 80,000 per second would take a processor.
constexpr std::uint64_t kTickNanoseconds = 100'000;

}  // namespace

Producer::Producer(LoggedIn peer, Shared& shared, unsigned index)
    : Connection(std::move(peer), shared),
      index_(index),
      unit_(shared.scenario.unit()),
      window_(shared.scenario.window),
      on_their_way_max_(shared.scenario.in_flight_of(index)),
      copies_(shared.scenario.copies()),
      units_max_(shared.scenario.units_of(index)),
      nanoseconds_per_message_(shared.scenario.rate > 0 ? 1e9 / shared.scenario.rate : 0),
      destinations_(shared.scenario.destinations_of(index)) {
  prepare();
}

void Producer::prepare() {
  // Destination, priority and bucket of a message follow from its sequence, so the ring's length
  // is a multiple of their periods.
  const std::size_t period =
      std::lcm(std::lcm<std::size_t>(destinations_.size(), shared_.scenario.priorities ? 10 : 1),
               std::size_t{std::max(1U, shared_.scenario.buckets)});
  Unit first = wire_->make_unit(0);
  bodies_ = std::move(first.bodies);
  ring_ = std::move(first.bytes);
  stride_ = ring_.size();
  slots_ = std::max<std::size_t>((kRingBytes / stride_ + period - 1) / period, 1) * period;
  if (slots_ < 2) slots_ = 2;
  ring_.reserve(slots_ * stride_);
  for (std::size_t slot = 1; slot < slots_; ++slot) {
    ring_ += wire_->make_unit(slot).bytes;
    PABAL_CHECK(ring_.size() == (slot + 1) * stride_, "units of the ring differ in length");
  }
}

std::uint64_t Producer::due(std::uint64_t unit) const noexcept {
  const std::uint64_t place = unit * shared_.scenario.producers + index_;
  return shared_.start +
         static_cast<std::uint64_t>(static_cast<double>(place) * nanoseconds_per_message_);
}

std::uint64_t Producer::next_timer() const {
  if (leaving_ || shared_.phase != Phase::running) return 0;
  if (nanoseconds_per_message_ > 0 && units_ < units_max_) {
    return std::max(due(units_), filled_ + kTickNanoseconds);
  }
  return deadline_;
}

void Producer::patch(std::uint64_t time) {
  char* const unit = ring_.data() + (units_ % slots_) * stride_;
  std::uint64_t sequence = units_ * unit_;
  for (const std::size_t body : bodies_) {
    write_hex(unit + body + kSequenceOffset, sequence++, kSequenceDigits);
    if (time != 0) write_hex(unit + body + kTimeOffset, time, kTimeDigits);
  }
  wire_->stamp(unit, units_);
  ++units_;
}

bool Producer::may_send() const noexcept {
  return (window_ == 0 || units_ - receipts_ < window_) &&
         (on_their_way_max_ == 0 ||
          units_ * unit_ - shared_.returned[index_] / copies_ < on_their_way_max_);
}

void Producer::fill(std::uint64_t now) {
  if (deadline_ == 0 && shared_.scenario.duration_seconds > 0) {
    deadline_ = shared_.start + static_cast<std::uint64_t>(shared_.scenario.duration_seconds * 1e9);
  }
  if (shared_.enough || (deadline_ != 0 && now >= deadline_)) {
    units_max_ = units_;
    deadline_ = 0;
  }
  while (units_ < units_max_ && units_ - tail_ / stride_ < slots_ && may_send()) {
    std::uint64_t time = on_their_way_max_ > 0 ? now : 0;
    if (nanoseconds_per_message_ > 0) {
      time = due(units_);
      if (time > now || (now < filled_ + kTickNanoseconds && now != filled_)) break;
    }
    patch(time);
    filled_ = now;
  }
}

void Producer::write() {
  const std::uint64_t head = units_ * stride_;
  if (head == tail_ && out_.empty()) return;
  const std::size_t size = ring_.size();
  // The rest of a unit that was cut, then answers, then whole units up to the end of the ring and
  // from its front.
  const std::size_t rest = (stride_ - tail_ % stride_) % stride_;
  const std::size_t from = (tail_ + rest) % size;
  const std::size_t pending = head - tail_ - rest;
  const std::size_t first = std::min(pending, size - from);
  const std::string_view parts[] = {{ring_.data() + tail_ % size, rest},
                                    out_,
                                    {ring_.data() + from, first},
                                    {ring_.data(), pending - first}};
  const std::size_t written = write_some(parts);
  const std::size_t of_out = std::min(written - std::min(written, rest), out_.size());
  out_.erase(0, of_out);
  tail_ += written - of_out;
}

void Producer::publish() {
  const std::uint64_t written = written_units();
  shared_.sent.fetch_add((written - reported_) * unit_, std::memory_order_relaxed);
  reported_ = written;
  if (receipts_ == confirmed_) return;
  shared_.confirmed.fetch_add((receipts_ - confirmed_) * unit_, std::memory_order_relaxed);
  confirmed_ = receipts_;
  last_receipt_ = now_ns();
}

bool Producer::turn() {
  if (read_some() || first_turn_) scan();
  first_turn_ = false;  // something may have come behind the login
  if (done_ || shared_.phase != Phase::running) return readable_ && !done_;
  if (!leaving_) {
    fill(now_ns());
    write();
    publish();
    const bool all_out = units_ == units_max_ && tail_ == units_ * stride_ && out_.empty();
    if (all_out && (window_ == 0 || receipts_ == units_) && writable_) {
      // Its answer says that the broker has taken everything, asked for one by one or not.
      leaving_ = true;
      const std::string_view bye[] = {wire_->bye()};
      if (write_some(bye) != bye[0].size()) shared_.fail("cannot say that this was all");
    }
  }
  if (readable_) return true;
  const bool room = units_ - tail_ / stride_ < slots_;
  return writable_ && !leaving_ && nanoseconds_per_message_ == 0 &&
         (tail_ != units_ * stride_ || !out_.empty() ||
          (units_ < units_max_ && room && may_send()));
}

void Producer::on_event(const Event& event) {
  if (event.kind != Event::Kind::confirmed) return;
  if (receipts_ == units_) {
    shared_.fail("the broker confirmed more than was sent");
    return;
  }
  ++receipts_;
}

void Producer::on_finished() {
  if (window_ == 0) last_receipt_ = now_ns();
  const Scenario& scenario = shared_.scenario;
  std::uint64_t deliveries = 0;
  if (!scenario.topic) {
    deliveries = scenario.consumers == 0 ? 0 : sent();
  } else {
    for (unsigned consumer = 0; consumer < scenario.consumers; ++consumer) {
      deliveries += sent_to(consumer % scenario.destinations.size());
    }
  }
  shared_.expected += deliveries;
  ++shared_.producers_finished;
}

std::uint64_t Producer::sent_to(std::size_t destination) const {
  const std::vector<std::string>& all = shared_.scenario.destinations;
  const auto mine = std::find(destinations_.begin(), destinations_.end(), all[destination]);
  if (mine == destinations_.end()) return 0;
  const auto place = static_cast<std::uint64_t>(mine - destinations_.begin());
  const std::uint64_t turns = destinations_.size();
  return sent() / turns + (place < sent() % turns ? 1 : 0);
}

}  // namespace pabal::cli::bench
