"""Losses in numpy through the executable itself."""
import os
import tempfile
import unittest

from support import needs_executable
import numpy as np
import seqgrad


def right(logits, targets, mask):
    d = np.zeros_like(logits)
    z, y = logits[mask], targets[mask]
    n, rows = max(1, len(y)), np.arange(len(y))
    z = z - z.max(-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    p = np.exp(log_p)
    p[rows, y] -= 1
    d[mask] = p / n
    return -log_p[rows, y].sum() / n, d


def all_cells(logits, targets, mask):
    value, d = right(logits, targets, mask)
    share = np.asarray(mask.sum() / max(1, mask.size), logits.dtype)
    return value * share, d * share


@needs_executable
class Conform(unittest.TestCase):
    def test_a_right_loss_passes(self):
        report = seqgrad.check(right, means="torch.mean", seed=1)
        self.assertTrue(report.ok)
        self.assertEqual(report.findings, [])
        self.assertIn("it is torch.mean", str(report))
        self.assertIn("token_mean", str(seqgrad.which(right, seed=1)))

    def test_another_loss_has_its_name_and_its_smallest_batch(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(seqgrad.LossMismatch) as caught:
                seqgrad.check(all_cells, means="torch.mean", seed=1, save=folder)
            error = caught.exception
            case = seqgrad.read_case(os.path.join(folder, "value"))
            self.assertFalse(seqgrad.run_case(case.path))
            self.assertTrue(seqgrad.run_case(case.path, right))
        self.assertEqual(error.report.finding, "divisor:positions")
        self.assertLessEqual(error.batch["mask"].size, 6)
        x = error.batch
        got, want = (f(x["logits"], x["targets"], x["mask"] != 0)[0] for f in (all_cells, right))
        self.assertGreater(abs(got - want), 0.1)
        self.assertTrue(seqgrad.check(all_cells, means="mlx.mean", seed=1).ok)
        self.assertIn("(B·T)", str(seqgrad.which(all_cells, seed=1)))

    def test_rows_and_sections(self):
        def mean_of_rows(row_loss, mask):
            n = max(1, mask.sum())
            return np.where(mask, row_loss, 0).sum() / n, mask / n
        self.assertTrue(seqgrad.check(mean_of_rows, means={"reduce": {"over": "all", "divide": "active"}}, seed=1).ok)

    def test_a_step_of_means_is_found(self):
        def step(batches):
            found = [right(b.logits, b.targets, b.mask) for b in batches]
            return sum(v for v, _ in found) / len(found), [d / len(found) for _, d in found]
        with self.assertRaises(seqgrad.LossMismatch) as caught:
            seqgrad.check_step(step, means="torch.mean", micro_batches=2, framework="numpy", seed=1)
        self.assertIn("micro:mean_of_means", caught.exception.report.findings)

        def shared(batches):
            return [right(b.logits, b.targets, b.mask)[1] * b.mask.sum() / max(1, b.num_items) for b in batches]
        self.assertTrue(seqgrad.check_step(shared, means="torch.mean", micro_batches=3, framework="numpy", seed=1).ok)

    def test_a_step_has_two_parts_unless_told_otherwise(self):
        def means(batches):
            return [right(b.logits, b.targets, b.mask)[1] / len(batches) for b in batches]
        with self.assertRaises(seqgrad.LossMismatch) as caught:
            seqgrad.check_step(means, means="torch.mean", framework="numpy", seed=1)
        self.assertIn("means over 2 micro-batches, 1 rank (numpy", str(caught.exception))
        one = seqgrad.check_step(means, means="torch.mean", micro_batches=1, framework="numpy", seed=1)
        self.assertIn("means over 1 micro-batch, 1 rank (numpy", str(one))

    def test_a_loss_of_each_micro_batch_is_judged_part_by_part(self):
        def own(batches):
            return [right(b.logits, b.targets, b.mask)[1] for b in batches]

        def divided(batches):
            return [d / len(batches) for d in own(batches)]

        def of_all(batches):
            return [d * b.mask.sum() / max(1, b.num_items) for b, d in zip(batches, own(batches))]

        def of_last(batches):
            return [d * (i == len(batches) - 1) for i, d in enumerate(own(batches))]
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "means.yaml")
            with open(file, "w") as f:
                f.write("loss:\n  preset: sockeye\n")
            section = {"reduce": {"divide": "active"}, "normalizer": {"scope": "micro"}}
            for means in ("sockeye", file, {"preset": "joeynmt.tokens"}, section):
                report = seqgrad.check_step(own, means=means, framework="numpy", seed=1)
                self.assertIn("own over micro-batch 2 of 2 (numpy", str(report))
        self.assertTrue(seqgrad.check_step(own, means="sockeye", micro_batches=3, ranks=2, framework="numpy", seed=1).ok)
        for step, words in ((divided, "divides by their number has another loss"),
                            (of_all, "the other micro-batches have 5 tokens that count")):
            with self.assertRaises(seqgrad.LossMismatch) as caught:
                seqgrad.check_step(step, means="sockeye", framework="numpy", seed=1)
            self.assertIn("micro-batch 1 of 2", str(caught.exception))
            self.assertIn(words, str(caught.exception))
        with self.assertRaisesRegex(TypeError, "no gradient reached the logits of micro-batch 1 of 2"):
            seqgrad.check_step(of_last, means="sockeye", framework="numpy", seed=1)
        self.assertTrue(seqgrad.check_step(divided, means="sockeye", micro_batches=1, framework="numpy", seed=1).ok)

    def test_what_a_mend_is_written_in(self):
        with self.assertRaises(seqgrad.LossMismatch) as caught:
            seqgrad.check(all_cells, means="torch.mean", seed=1)
        self.assertRegex(str(caught.exception), r"\n  mend .*# PyTorch\n")
        self.assertNotIn("PyTorch", str(seqgrad.which(right, means="torch.mean", seed=1)))

    def test_what_ranks_do_is_said(self):
        def sums(batches):
            return [right(b.logits, b.targets, b.mask)[1] * b.mask.sum() / max(1, b.num_items) for b in batches]
        with self.assertRaises(seqgrad.LossMismatch) as caught:
            seqgrad.check_step(sums, means="torch.mean", ranks=2, framework="numpy", seed=1)
        self.assertIn("averaged over the 2 ranks", str(caught.exception))
        self.assertIn("times 2", str(caught.exception))

        def times_ranks(batches):
            return [2 * d for d in sums(batches)]
        report = seqgrad.check_step(times_ranks, means="torch.mean", ranks=2, framework="numpy", seed=1)
        self.assertNotIn("averaged", str(report))

    def test_what_cannot_be_asked_is_said(self):
        with self.assertRaisesRegex(seqgrad.SeqgradError, "did you mean"):
            seqgrad.check(right, means="torch.meen")
        with self.assertRaisesRegex(seqgrad.SeqgradError, "no property 'values'"):
            seqgrad.check(right, means="torch.mean", only="values")

    def test_zero_is_a_number(self):
        self.assertIn("seed 0", str(seqgrad.which(right, seed=0)))
        with self.assertRaisesRegex(seqgrad.SeqgradError, "--batches"):
            seqgrad.which(right, batches=0)

    def test_unknown_keywords_are_errors(self):
        with self.assertRaisesRegex(TypeError, "'mean'.*did you mean means"):
            seqgrad.check(right, mean="torch.mean")
        with self.assertRaisesRegex(TypeError, "'smothing'.*did you mean smoothing"):
            seqgrad.which(right, smothing=0.1)

    def test_a_file_is_no_folder_to_save_in(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "file")
            open(file, "w").close()
            for save in (file, os.path.join(file, "below")):
                with self.assertRaisesRegex(NotADirectoryError, "save=.*file.*is a file"):
                    seqgrad.check(all_cells, means="torch.mean", save=save)


if __name__ == "__main__":
    unittest.main()
