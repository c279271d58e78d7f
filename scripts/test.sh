#!/usr/bin/env bash
# Everything that must be true, from the fastest to the slowest: types, lint and format, unused code, then all tests.
# Arguments go to vitest, for example a file name.
set -euo pipefail
. "$(dirname "$0")/bootstrap.sh" nft:nftables iptables:iptables ip:iproute2 conntrack:conntrack
bash scripts/trixie-tools.sh >&2 || echo "warning: only the system's own nft and iptables are tested" >&2
"${PNPM[@]}" --silent types
"${PNPM[@]}" --silent lint
"${PNPM[@]}" --silent unused
"${PNPM[@]}" --silent build >&2
exec vitest run "$@"
