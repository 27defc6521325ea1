#include "tests/unit/core/engine_fixture.h"

// timeStampingBrokerPlugin: the broker's clock in place of the client's.

namespace pabal::core {
namespace {

class EngineStampingTest : public EngineFixture {
 protected:
  void stamp(TimeStamping rules) {
    EngineSettings settings;
    settings.time_stamping = rules;
    engine_->configure(std::move(settings), now_);
  }
  /// What a consumer gets of a message with such times, relative to now.
  MessageRef sent(std::int64_t timestamp, std::int64_t expiration, const std::string& name = "q") {
    const auto who = connect();
    MessageBuilder builder;
    builder.destination_name = name;
    builder.persistent = true;
    builder.timestamp = to_millis(now_) + timestamp;
    if (expiration != 0) builder.expiration = to_millis(now_) + expiration;
    builder.origin = who.origin;
    builder.sequence = ++sequence_;
    builder.body = "payroll";
    builder.add_string("color", "red");
    sent_ = *builder.build();
    EXPECT_EQ(engine_->publish(who.id, sent_, SendOptions{}, now_).disposition, Disposition::done);
    const auto all = drain(name);
    if (all.size() == 1) return all.front().message;
    ADD_FAILURE() << all.size() << " messages";
    return sent_;
  }
  /// Whether a consumer gets the very message that was sent.
  bool untouched(std::int64_t timestamp, std::int64_t expiration, const std::string& name = "q") {
    const auto got = sent(timestamp, expiration, name);
    return got.get() == sent_.get();
  }
  void SetUp() override {
    open();
    now_ = from_millis(1'767'225'600'000);
  }
  std::int64_t from_now(std::int64_t time) const { return time - to_millis(now_); }

  MessageRef sent_;
};

TEST_F(EngineStampingTest, WithoutItTheClientsTimesStay) {
  EXPECT_TRUE(untouched(-5'000, 60'000));
}

TEST_F(EngineStampingTest, TheTimeToLiveGoesOnFromTheBrokersTime) {
  stamp({});
  const auto got = sent(-3'600'000, -3'590'000);  // a client an hour behind, ten seconds to live
  EXPECT_EQ(from_now(got->timestamp()), 0);
  EXPECT_EQ(from_now(got->expiration()), 10'000);
  EXPECT_EQ(got->body(), "payroll");
  EXPECT_EQ(got->property("color")->text, "red");
  EXPECT_EQ(got->id(), sent_->id());
}

TEST_F(EngineStampingTest, WhatIsRightIsNotCopied) {
  stamp({milliseconds(0), milliseconds(60'000), false});
  EXPECT_TRUE(untouched(0, 10'000));
  EXPECT_TRUE(untouched(-3, 0));
}

TEST_F(EngineStampingTest, NothingLivesLongerThanTheCeiling) {
  stamp({milliseconds(0), milliseconds(60'000), false});
  EXPECT_EQ(from_now(sent(0, 3'600'000)->expiration()), 60'000);
  EXPECT_EQ(sent(0, 0)->expiration(), 0);
}

TEST_F(EngineStampingTest, WhatNeverExpiresGetsTheOverride) {
  stamp({milliseconds(30'000), milliseconds(0), false});
  EXPECT_EQ(from_now(sent(0, 0)->expiration()), 30'000);
  EXPECT_EQ(from_now(sent(0, 90'000)->expiration()), 90'000);
  stamp({milliseconds(30'000), milliseconds(20'000), false});
  EXPECT_EQ(from_now(sent(0, 0)->expiration()), 20'000);
}

TEST_F(EngineStampingTest, FutureOnlyNeverMakesATimeEarlier) {
  stamp({milliseconds(0), milliseconds(0), true});
  EXPECT_TRUE(untouched(3'600'000, 3'610'000));  // the client is ahead
  EXPECT_EQ(from_now(sent(-3'600'000, -3'590'000)->expiration()), 10'000);
  stamp({});
  EXPECT_EQ(from_now(sent(3'600'000, 3'610'000)->expiration()), 10'000);
}

TEST_F(EngineStampingTest, DeadLettersKeepTheirTimes) {
  stamp({milliseconds(30'000), milliseconds(0), false});
  EXPECT_TRUE(untouched(-5'000, 0, "ActiveMQ.DLQ"));
}

// --- populateJMSXUserID --------------------------------------------------------------------------

class EngineUserIdTest : public EngineFixture {
 protected:
  void populate(bool on) {
    EngineSettings settings;
    settings.populate_user_id = on;
    engine_->configure(std::move(settings), now_);
  }
  ConnectionDetails connect_as(const std::string& user) {
    ConnectOptions options;
    options.user = user;
    return *engine_->connect(options, now_);
  }
  MessageRef send_as(const std::string& user, const std::string& claimed, bool property) {
    const auto who = connect_as(user);
    MessageBuilder builder;
    builder.destination_name = "q";
    builder.origin = who.origin;
    builder.sequence = ++sequence_;
    if (!property) builder.user_id = claimed;
    builder.add_string("color", "red");
    if (property) builder.add_string("JMSXUserID", claimed);
    builder.body = "payroll";
    EXPECT_EQ(engine_->publish(who.id, *builder.build(), SendOptions{}, now_).disposition,
              Disposition::done);
    engine_->disconnect(who.id, now_);
    const auto all = drain("q");
    EXPECT_EQ(all.size(), 1U);
    return all.at(0).message;
  }
};

TEST_F(EngineUserIdTest, MessagesNameTheUserOfTheirConnectionAndNobodyElse) {
  populate(true);
  for (const bool property : {false, true}) {
    for (const std::string claimed : {"", "boss"}) {
      const auto got = send_as("ann", claimed, property);
      EXPECT_EQ(got->user_id(), "ann");
      EXPECT_FALSE(got->property("JMSXUserID"));
      EXPECT_EQ(got->property("color")->text, "red");
      EXPECT_EQ(got->body(), "payroll");
    }
    const auto nobodys = send_as("", "boss", property);
    EXPECT_EQ(nobodys->user_id(), "");
    EXPECT_FALSE(nobodys->property("JMSXUserID"));
  }
  EXPECT_EQ(engine_->snapshot().bytes_held, 0U);
}

TEST_F(EngineUserIdTest, SelectorsAndTransactionsSeeIt) {
  populate(true);
  const auto ann = connect_as("ann");
  const auto transaction = engine_->begin(ann.id);
  publish(ann, {.body = "1"}, *transaction);
  publish(connect_as("bob"), {.body = "2"});
  engine_->commit(*transaction, 0, now_);
  const auto who = connect();
  subscribe(who, {.selector = "JMSXUserID = 'ann'"});
  const auto got = deliveries();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].message->body(), "1");
}

TEST_F(EngineUserIdTest, OffItChangesNothing) {
  populate(false);
  EXPECT_EQ(send_as("ann", "", false)->user_id(), "");
}

}  // namespace
}  // namespace pabal::core
