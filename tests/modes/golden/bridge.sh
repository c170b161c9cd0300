mkdir -p /etc/systemd/network
umask 077
printf %s '[NetDev]
Name=br-eth1
Kind=bridge
MACAddress=52:54:00:7d:14:ad
MTUBytes=1500

[Bridge]
STP=no
ForwardDelaySec=0
' > /etc/systemd/network/10-br-eth1.netdev.lab-new
printf %s '[Match]
Name=br-eth1

[Network]
Address=172.31.7.102/21
LinkLocalAddressing=no
IPv6AcceptRA=no
' > /etc/systemd/network/10-br-eth1.network.lab-new
printf %s '[Match]
Name=eth1

[Network]
Bridge=br-eth1
LinkLocalAddressing=no
' > /etc/systemd/network/10-eth1.network.lab-new
chmod 0644 /etc/systemd/network/10-br-eth1.netdev.lab-new /etc/systemd/network/10-br-eth1.network.lab-new /etc/systemd/network/10-eth1.network.lab-new
mv /etc/systemd/network/10-br-eth1.netdev.lab-new /etc/systemd/network/10-br-eth1.netdev
mv /etc/systemd/network/10-br-eth1.network.lab-new /etc/systemd/network/10-br-eth1.network
mv /etc/systemd/network/10-eth1.network.lab-new /etc/systemd/network/10-eth1.network
umask 022
systemctl restart systemd-networkd.service
moved() {
  [[ $(ip -4 -o address show dev br-eth1 2>/dev/null) == *' 172.31.7.102/21 '* ]] &&
    [[ -z $(ip -4 -o address show dev eth1) ]]
}
for _ in $(seq 120); do moved && break; sleep 0.5; done
moved || {
  echo "172.31.7.102/21 has not moved from eth1 to br-eth1 after 60 s" >&2
  exit 1
}
mkdir -p /etc/cni/net.d /etc/lab
umask 077
printf %s '{
  "cniVersion": "0.4.0",
  "name": "bridge",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "br-eth1",
      "hairpinMode": true,
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
' > /etc/cni/net.d/10-bridge.conflist.lab-new
printf %s '6ae99d532a44874dcfc5a96ae87dc1ad2c4a226c4b57e32b827e09a1ebbbbb0b
' > /etc/lab/mode.lab-new
chmod 0644 /etc/cni/net.d/10-bridge.conflist.lab-new /etc/lab/mode.lab-new
mv /etc/cni/net.d/10-bridge.conflist.lab-new /etc/cni/net.d/10-bridge.conflist
mv /etc/lab/mode.lab-new /etc/lab/mode
umask 022
