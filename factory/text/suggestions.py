"""The closest of the known names, for messages about a name that is unknown."""

from __future__ import annotations

from collections.abc import Iterable


def find_near_name(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the known name that is closest to this one, ignoring case; empty if none is as similar as `cutoff`."""
    import difflib  # not before something is wrong: every command imports this module

    names = {each.lower(): each for each in sorted(set(known), reverse=True)}
    matches = difflib.get_close_matches(name.lower(), sorted(names), n=1, cutoff=cutoff)
    return names[matches[0]] if matches else ""


def suggest_near_name(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'NAME'?`, to append to a message; empty if no known name is close."""
    near = find_near_name(name, known)
    return f"; did you mean {near!r}?" if near else ""


def suggest_known_name(
    name: str, known: Iterable[str], none: str = "none", *, otherwise: str = "", cutoff: float = 0.6
) -> str:
    """Return `did you mean 'NAME'?` for the closest known name, else `otherwise`, by default the list of all names."""
    names = sorted(set(known))
    near = find_near_name(name, names, cutoff)
    return f"did you mean {near!r}?" if near else otherwise or f"known: {', '.join(names) or none}"
