#include "server/cli/bench/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <utility>

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

Connection::Connection(LoggedIn peer, Shared& shared)
    : shared_(shared), wire_(std::move(peer.wire)), socket_(peer.socket) {
  ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
  resize_buffer(std::max(kReadBytes, peer.rest.size()));
  std::memcpy(buffer_.get(), peer.rest.data(), peer.rest.size());
  end_ = peer.rest.size();
}

Connection::~Connection() {
  ::close(socket_);
}

void Connection::finish() {
  if (done_) return;
  done_ = true;
  const std::string_view last = wire_->last_words();
  if (!last.empty()) (void)::send(socket_, last.data(), last.size(), MSG_NOSIGNAL);
  on_finished();
  ++shared_.closed;
}

bool Connection::read_some() {
  if (!readable_ || done_) return false;
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == size_) {
    // A frame is cut by the end of the buffer: move it to the front, or make room for a large one.
    if (begin_ == 0) resize_buffer(size_ * 2);
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t room = size_ - end_;
  const ssize_t count = ::recv(socket_, buffer_.get() + end_, room, 0);
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

void Connection::resize_buffer(std::size_t size) {
  auto larger = std::make_unique_for_overwrite<char[]>(size);  // most of it is never touched
  if (end_ != 0) std::memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
  size_ = size;
}

void Connection::scan() {
  while (begin_ != end_) {
    const Event event = wire_->next({buffer_.get() + begin_, end_ - begin_}, out_);
    begin_ += event.size;
    switch (event.kind) {
      case Event::Kind::incomplete:
        wire_->end_of_read(out_);
        return;
      case Event::Kind::malformed:
        shared_.fail("the broker sent " + std::string(event.text));
        return;
      case Event::Kind::refused:
        shared_.fail("the broker refused: " + std::string(event.text));
        return;
      case Event::Kind::finished:
        finish();
        return;
      case Event::Kind::nothing:
        break;
      case Event::Kind::connected:
      case Event::Kind::subscribed:
      case Event::Kind::message:
      case Event::Kind::confirmed:
        on_event(event);
        break;
    }
  }
  wire_->end_of_read(out_);
}

std::size_t Connection::write_some(std::span<const std::string_view> parts) {
  iovec vectors[4];
  std::size_t filled = 0;
  std::size_t size = 0;
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    vectors[filled++] = {const_cast<char*>(part.data()), part.size()};
    size += part.size();
  }
  if (!writable_ || done_ || size == 0) return 0;
  msghdr message{};
  message.msg_iov = vectors;
  message.msg_iovlen = filled;
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
  if (static_cast<std::size_t>(count) < size) writable_ = false;
  return static_cast<std::size_t>(count);
}

}  // namespace pabal::cli::bench
