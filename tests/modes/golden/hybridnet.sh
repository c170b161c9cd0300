for _ in $(seq 600); do [ -S /run/cni/hybridnet.sock ] && break; sleep 0.5; done
[ -S /run/cni/hybridnet.sock ] || {
  echo "hybridnet's daemon does not listen on /run/cni/hybridnet.sock after 300 s" >&2
  exit 1
}
mkdir -p /etc/cni/net.d /etc/lab
umask 077
printf %s '{
  "cniVersion": "0.3.1",
  "name": "hybridnet",
  "plugins": [
    {
      "type": "hybridnet",
      "server_socket": "/run/cni/hybridnet.sock"
    },
    {
      "type": "bandwidth",
      "capabilities": {
        "bandwidth": true
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
' > /etc/cni/net.d/06-hybridnet.conflist.lab-new
printf %s '9310eded66303899006dee9e7c560dfa7f71d31e1e5f0fe26079fa0a9af99067
' > /etc/lab/mode.lab-new
chmod 0644 /etc/cni/net.d/06-hybridnet.conflist.lab-new /etc/lab/mode.lab-new
mv /etc/cni/net.d/06-hybridnet.conflist.lab-new /etc/cni/net.d/06-hybridnet.conflist
mv /etc/lab/mode.lab-new /etc/lab/mode
umask 022
