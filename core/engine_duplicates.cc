#include <algorithm>
#include <charconv>
#include <utility>

#include "core/engine_state.h"

// Sends that name their producer and a number of it are taken once: a client that got no answer
// sends again, and whichever of the two came first counts.
//
// The numbers of a producer only grow, so its last one says it all. It is stored in the batch of
// the message that carried it, as an attachment: after a crash both are there, or neither. That is
// why such a message is seen by consumers only when it is durable; else one could have been
// consumed, be lost with the crash, and come in again unknown.
//
// What is not above the last number has been sent before, provided the client keeps its side: one
// producer sends on one connection at a time. But it need not have been taken: a client that does
// not wait for answers sends on behind a send that is refused, or a transaction that is rolled
// back, and repeats it later. So the gaps that are left below the last number are remembered, the
// newest few, and what falls into one is new. Where it is in doubt (a number that was new when it
// was parked or became part of a transaction, and has been overtaken since) the send fails: to call
// it a duplicate could lose it.

namespace pabal::core {
namespace {

constexpr std::string_view kKeyPrefix = "producer/";
constexpr std::size_t kProducerBytesMax = 255;
constexpr std::size_t kGapsMax = 8;

/// None of `numbers` was taken: they are in one gap.
bool in_gap(const Producer& producer, Producer::Gap numbers) noexcept {
  return std::any_of(producer.gaps.begin(), producer.gaps.end(), [&](const Producer::Gap& gap) {
    return gap.first <= numbers.first && numbers.last <= gap.last;
  });
}

/// They are taken, and were above the last one, or in a gap. What was between is a gap from now on.
void take_numbers(Producer& producer, Producer::Gap numbers) {
  auto& gaps = producer.gaps;
  if (numbers.first > producer.last) {
    const std::uint64_t known = producer.last != 0 ? producer.last + 1 : producer.refused;
    if (known != 0 && numbers.first > known) gaps.push_back({known, numbers.first - 1});
  } else {
    for (std::size_t i = gaps.size(); i-- > 0;) {
      const Producer::Gap gap = gaps[i];
      if (gap.last < numbers.first || numbers.last < gap.first) continue;
      const auto at = gaps.erase(gaps.begin() + static_cast<std::ptrdiff_t>(i));
      std::vector<Producer::Gap> rest;
      if (gap.first < numbers.first) rest.push_back({gap.first, numbers.first - 1});
      if (numbers.last < gap.last) rest.push_back({numbers.last + 1, gap.last});
      gaps.insert(at, rest.begin(), rest.end());
    }
  }
  if (gaps.size() > kGapsMax) {
    gaps.erase(gaps.begin(), gaps.end() - static_cast<std::ptrdiff_t>(kGapsMax));
  }
  producer.last = std::max(producer.last, numbers.last);  // a prepared branch may come late
}

/// Last number, time of use, gaps: "17 1700000000000 5-6 9-9".
std::string encode(const Producer& producer, TimePoint now) {
  std::string value = std::to_string(producer.last) + ' ' + std::to_string(to_millis(now));
  for (const auto& gap : producer.gaps) {
    value += ' ' + std::to_string(gap.first) + '-' + std::to_string(gap.last);
  }
  return value;
}

StoreOp attachment(StoreOpKind kind, const std::string& producer, std::string value) {
  StoreOp operation;
  operation.kind = kind;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->key = std::string(kKeyPrefix) + producer;
  operation.detail->value = std::move(value);
  return operation;
}

Error overtaken(const ProducerSequence& identity, std::uint64_t last) {
  return {Errc::bad_state, "number " + std::to_string(identity.sequence) + " of producer " +
                               identity.producer + " was overtaken by its number " +
                               std::to_string(last)};
}

}  // namespace

/// Whether the identity means something where the message goes. Errors: invalid_argument.
Result<bool> Engine::State::identifies(const Send& send) const {
  const ProducerSequence& identity = *send.identity;
  if (identity.producer.empty() || identity.producer.size() > kProducerBytesMax) {
    return Error{Errc::invalid_argument,
                 "the id of a producer has 1 to " + std::to_string(kProducerBytesMax) + " bytes"};
  }
  if (identity.sequence == 0) {
    return Error{Errc::invalid_argument, "the numbers of a producer begin at 1"};
  }
  const auto policy =
      settings.policies.find(send.message->destination_kind(), send.message->destination_name());
  return policy->duplicate_detection;
}

/// The answer to a send that was taken before, or may have been; none: it is new. `parked`: it was
/// new when it was parked.
std::optional<Outcome> Engine::State::answer_duplicate(const ProducerSequence& identity,
                                                       const Transaction* transaction,
                                                       bool parked) {
  const std::uint64_t number = identity.sequence;
  std::uint64_t last = 0;
  bool free = false;
  if (const auto known = producers.find(identity.producer); known != producers.end()) {
    last = known->second.last;
    free = in_gap(known->second, {number, number});
    producers_by_use.splice(producers_by_use.end(), producers_by_use, known->second.use);
  }
  if (transaction != nullptr) {
    const auto sent = transaction->producers.find(identity.producer);
    if (sent != transaction->producers.end()) {
      last = std::max(last, sent->second.last);
      free = free && (number < sent->second.first || number > sent->second.last);
    }
  }
  if (number > last || free) return std::nullopt;
  if (parked && identity.sequence < last) {
    return Outcome::failure(overtaken(identity, last), store.submitted());
  }
  ++totals.duplicates;
  // The first one may not be durable yet; what was submitted so far has it.
  return Outcome{Disposition::done, store.submitted(), std::nullopt};
}

/// The transaction has taken a send, which counts when it commits.
void Engine::State::note_in(Transaction& transaction, const ProducerSequence& identity) {
  auto [sent, is_new] = transaction.producers.try_emplace(identity.producer);
  if (is_new) sent->second.first = identity.sequence;
  sent->second.first = std::min(sent->second.first, identity.sequence);
  sent->second.last = std::max(sent->second.last, identity.sequence);
}

/// Errors: bad_state; the same producer has gone on outside of the transaction.
Result<void> Engine::State::check_producers(const Transaction& transaction) const {
  for (const auto& [producer, sent] : transaction.producers) {
    const auto known = producers.find(producer);
    if (known == producers.end() || known->second.last < sent.first) continue;
    if (in_gap(known->second, {sent.first, sent.last})) continue;
    return overtaken({producer, sent.first}, known->second.last);
  }
  return {};
}

void Engine::State::remember_all(const Transaction& transaction, bool stored, Batch& batch) {
  for (const auto& [producer, sent] : transaction.producers) {
    remember(producer, {sent.first, sent.last}, stored, batch);
  }
}

/// The producer, used now.
Producer& Engine::State::producer_named(const std::string& name) {
  auto [known, is_new] = producers.try_emplace(name);
  Producer& producer = known->second;
  if (is_new) {
    producer.use = producers_by_use.insert(producers_by_use.end(), &known->first);
  } else {
    producers_by_use.splice(producers_by_use.end(), producers_by_use, producer.use);
  }
  return producer;
}

/// `batch` has what the numbers came with; `stored`: some of it outlives the process.
void Engine::State::remember(const std::string& name, Producer::Gap numbers, bool stored,
                             Batch& batch) {
  Producer& producer = producer_named(name);
  take_numbers(producer, numbers);
  if (stored) {
    producer.stored = true;
    batch.operations.push_back(
        attachment(StoreOpKind::put_attachment, name, encode(producer, now)));
  }
  while (producers.size() > limits.producers_max) forget_oldest_producer(batch.operations);
}

/// A send of it was refused. If nothing of the producer was taken so far, the first that is must
/// show a gap from here on: what is before a first number is not known to be free. Lower ones may
/// wait for room, or in a transaction.
void Engine::State::refused(const ProducerSequence& identity) {
  Producer& producer = producer_named(identity.producer);
  if (producer.last != 0) return;
  producer.refused =
      producer.refused == 0 ? identity.sequence : std::min(producer.refused, identity.sequence);
  std::vector<StoreOp> operations;
  while (producers.size() > limits.producers_max) forget_oldest_producer(operations);
  if (!operations.empty()) store.append(operations);
}

void Engine::State::forget_oldest_producer(std::vector<StoreOp>& operations) {
  const auto oldest = producers.find(*producers_by_use.front());
  if (oldest->second.stored) {
    operations.push_back(attachment(StoreOpKind::delete_attachment, oldest->first, {}));
  }
  producers_by_use.pop_front();
  producers.erase(oldest);
}

/// Those used last are remembered, if there are more than the limit allows by now.
void Engine::State::recover_producers(
    const std::vector<std::pair<std::string, std::string>>& attachments) {
  struct Found {
    std::int64_t used = 0;
    std::string_view producer;
    std::uint64_t last = 0;
    std::vector<Producer::Gap> gaps;
  };
  std::vector<Found> found;
  for (const auto& [key, value] : attachments) {
    if (!key.starts_with(kKeyPrefix)) continue;
    Found each;
    each.producer = std::string_view(key).substr(kKeyPrefix.size());
    const char* end = value.data() + value.size();
    const auto number = std::from_chars(value.data(), end, each.last);
    if (number.ptr != end) {
      auto at = std::from_chars(number.ptr + 1, end, each.used).ptr;
      while (at != end && *at == ' ' && each.gaps.size() < kGapsMax) {
        Producer::Gap gap;
        at = std::from_chars(at + 1, end, gap.first).ptr;
        if (at == end || *at != '-') break;
        at = std::from_chars(at + 1, end, gap.last).ptr;
        if (gap.first > gap.last || gap.last >= each.last) break;
        each.gaps.push_back(gap);
      }
    }
    found.push_back(std::move(each));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& one, const Found& other) { return one.used < other.used; });
  std::vector<StoreOp> operations;
  for (Found& each : found) {
    auto [known, is_new] = producers.try_emplace(std::string(each.producer));
    known->second.last = each.last;
    known->second.gaps = std::move(each.gaps);
    known->second.stored = true;
    known->second.use = producers_by_use.insert(producers_by_use.end(), &known->first);
    if (producers.size() > limits.producers_max) forget_oldest_producer(operations);
  }
  if (!operations.empty()) store.append(operations);
}

}  // namespace pabal::core
