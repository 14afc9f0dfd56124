// TensorBoard's records: bytes as its own writer makes them, files in order, and what a resumed run takes back.
#include <test_paths.h>
#include <chrono>
#include <cmath>

#include "engine/io/event_log.h"
#include "tests/support/catch.h"
#include "tests/support/event_reader.h"

using namespace seqgrad;
namespace fs = std::filesystem;

namespace {

std::string golden() {
  std::stringstream in(slurp(SEQGRAD_SOURCE_DIR "/tests/golden/events.hex"));
  std::string bytes, line;
  while (std::getline(in, line))
    if (line[0] != '#')
      for (size_t i = 0; i + 1 < line.size(); i += 2)
        bytes += static_cast<char>(std::stoi(line.substr(i, 2), nullptr, 16));
  return bytes;
}

}  // namespace

TEST_CASE("crc32c gives the values of RFC 3720") {
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43);
  CHECK(crc32c(up) == 0x46DD794E);
  CHECK(crc32c(down) == 0x113FDB5C);
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c("") == 0);
}

TEST_CASE("records are the bytes of TensorBoard's own writer") {
  const std::string recorded = golden();
  REQUIRE(recorded.size() > 100);
  const std::string ours = version_record(1700000000.25) + restart_record(1700000001.5, 13) +
                           scalars_record(1700000002.75, 500, {{"loss", 0.1}, {"perplexity", HUGE_VAL}, {"lr", 0.0}});
  CHECK((ours == recorded));
}

TEST_CASE("events read back, each file after the older ones, and a resumed run takes back what came after its step") {
  const Scratch dir;
  const std::string run = dir / "tb/train";
  const double before = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EventLog first(run);
  CHECK_FALSE(fs::exists(run));
  first.append(5, {{"loss", 2.5}, {"loss.sum", 1e-3}});
  first.append(10, {{"loss", std::nan("")}});
  first.append(15, {{"loss", 0.5}});
  REQUIRE(shown_events(run).size() == 3);
  const fs::path file = *fs::directory_iterator(run);
  const auto events = read_events(file);
  REQUIRE(events.size() == 4);
  CHECK(events[0].version == "brain.Event:2");
  CHECK(events[1].step == 5);
  CHECK((events[1].values == std::vector<std::pair<std::string, float>>{{"loss", 2.5F}, {"loss.sum", 1e-3F}}));
  CHECK(std::isnan(events[2].values.at(0).second));
  for (const ReadEvent& e : events) CHECK((e.wall_time >= before && e.wall_time < before + 60));

  const std::string whole = slurp(file);
  const size_t last = scalars_record(0, 15, {{"loss", 0.5}}).size();
  for (size_t cut = whole.size() - last; cut <= whole.size(); ++cut) {  // killed at any byte of the last record
    std::ofstream(file, std::ios::binary) << whole.substr(0, cut);
    for (const auto& entry : fs::directory_iterator(run))
      if (entry.path() != file) fs::remove(entry.path());
    EventLog resumed(run);
    resumed.resume_after(10);
    REQUIRE(shown_events(run).size() == (cut < whole.size() ? 2 : 3));
    resumed.append(15, {{"loss", 0.25}});
    const auto shown = shown_events(run);
    REQUIRE(shown.size() == 3);
    CHECK(shown[1].step == 10);
    CHECK(shown[2].step == 15);
    CHECK(shown[2].values.at(0).second == 0.25F);
  }

  // The clock went back: the new file still sorts last.
  std::ofstream(run + "/events.out.tfevents.9999999990.seqgrad", std::ios::binary) << version_record(1);
  EventLog later(run);
  later.append(20, {{"loss", 0.125}});
  CHECK(fs::exists(run + "/events.out.tfevents.9999999991.seqgrad"));
}
