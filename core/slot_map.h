#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/ids.h"

namespace pabal::core {

/// Owns objects under ids that are cheap to look up and never reused: the low half of an id is a
/// slot, the high half counts the slot's tenants. Iteration is by slot, so it is deterministic.
template <class T, class Id>
class SlotMap {
 public:
  /// `make(id)` returns the unique_ptr to keep.
  template <class Make>
  T& insert(Make make) {
    std::uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    Slot& place = slots_[slot];
    ++place.tenant;
    place.object = make(Id{(std::uint64_t{place.tenant} << 32) | slot});
    ++size_;
    return *place.object;
  }

  [[nodiscard]] T* find(Id id) const noexcept {
    const auto slot = static_cast<std::uint32_t>(raw(id));
    if (slot >= slots_.size() || slots_[slot].tenant != raw(id) >> 32) return nullptr;
    return slots_[slot].object.get();
  }

  void erase(Id id) {
    if (find(id) == nullptr) return;
    const auto slot = static_cast<std::uint32_t>(raw(id));
    slots_[slot].object.reset();
    free_.push_back(slot);
    --size_;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// For who goes through it in portions: the object in a slot below slots(), or null.
  [[nodiscard]] std::size_t slots() const noexcept { return slots_.size(); }
  [[nodiscard]] T* in_slot(std::size_t slot) const noexcept { return slots_[slot].object.get(); }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& slot : slots_) {
      if (slot.object) visit(*slot.object);
    }
  }

 private:
  struct Slot {
    std::uint32_t tenant = 0;
    std::unique_ptr<T> object;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace pabal::core
