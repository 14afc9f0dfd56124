// A message is the exit code of an error, or 0, and then its words, or what was given.
#include "engine/comm/together.h"

#include <algorithm>

namespace seqgrad {

Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}
std::string text_of(const Bytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

namespace {

Bytes message(ExitCode code, std::span<const std::byte> rest) {
  Bytes out(1 + rest.size());
  out[0] = static_cast<std::byte>(code);
  std::copy(rest.begin(), rest.end(), out.begin() + 1);
  return out;
}

ExitCode code_of(const Bytes& message) { return static_cast<ExitCode>(message.at(0)); }
bool is_error(const Bytes& message) { return code_of(message) != ExitCode::done; }

std::string words_of(const Bytes& message) { return text_of(message).substr(1); }

template <class F>
Bytes message_of(const F& f) {
  try {
    return message(ExitCode::done, f());
  } catch (const AgreedError&) {
    throw;
  } catch (const SystemError&) {
    throw;
  } catch (const Error& e) {
    return message(e.code(), std::as_bytes(std::span(std::string_view(e.what()))));
  }
}

}  // namespace

std::vector<Bytes> gather_together(Processes& processes, const std::function<Bytes()>& f) {
  if (processes.count() == 1) return {f()};
  const Bytes mine = message_of(f);
  std::vector<Bytes> all = processes.gather_all(mine);
  const auto bad = std::find_if(all.begin(), all.end(), is_error);
  if (bad == all.end()) {
    for (Bytes& bytes : all) bytes.erase(bytes.begin());
    return all;
  }
  const bool alike = std::all_of(all.begin(), all.end(), [&](const Bytes& one) { return one == *bad; });
  const std::vector<std::string> hosts = hosts_of(processes);
  const auto rank = static_cast<size_t>(bad - all.begin());
  throw AgreedError(code_of(*bad),
                    alike ? words_of(*bad) : fmt::format("rank {} (host {}): {}", rank, hosts[rank], words_of(*bad)));
}

std::vector<std::string> hosts_of(Processes& processes) {
  std::vector<std::string> out;
  for (const Bytes& host : processes.gather_all(bytes_of(processes.host()))) out.push_back(text_of(host));
  return out;
}

std::string from_first(Processes& processes, const std::function<std::string()>& f) {
  if (processes.count() == 1) return f();
  Bytes mine;
  if (processes.rank() == 0) mine = message_of([&] { return bytes_of(f()); });
  const Bytes first = processes.gather_all(mine)[0];
  if (is_error(first)) throw AgreedError(code_of(first), words_of(first));
  return words_of(first);
}

}  // namespace seqgrad
