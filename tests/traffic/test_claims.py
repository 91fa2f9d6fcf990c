"""Who may have which path of which hosts."""

from typing import Any

import pytest

from viridian.traffic import claims as module
from viridian.traffic.claims import Claim, Claims

OLD, NEW = ("ml", "old"), ("ml", "new")


def model(name: str, *, born: int, namespace: str = "ml", going: bool = False, **traffic: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-01T00:00:{born:02}Z"}
    if going:
        metadata["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    return {"metadata": metadata, "spec": {"traffic": {"parentRefs": [{"name": "public"}], **traffic}}}


def claims(*manifests: dict[str, Any]) -> Claims:
    made = Claims()
    for manifest in manifests:
        put(made, manifest)
    return made


def put(to: Claims, manifest: dict[str, Any]) -> set[tuple[str, str]]:
    metadata = manifest["metadata"]
    return to.put((metadata["namespace"], metadata["name"]), Claim.of(manifest))


A = {"hostnames": ["a.example.com"], "path": "/iris"}


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        pytest.param(A, A, "host a.example.com", id="the same"),
        pytest.param({**A, "hostnames": ["b", "a.example.com"]}, A, "host a.example.com", id="one host in common"),
        pytest.param({"path": "/iris"}, A, "host a.example.com", id="the older has all hosts"),
        pytest.param(A, {"path": "/iris"}, "host a.example.com", id="the later wants all hosts"),
        pytest.param({}, {}, "all hosts of the listener", id="both have all hosts, and no path"),
        pytest.param({**A, "hostnames": ["*.example.com"]}, A, "host a.example.com", id="the older has a wildcard"),
        pytest.param(A, {**A, "hostnames": ["*.example.com"]}, "host a.example.com", id="the later has a wildcard"),
        pytest.param(
            {**A, "hostnames": ["*.com"]}, {**A, "hostnames": ["*.example.com"]}, "host *.example.com", id="wildcards"
        ),
        pytest.param(
            {**A, "parentRefs": [{"name": "public", "namespace": "ml", "sectionName": "http"}]},
            A,
            "host a.example.com",
            id="one listener and all of them",
        ),
        pytest.param(
            {**A, "parentRefs": [{"name": "x"}, {"name": "public"}]},
            A,
            "host a.example.com",
            id="one gateway in common",
        ),
    ],
)
def test_the_later_one_is_told_whose_it_is(old: dict[str, Any], new: dict[str, Any], where: str) -> None:
    both = claims(model("new", born=2, **new), model("old", born=1, **old))
    said = both.taken(NEW)
    assert said is not None
    assert where in said
    assert "ModelDeployment old in namespace ml, which is older" in said
    assert both.taken(OLD) is None


@pytest.mark.parametrize(
    "new",
    [
        pytest.param({**A, "path": "/wine"}, id="another path"),
        pytest.param({**A, "path": "/iris/v2"}, id="a path below it"),
        pytest.param({**A, "hostnames": ["b.example.com"]}, id="another host"),
        pytest.param({**A, "hostnames": ["*.a.example.com"]}, id="hosts below it"),
        pytest.param({**A, "hostnames": ["*.ample.com"]}, id="a wildcard that only looks like it"),
        pytest.param({**A, "parentRefs": [{"name": "internal"}]}, id="another gateway"),
        pytest.param({**A, "parentRefs": [{"name": "public", "namespace": "gateways"}]}, id="one in another namespace"),
        pytest.param({**A, "parentRefs": []}, id="no gateway at all"),
    ],
)
def test_who_is_in_nobodys_way(new: dict[str, Any]) -> None:
    both = claims(model("old", born=1, **A), model("new", born=2, **new))
    assert both.taken(NEW) is None
    assert both.taken(OLD) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "/iris", "/iris/predict", "path /iris/predict of host a.example.com overlaps /iris", id="below it"
        ),
        pytest.param("/iris/v2", "/iris", "path /iris of host a.example.com overlaps /iris/v2", id="above it"),
        pytest.param("/", "/iris", "path /iris of host a.example.com overlaps /", id="below all"),
        pytest.param("/iris/v2/x", "/", "path / of host a.example.com overlaps /iris/v2/x", id="all"),
        pytest.param("/iris", "/iris2", None, id="only looks like it"),
        pytest.param("/a/iris", "/iris", None, id="the same end"),
    ],
)
def test_between_namespaces_a_path_may_take_no_requests_from_another(old: str, new: str, said: str | None) -> None:
    # given a model with a host and a path, and a later one of another namespace on the same host
    parents = [{"name": "public", "namespace": "gateways"}]
    theirs = model("old", born=1, namespace="theirs", **{**A, "path": old, "parentRefs": parents})
    ours = model("new", born=2, **{**A, "path": new, "parentRefs": parents})
    both = claims(ours, theirs)

    # then the later one is told whose it is, whichever path is longer, and the older one is left alone
    told = both.taken(NEW)
    assert (told is not None) is (said is not None)
    assert (said or "") in (told or "")
    assert both.taken(("theirs", "old")) is None

    # and the way is free once the older one is gone
    assert both.put(("theirs", "old"), None) == ({NEW} if said else set())
    assert both.taken(NEW) is None


def test_other_listeners_of_a_gateway_are_other_places() -> None:
    one, other = ({**A, "parentRefs": [{"name": "public", "sectionName": name}]} for name in ("http", "https"))
    assert claims(model("old", born=1, **one), model("new", born=2, **other)).taken(NEW) is None


def test_of_two_made_in_the_same_second_the_name_decides() -> None:
    both = claims(model("b", born=1, **A), model("a", born=1, **A))
    assert both.taken(("ml", "a")) is None
    assert both.taken(("ml", "b")) is not None


def test_the_way_is_free_once_the_older_one_goes_or_moves() -> None:
    # given two, and a third that has nothing to do with them
    both = claims(model("old", born=1, **A), model("new", born=2, **A), model("else", born=3, path="/else"))

    # when the older one moves away, is being deleted, or is gone, then the later one is told, and it alone
    for elsewhere in (model("old", born=1, path="/moved"), model("old", born=1, going=True, **A)):
        assert put(both, elsewhere) == {NEW}
        assert both.taken(NEW) is None
        assert put(both, model("old", born=1, **A)) == {NEW}
        assert both.taken(NEW) is not None
    assert both.put(OLD, None) == {NEW}
    assert both.taken(NEW) is None
    assert both.taken(OLD) is None


def test_what_does_not_change_disturbs_nobody() -> None:
    both = claims(model("old", born=1, **A), model("new", born=2, **A))
    assert put(both, model("old", born=1, **A)) == set()
    assert put(both, model("new", born=2, **A)) == set()


def test_a_look_among_ten_thousand_does_not_look_at_each(monkeypatch: pytest.MonkeyPatch) -> None:
    # given many models on one host and as many on their own hosts
    many = claims(
        *(model(f"path-{n}", born=1, hostnames=["a"], path=f"/{n}") for n in range(5000)),
        *(model(f"host-{n}", born=1, hostnames=[f"h{n}"]) for n in range(5000)),
    )

    # when all are asked for, then it is about as much work as one dictionary look-up each
    looked = 0
    near = module._near

    def counting(*arguments: Any) -> Any:
        nonlocal looked
        for key in near(*arguments):
            looked += 1
            yield key

    monkeypatch.setattr(module, "_near", counting)
    assert all(many.taken(("ml", f"{kind}-{n}")) is None for kind in ("path", "host") for n in range(5000))
    assert looked == 2 * 10000  # itself, each time: at its place, and at or below it
