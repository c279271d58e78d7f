#!/usr/bin/env bash
# The fault campaigns: short by default, MINUTES=60 for a long run, SEED=N to repeat one. Prints the table of docs/reliability.md
# at the end; with WRITE=1 puts it there. REPORT_DIR=DIR keeps a JSON report there; arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/.."
rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
report=()
[ -z "${REPORT_DIR:-}" ] || report=(--reporter=default --reporter=json "--outputFile.json=$REPORT_DIR/faults.json")
status=0
FAULTS_ROWS=$rows vitest run --project faults "${report[@]}" "$@" || status=1
node packages/agent/faults/table.ts "$rows" ${WRITE:+--write}
exit "$status"
