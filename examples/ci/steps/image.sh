#!/bin/sh
# image.sh NAME VERSION SERVING_IMAGE REPOSITORY: puts the folder NAME/VERSION into an image that serves it, pushes that, and
# prints it by its digest.
set -eu
docker build --quiet --tag "$4:$2" --file - "$1" >/dev/null <<DOCKERFILE
FROM $3
COPY $2 /models/$1/$2
DOCKERFILE
docker push --quiet "$4:$2" >/dev/null
docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$4:$2" | grep -F "$4@" | head -n 1
