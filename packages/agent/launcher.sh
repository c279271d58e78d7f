#!/bin/sh
# Runs the bundle of this launcher's own name, NAME.js beside it, with the Node 24 that pnpm installed in the checkout;
# where there is none, with the node in PATH, which the bundle refuses if it is too old. Works through symbolic links.
set -eu
file=$0
while [ -L "$file" ]; do
  target=$(readlink "$file")
  case $target in
    /*) file=$target ;;
    *) file=$(dirname "$file")/$target ;;
  esac
done
here=$(CDPATH='' cd -P "$(dirname "$file")" && pwd -P)
name=$(basename "$file")
node=$here/../../../node_modules/node/bin/node
if [ ! -x "$node" ]; then
  node=$(command -v node) || {
    printf '%s: Node 24 is needed, and there is none in PATH or in the checkout; run pnpm install there, or install Node 24\n' "$name" >&2
    exit 2
  }
fi
exec "$node" "$here/$name.js" "$@"
