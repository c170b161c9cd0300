export KUBECONFIG=${KUBECONFIG:-/etc/kubernetes/admin.conf}
