#!/usr/bin/env bash
# Packs this checkout, installs the tarball in empty folders with two versions of npm, trains there on WASM, sets up, and
# trains natively. Downloads npm's packages, and the TensorFlow wheel unless WHEEL names one.
#   NPMS    versions of npm to install with (default "10 11")
#   WHEEL   a downloaded wheel, given to `tailmix setup --from`
#   TARBALL a tarball of tailmix that was packed before
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TAILMIX_CACHE="$work/cache"
unset TAILMIX_BACKEND TAILMIX_PREPARED

if [ -z "${TARBALL:-}" ]; then
  (cd "$root" && npm pack --silent --pack-destination "$work" >&2)
  TARBALL=$(ls "$work"/tailmix-*.tgz)
fi

# One epoch of the shipped configuration; prints the backend that it used.
train() {
  npx --no-install tailmix train node_modules/tailmix/configs/digits/erm.yaml --set train.epochs=1 --out "$1" --json \
    >"$1.json"
  node -p "JSON.parse(fs.readFileSync('$1.json', 'utf8')).backend"
}

expect() {
  if [ "$2" != "$3" ]; then
    echo "FAILED: $1: expected $2, got $3" >&2
    exit 1
  fi
  echo "ok: $1: $3"
}

for npm in ${NPMS:-10 11}; do
  mkdir "$work/npm-$npm"
  cd "$work/npm-$npm"
  echo '{ "private": true }' >package.json
  npx --yes "npm@$npm" install --no-audit --no-fund "$TARBALL"
  rm -rf "$TAILMIX_CACHE"
  expect "npm $npm, before setup" wasm "$(train before)"
  npx --no-install tailmix setup ${WHEEL:+--from "$WHEEL"}
  expect "npm $npm, after setup" native "$(train after)"
done
