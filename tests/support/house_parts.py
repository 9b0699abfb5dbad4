"""What a fresh interpreter loads."""

import subprocess
import sys

from places import ROOT

HEAVY = ("torch", "transformers", "peft", "sentence_transformers", "datasets", "trl", "accelerate")


def loaded_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running some code."""
    script = f"import sys\nsys.argv[1:] = {list(arguments)!r}\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    script += "print('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(run.stdout.splitlines()[-1].split())
