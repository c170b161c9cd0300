# take
there=$(ctr --namespace k8s.io snapshots --snapshotter overlayfs list)
if ! grep --quiet '^sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc ' <<<"$there"; then
  free=$(df --output=avail --block-size=1M /var/lib/containerd | tail -n 1)
  if [ "$free" -lt 256 ]; then
    echo "it needs 256 MiB below /var/lib/containerd, of which 256 stay free; there are" $free >&2
    exit 28
  fi
  if grep --quiet '^lab-sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc ' <<<"$there"; then ctr --namespace k8s.io snapshots --snapshotter overlayfs remove lab-sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc; fi
  files=$(ctr --namespace k8s.io snapshots --snapshotter overlayfs prepare --mounts lab-sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc | sed -n 's/.*"Source": *"\([^"]*\)".*/\1/p')
  [ -d "$files" ]
  curl --silent --show-error --fail http://192.0.2.1:8000/0/root | tar --extract --file - --directory "$files" \
    --numeric-owner --preserve-permissions --delay-directory-restore --xattrs --xattrs-include='*' \
    --checkpoint=200 --checkpoint-action=echo=%u 2>&1
  ctr --namespace k8s.io snapshots --snapshotter overlayfs commit sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc lab-sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc
fi
curl --silent --show-error --fail http://192.0.2.1:8000/0/description | ctr --namespace k8s.io images import --no-unpack - >/dev/null
ctr --namespace k8s.io content label sha256:8666eaa191bf21c9cf86146f737f058b5929e9feff4ca87f8384972cd75397ac containerd.io/gc.ref.snapshot.overlayfs=sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc >/dev/null
ctr --namespace k8s.io snapshots --snapshotter overlayfs label sha256:31e75dd7f37955466f76afd50cf3f0dafa90bda39aea06b68c58be4efff1f1fc containerd.io/gc.root= >/dev/null

# list
ctr --namespace k8s.io images list

# remove
there=$(ctr --namespace k8s.io images list | tail -n +2)
target=$(awk -v name=docker.io/shop/web:1 '$1 == name { print $3 }' <<<"$there")
[ -n "$target" ] || exit 0
others=$(awk -v name=docker.io/shop/web:1 -v target="$target" '$1 != name && $3 == target { print $1 }' <<<"$there")
# Kubernetes gives each image its digest as a second name, which goes with the last other one.
if grep --quiet --invert-match '^sha256:' <<<"$others"; then others=; fi
ctr --namespace k8s.io images remove --sync docker.io/shop/web:1 $others >/dev/null

