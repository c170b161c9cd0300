#!/bin/sh
# in-root.sh ROOT IMAGES COMMAND...: runs COMMAND with ROOT as its root directory.
# Runs in a mount and PID namespace made for it, so all that is mounted and started here ends with it.
# IMAGES is a file with one archive's path per line; archive number N is seen inside as /run/images/N.tar.
set -eu
root=$1 images=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/run/images" "$root/run/recipe"
mount --bind "$(dirname "$0")" "$root/run/recipe"
number=0
while read -r archive; do
    touch "$root/run/images/$number.tar"
    mount --bind "$archive" "$root/run/images/$number.tar"
    number=$((number + 1))
done < "$images"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "$@"
