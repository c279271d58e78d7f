#!/usr/bin/env bash
# build.sh ROOT [ARCHITECTURE]: the image's root file system without a container engine: what the container file makes,
# by the same scripts, with the Node that npm delivers and the agent's bundle as it is (pnpm build). ARCHITECTURE is
# Debian's name of it, amd64 or arm64. Any tool that makes an image of a folder can take it from there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$here/../..
root=${1:?usage: build.sh ROOT [ARCHITECTURE]}
architecture=${2:-$(dpkg --print-architecture)}
bundles=$repository/packages/agent/dist
for bundle in "$bundles"/ip-masq-agent{.js,-kubernetes.mjs}; do
  [ -f "$bundle" ] && continue
  printf 'error: %s is missing; run: pnpm build\n' "${bundle#"$repository/"}" >&2
  exit 1
done
[ ! -e "$root" ] || {
  printf 'error: %s exists; give a folder that does not\n' "$root" >&2
  exit 1
}

declare -A names=([amd64]=x64 [arm64]=arm64)
node=node-linux-${names[$architecture]:?no Node for this architecture; use amd64 or arm64}
version=$(sed -n 's/^  node: *"\{0,1\}\([0-9.]*\)"\{0,1\}$/\1/p' "$repository/pnpm-workspace.yaml")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "$node@$version" >/dev/null && tar -xzf ./*.tgz)

bash "$here/rootfs.sh" "$root" "$architecture"
install -D "$work/package/bin/node" "$root/usr/bin/node"
install -D "$bundles/ip-masq-agent.js" "$root/usr/bin/ip-masq-agent"
install -D "$bundles/ip-masq-agent-kubernetes.mjs" "$root/usr/bin/ip-masq-agent-kubernetes.mjs"
bash "$here/finish.sh" "$root"
