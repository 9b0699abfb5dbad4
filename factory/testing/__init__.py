"""The conformance kit: tests of the plugin contract that an author adds in one line.

```python
from factory.testing import Case, build_conformance_suite

CASE = Case(fields={"file": "words.csv"}, files={"words.csv": "a,b"})
test_conforms = build_conformance_suite("my_package", {"my-kind": CASE})
```

A `Case` is only needed for a plugin with required fields, or with columns that the kit's example rows do not have.
"""

from factory.testing.case import Case
from factory.testing.conformance import Fault, assert_builds, assert_conforms, build_conformance_suite, find_faults
from factory.testing.role_checks import create_trial

__all__ = [
    "Case", "Fault", "assert_builds", "assert_conforms", "build_conformance_suite", "create_trial", "find_faults",
]
