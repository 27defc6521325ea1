#pragma once

#include <string>

#include "tests/unit/core/engine_fixture.h"

namespace pabal::core {

/// Short names for what a transaction manager does. Without a number: branch 1.
class XaFixture : public EngineFixture {
 protected:
  static Xid xid(int number = 1) { return {1, "g", std::string("b") + std::to_string(number)}; }

  TransactionId start(const ConnectionDetails& who, int number = 1) {
    auto started = engine_->xa_start(who.id, xid(number), XaStart::fresh, now_);
    EXPECT_TRUE(started) << (started ? "" : started.error().text);
    return started ? *started : TransactionId{};
  }
  void end(const ConnectionDetails& who, int number = 1) {
    const auto ended = engine_->xa_end(who.id, xid(number), XaEnd::success);
    EXPECT_TRUE(ended) << (ended ? "" : ended.error().text);
  }
  Outcome prepare(const ConnectionDetails& who, ReplyToken token = 0, int number = 1) {
    return engine_->xa_prepare(who.id, xid(number), token, now_);
  }
  Outcome commit(const ConnectionDetails& who, bool one_phase = false, ReplyToken token = 0,
                 int number = 1) {
    return engine_->xa_commit(who.id, xid(number), one_phase, token, now_);
  }
  Outcome rollback(const ConnectionDetails& who, int number = 1) {
    return engine_->xa_rollback(who.id, xid(number), now_);
  }
  void send_in(const ConnectionDetails& who, TransactionId work, const std::string& queue,
               const std::string& body, bool persistent = true) {
    Send send;
    send.name = queue;
    send.body = body;
    send.persistent = persistent;
    EXPECT_EQ(publish(who, send, work).disposition, Disposition::done);
  }
  /// Of all branches, in order, with commas.
  std::string states() {
    std::string all;
    for (const auto& branch : engine_->branches(nullptr, 1000, false)) {
      if (!all.empty()) all += ", ";
      all += to_string(branch.state);
    }
    return all;
  }
};

}  // namespace pabal::core
