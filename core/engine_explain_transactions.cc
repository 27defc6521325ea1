#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/duration_text.h"
#include "core/engine_state.h"

// What transactions have done with a queue that has not come to effect: messages that they
// acknowledged, which wait for nobody, and messages that they sent, which nobody sees.

namespace pabal::core {
namespace {

/// Of all transactions together, so that no entry is long.
constexpr std::uint64_t kOperationsLookedAtMax = 65'536;
/// Of which the reasons tell.
constexpr std::size_t kToldMax = 10;

std::string messages(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " message" : " messages");
}

bool goes_to(const Send& send, const Destination& place) {
  if (!send.message) return false;
  if (send.targets == nullptr) {
    return send.message->destination_kind() == place.kind &&
           send.message->destination_name() == place.name;
  }
  return std::find(send.targets->begin(), send.targets->end(), place) != send.targets->end();
}

}  // namespace

/// Who it is, since when, and what ends it; without counts.
TransactionExplanation Engine::State::explain_transaction(const Transaction& work) {
  TransactionExplanation told;
  told.id = raw(work.id);
  if (work.branch != nullptr) {
    const Branch& branch = *work.branch;
    told.xid = branch.xid.to_text();
    told.state = to_string(branch.state);
    told.client_id = branch.client_id;
    told.remote = branch.remote;
    told.since = to_millis(branch.since);
    return told;
  }
  told.state = "open";
  told.client_id = work.connection->client_id;
  told.remote = work.connection->options.remote;
  told.since = to_millis(work.since);
  return told;
}

/// "the prepared XA branch 1:67:62 of client c at tcp://…, since 3 min 20 s"
std::string Engine::State::transaction_name(const TransactionExplanation& told) const {
  const std::string who = " of client " + told.client_id + " at " + told.remote;
  const std::string age = duration_text(milliseconds(to_millis(now) - told.since));
  if (told.xid.empty()) return "the transaction" + who + ", open for " + age;
  return "the " + told.state + " XA branch " + told.xid + who + ", since " + age;
}

std::string Engine::State::transaction_end(const TransactionExplanation& told) {
  if (told.xid.empty()) return "it ends with its client's COMMIT or ABORT, or its connection";
  if (told.state == to_string(BranchState::prepared)) {
    return "its transaction manager ends it, or else 'pabal xa commit " + told.xid +
           "' or 'pabal xa rollback " + told.xid + "'";
  }
  if (told.state == to_string(BranchState::committing)) return "it ends when it is read back";
  return "its transaction manager ends it, or its connection; 'pabal xa list --active' shows it";
}

/// In the order in which they came to be as they are.
void Engine::State::explain_transactions(Reader& reader, QueueExplanation& told) {
  std::map<TransactionId, TransactionExplanation> found;
  const auto of = [&](const Transaction& work) -> TransactionExplanation& {
    const auto known = found.find(work.id);
    if (known != found.end()) return known->second;
    return found.emplace(work.id, explain_transaction(work)).first->second;
  };
  if (reader.in_flight > 0) {
    for_each_out(reader, [&](const InFlight& delivery, const Subscription&) {
      if (delivery.state != InFlight::State::in_transaction) return;
      const Transaction* work = transactions.find(delivery.transaction);
      if (work != nullptr) ++of(*work).acknowledgements;
    });
  }
  std::uint64_t left = kOperationsLookedAtMax;
  transactions.for_each([&](const Transaction& work) {
    for (const auto& [delivery, ack] : work.orphans) {
      if (left == 0) break;
      --left;
      if (delivery.reader == &reader && delivery.entry.message) ++of(work).acknowledgements;
    }
    const bool in_doubt = work.branch != nullptr && work.branch->state != BranchState::active;
    for (const auto& send : work.sends) {
      if (left == 0) break;
      --left;
      // What a branch has stored, it counted as it was prepared.
      if (in_doubt && (!send.message || may_be_stored(send))) continue;
      if (goes_to(send, told.queue)) ++of(work).sends;
    }
  });
  told.transactions_cut = left == 0;
  for (const auto& [xid, branch] : branches) {
    if (branch->work == nullptr || branch->state == BranchState::active) continue;
    for (const auto& range : branch->held) {
      if (range.reader == &reader) of(*branch->work).acknowledgements += range.count();
    }
    for (const auto& [place, count] : branch->sent_to) {
      if (place == told.queue) of(*branch->work).sends += count;
    }
  }
  for (auto& [id, each] : found) {
    told.in_transactions += each.acknowledgements;
    told.sent_in_transactions += each.sends;
    told.transactions.push_back(std::move(each));
  }
  told.transactions_total = told.transactions.size();
  std::stable_sort(told.transactions.begin(), told.transactions.end(),
                   [](const auto& one, const auto& other) { return one.since < other.since; });
  if (told.transactions.size() > kExplainedMax) told.transactions.resize(kExplainedMax);
}

void Engine::State::tell_transactions(QueueExplanation& told) const {
  std::size_t count = 0;
  for (const auto& each : told.transactions) {
    if (++count > kToldMax) break;
    std::string reason = transaction_name(each);
    if (each.acknowledgements > 0) {
      reason += ", holds " + messages(each.acknowledgements) + " that it acknowledged";
    }
    if (each.sends > 0) {
      reason += (each.acknowledgements > 0 ? ", and sent " : ", sent ") + messages(each.sends) +
                " here that nobody sees before it commits";
    }
    told.reasons.push_back(reason + "; " + transaction_end(each));
  }
  if (told.transactions_total > kToldMax) {
    told.reasons.push_back(std::to_string(told.transactions_total - kToldMax) +
                           " more transactions hold or sent messages");
  }
  if (told.transactions_cut) {
    told.reasons.push_back("of open transactions only the first " +
                           std::to_string(kOperationsLookedAtMax) + " operations were looked at");
  }
}

/// Which transaction has acknowledged a message of the reader; null: none.
const Transaction* Engine::State::holder_of(Reader& reader, const QueuePosition& place) {
  const auto is_it = [&](const InFlight& delivery) {
    return delivery.reader == &reader && delivery.priority == place.priority &&
           delivery.entry.sequence == place.sequence;
  };
  const Transaction* holder = nullptr;
  for_each_out(reader, [&](const InFlight& delivery, const Subscription&) {
    if (is_it(delivery) && delivery.state == InFlight::State::in_transaction) {
      holder = transactions.find(delivery.transaction);
    }
  });
  if (holder != nullptr) return holder;
  transactions.for_each([&](const Transaction& work) {
    if (holder != nullptr) return;
    for (const auto& [delivery, ack] : work.orphans) {
      if (is_it(delivery) && delivery.entry.message) holder = &work;
    }
    if (work.branch == nullptr) return;
    for (const auto& range : work.branch->held) {
      if (range.reader == &reader && range.priority == place.priority &&
          range.first <= place.sequence && place.sequence <= range.last) {
        holder = &work;
      }
    }
  });
  return holder;
}

void Engine::State::explain_holder(Reader& reader, const ListedMessage& listed,
                                   MessageExplanation& told) {
  const Transaction* holder = holder_of(reader, listed.position);
  if (holder == nullptr) return;
  const TransactionExplanation work = explain_transaction(*holder);
  told.standing = Standing::out;
  told.transaction = work.id;
  told.xid = work.xid;
  told.transaction_state = work.state;
  told.transaction_since = work.since;
  told.reasons.push_back("it is acknowledged in " + transaction_name(work) +
                         ", which has not ended; " + transaction_end(work));
}

}  // namespace pabal::core
