"""Puts together the CycloneDX documents of an image's parts, adds its Debian packages, and checks the whole.

Usage: sbom.py --name NAME --image IMAGE --debian FILE --out FILE PART…
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

SPEC = SchemaVersion.V1_6


def debian(line: str) -> dict[str, Any]:
    """The component of a line of `dpkg-query`: name, version and architecture, separated by tabs."""
    name, version, architecture = line.split("\t")
    purl = f"pkg:deb/debian/{quote(name)}@{quote(version, safe='')}?arch={architecture}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def merge(name: str, image: str, parts: list[dict[str, Any]], packages: list[dict[str, Any]]) -> dict[str, Any]:
    """One document of all parts; what several have is in it once."""
    found = [component for part in parts for component in part.get("components", [])] + packages
    by_identity = {component.get("purl") or component["bom-ref"]: component for component in found}
    for purl, component in by_identity.items():
        component["bom-ref"] = purl  # the parts number theirs by line, and quote it
        component.pop("description", None)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC.to_version(),
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": image, "name": name, "version": image}},
        "components": [by_identity[purl] for purl in sorted(by_identity)],
    }


def main() -> int:
    """Write the document; 1 where it does not fit the schema."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--name", "--image", "--debian", "--out"):
        parser.add_argument(option, required=True)
    parser.add_argument("parts", nargs="+")
    chosen = parser.parse_args()
    packages = [debian(line) for line in Path(chosen.debian).read_text().splitlines() if line]
    parts = [json.loads(Path(part).read_text()) for part in chosen.parts]
    text = json.dumps(merge(chosen.name, chosen.image, parts, packages), indent=1)
    if (fault := JsonStrictValidator(SPEC).validate_str(text)) is not None:
        sys.stderr.write(f"{fault}\n")
        return 1
    Path(chosen.out).write_text(f"{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
