#include <algorithm>
#include <tuple>
#include <utility>

#include "core/engine_state.h"
#include "core/record.h"

// What a prepared branch has in the store, and how it comes back from there.
//
// A record, in pieces of kPieceBytes: attachments "xa/<xid>/<six digits>". Numbers are varints
// (LEB128), texts a length and bytes:
//   version (2), state (0 prepared, 1 committed by hand, 2 rolled back by hand), since (ms),
//   client id, remote, first of its messages in the hidden list, how many, their bytes,
//   acknowledgements; targets: how many sends have some, then each: which, count, kind and name;
//   ranges: count, then each: list, reader, priority, kind, first, last - first, bytes, cause;
//   since version 2: producers: count, then each: name, first and last number that it sent;
//   places that it sent to: count, then each: kind, name, how many.
// Version 1 is read as one without these. To a program that knows 1 alone, a branch of version 2 is
// unreadable, and kept.

namespace pabal::core {
namespace {

constexpr std::uint64_t kRecordVersion = 2;
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::string_view kPrefix = "xa/";
constexpr std::uint8_t kBranchPriority = kDefaultPriority;
/// What comes back waits for its consumers; more of it than a page is fetched when this few are
/// left.
constexpr std::size_t kReturnedFew = 64;
constexpr std::uint64_t kPageBytesMax = 1ULL << 20;

std::uint64_t state_number(BranchState state) noexcept {
  if (state == BranchState::heuristically_committed) return 1;
  return state == BranchState::heuristically_rolled_back ? 2 : 0;
}

StoreOp attachment(StoreOpKind kind, std::string key, std::string_view value) {
  StoreOp operation;
  operation.kind = kind;
  operation.detail = std::make_unique<StoreOpDetail>();
  operation.detail->key = std::move(key);
  operation.detail->value = value;
  return operation;
}

StoreOp range_operation(StoreOpKind kind, const HeldRange& range) {
  StoreOp operation;
  operation.kind = kind;
  operation.priority = range.priority;
  operation.list = range.reader->list.id;
  operation.reader = range.reader->id;
  operation.first = range.first;
  operation.last = range.last;
  return operation;
}

bool adjoins(const HeldRange& range, const HeldRange& next) {
  return range.reader == next.reader && range.priority == next.priority &&
         range.kind == next.kind && range.last + 1 == next.first && range.cause == next.cause;
}

void join(std::vector<HeldRange>& ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const HeldRange& a, const HeldRange& b) {
    return std::tuple(a.reader->list.id, a.reader->id, a.priority, a.first) <
           std::tuple(b.reader->list.id, b.reader->id, b.priority, b.first);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (kept > 0 && adjoins(ranges[kept - 1], ranges[i])) {
      ranges[kept - 1].last = ranges[i].last;
      ranges[kept - 1].bytes += ranges[i].bytes;
    } else {
      if (kept != i) ranges[kept] = std::move(ranges[i]);
      ++kept;
    }
  }
  ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>(kept), ranges.end());
}

}  // namespace

// --- writing -------------------------------------------------------------------------------------

std::string Engine::State::attachment_key(const Xid& xid, std::uint32_t piece) {
  std::string digits = std::to_string(piece);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return std::string(kPrefix) + xid.to_text() + "/" + digits;
}

std::string Engine::State::encode_branch(const Branch& branch, const std::vector<HeldRange>& held) {
  std::string out;
  put(out, kRecordVersion);
  put(out, state_number(branch.state));
  put(out, static_cast<std::uint64_t>(to_millis(branch.since)));
  put(out, branch.client_id);
  put(out, branch.remote);
  put(out, branch.first_stored);
  put(out, branch.stored_sends.size());
  put(out, branch.stored_bytes);
  put(out, branch.acknowledgements);
  if (branch.state == BranchState::heuristically_committed ||
      branch.state == BranchState::heuristically_rolled_back) {
    return out;
  }
  std::uint64_t composite = 0;
  for (const auto at : branch.stored_sends) composite += branch.work->sends[at].targets ? 1 : 0;
  put(out, composite);
  for (std::size_t i = 0; i < branch.stored_sends.size(); ++i) {
    const auto& targets = branch.work->sends[branch.stored_sends[i]].targets;
    if (!targets) continue;
    put(out, i);
    put(out, targets->size());
    for (const auto& target : *targets) {
      put(out, static_cast<std::uint64_t>(target.kind));
      put(out, target.name);
    }
  }
  put(out, held.size());
  for (const auto& range : held) {
    put(out, raw(range.reader->list.id));
    put(out, raw(range.reader->id));
    put(out, std::uint64_t{range.priority});
    put(out, static_cast<std::uint64_t>(range.kind));
    put(out, range.first);
    put(out, range.last - range.first);
    put(out, range.bytes);
    put(out, range.cause);
  }
  put(out, branch.work->producers.size());
  for (const auto& [producer, sent] : branch.work->producers) {
    put(out, producer);
    put(out, sent.first);
    put(out, sent.last);
  }
  put(out, branch.sent_to.size());
  for (const auto& [place, count] : branch.sent_to) {
    put(out, static_cast<std::uint64_t>(place.kind));
    put(out, place.name);
    put(out, count);
  }
  return out;
}

/// Of Branch::stored_sends, while they are in memory.
void Engine::State::count_sent(Branch& branch) {
  branch.sent_to.clear();
  const auto add = [&](const Destination& place) {
    const auto known = std::find_if(branch.sent_to.begin(), branch.sent_to.end(),
                                    [&](const auto& each) { return each.first == place; });
    if (known != branch.sent_to.end()) {
      ++known->second;
    } else if (branch.sent_to.size() < kSentToMax) {
      branch.sent_to.emplace_back(place, 1);
    }
  };
  for (const auto at : branch.stored_sends) {
    const Send& send = branch.work->sends[at];
    if (send.targets == nullptr) {
      add(send.message->destination());
    } else {
      for (const auto& target : *send.targets) add(target);
    }
  }
}

void Engine::State::collect_held(Transaction& work, std::vector<HeldRange>& all,
                                 std::vector<HeldRange>& orphans) {
  const auto range_of = [](const InFlight& delivery, const PendingAck& ack) {
    return HeldRange{delivery.reader,
                     delivery.priority,
                     ack.kind,
                     delivery.entry.sequence,
                     delivery.entry.sequence,
                     delivery.entry.message->flat().size(),
                     ack.cause};
  };
  for (const auto& ack : work.acks) {
    const InFlight* delivery = find_delivery(ack);
    if (delivery == nullptr || delivery->reader == nullptr || delivery->entry.is_volatile) continue;
    all.push_back(range_of(*delivery, ack));
  }
  for (const auto& [delivery, ack] : work.orphans) {
    if (delivery.reader == nullptr || delivery.entry.is_volatile || !delivery.entry.message) {
      continue;
    }
    all.push_back(range_of(delivery, ack));
    if (!all.back().needs_messages()) orphans.push_back(all.back());
  }
  join(all);
  join(orphans);
}

/// Of an acknowledged delivery whose number is enough from here on: it is in flight all the same.
void Engine::State::drop_message(InFlight& delivery) {
  no_longer_out(*delivery.reader, delivery.entry);
  ++delivery.reader->in_flight;
  unhold(*delivery.entry.message);
}

/// Counted in its reader as locked already.
void Engine::State::hold(Branch& branch, HeldRange range) {
  if (!branch.held.empty() && adjoins(branch.held.back(), range)) {
    branch.held.back().last = range.last;
    branch.held.back().bytes += range.bytes;
    return;
  }
  branch.held.push_back(std::move(range));
}

void Engine::State::store_branch(Branch& branch, const std::string& record,
                                 std::vector<StoreOp>& operations) {
  if (!branch.stored_sends.empty() && branch_list == ListId{}) {
    branch_list = ListId{++last_list};
    StoreOp operation;
    operation.kind = StoreOpKind::create_list;
    operation.list = branch_list;
    operation.detail = std::make_unique<StoreOpDetail>();
    operation.detail->list = {branch_list,
                              {DestinationKind::temporary_queue, std::string(kBranchList)}};
    operations.push_back(std::move(operation));
  }
  for (const auto at : branch.stored_sends) {
    StoreOp operation;
    operation.kind = StoreOpKind::add;
    operation.priority = kBranchPriority;
    operation.list = branch_list;
    operation.first = operation.last = branch_sequence++;
    operation.message = branch.work->sends[at].message;
    operations.push_back(std::move(operation));
  }
  branch.pieces = 0;
  for (std::size_t at = 0; at < record.size(); at += kPieceBytes) {
    operations.push_back(attachment(StoreOpKind::put_attachment,
                                    attachment_key(branch.xid, branch.pieces++),
                                    std::string_view(record).substr(at, kPieceBytes)));
  }
}

void Engine::State::unstore_branch(Branch& branch, std::vector<StoreOp>& operations) {
  if (branch.work != nullptr && !branch.stored_sends.empty()) {
    StoreOp operation;
    operation.kind = StoreOpKind::acknowledge;
    operation.priority = kBranchPriority;
    operation.list = branch_list;
    operation.reader = kQueueReader;
    operation.first = branch.first_stored;
    operation.last = branch.first_stored + branch.stored_sends.size() - 1;
    operations.push_back(std::move(operation));
  }
  if (branch.by_hand) {
    operations.push_back(attachment(StoreOpKind::put_attachment, attachment_key(branch.xid, 0),
                                    encode_branch(branch, {})));
  }
  for (std::uint32_t piece = branch.by_hand ? 1 : 0; piece < branch.pieces; ++piece) {
    operations.push_back(
        attachment(StoreOpKind::delete_attachment, attachment_key(branch.xid, piece), {}));
  }
  branch.pieces = 1;
}

void Engine::State::drop_sends_from_memory(Branch& branch) {
  prepared_bytes -= std::exchange(branch.counted_bytes, 0);
  for (const auto at : branch.stored_sends) {
    auto& message = branch.work->sends[at].message;
    if (!message) continue;
    unhold(*message);
    message.reset();
  }
  if (!branch.stored_sends.empty()) branch.in_memory = false;
}

// --- ending --------------------------------------------------------------------------------------

void Engine::State::unlock_deliveries(Branch& branch) {
  for (const auto& ack : branch.work->acks) {
    const InFlight* delivery = find_delivery(ack);
    if (delivery != nullptr && delivery->reader != nullptr) --delivery->reader->locked;
  }
  for (const auto& [delivery, ack] : branch.work->orphans) {
    if (delivery.reader != nullptr && delivery.entry.message) --delivery.reader->locked;
  }
}

/// Of what was acknowledged otherwise than as consumed, and read back to commit.
void Engine::State::forget_loaded(Branch& branch) {
  std::erase_if(branch.work->orphans, [&](auto& each) {
    auto& [delivery, ack] = each;
    if (ack.subscription != SubscriptionId{}) return false;  // it was with a delivery
    if (delivery.entry.message) unhold(*delivery.entry.message);
    return true;
  });
}

void Engine::State::commit_held(Branch& branch, Batch& batch) {
  if (branch.state == BranchState::active) return;
  for (const auto& range : branch.held) {
    if (range.reader == nullptr || range.needs_messages()) continue;  // gone; done as an orphan
    Reader& reader = *range.reader;
    reader.locked -= range.count();
    reader.in_flight -= range.count();
    batch.operations.push_back(range_operation(StoreOpKind::acknowledge, range));
    reader.depth -= range.count();
    reader.depth_bytes -= range.bytes;
    reader.list.counters.dequeued += range.count();
    totals.dequeued += range.count();
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      forget_ahead(reader, range.priority, sequence);
    }
    if (reader.list.has_blocked) room_at(reader.list);
  }
  if (branch.by_hand) {
    branch.state = BranchState::heuristically_committed;
    branch.since = now;
  }
  unstore_branch(branch, batch.operations);
}

void Engine::State::roll_back_held(Branch& branch, std::vector<StoreOp>& operations,
                                   Errand& returning) {
  forget_loaded(branch);
  unlock_deliveries(branch);
  for (const auto& range : branch.held) {
    if (range.reader == nullptr) continue;
    Reader& reader = *range.reader;
    reader.locked -= range.count();
    reader.in_flight -= range.count();
    operations.push_back(range_operation(StoreOpKind::count_delivery, range));
    returning.ranges.push_back(
        {reader.list.id, reader.id, range.priority, range.first, range.last, 0});
  }
  if (branch.by_hand) {
    branch.state = BranchState::heuristically_rolled_back;
    branch.since = now;
  }
  unstore_branch(branch, operations);
}

// --- after a restart -----------------------------------------------------------------------------

/// `attachments`: all there are, ascending by key.
void Engine::State::recover_branches(std::vector<std::pair<std::string, std::string>> attachments) {
  std::string record;
  for (std::size_t at = 0; at < attachments.size();) {
    const std::string& key = attachments[at].first;
    const auto slash = key.rfind('/');
    const auto size = slash == std::string::npos ? 0 : slash;
    if (!key.starts_with(kPrefix) || size < kPrefix.size()) {
      ++at;
      continue;
    }
    const std::string stem = key.substr(0, size + 1);
    std::uint32_t pieces = 0;
    record.clear();
    for (; at < attachments.size() && attachments[at].first.starts_with(stem); ++at, ++pieces) {
      record += attachments[at].second;
    }
    const auto xid =
        Xid::parse(std::string_view(stem).substr(kPrefix.size(), size - kPrefix.size()));
    if (xid) recover_branch(*xid, record, pieces);
  }
}

void Engine::State::recover_branch(const Xid& xid, std::string_view record, std::uint32_t pieces) {
  Branch& branch = *branches.emplace(xid, std::make_unique<Branch>(xid)).first->second;
  branch.pieces = pieces;
  branch.state = BranchState::unreadable;
  ++branches_in_doubt;
  RecordReader in{record};
  const std::uint64_t version = in.number();
  if (version == 0 || version > kRecordVersion) return;
  const std::uint64_t state = in.number();
  branch.since = from_millis(static_cast<std::int64_t>(in.number()));
  branch.client_id = in.text();
  branch.remote = in.text();
  branch.first_stored = in.number();
  const std::uint64_t sends = in.number();
  branch.stored_bytes = in.number();
  branch.acknowledgements = in.number();
  if (!in.good || state > 2 || sends > limits.transaction_operations_max) return;
  branch.stored_sends.resize(sends);
  for (std::uint32_t i = 0; i < sends; ++i) branch.stored_sends[i] = i;
  if (state != 0) {
    branch.state =
        state == 1 ? BranchState::heuristically_committed : BranchState::heuristically_rolled_back;
    return;
  }
  std::vector<Send> all(sends);
  for (std::uint64_t composite = in.number(); in.good && composite > 0; --composite) {
    const std::uint64_t at = in.number();
    auto targets = std::make_shared<std::vector<Destination>>();
    for (std::uint64_t count = in.number(); in.good && count > 0; --count) {
      const std::uint64_t kind = in.number();
      if (kind > 3) in.good = false;
      targets->push_back({static_cast<DestinationKind>(kind & 3), in.text()});
    }
    if (at >= sends) in.good = false;
    if (in.good) all[at].targets = std::move(targets);
  }
  std::vector<HeldRange> held;
  for (std::uint64_t count = in.number(); in.good && count > 0; --count) {
    const ListId list{in.number()};
    const ReaderId reader{in.number()};
    HeldRange range;
    range.priority = static_cast<std::uint8_t>(std::min<std::uint64_t>(in.number(), 255));
    range.kind = static_cast<AckKind>(in.number() & 3);
    range.first = in.number();
    const std::uint64_t more = in.number();
    range.last = range.first + more;
    range.bytes = in.number();
    range.cause = in.text();
    in.good = in.good && range.priority < kPriorities && more < limits.transaction_operations_max;
    range.reader = find_reader(list, reader);
    if (range.reader == nullptr) continue;
    const auto& lane = range.reader->list.lanes[range.priority];
    in.good = in.good && lane && range.first > 0 && range.last < lane->next_sequence;
    if (in.good) held.push_back(std::move(range));
  }
  std::map<std::string, Transaction::Sent> producers_sent;
  for (std::uint64_t count = version < 2 ? 0 : in.number(); in.good && count > 0; --count) {
    std::string producer = in.text();
    const std::uint64_t first = in.number();
    const std::uint64_t last = in.number();
    in.good = in.good && first > 0 && first <= last;
    producers_sent[std::move(producer)] = {first, last};
  }
  for (std::uint64_t count = version < 2 ? 0 : in.number(); in.good && count > 0; --count) {
    const std::uint64_t kind = in.number();
    std::string name = in.text();
    const std::uint64_t sent = in.number();
    in.good = in.good && kind <= 3 && branch.sent_to.size() < kSentToMax;
    branch.sent_to.emplace_back(
        Destination{static_cast<DestinationKind>(kind & 3), std::move(name)}, sent);
  }
  if (!in.good || !in.rest.empty()) return;

  branch.state = BranchState::prepared;
  branch.work = &transactions.insert(
      [](TransactionId made) { return std::make_unique<Transaction>(made, nullptr); });
  branch.work->branch = &branch;
  branch.work->sends = std::move(all);
  branch.work->producers = std::move(producers_sent);
  branch.held = std::move(held);
  branch.in_memory = sends == 0;
  prepared_acknowledgements += branch.acknowledgements;
  lock_recovered(branch);
}

void Engine::State::lock_recovered(Branch& branch) {
  for (const auto& range : branch.held) {
    if (range.needs_messages()) branch.in_memory = false;
    range.reader->locked += range.count();
    range.reader->in_flight += range.count();
    auto& ahead = range.reader->lane(range.priority).taken_ahead;
    for (auto sequence = range.first; sequence <= range.last; ++sequence) {
      ahead.insert(ahead.end(), sequence);
    }
  }
}

Reader* Engine::State::find_reader(ListId list, ReaderId reader) {
  const auto at = lists.find(list);
  return at == lists.end() ? nullptr : at->second->find_reader(reader);
}

// --- reading back --------------------------------------------------------------------------------

void Engine::State::read_back(Branch& branch) {
  forget_loaded(branch);
  Errand errand;
  errand.branch = branch.xid;
  const bool dropped =
      !branch.stored_sends.empty() && !branch.work->sends[branch.stored_sends[0]].message;
  if (dropped) {
    errand.ranges.push_back({branch_list, kQueueReader, kBranchPriority, branch.first_stored,
                             branch.first_stored + branch.stored_sends.size() - 1, 0});
  }
  for (std::size_t i = 0; i < branch.held.size(); ++i) {
    const HeldRange& range = branch.held[i];
    if (range.reader == nullptr || !range.needs_messages()) continue;
    errand.ranges.push_back(
        {range.reader->list.id, range.reader->id, range.priority, range.first, range.last, i + 1});
  }
  errands.emplace(++last_errand, std::move(errand));
  errands_due = true;
}

void Engine::State::add_errand(Errand errand) {
  if (errand.ranges.empty()) return;
  std::sort(errand.ranges.begin(), errand.ranges.end(),
            [](const Errand::Range& a, const Errand::Range& b) {
              return std::tuple(a.list, a.reader, a.priority, a.first) <
                     std::tuple(b.list, b.reader, b.priority, b.first);
            });
  errands.emplace(++last_errand, std::move(errand));
  errands_due = true;
}

/// Branches load one after the other, so that at most one is in memory on its way.
void Engine::State::go_on_with_errands() {
  errands_due = false;
  bool loading = false;
  for (auto at = errands.begin(); at != errands.end();) {
    Errand& errand = at->second;
    const bool loads = errand.branch.has_value();
    const bool may = errand.page == 0 && !(loads && loading);
    loading = loading || loads;
    if (!may || request_next(at->first, errand)) {
      ++at;
      continue;
    }
    const Errand done = std::move(errand);
    at = errands.erase(at);
    if (done.branch) loaded_branch(done);
  }
}

void Engine::State::loaded_branch(const Errand& errand) {
  errands_due = true;  // for the next that loads
  Branch* branch = branch_named(*errand.branch);
  if (branch == nullptr) return;
  const bool sends = !errand.ranges.empty() && errand.ranges.front().held == 0;
  if (sends && errand.loaded != branch->stored_sends.size()) {
    return fail_commit(*branch, "a message of it is not in the store any more");
  }
  branch->in_memory = true;
  go_on_committing(branch->xid);
}

/// One request takes ranges along that are near: of every second message, say.
std::uint64_t Engine::State::end_of_request(const Errand& errand) {
  constexpr std::uint64_t kNear = 64;
  std::size_t at = errand.at;
  while (at + 1 < errand.ranges.size() && at - errand.at < kPageEntriesMax &&
         errand.ranges[at + 1].in_lane_of(errand.ranges[at]) &&
         errand.ranges[at + 1].first - errand.ranges[at].last <= kNear) {
    ++at;
  }
  return errand.ranges[at].last + 1;
}

/// False: there is nothing left to ask for.
bool Engine::State::request_next(std::uint64_t id, Errand& errand) {
  while (errand.at < errand.ranges.size()) {
    const Errand::Range& range = errand.ranges[errand.at];
    const std::uint64_t next = std::max(errand.next, range.first);
    Reader* reader = nullptr;
    const bool hidden = range.list == branch_list;
    if (!hidden) reader = find_reader(range.list, range.reader);
    if (next > range.last || (!hidden && reader == nullptr)) {
      ++errand.at;
      const bool goes_on =
          errand.at < errand.ranges.size() && errand.ranges[errand.at].in_lane_of(range);
      if (!goes_on) errand.next = 0;
      continue;
    }
    // More would only lie in memory.
    if (!errand.branch && reader->returned.size() > kReturnedFew) return true;
    PageRequest request;
    request.id = ++last_page;
    request.list = range.list;
    request.reader = range.reader;
    request.priority = range.priority;
    request.first = next;
    request.end = end_of_request(errand);
    request.entries_max = kPageEntriesMax;
    request.bytes_max = kPageBytesMax;
    flush_acks();
    request.after = store.submitted();
    errand.next = next;
    errand.page = request.id;
    pages_requested[request.id] = {range.list, range.reader, range.priority, 0, false, 0, id, {},
                                   0};
    store.read(request);
    return true;
  }
  return false;
}

void Engine::State::errand_page(std::uint64_t id, Page& page) {
  const auto found = errands.find(id);
  if (found == errands.end()) return;
  Errand& errand = found->second;
  errand.page = 0;
  errands_due = true;
  const std::uint64_t asked = errand.next;
  for (auto& loaded : page.entries) {
    while (loaded.sequence > errand.ranges[errand.at].last &&
           errand.at + 1 < errand.ranges.size() &&
           errand.ranges[errand.at + 1].in_lane_of(errand.ranges[errand.at])) {
      ++errand.at;
    }
    errand.next = loaded.sequence + 1;
    const Errand::Range& range = errand.ranges[errand.at];
    if (loaded.sequence < range.first || loaded.sequence > range.last) continue;
    if (errand.branch) {
      take_for_branch(errand, range, loaded);
    } else {
      take_for_reader(errand, range, loaded);
    }
  }
  errand.next = std::max(errand.next, page.covered_to);
  const bool stuck = page.error.has_value() || errand.next <= asked;
  if (!errand.branch) {
    if (stuck) ++errand.next;  // what cannot be read stays where it is; the others come
    return;
  }
  Branch* branch = branch_named(*errand.branch);
  if (stuck) {
    const std::string why =
        page.error ? page.error->text : std::string("its messages cannot be read back");
    errands.erase(found);
    if (branch != nullptr) fail_commit(*branch, why);
    return;
  }
}

void Engine::State::take_for_branch(Errand& errand, const Errand::Range& range, PageEntry& loaded) {
  Branch* branch = branch_named(*errand.branch);
  if (branch == nullptr || branch->work == nullptr) return;
  if (range.held == 0) {
    if (errand.loaded >= branch->stored_sends.size()) return;
    Send& send = branch->work->sends[branch->stored_sends[errand.loaded++]];
    held_bytes += loaded.message->footprint();
    send.message = std::move(loaded.message);
    return;
  }
  const HeldRange& held = branch->held[range.held - 1];
  if (held.reader == nullptr) return;
  const ReaderLane& lane = held.reader->lane(held.priority);
  InFlight kept;
  kept.reader = held.reader;
  kept.priority = held.priority;
  kept.state = InFlight::State::in_transaction;
  kept.entry.sequence = loaded.sequence;
  kept.entry.message = std::move(loaded.message);
  kept.entry.deliveries = loaded.deliveries;
  kept.entry.refusals = static_cast<std::uint16_t>(loaded.refusals);
  kept.entry.maybe_delivered = loaded.sequence < lane.recovered_touched_to;
  held_bytes += kept.entry.message->footprint();
  PendingAck ack;
  ack.kind = held.kind;
  ack.cause = held.cause;
  branch->work->orphans.emplace_back(std::move(kept), std::move(ack));
}

void Engine::State::take_for_reader(Errand& errand, const Errand::Range& range, PageEntry& loaded) {
  Reader* reader = find_reader(range.list, range.reader);
  if (reader == nullptr) return;
  Entry entry;
  entry.sequence = loaded.sequence;
  entry.message = std::move(loaded.message);
  entry.deliveries = loaded.deliveries;
  entry.refusals = static_cast<std::uint16_t>(loaded.refusals);
  entry.visible_after = errand.visible_after;
  entry.maybe_delivered = loaded.sequence < reader->lane(range.priority).recovered_touched_to;
  held_bytes += entry.message->footprint();
  put_back(*reader, range.priority, std::move(entry));
}

}  // namespace pabal::core
