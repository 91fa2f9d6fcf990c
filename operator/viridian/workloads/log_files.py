"""How the stored prediction log gets into the pod of the check that replays it: volumes, mounts and settings."""

from typing import Any, Final

from viridian.api.checks import ReplayCheck
from viridian.api.pods.prediction_log import PredictionLog
from viridian_shared.pod import paths
from viridian_shared.prediction_log import RedactAction

_LOG: Final = "log"
_CREDENTIALS: Final = "log-credentials"
_AUTHORITIES: Final = "log-ca"


def build_log_volumes(replay: ReplayCheck) -> list[dict[str, Any]]:
    """The volumes: the claim, or what it takes to read a store."""
    volumes: list[dict[str, Any]] = []
    if replay.claim is not None:
        volumes.append({"name": _LOG, "persistentVolumeClaim": {"claimName": replay.claim, "readOnly": True}})
    if replay.credentials_secret_ref is not None:
        # Optional, because a missing Secret would keep the pod waiting without a word; the check says what it misses.
        secret = {"secretName": replay.credentials_secret_ref.name, "defaultMode": 0o440, "optional": True}
        volumes.append({"name": _CREDENTIALS, "secret": secret})
    if replay.store is not None and (authorities := replay.store.ca_config_map) is not None:
        items = [{"key": authorities.key, "path": paths.STORE_AUTHORITIES_FILE}]
        volumes.append(
            {"name": _AUTHORITIES, "configMap": {"name": authorities.name, "items": items, "optional": True}}
        )
    return volumes


def build_log_mounts(replay: ReplayCheck) -> list[dict[str, Any]]:
    """Where the check finds each of them."""
    folders = {_LOG: paths.LOG, _CREDENTIALS: paths.LOG_CREDENTIALS, _AUTHORITIES: paths.LOG_AUTHORITIES}
    names = [volume["name"] for volume in build_log_volumes(replay)]
    return [{"name": name, "mountPath": folders[name], "readOnly": True} for name in names]


def build_replay_settings(replay: ReplayCheck, log: PredictionLog | None) -> dict[str, Any]:
    """What the check is told: what is asked for, and which features records lack because `log` drops them."""
    dropped = {rule.name for rule in (log.redact if log is not None else ()) if rule.action is RedactAction.DROP}
    told = replay.manifest()
    store = {name: value for name, value in told.pop("store", {}).items() if name != "caConfigMap"}
    return {
        **{name: value for name, value in told.items() if name not in {"from", "credentialsSecretRef"}},
        **({"store": store} if store else {}),
        **({"dropped": sorted(dropped)} if dropped else {}),
    }
