"""The suite that providers join is no test module itself; its asserts are to be explained like those of one."""

import pytest

pytest.register_assert_rewrite("tests.providers.conformance", "tests.providers.in_sandbox")
