#!/bin/sh
# Runs once inside the new root, after all files are in place: users, keys, units.
set -eu

# --- users and keys (vagrant's published key pair, as in any vagrant base box)
VAGRANT_KEY='ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltGEFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSIFo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NOTd0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8tehUc9c9WhQ== vagrant insecure public key'
useradd --create-home --shell /bin/bash --password '*' vagrant
usermod --password '*' root
for home in /root /home/vagrant; do
    mkdir -p "$home/.ssh"
    echo "$VAGRANT_KEY" > "$home/.ssh/authorized_keys"
    chmod 700 "$home/.ssh"
    chmod 600 "$home/.ssh/authorized_keys"
done
chown -R vagrant:vagrant /home/vagrant
chmod 440 /etc/sudoers.d/vagrant

# --- host keys: made here, where it takes no time; each builder's box has its own
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key
ssh-keygen -q -t rsa -b 2048 -N '' -f /etc/ssh/ssh_host_rsa_key
mkdir -p /run/sshd
sshd -t

# --- iptables-legacy, the same on nodes and in the kube-proxy image
for tool in iptables ip6tables; do
    update-alternatives --quiet --set "$tool" "/usr/sbin/$tool-legacy"
done

# --- what people look for on a node and busybox has
for program in nslookup vi; do
    ln -s busybox "/usr/bin/$program"
done

# --- identity is given at boot
: > /etc/machine-id
rm -f /etc/hostname /var/lib/dbus/machine-id

# --- units: networkd in, everything a short-lived node has no use for out
systemctl --quiet enable systemd-networkd.service systemd-network-generator.service ssh.service \
    kubelet.service lab-timer-slack.service
systemctl --quiet disable ipvsadm.service haproxy.service keepalived.service nginx.service
if [ -e /etc/systemd/system/cri-docker.service ]; then
    systemctl --quiet enable cri-docker.service docker.service
fi
systemctl --quiet set-default multi-user.target
systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-tmpfiles-clean.timer \
    getty.target getty@tty1.service console-getty.service serial-getty@ttyS0.service \
    systemd-networkd-wait-online.service systemd-timesyncd.service systemd-resolved.service \
    systemd-journal-flush.service systemd-random-seed.service systemd-update-utmp.service \
    systemd-update-utmp-runlevel.service systemd-pstore.service systemd-binfmt.service \
    systemd-machine-id-commit.service systemd-firstboot.service systemd-boot-system-token.service \
    systemd-ask-password-console.path systemd-ask-password-wall.path systemd-initctl.socket \
    systemd-user-sessions.service systemd-logind.service \
    systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-update-done.service \
    systemd-sysusers.service systemd-remount-fs.service systemd-repart.service \
    modprobe@configfs.service modprobe@drm.service modprobe@fuse.service modprobe@efi_pstore.service \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
    dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount \
    systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service kmod-static-nodes.service \
    dbus.service dbus.socket \
    ldconfig.service keyboard-setup.service console-setup.service

# --- generators would look for swap, encrypted and hibernated disks, init scripts: there are none
mkdir -p /etc/systemd/system-generators
for generator in /usr/lib/systemd/system-generators/*; do
    ln -s /dev/null "/etc/systemd/system-generators/$(basename "$generator")"
done

# --- udev: no renaming, no new MAC addresses for what CNI plugins make, no probing of disks and desktops
mkdir -p /etc/udev/rules.d
for rule in /usr/lib/udev/rules.d/*; do
    case $(basename "$rule") in
    50-udev-default.rules | 60-qemu-guest-agent.rules | 80-drivers.rules | 99-systemd.rules) ;;
    *) ln -s /dev/null "/etc/udev/rules.d/$(basename "$rule")" ;;
    esac
done
