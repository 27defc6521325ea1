#pragma once

#include <memory>

#include "store/index/key_value.h"

namespace leveldb {
class Env;
}

namespace pabal::store {

/// LevelDB on files of somebody else's making, for tests. `env` outlives what is opened.
std::unique_ptr<KeyValueFactory> make_leveldb_factory(leveldb::Env& env);

}  // namespace pabal::store
