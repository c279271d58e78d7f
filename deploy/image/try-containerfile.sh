#!/usr/bin/env bash
# try-containerfile.sh ROOT: builds the container file with buildah from bases made here, for machines that reach no
# registry, and unpacks the image into ROOT. Needs root, buildah, mmdebstrap, node, npm and Debian's archive in apt's sources.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${1:?usage: try-containerfile.sh ROOT}
export BUILDAH_ISOLATION=chroot
work=$(mktemp -d)
storage=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
containers=()
cleanup() {
  buildah "${storage[@]}" umount --all >/dev/null 2>&1 || true
  for one in "${containers[@]}"; do buildah "${storage[@]}" rm "$one" >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap cleanup EXIT

mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
  sed -n 's/^\([^ ]*\) Debian Debian$/\1/p' | sort -u | head -n 1)
mmdebstrap --quiet --variant=apt --include=ca-certificates trixie "$work/debian.tar" "$mirror"
debian=$(buildah "${storage[@]}" from scratch)
containers+=("$debian")
buildah "${storage[@]}" add --quiet "$debian" "$work/debian.tar" / >/dev/null
buildah "${storage[@]}" commit --quiet "$debian" localhost/debian:trixie-slim >/dev/null

# What the image of Node has and the build needs: node and npm, in /usr/local.
node=$(buildah "${storage[@]}" from localhost/debian:trixie-slim)
containers+=("$node")
buildah "${storage[@]}" add --quiet "$node" "$(node -p process.execPath)" /usr/local/bin/node >/dev/null
buildah "${storage[@]}" add --quiet "$node" "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" /usr/local/lib/node_modules/npm >/dev/null
buildah "${storage[@]}" run "$node" -- ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
buildah "${storage[@]}" run "$node" -- ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
# Whatever registry and certificates this machine reaches npm with; nothing of this base comes into the image but node.
buildah "${storage[@]}" config --env "npm_config_registry=$(npm config get registry)" "$node"
if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
  buildah "${storage[@]}" add --quiet "$node" "$NODE_EXTRA_CA_CERTS" /extra-ca.pem >/dev/null
  buildah "${storage[@]}" config --env NODE_EXTRA_CA_CERTS=/extra-ca.pem "$node"
fi
buildah "${storage[@]}" commit --quiet "$node" localhost/node:24-trixie-slim >/dev/null

buildah "${storage[@]}" build --quiet --pull-never --network host \
  --build-arg NODE=localhost/node:24-trixie-slim --build-arg DEBIAN=localhost/debian:trixie-slim \
  --ignorefile "$here/../../.containerignore" --tag localhost/ip-masq-agent:try --file "$here/Containerfile" "$here/../.." >&2
image=$(buildah "${storage[@]}" from --pull-never localhost/ip-masq-agent:try)
containers+=("$image")
mkdir -p "$root"
cp --archive "$(buildah "${storage[@]}" mount "$image")/." "$root/"
buildah "${storage[@]}" umount "$image" >/dev/null
buildah "${storage[@]}" inspect --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.User}}' --type image localhost/ip-masq-agent:try
