#include <cstddef>
#include <cstdint>

#include "tests/fuzz/openwire_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  pabal::tests::play_openwire_stream(bytes, size);
  return 0;
}
