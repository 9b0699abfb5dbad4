"""The conformance kit: what a plugin owes whoever builds with it, as tests that its author calls in one line.

```python
from factory.testing import Case, suite

test_conforms = suite("my_package", {"my-kind": Case(fields={"file": "words.csv"}, files={"words.csv": "a,b"})})
```

A `Case` is only needed where a plugin has required fields, or reads columns that the kit's own rows do not have.
"""

from factory.testing.case import Case
from factory.testing.conformance import Fault, assert_builds, assert_conforms, build_conformance_suite, find_faults
from factory.testing.sandbox import create_trial

__all__ = ["Case", "Fault", "assert_builds", "assert_conforms", "find_faults", "build_conformance_suite", "create_trial"]
