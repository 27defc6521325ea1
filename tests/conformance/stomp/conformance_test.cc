#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/conformance/stomp/vector.h"
#include "tests/support/stomp_broker.h"

// Plays every case of the `.vector` files against sessions, engine and memory store in one process.
// Each case is a test of its own; a failure says the file, the line and the clause.

namespace pabal::tests {
namespace {

using Arguments = std::vector<std::string>;

class CaseRunner {
 public:
  explicit CaseRunner(const VectorCase& the_case) : case_(the_case) {}

  /// Empty: passed.
  std::string run() {
    for (const VectorStep& step : case_.steps) {
      if (const std::string failure = play(step); !failure.empty()) {
        return case_.file + ":" + std::to_string(step.line) + ": " + failure +
               "\nclause: " + case_.clause;
      }
    }
    if (!broker_) return case_.file + ": the case does nothing";
    for (const auto& [name, number] : peers_) {
      if (const std::string rest = broker_->take(number); !rest.empty()) {
        return case_.file + ":" + std::to_string(case_.line) + ": at the end " + name +
               " had more to read:\n" + rest + "\nclause: " + case_.clause;
      }
    }
    return {};
  }

 private:
  std::string play(const VectorStep& step) {
    if (step.verb == "option") return option(step);
    if (!broker_) broker_ = std::make_unique<StompBroker>(store_, limits_, options_);
    static const std::map<std::string, std::string (CaseRunner::*)(const VectorStep&)> kVerbs = {
        {"connect", &CaseRunner::connect}, {"send", &CaseRunner::send},
        {"expect", &CaseRunner::expect},   {"expect-raw", &CaseRunner::expect_raw},
        {"quiet", &CaseRunner::quiet},     {"closed", &CaseRunner::closed},
        {"open", &CaseRunner::open},       {"drop", &CaseRunner::drop},
        {"sync", &CaseRunner::sync},       {"restart", &CaseRunner::restart},
        {"wait", &CaseRunner::wait},       {"idle", &CaseRunner::idle},
        {"forget", &CaseRunner::forget},   {"full", &CaseRunner::full},
    };
    const auto verb = kVerbs.find(step.verb);
    if (verb == kVerbs.end()) return "unknown step '" + step.verb + "'";
    return (this->*verb->second)(step);
  }

  std::size_t peer(const VectorStep& step) {
    const std::string name = step.arguments.empty() ? "A" : step.arguments[0];
    const auto found = peers_.find(name);
    if (found != peers_.end()) return found->second;
    return peers_[name] = broker_->accept();
  }

  std::string option(const VectorStep& step) {
    if (broker_) return "options come before the first other step";
    for (const std::string& argument : step.arguments) {
      const auto equals = argument.find('=');
      const std::string name = argument.substr(0, equals);
      const auto value = std::strtoull(argument.c_str() + equals + 1, nullptr, 10);
      const std::map<std::string, std::function<void()>> known = {
          {"command_line_bytes_max", [&] { options_.command_line_bytes_max = value; }},
          {"header_line_bytes_max", [&] { options_.header_line_bytes_max = value; }},
          {"headers_max", [&] { options_.headers_max = value; }},
          {"body_bytes_max", [&] { options_.body_bytes_max = value; }},
          {"frame_bytes_max", [&] { options_.frame_bytes_max = value; }},
          {"default_heart_beat_client_sends",
           [&] { options_.default_heart_beat.client_sends = core::milliseconds(value); }},
          {"default_heart_beat_client_wants",
           [&] { options_.default_heart_beat.client_wants = core::milliseconds(value); }},
          {"heart_beat_grace", [&] { options_.heart_beat_grace = static_cast<double>(value); }},
          {"transactions_max",
           [&] { limits_.transactions_per_connection_max = static_cast<std::uint32_t>(value); }},
          {"subscriptions_max",
           [&] { limits_.subscriptions_per_connection_max = static_cast<std::uint32_t>(value); }},
          {"transaction_operations_max",
           [&] { limits_.transaction_operations_max = static_cast<std::uint32_t>(value); }},
          {"memory_bytes_max", [&] { limits_.memory_bytes_max = value; }},
          {"send_fail_if_no_space", [&] { limits_.send_fail_if_no_space = value != 0; }},
          {"manual_durability", [&] { store_.manual_durability = value != 0; }},
      };
      const auto found = known.find(name);
      if (found == known.end()) return "unknown option " + name;
      found->second();
    }
    return {};
  }

  std::string connect(const VectorStep& step) {
    const std::size_t number = peer(step);
    const std::string version = step.arguments.size() > 1 ? step.arguments[1] : "1.2";
    std::string error;
    const auto headers = expand(step.content, values_, error);
    if (!headers) return error;
    broker_->receive(number, "CONNECT\naccept-version:" + version + "\nhost:example\n" + *headers +
                                 "\n" + std::string(1, '\0'));
    const auto frames = split_frames(broker_->take(number), error);
    if (!frames) return error;
    if (frames->size() != 1 || frames->front().command != "CONNECTED") {
      return "expected CONNECTED";
    }
    WireFrame expected{"CONNECTED", {"version:" + version}, {}};
    return match_frame(expected, frames->front());
  }

  std::string send(const VectorStep& step) {
    std::string error;
    const auto bytes = expand(step.content, values_, error);
    if (!bytes) return error;
    broker_->receive(peer(step), *bytes);
    return {};
  }

  std::string match_frame(const WireFrame& expected, const WireFrame& actual) {
    if (expected.command != actual.command) {
      return "expected " + expected.command + ", got " + actual.command;
    }
    for (const std::string& header : expected.headers) {
      if (header.starts_with("!")) {
        for (const std::string& present : actual.headers) {
          if (present.starts_with(header.substr(1) + ":")) return "must not be there: " + present;
        }
        continue;
      }
      bool found = false;
      // The first header of a name is the one that counts.
      const std::string name = header.substr(0, header.find(':') + 1);
      for (const std::string& present : actual.headers) {
        if (!present.starts_with(name)) continue;
        found = match_text(header, present, values_);
        break;
      }
      if (!found) {
        std::string text = "no header matches " + header + "; there are:";
        for (const std::string& present : actual.headers) text += "\n  " + present;
        return text;
      }
    }
    if (!match_text(expected.body, actual.body, values_)) {
      return "body: expected '" + expected.body + "', got '" + actual.body + "'";
    }
    return {};
  }

  std::string expect(const VectorStep& step) {
    std::string error;
    const auto expected = split_expected(step.content, error);
    if (!expected) return error;
    const std::string bytes = broker_->take(peer(step));
    const auto actual = split_frames(bytes, error);
    if (!actual) return error + ":\n" + bytes;
    for (std::size_t i = 0; i < std::max(expected->size(), actual->size()); ++i) {
      if (i == actual->size()) return "missing: " + (*expected)[i].command + "; got:\n" + bytes;
      if (i == expected->size()) return "too much: " + (*actual)[i].command + "; got:\n" + bytes;
      if (const auto failure = match_frame((*expected)[i], (*actual)[i]); !failure.empty()) {
        return "frame " + std::to_string(i + 1) + ": " + failure + "\ngot:\n" + bytes;
      }
    }
    return {};
  }

  std::string expect_raw(const VectorStep& step) {
    const std::string bytes = broker_->take(peer(step));
    if (match_text(step.content, bytes, values_)) return {};
    return "expected exactly:\n" + step.content + "\ngot:\n" + bytes;
  }

  std::string quiet(const VectorStep& step) {
    const std::string bytes = broker_->take(peer(step));
    return bytes.empty() ? "" : "expected nothing, got:\n" + bytes;
  }

  std::string closed(const VectorStep& step) {
    return broker_->peer(peer(step)).wire->closed() ? "" : "expected: closed";
  }

  std::string open(const VectorStep& step) {
    return broker_->peer(peer(step)).wire->closed() ? "expected: open" : "";
  }

  std::string drop(const VectorStep& step) {
    broker_->drop(peer(step));
    (void)broker_->take(peer(step));
    return {};
  }

  std::string forget(const VectorStep& step) {
    (void)broker_->take(peer(step));
    return {};
  }

  std::string sync(const VectorStep&) {
    broker_->sync();
    return {};
  }

  std::string restart(const VectorStep&) {
    broker_->restart();
    for (const auto& [name, number] : peers_) (void)broker_->take(number);
    peers_.clear();
    return {};
  }

  std::string full(const VectorStep& step) {
    const bool is_full = step.arguments.empty() || step.arguments[0] != "off";
    broker_->store().set_admission(is_full ? core::Admission::refused : core::Admission::granted);
    broker_->settle();
    return {};
  }

  std::string wait(const VectorStep& step) {
    broker_->advance(core::milliseconds(std::stoll(step.arguments.at(0))));
    broker_->tick();
    return {};
  }

  /// idle A IN OUT: the server's timer, that long after bytes last came and went.
  std::string idle(const VectorStep& step) {
    auto& one = broker_->peer(peer(step));
    (void)one.session->on_timer(core::milliseconds(std::stoll(step.arguments.at(1))),
                                core::milliseconds(std::stoll(step.arguments.at(2))), *one.wire);
    return {};
  }

  const VectorCase& case_;
  store::MemoryStoreOptions store_;
  core::EngineLimits limits_;
  stomp::SessionOptions options_;
  std::unique_ptr<StompBroker> broker_;
  std::map<std::string, std::size_t> peers_;
  VectorValues values_ = {{"now", "1700000000000"}};
};

class ConformanceCase : public ::testing::Test {
 public:
  explicit ConformanceCase(VectorCase the_case) : case_(std::move(the_case)) {}
  void TestBody() override {
    const std::string failure = CaseRunner(case_).run();
    EXPECT_TRUE(failure.empty()) << failure;
  }

 private:
  VectorCase case_;
};

}  // namespace
}  // namespace pabal::tests

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  std::string error;
  const auto cases = pabal::tests::read_vector_folder(PABAL_VECTOR_FOLDER, error);
  if (!error.empty() || cases.empty()) {
    std::fprintf(stderr, "%s\n", error.empty() ? "no vectors" : error.c_str());
    return 1;
  }
  for (const auto& one : cases) {
    ::testing::RegisterTest("StompConformance", one.name.c_str(), nullptr, nullptr,
                            one.file.c_str(), one.line,
                            [one] { return new pabal::tests::ConformanceCase(one); });
  }
  return RUN_ALL_TESTS();
}
