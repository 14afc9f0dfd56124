// The style sheet and script of explain's page: the files of engine/teach/page/, which the build turns into texts.
#pragma once
#include <string_view>

namespace seqgrad {

extern const std::string_view page_style, page_script;

}  // namespace seqgrad
