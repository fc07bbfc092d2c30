"""The Pod Security Standards baseline and restricted, in the words of k8s.io/pod-security-admission policy/check_*.go.

Linux Pods only; of the baseline checks AppArmor, SELinux, sysctls and Windows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from l2probe.lab.api.objects import Json, Obj, dig

Check = Callable[[Obj], tuple[str, str] | None]
"""Takes a Pod's spec; returns reason and detail when it is forbidden."""

DEFAULT_CAPABILITIES: Final = frozenset(
    (
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    )
)
RESTRICTED_VOLUMES: Final = frozenset(
    (
        "name",
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "image",
    )
)
SECCOMP: Final = frozenset({"RuntimeDefault", "Localhost"})


def containers(spec: Obj) -> Iterator[Obj]:
    """Yield every container that a Pod may run."""
    for group in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(group) or ()


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _counted(word: str, names: list[str]) -> str:
    return f"{word if len(names) == 1 else word + 's'} {_quoted(names)}"


def _named(spec: Obj, bad: Callable[[Obj], Json]) -> list[str]:
    return [str(container.get("name")) for container in containers(spec) if bad(container)]


def _added(container: Obj) -> list[str]:
    return list(dig(container, "securityContext", "capabilities", "add") or ())


def _capabilities_baseline(spec: Obj) -> tuple[str, str] | None:
    bad = _named(spec, lambda each: set(_added(each)) - DEFAULT_CAPABILITIES)
    extra = sorted({name for each in containers(spec) for name in _added(each)} - DEFAULT_CAPABILITIES)
    detail = f"{_counted('container', bad)} must not include {_quoted(extra)} in securityContext.capabilities.add"
    return ("non-default capabilities", detail) if bad else None


def _host_namespaces(spec: Obj) -> tuple[str, str] | None:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return ("host namespaces", ", ".join(used)) if used else None


def _host_paths(spec: Obj) -> tuple[str, str] | None:
    names = [volume["name"] for volume in spec.get("volumes") or () if volume.get("hostPath") is not None]
    return ("hostPath volumes", _counted("volume", names)) if names else None


def _host_ports(spec: Obj) -> tuple[str, str] | None:
    ports = sorted(
        {str(port["hostPort"]) for each in containers(spec) for port in each.get("ports") or () if port.get("hostPort")}
    )
    names = _named(spec, lambda each: any(port.get("hostPort") for port in each.get("ports") or ()))
    uses, word = "uses" if len(names) == 1 else "use", "hostPort" if len(ports) == 1 else "hostPorts"
    return ("hostPort", f"{_counted('container', names)} {uses} {word} {', '.join(ports)}") if ports else None


def _privileged(spec: Obj) -> tuple[str, str] | None:
    names = _named(spec, lambda each: dig(each, "securityContext", "privileged"))
    return (
        ("privileged", f"{_counted('container', names)} must not set securityContext.privileged=true")
        if names
        else None
    )


def _proc_mount(spec: Obj) -> tuple[str, str] | None:
    def mount(container: Obj) -> Json:
        return dig(container, "securityContext", "procMount") or "Default"

    names = _named(spec, lambda each: mount(each) != "Default")
    values = _quoted(sorted({mount(each) for each in containers(spec)} - {"Default"}))
    return (
        ("procMount", f"{_counted('container', names)} must not set securityContext.procMount to {values}")
        if names
        else None
    )


def _bad_setters(spec: Obj, bad: Callable[[Obj], Json]) -> str:
    names = _named(spec, bad)
    parts = ["pod"] if bad(spec) else []
    return " and ".join([*parts, *([_counted("container", names)] if names else [])])


def _seccomp_baseline(spec: Obj) -> tuple[str, str] | None:
    return _bad_seccomp(spec, lambda kind: kind == "Unconfined")


def _bad_seccomp(spec: Obj, bad: Callable[[Json], bool]) -> tuple[str, str] | None:
    def profile(each: Obj) -> Json:
        return dig(each, "securityContext", "seccompProfile", "type")

    setters = _bad_setters(spec, lambda each: profile(each) is not None and bad(profile(each)))
    found = {profile(each) for each in (spec, *containers(spec)) if profile(each) is not None and bad(profile(each))}
    text = f"{setters} must not set securityContext.seccompProfile.type to {_quoted(sorted(found))}"
    return ("seccompProfile", text) if setters else None


def _escalation(spec: Obj) -> tuple[str, str] | None:
    names = _named(spec, lambda each: dig(each, "securityContext", "allowPrivilegeEscalation") is not False)
    text = f"{_counted('container', names)} must set securityContext.allowPrivilegeEscalation=false"
    return ("allowPrivilegeEscalation != false", text) if names else None


def _capabilities_restricted(spec: Obj) -> tuple[str, str] | None:
    keeping = _named(spec, lambda each: "ALL" not in (dig(each, "securityContext", "capabilities", "drop") or ()))
    adding = _named(spec, lambda each: set(_added(each)) - {"NET_BIND_SERVICE"})
    extra = sorted({name for each in containers(spec) for name in _added(each)} - {"NET_BIND_SERVICE"})
    details = (
        [f'{_counted("container", keeping)} must set securityContext.capabilities.drop=["ALL"]'] if keeping else []
    )
    if adding:
        details.append(
            f"{_counted('container', adding)} must not include {_quoted(extra)} in securityContext.capabilities.add"
        )
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def _volumes(spec: Obj) -> tuple[str, str] | None:
    bad = {volume["name"]: sorted(set(volume) - RESTRICTED_VOLUMES) for volume in spec.get("volumes") or ()}
    names = [name for name, types in bad.items() if types]
    types = sorted({each for found in bad.values() for each in found})
    uses = "uses" if len(names) == 1 else "use"
    text = f"{_counted('volume', names)} {uses} {_counted('restricted volume type', types)}"
    return ("restricted volume types", text) if names else None


def _non_root(spec: Obj) -> tuple[str, str] | None:
    def setting(each: Obj) -> Json:
        return dig(each, "securityContext", "runAsNonRoot")

    if setters := _bad_setters(spec, lambda each: setting(each) is False):
        return "runAsNonRoot != true", f"{setters} must not set securityContext.runAsNonRoot=false"
    names = [] if setting(spec) else _named(spec, lambda each: setting(each) is None)
    text = f"pod or {_counted('container', names)} must set securityContext.runAsNonRoot=true"
    return ("runAsNonRoot != true", text) if names else None


def _user(spec: Obj) -> tuple[str, str] | None:
    setters = _bad_setters(spec, lambda each: dig(each, "securityContext", "runAsUser") == 0)
    return ("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


def _seccomp_restricted(spec: Obj) -> tuple[str, str] | None:
    if bad := _bad_seccomp(spec, lambda kind: kind not in SECCOMP):
        return bad
    whole = dig(spec, "securityContext", "seccompProfile", "type") in SECCOMP
    names = [] if whole else _named(spec, lambda each: dig(each, "securityContext", "seccompProfile", "type") is None)
    wanted = '"RuntimeDefault" or "Localhost"'
    text = f"pod or {_counted('container', names)} must set securityContext.seccompProfile.type to {wanted}"
    return ("seccompProfile", text) if names else None


BASELINE: Final[tuple[Check, ...]] = (_host_namespaces, _host_ports, _privileged, _proc_mount)
LEVELS: Final[dict[str, tuple[Check, ...]]] = {
    "privileged": (),
    "baseline": (
        _capabilities_baseline,
        _host_namespaces,
        _host_paths,
        _host_ports,
        _privileged,
        _proc_mount,
        _seccomp_baseline,
    ),
    "restricted": (
        *BASELINE,
        _escalation,
        _capabilities_restricted,
        _volumes,
        _non_root,
        _user,
        _seccomp_restricted,
    ),
}


def verdict_of(pod: Obj, level: str) -> str:
    """Return why a Pod violates a level, as the server joins it; empty when it does not."""
    found = [check(pod["spec"]) for check in LEVELS.get(level, LEVELS["restricted"])]
    return ", ".join(f"{reason} ({detail})" for reason, detail in filter(None, found))
