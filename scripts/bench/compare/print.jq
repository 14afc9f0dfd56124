# The table of compare_cpu.sh in Markdown.
def n(digits): if . == null then "-" elif . >= 100 then round | tostring
  else . * pow(10; digits) | round / pow(10; digits) | tostring end;
def x: if . == null then "-" else n(2) + "x" end;
def peer: if . == null then "-" else "\(.ms | n(2)) \(.who | sub("torch "; "")) \(.version | split("+")[0])" end;
def pad(width): . + ((width - length) * " " // "");

"\(.run.cpu) (\(.run.isa)), \(.run.date), seqgrad \(.run.commit), \(.run.peers | join(", "))",
"",
([["row", "threads", "of limit", "seqgrad ms", "limit ms", "of the plain row", "tuned PyTorch ms", "ratio", "as installed", "ratio", "JAX", "ratio",
   "MiB", "PyTorch's", "targets"]]
 + [.rows[] | [.row, .threads, (if .share_of_limit and (.disturbed | not) then "\(.share_of_limit * 100 | round) %" else "-" end) + (if .disturbed then " (disturbed)" else "" end),
    (.seqgrad_ms | n(2)), (.limit_ms | n(2)), (.base_ratio | x), (.tuned | peer), (.tuned_ratio | x),
    (.installed.ms | n(2)), (.installed_ratio | x), (.jax.ms | n(2)), (.jax_ratio | x), (.mib | n(0)), (.tuned.mib | n(0)),
    (if .error then "refused: \(.error)"
     else [.verdicts as $v | .targets | to_entries[] | "\(.key) \(.value | map(tostring) | join("/")): \($v[.key])"] | join(", ") end)
    + (if .foreign > 0.15 then " (others took \(.foreign) cores)" else "" end)] | map(tostring)]
 | (transpose | map(map(length) | max)) as $width
 | [.[0], [$width[] | "-" * .]] + .[1:]
 | .[] | "| " + ([range(length) as $i | .[$i] | pad($width[$i])] | join(" | ")) + " |"),
.summary
