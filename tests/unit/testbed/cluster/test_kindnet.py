from testbed.build import recipes
from testbed.cluster import kindnet
from testbed.kindnet.api import Watched
from testbed.variants import variant


def test_the_plugin_may_read_all_that_it_watches_and_change_nothing() -> None:
    role = next(o for o in kindnet.objects(variant.load("kindnet")) if o["kind"] == "ClusterRole")
    readable = {kind for rule in role["rules"] for kind in rule["resources"]}
    assert readable == {watched.name for watched in Watched}
    assert all(rule["verbs"] == ["list", "watch"] for rule in role["rules"])


def test_it_runs_on_every_node_before_there_is_a_network() -> None:
    bed = variant.load("kindnet")
    (daemon,) = (o for o in kindnet.objects(bed) if o["kind"] == "DaemonSet")
    assert daemon["metadata"]["name"] == "kindnet"  # by which the harness knows it
    pod = daemon["spec"]["template"]["spec"]
    assert pod["hostNetwork"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    (container,) = pod["containers"]
    assert container["image"] == recipes.KINDNET_IMAGE
    env = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert env["POD_RANGES"] == "10.251.0.0/16,fd00:10:251::/56"
