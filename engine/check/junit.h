// Reports in the XML form that CI servers read.
#pragma once
#include <string>
#include <vector>

#include "engine/check/check_case.h"

namespace seqgrad {

// One <testsuite> "seqgrad check": a case that differs is a <failure>, one that cannot be read an <error>.
std::string junit_xml(const std::vector<CaseReport>& reports);

}  // namespace seqgrad
