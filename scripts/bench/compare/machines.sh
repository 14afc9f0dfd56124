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

# What the block of a machine says of the most threads that it was measured on, in the columns of README.md, behind its heading.
readme_table() {  # CPU
  block_of "$1" | awk -F ' *[|] *' '
    / seqgrad .*, / && !said {said = 1; print; print ""}
    $2 == "" || /^[|] -/ {next}
    $2 == "row" {print "| | seqgrad | PyTorch, tuned | as installed | JAX | of the limit that arithmetic or memory sets |"; print "|---|---|---|---|---|---|"; next}
    !most {most = $3}
    $3 == most {printf "| %s | %s ms | %s | %s | %s | %s |\n", $2, $5, $9, $11, $13, $4}'
}

write_readme() {  # CPU
  [[ $(grep -cxF -e '<!-- compare_cpu -->' -e '<!-- end -->' "$readme") -eq 2 ]] || { echo "error: $readme has no place for the table (<!-- compare_cpu -->, <!-- end -->)" >&2; exit 2; }
  readme_table "$1" >"$out.table"
  grep -q '^| ' "$out.table" || { echo "error: $machines says nothing of this machine yet (--record)" >&2; exit 77; }
  awk -v table="$out.table" '
    /^<!-- end -->$/ {within = 0}
    !within
    /^<!-- compare_cpu -->$/ {within = 1; while ((getline line <table) > 0) print line}' "$readme" >"$readme.new"
  mv "$readme.new" "$readme"
  rm -f "$out.table"
}
