// Decoding against searches that need no beam: all hypotheses of a tiny model, and one word at a time.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "engine/core/random.h"
#include "engine/core/tape.h"
#include "engine/core/thread_pool.h"
#include "engine/data/vocabulary.h"
#include "engine/device/prepared_weights.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step.h"
#include "models/beam.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

struct Wiring {
  const char* attention;
  std::vector<std::string> set;
};
const std::vector<Wiring> wirings = {{"none", {"model.decoder.layers=2"}},
                                     {"dot", {}},
                                     {"general", {"model.encoder.layers=2", "model.decoder.layers=2"}},
                                     {"general", {"model.input_feeding=true"}},
                                     {"additive", {"model.decoder.layers=2"}}};

std::unique_ptr<SequenceModel> model_of(const Wiring& w, int64_t words, uint64_t seed,
                                        const std::string& precision = "fp64") {
  Config config;
  std::vector<std::string> set = {"data.task=copy",
                                  "model.embedding=5",
                                  "model.encoder.hidden=4",
                                  "model.decoder.hidden=8",
                                  std::string("model.attention=") + w.attention,
                                  "precision=" + precision,
                                  "seed=" + std::to_string(seed % 1000000)};
  set.insert(set.end(), w.set.begin(), w.set.end());
  load(config, "", set);
  auto model = make_model(config, {words, words});
  // Peaked enough that hypotheses differ.
  for (Parameter& p : model->store().parameters())
    dispatch(p.tensor.dtype, [&]<class T> {
      for (int64_t i = 0; i < p.shape.numel(); ++i) p.tensor.as<T>()[i] *= T{3};
    });
  return model;
}

uint64_t seed_of_the_day() {
  static const uint64_t seed = std::random_device()();
  return seed;
}

using Words = std::vector<int32_t>;

std::vector<Words> sources(uint64_t seed, size_t count, int32_t words, size_t longest) {
  Random r(seed, 5);
  std::vector<Words> out(count);
  for (Words& w : out)
    for (size_t n = 1 + r.below(longest); n > 0; --n)
      w.push_back(static_cast<int32_t>(special_ids + r.below(static_cast<uint64_t>(words - special_ids))));
  return out;
}

std::vector<double> as_doubles(const Tensor& t) {
  return dispatch(t.dtype, [&]<class T> {
    const std::vector<T> v = to_host<T>(t);
    return std::vector<double>(v.begin(), v.end());
  });
}

// log p of each word at each step of a target that is read as it stands: [target.size() + 1][V].
std::vector<std::vector<double>> teacher_forced(SequenceModel& model, const Words& source, const Words& target,
                                                double softcap = 0) {
  Batch b = make_source_batch({&source, 1}, 1);
  const size_t steps = target.size() + 1;
  b.target_steps = static_cast<int64_t>(steps);
  b.target_lengths = {static_cast<int32_t>(steps)};
  b.target_in = {bos_id};
  b.target_in.insert(b.target_in.end(), target.begin(), target.end());
  b.target_out = b.target_in;
  Tape::current().reset();
  const NoGrad guard;
  const Readout r = model.forward(b, {});
  const auto h = as_doubles(r.hidden), w = as_doubles(r.weight), bias = as_doubles(r.bias);
  const size_t d = h.size() / steps;
  std::vector<std::vector<double>> out;
  for (size_t t = 0; t < steps; ++t) {
    std::vector<double> z = bias;
    for (size_t v = 0; v < z.size(); ++v) {
      for (size_t i = 0; i < d; ++i) z[v] += h[t * d + i] * w[v * d + i];
      if (softcap > 0) z[v] = softcap * std::tanh(z[v] / softcap);
    }
    double total = 0;
    for (const double x : z) total += std::exp(x);
    for (double& x : z) x -= std::log(total);
    out.push_back(z);
  }
  return out;
}

double log_p(SequenceModel& model, const Words& source, const Words& target, double softcap = 0) {
  const auto p = teacher_forced(model, source, target, softcap);
  double sum = 0;
  for (size_t t = 0; t < p.size(); ++t) sum += p[t][static_cast<size_t>(t < target.size() ? target[t] : eos_id)];
  return sum;
}

std::vector<std::vector<Hypothesis>> decode(SequenceModel& model, const std::vector<Words>& sources,
                                            const DecodeOptions& options) {
  Tape::current().reset();
  return model.decode(make_source_batch(sources, 1), options);
}

// Up to `extra` + 1 words, whatever the source.
DecodeOptions options_of(int64_t extra, int64_t beam, double alpha, int64_t nbest = 1) {
  DecodeOptions o;
  o.max_ratio = 1e-6, o.max_extra = extra, o.beam = beam, o.length_penalty = alpha, o.nbest = nbest;
  return o;
}

}  // namespace

TEST_CASE("the length penalty is that of Wu et al. 2016") {
  CHECK(length_penalty(1, 0.6) == 1);
  CHECK(length_penalty(7, 1) == 2);
  CHECK(length_penalty(19, 0.5) == 2);
  CHECK(length_penalty(100, 0) == 1);
}

TEST_CASE("a beam as wide as there are hypotheses lists all of them, scored as the teacher-forced model does") {
  const uint64_t seed = seed_of_the_day();
  CAPTURE(seed);
  constexpr int32_t words = 6;  // eos, unk and two ordinary ones can be written
  std::vector<Words> all = {{}};
  for (size_t i = 0; i < all.size(); ++i)
    if (all[i].size() < 3)
      for (const int32_t w : {3, 4, 5}) {
        all.push_back(all[i]);
        all.back().push_back(w);
      }
  REQUIRE(all.size() == 1 + 3 + 9 + 27);
  for (const Wiring& w : wirings)
    for (const double alpha : {0.0, 0.6, 2.0}) {
      CAPTURE(w.attention, alpha);
      const auto model = model_of(w, words, seed);
      const auto in = sources(seed, 3, words, 4);
      const auto lists = decode(*model, in, options_of(2, 40, alpha, 40)),
                 best = decode(*model, in, options_of(2, 40, alpha));
      for (size_t s = 0; s < in.size(); ++s) {
        std::vector<std::pair<double, Words>> want;
        for (const Words& target : all)
          want.emplace_back(
              log_p(*model, in[s], target) / length_penalty(static_cast<int64_t>(target.size()) + 1, alpha), target);
        std::stable_sort(want.begin(), want.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
        REQUIRE(lists[s].size() == want.size());
        for (size_t i = 0; i < want.size(); ++i) {
          CHECK(lists[s][i].ids == want[i].second);
          CHECK(std::abs(lists[s][i].score - want[i].first) <= 1e-10);
          CHECK(std::abs(lists[s][i].log_p - log_p(*model, in[s], want[i].second)) <= 1e-10);
        }
        REQUIRE(best[s].size() == 1);
        CHECK(best[s][0].ids == want[0].second);
      }
    }
}

TEST_CASE("a beam of 1 is greedy: each word the likeliest of the teacher-forced model") {
  const uint64_t seed = seed_of_the_day();
  CAPTURE(seed);
  constexpr int32_t words = 17;
  for (const Wiring& w : wirings) {
    CAPTURE(w.attention);
    const auto model = model_of(w, words, seed + 1);
    const auto in = sources(seed, 9, words, 7);
    const auto out = decode(*model, in, options_of(8, 1, 0.6));
    for (size_t s = 0; s < in.size(); ++s) {
      Words want;
      double sum = 0;
      for (;;) {
        const auto p = teacher_forced(*model, in[s], want).back();
        const auto best = want.size() == 9 ? p.begin() + eos_id : std::max_element(p.begin() + eos_id, p.end());
        sum += *best;
        if (best - p.begin() == eos_id) break;
        want.push_back(static_cast<int32_t>(best - p.begin()));
      }
      REQUIRE(out[s].size() == 1);
      CHECK(out[s][0].ids == want);
      CHECK(std::abs(out[s][0].log_p - sum) <= 1e-10);
    }
  }
}

TEST_CASE("a beam between is what a search by hand finds") {
  const uint64_t seed = seed_of_the_day();
  CAPTURE(seed);
  constexpr int32_t words = 11;
  constexpr size_t beam = 3, limit = 5;
  const auto model = model_of(wirings[2], words, seed + 2);
  const auto in = sources(seed, 6, words, 5);
  const auto out = decode(*model, in, options_of(limit - 1, beam, 0.6, beam));
  for (size_t s = 0; s < in.size(); ++s) {
    std::vector<std::pair<double, Words>> live = {{0, {}}}, done;
    while (done.size() < beam && !live.empty()) {
      std::vector<std::pair<double, Words>> all, next;
      for (const auto& [p, ids] : live) {
        const auto row = teacher_forced(*model, in[s], ids).back();
        for (int32_t v = eos_id; v < words; ++v) {
          if (ids.size() == limit && v != eos_id) continue;
          all.emplace_back(p + row[static_cast<size_t>(v)], ids);
          all.back().second.push_back(v);
        }
      }
      std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      for (size_t i = 0; i < all.size(); ++i) {
        auto& [p, ids] = all[i];
        if (ids.back() == eos_id && i < beam)
          done.emplace_back(p / length_penalty(static_cast<int64_t>(ids.size()), 0.6),
                            Words(ids.begin(), ids.end() - 1));
        else if (ids.back() != eos_id && next.size() < beam)
          next.push_back(all[i]);
      }
      live = next;
    }
    std::stable_sort(done.begin(), done.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    REQUIRE(out[s].size() == beam);
    for (size_t i = 0; i < beam; ++i) {
      CHECK(out[s][i].ids == done[i].second);
      CHECK(std::abs(out[s][i].score - done[i].first) <= 1e-10);
    }
  }
}

TEST_CASE("a sentence is translated alone as among others, to the bit, on any number of threads") {
  const uint64_t seed = seed_of_the_day();
  CAPTURE(seed);
  constexpr int32_t words = 17;
  for (const Wiring& w : wirings) {
    const auto model = model_of(w, words, seed + 3);
    const auto in = sources(seed, 23, words, 9);
    for (const int64_t beam : {1, 4}) {
      DecodeOptions o = options_of(10, beam, 0.6, beam);
      o.max_ratio = 0.5, o.attention = true;
      const auto together = decode(*model, in, o);
      set_threads(3);
      const auto threaded = decode(*model, in, o);
      set_threads(1);
      for (size_t s = 0; s < in.size(); ++s) {
        CAPTURE(w.attention, beam, s);
        const auto alone = decode(*model, {in[s]}, o)[0];
        for (const auto* other : {&alone, &threaded[s]}) {
          REQUIRE(other->size() == together[s].size());
          for (size_t i = 0; i < other->size(); ++i) {
            CHECK((*other)[i].ids == together[s][i].ids);
            CHECK((*other)[i].log_p == together[s][i].log_p);
            CHECK((*other)[i].score == together[s][i].score);
            CHECK((*other)[i].attention == together[s][i].attention);
          }
        }
      }
    }
  }
}

TEST_CASE("prepared weights change no translation, and their scores by rounding alone") {
  const uint64_t seed = seed_of_the_day();
  CAPTURE(seed);
  for (const Wiring& w : wirings) {
    CAPTURE(w.attention);
    const auto model = model_of(w, 97, seed + 5, "fp32");
    const auto in = sources(seed, 9, 97, 7);
    const auto plain = decode(*model, in, options_of(10, 1, 0.6));
    const PreparedWeights prepared;
    const auto found = decode(*model, in, options_of(10, 1, 0.6));
    for (size_t s = 0; s < in.size(); ++s) {
      // Words of equal likelihood, to rounding, may change places.
      if (found[s][0].ids == plain[s][0].ids) CHECK(std::abs(found[s][0].log_p - plain[s][0].log_p) < 1e-3);
      CHECK(std::abs(found[s][0].log_p - log_p(*model, in[s], found[s][0].ids)) < 1e-3);
    }
  }
}

TEST_CASE("ties go to the smaller id, then to what was done first") {
  const auto model = model_of(wirings[1], 8, 1);
  for (const char* name : {"out.weight", "out.bias"}) {
    Parameter& p = *model->store().find(name);
    std::fill_n(p.tensor.as<double>(), p.shape.numel(), 0.0);
  }
  const auto ids = [&](int64_t beam, int64_t nbest, double alpha) {
    std::vector<Words> out;
    const auto found = decode(*model, {{4, 5}}, options_of(1, beam, alpha, nbest));
    for (const Hypothesis& h : found[0]) out.push_back(h.ids);
    return out;
  };
  CHECK((ids(1, 1, 0) == std::vector<Words>{{}}));
  CHECK((ids(2, 2, 0) == std::vector<Words>{{}, {3}}));
  CHECK((ids(3, 3, 0) == std::vector<Words>{{}, {3}, {3, 3}}));
  CHECK((ids(7, 3, 10) == std::vector<Words>{{3, 3}, {3, 4}, {3, 5}}));
}

TEST_CASE("attention: a row for each word and eos, over the source's own words, that sums to 1") {
  const uint64_t seed = seed_of_the_day();
  CAPTURE(seed);
  for (const Wiring& w : wirings) {
    const auto model = model_of(w, 17, seed + 4);
    const auto in = sources(seed, 8, 17, 6);
    DecodeOptions o = options_of(6, 3, 0.6, 3);
    CHECK(decode(*model, in, o)[0][0].attention.empty());
    o.attention = true;
    const auto out = decode(*model, in, o);
    for (size_t s = 0; s < in.size(); ++s)
      for (const Hypothesis& h : out[s]) {
        CAPTURE(w.attention);
        if (std::string(w.attention) == "none") {
          CHECK(h.attention.empty());
          continue;
        }
        REQUIRE(h.attention.size() == (h.ids.size() + 1) * in[s].size());
        for (size_t t = 0; t <= h.ids.size(); ++t) {
          const auto row = h.attention.begin() + static_cast<std::ptrdiff_t>(t * in[s].size());
          CHECK(std::abs(std::accumulate(row, row + static_cast<std::ptrdiff_t>(in[s].size()), 0.0) - 1) < 1e-6);
        }
      }
  }
}

TEST_CASE("a soft cap of the loss is one of the scores") {
  const auto model = model_of(wirings[2], 17, 7);
  const auto in = sources(7, 4, 17, 6);
  DecodeOptions o = options_of(6, 2, 0);
  o.softcap = 0.5;
  const auto out = decode(*model, in, o);
  for (size_t s = 0; s < in.size(); ++s) {
    CHECK(std::abs(out[s][0].log_p - log_p(*model, in[s], out[s][0].ids, 0.5)) <= 1e-10);
    CHECK(std::abs(out[s][0].log_p - log_p(*model, in[s], out[s][0].ids)) > 0.1);
  }
}

TEST_CASE("decoding takes no more memory for longer translations, and refuses more than its beam has") {
  const auto model = model_of(wirings[3], 17, 9, "fp32");
  Parameter& bias = *model->store().find("out.bias");
  bias.tensor.as<float>()[eos_id] = -1e4F;  // only the limit ends a sentence
  const auto in = sources(9, 16, 17, 6);
  decode(*model, in, options_of(50, 3, 0.6));
  decode(*model, in, options_of(50, 3, 0.6));
  const int64_t before = Tape::current().system_allocations();
  CHECK(decode(*model, in, options_of(500, 3, 0.6))[0][0].ids.size() == 501);
  CHECK(Tape::current().system_allocations() == before);
  CHECK(error_of([&] { decode(*model, in, options_of(3, 2, 0, 3)); }) ==
        "2 decode: 3 hypotheses are wanted of a beam of 2");
}

TEST_CASE("a model whose numbers overflow still gives a translation") {
  const auto model = model_of(wirings[1], 17, 9, "fp32");
  Parameter& weight = *model->store().find("out.weight");
  std::fill_n(weight.tensor.as<float>(), weight.shape.numel(), 3e38F);
  for (const int64_t beam : {1, 4}) CHECK(decode(*model, {{4, 5, 6}}, options_of(3, beam, 0.6))[0].size() == 1);
}
