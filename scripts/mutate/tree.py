"""A copy of the source that is built once; after that a changed file costs its own compilation and one link."""

import collections
import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / "build-mutants"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="detect_leaks=0", UBSAN_OPTIONS="print_stacktrace=0")


def fail(message):
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def alone():
    """Keeps a second run out of build-mutants until this process ends."""
    HOME.mkdir(exist_ok=True)
    global lock
    lock = open(HOME / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"another run works in {HOME.name}; wait until it has ended")


def prefix():
    """What heavy commands run under, so that several people can share a machine: SEQGRAD_RUN_PREFIX, e.g. `nice`."""
    return shlex.split(os.environ.get("SEQGRAD_RUN_PREFIX", ""))


def quiet(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        fail(f"{shlex.join(map(str, command))[:200]} failed")
    return done.stdout


class Tree:
    """The copy, its Release build, and programs linked from its objects with some replaced. What is replaced is lightly
    optimised, and with sanitizers if it stands in the folder of what changed; the rest is as ever, so that most of it comes
    out of ccache."""

    def __init__(self, jobs):
        self.source, self.jobs = HOME / "tree", jobs
        self.build = self.source / "build"
        alone()
        self._copy()

    def _copy(self):
        """Only what changed is written, so that the build stays incremental."""
        names = quiet(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT).split("\0")
        names = {n for n in names if n and (ROOT / n).is_file()}
        for name in names:
            source, target = ROOT / name, self.source / name
            if not target.exists() or target.read_bytes() != source.read_bytes():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        for target in list(self.source.rglob("*")):
            name = target.relative_to(self.source).as_posix()
            if target.is_file() and not name.startswith("build/") and name not in names:
                target.unlink()

    def read(self, file):
        return (self.source / file).read_text()

    def prepare(self, program, tests=()):
        """Builds the objects that `program` is linked from; of test files only `tests` and those that are no tests."""
        there = [*self.source.glob("tests/*/test_*.cpp"), *self.source.glob("tests/fuzz/*_target.cpp")]
        self.tests = [f for f in sorted(p.relative_to(self.source).as_posix() for p in there)
                      if tests and (f.startswith(tuple(tests)) or Path(f).name.startswith(tuple(tests)))]
        test_objects = [f"tests/CMakeFiles/seqgrad_tests.dir/{f.removeprefix('tests/')}.o" for f in self.tests]
        emulated = ["engine_emulated"] if self.tests else []  # the GPU's kernels, which the tests run on the CPU
        shutil.rmtree(HOME / "precompiled", ignore_errors=True)
        quiet([*prefix(), "env", "SEQGRAD_TESTS=ON", "SEQGRAD_CUDA=OFF", "scripts/build.sh", "engine_compute", "engine_frame", "commands", "seqgrad",
               *emulated, *test_objects],
              cwd=self.source)
        self.commands = {Path(c["file"]).relative_to(self.source).as_posix(): shlex.split(c["command"])
                         for c in json.loads((self.build / "compile_commands.json").read_text())}
        self.objects = {file: command[command.index("-o") + 1] for file, command in self.commands.items()}
        self.tests = [f for f in self.tests if f in self.commands]
        files = [f for f in self.commands if not f.startswith("tests/") or f in self.tests or f.startswith("tests/emulate/")]
        kept = {self.objects[f] for f in files}
        line = quiet(["ninja", "-C", self.build, "-t", "commands", "-s", program]).strip().splitlines()[-1]
        line = line.removeprefix(": && ").removesuffix(" && :")
        self.link_command = [word for word in shlex.split(line) if not word.endswith(".o") or word in kept]
        self.users = collections.defaultdict(set)  # of each header: the files to compile
        source = None
        own = {self.objects[f]: f for f in files}
        for row in quiet(["ninja", "-C", self.build, "-t", "deps"]).splitlines():
            if not row.startswith(" "):
                source = own.get(row.split(":")[0])
            elif source and (header := (self.build / row.strip()).resolve()).is_relative_to(self.source):
                self.users[header.relative_to(self.source).as_posix()].add(source)

    def compile(self, changed, slot, sanitize=True):
        """Compiles what the changed files {name: text} touch, into the directory `slot`. None if it does not compile,
        else {object of the build: object here}. Test files keep their own copy of a header: they are the judge."""
        shutil.rmtree(slot, ignore_errors=True)
        for name, text in changed.items():
            (slot / name).parent.mkdir(parents=True, exist_ok=True)
            (slot / name).write_text(text)
        files = {name for name in changed if name in self.commands}
        users = {user for name in changed if name.endswith(".h") for user in self.users[name] if not user.startswith("tests/")}
        files |= {user for user in users if self.objects[user] in self.link_command}  # others were built for another program
        objects = {}
        for file in sorted(files):
            own = slot / (file + ".o")
            own.parent.mkdir(parents=True, exist_ok=True)
            near = any(Path(name).parent == Path(file).parent for name in changed)
            if not self.compile_one(file, own, slot if file in changed else self.source, [f"-I{slot}"],
                                    ["-O1", *(SANITIZERS if sanitize and near else [])]):
                return None
            objects[self.objects[file]] = str(own)
        return objects

    def compile_one(self, file, target, base, before, after):
        command = self.commands[file]
        if Path(command[0]).name == "ccache":
            command = command[1:]
        command = [command[0], *before, *(word for word in command[1:] if word not in ("-O3", "-Werror")), *after, "-w"]
        command[command.index("-o") + 1] = str(target)
        command[command.index("-c") + 1] = str(base / file)
        if "-include" in command and SANITIZERS[0] in after:
            command[command.index("-include") + 1] = str(self._precompiled(command, after))
        return subprocess.run(command, cwd=self.build, capture_output=True).returncode == 0

    def _precompiled(self, command, after):
        """The libraries' headers for sanitizers: those of the build are precompiled without."""
        header = Path(command[command.index("-include") + 1])
        own = HOME / "precompiled" / header.parent.name / header.name
        with open(HOME / "precompiled.lock", "w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if not Path(f"{own}.gch").exists():
                own.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(header, own)
                quiet([*command[:command.index("-include")], *after, "-w", "-x", "c++-header", own, "-o", f"{own}.gch"], cwd=self.build)
        return own

    def link(self, objects, program, sanitize=True):
        """Replaced objects come first, so that theirs are the inline functions that the linker keeps."""
        command = [word for word in self.link_command if word not in objects]
        command[command.index("-o") + 1] = str(program)
        first = next(i for i, word in enumerate(command) if word.endswith(".o"))
        command[first:first] = [*(SANITIZERS if sanitize else []), *objects.values()]
        return subprocess.run(command, cwd=self.build, capture_output=True, text=True)
