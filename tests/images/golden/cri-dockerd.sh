# take
if ! docker image inspect sha256:8666eaa191bf21c9cf86146f737f058b5929e9feff4ca87f8384972cd75397ac >/dev/null 2>&1; then
  free=$(df --output=avail --block-size=1M /var/lib/docker | tail -n 1)
  if [ "$free" -lt 256 ]; then
    echo "it needs 256 MiB below /var/lib/docker, of which 256 stay free; there are" $free >&2
    exit 28
  fi
  curl --silent --show-error --fail http://192.0.2.1:8000/0/archive | docker load --quiet >/dev/null
fi
docker tag sha256:8666eaa191bf21c9cf86146f737f058b5929e9feff4ca87f8384972cd75397ac shop/web:1

# list
docker images --no-trunc --format '{{.Repository}}:{{.Tag}}\t{{.ID}}\t{{.Size}}'

# remove
docker image inspect shop/web:1 >/dev/null 2>&1 || exit 0
docker image rm shop/web:1 >/dev/null

