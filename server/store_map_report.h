#pragma once

#include <string>

#include <Poco/JSON/Object.h>

#include "store/store_map.h"

namespace pabal::server {

/// The JSON of /api/store/map and of `pabal store map --json`: `totals` by destination and
/// subscription, and the `segments` with theirs.
Poco::JSON::Object::Ptr store_map_json(const store::MapReport& report);

}  // namespace pabal::server
