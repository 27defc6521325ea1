#include "server/cli/bench/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

namespace pabal::cli::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

}  // namespace

bool Shared::complete() const noexcept {
  return producers_finished == scenario.producers && delivered >= expected &&
         (scenario.consumers == 0 || phase != Phase::subscribing);
}

void Shared::fail(std::string text) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (failure.empty()) failure = std::move(text);
  phase = Phase::aborted;
  changed.notify_all();
}

std::uint64_t now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Connection::Connection(int socket, Shared& shared)
    : shared_(shared), socket_(socket), buffer_(kReadBytes) {
  ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
}

Connection::~Connection() {
  ::close(socket_);
}

void Connection::finish() {
  if (done_) return;
  done_ = true;
  on_finished();
  ++shared_.closed;
}

bool Connection::read_some() {
  if (!readable_ || done_) return false;
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == buffer_.size()) {
    // A frame is cut by the end of the buffer: move it to the front, or make room for a large one.
    if (begin_ == 0) buffer_.resize(buffer_.size() * 2);
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t room = buffer_.size() - end_;
  const ssize_t count = ::recv(socket_, buffer_.data() + end_, room, 0);
  if (count > 0) {
    end_ += static_cast<std::size_t>(count);
    readable_ = static_cast<std::size_t>(count) == room;
    return true;
  }
  if (count < 0 && errno == EINTR) return true;
  readable_ = false;
  if (count < 0 && errno == EAGAIN) return false;
  if (leaving_) {
    finish();
  } else {
    shared_.fail(count == 0 ? "the broker closed a connection"
                            : std::string("lost a connection: ") + std::strerror(errno));
  }
  return false;
}

void Connection::scan() {
  FrameView frame;
  while (begin_ != end_) {
    const auto answer = scanner_.next({buffer_.data() + begin_, end_ - begin_}, frame);
    if (answer == FrameScanner::Answer::incomplete) break;
    if (answer == FrameScanner::Answer::malformed) {
      shared_.fail("the broker sent something that is not STOMP");
      break;
    }
    begin_ += frame.size;
    if (frame.command == "ERROR") {
      const Frame error = decode(frame);
      shared_.fail("the broker refused: " +
                   std::string(error.header("message").value_or(error.body)));
      break;
    }
    if (frame.receipt_id == kByeReceipt) {
      finish();
      break;
    }
    on_frame(frame);
  }
}

std::size_t Connection::write_some(std::string_view first, std::string_view second) {
  if (!writable_ || done_ || first.size() + second.size() == 0) return 0;
  iovec parts[2] = {{const_cast<char*>(first.data()), first.size()},
                    {const_cast<char*>(second.data()), second.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = second.empty() ? 1 : 2;
  const ssize_t count = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
  if (count < 0) {
    if (errno == EAGAIN) {
      writable_ = false;
    } else if (errno != EINTR) {
      // What the broker said before it closed is still to be read: that tells more.
      const int error = errno;
      readable_ = true;
      while (read_some()) scan();
      shared_.fail(std::string("lost a connection: ") + std::strerror(error));
    }
    return 0;
  }
  if (static_cast<std::size_t>(count) < first.size() + second.size()) writable_ = false;
  return static_cast<std::size_t>(count);
}

}  // namespace pabal::cli::bench
