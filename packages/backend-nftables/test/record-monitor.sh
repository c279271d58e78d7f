#!/usr/bin/env bash
# Records what `nft monitor` prints, step by step, for attribution.test.ts. Needs root; writes to a network namespace of
# its own only. The nft that is first in PATH is recorded:
#
#   packages/backend-nftables/test/record-monitor.sh > packages/backend-nftables/test/captured/1.0.6/monitor.txt
#   PATH=$PWD/.cache/trixie-tools/bin:$PATH packages/backend-nftables/test/record-monitor.sh > …/1.1.3/monitor.txt

set -euo pipefail
if [ "${RECORDING:-}" != 1 ]; then
  RECORDING=1 exec unshare --net -- "$BASH" "$0"
fi

folder=$(mktemp -d)
trap 'kill "$monitor"; rm -r "$folder"' EXIT

rules() { # FAMILY
  echo "add rule $1 ip-masq-agent postrouting fib daddr type local return"
  echo "add rule $1 ip-masq-agent postrouting $1 daddr @exempt counter return"
  echo "add rule $1 ip-masq-agent postrouting counter masquerade fully-random"
}
whole() { # FAMILY TYPE ELEMENT
  echo "add table $1 ip-masq-agent"
  echo "add set $1 ip-masq-agent exempt { type $2; flags interval; }"
  echo "add element $1 ip-masq-agent exempt { $3 }"
  echo "add chain $1 ip-masq-agent postrouting { type nat hook postrouting priority 120; }"
  rules "$1"
}
rewrite() { # FAMILY
  echo "flush chain $1 ip-masq-agent postrouting"
  rules "$1"
}

{
  whole ip ipv4_addr 10.0.0.0/8
  whole ip6 ipv6_addr fd00::/8
  echo "table ip other { set s { type ipv4_addr; elements = { 1.1.1.1 }"
  echo "}; chain c { ip daddr @s accept"
  echo "}; }"
} | nft -f -

# Appending, so that they can be emptied between two steps.
nft monitor >>"$folder/out" 2>>"$folder/err" &
monitor=$!
sleep 1

step() { # NAME, transaction on stdin
  : >"$folder/out"
  : >"$folder/err"
  nft -f -
  sleep 0.3
  echo "## $1"
  # What it says on stderr it says before the line with the generation.
  sed 's/^/err|/' "$folder/err"
  sed 's/^/out|/' "$folder/out"
}

step "IPv4 element" <<<'delete element ip ip-masq-agent exempt { 10.0.0.0/8 }'
step "IPv4 refill" <<<$'flush set ip ip-masq-agent exempt\nadd element ip ip-masq-agent exempt { 10.0.0.0/8 }'
step "IPv6 element" <<<'add element ip6 ip-masq-agent exempt { 2001:db8::/32 }'
step "foreign refill" <<<$'flush set ip other s\nadd element ip other s { 1.1.1.1, 2.2.2.2 }'
step "IPv4 rewrite" < <(rewrite ip)
step "IPv4 element, forgotten" <<<'delete element ip ip-masq-agent exempt { 10.0.0.0/8 }'
step "IPv4 refill, forgotten" <<<$'flush set ip ip-masq-agent exempt\nadd element ip ip-masq-agent exempt { 10.0.0.0/8 }'
step "IPv6 rewrite" < <(rewrite ip6)
step "IPv6 refill, forgotten" <<<$'flush set ip6 ip-masq-agent exempt\nadd element ip6 ip-masq-agent exempt { fd00::/8 }'
step "foreign rewrite" <<<$'flush chain ip other c\nadd rule ip other c ip daddr @s accept'
step "foreign refill, forgotten" <<<$'flush set ip other s\nadd element ip other s { 1.1.1.1, 2.2.2.2 }'
step "foreign rule and IPv4 element, forgotten" <<<$'add rule ip other c accept\nadd element ip ip-masq-agent exempt { 11.0.0.0/8 }'
step "flush ruleset" <<<'flush ruleset'
step "IPv4 whole" < <(whole ip ipv4_addr 10.0.0.0/8)
