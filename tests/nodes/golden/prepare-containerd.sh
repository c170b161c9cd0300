mkdir -p /etc /etc/modules-load.d /etc/sysctl.d
umask 077
printf %s 'k8s-master1
' > /etc/hostname.lab-new
printf %s '127.0.0.1 localhost
::1 localhost ip6-localhost ip6-loopback
172.31.7.101 k8s-master1
172.31.7.102 k8s-node1
172.31.7.103 k8s-node2
' > /etc/hosts.lab-new
printf %s 'nameserver 192.168.31.1
' > /etc/resolv.conf.lab-new
printf %s 'overlay
br_netfilter
' > /etc/modules-load.d/lab.conf.lab-new
printf %s 'net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.conf.all.rp_filter = 0
net.ipv4.conf.default.rp_filter = 0
net.ipv4.conf.eth0.rp_filter = 2
net.ipv4.conf.eth1.rp_filter = 2
net.ipv4.conf.eth2.rp_filter = 2
net.ipv4.conf.eth3.rp_filter = 2
fs.inotify.max_user_instances = 8192
vm.overcommit_memory = 1
kernel.panic = 10
kernel.panic_on_oops = 1
' > /etc/sysctl.d/90-lab.conf.lab-new
chmod 0644 /etc/hostname.lab-new /etc/hosts.lab-new /etc/resolv.conf.lab-new /etc/modules-load.d/lab.conf.lab-new /etc/sysctl.d/90-lab.conf.lab-new
mv /etc/hostname.lab-new /etc/hostname
mv /etc/hosts.lab-new /etc/hosts
mv /etc/resolv.conf.lab-new /etc/resolv.conf
mv /etc/modules-load.d/lab.conf.lab-new /etc/modules-load.d/lab.conf
mv /etc/sysctl.d/90-lab.conf.lab-new /etc/sysctl.d/90-lab.conf
umask 022
hostname k8s-master1
modprobe --all overlay br_netfilter
sysctl --quiet --load=/etc/sysctl.d/90-lab.conf
for _ in $(seq 300); do [ -S /run/containerd/containerd.sock ] && break; sleep 0.2; done
[ -S /run/containerd/containerd.sock ] || { echo "containerd does not run: there is no /run/containerd/containerd.sock" >&2; exit 1; }
there=$(ctr --namespace k8s.io images list --quiet)
while read -r image; do
  case $'\n'"$there"$'\n' in *$'\n'"$image"$'\n'*) ;;
    *) echo "the box lacks the image $image; remove the box, then: lab box build" >&2; exit 1;;
  esac
done <<'END'
registry.lab.internal/pause:3.7
registry.lab.internal/etcd:3.5.6-0
END
mkdir -p /etc/lab
umask 077
printf %s '1aae8e793d5717bc3f06aeab6f603d836ba6d63436e5768ec452d49164aeeb63
' > /etc/lab/prepared.lab-new
chmod 0644 /etc/lab/prepared.lab-new
mv /etc/lab/prepared.lab-new /etc/lab/prepared
umask 022
