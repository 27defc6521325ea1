#include <cstddef>
#include <cstdint>

#include "tests/fuzz/openwire_conversation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  pabal::tests::play_openwire_conversation(bytes, size);
  return 0;
}
