"""A cluster from binaries: each program of Kubernetes and etcd is a unit of systemd, rendered from the plan.

The order of the steps is kubeasz's (playbooks/90.setup.yml); the arguments are those of kubeadm's static pods
(cmd/kubeadm/app/phases/controlplane, phases/etcd/local.go), so that both ways lead to the same cluster.
"""
