// oneDNN's first product, made where its failure can be told.
#pragma once
#include <string>

namespace seqgrad {

// Before a thread's product in float32: the first call lets oneDNN make the machine code of its products, which takes
// 17 MB at once. oneDNN 2.6 looks at no result of its mmap and ends in SIGSEGV where memory is short (ulimit -v, or a
// system that has no more): then this throws SystemError, here and ever after.
void start_onednn();

std::string onednn_version();  // "2.6.0", and the commit that it was built from

}  // namespace seqgrad
