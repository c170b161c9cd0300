mkdir -p /etc/systemd/system /usr/local/sbin
umask 077
printf %s '#!/bin/bash
set -euo pipefail
ip link set eth1 up
ip route replace 10.200.0.0/24 via 172.31.7.101 dev eth1 onlink
ip route replace 10.200.2.0/24 via 172.31.7.103 dev eth1 onlink
# The pods'"'"' way to everything else: theirs must leave by eth1.
ip route replace default via 172.31.0.2 dev eth1 onlink metric 4096
if ! [ -e /sys/class/net/lab-shim ]; then
  ip link add link eth1 name lab-shim mtu 1500 type ipvlan mode l3s
fi
sysctl --quiet --write net.ipv4.conf.lab-shim.rp_filter=2
ip link set lab-shim up
ip route replace 10.200.1.0/24 dev lab-shim scope link src 172.31.7.102
iptables --wait --table nat --check POSTROUTING -s 10.200.1.0/24 ! -d 10.200.0.0/16 ! -o lo -j MASQUERADE 2>/dev/null ||
  iptables --wait --table nat --append POSTROUTING -s 10.200.1.0/24 ! -d 10.200.0.0/16 ! -o lo -j MASQUERADE
# A service of this node'"'"'s pods asked by one of them: the answer must come back through the node.
iptables --wait --table nat --check POSTROUTING -s 10.200.1.0/24 -o lab-shim -j SNAT --to-source 172.31.7.102 2>/dev/null ||
  iptables --wait --table nat --append POSTROUTING -s 10.200.1.0/24 -o lab-shim -j SNAT --to-source 172.31.7.102
' > /usr/local/sbin/lab-shim.lab-new
printf %s '[Unit]
Description=The node'"'"'s own ipvlan interface beside its pods'"'"'
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
  "name": "ipvlan-l3s",
  "plugins": [
    {
      "type": "ipvlan",
      "mode": "l3s",
      "master": "eth1",
      "mtu": 1500,
      "ipam": {
        "type": "host-local",
        "ranges": [
          [
            {
              "subnet": "10.200.1.0/24"
            }
          ]
        ],
        "routes": [
          {
            "dst": "0.0.0.0/0"
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
' > /etc/cni/net.d/10-ipvlan-l3s.conflist.lab-new
printf %s 'd1e2dc05051085fee19b7ef85f8492af33b7e0d90ef7b19f84b40df68d0be793
' > /etc/lab/mode.lab-new
chmod 0644 /etc/cni/net.d/10-ipvlan-l3s.conflist.lab-new /etc/lab/mode.lab-new
mv /etc/cni/net.d/10-ipvlan-l3s.conflist.lab-new /etc/cni/net.d/10-ipvlan-l3s.conflist
mv /etc/lab/mode.lab-new /etc/lab/mode
umask 022
