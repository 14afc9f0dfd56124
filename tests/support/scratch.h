// A directory for a test's files, and the executable run in it as a person runs it.
#pragma once
#include <sys/wait.h>
#include <test_paths.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "engine/core/error.h"

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

// A directory of its own, removed at the end.
struct Scratch {
  std::filesystem::path path;
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "seqgrad-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp: " + name);
    path = name;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return (path / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

struct Result {
  int code;  // 1000 + the signal when one ended the process
  std::string out, err;
};

// Runs `seqgrad ARGUMENTS` through a shell, so that arguments may hold redirections and pipes.
inline Result run_seqgrad(const Scratch& dir, const std::string& arguments, const std::string& input = "") {
  const std::string in = dir.write("stdin", input);
  const std::string command = std::string("exec ") + SEQGRAD_BINARY + " < " + in + " > " + dir / "out" + " 2> " +
                              (dir / "err") + " " + arguments;
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), slurp(dir / "out"), slurp(dir / "err")};
}

inline std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Why `seqgrad` has no GPU here; "" where it has one.
inline std::string no_gpu(const Scratch& dir) {
  const std::string out = run_seqgrad(dir, "info").out, key = "gpu      none (";
  const size_t at = out.find(key);
  return at == std::string::npos ? "" : out.substr(at + key.size(), out.find(")\n", at) - at - key.size());
}

// The message of the error that `f` throws, and its exit code: "2 data.txt: error: …"; "" when it throws none.
template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const seqgrad::Error& e) {
    return std::to_string(static_cast<int>(e.code())) + " " + e.what();
  }
  return "";
}
