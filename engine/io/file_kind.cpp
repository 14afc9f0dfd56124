// The signs that each format's own specification puts at its beginning.
#include "engine/io/file_kind.h"

#include <algorithm>

#include "engine/text/utf8.h"

namespace seqgrad {
namespace {

using namespace std::string_view_literals;

struct Sign {
  std::string_view begin;
  const char* kind;
};

constexpr Sign signs[] = {
    {"\x1f\x8b"sv, "compressed by gzip; unpack it first (gunzip)"},
    {"\x28\xb5\x2f\xfd"sv, "compressed by Zstandard; unpack it first (unzstd)"},
    {"\xfd\x37zXZ\0"sv, "compressed by xz; unpack it first (unxz)"},
    {"BZh"sv, "compressed by bzip2; unpack it first (bunzip2)"},
    {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive; unpack it first"},
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file (.h5); write its arrays with safetensors.numpy.save_file"},
    {"\x93NUMPY"sv, "a NumPy array (.npy); write it with safetensors.numpy.save_file"},
    {"GGUF"sv, "a GGUF model"},
    {"%PDF-"sv, "a PDF document"},
    {"\xff\xfe"sv, "text in UTF-16; write it in UTF-8 (iconv -f UTF-16 -t UTF-8)"},
    {"\xfe\xff"sv, "text in UTF-16; write it in UTF-8 (iconv -f UTF-16 -t UTF-8)"},
};

constexpr const char* export_tensors = "write its tensors with safetensors.torch.save_file";

// Programs that save tensors in zip archives are told by the names of its first entries.
std::string kind_of_zip(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, 4096);
  const auto holds = [&](std::string_view name) { return head.find(name) != std::string_view::npos; };
  if (holds("data.pkl")) return std::string("a PyTorch file (.pt, a zip archive of pickles); ") + export_tensors;
  if (holds(".npy")) return "a NumPy archive (.npz); write its arrays with safetensors.numpy.save_file";
  if (holds("model.weights.h5")) return "a Keras model (.keras); write its weights with safetensors.numpy.save_file";
  return "a zip archive; unpack it first";
}

// Protocols 2 to 5. The length of a safetensors header may begin in the same way, and goes on with zeros.
bool is_pickle(std::string_view bytes) {
  return bytes.size() >= 8 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5 &&
         bytes.substr(2, 6) != "\0\0\0\0\0\0"sv;
}

std::string kind_of_binary(std::string_view bytes) {
  if (bytes.starts_with("PK\x03\x04"sv) || bytes.starts_with("PK\x05\x06"sv)) return kind_of_zip(bytes);
  for (const Sign& s : signs)
    if (bytes.starts_with(s.begin)) return s.kind;
  if (is_pickle(bytes)) return std::string("a Python pickle (an older PyTorch file?); ") + export_tensors;
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar") return "a tar archive; unpack it first";
  return "";
}

std::string kind_of_pointer(std::string_view bytes) {
  constexpr size_t largest = 1024;  // as Git LFS specifies
  if (bytes.size() >= largest) return "";
  if (bytes.starts_with("version https://git-lfs.github.com/spec/"))
    return "a Git LFS pointer, not the file itself; `git lfs pull` fetches the file";
  if (bytes.starts_with("/annex/objects/"))
    return "a git-annex pointer, not the file itself; `git annex get` fetches the file";
  return "";
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

}  // namespace

std::string kind_of_non_text(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, 1024);
  // A character that is cut at the end of the head is no sign of a binary file.
  const bool binary = head.find('\0') != std::string_view::npos || utf8_error(head) + 4 <= head.size();
  const std::string kind = binary ? kind_of_binary(bytes) : "";
  return kind.empty() ? kind_of_pointer(bytes) : kind;
}

std::string kind_of_file(std::string_view bytes) {
  if (bytes.empty()) return "an empty file";
  for (const std::string& kind : {kind_of_binary(bytes), kind_of_pointer(bytes)})
    if (!kind.empty()) return kind;
  const std::string_view head = bytes.substr(0, 64);
  if (std::any_of(head.begin(), head.end(), [](char c) { return c >= 0 && c < 0x20 && !is_blank(c); })) return "";
  const auto first = std::find_if_not(bytes.begin(), bytes.end(), is_blank);
  if (first != bytes.end() && *first == '<')
    return "an HTML or XML page; what was downloaded is perhaps a page about the file";
  if (first != bytes.end() && *first == '{')
    return "JSON text; if it is the index of a model in several files, give one of those";
  if (std::all_of(head.begin(), head.end(), [](char c) { return (c >= 0x20 && c < 0x7F) || is_blank(c); }))
    return "a text file";
  return "";
}

}  // namespace seqgrad
