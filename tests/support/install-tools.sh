#!/bin/sh
# Installs what the tests need and this machine lacks: by apt as root or through sudo; elsewhere it
# names what to install and fails.
set -eu

missing=
for pair in redis-server:redis-server python3:python3 cc:gcc cc:libc6-dev curl:curl strace:strace \
    unshare:util-linux gzip:gzip zstd:zstd; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
# Debian and Ubuntu keep what makes a venv apart from Python.
python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || missing="$missing python3-venv"
# A browser for the documentation page, on Debian, which has one as a package (Ubuntu's is a snap);
# where it is missing, `make test` says which test was not run.
if ! command -v chromedriver >/dev/null 2>&1 && grep -qs '^ID=debian' /etc/os-release; then
    missing="$missing chromium chromium-driver"
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "the tests need these, install them first:$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root=sudo
else
    echo "the tests need these, install them as root first: apt-get install$missing" >&2
    exit 1
fi
echo "installing:$missing"
$as_root apt-get update -q
# The tests start servers of their own; one that the package would start is not wanted.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -q -y --no-install-recommends $missing
