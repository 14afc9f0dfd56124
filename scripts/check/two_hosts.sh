#!/usr/bin/env bash
# Two network namespaces of this machine as two hosts: a run over TCP has the bytes of one without mpirun, and when the link between
# them is cut, all end and the last checkpoint is whole. Open MPI; needs root, ip and unshare.
#   scripts/check/two_hosts.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/lib/mpirun.sh
[[ -n ${mpirun[openmpi]:-} ]] || { echo "skipped: built without Open MPI"; exit 77; }
name=seqgrad-$$ work=$(mktemp -d)
first=$name-a second=$name-b
# shellcheck disable=SC2317
finish() {
  for host in "$first" "$second"; do
    for p in $(ip netns pids "$host" 2>/dev/null); do kill -9 "$p" 2>/dev/null || true; done
    ip netns del "$host" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
{ ip netns add "$first" && ip netns add "$second"; } 2>/dev/null || { echo "skipped: no right to make network namespaces"; exit 77; }
ip link add va$$ type veth peer name vb$$
ip link set va$$ netns "$first"
ip link set vb$$ netns "$second"
i=0
for host in "$first:va$$" "$second:vb$$"; do
  ip netns exec "${host%:*}" ip addr add 10.213.0.$((++i))/24 dev "${host#*:}"
  ip netns exec "${host%:*}" ip link set "${host#*:}" up
  ip netns exec "${host%:*}" ip link set lo up
done
# What ssh is elsewhere: HOST COMMAND…, run in the second namespace under a host name of its own.
cat >"$work/agent" <<AGENT
#!/usr/bin/env bash
shift
exec ip netns exec $second unshare --uts bash -c "hostname second; \$*"
AGENT
chmod +x "$work/agent"
# A link that was cut is told by the keep-alive of mpirun's own connections, by default after some ten minutes.
over_tcp() {
  ip netns exec "$first" unshare --uts bash -c 'hostname first; exec "$@"' run "${mpirun[openmpi]}" --mca plm_rsh_agent "$work/agent" \
    --mca oob_tcp_if_include 10.213.0.0/24 --mca btl_tcp_if_include 10.213.0.0/24 --mca oob_tcp_keepalive_time 3 \
    --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3 --host 10.213.0.1:1,10.213.0.2:1 --bind-to none -n 2 "$@"
}
digest() { { cat "$1"/checkpoints/last/{model,optim}.safetensors; sed 's/,"seconds.*//' "$1/metrics.jsonl"; } | sha256sum | cut -c1-16; }
seqgrad=$(realpath "${SEQGRAD_BUILD:-build}/seqgrad")
train=("$seqgrad" train configs/copy.yaml -q --set train.batch.shards=2 --set train.validate_every=20 --set data.sizes.train=4000
       --set model.encoder.hidden=16 --set model.decoder.hidden=32)
"${train[@]}" --max-steps 60 --run-dir "$work/alone" >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }
over_tcp "${train[@]}" --max-steps 60 --run-dir "$work/shared" >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }
expected=$(digest "$work/alone") got=$(digest "$work/shared")
[[ $got == "$expected" ]] || { echo "error: digest $got on two hosts, $expected on one"; exit 1; }
grep -q second "$work/shared/run.json" || { echo "error: run.json does not name the hosts"; exit 1; }

over_tcp "${train[@]}" --set train.epochs=1000 --set checkpoint.every=20 --run-dir "$work/cut" >/dev/null 2>"$work/err" &
launched=$!
for ((tries = 0; tries < 600; ++tries)); do
  if [[ -e $work/cut/checkpoints/last ]]; then break; fi
  sleep 0.1
done
[[ -e $work/cut/checkpoints/last ]] || { cat "$work/err"; echo "error: no checkpoint within a minute"; exit 1; }
begin=$SECONDS
ip netns exec "$first" ip link set va$$ down
code=0
wait "$launched" || code=$?
took=$((SECONDS - begin))
for ((tries = 0; tries < 300; ++tries)); do
  if [[ -z $(ip netns pids "$first")$(ip netns pids "$second") ]]; then break; fi
  sleep 0.1
done
left=$({ ip netns pids "$first"; ip netns pids "$second"; } | wc -l)
[[ $code -ne 0 && $left -eq 0 ]] || { echo "error: after the link was cut mpirun ended with $code, and $left processes are left"; exit 1; }

# The last checkpoint is whole: what goes on from it equals a run that nothing happened to.
steps=$(($(basename "$(readlink "$work/cut/checkpoints/last")" | sed -E 's/^step-0*//') + 20))
"$seqgrad" train --resume "$work/cut" --max-steps "$steps" -q >/dev/null 2>"$work/err" || { cat "$work/err"; exit 1; }
"${train[@]}" --set train.epochs=1000 --set checkpoint.every=20 --max-steps "$steps" --run-dir "$work/uncut" >/dev/null 2>"$work/err"
[[ $(digest "$work/cut") == $(digest "$work/uncut") ]] || { echo "error: a run whose link was cut goes on differently"; exit 1; }
echo "two hosts over TCP: the bytes of a run without mpirun; the link cut: all ended after $took s, and the run went on to step $steps with the same bytes"
