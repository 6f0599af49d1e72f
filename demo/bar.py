"""A pod's memory as a bar, from nothing to its limit, with a mark at the threshold."""

from dataclasses import dataclass

from rich.text import Text

from demo.cast import LIMIT, THRESHOLD


@dataclass(frozen=True)
class Glyphs:
    """The characters for pictures."""

    full: str
    part: str
    """A cell that is filled by an eighth, two eighths, and so on up to seven; may be empty."""
    empty: str
    mark: str
    dots: str
    """For what is left out."""


_EIGHTHS = 8

UNICODE = Glyphs(full="█", part="▏▎▍▌▋▊▉", empty="·", mark="┃", dots="…")
ASCII = Glyphs(full="#", part="", empty=".", mark="|", dots="~")


def mark_at(width: int) -> int:
    """The cell of the threshold."""
    return min(round(THRESHOLD / LIMIT * width), width - 1)


def bar(value: float | None, width: int, glyphs: Glyphs) -> Text:
    """Green up to the threshold, red above it; empty where there is no value."""
    at = mark_at(width)
    eighths = round((value or 0) / LIMIT * width * _EIGHTHS)
    drawn = Text()
    for cell in range(width):
        style = "red" if cell > at else "green"
        rest = eighths - cell * _EIGHTHS
        if cell == at:
            drawn.append(glyphs.mark, "bold red" if (value or 0) > THRESHOLD else "bold yellow")
        elif rest >= _EIGHTHS:
            drawn.append(glyphs.full, style)
        elif rest > 0 and glyphs.part:
            drawn.append(glyphs.part[rest - 1], style)
        else:
            drawn.append(glyphs.empty, "dim")
    return drawn
