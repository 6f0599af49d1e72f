"""The plan for people: a table that fits 80 columns and gets better when wider; in a pipe one line for each pod."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from remediator.model.vocabulary import Action, Evaluation
from remediator.policy import PolicyFile
from remediator.policy.quantities import format_bytes, format_quantity
from remediator.survey.findings import counted
from remediator.survey.lines import Line, Plan, Verdict
from remediator.survey.values import Weight
from remediator.survey.workloads import ONLY_REPLICA

_WIDE = 140
_BAR, _WIDE_BAR = 12, 20
_GAP, _INDENT = 2, 4
_AMOUNTS = 4
"""The first of the columns with numbers."""
_LEAST = 12
"""Characters that a column of names has at least."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLOURS = {
    Verdict.WOULD_ACT: "bold red",
    Verdict.WAITS: "yellow",
    Verdict.LEFT_ALONE: "yellow",
    Verdict.BELOW: "green",
    Verdict.NOT_MEASURED: "dim",
    Verdict.COULD_NOT_TELL: "bold magenta",
}
_COUNTED = {
    Verdict.WOULD_ACT: "to act on",
    Verdict.WAITS: "waiting their turn",
    Verdict.LEFT_ALONE: "left alone",
    Verdict.BELOW: "below",
    Verdict.NOT_MEASURED: "not measured",
    Verdict.COULD_NOT_TELL: "not to be told",
}
_DOES = {Action.EVICT: "would evict", Action.DELETE: "would delete", Action.NOTIFY: "would report"}
_NOTHING = "-"


def write(out: Console, policies: PolicyFile, made: Plan, shown: Sequence[Line]) -> None:
    """Write the whole plan."""
    if shown and not out.is_terminal:
        _plain(out, shown)
    elif shown and out.width >= _WIDE:
        _wide(out, shown)
    elif shown:
        _narrow(out, shown)
    for line in _summary(policies, made):
        out.print(line)


def bar(weight: Weight, width: int) -> str:
    """The value against the limit, with the threshold as a line across; against the threshold where there is no limit.

    Empty where there is nothing to set the value against.
    """
    end = weight.limit or weight.threshold
    if weight.value is None or not end:
        return ""
    eighths = round(min(weight.value / end, 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    cells = list("█" * full + (_EIGHTHS[rest] if rest else ""))
    cells += ["░"] * (width - len(cells))
    if weight.threshold is not None:
        at = min(int(weight.threshold / end * width), width - 1)
        if cells[at] == "░":
            cells[at] = "┊"
    return "".join(cells)


def amount(value: float | None) -> str:
    """Bytes for people."""
    return _NOTHING if value is None else format_bytes(value)


def limit_of(weight: Weight) -> str:
    """The limit as one writes it in a manifest, rounded where that would be all digits; no number for none."""
    if weight.limit is None:
        return "no limit"
    exact = format_quantity(weight.limit)
    return format_bytes(weight.limit) if exact.isdigit() else exact


def verdict_of(line: Line) -> str:
    """The verdict in words."""
    match line.verdict:
        case Verdict.WOULD_ACT:
            return _DOES.get(line.action, f"would {line.action}")
        case Verdict.WAITS:
            return "waits its turn"
        case _:
            return line.verdict.replace("-", " ")


def because(line: Line) -> Iterator[str]:
    """Each reason, and what else one should know before the policy is armed."""
    if line.verdict is Verdict.WAITS:
        yield "once those above have begun"
    yield from (str(veto) for veto in line.reasons)
    if line.words:
        yield line.words
    if line.emergency:
        yield "an emergency: no window, no cooldown and no hook is waited for"
    if line.goes and line.before and not line.emergency:
        yield f"hooks first: {', '.join(line.before)}"
    if line.goes and line.only_replica and line.action is not Action.SURGE:
        yield f"{ONLY_REPLICA}; action: surge makes the new one first"
    if line.weight.reclaimable:
        yield f"RSS is {amount(line.weight.rss)} of {amount(line.weight.value)}: probably reclaimable cache"


def _wide(out: Console, lines: Sequence[Line]) -> None:
    """A column for each thing, and what is said of a pod below it, over the whole width."""
    titles = ("verdict", "pod", "workload", "policy", "memory", "RSS", "threshold", "limit")
    rows = [(verdict_of(line), *_names(line), *_amounts(line.weight)) for line in lines]
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    _fit(widths, out.width - _WIDE_BAR - _GAP)
    _say(out, *(Text(words, style="bold") for words in _cells(titles, widths)))
    for line, row in zip(lines, rows, strict=True):
        first, *rest = _cells(row, widths)
        head = Text(first[: widths[0]], style=_COLOURS[line.verdict]).append(first[widths[0] :], style="default")
        said = (Text(words, style="dim") for one in because(line) for words in _wrapped(one, out.width, _INDENT))
        _say(out, head.append("  ").append(_bar(line, _WIDE_BAR)), *map(Text, rest), *said)


def _fit(widths: list[int], width: int) -> None:
    """Take what is too much from the names of pods, workloads and policies, where they are longest."""
    while sum(widths) + _GAP * (len(widths) - 1) > width:
        longest = max((1, 2, 3), key=lambda column: widths[column])
        if widths[longest] <= _LEAST:
            return
        widths[longest] -= 1


def _cells(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The lines of a row: a name that does not fit goes on in the next one, below itself."""
    folded = [
        [cell[n : n + width] for n in range(0, len(cell), width)] or [""]
        for cell, width in zip(row, widths, strict=True)
    ]
    lines = []
    for number in range(max(map(len, folded))):
        parts = [cell[number] if number < len(cell) else "" for cell in folded]
        aligned = [
            part.rjust(width) if column >= _AMOUNTS else part.ljust(width)
            for column, (part, width) in enumerate(zip(parts, widths, strict=True))
        ]
        lines.append((" " * _GAP).join(aligned))
    return lines


def _narrow(out: Console, lines: Sequence[Line]) -> None:
    """The verdict, and beside it all that there is to say of a pod."""
    indent = max(len(verdict_of(line)) for line in lines) + _GAP
    for line in lines:
        namespace_and_pod, workload, policy = _names(line)
        value, rss, threshold, limit = _amounts(line.weight)
        first, *rest = _wrapped(namespace_and_pod, out.width, indent)
        head = Text(verdict_of(line).ljust(indent), style=_COLOURS[line.verdict]).append(
            first[indent:], style="default bold"
        )
        memory = Text(" " * indent).append(_bar(line, _BAR)).append("  " if line.weight.threshold else "")
        memory.append(f"{value} of {limit}" if line.weight.limit else f"{value}, {limit}")
        told = [f", {name} {words}" for name, words in (("threshold", threshold), ("RSS", rss)) if words != _NOTHING]
        if len(memory) + sum(map(len, told)) > out.width:
            memory.append(f"\n{' ' * indent}")
        memory.append("".join(told).removeprefix(", ") if "\n" in memory.plain else "".join(told), style="dim")
        whose = f"{'no workload' if workload == _NOTHING else workload}, policy {policy}"
        said = (words for one in because(line) for words in _wrapped(one, out.width, indent + 2))
        _say(
            out,
            head,
            *(Text(words, style="bold") for words in rest),
            memory,
            *(Text(words, style="dim") for words in _wrapped(whose, out.width, indent)),
            *map(Text, said),
        )


def _wrapped(words: str, width: int, indent: int) -> list[str]:
    """The words in lines of that width, all of them indented."""
    space = " " * indent
    return textwrap.wrap(words, max(width, indent + _LEAST), initial_indent=space, subsequent_indent=space) or [space]


def _say(out: Console, *lines: Text) -> None:
    # Wrapped already: to measure each line again takes most of the time where there are thousands.
    for line in lines:
        out.print(line, soft_wrap=True)


def _plain(out: Console, lines: Sequence[Line]) -> None:
    """One line a pod, in columns, for grep and files."""
    titles = ("VERDICT", "NAMESPACE", "POD", "WORKLOAD", "POLICY", "MEMORY", "RSS", "THRESHOLD", "LIMIT", "BECAUSE")
    rows = [titles]
    rows += [
        (
            verdict_of(line),
            line.namespace,
            line.pod,
            line.workload or _NOTHING,
            line.policy,
            *_amounts(line.weight),
            "; ".join(because(line)),
        )
        for line in lines
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    for row in rows:
        out.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _names(line: Line) -> tuple[str, str, str]:
    return f"{line.namespace}/{line.pod}", line.workload or _NOTHING, line.policy


def _amounts(weight: Weight) -> tuple[str, str, str, str]:
    return amount(weight.value), amount(weight.rss), amount(weight.threshold), limit_of(weight)


def _bar(line: Line, width: int) -> Text:
    return Text(bar(line.weight, width), style=_COLOURS[line.verdict])


def _summary(policies: PolicyFile, made: Plan) -> Iterator[Text]:
    for one in made.policies:
        if one.outcome is not Evaluation.OK:
            yield Text(f"policy {one.policy}: {one.outcome}: {one.words}", style="bold magenta")
    for note in made.notes:
        yield Text(f"note: {note}", style="yellow")
    told = {f"policy {one.policy}: {one.words}" for one in made.policies}
    for error in made.errors:
        if error not in told:
            yield Text(f"could not tell: {error}", style="bold magenta")
    if policies.safety.paused:
        freed = sum(1 for line in made.lines if _only_paused(line))
        yield Text(
            f"safety.paused is true, so nothing is taken; {counted(freed, 'pod')} would be considered without it"
        )
    counts = [f"{made.count(verdict):,} {words}" for verdict, words in _COUNTED.items() if made.count(verdict)]
    yield Text(f"{counted(len(made.lines), 'pod')}: {', '.join(counts) or 'none is matched'}", style="bold")


def _only_paused(line: Line) -> bool:
    return bool(line.reasons) and all(veto.reason == "paused" for veto in line.reasons)
