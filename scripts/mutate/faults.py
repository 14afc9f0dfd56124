"""Faults that people make in a sequence loss. Each must fail a recorded case (planted_faults.py).

An edit is (file, what stands there, what stands there instead); the first must occur once, whatever the white space. `names`
is what --which must say of a case that the faulty program recorded, where a reduction or a change explains the fault. `below`
names the wide vocabularies and dtypes (5000_f32, …, 128000_bf16) in which the fault moves no number by more than right
arithmetic of that dtype does, and `why`."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    about: str
    edits: tuple
    names: str = ""  # a regular expression; empty: no reduction explains it
    below: str = ""  # a regular expression of V_DTYPE
    why: str = ""


def applied(fault, read):
    """{file: its text with the fault}; ValueError where an edit does not fit any more."""
    changed = {}
    for file, old, new in fault.edits:
        text = changed.get(file) or read(file)
        pattern = r"\s+".join(re.escape(word) for word in old.split())
        found = len(re.findall(pattern, text))
        if found != 1:
            raise ValueError(f"{fault.name}: `{old}` stands {found} times in {file}; mend scripts/mutate/faults.py")
        changed[file] = re.sub(pattern, lambda _: new, text)
    return changed


DIVISORS, PRESETS, REDUCTION, LIVE = (f"engine/loss/{f}.cpp" for f in ("divisors", "presets", "reduction", "live_rows"))
TARGET, ROW = (f"engine/loss/{f}.cpp" for f in ("row_target", "row_loss"))
FORMULAS, PROBS = (f"engine/loss/{f}.h" for f in ("row_formulas", "probs_formulas"))
CASES = "engine/check/case_inputs.cpp"
PREDICTION, LINEAR = (f"engine/loss/{f}.h" for f in ("prediction", "linear_tiles"))
CALL = "engine/loss/loss_call.cpp"
REPORT, SUM = (f"engine/loss/{f}.h" for f in ("row_report", "order_free_sum"))


def divides(value, other):
    """A divisor takes the value of another."""
    number = lambda v: f"return {v};" if v.startswith("c.w") or v.startswith("c.c") else f"return static_cast<double>({v});"
    return ((DIVISORS, number(value), number(other)),)


SELECTED = "active[n] = (!in.lengths || t < (*in.lengths)[static_cast<size_t>(b)]) && (!in.mask || (*in.mask)[n]) &&"

FAULTS = (
    # Divisors
    Fault("positions_for_active", "the token mean divides by all cells, padding too",
          divides("c.active", "c.positions"), r"divide: positions\}"),
    Fault("active_for_positions", "the mean over all cells leaves out padding", divides("c.positions", "c.active"),
          r"divide: active\}"),
    Fault("batch_for_active", "the token mean divides by the number of sentences", divides("c.active", "c.batch"),
          r"divide: batch\}"),
    Fault("active_batch_for_batch", "the batch mean leaves out empty sentences", divides("c.batch", "c.active_batch"),
          r"divide: active_batch\}"),
    Fault("active_for_nonzero", "tokens of weight 0 count among the nonzero ones", divides("c.nonzero", "c.active"),
          r"divide: active\}"),
    Fault("weight_for_active", "weights are counted in `active`", divides("c.active", "c.weight"),
          r"divide: weight\}"),
    Fault("active_for_weight", "the weighted mean divides by the number of tokens", divides("c.weight", "c.active"),
          r"divide: active\}"),
    Fault("nonzero_for_weight", "the weighted mean divides by the number of nonzero weights",
          divides("c.weight", "c.nonzero"), r"divide: nonzero\}"),
    Fault("batch_for_weight", "the weighted mean divides by the number of sentences", divides("c.weight", "c.batch"),
          r"divide: batch\}"),
    Fault("class_weight_not_in_divisor", "class weights are missing in the divisor",
          divides("c.class_weight", "c.active"), r"divide: active\}"),
    Fault("steps_for_batch", "the batch mean divides by the number of steps", divides("c.batch", "c.steps"),
          r"divide: steps\}"),
    Fault("mean_of_means", "the token mean is a mean of the sentences' means",
          ((PRESETS, "o.divide = p.divide;",
            'o.divide = p.over == Over::all && p.divide.flat == "active" ? nested("active", "active_batch") : p.divide;'),),
          r"sentence_mean|mean of means|\{time: active, batch: active_batch\}"),
    Fault("sum_for_mean", "the sum, because one forgot to divide", divides("c.active", "1.0"), r"divide: one\}"),
    Fault("example_weight_not_in_divisor", "the weighted mean divides by the tokens' weights only",
          ((LIVE, "cells.back().weight = row.weight;", "cells.back().weight = in.token_weight ? (*in.token_weight)[n] : 1.0;"),)),
    # Reduction
    Fault("eps_in_divisor", "an epsilon of 1e-5 in every divisor",
          ((REDUCTION, "return d == 0 ? 0 : 1 / (d + eps);", "return d == 0 ? 0 : 1 / (d + eps + 1e-5);"),),
          "with 1e-5 added to the divisor"),
    Fault("empty_divides", "a batch without a token divides 0 by 0",
          ((REDUCTION, "return d == 0 ? 0 : 1 / (d + eps);", "return 1 / (d + eps);"),)),
    Fault("gradient_not_divided", "the gradient is that of the sum",
          ((REDUCTION, "c.rows.push_back(s * r.weight);", "c.rows.push_back(r.weight);"),), r"divide: one\}"),
    Fault("gradient_not_weighted", "the weights are missing in the gradient",
          ((REDUCTION, "c.rows.push_back(s * r.weight);", "c.rows.push_back(s);"),)),
    Fault("weighted_twice", "the loss is multiplied by its weight twice",
          ((REDUCTION, "options.over))].push_back(rows.rows[i].weight * losses[i]);",
            "options.over))].push_back(rows.rows[i].weight * rows.rows[i].weight * losses[i]);"),)),
    Fault("inner_divisor_not_in_gradient", "sentence means without their lengths in the gradient",
          ((REDUCTION, "s *= reciprocal(inner_divisor(rows, options, r.row / rows.steps), options.divide_eps);", ";"),)),
    Fault("upstream_dropped", "the gradient of a vector of losses ignores what comes from above",
          ((CALL, "out[i].coefficient *= static_cast<double>(upstream[static_cast<size_t>(tasks_.groups[i])]);", "(void)upstream[i];"),)),
    Fault("sum_in_float32", "losses are added up in float32", ((SUM, "double high[lanes] = {}, low[lanes] = {};", "float high[lanes] = {}, low[lanes] = {};"),)),
    # Who counts
    Fault("mask_ignored", "the mask is taken and not used", ((LIVE, SELECTED, SELECTED.replace("(!in.mask || (*in.mask)[n]) &&", "")),),
          r"with the mask left out|with every position counted"),
    Fault("mask_inverted", "the mask says where padding is", ((LIVE, SELECTED, SELECTED.replace("(*in.mask)[n]", "!(*in.mask)[n]")),)),
    Fault("mask_after_the_mean", "padded losses are multiplied by 0, and their cells stay in the divisor",
          ((LIVE, "if (!active[static_cast<size_t>(n)]) continue;", ""),
           (LIVE, "double w = in.token_weight ? (*in.token_weight)[static_cast<size_t>(n)] : 1.0;",
            "double w = !active[static_cast<size_t>(n)] ? 0.0 : in.token_weight ? (*in.token_weight)[static_cast<size_t>(n)] : 1.0;")),
          r"divide: positions\}"),
    Fault("length_off_by_one", "one step after the end counts", ((LIVE, SELECTED, SELECTED.replace("t < (", "t <= (")),)),
    Fault("ignored_in_divisor", "ignored ids are left out of the sum and stay in the divisor",
          ((LIVE, "(!options.ignore_index || in.targets[n] != *options.ignore_index);", "true;"),
           (LIVE, "cells.push_back({b, t, 0, 0});",
            "cells.push_back({b, t, 0, 0}); if (options.ignore_index && in.targets[static_cast<size_t>(n)] == "
            "*options.ignore_index) continue;")), r"divide: positions\}"),
    Fault("id_0_ignored", "id 0 is taken for padding although nobody said so",
          ((LIVE, "(!options.ignore_index || in.targets[n] != *options.ignore_index);",
            "(in.targets.empty() || in.targets[n] != options.ignore_index.value_or(0));"),), r"with id 0 ignored"),
    Fault("nan_leaks", "padding is multiplied by 0 where it should be left out: 0 times NaN",
          ((LIVE, "if (!active[static_cast<size_t>(n)]) continue;", ""),
           (LIVE, "cells.push_back({b, t, 0, 0});", "if (active[static_cast<size_t>(n)]) cells.push_back({b, t, 0, 0});"),
           (LIVE, "double w = in.token_weight ? (*in.token_weight)[static_cast<size_t>(n)] : 1.0;",
            "double w = !active[static_cast<size_t>(n)] ? 0.0 : in.token_weight ? (*in.token_weight)[static_cast<size_t>(n)] : 1.0;"),
           (LIVE, "if (w == 0) continue;", "if (cells.empty()) continue;"),
           (LIVE, "if (row.weight != 0) out.rows.push_back(row);", "out.rows.push_back(row);"))),
    # Targets
    Fault("shift_by_one", "targets, mask and weights of a step are those of the next",
          ((LIVE, SELECTED, "active[n] = t + 1 < in.steps && (!in.lengths || t + 1 < (*in.lengths)[static_cast<size_t>(b)]) && "
            "(!in.mask || (*in.mask)[n + 1]) &&"),
           (LIVE, "in.targets[n] != *options.ignore_index);", "in.targets[n + 1] != *options.ignore_index);"),
           (LIVE, "double w = in.token_weight ? (*in.token_weight)[static_cast<size_t>(n)] : 1.0;",
            "double w = in.token_weight ? (*in.token_weight)[static_cast<size_t>(n + 1)] : 1.0;"),
           (LIVE, "const int64_t y = in.targets[static_cast<size_t>(n)];",
            "const int64_t y = in.targets[static_cast<size_t>(n + 1)];")),
          "shifted one step to the left"),
    Fault("smoothing_mass_on_padding", "smoothing gives the excluded ids their share",
          ((TARGET, "for (const int64_t id : o.smoothing_excluding) off[static_cast<size_t>(id)] = 0;", ""),)),
    Fault("smoothing_excluded_in_share", "smoothing divides by the excluded ids too",
          ((TARGET, "const double share = e / (v - 1 - static_cast<double>(o.smoothing_excluding.size()));",
            "const double share = e / (v - 1);"),)),
    Fault("smoothing_uniform_as_others", "smoothing over all classes is spread over the others only",
          ((TARGET, "rule.off = e / v; rule.on = 1 - e;", "rule.off = e / (v - 1); rule.on = 1 - e - rule.off;"),), r"others"),
    Fault("smoothing_others_adds_up", "smoothing over the others leaves the target a share as well",
          ((TARGET, "rule.on = 1 - e - rule.off;", "rule.on = 1 - e;"),)),
    Fault("prior_ignored", "smoothing by a prior is uniform", ((TARGET, "for (double& u : off) u *= e;", "for (double& u : off) u = e / v;"),)),
    Fault("entropy_kept", "the divergence is reported as the cross entropy",
          ((REPORT, "entropy ? (*entropy)(rows, rows.rows[i]) : 0.0", "0.0"),), r"\(ce\)"),
    Fault("class_weight_lost_with_smoothing", "smoothing switches the class weights off",
          ((TARGET, "o.class_scope == ClassScope::per_class", "o.class_scope == ClassScope::per_class && e == 0"),),
          "with the class weights left out"),
    Fault("float_ids", "ids may come as floats, which have no digits for large ones",
          ((CASES, "refuse_float_ids(); read_prediction();", "read_prediction();"),)),
    # Row kernels
    Fault("p_minus_q", "the gradient of dense targets is p - q whatever q adds up to",
          ((FORMULAS, "factor(static_cast<T>(coefficient * (target_sum + z_scale) / total)),",
            "factor(static_cast<T>(coefficient * ((task.q ? 1 : target_sum) + z_scale) / total)),"),)),
    Fault("p_minus_one", "the true class gets p - 1, which cancels as p nears 1",
          ((ROW, "if (single_target >= 0) e[single_target] =", "if (false) e[single_target] ="),)),
    Fault("no_maximum", "exponentials without the maximum subtracted", ((ROW, "T top = passes.maximum(a, k.bias, n, next);",
           "T top = passes.maximum(a, k.bias, n, next) * 0;"),)),
    Fault("softcap_without_derivative", "the gradient of the soft cap is taken for 1", ((ROW, "e[v] *= 1 - th * th;", "(void)th;"),)),
    Fault("z_loss_without_gradient", "the z-loss is added to the value only",
          ((FORMULAS, "z_scale(rule.z_loss != 0 ? 2 * rule.z_loss * lambda : 0),", "z_scale(0),"),)),
    Fault("z_loss_not_squared", "the z-loss is that of lambda, not of its square",
          ((REPORT, "options.z_loss * r.lambda * r.lambda", "options.z_loss * r.lambda"),)),
    Fault("probs_not_renormalised", "probabilities are taken as they are",
          ((PROBS, "return p / (renormalised ? sum : 1);", "return p;"),)),
    Fault("clip_leaks_gradient", "clipped probabilities get a gradient",
          ((PROBS, "gamma = r == 0 || clip(x) != x ? 0 : -r / x;", "gamma = r == 0 ? 0 : -r / clip(x);"),)),
    # Layouts and the output layer
    Fault("time_major_as_batch_major", "time-major logits are read batch-major",
          ((PREDICTION, "layout == Layout::time ? row % steps * batch + row / steps : row", "row"),)),
    Fault("bias_without_gradient", "the output layer's bias gets no gradient",
          ((LINEAR, "if (g_.bias.defined()) kernels::sum_rows<T>", "if (false) kernels::sum_rows<T>"),)),
)
