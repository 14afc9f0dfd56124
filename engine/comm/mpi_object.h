// What the objects of MPI export (libseqgrad_openmpi.so, libseqgrad_mpich.so). The program opens one by its name, so
// that it needs no MPI itself, and one build serves the mpirun of either.
#pragma once
#include <cstddef>
#include <string>

#include "engine/comm/processes.h"

extern "C" {

// "Open MPI 4.1.4". MPI need not be started.
void seqgrad_mpi_name(std::string& name);

// Starts MPI; once in a program. Messages go in parts of at most `longest` bytes (MPI counts in int). nullptr, and why,
// where MPI cannot be used. What it gives lives as long as the program.
seqgrad::Processes* seqgrad_mpi_start(std::size_t longest, std::string& why);

// MPI's own sum of x[0..count) over all processes, in whatever order it likes: for `seqgrad bench exchange` alone.
void seqgrad_mpi_allreduce(float* x, std::size_t count);
}
