// Marks functions that kernels of every device call.
#pragma once

#ifdef __CUDACC__
#define SEQGRAD_HD __host__ __device__
#else
#define SEQGRAD_HD
#endif
