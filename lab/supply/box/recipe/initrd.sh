#!/bin/sh
# Writes /boot/vmlinuz and /boot/initrd.img: the installed kernel, and the few drivers that find the disk.
set -eu
kernel=$(ls /lib/modules)
work=$(mktemp -d)
cd "$work"
mkdir bin dev proc sys root modules
cp /bin/busybox bin/
cp /run/recipe/init.sh init
chmod 755 init
for module in virtio_pci virtio_blk virtio_net; do
    modprobe --set-version "$kernel" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > /run/modules
while read -r path; do
    cp "$path" modules/
    basename "$path"
done < /run/modules > modules/order
find . | LC_ALL=C sort | cpio --quiet --create --format newc --owner 0:0 --reproducible > /boot/initrd.img
cp "/boot/vmlinuz-$kernel" /boot/vmlinuz
