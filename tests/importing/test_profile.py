"""ONNX Runtime's profile as a table."""

from viridian_import.prove.profile import profile_of


def event(name: str, dur: int, operator: str = "") -> dict[str, object]:
    return {"name": name, "dur": dur, "args": {"op_name": operator}}


def test_the_time_of_a_call_is_told_by_node_and_around_them() -> None:
    # given two calls
    events = [
        event("session_initialization", 900),
        *(event("scale_kernel_time", 10, "Scaler"), event("trees_kernel_time", 60, "TreeEnsembleClassifier")),
        event("model_run", 100),
        *(event("scale_kernel_time", 20, "Scaler"), event("trees_kernel_time", 80, "TreeEnsembleClassifier")),
        event("model_run", 140),
    ]
    # when
    profile = profile_of(events)
    # then
    assert profile.total == 120
    assert [(node.name, node.microseconds) for node in profile.nodes] == [("trees", 70), ("scale", 15)]
    assert [line.split() for line in profile.table().splitlines()] == [
        ["trees", "TreeEnsembleClassifier", "70.0", "µs", "58.3", "%"],
        ["scale", "Scaler", "15.0", "µs", "12.5", "%"],
        ["(around", "the", "nodes)", "35.0", "µs", "29.2", "%"],
    ]
