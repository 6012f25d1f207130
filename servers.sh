#!/bin/sh
# Installs, with apt, what the Makefile needs and this machine lacks: the server binaries (no service comes with
# these packages), Python's venv module, and for "bench" the peers to measure against.
set -eu

# In a subshell: the colon that parts PATH parts nothing else. A directory may have spaces in its name.
found() (
    IFS=:
    set -f
    for name in "$@"; do
        for dir in $PATH /usr/sbin /usr/local/sbin /usr/libexec; do
            [ -x "$dir/$name" ] && exit 0
        done
    done
    exit 1
)

wanted=""
found mariadbd mysqld || wanted="$wanted mariadb-server-core"
# MariaDB's installer calls it; Oracle's mysqld has no installer.
found my_print_defaults || { found mysqld && ! found mariadbd; } || wanted="$wanted mariadb-client-core"
found valkey-server redis-server redis-check-rdb || wanted="$wanted redis-tools"
# Makes the certificate of the private cluster's bus.
found openssl || wanted="$wanted openssl"
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3-venv"
if [ "${1:-}" = bench ]; then
    found redis-benchmark || wanted="$wanted redis-tools"
    found sysbench || wanted="$wanted sysbench"
fi
[ -n "$wanted" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "telemon: there is no apt here; install by hand what provides:$wanted (mariadbd, redis-server or valkey-server)" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "telemon: neither root nor sudo; ask an administrator for: apt-get install --no-install-recommends$wanted" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "telemon: installing$wanted" >&2
$as_root apt-get update -qq
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >&2
