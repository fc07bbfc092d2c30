"""JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' strategic merge patch, on plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from l2probe.lab.api.objects import Json, Obj, copied
from l2probe.lab.api.schema import field_schema, item_schema
from l2probe.lab.api.status import ApiError, bad_request

DIRECTIVE: Final = "$patch"
ORDER: Final = "$setElementOrder/"
PRIMITIVE: Final = "$deleteFromPrimitiveList/"
RETAIN: Final = "$retainKeys"


def _refused(message: str) -> ApiError:
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid",
        f"the server rejected our request due to an error in our request: {message}",
    )


def merge_patch(target: Json, patch: Json) -> Json:
    """Return `target` changed by a merge patch; null removes."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def _pointer(text: Json) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise bad_request(f"json patch path {text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _index(holder: list[Json], part: str, *, end: bool) -> int:
    if part == "-" and end:
        return len(holder)
    if not part.isdigit() or int(part) >= len(holder) + end:
        raise _refused(f"index {part} is out of range")
    return int(part)


def _found(document: Json, parts: list[str]) -> Json:
    for part in parts:
        if isinstance(document, list):
            document = document[_index(document, part, end=False)]
        elif isinstance(document, dict) and part in document:
            document = document[part]
        else:
            raise _refused(f"path /{'/'.join(parts)} does not exist")
    return document


def _add(document: Json, parts: list[str], value: Json) -> Json:
    if not parts:
        return value
    holder = _found(document, parts[:-1])
    if isinstance(holder, list):
        holder.insert(_index(holder, parts[-1], end=True), value)
    elif isinstance(holder, dict):
        holder[parts[-1]] = value
    else:
        raise _refused(f"path /{'/'.join(parts)} does not exist")
    return document


def _remove(document: Json, parts: list[str]) -> Json:
    if not parts:
        raise _refused("the whole document cannot be removed")
    _found(document, parts)
    holder = _found(document, parts[:-1])
    if isinstance(holder, list):
        del holder[_index(holder, parts[-1], end=False)]
    else:
        del holder[parts[-1]]
    return document


def _test(document: Json, operation: Obj) -> Json:
    if _found(document, _pointer(operation.get("path"))) != operation.get("value"):
        raise _refused(f"testing path {operation.get('path')} value failed")
    return document


def _move(document: Json, operation: Obj) -> Json:
    source = _pointer(operation.get("from"))
    value = _found(document, source)
    return _add(_remove(document, source), _pointer(operation.get("path")), value)


def _copy(document: Json, operation: Obj) -> Json:
    value = copied(_found(document, _pointer(operation.get("from"))))
    return _add(document, _pointer(operation.get("path")), value)


def _replace(document: Json, operation: Obj) -> Json:
    parts = _pointer(operation.get("path"))
    if not parts:
        return copied(operation.get("value"))
    return _add(_remove(document, parts), parts, copied(operation.get("value")))


OPERATIONS: Final[dict[str, Callable[[Json, Obj], Json]]] = {
    "add": lambda document, op: _add(document, _pointer(op.get("path")), copied(op.get("value"))),
    "remove": lambda document, op: _remove(document, _pointer(op.get("path"))),
    "replace": _replace,
    "test": _test,
    "move": _move,
    "copy": _copy,
}


def json_patch(target: Obj, patch: Json) -> Obj:
    """Return `target` changed by a list of operations; 400 when it is malformed, 422 when it does not apply."""
    if not isinstance(patch, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    document: Json = copied(target)
    for operation in patch:
        apply = OPERATIONS.get(str(operation.get("op"))) if isinstance(operation, dict) else None
        if apply is None:
            raise bad_request(f"unexpected json patch operation: {operation}")
        document = apply(document, operation)
    return document if isinstance(document, dict) else {}


def _merge_key(schema: Obj) -> str | None:
    strategy = str(schema.get("x-kubernetes-patch-strategy") or "")
    return schema.get("x-kubernetes-patch-merge-key") if "merge" in strategy.split(",") else None


def _merged_primitives(target: list[Json], patch: list[Json]) -> list[Json]:
    return target + [item for item in patch if item not in target]


def _without_directive(item: Obj) -> Obj:
    return {key: value for key, value in item.items() if key != DIRECTIVE}


def _merged_items(target: list[Json], patch: list[Json], key: str, schema: Obj) -> list[Json]:
    result = [item for item in target if isinstance(item, dict)]
    for item in patch:
        if not isinstance(item, dict) or (item.get(DIRECTIVE) != "replace" and key not in item):
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        if item.get(DIRECTIVE) == "replace" and key not in item:
            continue
        place = next((index for index, each in enumerate(result) if each.get(key) == item[key]), None)
        if item.get(DIRECTIVE) == "delete":
            result = [each for each in result if each.get(key) != item[key]]
        elif place is None:
            result.append(strategic_merge({}, _without_directive(item), schema))
        elif item.get(DIRECTIVE) == "replace":
            result[place] = _without_directive(item)
        else:
            result[place] = strategic_merge(result[place], item, schema)
    return result


def _merged_list(target: Json, patch: list[Json], schema: Obj) -> Json:
    key = _merge_key(schema)
    present = target if isinstance(target, list) else []
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" and key not in item for item in patch):
        return [copied(item) for item in patch if item.get(DIRECTIVE) != "replace"]
    if key:
        return _merged_items(present, patch, key, item_schema(schema))
    if "merge" in str(schema.get("x-kubernetes-patch-strategy") or "").split(","):
        return _merged_primitives(present, patch)
    return copied(patch)


def _ordered(value: Json, order: list[Json], key: str | None) -> Json:
    """Put list items into the order that the patch asks for; items it does not name follow, as they were."""
    if not isinstance(value, list):
        return value
    wanted = [item.get(key) if key and isinstance(item, dict) else item for item in order]

    def rank(item: Json) -> int:
        own = item.get(key) if key and isinstance(item, dict) else item
        return wanted.index(own) if own in wanted else len(wanted)

    return sorted(value, key=rank)


def _merged_value(present: Json, value: Json, schema: Obj) -> Json:
    if isinstance(value, dict):
        return strategic_merge(present, value, schema)
    return _merged_list(present, value, schema) if isinstance(value, list) else copied(value)


def _finish(result: Obj, patch: Obj, schema: Obj) -> None:
    for key, value in patch.items():
        if key.startswith(PRIMITIVE):
            name = key.removeprefix(PRIMITIVE)
            result[name] = [item for item in result.get(name) or [] if item not in value]
    for key, value in patch.items():
        if key.startswith(ORDER) and (name := key.removeprefix(ORDER)) in result:
            result[name] = _ordered(result[name], value, _merge_key(field_schema(schema, name) or {}))
    if RETAIN in patch:
        for key in set(result) - set(patch[RETAIN]):
            del result[key]


def strategic_merge(target: Json, patch: Obj, schema: Obj) -> Json:
    """Return `target` changed by a strategic merge patch; the resolved `schema` says how lists merge."""
    if patch.get(DIRECTIVE) == "replace":
        return copied(_without_directive(patch))
    if patch.get(DIRECTIVE) == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if key in {DIRECTIVE, RETAIN} or key.startswith((ORDER, PRIMITIVE)):
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged_value(result.get(key), value, field_schema(schema, key) or {})
    _finish(result, patch, schema)
    return result
