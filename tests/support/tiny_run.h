// A command line that trains in a third of a second, for tests that stop it.
#pragma once
#include <test_paths.h>
#include <string>

// With a checkpoint at every step.
inline std::string tiny(const std::string& more = "") {
  return std::string("train " SEQGRAD_SOURCE_DIR "/configs/copy.yaml --threads 1 --set data.sizes.train=200 ") +
         "--set data.sizes.dev=8 --set data.sizes.test=8 --set model.embedding=4 --set model.encoder.hidden=4 "
         "--set model.decoder.hidden=8 --set model.dropout.hidden=0.1 --set train.epochs=null --set train.steps=30 "
         "--set train.batch.size=8 --set train.log_every=2 --set train.validate_every=10 --set checkpoint.every=1 "
         "--set checkpoint.keep_best=2 --set decode.max_ratio=1.0 --set decode.max_extra=1 " +
         more;
}
