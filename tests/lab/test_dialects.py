"""`run --echo agnhost|whoami` in the lab, with programs that do what the images' sources do with our requests.

tests/real/test_agnhost.py does the same with the released agnhost.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.conftest import Command, dialect_images

pytestmark = pytest.mark.lab


@pytest.fixture
def images() -> Iterator[dict[str, str]]:
    """Return the environment that gives the lab both images."""
    with dialect_images() as environment:
        yield environment


def test_agnhost_proves_announcer_traffic_and_client_over_tcp_and_udp(l2probe: Command, images: dict[str, str]) -> None:
    """All that our script proves; the report says what the image's proof is worth, and stderr what it exposes."""
    ran = l2probe("run", "--lab", "--echo", "agnhost", "-o", "json", env=images)
    able = ran.report["capabilities"]

    assert ran.causes == ["D01"]
    assert set(able["reachable"].values()) == {True}
    assert set(able["source"].values()) == {"always"}
    assert able["largest_payload_bytes"] == 1452
    assert ran.report["evidence"]["echo"] == "agnhost"
    exchanges = [one for trial in ran.report["evidence"]["trials"] for one in trial["exchanges"] or ()]
    nodes = {(one["pod"], one["node"]) for one in exchanges if one["outcome"] == "answered"}
    assert len(nodes) == len({pod for pod, _ in nodes}) == len({node for _, node in nodes})
    assert ran.stderr.startswith("warning: agnhost runs any command that is sent to /shell")


def test_whoami_is_asked_over_tcp_only_and_says_so(l2probe: Command, images: dict[str, str]) -> None:
    """UDP is not said to work, nor to fail: it was not asked."""
    ran = l2probe("run", "--lab", "--echo", "whoami", "dsr", env=images)

    assert ran.code == 0
    assert "reachable        yes       answered: tcp4" in ran.stdout
    assert "udp4" not in ran.stdout
    assert "WORTH KNOWING\n- The echo Pods ran whoami, which holds no secret of this run" in ran.stdout
    assert "- whoami speaks no UDP, so nothing was asked over UDP and nothing is known of it." in ran.stdout
    assert "note: whoami speaks no UDP" in ran.stderr


def test_a_foreign_machine_does_not_pass_for_an_image_of_ours(l2probe: Command, images: dict[str, str]) -> None:
    """The weaker identity still tells whose answer it was."""
    ran = l2probe("run", "--lab", "--fault", "foreign-owner", "--echo", "whoami", "-o", "json", env=images)

    assert ran.code == 1
    assert ran.causes[0] == "C03"


def test_an_image_that_the_lab_was_not_given_is_missing_there(l2probe: Command) -> None:
    """The lab knows no image by itself but python, as a node without a registry."""
    ran = l2probe("run", "--lab", "--echo", "whoami", "--timeout", "4", env={"L2PROBE_LAB_IMAGES": ""})

    assert ran.code == 2
    assert "ImagePullBackOff" in ran.stderr or "ErrImagePull" in ran.stderr
    assert "--image" in ran.stderr
