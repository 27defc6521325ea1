#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/store.h"

namespace pabal::contract {

/// One implementation of core::Store under the contract suite, with what the suite needs beside the
/// interface itself. Thread: the test's.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  [[nodiscard]] virtual core::Store& store() = 0;
  /// Returns when everything submitted is durable.
  virtual void sync() = 0;
  /// Reads and waits for the answer.
  virtual core::Page read(const core::PageRequest& request) = 0;
  /// Everything is synced, then the store closes and opens again as a new process would.
  virtual void reopen() = 0;
  /// Returns when StoreListener::space_changed has been called at least `times` times since open.
  virtual void wait_for_space_changed(std::uint64_t times) = 0;
};

struct Implementation {
  std::string name;
  /// `bytes_limit`: admit() refuses above it; 0: none.
  std::function<std::unique_ptr<StoreUnderTest>(std::uint64_t bytes_limit)> make;
};

/// Every implementation that must keep the contract. To add one, add its line.
std::vector<Implementation> implementations();

}  // namespace pabal::contract
