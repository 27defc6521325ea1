#include <cstdio>
#include <ostream>

#include "server/cli/bench/options.h"
#include "server/cli/bench/run.h"
#include "server/cli/command.h"
#include "server/cli/json.h"

namespace pabal::cli {
namespace {

using bench::RunProgress;
using bench::RunResult;
using bench::Scenario;

std::string format(const char* pattern, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

double mebibytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / (1024.0 * 1024.0);
}

/// What costs are counted by: messages sent, or received where nobody sends.
std::uint64_t messages(const RunResult& result) {
  return result.sent > 0 ? result.sent : result.delivered;
}

double per_million(double seconds, std::uint64_t messages) {
  return messages == 0 ? 0 : seconds * 1e6 / static_cast<double>(messages);
}

constexpr struct {
  const char* name;
  double fraction;
} kQuantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

void print_json(const RunResult& result, std::ostream& out) {
  JsonWriter json;
  json.begin_object();
  json.boolean("good", result.good()).text("broker", result.broker);
  json.number("sent", result.sent).number("confirmed", result.confirmed);
  json.number("expected", result.expected).number("delivered", result.delivered);
  json.number("missing", result.missing).number("unconfirmed", result.unconfirmed);
  json.number("duplicates", result.findings.duplicates);
  json.number("reordered", result.findings.reordered);
  json.number("damaged", result.findings.damaged).number("foreign", result.findings.foreign);
  json.number("seconds", result.seconds, 6).number("send_seconds", result.send_seconds, 6);
  json.number("messages_per_second", result.rate(), 1);
  json.number("generator_cpu_seconds_per_million",
              per_million(result.generator_cpu_seconds, messages(result)), 3);
  if (result.broker_measured) {
    json.begin_object("broker_process");
    json.number("cpu_seconds", result.broker_cpu_seconds, 2);
    json.number("cpu_seconds_per_million", per_million(result.broker_cpu_seconds, messages(result)),
                3);
    json.number("resident_bytes_start", result.resident_start);
    json.number("resident_bytes_end", result.resident_end);
    json.number("resident_bytes_peak", result.resident_peak);
    json.end_object();
  }
  if (result.latencies.count() > 0) {
    json.begin_object("latency_ms");
    for (const auto& [name, fraction] : kQuantiles) {
      json.number(name, static_cast<double>(result.latencies.quantile(fraction)) / 1e6, 4);
    }
    json.number("max", static_cast<double>(result.latencies.maximum()) / 1e6, 4);
    json.end_object();
  }
  if (result.idle.wanted > 0) {
    json.begin_object("idle");
    json.number("served", std::uint64_t{result.idle.served});
    json.number("refused", std::uint64_t{result.idle.refused});
    json.number("seconds", result.idle.seconds, 3);
    json.number("broker_cpu_seconds", result.idle.broker_cpu_seconds, 2);
    json.number("resident_bytes_each", result.idle.bytes_each);
    json.end_object();
  }
  if (!result.failure.empty()) json.text("failure", result.failure);
  json.end_object();
  out << json.str() << '\n';
}

std::string verdict(const RunResult& result) {
  if (result.good()) return "good: nothing lost, doubled or out of order";
  std::string text = "NOT GOOD:";
  const auto blame = [&](const char* what, std::uint64_t count) {
    if (count > 0) text += format(" %s %llu", what, static_cast<unsigned long long>(count));
  };
  blame("missing", result.missing);
  blame("unconfirmed", result.unconfirmed);
  blame("duplicates", result.findings.duplicates);
  blame("reordered", result.findings.reordered);
  blame("damaged", result.findings.damaged);
  blame("not served", result.idle.wanted - result.idle.served);
  if (!result.failure.empty()) text += " (" + result.failure + ")";
  return text;
}

void print_text(const RunResult& result, std::ostream& out) {
  const auto line = [&](const char* name, const std::string& value) {
    out << format("%-12s ", name) << value << '\n';
  };
  if (result.idle.wanted > 0) {
    line("idle", format("%u of %u clients served in %.2f s, %u refused; broker cpu %.2f s, "
                        "%.1f KB each",
                        result.idle.served, result.idle.wanted, result.idle.seconds,
                        result.idle.refused, result.idle.broker_cpu_seconds,
                        static_cast<double>(result.idle.bytes_each) / 1024));
  }
  if (result.broker.empty()) {  // nobody else was there
    line("verdict", verdict(result));
    return;
  }
  line("broker", result.broker);
  line("rate", format("%.0f messages/s (%.2f s)", result.rate(), result.seconds));
  line("sent", format("%llu, %llu confirmed (%.2f s)", static_cast<unsigned long long>(result.sent),
                      static_cast<unsigned long long>(result.confirmed), result.send_seconds));
  if (result.expected > 0) {
    line("delivered", format("%llu of %llu", static_cast<unsigned long long>(result.delivered),
                             static_cast<unsigned long long>(result.expected)));
  }
  if (result.latencies.count() > 0) {
    std::string text;
    for (const auto& [name, fraction] : kQuantiles) {
      text += format("%s %.3f ms, ", name,
                     static_cast<double>(result.latencies.quantile(fraction)) / 1e6);
    }
    line("latency",
         text + format("max %.3f ms", static_cast<double>(result.latencies.maximum()) / 1e6));
  }
  if (result.broker_measured) {
    line("broker cpu", format("%.2f s, %.2f s per million messages", result.broker_cpu_seconds,
                              per_million(result.broker_cpu_seconds, messages(result))));
    line("broker mem", format("%.1f MB at the start, %.1f at most, %.1f at the end",
                              mebibytes(result.resident_start), mebibytes(result.resident_peak),
                              mebibytes(result.resident_end)));
  }
  line("own cpu", format("%.2f s, %.2f s per million messages", result.generator_cpu_seconds,
                         per_million(result.generator_cpu_seconds, messages(result))));
  line("verdict", verdict(result));
  if (result.findings.foreign > 0) {
    line("note", format("%llu messages of other runs were there; they were received, too",
                        static_cast<unsigned long long>(result.findings.foreign)));
  }
}

int run_bench(const Arguments& arguments, Terminal& terminal) {
  const bool json = arguments.flag("json");
  const auto scenario = bench::read_scenario(arguments);
  if (!scenario) return report(scenario.error(), "bench", json, terminal);
  std::function<void(const RunProgress&)> progress;
  if (!arguments.flag("quiet") && !json) {
    progress = [&](const RunProgress& now) {
      terminal.err << format("%6.1f s  sent %llu  confirmed %llu  delivered %llu", now.seconds,
                             static_cast<unsigned long long>(now.sent),
                             static_cast<unsigned long long>(now.confirmed),
                             static_cast<unsigned long long>(now.delivered));
      if (now.resident > 0) terminal.err << format("  broker %.0f MB", mebibytes(now.resident));
      terminal.err << std::endl;
    };
  }
  const auto result = bench::run(*scenario, progress);
  if (!result) return report(result.error(), "bench", json, terminal);
  if (json) {
    print_json(*result, terminal.out);
  } else {
    print_text(*result, terminal.out);
  }
  return static_cast<int>(result->good() ? ExitCode::ok : ExitCode::failed);
}

}  // namespace

constinit const Command kBenchCommand{
    .name = "bench",
    .operands = "",
    .summary = "load a broker, any that speaks STOMP or MQTT, and verify what comes back",
    .text =
        "Sends and receives as fast as it goes, or at a rate, and checks that every message came\n"
        "exactly once, whole, and in its producer's order within a priority. Reports messages per\n"
        "second and, with --broker-pid, what they cost the broker. The exit code is 1 if anything\n"
        "was lost, doubled, reordered or left unanswered.",
    .examples =
        "  pabal bench --count 1000000                          1 to 1, receipts with window 100\n"
        "  pabal bench --window 1 -n 20000                      wait for every receipt\n"
        "  pabal bench -p 10 -c 10 --ack individual             ten to ten, one ACK each\n"
        "  pabal bench --transaction 100                        100 messages per commit\n"
        "  pabal bench --destination /topic/t -c 10 --persistent false --window 0\n"
        "  pabal bench --rate 2000 --duration 10 --persistent false          latency\n"
        "  pabal bench -c 0 -n 1000000; pabal bench -p 0 -n 1000000          fill, then drain\n"
        "  pabal bench --url mqtt://127.0.0.1:1883 --qos 1 --window 20            MQTT\n"
        "  pabal bench --url mqtt://127.0.0.1 --qos 0 --in-flight 50 -c 100       fan-out\n"
        "  pabal bench --url mqtt://127.0.0.1 -p 10 -c 10 --destinations 10 --qos 2   pairs\n"
        "  pabal bench --url mqtt://127.0.0.1 --idle 10000                 connection storm\n"
        "  pabal bench --url mqtt://127.0.0.1 --durable --offline -p 10 -n 300000;\n"
        "  pabal bench --url mqtt://127.0.0.1 --durable -p 0 -n 300000   offline session\n"
        "  pabal bench --url stomp://guest:guest@127.0.0.1:61613 --virtual-host /   RabbitMQ",
    .options = bench::kBenchOptions,
    .run = run_bench,
};

}  // namespace pabal::cli
