#include "tests/crash/store_harness.h"

#include <algorithm>

namespace pabal::store {

using core::ListId;
using core::ReaderId;
using core::StoreOp;
using core::StoreOpKind;
using core::Ticket;

namespace {

constexpr ListId kQueues[] = {ListId{1}, ListId{2}};
constexpr ListId kTopic{3};
constexpr ListId kPassingQueues{10};  // and above: come and go

StoreOp copy(const StoreOp& op) {
  StoreOp same;
  same.kind = op.kind;
  same.priority = op.priority;
  same.list = op.list;
  same.reader = op.reader;
  same.first = op.first;
  same.last = op.last;
  same.message = op.message;
  if (op.detail) same.detail = std::make_unique<core::StoreOpDetail>(*op.detail);
  return same;
}

std::vector<StoreOp> copy(const std::vector<StoreOp>& ops) {
  std::vector<StoreOp> same;
  for (const StoreOp& op : ops) same.push_back(copy(op));
  return same;
}

/// Lines that only one of the texts has.
std::string difference(const std::string& expected, const std::string& found) {
  auto lines = [](const std::string& text) {
    std::vector<std::string> all;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      all.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return all;
  };
  const auto left = lines(expected);
  const auto right = lines(found);
  std::string text;
  for (const std::string& line : left) {
    if (std::find(right.begin(), right.end(), line) == right.end()) text += "- " + line + "\n";
  }
  for (const std::string& line : right) {
    if (std::find(left.begin(), left.end(), line) == left.end()) text += "+ " + line + "\n";
  }
  return text;
}

template <class... Ops>
std::vector<StoreOp> batch(Ops... ops) {
  std::vector<StoreOp> all;
  (all.push_back(std::move(ops)), ...);
  return all;
}

}  // namespace

StoreHarness::StoreHarness(std::uint64_t seed) : files(seed), random(seed) {
  options.directory = "/store";
  options.files = &files;
  options.index = &memory_index;
  options.segment_bytes = 64 << 10;
  options.first_segment_bytes = 32 << 10;
  options.ballast_bytes = 64 << 10;
  options.group_bytes_max = 16 << 10;
  options.index_flush_journal_bytes = 96 << 10;
  options.index_memory_bytes_max = 64 << 10;
  options.passing_wait_max = std::chrono::milliseconds(1);
}

StoreHarness::~StoreHarness() {
  drop();
}

// --- life ----------------------------------------------------------------------------------------

bool StoreHarness::open() {
  auto opened = JournalCore::open(options, *this, nullptr);
  if (!opened) {
    error = opened.error().text;
    return false;
  }
  core_ = std::move(*opened);
  adopt(contents());
  return true;
}

void StoreHarness::drop() {
  core_.reset();
}

void StoreHarness::recover() {
  drop();
  files.kill();
  failures.clear();
  ASSERT_TRUE(open()) << error;
}

void StoreHarness::close() {
  settle(true);
  drop();
}

/// The first k batches for some k that the store may have; they become the base.
void StoreHarness::adopt(const std::string& recovered) {
  for (std::size_t k = 0; k <= batches_.size(); ++k) {
    if (expected(k) != recovered) continue;
    for (std::size_t i = 0; i < k; ++i) base_.apply(batches_[i]);
    batches_.clear();
    base_ticket_ = 0;
    next_.clear();
    added_.clear();
    passing_queues_.clear();
    for (const core::RecoveredList& list : core_->recovered().lists) {
      if (list.description.id >= kPassingQueues) passing_queues_.push_back(list.description.id);
      for (const core::RecoveredReader& reader : list.readers) {
        for (const core::RecoveredCursor& cursor : reader.cursors) {
          auto& next = next_[{core::raw(list.description.id), cursor.priority}];
          next = std::max(next, cursor.next);
          added_[{core::raw(list.description.id), cursor.priority}].insert(next - 1);
        }
      }
    }
    return;
  }
  FAIL() << "recovered what never was\n--- against what was durable:\n"
         << difference(expected(0), recovered) << "--- against all of " << batches_.size()
         << " batches more:\n"
         << difference(expected(batches_.size()), recovered);
}

void StoreHarness::forget_durable() {
  if (!core_) return;
  while (base_ticket_ < core::raw(core_->durable()) && !batches_.empty()) {
    base_.apply(batches_.front());
    batches_.pop_front();
    ++base_ticket_;
  }
}

// --- the engine's side ---------------------------------------------------------------------------

Ticket StoreHarness::submit(std::vector<StoreOp> ops) {
  forget_durable();
  batches_.push_back(copy(ops));
  return core_->append(ops);
}

void StoreHarness::cancel(Ticket ticket, ListId list) {
  if (!core_->cancel(ticket, list)) return;
  auto& ops = batches_[core::raw(ticket) - base_ticket_ - 1];
  core::MessageRef message;
  for (StoreOp& op : ops) {
    if (op.message) message = op.message;
    if (op.list != list) continue;
    added_[{core::raw(list), op.priority}].erase(op.first);
    op = StoreOp{};
  }
  for (StoreOp& op : ops) {
    if (op.kind == StoreOpKind::none) continue;
    op.kind = StoreOpKind::add;
    op.message = message;
    break;
  }
  forget_durable();
}

core::MessageRef StoreHarness::message(std::size_t bytes) {
  core::MessageBuilder builder;
  const std::string name = "orders";
  std::string body = "message " + std::to_string(++messages_) + " ";
  if (body.size() < bytes) body.resize(bytes, static_cast<char>('a' + messages_ % 26));
  builder.destination_name = name;
  builder.persistent = true;
  builder.sequence = messages_;
  builder.body_kind = core::BodyKind::text;
  builder.body = body;
  auto built = builder.build();
  PABAL_CHECK(built.has_value(), "a small message can be built");
  return *built;
}

void StoreHarness::create_queue(ListId list) {
  StoreOp op;
  op.kind = StoreOpKind::create_list;
  op.list = list;
  op.detail = std::make_unique<core::StoreOpDetail>();
  op.detail->list = {list,
                     {core::DestinationKind::queue, "queue." + std::to_string(core::raw(list))}};
  submit(batch(std::move(op)));
}

void StoreHarness::create_topic(ListId list) {
  StoreOp op;
  op.kind = StoreOpKind::create_list;
  op.list = list;
  op.detail = std::make_unique<core::StoreOpDetail>();
  op.detail->list = {list, {core::DestinationKind::topic, "news.>"}};
  submit(batch(std::move(op)));
}

void StoreHarness::create_reader(ListId list, ReaderId reader) {
  StoreOp op;
  op.kind = StoreOpKind::create_reader;
  op.list = list;
  op.reader = reader;
  op.detail = std::make_unique<core::StoreOpDetail>();
  op.detail->reader.id = reader;
  op.detail->reader.list = list;
  op.detail->reader.client_id = "client";
  op.detail->reader.name = "reader " + std::to_string(core::raw(reader));
  submit(batch(std::move(op)));
}

StoreOp StoreHarness::add(ListId list, std::uint8_t priority, core::MessageRef message) {
  auto& next = next_[{core::raw(list), priority}];
  next = std::max<std::uint64_t>(next, 1);
  StoreOp op;
  op.kind = StoreOpKind::add;
  op.list = list;
  op.priority = priority;
  op.first = next++;
  op.message = std::move(message);
  added_[{core::raw(list), priority}].insert(op.first);
  return op;
}

StoreOp StoreHarness::reference(ListId list, std::uint8_t priority) {
  StoreOp op = add(list, priority, {});
  op.kind = StoreOpKind::add_reference;
  return op;
}

StoreOp StoreHarness::range(StoreOpKind kind, ListId list, ReaderId reader, std::uint8_t priority,
                            std::uint64_t first, std::uint64_t last) {
  StoreOp op;
  op.kind = kind;
  op.list = list;
  op.reader = reader;
  op.priority = priority;
  op.first = first;
  op.last = last;
  return op;
}

Ticket StoreHarness::send(ListId list, std::size_t bytes, std::uint8_t priority) {
  return submit(batch(add(list, priority, message(bytes))));
}

Ticket StoreHarness::acknowledge(ListId list, std::uint64_t first, std::uint64_t last,
                                 std::uint8_t priority) {
  return submit(
      batch(range(StoreOpKind::acknowledge, list, core::kQueueReader, priority, first, last)));
}

bool StoreHarness::make_room(std::uint64_t bytes) {
  for (int i = 0; i < 2000 && running(); ++i) {
    const core::Admission admission = core_->admit(bytes);
    if (admission == core::Admission::granted) {
      core_->release(bytes);
      return true;
    }
    if (admission == core::Admission::refused) return false;
    (void)core_->hurry();
    for (const Step step :
         {Step::write, Step::sync, Step::apply, Step::prepare, Step::flush, Step::reclaim}) {
      (void)core_->step(step);
    }
  }
  return false;
}

/// Highest sequence that was added and not cancelled; the engine acknowledges nothing above it.
std::uint64_t StoreHarness::last_added(ListId list, std::uint8_t priority) {
  const auto& added = added_[{core::raw(list), priority}];
  return added.empty() ? 0 : *added.rbegin();
}

void StoreHarness::random_batch() {
  const std::uint8_t priority = pick(4) == 0 ? 9 : 4;
  const bool passing = !passing_queues_.empty() && pick(4) == 0;
  const ListId queue = passing ? passing_queues_[pick(passing_queues_.size())] : kQueues[pick(2)];
  const std::uint64_t last = last_added(queue, priority);
  const std::uint64_t first = last - std::min(last, pick(60));
  const std::size_t bytes = 10 + pick(1500);
  switch (pick(20)) {
    case 0:
      submit(batch(range(StoreOpKind::touch, queue, core::kQueueReader, priority, 0, last + 65)));
      return;
    case 1:
      if (first == 0) return;
      submit(batch(range(pick(2) == 0 ? StoreOpKind::count_delivery : StoreOpKind::count_refusal,
                         queue, core::kQueueReader, priority, first,
                         std::min(last, first + pick(3)))));
      return;
    case 2: {
      StoreOp op;
      op.kind = pick(3) == 0 ? StoreOpKind::delete_attachment : StoreOpKind::put_attachment;
      op.detail = std::make_unique<core::StoreOpDetail>();
      op.detail->key = "key " + std::to_string(pick(5));
      op.detail->value = "value " + std::to_string(random());
      submit(batch(std::move(op)));
      return;
    }
    case 3: {  // a transaction
      if (first == 0 || !make_room(4000)) return;
      auto moved = add(kQueues[pick(2)], priority, message(bytes));
      auto another = add(kQueues[0], 4, message(100));
      auto done = range(StoreOpKind::acknowledge, queue, core::kQueueReader, priority, first,
                        std::min(last, first + pick(4)));
      submit(batch(std::move(moved), std::move(done), std::move(another)));
      return;
    }
    case 4:
      if (pick(2) == 0) return random_passing_queue();
      // Reader 1 stays: the engine deletes a list with its last reader.
      if (readers_made_ < 5) {
        create_reader(kTopic, ReaderId{2 + readers_made_++});
      } else if (readers_made_ < 7) {
        StoreOp op;
        op.kind = StoreOpKind::delete_reader;
        op.list = kTopic;
        op.reader = ReaderId{readers_made_++ - 3};
        submit(batch(std::move(op)));
      }
      return;
    case 5:
    case 6: {  // to a queue and a topic
      if (!make_room(bytes + 200)) return;
      auto one = add(queue, priority, message(bytes));
      auto two = reference(kTopic, priority);
      const Ticket ticket = submit(batch(std::move(one), std::move(two)));
      if (pick(3) == 0) cancel(ticket, pick(2) == 0 ? queue : kTopic);
      return;
    }
    case 7:
    case 8:
    case 9: {
      const std::uint64_t end = last_added(kTopic, priority);
      if (end == 0) return;
      const std::uint64_t from = pick(2) == 0 ? 1 : 1 + pick(end);
      submit(batch(range(StoreOpKind::acknowledge, kTopic, ReaderId{1 + pick(6)}, priority, from,
                         std::min(end, from + pick(20)))));
      return;
    }
    case 10:
    case 11:
    case 12:
    case 13: {
      // Mostly from the front, sometimes leaving one behind.
      if (first == 0) return;
      const std::uint64_t low = pick(3) == 0 ? first : std::min(first, 1 + pick(3));
      submit(
          batch(range(StoreOpKind::acknowledge, queue, core::kQueueReader, priority, low, first)));
      return;
    }
    default: {
      if (!make_room(bytes + 200)) return;
      auto one = add(queue, priority, message(bytes));
      one.passing = pick(2) == 0;
      const Ticket ticket = submit(batch(std::move(one)));
      if (pick(4) == 0) cancel(ticket, queue);
      return;
    }
  }
}

/// Makes a queue, or deletes one with all that is in it.
void StoreHarness::random_passing_queue() {
  if (passing_queues_.size() < 3) {
    const ListId list{core::raw(kPassingQueues) + queues_made_++};
    create_queue(list);
    passing_queues_.push_back(list);
    return;
  }
  const auto gone = passing_queues_.begin() + static_cast<std::ptrdiff_t>(pick(3));
  StoreOp op;
  op.kind = StoreOpKind::delete_list;
  op.list = *gone;
  passing_queues_.erase(gone);
  submit(batch(std::move(op)));
}

void StoreHarness::random_steps(int count) {
  constexpr Step kSteps[] = {Step::write,   Step::sync,    Step::apply,  Step::flush,
                             Step::reclaim, Step::prepare, Step::prepare};
  if (pick(4) == 0) (void)core_->hurry();
  for (int i = 0; i < count; ++i) (void)core_->step(kSteps[pick(std::size(kSteps))]);
}

void StoreHarness::settle(bool flush) {
  for (bool worked = true; worked && running();) {
    worked = false;
    (void)core_->hurry();
    for (const Step step :
         {Step::write, Step::sync, Step::apply, Step::flush, Step::reclaim, Step::prepare}) {
      bool did = false;
      while (core_->step(step)) did = true;
      // What is in trouble is tried once; again when something else has changed.
      worked = worked || (did && !core_->troubled(step));
    }
  }
  if (flush && running()) {
    const auto flushed = core_->flush_now();
    EXPECT_TRUE(flushed) << flushed.error().text;
  }
}

// --- comparing -----------------------------------------------------------------------------------

core::Page StoreHarness::read(core::PageRequest request) {
  request.id = ++request_;
  core_->read(request);
  while (!pages_.contains(request.id)) {
    if (!core_->step(Step::page) && !core_->step(Step::apply)) break;
  }
  core::Page page = std::move(pages_[request.id]);
  pages_.erase(request.id);
  EXPECT_FALSE(page.error) << page.error->text;
  return page;
}

std::string StoreHarness::describe(
    const core::RecoveredState& state,
    const std::function<core::Page(const core::PageRequest&)>& read_page) const {
  std::string text = "ids " + std::to_string(core::raw(state.last_list)) + " " +
                     std::to_string(core::raw(state.last_reader)) + "\n";
  for (const auto& [key, value] : state.attachments) text += key + "=" + value + "\n";
  for (const core::RecoveredList& list : state.lists) {
    text += list.description.destination.to_text() + "\n";
    for (const core::RecoveredReader& reader : list.readers) {
      text += " reader " + std::to_string(core::raw(reader.description.id)) + " " +
              reader.description.name + "\n";
      for (const core::RecoveredCursor& cursor : reader.cursors) {
        if (cursor.entries == 0 && cursor.touched_to == 0) continue;
        text += "  priority " + std::to_string(cursor.priority) + " touched " +
                std::to_string(cursor.touched_to) + " entries " + std::to_string(cursor.entries) +
                " bytes " + std::to_string(cursor.bytes);
        if (cursor.entries > 0) text += " first " + std::to_string(cursor.first);
        core::PageRequest request;
        request.list = list.description.id;
        request.reader = reader.description.id;
        request.priority = cursor.priority;
        request.first = 1;
        request.end = ~0ULL;
        request.entries_max = 1'000'000;
        request.bytes_max = ~0ULL;
        for (const core::PageEntry& entry : read_page(request).entries) {
          text += " " + std::to_string(entry.sequence) + ":" +
                  std::to_string(entry.message->sequence()) + "/" +
                  std::to_string(entry.message->body().size()) + "*" +
                  std::to_string(entry.deliveries) + "!" + std::to_string(entry.refusals);
        }
        text += "\n";
      }
    }
  }
  return text;
}

std::string StoreHarness::contents() {
  if (!core_) return "not open: " + error;
  return describe(core_->recovered(),
                  [this](const core::PageRequest& request) { return read(request); });
}

std::string StoreHarness::expected(std::size_t batches) const {
  MemoryState state = base_;
  for (std::size_t i = 0; i < batches; ++i) state.apply(batches_[i]);
  return describe(state.recovered(),
                  [&](const core::PageRequest& request) { return state.read(request); });
}

}  // namespace pabal::store
