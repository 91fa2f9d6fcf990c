"""Back by command to a version that served before the last one."""

import pytest
from tests.e2e.harness.stage import AT_ONCE, NAME, Stage

pytestmark = pytest.mark.e2e


def test_the_third_last_version_gets_all_traffic_back_at_once(stage: Stage) -> None:
    # given three versions, each of which has served all requests
    stage.serve("v1")
    with stage.clients() as clients, stage.route_log() as route:
        clients.go_on()
        for version in ("v2", "v7"):
            stage.apply(version, rollout=AT_ONCE)
            stage.reaches("Stable", version)
        clients.go_on()
        before = len(route.writes)

        # when somebody asks for the first one
        done = stage.cluster.plugin("rollback", NAME, "--to=v1", f"--namespace={stage.namespace}")
        assert done.returncode == 0, done.stdout + done.stderr
        status = stage.reaches("RolledBack", "v1")
        after = clients.go_on()

    # then it has everything, without a step between and without a lost request
    print(clients, done.stdout)
    assert not clients.failed
    assert {answer.version for answer in after} == {"v1"}
    assert [written.weights["green"] for written in route.writes[before:]] == [100]
    assert status["stable"]["revision"] == "digits-1"
    assert stage.pods_behind(NAME) == {"digits-1"}
