#pragma once

#include <string>

namespace pabal::server {

/// The files in conf/, made from the option table. `make conf` and tools/ write them; a test
/// compares them.
std::string generate_sample();     ///< conf/pabal.xml
std::string generate_schema();     ///< conf/pabal.xsd
std::string generate_reference();  ///< conf/REFERENCE.md

}  // namespace pabal::server
