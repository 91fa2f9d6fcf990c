"""`spec.serving.podTemplate.securityContext`: as whom the processes of a pod run."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from viridian.api.base import ApiModel

_HIGHEST = 2_147_483_647
"""The highest ID that Kubernetes takes."""

_GroupId = Annotated[int, Field(ge=0, le=_HIGHEST)]


class FsGroupChangePolicy(StrEnum):
    """When the files of a volume are given to the group."""

    ON_ROOT_MISMATCH = "OnRootMismatch"
    ALWAYS = "Always"


class PodSecurityContext(ApiModel):
    """User and groups of a pod. It replaces Viridian's own as a whole: what is left out, the cluster decides."""

    run_as_user: Annotated[
        int | None,
        Field(
            ge=1, le=_HIGHEST, description="UID of the processes; absent: the cluster's choice, else the image's 10001."
        ),
    ] = None
    run_as_group: Annotated[
        _GroupId | None, Field(description="GID of the processes; absent: the cluster's choice, else the image's 0.")
    ] = None
    fs_group: Annotated[
        _GroupId | None, Field(description="Group that may read and write the volumes; absent: the cluster's choice.")
    ] = None
    fs_group_change_policy: Annotated[
        FsGroupChangePolicy | None,
        Field(description="When the files of a volume are given to fsGroup; absent: Always, as in Kubernetes."),
    ] = None
    supplemental_groups: Annotated[
        list[_GroupId],
        Field(max_length=16, description="Further groups, such as the one that may read a claim's files."),
    ] = Field(default_factory=list)
