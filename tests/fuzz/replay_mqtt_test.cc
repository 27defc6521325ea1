#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "tests/conformance/mqtt/packet_vector.h"
#include "tests/fuzz/mqtt_stream.h"

// What the fuzzer found worth keeping, and the packets of the conformance vectors, through the
// fuzzer's checks, without a fuzzer: every past crash stays found.

namespace pabal::tests {
namespace {

void play(const std::string& bytes) {
  play_mqtt_stream(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

TEST(ReplayMqtt, Corpus) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PABAL_CORPUS_FOLDER)) {
    SCOPED_TRACE(entry.path());
    std::ifstream stream(entry.path(), std::ios::binary);
    play(std::string(std::istreambuf_iterator<char>(stream), {}));
    ++files;
  }
  EXPECT_GT(files, 0U);
}

// With PABAL_WRITE_SEEDS=FOLDER it also writes them there, as seeds for a fuzzer.
TEST(ReplayMqtt, ConformanceVectors) {
  std::string error;
  const auto cases = read_packet_cases(PABAL_VECTOR_FOLDER, error);
  ASSERT_TRUE(error.empty()) << error;
  ASSERT_FALSE(cases.empty());
  const char* const folder = std::getenv("PABAL_WRITE_SEEDS");
  int number = 0;
  for (const PacketCase& one : cases) {
    SCOPED_TRACE(one.name);
    for (const std::uint8_t portion : {1, 3, 7, 64}) {
      const std::string input =
          mqtt_stream_input(one.bytes, one.sender, one.level, !one.first, portion);
      play(input);
      if (folder == nullptr || portion != 3) continue;
      std::ofstream(std::string(folder) + "/vector-" + std::to_string(++number), std::ios::binary)
          << input;
    }
  }
}

}  // namespace
}  // namespace pabal::tests
