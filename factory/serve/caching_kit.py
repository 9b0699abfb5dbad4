"""A kit with a cache: a process that answers many questions loads each model, and embeds each text, only once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from factory import identity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from factory.api import Artifact, Base, Reporter

MIN_TEXTS_TO_SAVE = 100
"""From this many new texts on (a corpus, not a question), their embeddings are saved to disk."""


class CachingKit:
    """A kit that caches encoders, and the embeddings of one base; those of a corpus also in `file`."""

    def __init__(self, kit: Any, file: Path) -> None:
        self.kit = kit
        self.file = file
        self.vectors: dict[str, Any] | None = None
        self.on_text: Callable[[str], None] | None = None
        """Called with the text so far while an answer is generated."""
        self.encoders: dict[tuple[Artifact | None, int], Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kit, name)

    def load_encoder(self, base: Base, artifact: Artifact | None = None, *, labels: int = 0) -> Any:
        """Load an encoder, each artifact once. The caller must not modify it."""
        key = (artifact, labels)
        if key not in self.encoders:
            self.encoders[key] = self.kit.load_encoder(base, artifact, labels=labels)
        return self.encoders[key]

    def load_decoder(self, base: Base, artifact: Artifact | None = None, *, exact: bool = False) -> Any:
        """Load a decoder that reports its text so far to `on_text`."""
        decoder = self.kit.load_decoder(base, artifact, exact=exact)
        return replace(decoder, on_text=self.on_text) if self.on_text is not None else decoder

    def embed(self, base: Base, texts: Sequence[str], report: Reporter | None = None) -> NDArray[np.float32]:
        """Embed texts, each one once; only those of the file's base are cached."""
        import numpy as np

        if base.digest != self.file.stem:
            return cast("NDArray[np.float32]", self.kit.embed(base, texts, report))
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
        """Return the vectors that an earlier process saved; empty if the file is missing or damaged."""
        import zipfile

        import numpy as np

        try:
            with np.load(self.file) as saved:
                return dict(zip(saved["texts"].tolist(), saved["vectors"], strict=True))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return {}

    def _save_vectors(self, vectors: dict[str, Any]) -> None:
        import numpy as np

        self.file.parent.mkdir(parents=True, exist_ok=True)
        # Replaced by one rename: several processes may write at once.
        temporary = self.file.with_name(f"{os.getpid()}.npz")
        np.savez(temporary, texts=np.array(list(vectors)), vectors=np.stack(list(vectors.values())))
        temporary.replace(self.file)
