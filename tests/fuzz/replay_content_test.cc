#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fuzz/content_bytes.h"

// What the fuzzer found worth keeping through its checks, without a fuzzer, and some damage done to
// each: every past crash stays found.

namespace pabal::tests {
namespace {

void play(const std::string& bytes) {
  play_content(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

std::vector<std::pair<std::string, std::string>> corpus() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& entry : std::filesystem::directory_iterator(PABAL_CORPUS_FOLDER)) {
    std::ifstream stream(entry.path(), std::ios::binary);
    all.emplace_back(entry.path(), std::string(std::istreambuf_iterator<char>(stream), {}));
  }
  return all;
}

TEST(ReplayContent, Corpus) {
  const auto inputs = corpus();
  EXPECT_GE(inputs.size(), 10U);
  for (const auto& [name, bytes] : inputs) {
    SCOPED_TRACE(name);
    play(bytes);
  }
}

TEST(ReplayContent, DamagedCorpus) {
  for (const auto& [name, bytes] : corpus()) {
    if (bytes.size() < 2 || bytes.size() > 10'000) continue;
    SCOPED_TRACE(name);
    for (unsigned seed = 1; seed <= 300; ++seed) {
      std::mt19937 random(seed);
      std::string input = bytes;
      for (unsigned changes = 1 + random() % 3; changes > 0; --changes) {
        const std::size_t at = 1 + random() % (input.size() - 1);
        if (random() % 4 == 0 && input.size() > 2) {
          input.erase(at, 1);
        } else {
          input[at] = static_cast<char>(random());
        }
      }
      play(input);
    }
  }
}

}  // namespace
}  // namespace pabal::tests
