// It may run before main: it uses nothing that is set up there.
#include "engine/core/registry.h"

#include <cstdio>
#include <cstdlib>

namespace seqgrad {

void registered_twice(const char* what, const std::string& name, const char* first_file, const char* second_file) {
  std::fprintf(stderr, "seqgrad: %s '%s' is registered twice", what, name.c_str());
  if (first_file && second_file) std::fprintf(stderr, ": by %s and by %s", first_file, second_file);
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace seqgrad
