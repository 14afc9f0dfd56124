// `seqgrad explain`: what masks and weights do to the loss of one small batch.
#include "apps/command.h"
#include "engine/io/atomic_write.h"
#include "engine/teach/page.h"

namespace seqgrad {
namespace {

struct Options {
  std::string path, html;
  bool json = false;
};

int explain_it(const Options& o) {
  const Explanation e = explain(read_case(o.path));
  if (!o.html.empty()) atomic_write(o.html, explain_page(e));
  fmt::print("{}\n", o.json ? to_json(e) : e.sum);
  return 0;
}

std::function<int()> declare(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("case", o->path, "A case: a folder, or a YAML file with its tensors")->required()->type_name("CASE");
  app.add_flag("--json", o->json, "Print one JSON object with every number that is shown");
  app.add_option("--html", o->html, "Write one page that opens from disk, on which masks and weights can be edited")
      ->type_name("FILE");
  return [o] { return explain_it(*o); };
}

const bool registered = register_command({"explain", "What masks and weights do to the loss of one small batch",
                                          "seqgrad explain tests/cases/tfa/flags_ttff_f64 --json", declare});

}  // namespace
}  // namespace seqgrad
