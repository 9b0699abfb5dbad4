"""What the READMEs show, taken out of them."""

import re

from places import ROOT


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / file).read_text(), re.DOTALL)


def commands() -> list[str]:
    lines = "".join(blocks("README.md", "bash")).splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.startswith("factory ")]
