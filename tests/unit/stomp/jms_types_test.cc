#include "protocols/stomp/jms_types.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/stomp_broker.h"

// Kinds of bodies and types of properties between a JMS client over STOMP and the broker: what SEND
// makes of Pabal's headers, and what MESSAGE says to a subscriber that asks.

namespace pabal::stomp {
namespace {

using namespace std::string_literals;
using core::PropertyType;
using tests::StompBroker;

std::string frame(const std::string& text) {
  return text + "\0"s;
}

/// A connection that subscribes as pabal-jms does, and another that asks for nothing.
class JmsTypesTest : public ::testing::Test {
 protected:
  JmsTypesTest() {
    for (const auto peer : {jms_, plain_}) {
      broker_.receive(peer, frame("CONNECT\naccept-version:1.2\nhost:x\n\n"));
    }
    broker_.receive(jms_,
                    frame("SUBSCRIBE\nid:0\ndestination:/topic/t\ntransformation:jms-pabal\n\n"));
    broker_.receive(plain_, frame("SUBSCRIBE\nid:0\ndestination:/topic/t\n\n"));
    broker_.take(jms_);
    broker_.take(plain_);
  }

  /// What each gets of a SEND; without NUL and line end at its end.
  void send(const std::string& headers, const std::string& body) {
    broker_.receive(jms_, frame("SEND\ndestination:/topic/t\n" + headers + "\n" + body));
    typed_ = broker_.take(jms_);
    shown_ = broker_.take(plain_);
  }

  static std::string body_of(const std::string& heard) {
    const auto at = heard.find("\n\n");
    return at == heard.npos ? "none: " + heard : heard.substr(at + 2, heard.size() - at - 4);
  }
  static std::string header_of(const std::string& heard, const std::string& name) {
    const auto at = heard.find("\n" + name + ":");
    if (at == heard.npos || at > heard.find("\n\n")) return "absent";
    const auto from = at + name.size() + 2;
    return heard.substr(from, heard.find('\n', from) - from);
  }

  StompBroker broker_;
  std::size_t jms_ = broker_.accept();
  std::size_t plain_ = broker_.accept();
  std::string typed_;
  std::string shown_;
};

TEST_F(JmsTypesTest, KeepsTheTypesOfProperties) {
  send(
      "JMS_Pabal_Types:b=boolean,y=byte,s=short,i=int,l=long,f=float,d=double,n=null,z=base64,"
      "a%b=int,priority=int\nb:true\ny:-128\ns:-32768\ni:7\nl:-9223372036854775808\nf:Infinity\n"
      "d:1.5\nn:\nz:YQBi\na=b:1\nt:text\nJMS_Pabal_Property_priority:12\n",
      "x");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Types"),
            "b=boolean,y=byte,s=short,i=int,l=long,f=float,d=double,n=null,z=base64,a%b=int,"
            "priority=int");
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"b", "true"},
                                          {"y", "-128"},
                                          {"s", "-32768"},
                                          {"i", "7"},
                                          {"l", "-9223372036854775808"},
                                          {"f", "Infinity"},
                                          {"d", "1.5"},
                                          {"n", ""},
                                          {"z", "YQBi"},
                                          {"a=b", "1"},
                                          {"t", "text"},
                                          {"JMS_Pabal_Property_priority", "12"},
                                          {"priority", "4"}}) {
    EXPECT_EQ(header_of(typed_, name), value) << name;
  }
  // Others read the values, and see none of the headers that are ours.
  EXPECT_EQ(header_of(shown_, "i"), "7");
  EXPECT_EQ(header_of(shown_, "priority"), "4");
  EXPECT_EQ(shown_.find("JMS_Pabal"), shown_.npos) << shown_;
}

TEST_F(JmsTypesTest, WhatIsNotOfItsTypeStaysAText) {
  send(
      "JMS_Pabal_Types:i=int,y=byte,b=boolean,z=base64,n=null,u=uint,c=char,=,,x\ni:seven\ny:128\n"
      "b:yes\nz:***\nn:1\nu:1\nc:c\n",
      "x");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Types"), "absent");
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"i", "seven"}, {"y", "128"}, {"b", "yes"}, {"z", "***"}, {"n", "1"}, {"c", "c"}}) {
    EXPECT_EQ(header_of(typed_, name), value) << name;
  }
}

TEST_F(JmsTypesTest, TheListMayBeInAnyOrder) {
  send("JMS_Pabal_Types:c=int,a=long,a=int,b=boolean,d%e=short\na:1\nx:2\nb:true\nc:3\nd,e:4\n",
       "x");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Types"), "a=long,b=boolean,c=int,d%e=short");
}

TEST_F(JmsTypesTest, SelectorsSeeTypes) {
  const auto peer = broker_.accept();
  broker_.receive(peer, frame("CONNECT\naccept-version:1.2\nhost:x\n\n"));
  broker_.receive(peer, frame("SUBSCRIBE\nid:0\ndestination:/topic/t\nselector:n IS NULL AND i > 6 "
                              "AND on = TRUE\n\n"));
  broker_.take(peer);
  send("JMS_Pabal_Types:i=int,on=boolean,n=null\ni:7\non:true\nn:\n", "found");
  EXPECT_EQ(body_of(broker_.take(peer)), "found");
}

TEST_F(JmsTypesTest, MapsAndStreamsAreThose) {
  const auto map = R"({"map":{"entry":[{"string":"i","int":3},{"string":["k","v"]},)"
                   R"({"string":"n","null":""},{"string":"c","char":"x"},)"
                   R"({"string":"b","byte-array":"AAEC"}]}})"s;
  send("JMS_Pabal_Body:map\n", map);
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "map");
  EXPECT_EQ(body_of(typed_), map);
  EXPECT_EQ(body_of(shown_), "");  // as any map, unless one asks
  const auto stream = R"({"stream":{"value":[{"int":3},{"string":"Kim"},{"null":""},)"
                      R"({"double":1.5},{"byte-array":"AAEC"},{"string":"3"}]}})"s;
  send("JMS_Pabal_Body:stream\n", stream);
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "stream");
  EXPECT_EQ(body_of(typed_), stream);
  for (const auto& [kind, none] : std::map<std::string, std::string>{
           {"map", R"({"map":{"entry":[]}})"}, {"stream", R"({"stream":{"value":[]}})"}}) {
    send("JMS_Pabal_Body:" + kind + "\n", none);
    EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), kind);
  }
}

TEST_F(JmsTypesTest, WhatIsNoMapOrStreamStaysAsItCame) {
  for (const auto& [kind, body] : std::vector<std::pair<std::string, std::string>>{
           {"map", "{"},
           {"map", R"({"stream":{"value":[]}})"},
           {"stream", R"({"stream":[{"int":3}]})"},
           {"stream", R"({"stream":{"value":[{"int":3,"long":4}]}})"},
           {"stream", R"({"stream":{"value":[{"list":{"int":3}}]}})"},
           {"stream", R"({"stream":{"value":[{"map":""}]}})"},
           {"stream", R"({"stream":{"value":[3]}})"},
           {"stream", R"({"stream":"text"})"},
           {"message", "with a body"},
           {"poem", "x"}}) {
    send("JMS_Pabal_Body:" + kind + "\n", body);
    EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), kind) << body;
    EXPECT_EQ(body_of(typed_), body);
    EXPECT_EQ(body_of(shown_), body);
  }
}

TEST_F(JmsTypesTest, TextsObjectsAndNothing) {
  send("", "text");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "absent");
  EXPECT_EQ(header_of(typed_, "content-length"), "absent");
  send("", "");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "absent");  // an empty text
  send("JMS_Pabal_Body:text\n", "");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "text");  // null
  EXPECT_EQ(header_of(typed_, "content-length"), "absent");
  send("JMS_Pabal_Body:text\ncontent-length:3\n", "a\0b"s);
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "text");
  EXPECT_EQ(body_of(typed_), "a\0b"s);
  EXPECT_EQ(body_of(shown_), "a\0b"s);
  send("JMS_Pabal_Body:object\ncontent-length:2\n", "\xAC\xED");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "object");
  EXPECT_EQ(header_of(typed_, "content-length"), "2");
  EXPECT_EQ(body_of(typed_), "\xAC\xED");
  EXPECT_EQ(body_of(shown_), "");
  send("JMS_Pabal_Body:object\n", "");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "object");  // null
  EXPECT_EQ(header_of(typed_, "content-length"), "absent");
  send("JMS_Pabal_Body:message\n", "");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "message");
  send("content-length:1\n", "b");
  EXPECT_EQ(header_of(typed_, "JMS_Pabal_Body"), "absent");
  EXPECT_EQ(header_of(typed_, "content-length"), "1");
}

TEST_F(JmsTypesTest, TheWindowOfASubscriptionChanges) {
  const auto peer = broker_.accept();
  const auto heard = [&](const std::string& text) {
    broker_.receive(peer, frame(text));
    return broker_.take(peer);
  };
  const auto messages = [](const std::string& text) {
    std::size_t number = 0;
    for (auto at = text.find("MESSAGE\n"); at != text.npos; at = text.find("MESSAGE\n", at + 1)) {
      ++number;
    }
    return number;
  };
  heard("CONNECT\naccept-version:1.2\nhost:x\n\n");
  for (int i = 0; i < 9; ++i) heard("SEND\ndestination:/queue/q\n\nx");
  EXPECT_EQ(messages(heard("SUBSCRIBE\nid:s\ndestination:/queue/q\nack:client-individual\n"
                           "activemq.prefetchSize:1\n\n")),
            1U);
  const std::string wider = heard("SUBSCRIBE\nid:s\nJMS_Pabal_Prefetch:4\nreceipt:1\n\n");
  EXPECT_EQ(messages(wider), 3U) << wider;
  EXPECT_NE(wider.find("receipt-id:1\n"), wider.npos);
  EXPECT_EQ(messages(heard("SUBSCRIBE\nid:s\nJMS_Pabal_Prefetch:2\n\n")), 0U);
  EXPECT_EQ(messages(heard("SUBSCRIBE\nid:s\nJMS_Pabal_Prefetch:5\n\n")), 1U);
  for (const std::string wrong :
       {"id:s\nJMS_Pabal_Prefetch:0\n", "id:s\nJMS_Pabal_Prefetch:-1\n", "JMS_Pabal_Prefetch:5\n",
        "id:t\nJMS_Pabal_Prefetch:5\n", "id:s\n"}) {
    const std::string answer = heard("SUBSCRIBE\n" + wrong + "\n");
    EXPECT_TRUE(answer.starts_with("ERROR\n")) << wrong << answer;
  }
  EXPECT_FALSE(broker_.peer(peer).wire->closed());
}

TEST_F(JmsTypesTest, WhatWasSentAheadReturnsUnmarked) {
  const auto heard = [&](std::size_t peer, const std::string& text) {
    broker_.receive(peer, frame(text));
    return broker_.take(peer);
  };
  const auto peer = broker_.accept();
  heard(peer, "CONNECT\naccept-version:1.2\nhost:x\n\n");
  for (int i = 0; i < 3; ++i) heard(peer, "SEND\ndestination:/queue/q\n\nx");
  const std::string subscribe = "SUBSCRIBE\nid:s\ndestination:/queue/q\nack:client-individual\n\n";
  const auto marks = [&](const std::string& seen) {
    const std::string messages = heard(peer, subscribe);
    const auto start = messages.find("\nack:") + 5;
    const std::string first = messages.substr(start, messages.find('\n', start) - start);
    const std::string& named = seen == "first" ? first : seen;
    heard(peer, "UNSUBSCRIBE\nid:s\nJMS_Pabal_Seen:" + named + "\n\n");
    std::size_t marked = 0;
    for (auto at = messages.find("redelivered:true"); at != messages.npos;
         at = messages.find("redelivered:true", at + 1)) {
      ++marked;
    }
    return marked;
  };
  EXPECT_EQ(marks("none"), 0U);
  EXPECT_EQ(marks("first"), 0U);  // nothing was marked by the one before
  EXPECT_EQ(marks("none"), 1U);
  EXPECT_EQ(marks("nonsense"), 1U);  // as without: nobody knows
  EXPECT_EQ(marks("none"), 3U);
}

TEST_F(JmsTypesTest, RecoverListsBranchesInPieces) {
  const auto heard = [&](const std::string& text) {
    broker_.receive(jms_, frame(text));
    return broker_.take(jms_);
  };
  EXPECT_EQ(header_of(heard("COMMIT\nxa:recover\nreceipt:0\n\n"), "xids"), "");
  for (int i = 100; i < 250; ++i) {
    const std::string xid = "7:" + std::to_string(i) + "0:";
    heard("BEGIN\ntransaction:t\nxid:" + xid + "\n\n");
    heard("SEND\ndestination:/queue/q\ntransaction:t\npersistent:true\n\nx");
    // One that is not prepared is not in doubt.
    if (i < 249) heard("COMMIT\ntransaction:t\nxa:prepare\n\n");
  }
  const std::string first = heard("COMMIT\nxa:recover\nreceipt:1\n\n");
  EXPECT_EQ(header_of(first, "more"), "true");
  const std::string list = header_of(first, "xids");
  EXPECT_EQ(std::count(list.begin(), list.end(), ','), 99);
  EXPECT_TRUE(list.starts_with("7\\c1000\\c,7\\c1010\\c,")) << list;
  const std::string last = list.substr(list.rfind(',') + 1);
  const std::string rest = heard("COMMIT\nxa:recover\nxid:" + last + "\nreceipt:2\n\n");
  EXPECT_EQ(header_of(rest, "more"), "absent");
  const std::string others = header_of(rest, "xids");
  EXPECT_EQ(std::count(others.begin(), others.end(), ','), 48);
  EXPECT_TRUE(heard("COMMIT\nxa:recover\nxid:nonsense\nreceipt:3\n\n").starts_with("ERROR\n"));
  EXPECT_TRUE(heard("ABORT\nxa:recover\nreceipt:4\n\n").starts_with("ERROR\n"));
}

}  // namespace
}  // namespace pabal::stomp
