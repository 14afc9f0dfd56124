// Bounds on time. Only a quiet machine keeps them, so they are looked at where SEQGRAD_TIMING is set: `ctest -L
// timing`.
#pragma once
#include <cstdlib>

#include "tests/support/catch.h"

inline bool is_timed() { return std::getenv("SEQGRAD_TIMING") != nullptr; }

#define CHECK_SECONDS(seconds, most)     \
  do {                                   \
    const double taken = (seconds);      \
    INFO(taken << " s");                 \
    if (is_timed()) CHECK(taken < most); \
  } while (false)
