#!/usr/bin/env bash
# Everything that must be true, from the fastest to the slowest: types, lint and format, unused code, then all tests.
# Arguments go to vitest, for example a file name. REPORT_DIR=DIR keeps a JSON report for each group of tests there.
# A group of tests that leaves a process behind fails the run.
set -euo pipefail
. "$(dirname "$0")/bootstrap.sh" nft:nftables iptables:iptables ip:iproute2 conntrack:conntrack
bash scripts/trixie-tools.sh >&2 || say "warning: only this system's own nft and iptables are tested with"
bash scripts/monitoring-tools.sh >&2 || say "warning: the alerting rules are not tested"
for step in types lint unused build; do
  say "$step"
  "${PNPM[@]}" --silent "$step" >&2
done

. scripts/leftovers.sh
status=0
for project in unit kernel compat packets monitoring; do
  report=()
  [ -z "${REPORT_DIR:-}" ] || report=(--reporter=default --reporter=json "--outputFile.json=$REPORT_DIR/$project.json")
  vitest run --project "$project" --passWithNoTests "${report[@]}" "$@" || status=1
  end_leftovers "the group of tests $project" || status=1
done
exit "$status"
