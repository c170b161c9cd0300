#!/bin/sh
# Imports /run/images/*.tar into containerd's store for Kubernetes and unpacks them, so that a node pulls
# and unpacks nothing. Prints "image N" before each.
set -eu
log=/run/containerd.log
cat > /run/import.toml <<'EOF'
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
EOF
containerd --config /run/import.toml > "$log" 2>&1 &
daemon=$!
tries=0
until ctr version > /dev/null 2>&1; do
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
    ctr --namespace k8s.io images import --snapshotter overlayfs "$archive" > /run/import.log 2>&1 || {
        cat /run/import.log "$log" >&2
        exit 1
    }
done
# The layers lie unpacked now; what they were unpacked from would be half of the disk.
ctr --namespace k8s.io content prune references
echo stored
ctr --namespace k8s.io images list --quiet
kill "$daemon"
wait "$daemon" || true
