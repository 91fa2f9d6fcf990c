#!/usr/bin/env bash
# sbom.sh NAME IMAGE REQUIREMENTS… : writes what an image of ours is made of, build/sbom/NAME.cdx.json (CycloneDX), from the
# hash-checked lists that its Python packages are installed from and from the Debian packages that are in it.
. "$(dirname "$0")/../lib.sh"
cd "$DEV/.."

name=$1 image=$2
shift 2
python=$("$DEV/toolchain/environment.sh" requirements/sbom.txt)
mkdir -p build/sbom
parts=$(mktemp -d "$CACHE/sbom.XXXXXX")
# shellcheck disable=SC2064  # the folder of now
trap "rm -rf '$parts'" EXIT

write() {
  local list
  for list in "$@"; do
    "$python" -m cyclonedx_py requirements "$list" --output-format JSON --output-reproducible --output-file "$parts/$(basename "$list" .txt).json"
  done
  # shellcheck disable=SC2016  # dpkg's own placeholders
  docker run --rm --network none --entrypoint dpkg-query "$image" --show --showformat '${Package}\t${Version}\t${Architecture}\n' >"$parts/debian"
  "$python" dev/images/sbom.py --name "$name" --image "$image" --debian "$parts/debian" --out "build/sbom/$name.cdx.json" "$parts"/*.json
}
step "SBOM of $name" write "$@"
