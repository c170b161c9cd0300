for _ in $(seq 600); do [ -s /run/flannel/subnet.env ] && break; sleep 0.5; done
[ -s /run/flannel/subnet.env ] || {
  echo "flannel's daemon has not written /run/flannel/subnet.env after 300 s" >&2
  exit 1
}
mkdir -p /etc/cni/net.d /etc/lab
umask 077
printf %s '{
  "cniVersion": "0.3.1",
  "name": "cbr0",
  "plugins": [
    {
      "type": "flannel",
      "delegate": {
        "hairpinMode": true,
        "isDefaultGateway": true
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
' > /etc/cni/net.d/10-flannel.conflist.lab-new
printf %s '13438593c83f2344dbb122e67d1ff79c755f4843eb12c23a7bcd832254d78c1c
' > /etc/lab/mode.lab-new
chmod 0644 /etc/cni/net.d/10-flannel.conflist.lab-new /etc/lab/mode.lab-new
mv /etc/cni/net.d/10-flannel.conflist.lab-new /etc/cni/net.d/10-flannel.conflist
mv /etc/lab/mode.lab-new /etc/lab/mode
umask 022
