"""What a container gets from the API: environment and files. Reads ConfigMaps and Secrets, writes read-only files."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from l2probe.lab.controllers import images
from l2probe.lab.controllers.client import NOT_FOUND, ApiError, Client
from l2probe.lab.controllers.kinds import CONFIG_MAP, SECRET, Kind
from l2probe.lab.controllers.objects import Key, Obj, annotations_of, labels_of

DEFAULT_COMMAND = ("python3",)
"""What the images that exist start when the container names nothing."""
_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Why a container cannot be made yet: waiting reason and message; `event` is the reason of the Event about it."""

    reason: str
    message: str
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What the driver needs to start a container. `binds` are (directory, mount path)."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    binds: tuple[tuple[str, str], ...]


_FIELDS: Mapping[str, Callable[[Obj, tuple[str, ...]], str]] = {
    "metadata.name": lambda pod, _: str(pod["metadata"]["name"]),
    "metadata.namespace": lambda pod, _: str(pod["metadata"]["namespace"]),
    "metadata.uid": lambda pod, _: str(pod["metadata"]["uid"]),
    "spec.nodeName": lambda pod, _: str(pod["spec"]["nodeName"]),
    "spec.serviceAccountName": lambda pod, _: str(pod["spec"].get("serviceAccountName", "default")),
    "status.podIP": lambda _, addresses: addresses[0] if addresses else "",
    "status.podIPs": lambda _, addresses: ",".join(addresses),
    "status.hostIP": lambda pod, _: str((pod.get("status") or {}).get("hostIP", "")),
}


def field(pod: Obj, path: str, addresses: tuple[str, ...]) -> str:
    """Return a downward API field as text; labels and annotations by `metadata.labels['key']`."""
    if (read := _FIELDS.get(path)) is not None:
        return read(pod, addresses)
    name, _, rest = path.partition("['")
    found = labels_of(pod) if name == "metadata.labels" else annotations_of(pod)
    return found.get(rest.removesuffix("']"), "")


class Source:
    """ConfigMaps and Secrets of one namespace, each asked for once."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._read: dict[tuple[str, str], Mapping[str, bytes] | None] = {}

    async def data(self, kind: Kind, name: str) -> Mapping[str, bytes] | None:
        """Return the entries of a ConfigMap or Secret; None when there is none of that name."""
        if (kind.name, name) not in self._read:
            self._read[kind.name, name] = await self._fetch(kind, name)
        return self._read[kind.name, name]

    async def _fetch(self, kind: Kind, name: str) -> Mapping[str, bytes] | None:
        try:
            found = await self._client.get(kind, Key(self._namespace, name))
        except ApiError as refusal:
            if refusal.code == NOT_FOUND:
                return None
            raise
        encoded = found.get("binaryData") if kind is CONFIG_MAP else found.get("data")
        plain = (found.get("data") or {}) if kind is CONFIG_MAP else {}
        binary = {key: base64.b64decode(value) for key, value in (encoded or {}).items()}
        return {**{key: value.encode() for key, value in plain.items()}, **binary}


_REFERENCES = (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET))
_WHOLE = (("configMapRef", CONFIG_MAP), ("secretRef", SECRET))


def _config_error(message: str) -> Blocked:
    return Blocked(reason="CreateContainerConfigError", message=message, event="Failed")


async def _referred(source: Source, value_from: Obj) -> str | Blocked | None:
    for name, kind in _REFERENCES:
        if (reference := value_from.get(name)) is not None:
            data = await source.data(kind, reference["name"])
            if data is not None and reference["key"] in data:
                return data[reference["key"]].decode(errors="replace")
            if reference.get("optional"):
                return None
            if data is None:
                return _config_error(f'{kind.name.lower()} "{reference["name"]}" not found')
            return _config_error(f"couldn't find key {reference['key']} in {kind.name} {reference['name']}")
    return None


async def _env_from(source: Source, container: Obj) -> dict[str, str] | Blocked:
    env: dict[str, str] = {}
    for entry in container.get("envFrom") or ():
        for name, kind in _WHOLE:
            if (reference := entry.get(name)) is None:
                continue
            data = await source.data(kind, reference["name"])
            if data is None and not reference.get("optional"):
                return _config_error(f'{kind.name.lower()} "{reference["name"]}" not found')
            prefix = entry.get("prefix", "")
            env.update({f"{prefix}{key}": value.decode(errors="replace") for key, value in (data or {}).items()})
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by the variable; unknown ones stay (core/v1 Container.command)."""
    return _REFERENCE.sub(lambda match: env.get(match[1], match[0]), text)


def hostname_of(pod: Obj) -> str:
    """Return what a Pod takes for its host's name (core/v1 PodSpec.hostname): by default its own."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"])


async def _environment(
    source: Source, pod: Obj, container: Obj, addresses: tuple[str, ...]
) -> dict[str, str] | Blocked:
    env = await _env_from(source, container)
    if isinstance(env, Blocked):
        return env
    env["HOSTNAME"] = hostname_of(pod)
    for entry in container.get("env") or ():
        value_from = entry.get("valueFrom")
        if value_from is None:
            env[entry["name"]] = expand(entry.get("value") or "", env)
        elif "fieldRef" in value_from:
            env[entry["name"]] = field(pod, value_from["fieldRef"]["fieldPath"], addresses)
        else:
            value = await _referred(source, value_from)
            if isinstance(value, Blocked):
                return value
            if value is not None:
                env[entry["name"]] = value
    return env


async def _files(source: Source, pod: Obj, volume: Obj) -> Mapping[str, bytes] | Blocked:
    for name, kind, key in (("configMap", CONFIG_MAP, "name"), ("secret", SECRET, "secretName")):
        wanted = volume.get(name)
        if wanted is None:
            continue
        data = await source.data(kind, wanted[key])
        if data is None and not wanted.get("optional"):
            missing = f'{kind.name.lower()} "{wanted[key]}" not found'
            message = f'MountVolume.SetUp failed for volume "{volume["name"]}" : {missing}'
            return Blocked(reason="ContainerCreating", message=message, event="FailedMount")
        items = wanted.get("items")
        held = data or {}
        return held if items is None else {item["path"]: held.get(item["key"], b"") for item in items}
    fields = (volume.get("downwardAPI") or {}).get("items") or ()
    return {
        item["path"]: field(pod, item["fieldRef"]["fieldPath"], ()).encode() for item in fields if "fieldRef" in item
    }


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        place = directory / name
        if place.resolve().is_relative_to(directory.resolve()):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


async def _mounts(source: Source, pod: Obj, container: Obj, room: Path) -> tuple[tuple[str, str], ...] | Blocked:
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    binds = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount["name"])
        if volume is None:
            continue
        files = await _files(source, pod, volume)
        if isinstance(files, Blocked):
            return files
        _write(room / mount["name"], files)
        binds.append((str(room / mount["name"] / mount.get("subPath", "")), mount["mountPath"]))
    return tuple(binds)


async def prepare(client: Client, pod: Obj, container: Obj, addresses: tuple[str, ...], room: Path) -> Launch | Blocked:
    """Return how to start the container, its files written below the directory `room`; or why it cannot start yet.

    Projected, persistent and host volumes are empty directories: nothing of the lab needs more.
    """
    source = Source(client, pod["metadata"]["namespace"])
    binds = await _mounts(source, pod, container, room)
    if isinstance(binds, Blocked):
        return binds
    env = await _environment(source, pod, container, addresses)
    if isinstance(env, Blocked):
        return env
    command = container.get("command") or images.entry_point(str(container["image"]))
    words = (*command, *(container.get("args") or ())) or DEFAULT_COMMAND
    return Launch(argv=tuple(expand(word, env) for word in words), env=env, binds=binds)
