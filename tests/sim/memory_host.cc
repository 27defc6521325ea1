#include <algorithm>

#include "store/memory/memory_store.h"
#include "tests/sim/store_host.h"

namespace pabal::sim {
namespace {

class MemoryHost final : public StoreHost {
 public:
  explicit MemoryHost(std::uint64_t bytes_max)
      : store_({.bytes_max = bytes_max, .manual_durability = true}) {}

  core::Store* start(core::StoreListener& listener, std::string&) override {
    store_.set_listener(&listener);
    sealed_ = core::kNoTicket;
    return &store_;
  }

  void step(Random& random) override {
    switch (random.below(4)) {
      case 0:  // a group is sealed and written
        sealed_ = between(random, std::max(sealed_, store_.durable()), store_.submitted());
        store_.seal(sealed_);
        break;
      case 1:
        store_.make_durable(sealed_);
        break;
      case 2:
        store_.deliver_pages();
        break;
      default:
        store_.deliver();
    }
  }

  bool settle() override {
    store_.make_durable(store_.submitted());
    store_.deliver();
    return true;
  }
  void answer_page() override { store_.deliver_pages(); }
  /// What was written is there; how far writing had come nobody knows.
  void kill(Random& random) override {
    store_.restart(between(random, store_.durable(), std::max(sealed_, store_.durable())));
  }
  void power_cut(Random& random) override {
    if (random.one_in(2)) return store_.restart();
    kill(random);
  }
  void trouble(Random& random) override {
    store_.set_admission(random.one_in(2)   ? core::Admission::granted
                         : random.one_in(2) ? core::Admission::later
                                            : core::Admission::refused);
  }
  void calm() override { store_.set_admission(core::Admission::granted); }
  void fill_disk() override { store_.set_admission(core::Admission::refused); }
  std::string stop() override { return {}; }
  [[nodiscard]] bool may_fail() const override { return false; }

 private:
  static core::Ticket between(Random& random, core::Ticket first, core::Ticket last) {
    return core::Ticket{random.between(core::raw(first), core::raw(last))};
  }

  store::MemoryStore store_;
  core::Ticket sealed_ = core::kNoTicket;
};

}  // namespace

std::unique_ptr<StoreHost> make_memory_host(std::uint64_t bytes_max) {
  return std::make_unique<MemoryHost>(bytes_max);
}

}  // namespace pabal::sim
