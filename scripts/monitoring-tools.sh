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
if [ ! -f "$home/bin/complete" ]; then
  command -v apt-get >/dev/null || fail "this machine has no apt-get"
  printf 'unpacking Prometheus and Alertmanager into %s\n' "${home#"$root"/}" >&2
  rm -rf "$home"
  mkdir -p "$home"/{packages,root,bin}
  download() {
    (cd "$home/packages" && apt-get -qq -o APT::Sandbox::User=root download prometheus prometheus-alertmanager >&2)
  }
  download || { apt-get -qq update >&2 && download; } || fail "apt-get download failed"
  for package in "$home"/packages/*.deb; do dpkg -x "$package" "$home/root"; done
  rm -rf "$home/packages"
  for command in prometheus promtool; do ln -s "../root/usr/bin/$command" "$home/bin/$command"; done
  # Debian's Alertmanager 0.25 opens /usr/share/prometheus/alertmanager/default.tmpl when it reads its configuration, and
  # no flag names another place. It runs in a mount namespace of its own, where /usr/share is the unpacked one.
  cat >"$home/bin/prometheus-alertmanager" <<'WRAPPER'
#!/bin/sh
exec unshare --mount --propagation private -- \
  sh -c 'mount --bind "$0/usr/share" /usr/share && exec "$0/usr/bin/prometheus-alertmanager" "$@"' "${0%/*}/../root" "$@"
WRAPPER
  chmod +x "$home/bin/prometheus-alertmanager"
  for command in prometheus promtool prometheus-alertmanager; do
    "$home/bin/$command" --version >/dev/null 2>&1 || fail "$command was unpacked and does not run"
  done
  touch "$home/bin/complete"
fi
printf '%s\n' "$home/bin"
