// A file of tensors: refused in words, or its tensors fill it exactly.
#include "engine/io/safetensors.h"
#include "tests/fuzz/targets.h"

using namespace seqgrad;

void fuzz_safetensors(std::string_view input) {
  try {
    const SafetensorsFile f = parse_safetensors("model.safetensors", input);
    size_t bytes = 0;
    for (const NamedArray& t : f.tensors) {
      require(t.bytes.size() == static_cast<size_t>(t.numel()) * size_of(t.dtype), "bytes fit the shape");
      require(&f.at(t.name) == &t, "names are distinct");
      bytes += t.bytes.size();
    }
    require(input.substr(input.size() - bytes).size() == bytes, "tensors lie in the file");
  } catch (const InputError& e) {
    check_message(e.what());
  }
}
