#!/usr/bin/env bash
# Makes a fresh clone ready: Debian packages that are missing, pnpm, the workspace's packages and Node 24.
# Says what it installs, installs nothing twice, and prints to stderr only.
#
# usage: . scripts/bootstrap.sh [DEBIAN-COMMAND:PACKAGE ...]
# Afterwards $PNPM is an array that runs pnpm, and Node 24 is first in PATH.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $1"
  say "remedy: $2"
  exit 1
}

[ "$(id -u)" = 0 ] || fail "this needs root: it makes network namespaces and writes rules inside them" \
  "run the same command as root, for example with sudo"
command -v node >/dev/null || fail "node is not in PATH" "install Node 20 or newer (apt-get install nodejs npm)"
[ "$(node -p 'Number(process.versions.node.split(".")[0])')" -ge 20 ] || fail "node $(node --version) is too old" \
  "install Node 20 or newer; it is only needed to fetch the Node 24 that the product runs on"

missing=()
for entry in "$@"; do
  command -v "${entry%%:*}" >/dev/null || missing+=("${entry##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || fail "missing: ${missing[*]}, and this machine has no apt-get" \
    "install these packages with the machine's own package manager"
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # A new machine may be upgrading itself at this moment.
  install=(apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}")
  "${install[@]}" >/dev/null 2>&1 || {
    apt-get update -qq >&2 || say "warning: apt-get update had problems; trying all the same"
    "${install[@]}" >&2 ||
      fail "apt-get could not install ${missing[*]}" "install them by hand, then run this again"
  }
fi

pnpm_version=$(node -p 'require("./package.json").packageManager.split("@")[1]')
if command -v pnpm >/dev/null && [ "$(cd / && pnpm --version 2>/dev/null)" = "$pnpm_version" ]; then
  PNPM=(pnpm)
else
  pnpm_home="$root/.cache/pnpm-$pnpm_version"
  if [ ! -x "$pnpm_home/node_modules/.bin/pnpm" ]; then
    say "installing pnpm $pnpm_version into ${pnpm_home#"$root"/}"
    npm install --silent --no-audit --no-fund --prefix "$pnpm_home" "pnpm@$pnpm_version" >&2 ||
      fail "npm could not install pnpm $pnpm_version" "check that npm reaches its registry"
  fi
  PNPM=("$pnpm_home/node_modules/.bin/pnpm")
fi

# The lock file's hash tells whether the installed packages are those of this checkout.
stamp=node_modules/.installed-for
lock=$(sha256sum pnpm-lock.yaml | cut -d' ' -f1)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$lock" ]; then
  say "installing packages and Node $(node -p 'require("fs").readFileSync("pnpm-workspace.yaml","utf8").match(/^nodeVersion: (.*)$/m)[1]') with pnpm"
  CI=true "${PNPM[@]}" install --frozen-lockfile --reporter=append-only >&2 ||
    fail "pnpm install failed" "read its message above; a clean start is: rm -rf node_modules packages/*/node_modules"
  printf '%s\n' "$lock" >"$stamp"
fi
export PATH="$root/node_modules/.bin:$PATH"
