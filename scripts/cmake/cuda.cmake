# Finds nvcc as SEQGRAD_CUDA says and sets SEQGRAD_HAS_CUDA. Turing and Hopper are compiled for, and as PTX for all between
# and after them, which the driver compiles at the first start; the preset `gpus` has code for each.
set(SEQGRAD_HAS_CUDA OFF)
if(NOT SEQGRAD_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "SEQGRAD_CUDA: expected AUTO, ON or OFF, got '${SEQGRAD_CUDA}'")
endif()
if(SEQGRAD_CUDA STREQUAL "OFF")
  return()
endif()

find_program(NVCC nvcc HINTS ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
if(NVCC)
  if(NOT DEFINED CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${NVCC})
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75 90 CACHE STRING "NVIDIA architectures to build for")
  endif()
  include(CheckLanguage)
  check_language(CUDA)
endif()
if(NOT NVCC OR NOT CMAKE_CUDA_COMPILER)
  if(SEQGRAD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "SEQGRAD_CUDA=ON: no CUDA compiler that works was found (nvcc, in PATH, CUDA_PATH or /usr/local/cuda)")
  endif()
  unset(CMAKE_CUDA_COMPILER)
  message(STATUS "CUDA: no nvcc, built for the CPU only")
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}")

if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()

# A kernel that spills registers, or has a stack, is an error.
add_library(seqgrad_cuda_options INTERFACE)
target_compile_definitions(seqgrad_cuda_options INTERFACE FMT_USE_CONSTEXPR=1)  # fmt 9 thinks that nvcc cannot
target_compile_options(seqgrad_cuda_options INTERFACE --expt-relaxed-constexpr
  -Xptxas=-warn-spills,-warn-lmem-usage,-Werror -Xcompiler=-Wall,-fno-math-errno)
set(SEQGRAD_HAS_CUDA ON)
