// The processes that share the work of a run, and how they hand each other bytes. Nothing is added here: a sum that a
// library forms depends on how many processes there are, one that is formed in an order of its own does not.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace seqgrad {

struct Outgoing {
  int to;
  std::span<const std::byte> bytes;
};
struct Incoming {
  int from;
  std::span<std::byte> bytes;
};

// One process, as it sees the others. All call the same functions in the same order.
class Processes {
 public:
  virtual ~Processes() = default;

  int rank() const { return rank_; }              // 0 to count−1
  int count() const { return count_; }            // of all hosts
  int local_rank() const { return local_rank_; }  // among those of its host
  const std::string& host() const { return host_; }
  const std::string& library() const { return library_; }  // what carries the bytes: "Open MPI 4.1.4"

  // Sends and receives at once. What goes from one process to another arrives in the order in which both name it, in
  // pieces of the same sizes; nothing is for the process itself.
  virtual void exchange(std::span<const Outgoing> mine, std::span<const Incoming> wanted) = 0;

  // What each process gives, by rank; some bytes each, of any length.
  virtual std::vector<std::vector<std::byte>> gather_all(std::span<const std::byte> mine) = 0;

  // The end of what they share, where all have come to it; nothing else is called afterwards.
  virtual void leave() = 0;

  // Ends all of them at once, whatever they are doing: for what the others cannot know of.
  [[noreturn]] virtual void abandon(int code) = 0;

 protected:
  Processes(int rank, int count, int local_rank, std::string host, std::string library)
      : rank_(rank), count_(count), local_rank_(local_rank), host_(std::move(host)), library_(std::move(library)) {}
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

 private:
  int rank_, count_, local_rank_;
  std::string host_, library_;
};

// One process that shares its work with nobody.
Processes& alone();

}  // namespace seqgrad
