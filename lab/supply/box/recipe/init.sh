#!/bin/busybox sh
# The whole initrd: load the drivers of the disk, mount it, hand over.
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
while read -r module; do
    /bin/busybox insmod "/modules/$module" 2>/dev/null
done < /modules/order
tries=0
until [ -b /dev/vda ] || [ "$tries" -ge 100 ]; do
    /bin/busybox usleep 100000
    tries=$((tries + 1))
done
if ! /bin/busybox mount -t ext4 -o rw,noatime,discard /dev/vda /root; then
    echo "lab: the root file system on /dev/vda cannot be mounted" > /dev/console
    exec /bin/busybox sleep 3600
fi
/bin/busybox mount -o move /dev /root/dev
/bin/busybox umount /proc
/bin/busybox umount /sys
exec /bin/busybox switch_root /root /sbin/init
