#!/bin/sh
# Prints the Python to make .venv with: the python3 of PATH, or the system's own ($1, unless it is the usual one) where
# that will do and the other will not, or was built without profile-guided optimization. Version managers leave that out
# unless told; distributions do it, though their configure line does not say so. It makes telemon's loop a tenth faster.
set -eu

own="$(command -v python3 || true)"
system="${1:-/usr/bin/python3}"

fit='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'
optimized='import sys, sysconfig
sys.exit("--enable-optimizations" not in (sysconfig.get_config_var("CONFIG_ARGS") or ""))'

if [ -n "$own" ] && "$own" -c "$fit" 2>/dev/null && "$own" -c "$optimized" 2>/dev/null; then
    echo "$own"
elif [ -x "$system" ] && "$system" -c "$fit" 2>/dev/null; then
    echo "$system"
else
    echo "${own:-python3}"
fi
