// model.init: weights that PyTorch wrote, under other names, and files that do not fit.
#include <test_paths.h>
#include <cmath>

#include "engine/io/safetensors.h"
#include "engine/run/setup.h"
#include "engine/train/config.h"
#include "engine/train/step.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

const std::string golden = SEQGRAD_SOURCE_DIR "/tests/golden/";

struct Model {
  Config config;
  std::unique_ptr<SequenceModel> model;
  explicit Model(const std::vector<std::string>& more, const std::string& precision = "fp32") {
    std::vector<std::string> set = {"data.task=copy",         "model.embedding=5",       "model.encoder.hidden=4",
                                    "model.decoder.hidden=8", "model.attention=general", "precision=" + precision};
    set.insert(set.end(), more.begin(), more.end());
    load(config, "", set);
    model = make_model(config, {17, 17});
  }
  std::string init() { return config.model->init_weights(*model); }
};

}  // namespace

TEST_CASE("a whole PyTorch model, under DataParallel's names, has the loss that PyTorch has") {
  Model m({"model.init.file=" + golden + "torch_state_dict.safetensors", "model.init.rename={module.: ''}"});
  CHECK(has(m.init(), "model.init: 21 of 21 tensors from "));
  const SafetensorsFile f = read_safetensors(golden + "seq2seq_general_f32.safetensors");
  for (const Parameter& p : m.model->store().parameters()) {
    const auto got = m.model->store().to_file<float>(p, m.model->store().values());
    const float* want = f.at("weight." + p.name).data<float>();
    CHECK(std::equal(got.begin(), got.end(), want));
  }
}

TEST_CASE("an nn.GRU becomes the encoder, in either precision, and the rest stays as it was") {
  for (const std::string precision : {"fp32", "fp64"}) {
    Model m({"model.init.file=" + golden + "torch_gru.safetensors", "model.init.rename={'': enc.gru.}"}, precision),
        plain({}, precision);
    CHECK(has(m.init(), "model.init: 8 of 21 tensors from "));
    const SafetensorsFile f = read_safetensors(golden + "torch_gru.safetensors");
    dispatch(m.model->store().dtype(), [&]<class T> {
      for (const Parameter& p : m.model->store().parameters()) {
        const auto got = m.model->store().to_file<T>(p, m.model->store().values());
        CAPTURE(p.name);
        if (p.name.starts_with("enc.gru.")) {
          const float* want = f.at(p.name.substr(8)).template data<float>();
          CHECK(std::equal(got.begin(), got.end(), want));
        } else {
          CHECK(got ==
                plain.model->store().to_file<T>(*plain.model->store().find(p.name), plain.model->store().values()));
        }
      }
    });
  }
}

TEST_CASE("a file that does not fit is refused by the tensor's name, before a number changes") {
  const Scratch dir;
  const std::vector<NamedArray> good = read_safetensors(golden + "torch_gru.safetensors").tensors;
  const auto said = [&](const std::string& rename, const auto& change, const std::vector<std::string>& more = {}) {
    std::vector<NamedArray> tensors = good;
    change(tensors);
    write_safetensors(dir / "x", tensors);
    std::vector<std::string> set = {"model.init.file=" + (dir / "x"), "model.init.rename=" + rename};
    set.insert(set.end(), more.begin(), more.end());
    Model m(set);
    const uint64_t before = m.model->store().digest();
    const std::string error = error_of([&] { m.init(); });
    CHECK(m.model->store().digest() == before);
    CHECK(error.size() <= 400);
    return error;
  };
  const auto nothing = [](auto&) {};
  const std::string gru = "{'': enc.gru.}";
  CHECK(has(said("{}", nothing), "error: the model has no tensor 'bias_hh_l0'; map names with model.init.rename"));
  CHECK(has(said("{'': enc.gru.}", nothing, {"model.encoder.bidirectional=false"}),
            "error: the model has no tensor 'bias_hh_l0_reverse' (renamed 'enc.gru.bias_hh_l0_reverse')"));
  CHECK(has(said(gru, nothing, {"model.encoder.layers=2"}),
            "error: tensor 'enc.gru.weight_ih_l1' is missing, of a layer that is there in part"));
  CHECK(has(said(gru, nothing, {"model.encoder.hidden=3"}), "has shape [12]; the model has [9]"));
  CHECK(has(said(gru, [](auto& t) { std::erase_if(t, [](auto& x) { return x.name == "weight_hh_l0"; }); }),
            "error: tensor 'enc.gru.weight_hh_l0' is missing"));
  CHECK(has(said(gru, [](auto& t) { reinterpret_cast<float*>(t[1].bytes.data())[2] = NAN; }), "holds nan at 2"));
  CHECK(has(said(gru, [](auto& t) { t[0].dtype = DType::i32; }), "is int32; expected float32 or float64"));
  CHECK(has(said("{'': enc.gru., bias_hh: enc.gru.bias_ih}", nothing), "are both 'enc.gru.bias_ih_l0"));
  CHECK(has(said("{}", [](auto& t) { t.clear(); }), "error: holds no tensor"));
  CHECK(has(said("{'': enc.gru., wieght: enc.gru.weight}", nothing),
            "error: no tensor is renamed by 'wieght' of model.init.rename; its tensors are "));
  Model missing({"model.init.file=" + (dir / "nowhere")});
  CHECK(has(error_of([&] { missing.init(); }), "nowhere: error: cannot be read"));
}

TEST_CASE("embeddings of a run with other words are refused, by metadata or by the run's own record") {
  const Scratch dir;
  dir.write("ab.tsv", "a b\tc d\nb\tc\n");
  dir.write("xy.tsv", "x y\tc d\ny\tc\n");
  dir.write("abz.tsv", "a b z\tc d\nb\tc\n");
  const auto train = [&](const std::string& text, const std::string& run, const std::string& more = "") {
    const std::string config = dir.write(
        text + ".yaml", "data: {train: {tsv: " + text + ".tsv}, dev: {tsv: " + text + ".tsv}}\n" +
                            "model: {embedding: 2, encoder: {hidden: 2}, decoder: {hidden: 2}}\ntrain: {steps: 1}\n");
    return run_seqgrad(dir, "train " + config + " --run-dir " + (dir / run) + " " + more);
  };
  REQUIRE(train("ab", "first").code == 0);
  const std::string weights = dir / "first/checkpoints/best/model.safetensors";
  const std::string init = "--set model.init.file=" + weights;
  CHECK(train("ab", "same", init).code == 0);
  const auto refused = [&](const std::string& text, const std::string& file, const std::string& why) {
    const Result r = train(text, "refused", "--set model.init.file=" + file);
    CAPTURE(text, file, r.err);
    CHECK(r.code == 2);
    CHECK(has(first_line(r.err), why));
    CHECK_FALSE(std::filesystem::exists(dir / "refused"));
  };
  const std::string why = "error: tensor 'enc.emb.weight' was learned with another source vocabulary: content ";
  refused("xy", weights, why);
  SafetensorsFile f = read_safetensors(weights);
  CHECK(f.metadata.count("source_vocabulary") == 1);
  std::filesystem::copy(weights, dir / "copied.safetensors");
  refused("xy", dir / "copied.safetensors", why);
  write_safetensors(weights, f.tensors);  // as older versions wrote it: the run's record says what it was
  refused("xy", weights, why);
  write_safetensors(dir / "copied.safetensors", f.tensors);  // nobody knows
  CHECK(train("xy", "unknown", "--set model.init.file=" + (dir / "copied.safetensors")).code == 0);
  refused("abz", weights,
          "the model has [7,2] (the source vocabulary has 7 entries here, and 6 where the file comes from)");
  // Layers that have no words are anybody's.
  std::erase_if(f.tensors, [](const NamedArray& t) { return !has(t.name, "enc.gru"); });
  write_safetensors(dir / "gru.safetensors", f.tensors, f.metadata);
  CHECK(train("xy", "encoder", "--set model.init.file=" + (dir / "gru.safetensors")).code == 0);
}
