#include "engine/conform/frame.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

TEST_CASE("a frame is its length and a safetensors file, and reads back as it was written") {
  const std::vector<double> x{1.5, -2, 0.1, 70000};
  const std::vector<int64_t> ids{3, -100};
  const std::vector<uint8_t> mask{1, 0};
  const std::vector<WireTensor> tensors{wire_floats("double", {2, 2}, x, FloatType::f64),
                                        wire_floats("single", {4}, x, FloatType::f32),
                                        wire_floats("bf16", {4}, x, FloatType::bf16),
                                        wire_floats("f16", {4}, x, FloatType::f16),
                                        wire_ids("ids", {2}, ids),
                                        wire_mask("mask", {1, 2}, mask),
                                        wire_floats("scalar", {}, std::span(x).subspan(0, 1), FloatType::f64)};
  const std::string bytes = encode_frame({{"round", "7"}, {"kind", "value"}}, tensors);
  REQUIRE(frame_length(bytes) == bytes.size() - frame_prefix);
  const SafetensorsFile file = decode_frame(std::string_view(bytes).substr(frame_prefix));
  CHECK(file.metadata == Metadata{{"kind", "value"}, {"round", "7"}});
  const auto floats = [&](const char* name) {
    const float* at = file.at(name).data<float>();
    return std::vector<float>(at, at + file.at(name).numel());
  };
  CHECK(std::vector<double>(file.at("double").data<double>(), file.at("double").data<double>() + 4) == x);
  CHECK(floats("single") == std::vector<float>{1.5F, -2, 0.1F, 70000});
  CHECK(floats("bf16") == std::vector<float>{1.5F, -2, 0.10009765625F, 70144});
  CHECK(floats("f16") == std::vector<float>{1.5F, -2, 0.0999755859375F, std::numeric_limits<float>::infinity()});
  CHECK(file.at("ids").data<int64_t>()[1] == -100);
  CHECK(file.at("mask").shape == std::vector<int64_t>{1, 2});
  CHECK(file.at("scalar").shape.empty());
}

TEST_CASE("a number is rounded to a dtype as the frame does it") {
  CHECK(rounded(0.1, FloatType::f64) == 0.1);
  CHECK(rounded(0.1, FloatType::f32) == double{0.1F});
  CHECK(rounded(0.1, FloatType::bf16) == 0.10009765625);
  CHECK(rounded(1e6, FloatType::f16) == std::numeric_limits<double>::infinity());
  CHECK(std::isnan(rounded(std::nan(""), FloatType::bf16)));
}

TEST_CASE("lengths that nobody means are refused, and text is told as such") {
  CHECK(error_of([&] { frame_length(std::string("\x01\0\0\x40\0\0\0\0", 8)); }) ==
        "2 the beginning of a frame of 1073741825 bytes; at most 1073741824 are read");
  CHECK(frame_length(std::string("\0\0\0\x40\0\0\0\0", 8)) == most_frame_bytes);
  CHECK(has(error_of([&] { frame_length("Loading model…"); }), "text instead of a frame: 'Loading model"));
  CHECK(text_in_front("ok\n\x10\xff") == 3);
  CHECK(has(error_of([] { decode_frame(""); }), "2 it is no safetensors file: "));
  CHECK(has(error_of([] { decode_frame("garbage, and much of it"); }), "it is no safetensors file: "));
}
