# The MPIs that build/ was made for, by name in `mpis`, and run_on. Ends the script with 77 where there is none. To be sourced.
mpis=()
declare -A mpirun
while read -r name path; do
  if [[ -x $path ]]; then mpis+=("$name") mpirun[$name]=$path; fi
done < <(cat "${SEQGRAD_BUILD:-build}/mpiruns.txt" 2>/dev/null || true)
[[ ${#mpis[@]} -gt 0 ]] || { echo "skipped: built without MPI (scripts/setup.sh processes)"; exit 77; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1  # as in a container
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0              # MPIs do not free all that they take

# run_on MPI N COMMAND…: N processes of one host, which need not have N cores.
run_on() { "${mpirun[$1]}" --map-by :OVERSUBSCRIBE --bind-to none -n "${@:2}"; }
