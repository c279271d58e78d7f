#!/usr/bin/env bash
# Unpacks this system's Prometheus and Alertmanager for tests into .cache/monitoring-tools: installed as packages, they
# would start as services. Prints the folder of the commands as its last line. Doing it twice does nothing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home="$root/.cache/monitoring-tools"
fail() {
  printf 'error: Prometheus cannot be unpacked: %s\n' "$1" >&2
  exit 1
}
if [ ! -f "$home/complete" ]; then
  command -v apt-get >/dev/null || fail "this machine has no apt-get"
  rm -rf "$home"
  mkdir -p "$home/packages" "$home/root"
  download() {
    (cd "$home/packages" && apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager >&2)
  }
  download || { apt-get -qq update >&2 && download; } || fail "apt-get download failed"
  for package in "$home"/packages/*.deb; do dpkg -x "$package" "$home/root"; done
  rm -rf "$home/packages"
  for command in prometheus promtool prometheus-alertmanager amtool; do
    "$home/root/usr/bin/$command" --version >/dev/null 2>&1 || fail "$command was unpacked and does not run"
  done
  touch "$home/complete"
fi
printf '%s\n' "$home/root/usr/bin"
