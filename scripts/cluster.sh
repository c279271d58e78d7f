#!/usr/bin/env bash
# The agent on a disposable Kubernetes of two nodes on this machine, deployed by kustomize and by the chart. Needs root, the
# cluster's scripts beside the checkout (or CLUSTER_SCRIPTS=FOLDER) and kubectl 1.21; says so where they are missing. The
# cluster is built once, in some minutes. REPORT_DIR=DIR keeps a JSON report there; arguments go to vitest.
set -euo pipefail
. "$(dirname "$0")/bootstrap.sh" nft:nftables iptables:iptables ip:iproute2 conntrack:conntrack go:golang-go buildah:buildah mmdebstrap:mmdebstrap
# Where helm is missing, the chart is rendered by what helm is made of.
if ! command -v helm >/dev/null && command -v apt-get >/dev/null; then
  for package in golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev; do
    dpkg --status "$package" >/dev/null 2>&1 || apt-get install --yes --no-install-recommends "$package" >&2 ||
      say "warning: $package cannot be installed; the chart will not be rendered"
  done
fi
"${PNPM[@]}" --silent build >&2
report=()
[ -z "${REPORT_DIR:-}" ] || report=(--reporter=default --reporter=json "--outputFile.json=$REPORT_DIR/cluster.json")
. scripts/leftovers.sh
status=0
vitest run --project cluster "${report[@]}" "$@" || status=1
end_leftovers "the group of tests cluster" || status=1
exit "$status"
