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

Producer::Producer(int socket, Shared& shared, unsigned index)
    : Connection(socket, shared),
      index_(index),
      unit_(shared.scenario.unit()),
      window_(shared.scenario.window),
      units_max_(shared.scenario.units_of(index)),
      nanoseconds_per_message_(shared.scenario.rate > 0 ? 1e9 / shared.scenario.rate : 0),
      destinations_(shared.scenario.destinations_of(index)) {
  prepare();
}

std::string Producer::make_unit(std::size_t slot, bool remember_columns) {
  const Scenario& scenario = shared_.scenario;
  std::string out;
  if (scenario.transaction > 0) out += std::string("BEGIN\ntransaction:t\n\n") + '\0';
  for (unsigned i = 0; i < unit_; ++i) {
    const std::size_t message = slot * unit_ + i;
    BodyId id;
    id.run = scenario.run;
    id.producer = static_cast<std::uint16_t>(index_);
    id.priority = static_cast<std::uint8_t>(scenario.priorities ? message % 10 : scenario.priority);
    out += "SEND\ndestination:" + destinations_[message % destinations_.size()] + "\n";
    if (scenario.persistent) out += "persistent:true\n";
    if (id.priority != 4 || scenario.priorities) {
      out += "priority:" + std::to_string(id.priority) + "\n";
    }
    if (scenario.buckets > 0) {
      const std::string bucket = std::to_string(message % scenario.buckets);
      // Units of the ring are equally long: leading spaces would count, so another header pads.
      const std::size_t digits = std::to_string(scenario.buckets - 1).size();
      out += "bucket:" + bucket + "\npad:" + std::string(digits + 1 - bucket.size(), '0') + "\n";
    }
    if (scenario.transaction > 0) {
      out += "transaction:t\n";
    } else if (window_ > 0) {
      out += "receipt:";
      if (remember_columns) receipt_column_ = out.size();
      out += std::string(kSequenceDigits, '0') + "\n";
    }
    if (scenario.content_length) {
      out += "content-length:" + std::to_string(scenario.body_size) + "\n";
    }
    out += '\n';
    if (remember_columns) {
      sequence_columns_.push_back(out.size() + kSequenceOffset);
      time_columns_.push_back(out.size() + kTimeOffset);
    }
    out += make_body(id, scenario.body_size);
    out += '\0';
  }
  if (scenario.transaction > 0) {
    out += "COMMIT\ntransaction:t\n";
    if (window_ > 0) {
      out += "receipt:";
      if (remember_columns) receipt_column_ = out.size();
      out += std::string(kSequenceDigits, '0') + "\n";
    }
    out += std::string("\n") + '\0';
  }
  return out;
}

void Producer::prepare() {
  // Destination, priority and bucket of a message follow from its sequence, so the ring's length
  // is a multiple of their periods.
  const std::size_t period =
      std::lcm(std::lcm<std::size_t>(destinations_.size(), shared_.scenario.priorities ? 10 : 1),
               std::size_t{std::max(1U, shared_.scenario.buckets)});
  ring_ = make_unit(0, true);
  stride_ = ring_.size();
  slots_ = std::max<std::size_t>((kRingBytes / stride_ + period - 1) / period, 1) * period;
  if (slots_ < 2) slots_ = 2;
  ring_.reserve(slots_ * stride_);
  for (std::size_t slot = 1; slot < slots_; ++slot) {
    ring_ += make_unit(slot, false);
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
  for (const std::size_t column : sequence_columns_) {
    write_hex(unit + column, sequence++, kSequenceDigits);
  }
  if (time != 0) {
    for (const std::size_t column : time_columns_) write_hex(unit + column, time, kTimeDigits);
  }
  if (receipt_column_ != 0) write_hex(unit + receipt_column_, units_, kSequenceDigits);
  ++units_;
}

void Producer::fill(std::uint64_t now) {
  if (deadline_ == 0 && shared_.scenario.duration_seconds > 0) {
    deadline_ = shared_.start + static_cast<std::uint64_t>(shared_.scenario.duration_seconds * 1e9);
  }
  if (shared_.enough || (deadline_ != 0 && now >= deadline_)) {
    units_max_ = units_;
    deadline_ = 0;
  }
  while (units_ < units_max_ && units_ - tail_ / stride_ < slots_ &&
         (window_ == 0 || units_ - receipts_ < window_)) {
    std::uint64_t time = 0;
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
  if (head == tail_) return;
  const std::size_t size = ring_.size();
  const std::size_t from = tail_ % size;
  const std::size_t pending = head - tail_;
  const std::size_t first = std::min(pending, size - from);
  tail_ += write_some({ring_.data() + from, first}, {ring_.data(), pending - first});
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
  if (read_some()) scan();
  if (done_ || shared_.phase != Phase::running) return readable_ && !done_;
  if (!leaving_) {
    fill(now_ns());
    write();
    publish();
    const bool all_out = units_ == units_max_ && tail_ == units_ * stride_;
    if (all_out && (window_ == 0 || receipts_ == units_) && writable_) {
      // Its receipt says that the broker has taken everything, asked for one by one or not.
      leaving_ = true;
      if (write_some(kByeFrame) != kByeFrame.size()) shared_.fail("cannot write DISCONNECT");
    }
  }
  if (readable_) return true;
  const bool room = units_ - tail_ / stride_ < slots_;
  const bool may_send = window_ == 0 || units_ - receipts_ < window_;
  return writable_ && !leaving_ && nanoseconds_per_message_ == 0 &&
         (tail_ != units_ * stride_ || (units_ < units_max_ && room && may_send));
}

void Producer::on_frame(const FrameView& frame) {
  if (frame.command != "RECEIPT") return;
  std::uint64_t unit = 0;
  if (frame.receipt_id.size() != kSequenceDigits ||
      !read_hex(frame.receipt_id.data(), kSequenceDigits, unit) || unit >= units_ ||
      receipts_ == units_) {
    shared_.fail("the broker sent a receipt that nobody asked for");
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
