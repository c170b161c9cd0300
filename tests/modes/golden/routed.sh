mkdir -p /etc/systemd/system /usr/local/sbin
umask 077
printf %s '#!/bin/bash
set -euo pipefail
ip link set eth1 up
ip route replace 10.200.0.0/24 via 172.31.7.101 dev eth1 onlink
ip route replace 10.200.2.0/24 via 172.31.7.103 dev eth1 onlink
iptables --wait --table nat --check POSTROUTING -s 10.200.1.0/24 ! -d 10.200.0.0/16 ! -o lo -j MASQUERADE 2>/dev/null ||
  iptables --wait --table nat --append POSTROUTING -s 10.200.1.0/24 ! -d 10.200.0.0/16 ! -o lo -j MASQUERADE
' > /usr/local/sbin/lab-pod-routes.lab-new
printf %s '[Unit]
Description=Routes to the pods of the other nodes
After=systemd-networkd.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-pod-routes

[Install]
WantedBy=multi-user.target
' > /etc/systemd/system/lab-pod-routes.service.lab-new
chmod 0644 /etc/systemd/system/lab-pod-routes.service.lab-new
chmod 0755 /usr/local/sbin/lab-pod-routes.lab-new
mv /usr/local/sbin/lab-pod-routes.lab-new /usr/local/sbin/lab-pod-routes
mv /etc/systemd/system/lab-pod-routes.service.lab-new /etc/systemd/system/lab-pod-routes.service
umask 022
systemctl daemon-reload
systemctl enable --now lab-pod-routes.service
mkdir -p /etc/cni/net.d /etc/lab
umask 077
printf %s '{
  "cniVersion": "0.4.0",
  "name": "routed",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "hairpinMode": true,
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
      }
    }
  ]
}
' > /etc/cni/net.d/10-routed.conflist.lab-new
printf %s 'f1e2daf80cf938c4927d9d01c7462ba32755c0e9c3c603ea56ea20cc2c9a1d16
' > /etc/lab/mode.lab-new
chmod 0644 /etc/cni/net.d/10-routed.conflist.lab-new /etc/lab/mode.lab-new
mv /etc/cni/net.d/10-routed.conflist.lab-new /etc/cni/net.d/10-routed.conflist
mv /etc/lab/mode.lab-new /etc/lab/mode
umask 022
