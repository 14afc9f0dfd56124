// The strict reader: every damage of a file is refused, with the tensor, and no lie about sizes is believed.
#include <test_paths.h>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>

#include "engine/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {
size_t largest_request = 0;  // of all calls of operator new
}

// Not inlined: g++ would see free() where it expects operator delete.
[[gnu::noinline]] void* operator new(size_t bytes) {
  largest_request = std::max(largest_request, bytes);
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  largest_request = std::max(largest_request, bytes);
  return std::malloc(bytes ? bytes : 1);
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xff);
  return length + header + data;
}

// What parsing says: "" when the file is read.
std::string verdict(const std::string& bytes) {
  return error_of([&] { parse_safetensors("f", bytes); });
}

std::string small_file(const Scratch& dir) {
  const float weights[] = {1.5f, -2, 0.25f, 3, 4, 5};
  const double bias[] = {-1, 1e300};
  const int64_t steps[] = {7};
  write_safetensors(dir / "f",
                    {named_array<float>("enc.weight", {2, 3}, weights), named_array<double>("b", {2}, bias),
                     named_array<int64_t>("steps", {}, steps), named_array<float>("none", {0, 3}, weights)},
                    {{"format", "pt"}, {"note", "\"xxh64\":\""}});
  return slurp(dir / "f");
}

}  // namespace

TEST_CASE("a file reads back as it was written") {
  const Scratch dir;
  small_file(dir);
  const SafetensorsFile f = read_safetensors(dir / "f");
  REQUIRE(f.tensors.size() == 4);
  CHECK(f.metadata == Metadata{{"format", "pt"}, {"note", "\"xxh64\":\""}});
  CHECK(f.at("enc.weight").shape == std::vector<int64_t>{2, 3});
  CHECK(f.at("enc.weight").data<float>()[2] == 0.25f);
  CHECK(f.at("b").data<double>()[1] == 1e300);
  CHECK(f.at("steps").data<int64_t>()[0] == 7);
  CHECK(f.at("none").bytes.empty());
  CHECK(error_of([&] { f.at("b").data<float>(); }) == "2 tensor 'b': expected float32, got float64");
  CHECK(error_of([&] { f.at("missing"); }) == "2 " + (dir / "f") + ": error: tensor 'missing' is missing");
  CHECK(error_of([&] { read_safetensors(dir / "f", 100); }).substr(0, 2) == "2 ");
}

TEST_CASE("a file by Python's safetensors is read right") {  // scripts/record/safetensors_file.py
  const SafetensorsFile f = read_safetensors(SEQGRAD_SOURCE_DIR "/tests/golden/safetensors.safetensors");
  REQUIRE(f.tensors.size() == 9);
  CHECK(f.metadata.at("note") == "ü \"quoted\"\n");
  CHECK_FALSE(f.metadata.at("safetensors").empty());
  const NamedArray& m = f.at("matrix");
  CHECK(m.shape == std::vector<int64_t>{2, 3});
  for (int i = 0; i < 6; ++i) CHECK(m.data<float>()[i] == static_cast<float>(i) / 8);
  const double* d = f.at("double").data<double>();
  CHECK(f.at("double").shape == std::vector<int64_t>{2, 2, 1});
  CHECK(d[0] == 1e-300);
  CHECK((d[1] == 0 && std::signbit(d[1])));
  CHECK(d[2] == M_PI);
  CHECK(d[3] == std::numeric_limits<double>::infinity());
  CHECK(f.at("ids").data<int32_t>()[0] == std::numeric_limits<int32_t>::min());
  CHECK(f.at("long").data<int64_t>()[0] == std::numeric_limits<int64_t>::min());
  CHECK(f.at("long").data<int64_t>()[1] == std::numeric_limits<int64_t>::max());
  CHECK(f.at("bytes").data<uint8_t>()[2] == 255);
  CHECK(f.at("flags").bytes == std::string("\1\0\1", 3));
  CHECK(f.at("scalar").shape.empty());
  CHECK(*f.at("scalar").data<float>() == 2.5f);
  CHECK(f.at("empty").shape == std::vector<int64_t>{0, 4});
  CHECK(*f.at("quote \" \\ ü").data<int32_t>() == 7);
}

TEST_CASE("numbers of 16 bits become float32 where they are asked for, and are refused elsewhere") {
  const std::string header =
      R"({"b":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]},"h":{"dtype":"F16","shape":[2],"data_offsets":[6,10]}})";
  const std::string bytes = file_of(header, std::string("\x80\x3f\x00\xc0\x49\x40"
                                                        "\x00\x3c\x00\xb8",
                                                        10));
  const SafetensorsFile file = parse_safetensors("x", bytes, HalfFloats::widened);
  const auto floats = [&](const char* name) {
    const NamedArray& a = file.at(name);
    return std::vector<float>(a.data<float>(), a.data<float>() + a.numel());
  };
  CHECK(floats("b") == std::vector<float>{1, -2, 3.140625});
  CHECK(floats("h") == std::vector<float>{1, -0.5});
  CHECK(has(verdict(bytes), "BF16"));
}

TEST_CASE("every truncation, every appended byte and every bit flip is refused") {
  const Scratch dir;
  const std::string good = small_file(dir);
  REQUIRE(verdict(good).empty());
  for (size_t n = 0; n < good.size(); ++n) {
    CAPTURE(n);
    const std::string said = verdict(good.substr(0, n));
    REQUIRE(said.substr(0, 12) == "2 f: error: ");
    REQUIRE(said.size() <= 400);
  }
  for (int c = 0; c < 256; ++c) {
    REQUIRE(has(verdict(good + static_cast<char>(c)), "f: error: 1 bytes follow the last tensor"));
    REQUIRE_FALSE(verdict(static_cast<char>(c) + good).empty());
  }
  size_t data = 8;
  for (size_t i = 0; i < 8; ++i) data += size_t{static_cast<unsigned char>(good[i])} << (8 * i);
  REQUIRE(data < good.size());
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      CAPTURE(i, bit);
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      const std::string said = verdict(bad);
      REQUIRE(said.substr(0, 12) == "2 f: error: ");
      REQUIRE(said.size() <= 400);
      if (i >= data) REQUIRE(has(said, "': the data differ from their checksum"));
    }
}

TEST_CASE("a header that lies is refused with the tensor's name") {
  const std::string data(24, '\0');
  const auto two = [&](const std::string& a, const std::string& b) {
    return verdict(file_of("{\"a\":{" + a + "},\"b\":{" + b + "}}", data));
  };
  const std::string a = "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]",
                    b = "\"dtype\":\"F64\",\"shape\":[1,2],\"data_offsets\":[8,24]";
  REQUIRE(two(a, b).empty());
  const auto offsets = [](const std::string& type, const std::string& shape, const std::string& range) {
    return "\"dtype\":\"" + type + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + range + "]";
  };
  CHECK(has(two(a, offsets("F64", "2", "7,23")), "tensor 'b': its bytes begin at 7, the ones before end at 8"));
  CHECK(has(two(a, offsets("F32", "3", "12,24")), "tensor 'b': its bytes begin at 12, the ones before end at 8"));
  CHECK(has(two(a, offsets("F64", "2", "9,25")), "tensor 'b': bytes 9 to 25 are outside the file's 24"));
  CHECK(has(two(a, offsets("F64", "2", "24,8")), "tensor 'b': bytes 24 to 8 are outside"));
  CHECK(has(two(a, offsets("F64", "2", "18446744073709551600,18446744073709551615")), "tensor 'b': bytes"));
  CHECK(has(two(a, offsets("F64", "2", "8,16")), "tensor 'b': the shape needs 16 bytes, the offsets give 8"));
  CHECK(has(two(a, offsets("F64", "1", "8,16")), "8 bytes follow the last tensor"));
  CHECK(has(two(a, offsets("BF16", "8", "8,24")), "tensor 'b': dtype 'BF16' is not supported"));
  CHECK(has(two(a, offsets("F64", "-2", "8,24")), "tensor 'b': the header holds a negative number"));
  CHECK(has(two(a, offsets("F64", "2.0", "8,24")), "tensor 'b': the header holds a fraction"));
  CHECK(has(two(a, offsets("F64", "1e0,2", "8,24")), "tensor 'b': the header holds a fraction"));
  CHECK(has(two(a, offsets("F64", "9223372036854775808", "8,24")), "tensor 'b': the header holds a dimension out of"));
  CHECK(has(two(a, offsets("F64", "4294967296,4294967296", "8,24")), "tensor 'b': the shape overflows"));
  CHECK(has(two(a, offsets("U8", "4611686018427387904,2,0", "8,8")), "tensor 'b': the shape overflows"));
  CHECK(has(two(a, offsets("F64", "1,1,1,1,1,1,1,1,2", "8,24")), "tensor 'b': the header holds more than 8 dim"));
  CHECK(has(two(a, offsets("F64", "2", "8,24,24")), "tensor 'b': the header holds more than two offsets"));
  CHECK(has(two(a, offsets("F64", "2", "8")), "tensor 'b': dtype, shape and data_offsets are needed"));
  CHECK(has(two(a, offsets("F64", "[2]", "8,24")), "tensor 'b': the header holds a list"));
  CHECK(has(two(a, b + ",\"shape\":[2]"), "tensor 'b': the header holds a key twice"));
  CHECK(has(two(a, b + ",\"more\":1"), "tensor 'b': the header holds an unknown key"));
  CHECK(has(two(a, "\"shape\":[2],\"data_offsets\":[8,24]"), "tensor 'b': dtype, shape and data_offsets are needed"));
  CHECK(has(two(a, ""), "tensor 'b': dtype, shape and data_offsets are needed"));
  CHECK(has(verdict(file_of("{\"a\":{" + a + "},\"a\":{" + b + "}}", data)), "tensor 'a' stands twice in the header"));
  for (const char* wrong : {"", "[]", "{", "{}x", "null", "{\"a\":1}", "{\"a\":null}", "{\"a\":[]}",
                            "{\"a\":{\"dtype\":{}}}", "{\"a\":{\"dtype\":3}}", "{\"__metadata__\":{\"k\":1}}",
                            "{\"__metadata__\":{\"k\":{}}}", "{\"__metadata__\":{\"k\":[]}}",
                            "{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", "{\"__metadata__\":{},\"__metadata__\":{}}",
                            "{\"__metadata__\":\"x\"}", "{\"\xff\":{}}", "{\"a\":true}", " {}"}) {
    CAPTURE(wrong);
    CHECK(verdict(file_of(wrong, "")).substr(0, 12) == "2 f: error: ");
  }
  CHECK(verdict(file_of("{}", "")).empty());
  const std::string long_name(100000, 'n');
  CHECK(verdict(file_of("{\"" + long_name + "\":{}}", "")).size() <= 400);
}

TEST_CASE("a checksum that is missing from a file with checksums is missed") {
  const Scratch dir;
  const std::string good = small_file(dir);
  const auto renamed = [&](const std::string& from, const std::string& to) {
    std::string bad = good;
    REQUIRE(has(bad, from));
    bad.replace(bad.find(from), from.size(), to);
    return verdict(bad);
  };
  CHECK(has(renamed("\"xxh64:b\"", "\"yyh64:b\""), "tensor 'b': its checksum is missing"));
  CHECK(has(renamed("\"xxh64\":\"", "\"yyh64\":\""), "the header's checksum is missing"));
  CHECK(has(renamed("\"pt\"", "\"pu\""), "the header differs from its checksum"));
  CHECK(has(renamed("[0,3]", "[3,0]"), "the header differs from its checksum"));
}

TEST_CASE("no allocation is larger than the file that asks for it") {
  const auto largest_for = [](const std::string& bytes) {
    largest_request = 0;
    const std::string said = verdict(bytes);
    CHECK_FALSE(said.empty());
    return largest_request;
  };
  std::string lying = file_of("{}", std::string(1000, 'x'));
  for (int exponent = 10; exponent < 64; ++exponent) {
    CAPTURE(exponent);
    for (int i = 0; i < 8; ++i) lying[static_cast<size_t>(i)] = static_cast<char>((uint64_t{1} << exponent) >> (8 * i));
    CHECK(largest_for(lying) <= 1024);
  }
  for (const std::string shape : {"1099511627776", "9223372036854775807", "1,1099511627776", "4294967296,2147483647"}) {
    CAPTURE(shape);
    CHECK(largest_for(file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + shape + "],\"data_offsets\":[0,1099511627776]}}",
                              std::string(1000, 'x'))) <= 1300);
  }
  // A header of many small things: bounded by its own size and a constant.
  const auto repeated = [](const std::string& unit, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += unit;
    return out;
  };
  CHECK(largest_for(file_of("{\"a\":{\"shape\":[" + repeated("1,", 1 << 20), "")) <= 4 << 20);
  CHECK(largest_for(file_of("{" + repeated("\"a\":{},", 1 << 20), "")) <= 4 << 20);
  CHECK(largest_for(file_of(repeated("{\"a\":", 1 << 20), "")) <= 4 << 20);
  CHECK(has(verdict(file_of(repeated("{\"a\":", (16 << 20) + 1), "")), "at most 16777216 are read"));
}

// The beginnings as the programs themselves write them.
TEST_CASE("another format given as safetensors is named, with what to do") {
  using namespace std::string_literals;
  const std::string zip = "PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\xe1\x9f\x4b\xd1"s + std::string(8, '\0') + "\x0c\0\0\0"s;
  const std::pair<std::string, const char*> files[] = {
      {zip + "readme.txt", "a zip archive; unpack it first"},
      {zip + "archive/data.pkl", "a PyTorch file (.pt, a zip archive of pickles); write its tensors with "},
      {zip + "arr_0.npy", "a NumPy archive (.npz); "},
      {"PK\x05\x06"s + std::string(18, '\0'), "a zip archive; "},
      {"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0"s, "compressed by gzip; unpack it first (gunzip)"},
      {"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s, "a Python pickle"},
      {"\x80\x04\x95\x19\0\0\0\0\0\0\0}\x94"s, "a Python pickle"},
      {"\x93NUMPY\x01\0v\0{'descr'"s, "a NumPy array (.npy)"},
      {"\x89HDF\r\n\x1a\n\0\0\0\0"s, "an HDF5 file (.h5)"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
       "a Git LFS pointer, not the file itself"},
      {"/annex/objects/SHA256E-s12--ab.safetensors\n", "a git-annex pointer, not the file itself"},
      {"<!DOCTYPE html>\n<html>", "an HTML or XML page"},
      {" \n <html lang=\"en\">", "an HTML or XML page"},
      {"{\"metadata\": {\"total_size\": 1}, \"weight_map\": {}}", "JSON text"},
      {"this is no model\n", "a text file"},
      {"no", "a text file"},
      {"", "an empty file"}};
  for (const auto& [bytes, kind] : files) {
    CAPTURE(bytes, kind);
    CHECK(verdict(bytes).find("2 f: error: expected a safetensors file, got "s + kind) == 0);
  }
  // A header of 640 or of 123 bytes begins as a pickle and as JSON do.
  for (const size_t length : {640, 123}) {
    std::string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}";
    header += std::string(length - header.size() - 1, ' ') + "}";
    CHECK(verdict(file_of(header, "x")).empty());
    CHECK(has(verdict(file_of(header, "")), "are outside the file's 0"));
    CHECK(has(verdict(file_of(header, "x").substr(0, 100)), "the header claims"));
    header[0] = 'x';
    CHECK(has(verdict(file_of(header, "x")), "the header is not valid JSON at byte 0"));
  }
}
