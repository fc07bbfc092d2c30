"""Which Python the Pods run."""

from __future__ import annotations

from l2probe.lab.interpreter import Interpreter


def test_a_python_in_a_private_place_finds_its_library() -> None:
    """Where the interpreter is shown elsewhere, the loader is told where its library is; else nothing is said."""
    shown = Interpreter(directory="/spare/bin", user=65534, libraries="/spare/lib")
    plain = Interpreter(directory="/usr/bin", user=None)

    assert shown.environment("/bin") == {"PATH": "/spare/bin:/bin", "LD_LIBRARY_PATH": "/spare/lib"}
    assert plain.environment("/bin") == {"PATH": "/usr/bin:/bin"}
