// Sessions at their edges: names that collide.

#include <gtest/gtest.h>

#include "tests/unit/core/session_fixture.h"

namespace pabal::core {
namespace {

class EngineSessionsEdgeTest : public SessionFixture {
 protected:
  /// The id that the next connection without one would be given.
  std::string next_assigned() {
    const auto probe = connect();
    const std::string id = probe.client_id;
    engine_->disconnect(probe.id, now_);
    const auto dash = id.rfind('-');
    return id.substr(0, dash + 1) + std::to_string(std::stoull(id.substr(dash + 1)) + 2);
  }
  static SessionChanges put(const std::string& key, const std::string& value) {
    return {{key, value}};
  }
};

TEST_F(EngineSessionsEdgeTest, AnAssignedIdIsNobodyElsesSession) {
  for (const bool connected : {true, false}) {
    const std::string taken = next_assigned();
    const auto other = visit(taken);
    ASSERT_TRUE(engine_->change_session(other.id, put("k", "v")));
    if (!connected) lose(other);
    for (const bool fresh : {true, false}) {
      const auto nameless = visit("", {.fresh = fresh});
      EXPECT_NE(nameless.client_id, taken);
      EXPECT_FALSE(nameless.session_present);
      EXPECT_TRUE(engine_->session_attachments(nameless.id).empty());
    }
    if (connected) {
      EXPECT_EQ(engine_->session_attachments(other.id).size(), 1U);
      ASSERT_TRUE(engine_->change_session(other.id, put("l", "w")));
      lose(other);
    }
    EXPECT_TRUE(visit(taken).session_present);
  }
}

TEST_F(EngineSessionsEdgeTest, AnAssignedIdIsNoOtherConnections) {
  const std::string taken = next_assigned();
  const auto other = connect(taken);
  EXPECT_NE(visit("").client_id, taken);
  ConnectOptions options;
  options.client_id = taken;
  EXPECT_FALSE(engine_->connect(options)) << "it is still " << raw(other.id);
}

}  // namespace
}  // namespace pabal::core
