"""The real control plane's programs are found as controller-runtime's envtest finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2probe.errors import UsageError
from l2probe.lab.assets import find


def install(directory: Path, *names: str) -> Path:
    """Put programs of these names there."""
    for name in names:
        (directory / name).touch(0o755)
    return directory


def test_the_directory_names_both(tmp_path: Path) -> None:
    """KUBEBUILDER_ASSETS is the directory that setup-envtest prints."""
    found = find({"KUBEBUILDER_ASSETS": str(install(tmp_path, "etcd", "kube-apiserver"))})

    assert (found.etcd, found.kube_apiserver) == (str(tmp_path / "etcd"), str(tmp_path / "kube-apiserver"))


def test_a_variable_of_its_own_wins(tmp_path: Path) -> None:
    """TEST_ASSET_ETCD and TEST_ASSET_KUBE_APISERVER name one program each."""
    install(tmp_path, "etcd", "kube-apiserver", "mine")

    found = find({"KUBEBUILDER_ASSETS": str(tmp_path), "TEST_ASSET_KUBE_APISERVER": str(tmp_path / "mine")})

    assert (found.etcd, found.kube_apiserver) == (str(tmp_path / "etcd"), str(tmp_path / "mine"))


@pytest.mark.parametrize("there", [(), ("etcd",), ("kube-apiserver",)])
def test_what_is_missing_is_named(tmp_path: Path, there: tuple[str, ...]) -> None:
    """The error names the program, the variable with its value, and what installs it."""
    missing = "kube-apiserver" if "etcd" in there else "etcd"

    with pytest.raises(UsageError) as refused:
        find({"KUBEBUILDER_ASSETS": str(install(tmp_path, *there))})

    assert f"needs {missing}, and {tmp_path}/{missing} is no program" in refused.value.message
    assert f"KUBEBUILDER_ASSETS={tmp_path}" in refused.value.message
    assert "setup-envtest use -p path" in refused.value.hint


def test_a_file_that_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    """Neither a directory nor a file without its bit."""
    (tmp_path / "etcd").mkdir()
    install(tmp_path, "kube-apiserver")

    with pytest.raises(UsageError, match="etcd is no program"):
        find({"KUBEBUILDER_ASSETS": str(tmp_path)})
