#!/usr/bin/env bash
# Reduces what runs gathered to a corpus small enough to be committed: fuzz/minimise.sh [TARGET...]
# For each target: of the inputs of at most 2 KiB that reach different code, 40 of all sizes and 40 KiB in all.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release
most=40960
files=40
if [ $# -eq 0 ]; then
  for source in fuzz/fuzz_targets/*.rs; do set -- "$@" "$(basename "$source" .rs)"; done
fi
for target in "$@"; do
  kept=$(mktemp -d)
  mkdir -p "fuzz/corpus/$target" "fuzz/runs/$target"
  "$programs/$target" -merge=1 -max_len=2048 "$kept" "fuzz/corpus/$target" "fuzz/runs/$target" > /dev/null 2>&1
  rm -f "fuzz/corpus/$target"/*
  total=0
  while read -r size file; do
    total=$((total + size))
    [ "$total" -le "$most" ] || break
    cp "$kept/$file" "fuzz/corpus/$target/"
  done < <(find "$kept" -type f -printf '%s %f\n' | sort -n | awk -v files="$files" '{ line[NR] = $0 }
    END { step = NR > files ? NR / files : 1; for (at = 1; at <= NR; at += step) print line[int(at)] }')
  rm -rf "$kept"
  printf '%s: %s inputs\n' "$target" "$(find "fuzz/corpus/$target" -type f | wc -l)"
done
