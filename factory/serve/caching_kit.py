"""The heavy toolbox with a memory: a process that answers many questions loads a model, and embeds a text, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory import identity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from factory.api import Base, Reporter

MIN_TEXTS_TO_SAVE = 100
"""So many new texts are a corpus, and worth remembering on disk."""


class CachingKit:
    """A kit that remembers encoders, and embeddings of one base, those of a corpus also in `file`."""

    def __init__(self, kit: Any, file: Path) -> None:
        self.kit = kit
        self.file = file
        self.vectors: dict[str, Any] | None = None
        self.on_text: Callable[[str], None] | None = None
        """Who listens while an answer is written; None for nobody."""
        self.encoders: dict[tuple[Path | None, int], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kit, name)

    def load_encoder(self, base: Base, adapter: Path | None = None, *, labels: int = 0) -> Any:
        """As the kit does, each adapter once. The caller must not change it."""
        key = (adapter, labels)
        if key not in self.encoders:
            self.encoders[key] = self.kit.load_encoder(base, adapter, labels=labels)
        return self.encoders[key]

    def load_decoder(self, base: Base, adapter: Path | None = None) -> Any:
        """As the kit does; whoever listens hears it write."""
        found = self.kit.load_decoder(base, adapter)
        return replace(found, on_text=self.on_text) if self.on_text is not None else found

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        """As the kit does, each text once; texts for another base than the file's are not remembered."""
        import numpy as np

        if base.digest != self.file.stem:
            found: NDArray[np.float32] = self.kit.embed(base, texts, report)
            return found
        if self.vectors is None:
            self.vectors = self._load_vectors()
        names = [identity.digest_bytes(text.encode("utf-8", "surrogatepass")) for text in texts]
        new = {name: text for name, text in zip(names, texts, strict=True) if name not in self.vectors}
        if new:
            self.vectors.update(zip(new, self.kit.embed(base, list(new.values()), report), strict=True))
        if len(new) >= MIN_TEXTS_TO_SAVE:
            self._save_vectors(self.vectors)
        return np.stack([self.vectors[name] for name in names])

    def _load_vectors(self) -> dict[str, Any]:
        """What an earlier process saved; nothing when there is none, or it is not whole."""
        import zipfile

        import numpy as np

        try:
            with np.load(self.file) as saved:
                return dict(zip(saved["texts"].tolist(), saved["vectors"], strict=True))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return {}

    def _save_vectors(self, vectors: dict[str, Any]) -> None:
        """Write by one rename, so that two at once do no harm."""
        import numpy as np

        self.file.parent.mkdir(parents=True, exist_ok=True)
        mine = self.file.with_name(f"{os.getpid()}.npz")
        np.savez(mine, texts=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
        mine.replace(self.file)
