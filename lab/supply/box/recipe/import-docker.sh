#!/bin/sh
# Loads /run/images/*.tar into docker's store. Prints "image N" before each.
set -eu
log=/run/dockerd.log
echo '{}' > /run/dockerd.json
dockerd --config-file /run/dockerd.json --iptables=false --ip6tables=false --bridge=none --storage-driver=overlay2 \
    --host unix:///run/docker.sock > "$log" 2>&1 &
daemon=$!
tries=0
until docker version > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -ge 150 ] || ! kill -0 "$daemon" 2> /dev/null; then
        cat "$log" >&2
        exit 1
    fi
    sleep 0.2
done
for archive in /run/images/*.tar; do
    [ -e "$archive" ] || continue
    echo "image $(basename "$archive" .tar)"
    docker load --quiet --input "$archive" > /run/import.log 2>&1 || {
        cat /run/import.log "$log" >&2
        exit 1
    }
done
echo stored
docker images --format '{{.Repository}}:{{.Tag}}'
kill "$daemon"
wait "$daemon" || true
