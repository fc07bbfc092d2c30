"""Which cluster, as whom: kubeconfig files resolved as kubectl resolves them. Opens files only, never a connection.

Rules: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ ("first file to set a value
wins"). The official Python client takes the last file's current-context instead, hence this module.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import yaml

from l2probe.errors import ClusterError, UsageError
from l2probe.observe.access import Access

MAX_FILE_BYTES = 4 * 1024 * 1024
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FILE_KEYS = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
    "context": (),
}
LISTS = {"cluster": "clusters", "user": "users", "context": "contexts"}
Entry = dict[str, object]
_HEADER_SAFE = "!#$&'*+-.^_`|~"
"""What may stand in a header's name (RFC 9110, token) unescaped; client-go escapes all else, `%` included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One resolved context. `directory` is where a relative exec command is looked up; `source` names the file.

    `impersonation`: the headers that ask to be somebody else, in order; a name may come more than once.
    """

    context: str
    namespace: str
    server: str
    cluster: Mapping[str, object]
    user: Mapping[str, object]
    source: str
    directory: str
    impersonation: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One parsed file: its current-context, and its entries by kind and name with absolute paths."""

    path: Path
    current: str
    entries: Mapping[str, Mapping[str, Entry]]


def resolve(access: Access, environ: Mapping[str, str]) -> Login | None:
    """Return the context that kubectl would use; None when there is no kubeconfig at all (try in-cluster).

    Raises ClusterError, or UsageError when flags do not go together.
    """
    paths = candidates(access.kubeconfig, environ)
    documents = [read(path) for path in paths if access.kubeconfig or path.exists()]
    if not any(document.current or any(document.entries.values()) for document in documents):
        if not (access.context or access.kubeconfig or access.cluster or access.user):
            return None
        where = ":".join(str(path) for path in paths)
        raise ClusterError(f"The kubeconfig {where} defines no cluster.", "Pass --kubeconfig or set KUBECONFIG.")
    return choose(documents, access)


def candidates(kubeconfig: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files to read in order of precedence: --kubeconfig, else $KUBECONFIG, else ~/.kube/config."""
    if kubeconfig:
        return (Path(kubeconfig).expanduser(),)
    listed = [part for part in environ.get("KUBECONFIG", "").split(":") if part]
    if listed:
        return tuple(Path(part) for part in dict.fromkeys(listed))
    return (Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config",)


def in_cluster(access: Access, environ: Mapping[str, str]) -> Login | None:
    """Return the login of the Pod that this process runs in; None where it is in none, or in one without an account.

    https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api
    """
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (SERVICE_ACCOUNT / "token").exists():
        return None
    authority, namespace = SERVICE_ACCOUNT / "ca.crt", SERVICE_ACCOUNT / "namespace"
    return Login(
        context="",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        cluster={"certificate-authority": str(authority)} if authority.exists() else {},
        user={"tokenFile": str(SERVICE_ACCOUNT / "token")},
        source=str(SERVICE_ACCOUNT),
        directory=str(SERVICE_ACCOUNT),
        impersonation=impersonation(access, {}),
    )


def read(path: Path) -> Document:
    """Return one kubeconfig file's content; raises ClusterError when it cannot be read or is no kubeconfig."""
    try:
        with path.open("rb") as file:
            content = yaml.safe_load(file.read(MAX_FILE_BYTES))
    except OSError as error:
        raise ClusterError(
            f"The kubeconfig {path} could not be read: {error.strerror}.", "Check --kubeconfig and $KUBECONFIG."
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ClusterError(f"The kubeconfig {path} is not valid YAML{_where(error)}.", "Correct the file.") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise _malformed(path, "it is not a mapping")
    entries = {kind: dict(_entries(content, kind, path)) for kind in LISTS}
    return Document(path=path, current=_text(content.get("current-context")), entries=entries)


def _entries(content: Mapping[object, object], kind: str, path: Path) -> Iterable[tuple[str, Entry]]:
    listed = content.get(LISTS[kind]) or []
    if not isinstance(listed, list):
        raise _malformed(path, f"{LISTS[kind]} is not a list")
    for item in reversed(listed):  # of two entries with one name the first wins, as in a dict built backwards
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise _malformed(path, f"an entry of {LISTS[kind]} has no name")
        body = item.get(kind) or {}
        if not isinstance(body, dict):
            raise _malformed(path, f"{kind} {item['name']!r} is not a mapping")
        yield item["name"], _absolute(body, FILE_KEYS[kind], path)


def _absolute(body: Entry, keys: Iterable[str], path: Path) -> Entry:
    directory = path.absolute().parent
    return body | {key: str(directory / _text(body[key])) for key in keys if _text(body.get(key))}


def choose(documents: Iterable[Document], access: Access) -> Login:
    """Return the wanted context (none wanted: the first current-context) of documents in order of precedence.

    --cluster and --user take the place of what the context names; with both, no context is needed.
    """
    documents = tuple(documents)
    name = access.context or next((document.current for document in documents if document.current), "")
    bare = not name and access.cluster is not None
    source, found = (documents[0].path, Entry()) if bare else _find(documents, "context", name)
    cluster_name = access.cluster or _text(found.get("cluster"))
    user_name = access.user or _text(found.get("user"))
    _, cluster = _find(documents, "cluster", cluster_name)
    owner, user = _find(documents, "user", user_name) if user_name else (source, {})
    server = _text(cluster.get("server"))
    if not server:
        raise _malformed(source, f"cluster {cluster_name!r} has no server")
    return Login(
        context=name,
        namespace=_text(found.get("namespace")) or "default",
        server=_url(server, cluster, user),
        cluster=cluster,
        user=user,
        source=str(source),
        directory=str(owner.absolute().parent),
        impersonation=impersonation(access, user),
    )


def _url(server: str, cluster: Entry, user: Entry) -> str:
    """Return the server's URL; without a scheme it is https where anything speaks of TLS, as in client-go."""
    if "://" in server:
        return server.rstrip("/")
    secure = any(key.startswith(("certificate-authority", "insecure-skip")) and cluster[key] for key in cluster)
    secure = secure or any(key.startswith("client-certificate") and user[key] for key in user)
    return f"{'https' if secure else 'http'}://{server.rstrip('/')}"


def impersonation(access: Access, user: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return the headers that ask the server to take us for somebody else; flags come before the kubeconfig's user.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation. UsageError when
    groups or a uid are wanted without a user, which the server would not understand.
    """
    name = access.as_user or _text(user.get("as"))
    uid = access.as_uid or _text(user.get("as-uid"))
    groups = access.as_groups or tuple(_texts(user.get("as-groups")))
    extra = user.get("as-user-extra")
    more = [
        (key, text) for key, listed in (extra.items() if isinstance(extra, dict) else ()) for text in _texts(listed)
    ]
    if not name and (uid or groups or more):
        raise UsageError("--as-group and --as-uid need --as.", "Add --as USER: nobody is a group without being a user.")
    headers = [("Impersonate-User", name), ("Impersonate-Uid", uid)]
    headers += [("Impersonate-Group", group) for group in groups]
    headers += [(f"Impersonate-Extra-{quote(str(key), safe=_HEADER_SAFE)}", text) for key, text in more]
    return tuple((header, value) for header, value in headers if value)


def _find(documents: Iterable[Document], kind: str, name: str) -> tuple[Path, Entry]:
    names: dict[str, None] = {}
    paths: list[str] = []
    for document in documents:
        if name in document.entries[kind]:
            return document.path, document.entries[kind][name]
        names.update(dict.fromkeys(document.entries[kind]))
        paths.append(str(document.path))
    where = ":".join(paths)
    if not name:
        raise ClusterError(f"The kubeconfig {where} names no current {kind}.", _offer(f"Pass --{kind}", names))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else _offer("Known are", names)
    raise ClusterError(f"The {kind} {name!r} was not found in the kubeconfig {where}.", hint)


def _offer(lead: str, names: Iterable[str]) -> str:
    listed = ", ".join(repr(name) for name in sorted(names)[:10])
    return f"{lead}: {listed}." if listed else "It defines none."


def _malformed(path: Path, why: str) -> ClusterError:
    return ClusterError(f"The kubeconfig {path} is malformed: {why}.", "Compare it with `kubectl config view`.")


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
