// `seqgrad gradcheck`: analytic against numeric gradients, of a config's model and loss per parameter, or of a case.
#include "apps/command.h"
#include "engine/check/gradcheck_case.h"
#include "engine/data/batcher.h"
#include "engine/data/data_notes.h"
#include "engine/run/setup.h"

namespace seqgrad {
namespace {

struct Options {
  CommonOptions common;
  std::string config;
  std::optional<int64_t> sentences;
  int64_t elements = 20;
  bool fast = false;
};

void print(const std::string& name, const GradientReport& r, const std::string& more = "") {
  fmt::print("{:<32} {:<4} worst {:8.2e} of the bound, {}{}\n", name, r.passed() ? "ok" : "FAIL", r.worst,
             r.where.empty() ? "exact" : r.where, more);
}

int conclude(bool passed, const char* whose = "all gradients agree") {
  fmt::print("{}\n", passed ? whose : "some gradients are wrong");
  return static_cast<int>(passed ? ExitCode::done : ExitCode::no);
}

int gradcheck_case(const Options& o) {
  if (!o.common.overrides().empty() || o.sentences)
    refuse("gradcheck: --set, --seed, --device, --threads and --sentences go with a config, and {} is a case",
           shown_path(o.config));
  bool passed = true;
  for (const TensorReport& r : check_case_gradients(read_case(o.config), o.fast ? 0 : o.elements)) {
    print(r.name, r.gradients, r.left_out ? fmt::format(" ({} at a clip left out)", r.left_out) : "");
    passed &= r.gradients.passed();
  }
  return conclude(passed, "all of seqgrad's gradients agree with its own loss; `seqgrad check` compares recorded ones");
}

int gradcheck(const Options& o) {
  if (is_case(o.config)) return gradcheck_case(o);
  Config config;
  std::vector<std::string> overrides = o.common.overrides();
  overrides.emplace_back("precision=fp64");
  config.reads_files = true;
  load(config, o.config, overrides);
  if (config.device() == "cuda") refuse("gradcheck: changes parameters one by one, on the CPU; use --device cpu");
  const auto [settings, data, setup, model, initialised] = set_up(config, Purpose::inspection);
  o.common.tell(describe_data(data));
  ParameterStore& store = model->store();
  BatchOptions batching;
  batching.size = o.sentences.value_or(4);
  const Batch batch = Batcher(data.train, batching).next();
  const ForwardContext context{true, static_cast<uint64_t>(config.seed()), 1, 0, config.train.teacher_forcing()};
  if (accumulate_gradients(*model, setup, {&batch, 1}, context).skipped)
    refuse("gradcheck: nothing counts in the first {} sentences", batching.size);
  std::vector<double> analytic = to_host<double>(store.grads());
  const LossInputs inputs = loss_inputs(batch, setup);
  const LiveRows rows = build_live_rows(inputs, setup.options);
  const auto loss = [&, &model = *model, &setup = setup] {  // clang 14 captures no structured bindings
    return loss_without_gradients(model, setup, inputs, rows, batch, context).values[0];
  };
  bool passed = true;
  for (const Parameter& p : store.parameters()) {
    // The padding row of an embedding is a constant: it has no gradient although moving it would move the loss.
    const int64_t constant = p.init.zero_row == 0 && p.name.ends_with("emb.weight") ? p.shape[-1] : 0;
    const GradientClaim claim{p.name, p.tensor.as<double>() + constant, analytic.data() + p.offset + constant,
                              p.shape.numel() - constant};
    const GradientReport r = check_gradients(loss, {&claim, 1}, o.fast ? 0 : o.elements);
    print(p.name, r);
    passed &= r.passed();
  }
  return conclude(passed);
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("config", o->config, "Config file, or a loss case").required().type_name("CONFIG|CASE");
  app.add_option("--sentences", o->sentences, "Sentences in the batch (4)").type_name("N").check(whole(1));
  app.add_option("--elements", o->elements, "Parameters with more numbers are checked along random directions")
      .type_name("N")
      .check(whole(1));
  app.add_flag("--fast", o->fast, "Random directions only, whatever the size");
  o->common.declare(app);
  return [o] { return gradcheck(*o); };
}

const bool registered = register_command({"gradcheck",
                                          "Compare gradients with central differences in float64, per parameter",
                                          "seqgrad gradcheck configs/copy.yaml --set model.decoder.hidden=16",
                                          declare,
                                          {"gradient_check", "check_gradients", "grad_check"}});

}  // namespace
}  // namespace seqgrad
