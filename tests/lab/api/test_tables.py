"""Tables: the recorded objects give the recorded cells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from l2probe.lab.api.jsonpath import found
from l2probe.lab.api.kinds import Kinds
from l2probe.lab.api.printers import human
from l2probe.lab.api.tables import Form, table
from tests.lab.api.client import CORE, DEFAULT, LEASES, SLICES, TABLE, Json, Server, config_map, fixture, pod, service


def cells(plural: str, objects: list[dict[str, Any]], group: str = "") -> list[list[Any]]:
    """Return the cells of these objects."""
    kinds = Kinds()
    kind = next(each for each in kinds if (each.group, each.plural) == (group, plural))
    return [row["cells"] for row in table(kind, objects, {}, Form("None"))["rows"]]


def without(rows: list[list[Any]], *columns: int) -> list[list[Any]]:
    """Return the rows without these columns (ages)."""
    return [[cell for index, cell in enumerate(row) if index not in columns] for row in rows]


def test_recorded_pods_look_as_recorded() -> None:
    """A running, crashing, missing, unready and unscheduled Pod look the same, but for the ages."""
    recorded = fixture("pods-table.json")
    mine = cells("pods", fixture("pods.json")["items"])
    theirs = [row["cells"] for row in recorded["rows"]]

    assert without(mine, 3, 4) == without(theirs, 3, 4)
    assert [row[3].split()[0] for row in mine] == [row[3].split()[0] for row in theirs]


def test_recorded_services_look_as_recorded() -> None:
    """Every column of the recorded Services but their age."""
    recorded = [row["cells"] for row in fixture("services-table.json")["rows"]]

    assert without(cells("services", fixture("services.json")["items"]), 5) == without(recorded, 5)


@pytest.mark.parametrize(("name", "path"), [("services-table.json", "services"), ("pods-table.json", "pods")])
def test_columns_are_those_of_a_real_server(server: Server, name: str, path: str) -> None:
    """Names, types, formats and priorities of the columns agree with the recorded ones."""
    keys = ("name", "type", "format", "priority")
    mine = server.get(f"{DEFAULT}/{path}", accept=TABLE).body["columnDefinitions"]

    assert [[each[key] for key in keys] for each in mine] == [
        [each[key] for key in keys] for each in fixture(name)["columnDefinitions"]
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11100, "3h5m"),
        (28800, "8h"),
        (172799, "47h"),
        (172800, "2d"),
        (180000, "2d2h"),
        (691200, "8d"),
        (63072000, "2y"),
        (64000000, "2y10d"),
        (300000000, "9y"),
    ],
)
def test_ages_are_written_as_by_kubectl(seconds: int, text: str) -> None:
    """The borders of apimachinery's HumanDuration."""
    assert human(seconds) == text


def status(**state: object) -> dict[str, Any]:
    """Return a container's status."""
    return {"name": "echo", "restartCount": 0, "ready": False, "state": state}


@pytest.mark.parametrize(
    ("phase", "container", "extra", "expected"),
    [
        ("Pending", {"waiting": {"reason": "ContainerCreating"}}, {}, "ContainerCreating"),
        ("Running", {"terminated": {"exitCode": 3}}, {}, "ExitCode:3"),
        ("Failed", {"terminated": {"exitCode": 0, "signal": 9}}, {}, "Signal:9"),
        ("Succeeded", {"terminated": {"exitCode": 0, "reason": "Completed"}}, {}, "Completed"),
        ("Running", {"running": {}}, {"metadata": {"deletionTimestamp": "2026-11-23T10:00:00Z"}}, "Terminating"),
        ("Failed", {"running": {}}, {"status": {"reason": "Evicted", "phase": "Failed"}}, "Evicted"),
    ],
)
def test_the_status_of_a_pod(phase: str, container: dict[str, Any], extra: dict[str, Any], expected: str) -> None:
    """STATUS says the most useful thing about the containers, or that the Pod goes."""
    obj = {**pod(), "status": {"phase": phase, "containerStatuses": [status(**container)]}}
    obj["metadata"] = {**obj["metadata"], **extra.get("metadata", {})}
    obj["status"] = {**obj["status"], **extra.get("status", {})}

    assert cells("pods", [obj])[0][2] == expected


def test_other_kinds(server: Server) -> None:
    """Nodes, leases, slices, namespaces, events, maps and workloads show what an operator looks for."""
    conditions = [{"type": "Ready", "status": "True"}]
    addresses = [{"type": "InternalIP", "address": "198.51.100.11"}]
    node = {
        "metadata": {"name": "node-1", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": True},
    }
    server.make(f"{CORE}/nodes", {**node, "status": {"conditions": conditions, "addresses": addresses}})
    server.make(LEASES, {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "node-1"}})
    endpoints = [{"addresses": [f"10.0.0.{n}"]} for n in range(5)]
    ports = [{"name": "http", "port": 8080}]
    server.make(SLICES, {"metadata": {"name": "web-1"}, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})
    event = {
        "metadata": {"name": "e1"},
        "involvedObject": {"kind": "Pod", "name": "web-1"},
        "type": "Warning",
        "reason": "Failed",
        "message": "no image",
        "lastTimestamp": (datetime.now(UTC) - timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "source": {"component": "kubelet", "host": "node-1"},
        "count": 2,
    }
    server.make(f"{DEFAULT}/events", event)
    server.make(f"{DEFAULT}/configmaps", config_map("a", k="v"))

    def row(path: str) -> list[Any]:
        found_cells: list[Any] = server.get(path, accept=TABLE).body["rows"][0]["cells"]
        return found_cells

    assert row(f"{CORE}/nodes")[:3] == ["node-1", "Ready,SchedulingDisabled", "control-plane"]
    assert row(f"{CORE}/nodes")[5:7] == ["198.51.100.11", "<none>"]
    assert row(LEASES)[:2] == ["leader", "node-1"]
    assert row(SLICES)[:4] == ["web-1", "IPv4", "8080", "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."]
    assert row(f"{DEFAULT}/events")[1:4] == ["Warning", "Failed", "pod/web-1"]
    assert row(f"{DEFAULT}/events")[5:7] == ["kubelet, node-1", "no image"]
    assert row(f"{DEFAULT}/events")[0] in {"90s", "91s", "92s", "93s"}
    assert row(f"{CORE}/namespaces")[:2] == ["default", "Active"]
    assert row(f"{DEFAULT}/configmaps")[:2] == ["a", 1]


def test_rows_carry_what_was_asked_for(server: Server) -> None:
    """IncludeObject decides between nothing, metadata and the whole object; the single object has a Table too."""
    server.make(f"{DEFAULT}/services", service("web"))
    path = f"{DEFAULT}/services/web"
    rows = {
        include: server.get(f"{path}?includeObject={include}", accept=TABLE)
        .body["rows"][0]
        .get("object", {})
        .get("kind")
        for include in ("", "None", "Metadata", "Object")
    }

    assert rows == {"": "PartialObjectMetadata", "None": None, "Metadata": "PartialObjectMetadata", "Object": "Service"}
    assert server.get(f"{path}?includeObject=All", accept=TABLE).code == 400


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.name", "a"),
        (".spec.items[1].v", 2),
        (".spec.items[*].v", 1),
        ('.spec.items[?(@.k=="y")].v', 2),
        ("{.spec.items[?(@.k!='x')].v}", 2),
        (r".metadata.annotations.lab\.test/x", "yes"),
        (".spec.none.at.all", None),
        ("][", None),
    ],
)
def test_paths_of_printer_columns(path: str, expected: Json) -> None:
    """The JSONPath that CRD authors write in additionalPrinterColumns."""
    obj = {
        "metadata": {"annotations": {"lab.test/x": "yes"}},
        "spec": {"name": "a", "items": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]},
    }

    assert found(obj, path) == expected
