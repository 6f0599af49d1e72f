"""The plan for people: a table that fits 80 columns and gets better when wider; in a pipe one line for each pod."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from remediator.model.vocabulary import Action, Evaluation
from remediator.policy import PolicyFile
from remediator.policy.quantities import format_bytes, format_quantity
from remediator.survey.findings import counted
from remediator.survey.lines import Line, Plan, Verdict
from remediator.survey.values import Weight
from remediator.survey.workloads import ONLY_REPLICA

_WIDE = 140
_BAR, _WIDE_BAR = 10, 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLOURS = {
    Verdict.WOULD_ACT: "bold red",
    Verdict.WAITS: "yellow",
    Verdict.LEFT_ALONE: "yellow",
    Verdict.BELOW: "green",
    Verdict.NOT_MEASURED: "dim",
    Verdict.COULD_NOT_TELL: "bold magenta",
}
_NOTHING = "-"


def write(out: Console, policies: PolicyFile, made: Plan, shown: Sequence[Line]) -> None:
    """Write the whole plan."""
    if shown and out.is_terminal:
        out.print(_wide(shown) if out.width >= _WIDE else _narrow(shown))
    elif shown:
        _plain(out, shown)
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
    """The limit as one writes it in a manifest; no number for none."""
    return "no limit" if weight.limit is None else format_quantity(weight.limit)


def verdict_of(line: Line) -> str:
    """The verdict in words."""
    match line.verdict:
        case Verdict.WOULD_ACT:
            return {Action.EVICT: "would evict", Action.DELETE: "would delete", Action.NOTIFY: "would report"}.get(
                line.action, f"would {line.action}"
            )
        case _:
            return line.verdict.replace("-", " ")


def because(line: Line) -> Iterator[str]:
    """Each reason, and what else one should know before the policy is armed."""
    if line.verdict is not Verdict.BELOW:
        yield from (str(veto) for veto in line.reasons)
    if line.words:
        yield line.words
    if line.only_replica and line.verdict in {Verdict.WOULD_ACT, Verdict.WAITS} and line.action is not Action.NOTIFY:
        yield ONLY_REPLICA
    if line.weight.reclaimable:
        yield f"RSS is {amount(line.weight.rss)} of {amount(line.weight.value)}: probably reclaimable cache"


def _wide(lines: Sequence[Line]) -> Table:
    table = _table()
    for title in ("pod", "workload", "policy"):
        table.add_column(title, overflow="fold", ratio=2)
    for title in ("memory", "RSS", "threshold", "limit"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=_WIDE_BAR)
    table.add_column("verdict", overflow="fold", ratio=4)
    for line in lines:
        table.add_row(
            f"{line.namespace}/{line.pod}",
            line.workload or _NOTHING,
            line.policy,
            *_amounts(line.weight),
            _bar(line, _WIDE_BAR),
            _verdict(line),
        )
    return table


def _narrow(lines: Sequence[Line]) -> Table:
    table = _table()
    table.add_column("pod, workload, policy", overflow="fold", ratio=5)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("limit", no_wrap=True, min_width=_BAR)
    table.add_column("verdict", overflow="fold", ratio=6)
    for line in lines:
        weight = line.weight
        memory = [Text(amount(weight.value))]
        if weight.rss is not None:
            memory.append(Text(f"{amount(weight.rss)} RSS", style="dim"))
        limit = Text(limit_of(weight), style="" if weight.limit else "dim")
        whose = Text(f"{line.workload or 'no workload'}, {line.policy}", style="dim")
        table.add_row(
            Group(Text(f"{line.namespace}/{line.pod}"), whose),
            Group(*memory),
            Group(_bar(line, _BAR), limit),
            _verdict(line),
        )
    return table


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


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), expand=True, header_style="bold", show_edge=False)


def _amounts(weight: Weight) -> tuple[str, str, str, str]:
    return amount(weight.value), amount(weight.rss), amount(weight.threshold), limit_of(weight)


def _bar(line: Line, width: int) -> Text:
    return Text(bar(line.weight, width), style=_COLOURS[line.verdict])


def _verdict(line: Line) -> RenderableType:
    parts: list[RenderableType] = [Text(verdict_of(line), style=_COLOURS[line.verdict])]
    parts += [Padding(Text(words), (0, 0, 0, 2)) for words in because(line)]
    return Group(*parts)


def _summary(policies: PolicyFile, made: Plan) -> Iterator[RenderableType]:
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
    counts = [f"{made.count(verdict):,} {verdict.replace('-', ' ')}" for verdict in Verdict if made.count(verdict)]
    yield Text(f"{counted(len(made.lines), 'pod')}: {', '.join(counts) or 'none is matched'}", style="bold")


def _only_paused(line: Line) -> bool:
    return bool(line.reasons) and all(veto.reason == "paused" for veto in line.reasons)
