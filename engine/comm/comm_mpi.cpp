// Processes over MPI: the only file that knows it. A shared object of its own, which has nothing of seqgrad's but
// headers.
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "engine/comm/mpi_object.h"

#define SEQGRAD_EXPORT __attribute__((visibility("default")))

namespace seqgrad {
namespace {

void succeed(int code) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw std::runtime_error("MPI: " + std::string(text, static_cast<size_t>(length)));
}

struct Place {
  int rank = 0, count = 0, local_rank = 0, local_count = 0;
  std::string host, library;
};

// "Open MPI 4.1.4", "MPICH 4.0.2": of "Open MPI v4.1.4, package: …" and "MPICH Version:      4.0.2\nMPICH Release date:
// …".
std::string library_name() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  succeed(MPI_Get_library_version(text, &length));
  const std::string all(text, static_cast<size_t>(length));
  std::istringstream words(all.substr(0, all.find_first_of(",\n")));
  std::string name;
  for (std::string word; words >> word;) {
    if (word == "Version:") continue;
    const bool number = word.size() > 1 && word[0] == 'v' && std::isdigit(static_cast<unsigned char>(word[1]));
    name += (name.empty() ? "" : " ") + (number ? word.substr(1) : word);
  }
  return name;
}

Place place(MPI_Comm world) {
  Place p;
  succeed(MPI_Comm_rank(world, &p.rank));
  succeed(MPI_Comm_size(world, &p.count));
  MPI_Comm local;
  succeed(MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, p.rank, MPI_INFO_NULL, &local));
  succeed(MPI_Comm_rank(local, &p.local_rank));
  succeed(MPI_Comm_size(local, &p.local_count));
  succeed(MPI_Comm_free(&local));
  char name[MPI_MAX_PROCESSOR_NAME];
  int length = 0;
  succeed(MPI_Get_processor_name(name, &length));
  p.host.assign(name, static_cast<size_t>(length));
  p.library = library_name();
  return p;
}

class MpiProcesses final : public Processes {
 public:
  MpiProcesses(MPI_Comm world, size_t longest, Place p)
      : Processes(p.rank, p.count, p.local_rank, std::move(p.host), std::move(p.library)),
        world_(world),
        longest_(longest),
        patience_(p.local_count > static_cast<int>(std::thread::hardware_concurrency()) ? 100 : 1'000'000) {}

  void exchange(std::span<const Outgoing> mine, std::span<const Incoming> wanted) override {
    requests_.clear();
    expected_.clear();
    for (const Incoming& w : wanted) receive(w);
    for (const Outgoing& m : mine) send(m);
    wait_for(requests_);
    for (size_t i = 0; i < expected_.size(); ++i) {
      int bytes = 0;
      succeed(MPI_Get_count(&statuses_[i], MPI_BYTE, &bytes));
      if (bytes != expected_[i])
        throw std::runtime_error("exchange: process " + std::to_string(rank()) + " waits for " +
                                 std::to_string(expected_[i]) + " bytes of process " +
                                 std::to_string(statuses_[i].MPI_SOURCE) + ", which sends " + std::to_string(bytes));
    }
  }

  std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine) override {
    const auto ranks = static_cast<size_t>(count());
    const int64_t size = static_cast<int64_t>(mine.size());
    std::vector<int64_t> sizes(ranks);
    MPI_Request request;
    succeed(MPI_Iallgather(&size, 1, MPI_INT64_T, sizes.data(), 1, MPI_INT64_T, world_, &request));
    wait_for({&request, 1});
    std::vector<std::vector<std::byte>> all(ranks);
    std::vector<Outgoing> out;
    std::vector<Incoming> in;
    for (int r = 0; r < count(); ++r) {
      auto& theirs = all[static_cast<size_t>(r)];
      theirs.resize(static_cast<size_t>(sizes[static_cast<size_t>(r)]));
      if (r == rank()) {
        std::copy(mine.begin(), mine.end(), theirs.begin());
        continue;
      }
      out.push_back({r, mine});
      in.push_back({r, theirs});
    }
    exchange(out, in);
    return all;
  }

  [[noreturn]] void abandon(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

  void leave() override {
    MPI_Request request;
    succeed(MPI_Ibarrier(world_, &request));
    wait_for({&request, 1});
    succeed(MPI_Finalize());
  }

 private:
  // MPI's own waiting keeps a core busy for good, which is another process's where a host has more of them than cores.
  void wait_for(std::span<MPI_Request> requests) {
    statuses_.resize(requests.size());
    int done = 0;
    for (int64_t tries = 0; !done; ++tries) {
      succeed(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, statuses_.data()));
      if (!done && tries > patience_) sched_yield();
    }
  }

  // f(begin, bytes) for each part of a message; one of no bytes is one part.
  template <class Span, class F>
  void parts(Span message, const F& f) {
    size_t begin = 0;
    do {
      const size_t bytes = std::min(longest_, message.size() - begin);
      f(message.data() + begin, static_cast<int>(bytes));
      begin += bytes;
    } while (begin < message.size());
  }
  void receive(const Incoming& w) {
    parts(w.bytes, [&](std::byte* to, int bytes) {
      expected_.push_back(bytes);
      succeed(MPI_Irecv(to, bytes, MPI_BYTE, w.from, 0, world_, &requests_.emplace_back()));
    });
  }
  void send(const Outgoing& m) {
    parts(m.bytes, [&](const std::byte* from, int bytes) {
      succeed(MPI_Isend(from, bytes, MPI_BYTE, m.to, 0, world_, &requests_.emplace_back()));
    });
  }

  MPI_Comm world_;
  size_t longest_;
  int64_t patience_;                   // tries before a core is offered to others
  std::vector<MPI_Request> requests_;  // the receiving ones first
  std::vector<int> expected_;          // bytes of each of those
  std::vector<MPI_Status> statuses_;
};

Processes* start(size_t longest, std::string& why) {
  int level = 0;
  succeed(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level));
  if (level < MPI_THREAD_SERIALIZED) {
    why = library_name() + " was built without threads (it offers level " + std::to_string(level) +
          ", and MPI_THREAD_SERIALIZED is needed)";
    return nullptr;
  }
  MPI_Comm world;
  succeed(MPI_Comm_dup(MPI_COMM_WORLD, &world));
  succeed(MPI_Comm_set_errhandler(world, MPI_ERRORS_RETURN));
  return new MpiProcesses(world, std::min<size_t>(longest, std::numeric_limits<int>::max()), place(world));
}

}  // namespace
}  // namespace seqgrad

extern "C" {

SEQGRAD_EXPORT void seqgrad_mpi_name(std::string& name) { name = seqgrad::library_name(); }

SEQGRAD_EXPORT seqgrad::Processes* seqgrad_mpi_start(std::size_t longest, std::string& why) try {
  return seqgrad::start(longest, why);
} catch (const std::exception& e) {
  why = e.what();
  return nullptr;
}

SEQGRAD_EXPORT void seqgrad_mpi_allreduce(float* x, std::size_t count) {
  seqgrad::succeed(MPI_Allreduce(MPI_IN_PLACE, x, static_cast<int>(count), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD));
}
}
