// `seqgrad record`: freezes a case's current values as its gold.
#include "apps/command.h"
#include "engine/check/bless.h"

namespace seqgrad {
namespace {

struct Options {
  std::string path, reason;
  bool bless = false;
};

int record(const Options& o) {
  if (!o.bless) refuse("record: --bless says that the current values are right; without it nothing is written");
  if (o.reason.find_first_not_of(" \t") == std::string::npos) refuse("record: --reason must say why they are right");
  if (o.reason.find_first_of("\n\r") != std::string::npos) refuse("record: --reason is one line");
  bless(o.path, SEQGRAD_VERSION, o.reason);
  fmt::print("{}: current values are its gold now\n", shown_path(o.path));
  return 0;
}

std::function<int()> declare(OptionSet app) {
  auto o = std::make_shared<Options>();
  app.add_option("case", o->path, "A case's folder").required().type_name("CASE");
  app.add_flag("--bless", o->bless, "Write current values as gold (never over a peer's)");
  app.add_option("--reason", o->reason, "Why they are right; it stands in the case").required().type_name("TEXT");
  return [o] { return record(*o); };
}

const bool registered = register_command({"record",
                                          "Freeze a case's current values as its gold",
                                          "seqgrad record my_case --bless --reason 'checked by hand'",
                                          declare,
                                          {"bless"}});

}  // namespace
}  // namespace seqgrad
