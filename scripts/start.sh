#!/usr/bin/env bash
# The main job on a throwaway node: see packages/lab/demo.
set -euo pipefail
. "$(dirname "$0")/bootstrap.sh" nft:nftables iptables:iptables ip:iproute2 conntrack:conntrack
"${PNPM[@]}" --silent build >&2
exec node packages/lab/demo/main.ts "$@"
