# Parts of compare_cpu.sh: the file with a block a machine. A block is a heading with its CPU, a line of the best rates that
# any run of it has reached, as JSON by thread count, and the table of the last run. Uses its variables: machines, out.

block_of() {  # CPU
  [[ ! -f $machines ]] || awk -v head="## $1" '/^## / {here = $0 == head} here' "$machines"
}

best_rates() {  # CPU
  local found
  found=$(block_of "$1" | sed -n 's/^Best rates: //p')
  echo "${found:-"{}"}"
}

# Puts the table of $out.json in place of its machine's block, or behind the others.
record_block() {
  local cpu rates rest
  cpu=$(jq -r .run.cpu "$out.json")
  rates=$(jq -c --argjson old "$(best_rates "$cpu")" '
    reduce .rows[] as $r ($old; reduce ("gemm_gflops", "copy_gb_per_s") as $what (.;
      ($r.threads | tostring) as $n | if $r[$what] then .[$n][$what] = ([.[$n][$what] // 0, ($r[$what] * 10 | round / 10)] | max) else . end))' "$out.json")
  rest=$(awk -v head="## $cpu" '/^## / {here = $0 == head} !here' "$machines" 2>/dev/null ||
    printf '# Machines\n\nThe last table of each machine that scripts/bench/compare_cpu.sh --record ran on.\n')
  printf '%s\n\n## %s\n\nBest rates: %s\n\n%s\n' "$rest" "$cpu" "$rates" "$(jq -r -f scripts/bench/compare/print.jq "$out.json")" >"$machines.new"
  mv "$machines.new" "$machines"
}
