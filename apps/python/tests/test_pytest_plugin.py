"""The plugin, in a pytest of its own."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from support import HERE, INSTALLED, SOURCE, fake_parent

try:
    import pytest  # noqa: F401
except ImportError:
    pytest = None
try:
    import xdist
except ImportError:
    xdist = None

TESTS = '''
import sys
sys.path.insert(0, {here!r})
from test_program import mean
import pytest, seqgrad

def test_plain():
    seqgrad.check(mean)

@pytest.mark.seqgrad(means="torch.mean", seed=3)
def test_marked():
    print(seqgrad.which(mean).to_dict()["seen"]["argv"])
'''

WRONG_MARKS = '''
import pytest

@pytest.mark.seqgrad(mens="torch.mean")
def test_misspelt():
    pass

@pytest.mark.seqgrad("torch.mean")
def test_without_a_name():
    pass
'''


@unittest.skipUnless(pytest, "pytest is not installed")
class Plugin(unittest.TestCase):
    def pytest(self, scene, *options, tests=TESTS):
        with tempfile.TemporaryDirectory() as folder, fake_parent(scene):
            path = pathlib.Path(folder)
            (path / "test_loss.py").write_text(tests.format(here=str(HERE)))
            env = {**os.environ, "PYTHONPATH": SOURCE}
            plugin = [] if INSTALLED else ["-p", "seqgrad.pytest_plugin"]
            done = subprocess.run([sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", "-q", "-rA", *options, str(path)],
                                  cwd=folder, env=env, capture_output=True, text=True)
            self.files = sorted(p.name for p in path.iterdir() if p.name != "__pycache__")
            return done

    def test_options_and_marker(self):
        done = self.pytest("holds", "--seqgrad-seed", "9", "--seqgrad-batches", "4", "--strict-markers")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("['conform', '--stdio', '--seed', '3', '--batches', '4', '--means', 'torch.mean']", done.stdout)
        self.assertEqual(self.files, ["test_loss.py"])

    def test_a_failure_has_its_section(self):
        done = self.pytest("finds", "--seqgrad-save", "saved")
        self.assertEqual(done.returncode, 1)
        self.assertIn("LossMismatch", done.stdout)
        self.assertIn("- seqgrad -", done.stdout)
        self.assertIn("the report of finds", done.stdout)
        self.assertIn("divisor:positions: all cells are counted", done.stdout)
        self.assertIn("test_loss.py_test_plain", done.stdout)
        self.assertNotIn("raise LossMismatch", done.stdout)  # nobody wants to see our frames

    def test_a_refusal_is_its_words(self):
        done = self.pytest("refuses")
        self.assertIn("SeqgradError: error: no preset 'torch.meen'; did you mean torch.mean?", done.stdout)
        self.assertIn("seqgrad.check(mean)", done.stdout)
        self.assertNotIn("raise SeqgradError", done.stdout)

    def test_a_mark_that_says_nothing_is_an_error(self):
        done = self.pytest("holds", tests=WRONG_MARKS)
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 errors", done.stdout)
        self.assertIn("mark.seqgrad: no argument 'mens'; did you mean means?", done.stdout)
        self.assertIn("mark.seqgrad takes its arguments by name: means='torch.mean'", done.stdout)

    @unittest.skipUnless(xdist, "pytest-xdist is not installed")
    def test_many_processes(self):
        done = self.pytest("finds", "-n", "2")
        self.assertIn("the report of finds", done.stdout)
        self.assertIn("1 failed, 1 passed", done.stdout)


if __name__ == "__main__":
    unittest.main()
