#!/usr/bin/env bash
# finish.sh ROOT: the last steps on a root file system that has node and the agent in it: one executable agent, nothing
# writable, and the sizes by part on standard output.
set -euo pipefail
root=${1:?usage: finish.sh ROOT}

# There is no env in the image to find node with.
sed -i '1s|.*|#!/usr/bin/node|' "$root/usr/bin/ip-masq-agent"
chmod 755 "$root/usr/bin/ip-masq-agent" "$root/usr/bin/node"
chmod 644 "$root/usr/bin/ip-masq-agent-kubernetes.mjs"
# Symbols are a seventh of node's file. A strip of another architecture refuses, and the file stays as it is.
strip --strip-all "$root/usr/bin/node" 2>/dev/null || printf 'node keeps its symbols: no strip for its architecture\n' >&2
find "$root" -type f -exec chmod a-w {} +

part() {
  local name=$1
  shift
  (cd "$root" && find "$@" -type f -printf '%s\n' 2>/dev/null || true) |
    awk -v name="$name" '{ sum += $1 } END { printf "%8.1f MB  %s\n", sum / 1e6, name }'
}
part node usr/bin/node
part agent usr/bin/ip-masq-agent usr/bin/ip-masq-agent-kubernetes.mjs

part libraries usr/lib
part "tools (nft, iptables, ip, tini)" usr/sbin usr/bin/tini usr/bin/ip
part all .
