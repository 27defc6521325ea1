#include <sstream>

#include "server/config/generate.h"
#include "server/config/option_table.h"
#include "server/config/reading.h"

namespace pabal::server {
namespace {

constexpr std::string_view kHead = R"(# What may stand in a configuration file

Made from the option table in `server/config` (`make conf`), as are `pabal.xml` and `pabal.xsd`.
`pabal check FILE` says, with file, line and column, what of a file is not honoured, and why.

- **Names** are ActiveMQ's (namespace `http://activemq.apache.org/schema/core`); elements that begin
  with `pabal` are Pabal's own. The root is `broker`, or Spring's `beans` with a `broker` in it.
- **Placeholders** `${name}` and `${name:default}`: from `-D name=value`, then the files of a
  `PropertyPlaceholderConfigurer`, then the environment variable of exactly that name, then the
  built-in `activemq.home` and `activemq.base` (the current directory), `activemq.conf` (the directory
  of the file) and `activemq.data` (`-d`, else `data`), then the default. One without a value is an error.
- **-d DIRECTORY** wins: a `dataDirectory`, and a `directory` of the store outside of it, are replaced.
- **Memory sizes** are digits and a unit b, k, kb, m, mb, g or gb in any case, base 1024. **Booleans**
  are true, false, 1 and 0.
- **Unknown** elements and attributes are errors, as in ActiveMQ; unknown options of a connector's URI
  are ignored with a warning.
- **Guards of access** that are not built (authentication, authorization, TLS, plugins in Java) stop
  `serve` unless `--insecure` is given. A TLS port is never opened without TLS.
- **jetty.xml**, if imported, gives the host and port of HTTP; if it asks for a login, the port stays
  closed (`--insecure` opens it), because logins are not built. A file without a word about HTTP opens
  no HTTP port, unless `-D http.port=…` says one.
- **Nothing** is loaded from a URL; a DOCTYPE is refused.

## Honoured

| element | attribute or URI option | type | default | allowed | reload | meaning |
|---|---|---|---|---|---|---|
)";

std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string code(std::string_view text) {
  return text.empty() ? "" : '`' + cell(text) + '`';
}

std::string shown_name(const Option& option) {
  std::string name(option.name);
  return name.starts_with("uri?") ? "uri ?" + name.substr(4) : name;
}

std::string_view word(Status status) {
  switch (status) {
    case Status::honoured:
      return "honoured";
    case Status::not_yet:
      return "not yet";
    case Status::meaningless:
      return "no meaning";
    case Status::guard:
      return "guard, not yet";
  }
  PABAL_UNREACHABLE();
}

void honoured_rows(std::ostream& out) {
  for (const Option& option : option_rows()) {
    if (option.status != Status::honoured) continue;
    std::string range = allowed(option);
    if (option.cap != 0) range += "; above 1 GB lowered with a warning";
    out << "| " << option.owner << " | " << code(shown_name(option)) << " | "
        << to_string(option.type) << " | " << code(option.default_text) << " | " << cell(range)
        << " | " << (option.reloadable ? "yes" : "restart") << " | " << cell(option.text) << " |\n";
  }
}

void unmet_row(std::ostream& out, const Option& option) {
  out << "| " << code(shown_name(option)) << " | " << to_string(option.type) << " | "
      << code(option.default_text) << " | " << cell(option.text) << " | " << word(option.status)
      << " | " << cell(option.why);
  if (!option.agrees.empty()) out << " (so " << code(option.agrees) << " is as asked)";
  out << " |\n";
}

void unmet_of(std::ostream& out, const Shape& shape) {
  std::vector<Option> unmet;
  for (const Option& option : options_of(shape)) {
    if (option.status != Status::honoured) unmet.push_back(option);
  }
  for (const Option& option : option_rows()) {
    const bool uri = option.owner == shape.name && option.name.starts_with("uri?");
    if (uri && option.status != Status::honoured) unmet.push_back(option);
  }
  const Standing standing = standing_of(shape.name);
  if (unmet.empty() && standing.status == Status::honoured) return;
  out << "\n### " << shape.name << "\n\n";
  if (standing.status != Status::honoured) {
    out << "Element: " << reason_text(standing.status, standing.why) << ".\n\n";
  }
  // Where every attribute shares the element's reason and nothing more is known, a list is enough.
  bool plain = standing.status != Status::honoured;
  for (const Option& option : unmet) {
    plain =
        plain && option.text.empty() && option.default_text.empty() && option.why == standing.why;
  }
  if (unmet.empty()) return;
  if (plain) {
    out << "Attributes:";
    for (const Option& option : unmet) out << ' ' << code(option.name);
    out << '\n';
    return;
  }
  out << "| attribute or URI option | type | default | meaning | standing | reason |\n"
         "|---|---|---|---|---|---|\n";
  for (const Option& option : unmet) unmet_row(out, option);
}

}  // namespace

std::string generate_reference() {
  std::ostringstream out;
  out << kHead;
  honoured_rows(out);
  out << "\n## Known, and not honoured\n\n"
         "ActiveMQ's default is given, not what Pabal does. A value that asks for what Pabal does "
         "anyway is not reported.\n";
  for (const Shape& shape : shapes()) unmet_of(out, shape);
  return out.str();
}

}  // namespace pabal::server
