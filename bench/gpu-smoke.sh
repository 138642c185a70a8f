#!/usr/bin/env bash
# All that tailmix says of devices, on a machine with a GPU, Node 20.19 or newer and a PJRT plugin; it needs neither TensorFlow, nor a
# compiler, nor a network. Prints a table and writes gpu-smoke.json.
#
#   npm run build && node bench/gpu-smoke/pack.mjs gpu-smoke      where tailmix and TensorFlow are: makes a folder below 60 MB
#   TAILMIX_PJRT=PLUGIN.so gpu-smoke/gpu-smoke.sh                    on the GPU's machine
#
# Options: --python python3 (measures PyTorch beside it), --jax (and JAX), --json FILE, --steps 5000, --only resnet32-fp32,…, --rounds 5, --seconds 5
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
if [ ! -d "$here/recordings" ]; then
  echo "gpu-smoke.sh: this is no packed folder; make one: npm run build && node bench/gpu-smoke/pack.mjs FOLDER" >&2
  exit 2
fi
if [ -z "${TAILMIX_PJRT:-}" ]; then
  echo "gpu-smoke.sh: expected TAILMIX_PJRT, the library of a PJRT plugin" >&2
  exit 2
fi
if [ ! -f "$TAILMIX_PJRT" ]; then
  echo "gpu-smoke.sh: TAILMIX_PJRT: expected the file of a PJRT plugin, found none at $TAILMIX_PJRT" >&2
  exit 2
fi
if ! command -v node >/dev/null || ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
  echo "gpu-smoke.sh: expected Node 20.19 or newer on the PATH, got $(node --version 2>/dev/null || echo none)" >&2
  exit 2
fi
# Its parts run in the packed folder, whatever folder this was started in.
TAILMIX_PJRT="$(cd "$(dirname "$TAILMIX_PJRT")" && pwd)/$(basename "$TAILMIX_PJRT")"
export TAILMIX_PJRT
# The module that opens plugins lies there, and nothing of another set-up is used.
export TAILMIX_CACHE="$here/cache"
exec node "$here/bench/gpu-smoke/run.mjs" "$@"
