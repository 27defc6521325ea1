#include <chrono>
#include <fstream>
#include <iostream>
#include <istream>
#include <iterator>
#include <ostream>

#include "server/cli/command.h"
#include "server/cli/connect_arguments.h"
#include "server/cli/json.h"
#include "server/cli/stomp_client.h"

namespace pabal::cli {
namespace {

using std::chrono::milliseconds;

/// Unanswered receipts while many messages are sent: enough that a round trip is not felt.
constexpr std::uint64_t kWindow = 100;

constexpr Option kOptions[] = {
    kUrlOption,
    {.name = "destination",
     .value = "NAME",
     .help = "where to: /queue/NAME, /topic/NAME",
     .short_name = 'd'},
    {.name = "body",
     .value = "TEXT",
     .help = "the message, a text to JMS clients (default: what stdin holds, as bytes)"},
    {.name = "file",
     .value = "FILE",
     .help = "the message is this file, as bytes",
     .short_name = 'f'},
    {.name = "lines",
     .kind = OptionKind::flag,
     .help = "each line of the input is one message, a text"},
    {.name = "count",
     .kind = OptionKind::integer,
     .value = "N",
     .default_value = "1",
     .help = "send the message, or all lines, N times",
     .minimum = 1,
     .short_name = 'n'},
    {.name = "persistent",
     .kind = OptionKind::choice,
     .value = "true|false",
     .default_value = "true",
     .help = "the message survives a restart of the broker",
     .choices = "true|false"},
    {.name = "header",
     .value = "NAME=VALUE",
     .help = "add a header",
     .short_name = 'H',
     .repeatable = true},
    {.name = "priority",
     .kind = OptionKind::integer,
     .value = "0..9",
     .help = "9 goes first; brokers take 4 for none",
     .maximum = 9},
    {.name = "ttl", .kind = OptionKind::seconds, .value = "SECONDS", .help = "the message expires"},
    {.name = "receipt",
     .kind = OptionKind::choice,
     .value = "true|false",
     .default_value = "true",
     .help = "wait until the broker has it safe",
     .choices = "true|false"},
    {.name = "transaction",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "commit every N messages, and at the end",
     .minimum = 1},
    kTimeoutOption,
    kLoginOption,
    kPasscodeOption,
    kVirtualHostOption,
    kClientIdOption,
    kJsonOption,
    kHelpOption,
};

/// Sends frames and keeps count of the receipts that are still to come.
class Sender {
 public:
  Sender(StompClient client, const Arguments& arguments)
      : client_(std::move(client)),
        receipts_(arguments.text("receipt") == "true"),
        text_(arguments.given("body") || arguments.flag("lines")),
        transaction_(arguments.number("transaction")),
        timeout_(milliseconds(static_cast<std::int64_t>(arguments.seconds("timeout") * 1000))) {}

  Outcome<void> send(Frame frame) {
    if (transaction_ > 0) {
      if (in_transaction_ == 0) {
        if (auto begun = client_.send({"BEGIN", {{"transaction", name()}}, {}}); !begun) {
          return begun;
        }
      }
      frame.headers.emplace_back("transaction", name());
    } else if (receipts_) {
      frame.headers.emplace_back("receipt", next_receipt());
    }
    // What has a length is bytes to ActiveMQ's clients and to Pabal.
    const bool as_text = text_ && frame.body.find('\0') == std::string::npos;
    if (auto sent = client_.send(frame, !as_text); !sent) return sent;
    ++sent_;
    if (transaction_ > 0 && ++in_transaction_ == transaction_) return commit();
    return await_all_but(kWindow);
  }

  /// Everything is answered when this is.
  Outcome<void> finish() {
    if (in_transaction_ > 0) {
      if (auto committed = commit(); !committed) return committed;
    }
    if (auto answered = await_all_but(0); !answered) return answered;
    // Without receipts, too: a broker that refused something should be heard.
    return client_.disconnect(timeout_);
  }

  std::uint64_t sent() const noexcept { return sent_; }

 private:
  std::string name() const { return "t" + std::to_string(transactions_); }
  std::string next_receipt() { return "r" + std::to_string(asked_++); }

  Outcome<void> commit() {
    Frame frame{"COMMIT", {{"transaction", name()}}, {}};
    if (receipts_) frame.headers.emplace_back("receipt", next_receipt());
    in_transaction_ = 0;
    ++transactions_;
    if (auto sent = client_.send(frame); !sent) return sent;
    return await_all_but(0);
  }

  Outcome<void> await_all_but(std::uint64_t open) {
    while (asked_ - answered_ > open) {
      if (auto came = client_.await_receipt("r" + std::to_string(answered_), timeout_); !came) {
        return came;
      }
      ++answered_;
    }
    return {};
  }

  StompClient client_;
  bool receipts_;
  bool text_;
  std::uint64_t transaction_;
  milliseconds timeout_;
  std::uint64_t sent_ = 0;
  std::uint64_t in_transaction_ = 0;
  std::uint64_t transactions_ = 0;
  std::uint64_t asked_ = 0;
  std::uint64_t answered_ = 0;
};

Outcome<std::vector<std::string>> read_bodies(const Arguments& arguments, Terminal& terminal) {
  if (arguments.given("body") && arguments.given("file")) {
    return Failure{ExitCode::usage, "--body and --file exclude each other"};
  }
  std::string input;
  if (arguments.given("body")) {
    input = arguments.text("body");
  } else if (arguments.given("file")) {
    std::ifstream file(arguments.text("file"), std::ios::binary);
    if (!file) {
      return Failure{ExitCode::failed, "cannot read " + arguments.text("file")};
    }
    input.assign(std::istreambuf_iterator<char>(file), {});
  } else {
    input.assign(std::istreambuf_iterator<char>(terminal.in), {});
  }
  std::vector<std::string> bodies;
  if (!arguments.flag("lines")) {
    bodies.push_back(std::move(input));
    return bodies;
  }
  for (std::size_t at = 0; at < input.size();) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    bodies.push_back(input.substr(at, end - at));
    at = end + 1;
  }
  return bodies;
}

Outcome<Frame> make_frame(const Arguments& arguments) {
  Frame frame{"SEND", {{"destination", arguments.text("destination")}}, {}};
  if (arguments.text("persistent") == "true") frame.headers.emplace_back("persistent", "true");
  if (arguments.given("priority")) {
    frame.headers.emplace_back("priority", arguments.text("priority"));
  }
  if (arguments.given("ttl")) {
    // ActiveMQ and Pabal want the moment, RabbitMQ the time left.
    const auto left = static_cast<std::int64_t>(arguments.seconds("ttl") * 1000);
    const auto now = std::chrono::duration_cast<milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    frame.headers.emplace_back("expires", std::to_string(now.count() + left));
    frame.headers.emplace_back("expiration", std::to_string(left));
  }
  for (const std::string& header : arguments.all("header")) {
    const std::size_t equals = header.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Failure{ExitCode::usage, "--header takes NAME=VALUE, not '" + header + "'"};
    }
    frame.headers.emplace_back(header.substr(0, equals), header.substr(equals + 1));
  }
  return frame;
}

int run_send(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto fail = [&](const Failure& failure) { return report(failure, "send", json, terminal); };
  if (!arguments.given("destination")) {
    return fail({ExitCode::usage, "--destination is missing: where to? Such as /queue/hello"});
  }
  auto frame = make_frame(arguments);
  if (!frame) return fail(frame.error());
  const auto bodies = read_bodies(arguments, terminal);
  if (!bodies) return fail(bodies.error());
  auto client = connect_as(arguments);
  if (!client) return fail(client.error());
  Sender sender(std::move(*client), arguments);
  for (std::uint64_t i = 0; i < arguments.number("count"); ++i) {
    for (const std::string& body : *bodies) {
      frame->body = body;
      if (auto sent = sender.send(*frame); !sent) return fail(sent.error());
    }
  }
  if (auto finished = sender.finish(); !finished) return fail(finished.error());
  const bool safe = arguments.text("receipt") == "true";
  if (json) {
    JsonWriter writer;
    writer.begin_object().number("sent", sender.sent()).boolean("receipts", safe).end_object();
    terminal.out << writer.str() << '\n';
  } else {
    terminal.out << "sent " << sender.sent() << (sender.sent() == 1 ? " message" : " messages")
                 << " to " << arguments.text("destination") << '\n';
  }
  return 0;
}

}  // namespace

constinit const Command kSendCommand{
    .name = "send",
    .operands = "",
    .summary = "send messages to a queue or topic of any STOMP broker",
    .text =
        "Sends one message, or one per line of the input, and waits until the broker has\n"
        "confirmed every one of them.",
    .examples =
        "  pabal send -d /queue/orders --body '{\"id\": 7}' -H type=order\n"
        "  pabal send -d /queue/lines --lines < orders.txt\n"
        "  pabal send -d /topic/news --body hi --persistent false\n"
        "  pabal send -d /queue/all-or-nothing --lines --transaction 1000 -f orders.txt",
    .options = kOptions,
    .run = run_send,
};

}  // namespace pabal::cli
