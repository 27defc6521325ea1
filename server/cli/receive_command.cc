#include <chrono>
#include <ostream>

#include "server/cli/command.h"
#include "server/cli/connect_arguments.h"
#include "server/cli/json.h"
#include "server/cli/stomp_client.h"

namespace pabal::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr Option kOptions[] = {
    kUrlOption,
    {.name = "destination",
     .value = "NAME",
     .help = "where from: /queue/NAME, /topic/NAME",
     .short_name = 'd'},
    {.name = "count",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "stop after N messages (default: go on until --wait ends it, or a signal)",
     .minimum = 1,
     .short_name = 'n'},
    {.name = "wait",
     .kind = OptionKind::seconds,
     .value = "SECONDS",
     .help = "stop when nothing came for so long (default: wait for ever)",
     .short_name = 'w'},
    {.name = "ack",
     .kind = OptionKind::choice,
     .value = "MODE",
     .default_value = "individual",
     .help = "auto: the broker forgets a message when it has sent it; client, individual: when "
             "it was printed",
     .choices = "auto|client|individual"},
    {.name = "nack",
     .kind = OptionKind::flag,
     .help = "refuse the messages instead of acknowledging them: Pabal and ActiveMQ move them to "
             "the dead-letter queue"},
    {.name = "durable",
     .value = "NAME",
     .help = "durable subscription of a topic; needs --client-id"},
    {.name = "selector", .value = "TEXT", .help = "take only what matches: \"type = 'order'\""},
    {.name = "prefetch",
     .kind = OptionKind::integer,
     .value = "N",
     .help = "unacknowledged messages at a time (default: --count if given)",
     .minimum = 1,
     .maximum = 1'000'000},
    {.name = "body-only",
     .kind = OptionKind::flag,
     .help = "print bodies as they are, one after the other, each with a line end"},
    kTimeoutOption,
    kLoginOption,
    kPasscodeOption,
    kVirtualHostOption,
    kClientIdOption,
    kJsonOption,
    kHelpOption,
};

Outcome<Frame> make_subscribe(const Arguments& arguments) {
  if (!arguments.given("destination")) {
    return Failure{ExitCode::usage, "--destination is missing: where from? Such as /queue/hello"};
  }
  const std::string ack = arguments.text("ack");
  if (arguments.flag("nack") && ack == "auto") {
    return Failure{ExitCode::usage, "--nack needs --ack client or individual"};
  }
  Frame frame{"SUBSCRIBE",
              {{"id", "0"},
               {"destination", arguments.text("destination")},
               {"ack", ack == "individual" ? "client-individual" : ack},
               {"receipt", "subscribed"}},
              {}};
  if (arguments.given("durable")) {
    if (!arguments.given("client-id")) {
      return Failure{ExitCode::usage, "--durable needs --client-id: both name the subscription"};
    }
    frame.headers.emplace_back("activemq.subscriptionName", arguments.text("durable"));
    frame.headers.emplace_back("durable", "true");  // RabbitMQ
    frame.headers.emplace_back("auto-delete", "false");
  }
  if (arguments.given("selector")) {
    frame.headers.emplace_back("selector", arguments.text("selector"));
  }
  // What is not taken stays with the broker, in its order and not marked as redelivered.
  const std::uint64_t prefetch =
      arguments.given("prefetch") ? arguments.number("prefetch") : arguments.number("count");
  if (prefetch > 0) {
    frame.headers.emplace_back("activemq.prefetchSize", std::to_string(prefetch));
    frame.headers.emplace_back("prefetch-count", std::to_string(prefetch));
  }
  return frame;
}

void print(const Frame& message, const Arguments& arguments, std::ostream& out) {
  if (arguments.flag("json")) {
    JsonWriter json;
    json.begin_object().begin_object("headers");
    for (const auto& [name, value] : message.headers) {
      if (message.header(name)->data() == value.data()) json.text(name, value);  // the first counts
    }
    json.end_object().text("body", message.body).end_object();
    out << json.str() << '\n';
  } else if (arguments.flag("body-only")) {
    out << message.body << '\n';
  } else {
    for (const auto& [name, value] : message.headers) out << name << ": " << value << '\n';
    out << '\n' << message.body << "\n\n";
  }
  out.flush();
}

/// ACK or NACK of one message: by the ack header in 1.2, which every broker gives unless auto.
Outcome<void> answer(StompClient& client, const Frame& message, const Arguments& arguments) {
  if (arguments.text("ack") == "auto") return {};
  const auto id = message.header("ack");
  if (!id) {
    return Failure{ExitCode::refused, "the broker sent a MESSAGE without an ack header"};
  }
  return client.send({arguments.flag("nack") ? "NACK" : "ACK", {{"id", std::string(*id)}}, {}});
}

Outcome<std::uint64_t> receive_all(StompClient& client, const Arguments& arguments,
                                   Terminal& terminal) {
  const std::uint64_t count = arguments.number("count");
  const auto wait = milliseconds(static_cast<std::int64_t>(arguments.seconds("wait") * 1000));
  std::uint64_t received = 0;
  while (count == 0 || received < count) {
    auto message = client.receive(arguments.given("wait") ? wait : milliseconds(1'000'000));
    if (!message) return message.error();
    if (!message->has_value()) {
      if (arguments.given("wait")) break;
      continue;
    }
    print(**message, arguments, terminal.out);
    if (!terminal.out) {
      return Failure{ExitCode::failed,
                     "cannot write the output; the last message is not "
                     "acknowledged"};
    }
    if (auto answered = answer(client, **message, arguments); !answered) return answered.error();
    ++received;
  }
  return received;
}

int run_receive(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto fail = [&](const Failure& failure) {
    return report(failure, "receive", json, terminal);
  };
  const auto subscribe = make_subscribe(arguments);
  if (!subscribe) return fail(subscribe.error());
  auto client = connect_as(arguments);
  if (!client) return fail(client.error());
  const auto timeout = milliseconds(static_cast<std::int64_t>(arguments.seconds("timeout") * 1000));
  if (auto sent = client->send(*subscribe); !sent) return fail(sent.error());
  if (auto done = client->await_receipt("subscribed", timeout); !done) return fail(done.error());
  const auto received = receive_all(*client, arguments, terminal);
  if (!received) return fail(received.error());
  if (auto done = client->disconnect(timeout); !done) return fail(done.error());
  if (arguments.given("count") && *received < arguments.number("count")) {
    return fail({ExitCode::timed_out,
                 std::to_string(*received) + " of " + arguments.text("count") + " messages came"});
  }
  return 0;
}

}  // namespace

constinit const Command kReceiveCommand{
    .name = "receive",
    .operands = "",
    .summary = "print messages of a queue or topic of any STOMP broker",
    .text =
        "Subscribes and prints what comes: headers and body, one JSON object per line with\n"
        "--json, or bodies only. A message is acknowledged after it was printed. With --count\n"
        "and --wait together the exit code is 5 if fewer messages came.",
    .examples =
        "  pabal receive -d /queue/orders --count 1\n"
        "  pabal receive -d /queue/orders --wait 1 --body-only > orders.txt\n"
        "  pabal receive -d /topic/news --json\n"
        "  pabal receive -d /topic/news --durable desk --client-id berlin --wait 5\n"
        "  pabal receive -d /queue/orders --nack --count 1        to the dead-letter queue",
    .options = kOptions,
    .run = run_receive,
};

}  // namespace pabal::cli
