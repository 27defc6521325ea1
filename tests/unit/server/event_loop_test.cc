#include "server/event_loop.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>

#include "tests/unit/server/loop_fixture.h"

namespace pabal::server {
namespace {

TEST(EventLoopTest, AnswersCommandsThatCameInOneReadInOneWrite) {
  LoopRig rig;
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("ID a\nSUB q\nSEND q one\nSEND q two\nBYE\n"));
  bool ended = false;
  std::string text = client.read_to_end(ended);
  EXPECT_TRUE(ended);
  for (const auto* part : {"OK a\n", "SUBSCRIBED q\n", "RECEIPT one\n", "RECEIPT two\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
  EXPECT_LT(text.find("SUBSCRIBED q\n"), text.find("MSG one\n"));
}

TEST(EventLoopTest, ACommandCutAnywhereActsTheSame) {
  LoopRig rig;
  TestClient client(rig.port());
  for (const char c : std::string("ID a\nSUB q\nPOST q hello\n")) {
    ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  }
  EXPECT_EQ(client.line(), "OK a\n");
  EXPECT_EQ(client.line(), "SUBSCRIBED q\n");
  EXPECT_EQ(client.line(), "MSG hello\n");
}

TEST(EventLoopTest, DeliveriesCrossFromOneLoopToTheOther) {
  LoopSetup setup;
  setup.loops = 2;
  LoopRig rig(setup);
  TestClient consumer(rig.port());
  ASSERT_TRUE(consumer.send("ID consumer\nSUB q\n"));
  ASSERT_EQ(consumer.line(), "OK consumer\n");
  ASSERT_EQ(consumer.line(), "SUBSCRIBED q\n");
  TestClient producer(rig.port());  // connections go to the loops in turn
  ASSERT_TRUE(producer.send("ID producer\n"));
  ASSERT_EQ(producer.line(), "OK producer\n");
  ASSERT_EQ(rig.loop(0).counters().connections.load(), 1u);
  ASSERT_EQ(rig.loop(1).counters().connections.load(), 1u);
  constexpr int kMessages = 20'000;  // many times the prefetch: credit must come back, too
  std::string sends;
  for (int i = 0; i < kMessages; ++i) sends += "POST q " + std::to_string(i) + "\n";
  std::thread sender([&] { EXPECT_TRUE(producer.send(sends)); });
  for (int i = 0; i < kMessages; ++i) {
    const std::string line = consumer.line();
    if (line != "MSG " + std::to_string(i) + "\n") {
      ADD_FAILURE() << "message " << i << " is " << line;
      break;
    }
  }
  sender.join();
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().totals.dequeued == kMessages; }));
}

TEST(EventLoopTest, HoldsReceiptsUntilTheStoreIsDurable) {
  LoopSetup setup;
  setup.manual_durability = true;
  LoopRig rig(setup);
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("ID a\nSEND q one\nPOST q two\nID again\n"));
  ASSERT_EQ(client.line(), "OK a\n");
  // The answer to a later command overtakes the receipt, which shows that it is held.
  ASSERT_EQ(client.line(), "NO again\n");
  ASSERT_TRUE(rig.eventually([&] { return core::raw(rig.store().submitted()) > 0; }));
  rig.make_durable();
  EXPECT_EQ(client.line(), "RECEIPT one\n");
}

TEST(EventLoopTest, ALoopThatOnlyHoldsRepliesHearsOfDurability) {
  LoopSetup setup;
  setup.manual_durability = true;
  setup.loops = 2;
  LoopRig rig(setup);
  TestClient first(rig.port());
  TestClient second(rig.port());
  ASSERT_TRUE(first.send("ID a\n"));
  ASSERT_EQ(first.line(), "OK a\n");
  ASSERT_TRUE(second.send("ID b\nSEND q x\nID again\n"));
  ASSERT_EQ(second.line(), "OK b\n");
  ASSERT_EQ(second.line(), "NO again\n");
  rig.make_durable();
  EXPECT_EQ(second.line(), "RECEIPT x\n");
}

TEST(EventLoopTest, AConsumerIsReadWhileDeliveriesWaitForIt) {
  LoopRig rig;
  TestClient consumer(rig.port(), 4096);
  ASSERT_TRUE(consumer.send("ID consumer\nSUB q\n"));
  ASSERT_EQ(consumer.line(), "OK consumer\n");
  ASSERT_EQ(consumer.line(), "SUBSCRIBED q\n");
  TestClient producer(rig.port());
  constexpr int kMessages = 2;
  const std::string body(8 * 1024 * 1024, 'x');  // far more than the buffers of both sockets take
  ASSERT_TRUE(producer.send("ID producer\n"));
  for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(producer.send("POST q " + body + "\n"));
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued == kMessages; }));
  // It reads nothing, and what it sends arrives all the same. (Twice: one read may be under way.)
  for (unsigned i = 1; i <= 2; ++i) {
    ASSERT_TRUE(consumer.send("POST answers done\n"));
    ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued == kMessages + i; }));
  }
  for (int i = 0; i < kMessages; ++i) ASSERT_EQ(consumer.line().size(), body.size() + 5) << i;
}

TEST(EventLoopTest, APeerThatDoesNotReadIsNotReadEither) {
  LoopRig rig;
  TestClient client(rig.port(), 4096);
  ASSERT_TRUE(client.send("ID a\n"));
  // Every line is answered by more bytes than it has; nobody reads the answers.
  const std::string command = "ID " + std::string(50, 'x') + "\n";
  std::string commands;
  while (commands.size() < 256 * 1024) commands += command;
  std::size_t sent = 0;
  const bool stopped = rig.eventually([&] {
    const auto now = client.send_some(commands);
    sent += now;
    return sent > 128 * 1024 * 1024 || (now == 0 && sent > 1024 * 1024);
  });
  EXPECT_TRUE(stopped);
  EXPECT_LT(sent, 64u * 1024 * 1024);
  // Another client does not notice.
  TestClient other(rig.port());
  ASSERT_TRUE(other.send("ID b\n"));
  EXPECT_EQ(other.line(), "OK b\n");
}

TEST(EventLoopTest, ASlowConsumerGetsEverythingInOrderOnceItReads) {
  LoopRig rig;
  TestClient consumer(rig.port(), 4096);
  ASSERT_TRUE(consumer.send("ID c\nSUB q\n"));
  ASSERT_EQ(consumer.line(), "OK c\n");
  TestClient producer(rig.port());
  ASSERT_TRUE(producer.send("ID p\n"));
  const std::string body(2000, 'b');
  constexpr int kMessages = 5000;  // ten megabytes: more than sockets and limits hold
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(producer.send("POST q " + std::to_string(i) + " " + body + "\n"));
  }
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued == kMessages; }));
  EXPECT_LT(rig.snapshot().totals.dequeued, static_cast<std::uint64_t>(kMessages));
  ASSERT_EQ(consumer.line(), "SUBSCRIBED q\n");
  for (int i = 0; i < kMessages; ++i) {
    const std::string line = consumer.line();
    const std::string want = "MSG " + std::to_string(i) + " ";
    ASSERT_EQ(line.substr(0, want.size()), want);
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().totals.dequeued == kMessages; }));
}

TEST(EventLoopTest, WhatAPeerSentBeforeItResetStillCounts) {
  LoopRig rig;
  {
    TestClient client(rig.port());
    std::string commands = "ID a\n";
    for (int i = 0; i < 1000; ++i) commands += "POST q " + std::to_string(i) + "\n";
    ASSERT_TRUE(client.send(commands));
    ASSERT_EQ(client.line(), "OK a\n");
    client.reset();
  }
  EXPECT_TRUE(rig.eventually([&] {
    const auto snapshot = rig.snapshot();
    return snapshot.totals.enqueued == 1000 && snapshot.connections == 0;
  }));
  EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
}

TEST(EventLoopTest, AHalfClosedPeerGetsItsHeldReceipts) {
  LoopSetup setup;
  setup.manual_durability = true;
  LoopRig rig(setup);
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("ID a\nSEND q one\n"));
  client.half_close();
  ASSERT_EQ(client.line(), "OK a\n");
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().connections == 0; }));
  rig.make_durable();
  bool ended = false;
  EXPECT_EQ(client.read_to_end(ended), "RECEIPT one\n");
  EXPECT_TRUE(ended);
}

TEST(EventLoopTest, UnacknowledgedDeliveriesOfALostPeerGoToTheNext) {
  LoopRig rig;
  TestClient lost(rig.port(), 4096);
  ASSERT_TRUE(lost.send("ID lost\nSUB q\n"));
  ASSERT_EQ(lost.line(), "OK lost\n");
  TestClient producer(rig.port());
  const std::string body(64 * 1024, 'b');
  ASSERT_TRUE(producer.send("ID p\n"));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(producer.send("POST q " + body + "\n"));
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued == 200; }));
  lost.reset();
  TestClient next(rig.port());
  ASSERT_TRUE(next.send("ID next\nSUB q\n"));
  ASSERT_EQ(next.line(), "OK next\n");
  ASSERT_EQ(next.line(), "SUBSCRIBED q\n");
  // Some were in the socket of the first and count as delivered; the others come.
  const auto settled = rig.snapshot().totals.dequeued;
  ASSERT_LT(settled, 200u);
  EXPECT_EQ(next.line(), "MSG " + body + "\n");
}

TEST(EventLoopTest, RefusesConnectionsAboveTheLimitWithAWord) {
  LoopSetup setup;
  setup.connections_max = 2;
  LoopRig rig(setup);
  TestClient first(rig.port());
  TestClient second(rig.port());
  ASSERT_TRUE(first.send("ID a\n"));
  ASSERT_TRUE(second.send("ID b\n"));
  ASSERT_EQ(first.line(), "OK a\n");
  ASSERT_EQ(second.line(), "OK b\n");
  TestClient third(rig.port());
  EXPECT_EQ(third.line().substr(0, 8), "FAREWELL");
  bool ended = false;
  EXPECT_EQ(third.read_to_end(ended), "");
  EXPECT_TRUE(ended);
  third.close();
  first.close();
  ASSERT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 1; }));
  TestClient fourth(rig.port());
  ASSERT_TRUE(fourth.send("ID d\n"));
  EXPECT_EQ(fourth.line(), "OK d\n");
}

TEST(EventLoopTest, SessionTimersFire) {
  LoopRig rig;
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("ID ticker\n"));
  ASSERT_EQ(client.line(), "OK ticker\n");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.line(), "TICK\n");
}

/// Says how long the loop believes that the client has been silent.
std::chrono::milliseconds idle_of(TestClient& client) {
  EXPECT_EQ(client.line(), "OK idler\n");
  const std::string line = client.line();
  EXPECT_EQ(line.substr(0, 5), "IDLE ");
  return std::chrono::milliseconds(std::atoi(line.c_str() + 5));
}

// Goal: a peer that has just spoken is not taken for silent because the loop was asleep before: it
// would lose its connection in spite of its heart-beats. Only the first loop ticks.
TEST(EventLoopTest, WhoSpeaksToALoopThatSleptWasNotSilent) {
  constexpr std::chrono::milliseconds kSleep(1000);
  LoopSetup setup;
  setup.loops = 2;
  LoopRig rig(setup);
  TestClient first(rig.port());
  TestClient second(rig.port());  // connections go to the loops in turn
  ASSERT_TRUE(rig.eventually([&] { return rig.loop(1).counters().connections.load() == 1; }));
  std::this_thread::sleep_for(kSleep);
  ASSERT_TRUE(second.send("ID idler\n"));
  EXPECT_LT(idle_of(second), kSleep);
}

// Goal: the same of a loop that wrote for the store, and the disk stood still.
TEST(EventLoopTest, WhoSpeaksWhileTheLoopWritesForTheStoreWasNotSilent) {
  constexpr std::chrono::milliseconds kStall(1000);
  std::atomic<TestClient*> speaks = nullptr;
  LoopSetup setup;
  setup.manual_durability = true;
  setup.on_push = [&](store::MemoryStore& store, core::Writer writer, core::Ticket /*overdue*/) {
    if (writer == core::Writer::caller && speaks != nullptr) {
      EXPECT_TRUE(speaks.exchange(nullptr)->send("ID idler\n"));
      std::this_thread::sleep_for(kStall);
    }
    store.make_durable(store.submitted());
    return core::Pushed{true, core::kNoTicket, {}};
  };
  LoopRig rig(setup);
  TestClient silent(rig.port());
  TestClient sender(rig.port());
  speaks = &silent;
  ASSERT_TRUE(sender.send("ID a\n"));
  ASSERT_EQ(sender.line(), "OK a\n");
  // The loop writes itself once it has found that only one waits, and that it is idle otherwise.
  for (int i = 0; speaks != nullptr && i < 10'000; ++i) {
    ASSERT_TRUE(sender.send("SEND q x\n"));
    ASSERT_EQ(sender.line(), "RECEIPT x\n");
    std::this_thread::sleep_for(std::chrono::microseconds(200));  // so that it is, on any machine
  }
  ASSERT_EQ(speaks, nullptr) << "the loop never wrote";
  EXPECT_LT(idle_of(silent), kStall);
}

// Goal: a disk that stands still holds up no more than a few who want nothing of it.
TEST(EventLoopTest, ALoopWithManyConnectionsDoesNotWriteForTheStore) {
  for (const std::size_t others : {5U, 40U}) {
    LoopSetup setup;
    setup.manual_durability = true;
    std::atomic<int> written_here = 0;
    setup.on_push = [&](store::MemoryStore& store, core::Writer writer, core::Ticket /*overdue*/) {
      if (writer == core::Writer::caller) ++written_here;
      store.make_durable(store.submitted());
      return core::Pushed{true, core::kNoTicket, {}};
    };
    LoopRig rig(setup);
    std::vector<std::unique_ptr<TestClient>> connected;
    for (std::size_t i = 0; i < others; ++i) {
      connected.push_back(std::make_unique<TestClient>(rig.port()));
    }
    TestClient sender(rig.port());
    ASSERT_TRUE(sender.send("ID a\n"));
    ASSERT_EQ(sender.line(), "OK a\n");
    const int sends = others < 32 ? 10'000 : 500;
    for (int i = 0; i < sends && written_here == 0; ++i) {
      ASSERT_TRUE(sender.send("SEND q x\n"));
      ASSERT_EQ(sender.line(), "RECEIPT x\n");
      std::this_thread::sleep_for(std::chrono::microseconds(200));  // so that the loop is idle
    }
    EXPECT_EQ(written_here > 0, others < 32) << others;
  }
}

// Goal: who waits for what the store holds back is answered, though nobody says anything more, and
// what came while the loop waited for the first is not forgotten.
TEST(EventLoopTest, WhatIsHeldBackIsPushedAgainWhenItIsOverdue) {
  LoopSetup setup;
  setup.manual_durability = true;
  std::atomic<int> in_vain = 0;  // pushes that wrote nothing
  setup.on_push = [&](store::MemoryStore& store, core::Writer /*writer*/, core::Ticket overdue) {
    core::Pushed pushed;
    if (overdue > store.durable()) {
      store.make_durable(overdue);
      pushed.raised = true;
    } else {
      ++in_vain;
    }
    if (store.submitted() > store.durable()) {
      pushed.held = store.submitted();
      pushed.wait = std::chrono::milliseconds(20);
    }
    return pushed;
  };
  LoopRig rig(setup);
  TestClient first(rig.port());
  TestClient second(rig.port());
  ASSERT_TRUE(first.send("ID a\n"));
  ASSERT_EQ(first.line(), "OK a\n");
  ASSERT_TRUE(second.send("ID b\n"));
  ASSERT_EQ(second.line(), "OK b\n");
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(first.send("SEND q x\n"));
    std::this_thread::sleep_for(std::chrono::milliseconds(i % 5));
    ASSERT_TRUE(second.send("SEND q x\n"));
    ASSERT_EQ(first.line(), "RECEIPT x\n");
    ASSERT_EQ(second.line(), "RECEIPT x\n");
  }
  EXPECT_GT(in_vain, 0);
}

TEST(EventLoopTest, AnAutomaticPortRecognisesStompAndClosesOnOthers) {
  LoopSetup setup;
  setup.protocol = Protocol::automatic;
  LoopRig rig(setup);
  TestClient stomp(rig.port());
  ASSERT_TRUE(stomp.send("\n\nCONN"));
  ASSERT_TRUE(stomp.send("ECT\nID a\n"));  // the line protocol ignores the word itself
  EXPECT_EQ(stomp.line(), "OK a\n");
  TestClient http(rig.port());
  ASSERT_TRUE(http.send("GET / HTTP/1.1\r\n\r\n"));
  bool ended = false;
  EXPECT_EQ(http.read_to_end(ended), "");
}

TEST(EventLoopTest, APeerThatSaysNothingOnAnAutomaticPortIsClosed) {
  LoopSetup setup;
  setup.protocol = Protocol::automatic;
  setup.connect_timeout = core::milliseconds(50);
  LoopRig rig(setup);
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("CONN"));
  bool ended = false;
  EXPECT_EQ(client.read_to_end(ended), "");
  EXPECT_TRUE(ended);
}

TEST(EventLoopTest, DrainingLetsHeldReceiptsOutBeforeTheFarewell) {
  LoopSetup setup;
  setup.manual_durability = true;
  LoopRig rig(setup);
  TestClient client(rig.port());
  ASSERT_TRUE(client.send("ID a\nSEND q one\nID again\n"));
  ASSERT_EQ(client.line(), "OK a\n");
  ASSERT_EQ(client.line(), "NO again\n");
  auto drained = rig.drain(core::milliseconds(10'000));
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().connections == 0; }));
  rig.make_durable();
  std::string text;
  for (std::string line = client.line(); !line.empty(); line = client.line()) text += line;
  EXPECT_EQ(text, "RECEIPT one\nFAREWELL stopping\n");
  client.close();
  EXPECT_EQ(drained.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(EventLoopTest, DrainingGivesUpOnAPeerThatDoesNotRead) {
  LoopRig rig;
  TestClient client(rig.port(), 4096);
  ASSERT_TRUE(client.send("ID a\nSUB q\n"));
  const std::string body(60'000, 'b');
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(client.send("POST q " + body + "\n"));
  ASSERT_TRUE(rig.eventually([&] { return rig.snapshot().totals.enqueued > 100; }));
  auto drained = rig.drain(core::milliseconds(50));
  EXPECT_EQ(drained.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(rig.snapshot().connections, 0u);
}

TEST(EventLoopTest, ManyConnectionsComeAndGo) {
  LoopSetup setup;
  setup.loops = 2;
  LoopRig rig(setup);
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<TestClient>(rig.port()));
      ASSERT_TRUE(clients.back()->send("ID c" + std::to_string(i) + "-" + std::to_string(round) +
                                       "\nSUB q\nPOST q x\n"));
    }
    for (int i = 0; i < 20; i += 2) clients[static_cast<std::size_t>(i)]->reset();
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.snapshot().connections == 0; }));
  EXPECT_TRUE(rig.eventually([&] { return rig.endpoint().open.load() == 0; }));
}

}  // namespace
}  // namespace pabal::server
