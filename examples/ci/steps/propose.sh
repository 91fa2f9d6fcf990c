#!/bin/sh
# propose.sh NAME VERSION IMAGE CHANGES: writes version.yml, checks the manifest, and pushes it as the branch NAME-VERSION, for a
# pull request. The folder NAME/VERSION is what will be served: its digest goes into the manifest, and each pod verifies it.
set -eu
deploy=${DEPLOY:-deploy}
digest=$(kubectl viridian digest "$1/$2")
changes=$(printf %s "$4" | tr '\n' ' ' | sed 's/[\\"]/\\&/g')
cat >"$deploy/version.yml" <<MANIFEST
# Which version is served. Written by steps/propose.sh; each change of it is one pull request.
apiVersion: viridian.dev/v1alpha1
kind: ModelDeployment
metadata:
  name: $1
spec:
  model:
    version: $2
    uri: image:///models/$1/$2
    digest: $digest
    changes: "$changes"
  serving:
    image: $3
MANIFEST
"$(dirname "$0")/lint.sh"
git checkout --quiet -B "$1-$2"
git add "$deploy/version.yml"
git commit --quiet --message "$1 $2: $4"
git push --quiet --force origin "$1-$2"
