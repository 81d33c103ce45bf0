#!/bin/sh
# Holds a real server, over a trail of some thousand records, against its OpenAPI document: runs
# schemathesis, which makes up requests from the document, good ones and bad ones, and checks each
# answer. Takes the directory of the built programs.
#
# Needs redis-server and python3 with venv. The first run installs the pinned schemathesis below
# `target`; after that nothing leaves this machine.
set -eu

programs=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../../../target/schemathesis

# A venv that was not finished lacks the copy.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi

# No request to this machine goes through a proxy.
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
dir=$(mktemp -d)
redis=
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ -z "$redis" ] || kill "$redis" 2>/dev/null || :
    wait
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
cd "$dir"

fail() {
    echo "$1" >&2
    shift
    tail -n 40 "$@" >&2
    exit 1
}

# Runs what follows until it is done, for half a minute at most.
eventually() {
    tries=300
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.1
    done
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
redis-server --bind 127.0.0.1 --port "$port" --save "" --appendonly no >redis.log &
redis=$!
eventually redis-cli -p "$port" ping || fail "redis-server does not come up" redis.log
export REDIS_URL="redis://127.0.0.1:$port"

# The trail: a week of a trading desk, in the database and in Redis. The demonstration's own server
# ends with it; the one that is asked is `serve`.
"$programs/audit-server" demo --dir trail --days 8 --seconds 1 --listen 127.0.0.1:0 >demo.log 2>&1 ||
    fail "no trail was made" demo.log
cd trail
export AUDIT_DB=audit.db AUDIT_SERVER_KEYS=keys.db AUDIT_SERVER_READ_MODEL=read-model.db
AUDIT_KEY=$("$programs/audit-server" keys create --name schemathesis 2>/dev/null)
export AUDIT_KEY
# It asks without a key on purpose, and is to be refused each time in the same way.
"$programs/audit-server" serve --listen 127.0.0.1:0 --lockout-after 0 >../said.log 2>../server.log &
server=$!
eventually grep -q listening ../said.log || fail "the server does not start" ../said.log ../server.log
url=$(sed 's/^listening on \([^,]*\),.*/\1/' ../said.log)

# Ids to ask for that are there.
cp "$here/schemathesis.toml" "$here/hooks.py" .
python3 - >ids.dict <<'PYTHON'
import sqlite3
for (id,) in sqlite3.connect("audit.db").execute("SELECT id FROM audit_logs LIMIT 100"):
    print(f'"{id}"')
PYTHON

# The key reaches it through the environment, so that nobody reads it in a list of processes.
SCHEMATHESIS_HOOKS=hooks PYTHONPATH=. "$venv/bin/schemathesis" \
    --config-file schemathesis.toml run --no-color "$url/openapi.json" ||
    fail "the server does not keep to its OpenAPI document; its log ends so:" ../server.log
