#!/usr/bin/env bash
# Runs every libFuzzer target of a build directory for so many seconds each, starting from the
# corpus in tests/fuzz/corpus/<target without fuzz_>/. Findings stay in BUILD/findings.
set -euo pipefail

build=${1:?usage: $0 BUILD_DIRECTORY SECONDS}
seconds=${2:?usage: $0 BUILD_DIRECTORY SECONDS}
corpora=$(cd "$(dirname "$0")/../tests/fuzz/corpus" && pwd)

found=no
for target in "$build"/fuzz_*; do
  [ -f "$target" ] && [ -x "$target" ] || continue
  found=yes
  name=$(basename "$target")
  work=$build/corpus/$name
  mkdir -p "$work" "$build/findings"
  # New inputs go to the first directory, so the source tree stays as it is.
  seeds=()
  for folder in "$corpora/${name#fuzz_}" "$corpora/$name"; do
    if [ -d "$folder" ]; then seeds+=("$folder"); fi
  done
  echo "$name for $seconds s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$name-" "$work" "${seeds[@]}"
done
if [ "$found" = no ]; then
  echo "$0: no fuzz_* target in $build" >&2
  exit 1
fi
