"""Names that other programs see: the API group, labels, annotations, the names of children."""

from viridian_shared.color import Color as Color  # part of the names of children

GROUP = "viridian.dev"
VERSION = "v1alpha1"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "viridian-operator"

LABEL_MODEL = f"{GROUP}/model"
LABEL_COLOR = f"{GROUP}/color"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_DRILL_OF = f"{GROUP}/drill-of"

ANNOTATION_COMMAND = f"{GROUP}/command"
ANNOTATION_COMMAND_BY = f"{GROUP}/command-by"
ANNOTATION_INPUT = f"{GROUP}/input"
ANNOTATION_SEQ = f"{GROUP}/seq"
ANNOTATION_ABORTED = f"{GROUP}/aborted"
ANNOTATION_EPOCH = f"{GROUP}/epoch"


def color_name(model: str, color: Color) -> str:
    """Name of a color's Deployment and Service."""
    return f"{model}-{color}"


def revision_name(model: str, number: int) -> str:
    """Name of a ControllerRevision; numbers count up and are never used again."""
    return f"{model}-{number}"
