"""Has nobody led since? A machine that was suspended does not notice, and its clock says that it still leads."""

from collections.abc import Mapping

from viridian.api.names import ANNOTATION_EPOCH
from viridian.kube.errors import NotLeading
from viridian.kube.lease import is_later


def check_term(annotations: Mapping[str, str] | None, epoch: str) -> None:
    """Make sure that an object which was just read, and is to be written, was not written in a later term than ours.

    What was read is new, but what a former leader knows of the rollout is not.

    Args:
        annotations: of the object.
        epoch: our term.

    Raises:
        NotLeading: somebody has led since.
    """
    theirs = (annotations or {}).get(ANNOTATION_EPOCH, "")
    if is_later(theirs, epoch):
        raise NotLeading(f"a write of term {epoch} over what was written in term {theirs}")
