// The first process sends to each: once in the life of a run, when it is read.
#include "engine/nn/broadcast.h"

#include "engine/core/backend.h"

namespace seqgrad {

static void broadcast(Processes& processes, const Tensor& buffer) {
  const Backend& device = backend(buffer.device);
  std::vector<std::byte> bytes(buffer.bytes());
  if (processes.rank() > 0) {
    const Incoming wanted{0, bytes};
    processes.exchange({}, {&wanted, 1});
    return device.upload(buffer.data, bytes.data(), bytes.size());
  }
  device.download(bytes.data(), buffer.data, bytes.size());
  std::vector<Outgoing> mine;
  for (int rank = 1; rank < processes.count(); ++rank) mine.push_back({rank, bytes});
  processes.exchange(mine, {});
}

void broadcast(Processes& processes, ParameterStore& store) {
  if (processes.count() == 1) return;
  for (const Tensor& buffer : {store.values(), store.moment(0), store.moment(1)}) broadcast(processes, buffer);
}

}  // namespace seqgrad
