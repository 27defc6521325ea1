#include "server/cli/connect_arguments.h"

namespace pabal::cli {

Outcome<StompClient> connect_as(const Arguments& arguments) {
  const auto endpoint = parse_url(arguments.text("url"));
  if (!endpoint) return endpoint.error();
  ConnectOptions options;
  options.login = arguments.text("login");
  options.passcode = arguments.text("passcode");
  options.virtual_host = arguments.text("virtual-host");
  options.client_id = arguments.text("client-id");
  options.timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(arguments.seconds("timeout") * 1000));
  return StompClient::connect(*endpoint, options);
}

}  // namespace pabal::cli
