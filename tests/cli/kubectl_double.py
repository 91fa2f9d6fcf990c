"""A kubectl whose answers are files, and the models that it knows."""

from collections.abc import Callable
from pathlib import Path

import yaml

from viridian.cli.model import Model

MODELS = Path(__file__).parent / "models"
KUBECTL = """#!/bin/sh
echo "$*" >> "$0.log"
case "$*" in
  *--context=nowhere*) echo 'error: context "nowhere" does not exist' >&2; exit 1 ;;
  *"get modeldeployments.viridian.dev --field-selector=metadata.name=iris --watch"*) cat "$0.events"; exec sleep 60 ;;
  *"get modeldeployments.viridian.dev iris"*) cat "$0.model" ;;
  *"get modeldeployments.viridian.dev --"*) printf '{"items": [%s]}' "$(cat "$0.model")" ;;
  *"get modeldeployments.viridian.dev "*)
    echo 'Error from server (NotFound): modeldeployments.viridian.dev "rose" not found' >&2; exit 1 ;;
  *"annotate "*) cat "$0.model" ;;
  *"auth whoami"*) echo '{"status": {"userInfo": {"username": "ada"}}}' ;;
  logs*color=blue*) echo "[pod/iris-blue-x/api] hello"; echo "[pod/iris-blue-x/api] again" ;;
  logs*) echo "error: container api is not valid for pod" >&2; exit 1 ;;
  *"get controllerrevisions"*) cat "$0.revision" ;;
  *) echo "error: nothing is known of: $*" >&2; exit 1 ;;
esac
"""
Cluster = Callable[..., Path]


def stored(name: str) -> Model:
    return Model(yaml.safe_load((MODELS / f"{name}.yaml").read_text()))


def states(*names: str) -> list[Model]:
    return [stored(name) for name in names]
