#include "protocols/content/inflate.h"

#include <algorithm>
#include <limits>
#include <new>
#include <zlib.h>

namespace pabal::content {
namespace {

constexpr std::size_t kFirstStep = 4 * 1024;

/// Ends a stream of zlib whatever happens.
class Stream {
 public:
  Stream() { ready_ = inflateInit(&stream_) == Z_OK; }
  ~Stream() {
    if (ready_) inflateEnd(&stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] bool ready() const noexcept { return ready_; }
  z_stream& operator*() noexcept { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

bool inflate(std::string_view compressed, std::size_t bytes_max, std::string& out) {
  Stream guard;
  if (!guard.ready() || compressed.size() > std::numeric_limits<uInt>::max()) return false;
  z_stream& stream = *guard;
  // zlib's interface has no const; it does not write there.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  const std::size_t before = out.size();
  std::size_t made = 0;
  std::size_t step = kFirstStep;
  int result = Z_OK;
  while (result == Z_OK) {
    // One byte more than allowed tells what ends there from what goes on.
    const std::size_t room = std::min(step, bytes_max + 1 - made);
    if (room == 0) break;
    out.resize(before + made + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before + made);
    stream.avail_out = static_cast<uInt>(room);
    result = ::inflate(&stream, Z_NO_FLUSH);
    made += room - stream.avail_out;
    step = std::max(step, std::min<std::size_t>(made, std::size_t{1} << 24));
  }
  const bool whole = result == Z_STREAM_END && made <= bytes_max;
  out.resize(before + (whole ? made : 0));
  return whole;
}

}  // namespace pabal::content
