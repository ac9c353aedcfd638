#!/usr/bin/env bash
# Makes seeds for every target out of the project's own captures, below fuzz/seeds (not committed).
# What is committed, fuzz/corpus, is what a run kept of them: see README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
captures=(fixtures/formats/*.* fixtures/real/*/capture.pcap)
# Files that are no captures are passed over by the reader.
cargo run --quiet --manifest-path fuzz/Cargo.toml --target-dir target --example seed -- fuzz/seeds "${captures[@]}"
find fuzz/seeds -type f | wc -l
