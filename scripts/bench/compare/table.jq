# From the lines of compare_cpu.sh to its table: one object a row and thread count, with ratios, shares and verdicts.
def median: sort | if length == 0 then null else .[(length - 1) / 2 | floor] end;
def rounded(digits): if . == null then null else . * pow(10; digits) | round / pow(10; digits) end;

# Milliseconds that the arithmetic (or, for the loss on logits, the memory) of the work takes at the best rate that any
# round of ours measured in its own process.
def limit:
  [.[].result] | (map(.gemm_gflops // empty) | max) as $gemm | (map(.copy_gb_per_s // empty) | max) as $copy
  | if .[0].gflop and $gemm then .[0].gflop / $gemm * 1000
    elif .[0].bytes and $copy then .[0].bytes / $copy / 1e6 else null end;

def group_of(who): map(select(.who | test(who))) | group_by([.who, .version])
  | map({who: .[0].who, version: .[0].version, ms: (map(.ms // empty) | median), mib: (map(.mib // empty) | max),
         rounds: (map(select(.ms)) | length), error: (map(.result.error // empty) | first)}) | map(select(.ms)) | sort_by(.ms);

# The best rate of products, or of copies, that this machine is known to reach with n threads (machines.sh); null: unknown.
def known(n; what): $best[0][n | tostring][what];

# Whether the figures of a row are not the machine's own: another process took more than 0.15 of a core, the work was
# faster than its limit, or the limit 5 % below what this machine reaches.
def disturbed(n; share; foreign):
  ([.[].result.gemm_gflops // empty] | max) as $gemm | known(n; "gemm_gflops") as $reached
  | (foreign // 0) > 0.15 or (share // 0) > 1 or ($gemm != null and $reached != null and $gemm < 0.95 * $reached);

# goals: [must] or [must, goal], of a ratio, a share (at least), or MiB or what another row took (at most).
def judge(value; goals; smaller):
  if goals == null then null elif value == null then "not measured"
  else [goals[] as $g | if smaller then value <= $g else value >= $g end]
    | if all then "met" elif .[0] then "must met, goal missed" else "missed" end end;

(map(select(.cpu)) | first) as $run | map(select(.row)) as $lines
| [$rows[] as $row | ($lines | map(.threads) | unique | sort | reverse[]) as $n
   | ($lines | map(select(.row == $row.row and .threads == $n))) as $here
   | ($here | map(select(.who == "seqgrad"))) as $ours | select($ours | length > 0)
   | ($ours | map(.ms // empty) | median) as $ms
   | ($ours | limit) as $limit
   | ($lines | map(select(.row == $row.base and .threads == $n and .who == "seqgrad") | .ms // empty) | median) as $base
   | ($here | group_of("^(torch (?!installed)|onednn)")) as $tuned
   | ($here | group_of("installed")) as $installed | ($here | group_of("jit")) as $jax
   | def ratio: if . and $ms then . / $ms | rounded(2) else null end;
     {row: $row.row, threads: $n, seqgrad_ms: ($ms | rounded(2)), error: ($ours | map(.result.error // empty) | first),
      limit_ms: ($limit | rounded(2)), share_of_limit: (if $limit and $ms then $limit / $ms | rounded(2) else null end),
      tuned: $tuned[0], tuned_ratio: ($tuned[0].ms | ratio), all_tuned: $tuned,
      installed: $installed[0], installed_ratio: ($installed[0].ms | ratio), jax: $jax[0], jax_ratio: ($jax[0].ms | ratio),
      base: $row.base, base_ratio: (if $base and $ms then $ms / $base | rounded(2) else null end),
      mib: ($ours | map(.mib // empty) | max | rounded(0)), rounds: ($ours | length),
      gemm_gflops: ($ours | map(.result.gemm_gflops // empty) | max), copy_gb_per_s: ($ours | map(.result.copy_gb_per_s // empty) | max),
      foreign: ($here | map(.foreign) | max), targets: ($row.targets[$n | tostring] // {})}
   | .disturbed = (. as $r | $ours | disturbed($n; $r.share_of_limit; $r.foreign))
   | . as $r | .verdicts = ($r.targets | with_entries(.value as $g | .value = (
       if .key == "tuned" then judge($r.tuned_ratio; $g; false) elif .key == "installed" then judge($r.installed_ratio; $g; false)
       elif .key == "jax" then judge($r.jax_ratio; $g; false) elif .key == "plain" then judge($r.base_ratio; $g; true)
       elif .key == "share" then judge($r.share_of_limit; $g; false) | if . == "met" and $r.disturbed then "disturbed" else . end
       else judge($r.mib; $g; true) end)))]
| {run: $run, rows: .}
| ([.rows[].verdicts[]]) as $v
| .verdict = (if any($v[]; . == "missed") then "missed" elif $v == [] or any($v[]; . == "not measured" or . == "disturbed") then "not measured" else "met" end)
| .summary = (([$v[] | select(. == "met" or . == "must met, goal missed")] | length | tostring) + " of \($v | length) targets met"
    + (if any($v[]; . == "must met, goal missed") then " (\([$v[] | select(. == "must met, goal missed")] | length) of them short of the goal)" else "" end)
    + ([.rows[] | .row as $r | .threads as $n | .verdicts | to_entries[] | select(.value | . == "missed" or . == "not measured" or . == "disturbed")
        | "; \(.value): \($r), \($n) thr, \(.key)"] | join("")))
