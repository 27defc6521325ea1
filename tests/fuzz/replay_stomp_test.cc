#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/conformance/stomp/vector.h"
#include "tests/fuzz/stomp_conversation.h"

// What the fuzzer found worth keeping, and what the conformance vectors send, through the fuzzer's
// checks, without a fuzzer: every past crash stays found.

namespace pabal::tests {
namespace {

void play(const std::string& bytes) {
  play_stomp_conversation(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

TEST(ReplayStomp, Corpus) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PABAL_CORPUS_FOLDER)) {
    SCOPED_TRACE(entry.path());
    std::ifstream stream(entry.path(), std::ios::binary);
    play(std::string(std::istreambuf_iterator<char>(stream), {}));
    ++files;
  }
  EXPECT_GT(files, 0U);
}

TEST(ReplayStomp, ConformanceVectorsInPortionsOfEverySize) {
  std::string error;
  const auto cases = read_vector_folder(PABAL_VECTOR_FOLDER, error);
  ASSERT_TRUE(error.empty()) << error;
  ASSERT_FALSE(cases.empty());
  for (const VectorCase& one : cases) {
    SCOPED_TRACE(one.name);
    std::string conversation;
    for (const VectorStep& step : one.steps) {
      const std::string client = step.arguments.empty() ? "A" : step.arguments[0];
      const std::string change = "\xFF\xFE";
      if (client != "A") conversation += change;
      if (step.verb == "connect") {
        conversation +=
            "CONNECT\naccept-version:" + (step.arguments.size() > 1 ? step.arguments[1] : "1.2") +
            "\n" + step.content + "\n" + std::string(1, '\0');
      } else if (step.verb == "send") {
        // Values that the server chose are not known here: their markers go as they stand.
        conversation += expand(step.content, {}, error).value_or(step.content);
      }
      if (client != "A") conversation += change;
    }
    for (const char portion : {'\0', '\1', '\7', '\x40'}) play(portion + conversation);
  }
}

}  // namespace
}  // namespace pabal::tests
