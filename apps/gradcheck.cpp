// `seqgrad gradcheck`: analytic against numeric gradients of a config's model and loss, per parameter.
#include "engine/check/gradcheck.h"
#include "apps/command.h"
#include "models/run.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config;
  int64_t sentences = 4, elements = 20;
};

int gradcheck(const Options& o) {
  Config config;
  std::vector<std::string> overrides = o.common.overrides();
  overrides.emplace_back("precision=fp64");
  load(config, o.config, overrides);
  apply_process_settings(config);
  const Data data = load_data(config.data, static_cast<uint64_t>(config.seed()));
  o.common.tell(describe_data(data));
  const auto model = make_model(config, data.source->size(), data.target->size());
  ParameterStore& store = model->store();
  const LossSetup setup = make_loss_setup(config.loss, data.target->size());
  BatchOptions batching;
  batching.size = o.sentences;
  const Batch batch = Batcher(data.train, batching).next();
  const ForwardContext context{true, static_cast<uint64_t>(config.seed()), 1, 0};
  if (accumulate_gradients(*model, setup, {&batch, 1}, context).skipped)
    refuse("gradcheck: nothing counts in the first {} sentences", o.sentences);
  std::vector<double> analytic = to_host<double>(store.grads());
  const auto loss = [&] {
    Tape::current().reset();
    const NoGrad no_grad;
    const Readout r = model->forward(batch, context);
    const LossInputs inputs = loss_inputs(batch, setup);
    const LiveRows rows = build_live_rows(inputs, setup.options);
    return linear_sequence_loss(r.hidden, r.weight, r.bias, inputs, rows, setup.options, rows.divisor).values[0];
  };
  bool passed = true;
  for (const Parameter& p : store.parameters()) {
    // The padding row of an embedding is a constant: it has no gradient although moving it would move the loss.
    const int64_t constant = p.init.zero_row == 0 && p.name.ends_with("emb.weight") ? p.shape[-1] : 0;
    const GradientClaim claim{p.name, p.tensor.as<double>() + constant, analytic.data() + p.offset + constant,
                              p.shape.numel() - constant};
    const GradientReport r = check_gradients(loss, {&claim, 1}, o.elements);
    fmt::print("{:<32} {:<4} worst {:8.2e} of the bound, {}\n", p.name, r.passed() ? "ok" : "FAIL", r.worst,
               r.where.empty() ? "exact" : r.where);
    passed &= r.passed();
  }
  fmt::print("{}\n", passed ? "all gradients agree" : "some gradients are wrong");
  return passed ? 0 : 1;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Config file")->required()->type_name("CONFIG.yaml");
  app.add_option("--sentences", o->sentences, "Sentences in the batch")->type_name("N")->check(whole(1));
  app.add_option("--elements", o->elements, "Parameters with more numbers are checked along random directions")
      ->type_name("N")
      ->check(whole(1));
  o->common.declare(app);
  return [o] { return gradcheck(*o); };
}

const bool registered =
    register_command({"gradcheck", "Compare gradients with central differences in float64, per parameter",
                      "seqgrad gradcheck configs/copy.yaml --set model.decoder.hidden=16", declare});

}  // namespace
}  // namespace seqgrad
