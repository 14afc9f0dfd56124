// One process tells, whichever of them computed it.
#include "apps/shared_processes.h"

#include <chrono>
#include <cstdlib>
#include <future>
#include <thread>

#include "apps/command.h"
#include "engine/comm/launched.h"
#include "engine/comm/together.h"
#include "engine/run/start_together.h"

namespace seqgrad {

Processes& shared_processes() {
  Processes& processes = launched_processes();
  if (processes.rank() > 0) say_nothing();
  if (const std::string text = agree_on_isa(processes); !text.empty()) note(text);
  return processes;
}

void tell_all(const InputError& error, const std::function<void()>& if_nobody_comes) {
  const auto from = launcher([](const char* name) -> const char* { return std::getenv(name); });
  if (!from || from->count == 1) return;
  std::promise<void> met;
  std::thread watch([&] {
    if (met.get_future().wait_for(std::chrono::seconds(20)) == std::future_status::timeout) if_nobody_comes();
  });
  std::exception_ptr agreed;
  try {
    together(launched_processes(), [&] { throw error; });
  } catch (const AgreedError&) {
    agreed = std::current_exception();
  } catch (const std::exception&) {  // nothing connects them
  }
  met.set_value();
  watch.join();
  if (agreed) std::rethrow_exception(agreed);
}

}  // namespace seqgrad
