#!/bin/sh
# disk.sh ROOT IMAGE GIB: one ext4 file system holding ROOT, as a qcow2 image.
# Inode tables and journal are zeroed here: a node that did it after boot would grow its overlay by 300 MB.
set -eu
root=$1 image=$2 gib=$3
rm -f "$image.raw"
truncate --size "${gib}G" "$image.raw"
mkfs.ext4 -q -F -L lab -m 0 -N 500000 -O '^64bit,^metadata_csum' -E lazy_itable_init=0,lazy_journal_init=0 \
    -d "$root" "$image.raw"
qemu-img convert -O qcow2 "$image.raw" "$image"
rm "$image.raw"
