"""Selectors as `kubectl get -l` takes them, and one sentence that points at what it would not take."""

from __future__ import annotations

import pytest

from l2probe.audit.selector import parse
from l2probe.errors import UsageError
from l2probe.judge.selection import matches
from l2probe.model import Requirement


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("app=web", [("app", "In", ("web",))]),
        ("app==web", [("app", "In", ("web",))]),
        ("app = web", [("app", "In", ("web",))]),
        ("app!=web", [("app", "NotIn", ("web",))]),
        ("app=", [("app", "In", ("",))]),
        ("app", [("app", "Exists", ())]),
        ("!app", [("app", "DoesNotExist", ())]),
        ("env in (prod, test)", [("env", "In", ("prod", "test"))]),
        ("env notin (prod,test)", [("env", "NotIn", ("prod", "test"))]),
        ("env in ()", [("env", "In", ("",))]),
        (
            "app.kubernetes.io/name=web, env in (a,b),!old,x",
            [
                ("app.kubernetes.io/name", "In", ("web",)),
                ("env", "In", ("a", "b")),
                ("old", "DoesNotExist", ()),
                ("x", "Exists", ()),
            ],
        ),
        ("in in (notin)", [("in", "In", ("notin",))]),
    ],
)
def test_kubectls_grammar_is_read(text: str, terms: list[tuple[str, str, tuple[str, ...]]]) -> None:
    """Every operator, blanks where kubectl allows them, commas inside parentheses."""
    assert parse(text) == tuple(Requirement(key=key, operator=op, values=values) for key, op, values in terms)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("app=web,", 9, "a term is missing"),
        (",app", 1, "a term is missing"),
        ("app=web,tier==", 1, None),
        ("app=web, env in prod", 10, "'env in prod' is no term"),
        ("env in (a", 1, "'env in (a' is no term"),
        ("a=b=c", 1, "'a=b=c' is no term"),
        ("x>1", 1, "'x>1' is no term"),
        ("-app=web", 1, "'-app=web' is no term"),
        ("app=we b", 1, "'app=we b' is no term"),
        ("app=-web", 1, "'-web' is no value"),
        ("env in (a, b!)", 1, "'b!' is no value"),
        ("app=" + "x" * 64, 1, "is no value"),
        ("=web", 1, "'=web' is no term"),
    ],
)
def test_what_does_not_parse_is_pointed_at(text: str, column: int, said: str | None) -> None:
    """The term, its column, and what would be right."""
    if said is None:
        assert parse(text)[1].values == ("",)
        return
    with pytest.raises(UsageError) as refused:
        parse(text)

    assert f"at column {column}: " in refused.value.message
    assert said in refused.value.message
    assert "kubectl get -l" in refused.value.hint


@pytest.mark.parametrize(("text", "found"), [("a!=b", True), ("a notin (b)", True), ("a", False), ("!a", True)])
def test_an_absent_label_is_not_unequal_to_nothing(text: str, found: bool) -> None:  # noqa: FBT001 - a parameter
    """As in Kubernetes, != and notin match where the key is absent."""
    assert all(matches(term, {}) for term in parse(text)) is found
