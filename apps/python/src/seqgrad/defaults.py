"""What an argument of `check` and its like means that is not given: set by the pytest plugin for the test that runs. Alone in a
file, so that the plugin costs a test run without checks nothing."""
from __future__ import annotations

defaults: dict = {}
