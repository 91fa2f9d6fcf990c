#!/usr/bin/env bash
# release.sh (= make release): builds the contents of a release into dist/: wheels, the chart, SBOMs and checksums; with a
# Docker Engine also the images as archives. It publishes nothing. All but the images is built from the last commit.
# Without FINAL=1 the result is a draft: the script lists what a release still lacks and continues.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' operator/viridian_shared/__init__.py)
[[ $version ]] || fail "operator/viridian_shared/__init__.py has no __version__."
commit=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) # times in wheels are those of the commit
export SOURCE_DATE_EPOCH
images=no
if docker info >/dev/null 2>&1; then images=yes; fi

lacks=()
[[ -z $(git status --porcelain) ]] || lacks+=("the work tree has changes that are not committed")
grep -qF "## [$version]" CHANGELOG.md || lacks+=("CHANGELOG.md has no section [$version]")
[[ $(git rev-parse -q --verify "v$version^{commit}" || true) == "$commit" ]] || lacks+=("the tag v$version is not at this commit")
[[ $images == yes ]] || lacks+=("there is no Docker Engine to build the images with")
[[ $BASE_IMAGE_DIGEST ]] || lacks+=("BASE_IMAGE_DIGEST in dev/versions.env is empty: docker buildx imagetools inspect $BASE_IMAGE prints it")
for lack in "${lacks[@]}"; do say "  not a release yet: $lack"; done
if [[ ${FINAL:-} && ${#lacks[@]} -gt 0 ]]; then fail "FINAL=1, and something is missing: see above."; fi

rm -rf dist
mkdir -p dist
tree=$(mktemp -d "$CACHE/release.XXXXXX")
# shellcheck disable=SC2064  # the folder of now
trap "rm -rf '$tree'" EXIT
git archive "$commit" | tar -x -C "$tree"

wheels() { "$DEV/python.sh" -m pip wheel --no-deps --no-build-isolation --wheel-dir dist "$tree" "$tree/serving-image"; }
chart() { helm package "$tree/charts/viridian" --destination dist; }
# plugin: the archive that krew installs, and the manifest that tells krew of it.
plugin() {
  local folder=$tree/kubectl-viridian archive=dist/kubectl-viridian-$version.tar.gz
  mkdir -p "$folder/lib"
  cp -r "$tree/operator/viridian" "$tree/operator/viridian_shared" "$folder/lib"
  cp "$tree/dev/krew/kubectl-viridian" "$tree/requirements/cli.txt" "$tree/LICENSE" "$folder"
  printf '%s\n' "$version" >"$folder/VERSION"
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$folder" -c . | gzip -n >"$archive"
  sed -e "s|@VERSION@|$version|g" -e "s|@REPOSITORY@|${GITHUB_REPOSITORY:-OWNER/viridian}|g" \
    -e "s|@SHA256@|$(sha256sum "$archive" | cut -d' ' -f1)|" "$tree/dev/krew/krew.yaml.in" >dist/krew.yaml
}
# python_sbom NAME REQUIREMENTS…: of the Python packages alone, where there is no image to look into.
python_sbom() {
  local name=$1 list
  shift
  for list in "$@"; do
    "$sbom" -m cyclonedx_py requirements "$list" --output-format JSON --output-reproducible \
      --output-file "dist/viridian-$name-$version-$(basename "$list" .txt).cdx.json"
  done
}
# archive NAME IMAGE: the image under the version's tag, as a file for `docker load` and `ctr images import`.
archive() {
  docker tag "$2" "viridian/$1:$version"
  docker save "viridian/$1:$version" | gzip -n >"dist/viridian-$1-$version.tar.gz"
  cp "build/sbom/$1.cdx.json" "dist/viridian-$1-$version.cdx.json"
}

step "wheels" wheels
"$DEV/toolchain/build-go.sh" helm
step "chart" chart
step "kubectl plugin" plugin
if [[ $images == yes ]]; then
  # With FINAL=1 there is a digest, which wins.
  made=$(SBOM=1 UNPINNED_BASE=1 "$DEV/images/product-images.sh")
  eval "$made"
  step "archive of the operator's image" archive operator "$OPERATOR_IMAGE"
  step "archive of the serving image" archive serving "$SERVING_IMAGE"
else
  sbom=$("$DEV/toolchain/environment.sh" requirements/sbom.txt)
  step "SBOM of the operator's Python packages" python_sbom operator requirements/operator.txt
  step "SBOM of the serving image's Python packages" python_sbom serving requirements/serving-runtime.txt requirements/triton.txt
fi
(cd dist && sha256sum -- * >SHA256SUMS)
say "dist/ has version $version of commit ${commit:0:12}:"
ls -1 dist
