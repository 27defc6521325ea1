#include <cstddef>
#include <cstdint>

#include "tests/fuzz/content_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  pabal::tests::play_content(bytes, size);
  return 0;
}
