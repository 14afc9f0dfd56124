// The manual page of seqgrad, from the tables of its commands.
#pragma once
#include <string>

namespace seqgrad {

std::string man_page(const std::string& date);  // in roff; the date as 2026-11-29

}  // namespace seqgrad
