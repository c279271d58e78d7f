#!/usr/bin/env bash
# rootfs.sh ROOT [ARCHITECTURE]: makes the image's root file system, node and agent excepted, from packages of Debian
# trixie as the file `contents` lists them. Runs no program of theirs, so any architecture can be made on any.
# Needs bash, apt-get and dpkg, and Debian's archive in apt's sources (or MIRROR=URI).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=${1:?usage: rootfs.sh ROOT [ARCHITECTURE]}
architecture=${2:-$(dpkg --print-architecture)}
fail() {
  printf 'error: the root file system cannot be made: %s\n' "$1" >&2
  exit 1
}

MIRROR=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 'Created-By: Packages' |
  sed -n 's/^\([^ ]*\) Debian Debian$/\1/p' | sort -u | head -n 1)}
[ -n "$MIRROR" ] || fail "none of apt's sources is a Debian archive (or apt-get update never ran); set MIRROR=URI"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || fail "$keyring is missing; install debian-archive-keyring"
mapfile -t packages < <(sed -n 's/^package //p' "$here/contents")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,debs,all} "$root"
chmod 755 "$work" "$work/debs"
printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "$MIRROR" >"$work/sources.list"
# The system's apt settings hold (a proxy, for example); its sources, lists and cache stay as they are.
options=(
  -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=-
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o Dir::State::Status=/dev/null
  -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
  -o APT::Sandbox::User=root -o Acquire::Languages=none
)
apt-get "${options[@]}" -qq update >&2 || fail "apt-get update failed for $MIRROR"
(cd "$work/debs" && apt-get "${options[@]}" -qq download "${packages[@]}" >&2) || fail "apt-get download failed"

for deb in "$work"/debs/*.deb; do
  dpkg-deb --extract "$deb" "$work/all"
  # Scanners read here what is inside, as in other images without a package manager.
  name=$(dpkg-deb --field "$deb" Package)
  mkdir -p "$root/var/lib/dpkg/status.d"
  dpkg-deb --field "$deb" >"$root/var/lib/dpkg/status.d/$name"
done

# Braces and stars are the shell's; a pattern that finds nothing on this architecture names another one's loader.
shopt -s nullglob
while read -r pattern; do
  # The patterns are the file `contents` of this folder; braces in a variable expand in eval alone.
  files=$(cd "$work/all" && eval "printf '%s\n' $pattern")
  while read -r file; do
    [ -n "$file" ] || continue
    [ -e "$work/all/$file" ] || [ -L "$work/all/$file" ] || continue
    mkdir -p "$root/$(dirname "$file")"
    cp --archive "$work/all/$file" "$root/$file"
    # A library's name is a link to its file.
    target=$(readlink "$work/all/$file" || true)
    case $target in
      "" | /*) ;;
      *) cp --archive "$work/all/$(dirname "$file")/$target" "$root/$(dirname "$file")/" 2>/dev/null || true ;;
    esac
  done <<<"$files"
done < <(sed -n 's/^keep //p' "$here/contents")

while read -r from to; do
  mkdir -p "$root/$(dirname "$from")"
  ln -sfn "$to" "$root/$from"
done < <(sed -n 's/^link //p' "$here/contents")
[ ! -d "$root/usr/lib64" ] || ln -sfn usr/lib64 "$root/lib64"

mkdir -p "$root"/{etc/config,proc,sys,dev,run,tmp}
printf 'root:x:0:0:root:/:/nonexistent\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
