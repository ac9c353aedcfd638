#!/usr/bin/env bash
# Runs targets for so many seconds each, two at a time: fuzz/run.sh SECONDS [TARGET...]
# Inputs that reach new code are kept in fuzz/runs, findings in fuzz/artifacts; a line for each target on standard output.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=$1
shift
programs=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release
if [ $# -eq 0 ]; then
  for source in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$source" .rs)"; done
fi
one() {
  local target=$1 folder=fuzz/artifacts/$1 log
  mkdir -p "fuzz/runs/$target" "fuzz/seeds/$target" "fuzz/corpus/$target" "$folder"
  log=$(mktemp)
  "$programs/$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$folder/" "fuzz/runs/$target" "fuzz/corpus/$target" "fuzz/seeds/$target" > "$log" 2>&1 || true
  local executions found
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  found=$(find "$folder" -type f | wc -l)
  printf '| %s | %s | %s | %s |\n' "$target" "$seconds" "${executions:-?}" "$found"
  [ "$found" -eq 0 ] || tail -n 40 "$log" > "$folder.log"
  rm -f "$log"
}
export -f one
export programs seconds
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'one {}'
