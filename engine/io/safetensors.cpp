// The header is read through SAX events: no tree, no silent narrowing, no recursion on what a file says.
#include "engine/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/io/file_kind.h"
#include "engine/io/files.h"
#include "engine/io/half_floats.h"
#include "engine/io/output.h"
#include "engine/text/numbers.h"
#include "engine/text/utf8.h"

namespace seqgrad {
namespace {

constexpr size_t largest_header = size_t{16} << 20;  // what a header can take in memory is some ten times its size

// Checksums stand in the metadata: of each tensor's bytes under "xxh64:NAME", and under "xxh64" of the header itself,
// as it is with zeros in the place of that one.
const std::string tensor_checksum = "xxh64:", header_checksum = "xxh64";
const std::string header_checksum_text = "\"xxh64\":\"", no_checksum(16, '0');

struct TypeName {
  const char* name;
  DType dtype;
  std::optional<HalfKind> half = {};  // what stands in the file, where it is that

  size_t bytes() const { return half ? sizeof(uint16_t) : size_of(dtype); }
};
const TypeName type_names[] = {{"F32", DType::f32},
                               {"F64", DType::f64},
                               {"I32", DType::i32},
                               {"I64", DType::i64},
                               {"U8", DType::u8},
                               {"BOOL", DType::u8},
                               {"F16", DType::f32, HalfKind::f16},
                               {"BF16", DType::f32, HalfKind::bf16}};

struct Entry {
  NamedArray tensor;
  std::string type;
  std::vector<uint64_t> offsets;
  bool has_shape = false;
};

// Accepts {"name": {"dtype": "F32", "shape": [..], "data_offsets": [a,b]}, "__metadata__": {"k": "v"}} and nothing
// else.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  Metadata metadata;
  std::string problem;

  bool null() override { return bad("null"); }
  bool boolean(bool) override { return bad("a truth value"); }
  bool number_integer(number_integer_t) override { return bad("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return bad("a fraction"); }
  bool binary(binary_t&) override { return bad("binary data"); }
  bool number_unsigned(number_unsigned_t x) override {
    if (!in_array_) return bad("a number");
    if (field_ == "shape") {
      if (x > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return bad("a dimension out of range");
      entries.back().tensor.shape.push_back(static_cast<int64_t>(x));
      return entries.back().tensor.shape.size() <= 8 || bad("more than 8 dimensions");
    }
    entries.back().offsets.push_back(x);
    return entries.back().offsets.size() <= 2 || bad("more than two offsets");
  }
  bool string(string_t& s) override {
    if (depth_ == 2 && in_metadata_ && !in_array_)
      return metadata.emplace(field_, s).second || bad("a metadata key twice");
    if (depth_ == 2 && field_ == "dtype" && !in_array_) {
      entries.back().type = s;
      return true;
    }
    return bad("text");
  }
  bool start_object(std::size_t) override {
    if (++depth_ > 2 || in_array_) return bad("a nested object");
    seen_.clear();
    return true;
  }
  bool end_object() override {
    const bool was_tensor = depth_-- == 2 && !in_metadata_;
    in_metadata_ = false;
    // Told here and not when all is read, so that a header of empty objects fills no memory.
    if (was_tensor && (entries.back().offsets.size() != 2 || !entries.back().has_shape || entries.back().type.empty()))
      problem = fmt::format("tensor '{}': dtype, shape and data_offsets are needed", shown(entries.back().tensor.name));
    return problem.empty();
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_ || (field_ != "shape" && field_ != "data_offsets"))
      return bad("a list");
    if (field_ == "shape") entries.back().has_shape = true;
    return in_array_ = true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool key(string_t& k) override {
    if (depth_ == 1) {
      in_metadata_ = k == "__metadata__";
      if (in_metadata_) return !saw_metadata_ ? (saw_metadata_ = true) : bad("two __metadata__ sections");
      entries.emplace_back();
      entries.back().tensor.name = k;
      return true;
    }
    field_ = k;
    if (in_metadata_) return true;
    if (k != "dtype" && k != "shape" && k != "data_offsets") return bad("an unknown key");
    if (std::find(seen_.begin(), seen_.end(), k) != seen_.end()) return bad("a key twice");
    seen_.push_back(k);
    return true;
  }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    problem = fmt::format("the header is not valid JSON at byte {}", at);
    return false;
  }

 private:
  bool bad(const char* what) {
    if (problem.empty())
      problem = entries.empty() ? fmt::format("the header holds {} where it may not", what)
                                : fmt::format("tensor '{}': the header holds {} where it may not",
                                              shown(entries.back().tensor.name), what);
    return false;
  }
  int depth_ = 0;
  bool in_array_ = false, in_metadata_ = false, saw_metadata_ = false;
  std::string field_;
  std::vector<std::string> seen_;
};

std::string checksum(std::string_view bytes) { return fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0)); }

// A file of another writer has no checksums; one of ours has all.
void check_checksums(const SafetensorsFile& file, std::string_view header) {
  const auto is_checksum = [](const auto& entry) {
    return entry.first == header_checksum || entry.first.starts_with(tensor_checksum);
  };
  if (std::none_of(file.metadata.begin(), file.metadata.end(), is_checksum)) return;
  const std::string path = shown_path(file.path);
  const auto whole = file.metadata.find(header_checksum);
  std::string blank(header);
  const size_t at = blank.find(header_checksum_text);
  if (whole == file.metadata.end() || at == std::string::npos)
    refuse("{}: error: the header's checksum is missing", path);
  blank.replace(at + header_checksum_text.size(), no_checksum.size(), no_checksum);
  for (const NamedArray& t : file.tensors) {
    const auto sum = file.metadata.find(tensor_checksum + t.name);
    if (sum == file.metadata.end()) refuse("{}: error: tensor '{}': its checksum is missing", path, shown(t.name));
    if (sum->second != checksum(t.bytes))
      refuse("{}: error: tensor '{}': the data differ from their checksum", path, shown(t.name));
  }
  if (whole->second != checksum(blank)) refuse("{}: error: the header differs from its checksum", path);
}

}  // namespace

int64_t NamedArray::numel() const {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

const NamedArray* SafetensorsFile::find(const std::string& name) const {
  for (const NamedArray& t : tensors)
    if (t.name == name) return &t;
  return nullptr;
}

const NamedArray& SafetensorsFile::at(const std::string& name) const {
  const NamedArray* found = find(name);
  if (!found) refuse("{}: error: tensor '{}' is missing", shown_path(path), shown(name));
  return *found;
}

void write_safetensors(const std::string& path, const std::vector<NamedArray>& tensors, Metadata metadata) {
  nlohmann::ordered_json header;
  for (const NamedArray& t : tensors) metadata[tensor_checksum + t.name] = checksum(t.bytes);
  metadata[header_checksum] = no_checksum;
  header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedArray& t : tensors) {
    const char* type = std::find_if(std::begin(type_names), std::end(type_names), [&](const TypeName& n) {
                         return n.dtype == t.dtype;
                       })->name;
    header[t.name] = {{"dtype", type}, {"shape", t.shape}, {"data_offsets", {offset, offset + t.bytes.size()}}};
    offset += t.bytes.size();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  text.replace(text.find(header_checksum_text) + header_checksum_text.size(), no_checksum.size(), checksum(text));
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
  std::vector<std::string_view> pieces{length, text};
  for (const NamedArray& t : tensors) pieces.push_back(t.bytes);
  write_output(path, pieces);
}

namespace {

// The header, which is an object; it stands behind its length in 8 bytes.
std::string_view header_of(const std::string& where, std::string_view bytes) {
  const auto refuse_other = [&] {  // before it is said what is wrong with it as what it is not
    if (const std::string kind = kind_of_file(bytes); !kind.empty())
      refuse("{}: error: expected a safetensors file, got {}", where, kind);
  };
  if (bytes.size() < 8) {
    refuse_other();
    refuse("{}: error: {} too few for a safetensors file", where,
           counted(static_cast<int64_t>(bytes.size()), "byte is", "bytes are"));
  }
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  constexpr uint64_t no_length = uint64_t{1} << 40;  // of a header; what stands there is another format's beginning
  if (bytes.size() == 8 || bytes[8] != '{' || length > no_length) refuse_other();
  if (length > bytes.size() - 8)
    refuse("{}: error: the header claims {} bytes, the file has {}", where, length, bytes.size() - 8);
  if (length > largest_header)
    refuse("{}: error: a header of {} bytes; at most {} are read", where, length, largest_header);
  const std::string_view header = bytes.substr(8, length);
  if (header.empty() || header[0] != '{' || utf8_error(header) != header.size())
    refuse("{}: error: the header is not valid JSON at byte 0", where);
  return header;
}

std::string widened(std::string_view bytes, HalfKind kind) {
  std::string out(2 * bytes.size(), '\0');
  for (size_t i = 0; i < bytes.size(); i += sizeof(uint16_t)) {
    uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + i, sizeof bits);
    const auto x = static_cast<float>(from_half(bits, kind));
    std::memcpy(out.data() + 2 * i, &x, sizeof x);
  }
  return out;
}

// Adds the tensors, in the order of their bytes, which have to be all of `data`, each once.
void add_tensors(const std::string& where, std::vector<Entry>& entries, std::string_view data, HalfFloats halves,
                 SafetensorsFile& file) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  uint64_t at = 0;
  std::set<std::string> names;
  for (Entry& e : entries) {
    const std::string name = shown(e.tensor.name);
    if (!names.insert(e.tensor.name).second) refuse("{}: error: tensor '{}' stands twice in the header", where, name);
    const auto type =
        std::find_if(std::begin(type_names), std::end(type_names), [&](const TypeName& n) { return e.type == n.name; });
    if (type == std::end(type_names) || (type->half && halves == HalfFloats::refused))
      refuse("{}: error: tensor '{}': dtype '{}' is not supported", where, name, shown(e.type));
    e.tensor.dtype = type->dtype;
    auto size = static_cast<int64_t>(type->bytes());
    for (const int64_t d : e.tensor.shape)
      if (__builtin_mul_overflow(size, d, &size)) refuse("{}: error: tensor '{}': the shape overflows", where, name);
    const uint64_t begin = e.offsets[0], end = e.offsets[1];
    if (begin > end || end > data.size())
      refuse("{}: error: tensor '{}': bytes {} to {} are outside the file's {}", where, name, begin, end, data.size());
    if (begin != at)
      refuse("{}: error: tensor '{}': its bytes begin at {}, the ones before end at {}", where, name, begin, at);
    if (end - begin != static_cast<uint64_t>(size))
      refuse("{}: error: tensor '{}': the shape needs {} bytes, the offsets give {}", where, name, size, end - begin);
    const std::string_view bytes = data.substr(begin, end - begin);
    e.tensor.bytes = type->half ? widened(bytes, *type->half) : std::string(bytes);
    e.tensor.stored = e.type;
    at = end;
    file.tensors.push_back(std::move(e.tensor));
  }
  if (at != data.size()) refuse("{}: error: {} bytes follow the last tensor", where, data.size() - at);
}

// Checksums are no metadata to anybody else.
void take_out_checksums(const std::string& where, SafetensorsFile& file) {
  std::set<std::string> names;
  for (const NamedArray& t : file.tensors) names.insert(t.name);
  for (auto entry = file.metadata.begin(); entry != file.metadata.end();) {
    const bool of_tensor = entry->first.starts_with(tensor_checksum);
    if (of_tensor && names.count(entry->first.substr(tensor_checksum.size())) == 0)
      refuse("{}: error: a checksum names the tensor '{}', which is missing", where,
             shown(entry->first.substr(tensor_checksum.size())));
    entry = of_tensor || entry->first == header_checksum ? file.metadata.erase(entry) : std::next(entry);
  }
}

}  // namespace

SafetensorsFile parse_safetensors(const std::string& path, std::string_view bytes, HalfFloats halves) {
  const std::string where = shown_path(path);
  const std::string_view header = header_of(where, bytes), data = bytes.substr(8 + header.size());
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(header, &reader))
    refuse("{}: error: {}", where, reader.problem.empty() ? "the header is not valid JSON" : reader.problem);
  SafetensorsFile file;
  file.path = path;
  file.metadata = std::move(reader.metadata);
  add_tensors(where, reader.entries, data, halves, file);
  check_checksums(file, header);
  take_out_checksums(where, file);
  return file;
}

SafetensorsFile read_safetensors(const std::string& path, size_t limit) {
  return parse_safetensors(path, read_file(path, limit));
}

}  // namespace seqgrad
