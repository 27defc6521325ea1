#include "server/config/check_command.h"

#include <ostream>
#include <sstream>

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

namespace pabal::server {
namespace {

struct Counts {
  std::size_t errors = 0;
  std::size_t guards = 0;
  std::size_t warnings = 0;
  std::size_t notes = 0;
};

Counts count(const std::vector<Finding>& findings) {
  Counts counts;
  for (const Finding& finding : findings) {
    switch (finding.severity) {
      case Severity::error:
        ++counts.errors;
        break;
      case Severity::guard:
        ++counts.guards;
        break;
      case Severity::warning:
        ++counts.warnings;
        break;
      case Severity::note:
        ++counts.notes;
        break;
    }
  }
  return counts;
}

void print_json(const CheckOptions& options, const std::vector<Finding>& findings, bool ok,
                std::ostream& out) {
  Poco::JSON::Object document;
  document.set("file", options.file);
  document.set("ok", ok);
  const Counts counts = count(findings);
  document.set("errors", counts.errors);
  document.set("guards", counts.guards);
  document.set("warnings", counts.warnings);
  document.set("notes", counts.notes);
  Poco::JSON::Array list;
  for (const Finding& finding : findings) {
    Poco::JSON::Object entry;
    entry.set("file", finding.location.file);
    entry.set("line", finding.location.line);
    entry.set("column", finding.location.column);
    entry.set("severity", std::string(to_string(finding.severity)));
    entry.set("path", finding.path);
    entry.set("text", finding.text);
    list.add(entry);
  }
  document.set("findings", list);
  std::ostringstream text;
  document.stringify(text, 2);
  out << text.str() << '\n';
}

void print_text(const CheckOptions& options, const std::vector<Finding>& findings,
                std::ostream& out) {
  for (const Finding& finding : findings) out << finding.to_text() << '\n';
  const Counts counts = count(findings);
  out << options.file << ": " << counts.errors << " errors, " << counts.guards
      << " guards of access not built (serve needs --insecure), " << counts.warnings
      << " warnings, " << counts.notes << " notes\n";
}

}  // namespace

int run_check(const CheckOptions& options, std::ostream& out, std::ostream& err) {
  LoadOptions load = options.load;
  load.guards_as_findings = true;
  try {
    const LoadedConfig loaded = examine_config(options.file, load);
    const Counts counts = count(loaded.findings);
    // As serve judges: a guard of access that is not built stops the start, too.
    const bool ok =
        counts.errors == 0 && counts.guards == 0 && (!options.strict || loaded.findings.empty());
    if (options.json) {
      print_json(options, loaded.findings, ok, out);
    } else {
      print_text(options, loaded.findings, out);
    }
    return ok ? 0 : 1;
  } catch (const Poco::Exception& problem) {  // from the JSON library only
    err << options.file << ": " << problem.displayText() << '\n';
    return 1;
  }
}

}  // namespace pabal::server
