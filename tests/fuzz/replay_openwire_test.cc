#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/conformance/openwire/frame_file.h"
#include "tests/fuzz/openwire_stream.h"

// What the fuzzer found worth keeping, and the captured frames, through the fuzzer's checks,
// without a fuzzer: every past crash stays found.

namespace pabal::tests {
namespace {

void play(const std::string& bytes) {
  play_openwire_stream(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

TEST(ReplayOpenWire, Corpus) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PABAL_CORPUS_FOLDER)) {
    SCOPED_TRACE(entry.path());
    std::ifstream stream(entry.path(), std::ios::binary);
    play(std::string(std::istreambuf_iterator<char>(stream), {}));
    ++files;
  }
  EXPECT_GT(files, 0U);
}

// Each captured conversation, every direction of every connection a stream of its own. With
// PABAL_WRITE_SEEDS=FOLDER it also writes each kind of frame there, as seeds for a fuzzer.
TEST(ReplayOpenWire, CapturedFrames) {
  std::string error;
  const auto frames = read_frame_files(PABAL_VECTOR_FOLDER, error);
  ASSERT_TRUE(error.empty()) << error;
  ASSERT_FALSE(frames.empty());
  struct Stream {
    std::string bytes;
    openwire::WireFormat format;
  };
  std::map<std::string, Stream> streams;
  std::map<std::string, std::string> seeds;
  for (const CapturedFrame& frame : frames) {
    Stream& stream =
        streams[frame.file + std::to_string(frame.connection) + (frame.from_client ? "c" : "b")];
    stream.format = frame.format;
    stream.bytes += frame.bytes;
    const std::string kind = std::to_string(frame.format.version) + "-" +
                             std::to_string(static_cast<unsigned char>(frame.bytes[4]));
    if (frame.readable) seeds.emplace(kind, openwire_stream_input(frame.bytes, frame.format, 7));
  }
  for (const auto& [name, stream] : streams) {
    SCOPED_TRACE(name);
    for (const std::uint8_t portion : {1, 3, 7, 64}) {
      play(openwire_stream_input(stream.bytes, stream.format, portion));
    }
  }
  const char* const folder = std::getenv("PABAL_WRITE_SEEDS");
  if (folder == nullptr) return;
  for (const auto& [kind, seed] : seeds) {
    std::ofstream(std::string(folder) + "/frame-" + kind, std::ios::binary) << seed;
  }
}

}  // namespace
}  // namespace pabal::tests
