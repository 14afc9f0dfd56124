// A program under test, with nothing of seqgrad in it: the mean over tokens, by the protocol of
// engine/conform/README.md.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using Json = nlohmann::json;

struct Frame {
  Json metadata = Json::object();
  std::map<std::string, std::vector<double>> numbers;
  std::map<std::string, std::vector<int64_t>> shapes;
};

static bool read_bytes(void* to, size_t n) {
  for (size_t at = 0; at < n;) {
    const ssize_t got = read(STDIN_FILENO, static_cast<char*>(to) + at, n - at);
    if (got <= 0) return false;
    at += static_cast<size_t>(got);
  }
  return true;
}

static void write_bytes(const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t n = write(STDOUT_FILENO, bytes.data() + at, bytes.size() - at);
    if (n <= 0) _exit(1);
    at += static_cast<size_t>(n);
  }
}

template <class T>
static std::vector<double> widened(const char* bytes, size_t size) {
  std::vector<T> x(size / sizeof(T));
  if (size > 0) std::memcpy(x.data(), bytes, size);
  return {x.begin(), x.end()};
}

static bool receive(Frame& frame) {
  uint64_t length = 0, header = 0;
  if (!read_bytes(&length, 8)) return false;
  std::string bytes(length, '\0');
  if (!read_bytes(bytes.data(), length)) return false;
  std::memcpy(&header, bytes.data(), 8);
  const Json all = Json::parse(bytes.substr(8, header));
  for (const auto& [name, t] : all.items()) {
    if (name == "__metadata__") {
      frame.metadata = t;
      continue;
    }
    const size_t begin = t["data_offsets"][0], size = t["data_offsets"][1].get<size_t>() - begin;
    const char* data = bytes.data() + 8 + header + begin;
    const std::string type = t["dtype"];
    frame.shapes[name] = t["shape"].get<std::vector<int64_t>>();
    frame.numbers[name] = type == "F64"   ? widened<double>(data, size)
                          : type == "F32" ? widened<float>(data, size)
                          : type == "I64" ? widened<int64_t>(data, size)
                                          : widened<uint8_t>(data, size);
  }
  return true;
}

static void send(const Frame& frame) {
  Json header{{"__metadata__", frame.metadata}};
  std::string data;
  for (const auto& [name, x] : frame.numbers) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(x.data()), x.size() * sizeof(double));
    header[name] = {{"dtype", "F64"}, {"shape", frame.shapes.at(name)}, {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const uint64_t length = 8 + text.size() + data.size(), header_size = text.size();
  std::string out(16, '\0');
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, &header_size, 8);
  write_bytes(out + text + data);
}

static Frame answer(Frame& ask) {
  const std::vector<double>&z = ask.numbers["logits"], &targets = ask.numbers["targets"], &mask = ask.numbers["mask"];
  const auto v = static_cast<size_t>(ask.shapes["logits"][2]);
  const double upstream = ask.numbers.count("upstream") ? ask.numbers["upstream"][0] : 1;
  double tokens = 0, sum = 0;
  for (const double m : mask) tokens += m;
  std::vector<double> gradient(z.size(), 0.0);
  for (size_t n = 0; n < mask.size(); ++n) {
    if (mask[n] == 0) continue;  // nothing of a dead row is read
    const double* row = z.data() + n * v;
    const double top = *std::max_element(row, row + v);
    double total = 0;
    for (size_t j = 0; j < v; ++j) total += std::exp(row[j] - top);
    const auto y = static_cast<size_t>(targets[n]);
    sum += std::log(total) + top - row[y];
    for (size_t j = 0; j < v; ++j)
      gradient[n * v + j] = upstream * (std::exp(row[j] - top) / total - (j == y ? 1 : 0)) / tokens;
  }
  Frame out;
  out.metadata = {{"round", ask.metadata["round"]}};
  out.numbers = {{"value", {tokens > 0 ? sum / tokens : 0}}, {"d_logits", gradient}};
  out.shapes = {{"value", {}}, {"d_logits", ask.shapes["logits"]}};
  return out;
}

int main() {
  for (Frame frame; receive(frame) && !frame.metadata.contains("done"); frame = {}) {
    if (frame.metadata.contains("protocol")) {
      Frame hello;
      hello.metadata = {
          {"protocol", "1"},     {"name", "reference"},     {"framework", "C++"}, {"takes", "logits targets mask"},
          {"dtypes", "F64 F32"}, {"gradients", "d_logits"}, {"axis", "all"}};
      send(hello);
    } else {
      send(answer(frame));
    }
  }
}
