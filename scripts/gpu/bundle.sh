#!/usr/bin/env bash
# Builds seqgrad and the tests for one kind of GPU (nvcc needs none to do so) and lays them out in build-gpu/bundle with
# all that they need where there are no packages: shared objects, cases and golden files, scripts of peers.
#   scripts/gpu/bundle.sh [ARCHITECTURE]        (90: Hopper)
# cuBLAS is not in it: 600 MB, and a machine with a GPU has it from CUDA or from PyTorch. There, in the bundle:
# ./gpu_check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
architecture=${1:-90} build=build-gpu
bundle=$build/bundle
launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache); fi
mkdir -p "$build"
# Programs find the bundle's libraries by themselves: PyTorch, which runs beside them, has its own.
if ! { cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSEQGRAD_TESTS=ON -DSEQGRAD_CUDA=ON -DSEQGRAD_TEST_ROOT=. \
         -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH='$ORIGIN/../lib' -DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags \
         -DCMAKE_CUDA_ARCHITECTURES="$architecture" "${launcher[@]}" &&
       cmake --build "$build" -j "${SEQGRAD_JOBS:-$(nproc)}" --target seqgrad seqgrad_gpu_tests; } >"$build/build.log" 2>&1; then
  tail -n 40 "$build/build.log" >&2
  echo "error: the build failed" >&2
  exit 3
fi

rm -rf "$bundle"
mkdir -p "$bundle"/{bin,lib,tests,peers}
for program in seqgrad tests/seqgrad_gpu_tests; do
  cp "$build/$program" "$bundle/bin/"
  strip "$bundle/bin/$(basename "$program")"
done
# The C library and its loader are the machine's own.
ldd "$bundle"/bin/* | awk '$3 ~ /^\// {print $3}' | grep -vE '/(libc|libm|libdl|librt|libpthread)\.so' | sort -u |
  while read -r object; do cp -L "$object" "$bundle/lib/"; done
strip --strip-unneeded "$bundle"/lib/* || true
tar -C "$bundle" -czf "$bundle/lib.tar.gz" lib && rm -r "$bundle/lib"  # oneDNN alone is 38 MiB; gpu_check.sh unpacks them
cp -r tests/cases tests/golden "$bundle/tests/"
cp -r configs "$bundle/"
cp scripts/gpu/gpu_check.sh scripts/gpu/gpu_targets.py "$bundle/"
for peer in torch_gpu_step.py torch_gpu_ce.py; do
  cp "scripts/bench/peers/$peer" "$bundle/peers/"
done
git rev-parse HEAD >"$bundle/commit"
size=$(du -sm "$bundle" | cut -f1)
echo "$bundle: sm_$architecture, $size MiB, $(find "$bundle" -type f | wc -l) files"
[[ $size -lt 60 ]] || { echo "error: more than 60 MiB" >&2; exit 1; }
