"""A key that a service sends back, and a key that stands in the environment, stay where they are."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from daemon.replies import without_key
from daemon.sandbox.child import start

KEY = 'sandbox-/QqCanaryQq+7==&"'


@pytest.mark.parametrize(
    "spelt",
    [
        KEY,
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        json.dumps(KEY)[1:-1],
        json.dumps(KEY)[1:-1].replace("/", "\\/"),
        KEY.replace("+", "\\u002B").replace("&", "\\u0026").replace('"', "\\u0022"),
        base64.b64encode(f"user:{KEY}".encode()).decode(),
    ],
)
def test_a_key_is_taken_out_of_answers_however_it_is_spelt(spelt: str) -> None:
    """Plain, quoted for an address, escaped for JSON, encoded: what it says afterwards holds no key."""
    left = without_key(f'{{"error": "Müller: {spelt} is wrong"}}'.encode(), {"authorization": f"Bearer {KEY}"})

    assert "[redacted]" in left.decode()
    assert "Müller" in left.decode()
    assert b"QqCanaryQq" not in left
    assert base64.b64encode(KEY.encode())[4:-8] not in left


def test_the_simulated_services_inherit_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`demo` needs no keys, so those of real services do not reach the process that it starts."""
    monkeypatch.setenv("GPTTRANSLATOR_API_KEY", KEY)
    with start(tmp_path) as sandbox:
        environment = Path(f"/proc/{sandbox.pid}/environ").read_bytes()

    assert KEY.encode() not in environment
    assert b"PATH=" in environment
