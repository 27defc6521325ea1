#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "store/memory/memory_store.h"

namespace pabal::core {

/// A memory store that watches how the engine keeps the contract of core::Store: what is admitted
/// is used or given back, only plain sends never counted are cancelled, and no stored message
/// leaves before its block is logged as touched.
class CheckingStore final : public Store {
 public:
  explicit CheckingStore(store::MemoryStoreOptions options) : memory(options) {}

  RecoveredState recovered() override { return memory.recovered(); }
  [[nodiscard]] std::uint64_t epoch() const noexcept override { return memory.epoch(); }
  Admission admit(std::uint64_t bytes, Purpose purpose) override {
    const auto admission = memory.admit(bytes, purpose);
    if (admission == Admission::granted) admitted += static_cast<std::int64_t>(bytes);
    return admission;
  }
  void release(std::uint64_t bytes) override {
    admitted -= static_cast<std::int64_t>(bytes);
    EXPECT_GE(admitted, 0) << "more given back than was admitted";
    memory.release(bytes);
  }
  [[nodiscard]] std::string refusal() const override { return memory.refusal(); }
  Ticket append(std::span<StoreOp> ops) override {
    EXPECT_FALSE(ops.empty());
    const Ticket ticket{raw(memory.submitted()) + 1};
    bool plain = true;
    MessageRef message;
    for (const auto& op : ops) {
      switch (op.kind) {
        case StoreOpKind::add:
        case StoreOpKind::add_reference:
          note_add(op, ticket, message);
          continue;
        case StoreOpKind::touch:
          touches_[{op.list, op.priority}].push_back({op.last, ticket});
          break;
        case StoreOpKind::count_delivery:
        case StoreOpKind::count_refusal:
          note_count(op);
          break;
        case StoreOpKind::create_list:
          lists_[op.detail->list.destination.to_text()] = op.detail->list.id;
          break;
        default:
          break;
      }
      plain = false;
    }
    if (plain) plain_.insert(ticket);
    EXPECT_TRUE(plain || !ops.front().passing) << "only what can be cancelled is held back";
    const Ticket given = memory.append(ops);
    EXPECT_EQ(given, ticket);
    return given;
  }
  bool cancel(Ticket ticket, ListId list) override {
    EXPECT_TRUE(plain_.contains(ticket)) << "only plain sends are cancelled";
    EXPECT_FALSE(counted_.contains(ticket)) << "what was counted is not cancelled";
    return memory.cancel(ticket, list);
  }
  [[nodiscard]] Ticket submitted() const noexcept override { return memory.submitted(); }
  [[nodiscard]] Ticket durable() const noexcept override { return memory.durable(); }
  void read(const PageRequest& request) override {
    EXPECT_LT(request.first, request.end);
    memory.read(request);
  }
  [[nodiscard]] StoreStatus status() const override { return memory.status(); }

  /// Whether a crash now would find the mark of `body` in `list` if it finds the message.
  [[nodiscard]] bool is_touched(const std::string& list, const std::string& body) const {
    const auto id = lists_.find(list);
    if (id == lists_.end()) return true;
    const auto place = places_.find({id->second, body});
    if (place == places_.end()) return true;
    const auto touches = touches_.find({id->second, place->second.priority});
    if (touches == touches_.end()) return false;
    for (const auto& [end, ticket] : touches->second) {
      if (place->second.sequence >= end) continue;
      if (ticket < place->second.ticket || ticket <= memory.durable()) return true;
    }
    return false;
  }
  /// What `survives` is at the beginning of time now.
  void restart(Ticket survives) {
    memory.restart(survives);
    std::erase_if(places_, [&](const auto& each) { return each.second.ticket > survives; });
    for (auto& [key, place] : places_) place.ticket = kNoTicket;
    for (auto& [key, touches] : touches_) {
      std::erase_if(touches, [&](const auto& touch) { return touch.second > survives; });
      for (auto& touch : touches) touch.second = kNoTicket;
    }
    plain_.clear();
    counted_.clear();
    next_.clear();
    admitted = 0;
  }

  store::MemoryStore memory;
  std::int64_t admitted = 0;  ///< set aside, not used yet

 private:
  struct Place {
    std::uint64_t sequence = 0;
    std::uint8_t priority = 0;
    Ticket ticket{};
  };
  void note_add(const StoreOp& op, Ticket ticket, MessageRef& message) {
    if (op.kind == StoreOpKind::add) {
      message = op.message;
      admitted -= static_cast<std::int64_t>(message->flat().size());
      EXPECT_GE(admitted, 0) << "stored without being admitted";
    }
    EXPECT_TRUE(message) << "a reference to nothing";
    auto& next = next_[{op.list, op.priority}];
    EXPECT_GT(op.first, next) << "sequences ascend";
    next = op.first;
    places_[{op.list, std::string(message->body())}] = {op.first, op.priority, ticket};
  }

  void note_count(const StoreOp& op) {
    for (const auto& [key, place] : places_) {
      if (key.first != op.list || place.priority != op.priority) continue;
      if (place.sequence >= op.first && place.sequence <= op.last) counted_.insert(place.ticket);
    }
  }

  std::map<std::string, ListId> lists_;
  std::map<std::pair<ListId, std::string>, Place> places_;
  std::map<std::pair<ListId, std::uint8_t>, std::vector<std::pair<std::uint64_t, Ticket>>> touches_;
  std::map<std::pair<ListId, std::uint8_t>, std::uint64_t> next_;
  std::set<Ticket> plain_;
  std::set<Ticket> counted_;
};

}  // namespace pabal::core
