#!/usr/bin/env bash
# fresh-machine.sh COMMAND [WORD...]: runs a command in a clone of the commit checked out here, on a machine where nothing
# is installed: a minimal Debian bookworm made for this run, with git, ca-certificates, and this machine's node and npm.
# The kernel, its cgroups, the network and the settings of apt and npm are this machine's; the tree, its processes and its
# mounts are gone afterwards. The cluster's scripts and kubectl come along where they are (scripts/cluster.sh).
# The exit code is the command's; 125 where the tree cannot be made. MIRROR=URI names a Debian archive, TMPDIR the place.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: no fresh machine can be made: $1"
  say "remedy: $2"
  exit 125
}
[ $# -gt 0 ] || fail "no command given" "for example: scripts/fresh-machine.sh npm test"
[ "$(id -u)" = 0 ] || fail "this needs root" "run the same command as root, for example with sudo"
for command in apt-get git node npm unshare pivot_root; do
  command -v "$command" >/dev/null || fail "$command is not in PATH" "install it, or run the command on this machine as it is"
done
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
    sed -n 's/^\([^ ]*\) Debian Debian$/\1/p' | sort -u | head -n 1
}
MIRROR=${MIRROR:-$(mirror)}
if ! command -v mmdebstrap >/dev/null || [ -z "$MIRROR" ]; then
  apt-get update -qq >&2 || say "warning: apt-get update had problems; trying all the same"
  MIRROR=${MIRROR:-$(mirror)}
fi
[ -n "$MIRROR" ] || fail "none of apt's sources is a Debian archive" "set MIRROR=URI"
command -v mmdebstrap >/dev/null || {
  say "installing Debian packages: mmdebstrap (on the machine that makes the fresh one)"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null ||
    fail "apt-get could not install mmdebstrap" "install it by hand"
}

work=$(mktemp -d "${TMPDIR:-/var/tmp}/ip-masq-agent-fresh.XXXXXX")
tree=$work/root
inside='' ran=''
cleanup() {
  local status=$?
  # A failure before the command's start is none of the command's.
  [ -n "$ran" ] || [ "$status" = 0 ] || status=125
  # The first process inside ends with unshare, and all others with the first one; their mounts were theirs alone.
  [ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || true
  wait
  for _ in 1 2 3 4 5; do
    rm -rf --one-file-system "$work" 2>/dev/null && exit "$status"
    sleep 1
  done
  say "error: $work cannot be removed"
  exit 125
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say "making a minimal Debian bookworm"
settings=()
while read -r line; do settings+=(--aptopt="$line"); done < <(apt-config dump | grep -iE '^Acquire::(https?|ftp)::.*proxy' || true)
mmdebstrap --quiet --mode=root --variant=minbase --include=git,ca-certificates "${settings[@]}" bookworm "$tree" "$MIRROR" >&2 ||
  fail "mmdebstrap could not make it" "read its message above"

# What a stranger has: a network that works, and Node.
cp --dereference /etc/resolv.conf /etc/hosts "$tree/etc/"
cp --archive /etc/ssl/certs/. "$tree/etc/ssl/certs/"
cp --archive /usr/local/share/ca-certificates/. "$tree/usr/local/share/ca-certificates/" 2>/dev/null || true
# Node as the machine has it, not the one in node_modules that a caller may have put first into PATH.
node=$(PATH=$(printf '%s' "$PATH" | sed 's|[^:]*node_modules[^:]*:*||g') && node -p process.execPath)
npm=$(dirname "$(dirname "$(readlink -f "$(PATH=${node%/*}:$PATH command -v npm)")")")
install -D "$node" "$tree/usr/local/bin/node"
mkdir -p "$tree/usr/local/lib/node_modules" "$tree/usr/local/etc"
cp --archive "$npm" "$tree/usr/local/lib/node_modules/npm"
for command in npm npx; do ln -s "../lib/node_modules/npm/bin/$command-cli.js" "$tree/usr/local/bin/$command"; done
chroot "$tree" /usr/local/bin/node /usr/local/bin/npm --version >/dev/null ||
  fail "$node or the npm in $npm does not run there" "use a Node that is whole by itself, as nodejs.org has it"
config=$("$node" "$npm/bin/npm-cli.js" config get userconfig)
[ ! -f "$config" ] || cp --preserve=mode "$config" "$tree/root/.npmrc"
config=$("$node" "$npm/bin/npm-cli.js" config get globalconfig)
[ ! -f "$config" ] || cp --preserve=mode "$config" "$tree/usr/local/etc/npmrc"
environment=(HOME=/root LANG=C.UTF-8 "TERM=${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
for name in {http,https,no}_proxy {HTTP,HTTPS,NO}_PROXY npm_config_registry CI SEED PACKETS POLICIES MINUTES; do
  [ -z "${!name:-}" ] || environment+=("$name=${!name}")
done
for name in NODE_EXTRA_CA_CERTS SSL_CERT_FILE; do
  [ -f "${!name:-}" ] || continue
  environment+=("$name=${!name}")
  [ -f "$tree${!name}" ] || install -D -m 644 "${!name}" "$tree${!name}"
done

[ -z "$(git -C "$root" status --porcelain)" ] || say "warning: what is not committed is not in the clone"
commit=$(git -C "$root" rev-parse HEAD)
git clone --quiet --no-hardlinks "$root" "$tree/root/ip-masq-agent"
git -C "$tree/root/ip-masq-agent" checkout --quiet --detach "$commit"

# What is not the stranger's but the tests', as pairs of a folder here and one there: the folder `shared` beside the
# checkout, the cluster's scripts, and what these build once, of Debian's sources: that stays here for the next run.
binds=()
bind() {
  mkdir -p "$1" "$tree$2"
  binds+=("$1" "$tree$2")
  say "from this machine: $1"
}
[ ! -d "$root/../shared" ] || bind "$root/../shared" /root/shared
[ -z "${CLUSTER_SCRIPTS:-}" ] || bind "$CLUSTER_SCRIPTS" /root/shared/cluster
[ ! -d "$tree/root/shared" ] || bind "${CLUSTER_HOME:-$HOME/.cache/debian-kubernetes}" /root/.cache/debian-kubernetes
if kubectl=$(command -v kubectl); then
  install -D "$(readlink -f "$kubectl")" "$tree/usr/local/bin/kubectl"
  say "from this machine: kubectl"
fi

# A root of its own, and not chroot: who enters the namespace later (nsenter) comes out at its root.
enter='set -euo pipefail
trap "exit 125" ERR
tree=$1 mounts=$2; shift 2
mount --bind "$tree" "$tree"
mount --rbind /dev "$tree/dev"
mount --rbind /sys "$tree/sys"
mount -t proc proc "$tree/proc"
mount -t tmpfs -o mode=755 tmpfs "$tree/run"
while [ "$mounts" -gt 0 ]; do mount --bind "$1" "$2"; shift 2; mounts=$((mounts - 1)); done
cd "$tree"
mkdir mnt/machine
pivot_root . mnt/machine
umount --lazy /mnt/machine
rmdir /mnt/machine
cd /root/ip-masq-agent
trap - ERR
# This shell stays: as the first process it reaps what others leave.
status=0
"$@" || status=$?
exit "$status"'
say "running on it: $* (commit ${commit:0:12})"
unshare --mount --propagation private --pid --fork --kill-child -- \
  env --ignore-environment "${environment[@]}" bash -c "$enter" enter "$tree" $((${#binds[@]} / 2)) "${binds[@]}" "$@" &
inside=$! ran=yes
status=0
wait "$inside" || status=$?
inside=
exit "$status"
