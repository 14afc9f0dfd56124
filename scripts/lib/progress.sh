# What scripts that take minutes say meanwhile, on stderr. To be sourced.
#   COMMAND | progress WHAT LOG PATTERN [TOTAL]
# Every line goes to LOG. Lines that match PATTERN are counted; "[12/187] …" counts for itself and names the total. A terminal
# sees one line that moves, anything else a line for every tenth.
progress() {
  local what=$1 log=$2 pattern=$3 total=${4:-1} line n=0 said=0 tenth text left start=$SECONDS
  while IFS= read -r line || [[ -n $line ]]; do
    printf '%s\n' "$line"
    [[ $line =~ $pattern ]] || continue
    n=$((n + 1))
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then n=${BASH_REMATCH[1]} total=${BASH_REMATCH[2]}; fi
    [[ $total -ge $n ]] || total=$n
    tenth=$((10 * n / total))
    [[ $n -gt 0 && (-t 2 || $tenth -ne $said) ]] || continue
    said=$tenth text="$what: $n of $total"
    left=$(((SECONDS - start) * (total - n) / n))
    if [[ $((SECONDS - start)) -ge 10 && $n -lt $total ]]; then text+=$(printf ', %d:%02d left' $((left / 60)) $((left % 60))); fi
    if [[ -t 2 ]]; then printf '\r%s\033[K' "$text" >&2; else printf '%s\n' "$text" >&2; fi
  done >"$log"
  if [[ -t 2 && $n -gt 0 ]]; then printf '\r\033[K' >&2; fi
}
