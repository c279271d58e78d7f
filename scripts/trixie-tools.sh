#!/usr/bin/env bash
# Unpacks Debian 13's nft and iptables beside the system's own, for tests against both: into .cache/trixie-tools, and
# nothing is installed. Their own C library comes along, so that they run on any Debian or Ubuntu of this architecture.
# Prints the folder of the commands as its last line. Doing it twice does nothing.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home="$root/.cache/trixie-tools"
packages=(
  nftables libnftables1 libnftnl11 iptables libxtables12 libip4tc2 libip6tc2 libjansson4 libmnl0 libc6
  libnetfilter-conntrack3 libnfnetlink0 libedit2 libgmp10 libtinfo6 libbsd0 libmd0
)

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: the tools of Debian trixie cannot be unpacked: $1"
  exit 1
}

if [ -f "$home/complete" ]; then
  printf '%s\n' "$home/bin"
  exit 0
fi
for command in apt-get dpkg; do
  command -v "$command" >/dev/null || fail "this machine has no $command"
done

# Wherever this system's own packages come from, its next release is as well. Ubuntu's archive has no trixie.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
  sed -n 's/^\([^ ]*\) Debian Debian$/\1/p' | sort -u | head -n 1)
[ -n "$mirror" ] || fail "none of apt's sources is a Debian archive (or apt-get update never ran)"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || fail "$keyring is missing; install debian-archive-keyring"

say "unpacking nft and iptables of Debian trixie into ${home#"$root"/}"
rm -rf "$home"
mkdir -p "$home"/{apt/lists/partial,apt/cache/archives/partial,packages,root,bin}
printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "$mirror" >"$home/apt/sources.list"
# The system's apt settings hold (a proxy, for example); its sources, lists and cache stay as they are.
private=(
  -o "Dir::Etc::SourceList=$home/apt/sources.list" -o Dir::Etc::SourceParts=-
  -o "Dir::State::Lists=$home/apt/lists" -o "Dir::Cache=$home/apt/cache" -o Dir::State::Status=/dev/null
  -o APT::Sandbox::User=root -o Acquire::Languages=none
)
apt-get "${private[@]}" -qq update >&2 || fail "apt-get update failed for $mirror"
(cd "$home/packages" && apt-get "${private[@]}" -qq download "${packages[@]}" >&2) || fail "apt-get download failed"
for package in "$home"/packages/*.deb; do
  dpkg -x "$package" "$home/root" || fail "dpkg cannot unpack $package"
done
rm -rf "$home/apt" "$home/packages"

libraries=$(cd "$home" && echo root/usr/lib/*-linux-gnu*)
loader=$(cd "$home" && echo "$libraries"/ld-linux*.so.*)
[ -x "$home/$loader" ] || fail "libc6 holds no program loader"

# wrap COMMAND PROGRAM [WORD]: the program with its own loader and libraries, wherever this folder stands.
wrap() {
  cat >"$home/bin/$1" <<WRAPPER
#!/bin/sh
home=\${0%/*}/..
XTABLES_LIBDIR=\$home/$libraries/xtables
export XTABLES_LIBDIR
exec "\$home/$loader" --library-path "\$home/$libraries" "\$home/root/$2" ${3:-}${3:+ }"\$@"
WRAPPER
  chmod +x "$home/bin/$1"
}
wrap nft usr/sbin/nft
for tables in iptables ip6tables; do
  for verb in "" -save -restore; do
    for variant in nft legacy; do
      wrap "$tables-$variant$verb" "usr/sbin/xtables-$variant-multi" "$tables-$variant$verb"
    done
    # As Debian's alternatives have it.
    wrap "$tables$verb" usr/sbin/xtables-nft-multi "$tables-nft$verb"
  done
done

for command in nft iptables-nft-restore ip6tables-legacy-restore; do
  "$home/bin/$command" --version >&2 || fail "$command was unpacked and does not run"
done
touch "$home/complete"
printf '%s\n' "$home/bin"
