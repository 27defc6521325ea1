#include <cstdio>
#include <fstream>
#include <string>

#include "server/config/generate.h"

/// Writes conf/pabal.xml, conf/pabal.xsd and conf/REFERENCE.md from the option table.
int main(int count, char** words) {
  if (count != 2) {
    std::fprintf(stderr, "usage: pabal_write_conf DIRECTORY\n");
    return 2;
  }
  const auto write = [directory = std::string(words[1])](const char* name,
                                                         const std::string& text) {
    std::ofstream file(directory + '/' + name, std::ios::binary);
    file << text;
    file.close();
    if (!file)
      std::fprintf(stderr, "pabal_write_conf: %s/%s cannot be written\n", directory.c_str(), name);
    return !file.fail();
  };
  using namespace pabal::server;
  const bool sample = write("pabal.xml", generate_sample());
  const bool schema = write("pabal.xsd", generate_schema());
  const bool reference = write("REFERENCE.md", generate_reference());
  return sample && schema && reference ? 0 : 1;
}
