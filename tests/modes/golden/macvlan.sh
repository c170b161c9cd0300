mkdir -p /etc/systemd/system /usr/local/sbin
umask 077
printf %s '#!/bin/bash
# The node'"'"'s own interface beside its pods'"'"' on eth1: without it they do not see each other.
set -euo pipefail
ip link set eth1 up
if ! [ -e /sys/class/net/lab-shim ]; then
  ip link add link eth1 name lab-shim mtu 1500 type macvlan mode bridge
fi
sysctl --quiet --write net.ipv4.conf.lab-shim.arp_filter=1 net.ipv4.conf.lab-shim.rp_filter=2
ip address replace 172.31.7.102/32 dev lab-shim
ip link set lab-shim up
ip route replace 172.31.6.85/32 dev lab-shim scope link src 172.31.7.102
ip route replace 172.31.6.86/31 dev lab-shim scope link src 172.31.7.102
ip route replace 172.31.6.88/29 dev lab-shim scope link src 172.31.7.102
ip route replace 172.31.6.96/27 dev lab-shim scope link src 172.31.7.102
ip route replace 172.31.6.128/27 dev lab-shim scope link src 172.31.7.102
ip route replace 172.31.6.160/29 dev lab-shim scope link src 172.31.7.102
ip route replace 172.31.6.168/32 dev lab-shim scope link src 172.31.7.102
' > /usr/local/sbin/lab-shim.lab-new
printf %s '[Unit]
Description=The node'"'"'s own macvlan interface beside its pods'"'"'
After=systemd-networkd.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-shim

[Install]
WantedBy=multi-user.target
' > /etc/systemd/system/lab-shim.service.lab-new
chmod 0644 /etc/systemd/system/lab-shim.service.lab-new
chmod 0755 /usr/local/sbin/lab-shim.lab-new
mv /usr/local/sbin/lab-shim.lab-new /usr/local/sbin/lab-shim
mv /etc/systemd/system/lab-shim.service.lab-new /etc/systemd/system/lab-shim.service
umask 022
systemctl daemon-reload
systemctl enable --now lab-shim.service
mkdir -p /etc/cni/net.d /etc/lab
umask 077
printf %s '{
  "cniVersion": "0.4.0",
  "name": "macvlan",
  "plugins": [
    {
      "type": "macvlan",
      "mode": "bridge",
      "master": "eth1",
      "mtu": 1500,
      "ipam": {
        "type": "host-local",
        "ranges": [
          [
            {
              "subnet": "172.31.0.0/21",
              "rangeStart": "172.31.6.85",
              "rangeEnd": "172.31.6.168",
              "gateway": "172.31.0.2"
            }
          ]
        ],
        "routes": [
          {
            "dst": "0.0.0.0/0",
            "gw": "172.31.0.2"
          },
          {
            "dst": "10.96.0.0/16",
            "gw": "172.31.7.102"
          }
        ]
      }
    },
    {
      "type": "portmap",
      "capabilities": {
        "portMappings": true
      },
      "masqAll": true
    }
  ]
}
' > /etc/cni/net.d/10-macvlan.conflist.lab-new
printf %s 'ad03d107c84db55a8fc6aeac0f116a543aeb4c7fea3c9053d482f266d63fb3d2
' > /etc/lab/mode.lab-new
chmod 0644 /etc/cni/net.d/10-macvlan.conflist.lab-new /etc/lab/mode.lab-new
mv /etc/cni/net.d/10-macvlan.conflist.lab-new /etc/cni/net.d/10-macvlan.conflist
mv /etc/lab/mode.lab-new /etc/lab/mode
umask 022
