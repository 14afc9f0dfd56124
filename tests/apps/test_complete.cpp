// `seqgrad complete`: what a shell offers comes from the tables, the scripts are ones that their shells take, and the
// manual page has every command and option.
#include <test_paths.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/complete/candidates.h"
#include "apps/complete/man_page.h"
#include "engine/conform/trial.h"
#include "engine/loss/presets.h"
#include "engine/train/config.h"
#include "tests/support/catch.h"
#include "tests/support/scratch.h"

using namespace seqgrad;

namespace {

using Words = std::vector<std::string>;

// Of `seqgrad WORDS`, cut at spaces; a space at the end begins a word.
Words offered(const std::string& line) {
  Words words{"seqgrad"};
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return candidates(words);
}

bool contains(const Words& all, const std::string& word) {
  return std::find(all.begin(), all.end(), word) != all.end();
}

}  // namespace

TEST_CASE("a shell is offered commands and their options") {
  Words names;
  for (const auto& [name, command] : commands()) names.push_back(name);
  CHECK(offered("") == names);
  CHECK(offered("tra") == Words{"train", "translate"});
  CHECK(offered("--") == Words{"--help", "--version"});
  CHECK(offered("train --run-d") == Words{"--run-dir"});
  CHECK(offered("train --h") == Words{"--help"});
  int options = 0;
  for (const auto& [name, command] : commands())
    for (const OptionText& o : options_of(command))
      for (const std::string& n : o.names) {
        CAPTURE(name, n);
        CHECK(contains(offered(name + " -"), n));
        CHECK(contains(offered(name + " " + n), n));
        ++options;
      }
  CHECK(options > 60);
  CHECK(offered("nonsense --x").empty());
  CHECK(offered("train --nonsense ").empty());
  CHECK(offered("train --nonsense=").empty());
  CHECK(candidates({}).empty());
  CHECK(candidates({"seqgrad"}).empty());
}

TEST_CASE("a shell is offered the values of options from their tables") {
  CHECK(offered("train --device c") == Words{"cpu", "cuda"});
  CHECK(offered("train --device=c") == Words{"--device=cpu", "--device=cuda"});
  CHECK(offered("evaluate run --tokenize ") == Words{"13a", "none", "char", "zh"});
  CHECK(offered("complete ") == Words{"bash", "zsh", "fish", "man", "words"});
  CHECK(offered("bench st") == Words{"step"});
  CHECK(offered("bench --json st") == Words{"step"});  // after a flag
  CHECK(offered("evaluate run --checkpoint b") == Words{"best"});
  CHECK(offered("explain x --experiment al") == Words{"all"});
  CHECK(contains(offered("explain x --experiment "), "micro_batches"));
  CHECK(offered("loss case --preset ") == preset_names());
  CHECK(offered("explain x --mode torch.mean,ml") == Words{"torch.mean,mlx.mean"});
  CHECK(offered("conform --means torch.m") == Words{"torch.mean"});
  CHECK(offered("conform --only value,der") == Words{"value,derivative"});
  CHECK(offered("conform --only ") == property_ids());
  for (const std::string path :
       {"train conf", "check ", "train --run-dir ", "train --seed ", "conform --means x -- py", "conform -- --me"})
    CHECK(offered(path).empty());  // a file, a number, another program's
}

TEST_CASE("a shell is offered config keys and their values") {
  CHECK(offered("train --set loss.pre") == Words{"loss.preset="});
  CHECK(offered("train --set loss.preset=torch") == Words{"loss.preset=torch.mean"});
  CHECK(offered("train a.yaml --set=loss.preset=torch") == Words{"--set=loss.preset=torch.mean"});
  CHECK(offered("train --set graphs=") == Words{"graphs=true", "graphs=false"});
  CHECK(offered("train --set lowercase=").empty());  // no such key
  CHECK(offered("train --set seed=").empty());       // any number
  int keys = 0;
  Config().for_each_field([&](const FieldBase& f) {
    CAPTURE(f.path());
    CHECK(contains(offered("train --set " + f.path()), f.path() + "="));
    for (const std::string& c : f.choices())
      CHECK(contains(offered("train --set " + f.path() + "="), f.path() + "=" + c));
    ++keys;
  });
  CHECK(keys > 60);
}

TEST_CASE("the completion scripts ask with the words of the line") {
  const Scratch dir;
  const std::string script = dir.write("complete.bash", run_seqgrad(dir, "complete bash").out);
  const auto bash = [&](const std::string& typed, const std::string& before = "") {
    const std::string ask = before + "\nsource '" + script + "'\nCOMP_LINE='seqgrad " + typed +
                            "' COMP_POINT=${#COMP_LINE}\n_seqgrad " SEQGRAD_BINARY
                            "\nprintf '%s\\n' \"${COMPREPLY[@]}\"";
    const std::string answer = dir / "answer";
    CHECK(std::system(
              ("bash '" + dir.write("ask.bash", ask) + "' >'" + answer + "' 2>'" + (dir / "errors") + "'").c_str()) ==
          0);
    CHECK(slurp(dir / "errors").empty());
    return slurp(answer);
  };
  CHECK(bash("tra") == "train\ntranslate\n");
  CHECK(bash("complete ") == "bash\nzsh\nfish\nman\nwords\n");
  CHECK(bash("train --set loss.pre") == "loss.preset=\n");
  CHECK(bash("train --set loss.preset=torch") == "torch.mean\n");
  CHECK(bash("train --set=loss.preset=torch") == "torch.mean\n");
  CHECK(bash("train --set loss.preset=torch", "COMP_WORDBREAKS=' '") == "loss.preset=torch.mean\n");
  CHECK(bash("train configs/") == "\n");
  for (const char* shell : {"zsh", "fish"}) {
    const Result r = run_seqgrad(dir, std::string("complete ") + shell);
    CHECK(r.code == 0);
    CHECK(has(r.out, " complete words"));
  }
  CHECK(run_seqgrad(dir, "complete words", "seqgrad\ntra\n").out == "train\ntranslate\n");
  std::string all;
  for (const auto& [name, command] : commands()) all += name + "\n";
  CHECK(run_seqgrad(dir, "complete words", "seqgrad\n\n").out == all);
  CHECK(run_seqgrad(dir, "complete words", "").out.empty());
  CHECK(run_seqgrad(dir, "complete tcsh").code == 2);
}

TEST_CASE("the manual page has every command and every option") {
  const Scratch dir;
  const Result r = run_seqgrad(dir, "complete man");
  CHECK(r.code == 0);
  CHECK(r.out.starts_with(".TH SEQGRAD 1 2"));
  const std::string page = man_page("1987-06-05");
  CHECK(page.starts_with(".TH SEQGRAD 1 1987-06-05 \"seqgrad " SEQGRAD_VERSION "\""));
  CHECK(page.substr(page.find('\n')) == r.out.substr(r.out.find('\n')));
  for (const auto& [name, command] : commands()) {
    const size_t begin = page.find(".SS " + name + "\n"), end = page.find("\n.S", begin + 1);
    REQUIRE(begin != std::string::npos);
    const std::string section = page.substr(begin, end - begin);
    for (const OptionText& o : options_of(command))
      for (std::string n : o.names) {
        for (size_t i = 0; i < n.size(); ++i)
          if (n[i] == '-') n.insert(i++, "\\");
        CAPTURE(name, n);
        CHECK(has(section, n));
      }
  }
  CHECK(has(page, "\\fB\\-\\-run\\-dir\\fR \\fIDIR\\fR\n"));
  CHECK(page.find("\n'") == std::string::npos);
}
