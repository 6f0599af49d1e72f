"""One broken file per problem: where it is said to be, and what to write instead, as a person reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from remediator.errors import PolicyError
from remediator.policy import load, parse, unsupported

POLICY = "policies: [{name: a, threshold: 1Gi}]\n"


@dataclass(frozen=True)
class Broken:
    """A file, and the one line that has to be said of it, after the file's name."""

    text: str | bytes
    said: str


def policy(lines: str) -> str:
    """One policy with these lines in it, from line 4 on and column 5."""
    return "policies:\n  - name: a\n    threshold: 1Gi\n" + "".join(f"    {line}\n" for line in lines.splitlines())


def threshold(value: str) -> str:
    """One policy with this threshold, in line 1 and column 33."""
    return f"policies: [{{name: a, threshold: {value}}}]\n"


NOT_YAML = {
    "empty": Broken("", "1:1: the file is empty; write `policies:` and a list of policies below it"),
    "only comments": Broken("# todo\n", "1:1: the file is empty; write `policies:` and a list of policies below it"),
    "a list": Broken("- name: a\n", "1:1: a list is no policy file; write `policies:` and a list of policies below it"),
    "a word": Broken("hello\n", "1:1: 'hello' is no policy file; write `policies:` and a list of policies below it"),
    "nul": Broken(b"a: 1\nb: \0", "2:4: the file is binary; save it as plain UTF-8 text without it"),
    "binary": Broken(b"a: \xff\0", "1:4: the file is binary; save the policy as plain UTF-8 text"),
    "latin 1": Broken(b"a: caf\xe9\n", "1:7: the byte 0xe9 is not UTF-8; save the policy as plain UTF-8 text"),
    "utf-16": Broken("a: 1".encode("utf-16"), "1:1: the file is UTF-16; save it as UTF-8"),
    "bell": Broken("a: \x07", "1:4: an invisible character (U+0007); save the file as plain UTF-8 text without it"),
    "line separator": Broken(
        "a: 1\nb:\u2028c", "2:3: an invisible character (U+2028); save the file as plain UTF-8 text without it"
    ),
    "too large": Broken(
        "#" * (1 << 20) + "\n",
        "1:1: the file is larger than 1024 KiB; check that it is a policy file, and split it if so",
    ),
    "tab": Broken(POLICY + "safety:\n\tpaused: true\n", "3:1: a tab indents this line; use spaces"),
    "two colons": Broken(
        "a: b: c\n",
        "1:5: a second ': ' on one line, or a line too far to the right; put text that holds ': ' in quotes",
    ),
    "reserved indicator": Broken("a: @x\n", "1:4: text that begins with @ must stand in quotes"),
    "star alone": Broken("a: [*]\n", "1:6: text that begins with * or & must stand in quotes"),
    "open list": Broken(
        "a: [1, 2\nb: 3\n", "2:2: a list that was opened with [ is not closed; write ] at its end (opened on line 1)"
    ),
    "open mapping": Broken(
        "a: {b: 1\n\n", "3:1: a mapping that was opened with { is not closed; write } at its end (opened on line 1)"
    ),
    "open quote": Broken(
        "a: 'x\nb: 1\n", "3:1: a text is not closed; write the same quote at its end (opened on line 1)"
    ),
    "out of step": Broken(
        "a:\n  b: 1\n c: 2\n",
        "3:2: this line is not in step with the lines above it, or follows an unclosed quote; "
        "indent the keys of one mapping alike",
    ),
    "no item": Broken(
        "- a\nb: 1\n",
        "2:1: this line belongs to no item of the list above it; begin it with `- `, or indent it as the list is",
    ),
    "item on the key's line": Broken("a: - b\n", "1:4: a list item can't begin here; put it on a line of its own"),
    "key without colon": Broken("a: 1\nb\nc: 2\n", "3:1: a key without a colon after it; write `key: value`"),
    "regular expression in double quotes": Broken(
        'a: "\\d+"\n', "1:5: \\ begins an escape in double quotes; use single quotes for regular expressions"
    ),
    "bracket never opened": Broken("a: ]\n", "1:4: a value is missing, or a bracket is closed that was never opened"),
    "text after the end": Broken(
        POLICY + "...\nx\n", "3:1: text after the end of the document; remove the `...` above it"
    ),
    "directive": Broken(
        "%YAML 1.2\n---\n" + POLICY,
        "1:1: a YAML directive, which a policy file has no use for; remove the line, or put the text in quotes",
    ),
}
STRUCTURE = {
    "second document": Broken(
        POLICY + "---\n" + POLICY, "2:1: a second document begins here; put all policies into one list"
    ),
    "anchor": Broken(
        policy("cooldown: &c 5m"),
        "4:15: policies[0].cooldown: &c is a YAML anchor; remove it, or put text with an & in quotes",
    ),
    "alias": Broken(
        policy("match: {namespaces: [*-prod]}"),
        "4:26: policies[0].match.namespaces[0]: *-prod is a YAML alias; "
        "write the value out, or put text with a * in quotes",
    ),
    "tag": Broken(
        policy("cooldown: !!str 5m"),
        "4:15: policies[0].cooldown: '!!str' is a YAML tag; remove it, or put text with a ! in quotes",
    ),
    "merge key": Broken(
        policy("<<: {cooldown: 5m}"),
        "4:5: policies[0].'<<': merge keys are not read; what policies have in common belongs in `defaults`",
    ),
    "duplicate key": Broken(
        policy("cooldown: 5m\ncooldown: 10m"),
        "5:5: policies[0].cooldown: the key 'cooldown' is here twice (first on line 4); remove one of them",
    ),
    "number as key": Broken(
        policy("1: x"), "4:5: policies[0].'1': a key must be text, not 1; put it in quotes if it is meant"
    ),
    "nothing as key": Broken(policy("~: x"), "4:5: policies[0].'~': a key must be text, not nothing; remove it"),
    "list as key": Broken(
        policy("? [a]\n: b"),
        "4:7: policies[0]: a list or mapping can't be a key; if this file is a template, render it first",
    ),
    "no value": Broken(
        policy("cooldown:"), "4:14: policies[0].cooldown: there is no value here; write one, or remove the line"
    ),
    "null": Broken(POLICY + "safety: null\n", "2:9: safety: there is no value here; write one, or remove the line"),
    "unknown key at the top": Broken(POLICY + "safty: {}\n", "2:1: safty: there is no such key here; write safety"),
    "unknown key": Broken(
        policy("maxUnavailible: 1"), "4:5: policies[0].maxUnavailible: there is no such key here; write maxUnavailable"
    ),
    "key in snake case": Broken(
        policy("ready_timeout: 5m"), "4:5: policies[0].ready_timeout: there is no such key here; write readyTimeout"
    ),
    "unlike any key": Broken(
        POLICY + "safety:\n  budget: {window: 1h}\n",
        "3:12: safety.budget.window: there is no such key here; the keys here are actions, per",
    ),
    "key of another section": Broken(
        policy("namespaces: [a]"), "4:5: policies[0].namespaces: there is no such key here; it belongs under `match`"
    ),
    "policy's key at the top": Broken(
        POLICY + "threshold: 1Gi\n", "2:1: threshold: there is no such key here; it belongs in each policy"
    ),
    "safety's key in a policy": Broken(
        policy("paused: true"), "4:5: policies[0].paused: there is no such key here; it belongs under `safety`"
    ),
    "unknown key in match": Broken(
        policy("match: {namespace: a}"),
        "4:13: policies[0].match.namespace: there is no such key here; write namespaces",
    ),
    "unknown key without a value": Broken(
        "policies: [{name: a, threshold: 1Gi}]\nsafety: {pausd: 1}\n",
        "2:10: safety.pausd: there is no such key here; write paused",
    ),
    "unsupported key, misspelt": Broken(
        policy("fore_cast: evict"),
        "4:5: policies[0].fore_cast: there is no such key here; "
        "`forecast` is not supported by this version of remediator yet; remove it",
    ),
    "half a budget in a policy": Broken(
        policy("actions: 6"),
        "4:5: policies[0].actions: there is no such key here; it belongs under `maxPerWorkload` or `safety.budget`",
    ),
    "unknown key in maxPerWorkload": Broken(
        policy("maxPerWorkload: {count: 6}"),
        "4:22: policies[0].maxPerWorkload.count: there is no such key here; the keys here are actions, per",
    ),
    "maxPerWorkload that is a number": Broken(
        policy("maxPerWorkload: 6"),
        "4:21: policies[0].maxPerWorkload: 6 is one value and must be a mapping; "
        "write `key: value` lines, indented below it",
    ),
    "key with a capital": Broken(
        "policies: [{Name: a, threshold: 1Gi}]\n", "1:13: policies[0].Name: there is no such key here; write name"
    ),
    "policies with a capital": Broken(
        "Policies: [{name: a, threshold: 1Gi}]\n", "1:1: Policies: there is no such key here; write policies"
    ),
    "template that was not rendered": Broken(
        "policies: [{name: {{ .Values.name }}, threshold: 1Gi}]\n",
        "1:20: policies[0].name: a list or mapping can't be a key; if this file is a template, render it first",
    ),
    "match in defaults": Broken(
        POLICY + "defaults: {match: {}}\n", "2:12: defaults.match: `match` can't be a default; write it in each policy"
    ),
    "name in defaults": Broken(
        POLICY + "defaults: {name: x}\n", "2:12: defaults.name: `name` can't be a default; write it in each policy"
    ),
    "signal in defaults": Broken(
        POLICY + "defaults: {signal: working_set}\n",
        "2:12: defaults.signal: `signal` can't be a default; write it in each policy",
    ),
    "no policies": Broken(
        "safety: {paused: true}\n", "1:1: policies: there are no policies; write `policies:` and a list below it"
    ),
    "empty policies": Broken(
        "policies: []\n",
        "1:11: policies: the list is empty; write one policy at least, or `safety: {paused: true}` with it",
    ),
    "policies as a mapping": Broken(
        "policies:\n  name: a\n  threshold: 1Gi\n",
        "2:3: policies: this must be a list; begin each policy with `- name: `",
    ),
    "a policy that is a word": Broken(
        "policies: [a]\n",
        "1:12: policies[0]: 'a' is one value and must be a mapping; write `key: value` lines, indented below it",
    ),
    "a section that is a list": Broken(
        POLICY + "safety: [a]\n",
        "2:9: safety: this is a list and must be a mapping; write `key: value` lines, indented below it",
    ),
    "match that is a word": Broken(
        policy("match: team-a"),
        "4:12: policies[0].match: 'team-a' is one value and must be a mapping; "
        "write `key: value` lines, indented below it",
    ),
}
VALUES = {
    "no name": Broken(
        "policies:\n  - threshold: 1Gi\n",
        "2:5: policies[0].name: the policy has no name; write such as name: iot-server",
    ),
    "name of a number": Broken(
        "policies: [{name: 5, threshold: 1Gi}]", '1:19: policies[0].name: 5 must be text; write "5" in quotes'
    ),
    "name that is no label": Broken(
        "policies: [{name: IoT Server!, threshold: 1Gi}]",
        "1:19: policies[0].name: 'IoT Server!' is not a name of 1 to 63 small letters, digits and inner hyphens; "
        "write iot-server",
    ),
    "the same name twice": Broken(
        "policies:\n  - {name: a, threshold: 1Gi}\n  - {name: a, threshold: 2Gi}\n",
        "3:12: policies[1].name: another policy is called a as well (line 2); give each its own name",
    ),
    "no threshold": Broken(
        "policies:\n  - name: a\n",
        "2:5: policies[0].threshold: neither the policy nor the defaults have a threshold; "
        "write such as threshold: 90% of limit",
    ),
    "threshold with a blank": Broken(
        threshold("20G i"), "1:33: policies[0].threshold: '20G i' is not a memory quantity; write 20Gi or 90% of limit"
    ),
    "threshold of nothing known": Broken(
        threshold("lots"), "1:33: policies[0].threshold: 'lots' is not a memory quantity; write 20Gi or 90% of limit"
    ),
    "threshold of a share of nothing": Broken(
        threshold("80%"), "1:33: policies[0].threshold: '80%' does not say of what; write 80% of limit"
    ),
    "threshold of a share of something else": Broken(
        threshold("80% of limits"),
        "1:33: policies[0].threshold: '80% of limits' is not a share that we know; write 80% of limit",
    ),
    "threshold of a share of nothing above all limits": Broken(
        threshold("150%"), "1:33: policies[0].threshold: '150%' does not say of what; write 150% of request"
    ),
    "threshold of a share of requests": Broken(
        threshold("80% of requests"),
        "1:33: policies[0].threshold: '80% of requests' is not a share that we know; write 80% of request",
    ),
    "threshold of nothing of the request": Broken(
        threshold("0% of request"),
        "1:33: policies[0].threshold: '0% of request' is true of every pod; write such as 150% of request",
    ),
    "threshold above the limit": Broken(
        threshold("100.1% of limit"),
        "1:33: policies[0].threshold: '100.1% of limit' is never reached: the kernel kills at 100%; "
        "write such as 90% of limit",
    ),
    "threshold of none of the limit": Broken(
        threshold("0% of limit"),
        "1:33: policies[0].threshold: '0% of limit' is true of every pod; write such as 90% of limit",
    ),
    "threshold of no bytes": Broken(
        threshold("0Gi"), "1:33: policies[0].threshold: '0Gi' is true of every pod; write such as 20Gi"
    ),
    "threshold in thousandths": Broken(
        threshold("512m"), "1:33: policies[0].threshold: '512m' is in fractions of a byte; write 512M or 512Mi"
    ),
    "threshold beyond 2^63": Broken(
        threshold("8Ei"), "1:33: policies[0].threshold: '8Ei' is more than a memory quantity can hold (2^63 - 1)"
    ),
    "threshold that is true": Broken(
        threshold("true"), "1:33: policies[0].threshold: true is not a threshold; write 20Gi or 90% of limit"
    ),
    "threshold that is a list": Broken(
        threshold("[1Gi]"), "1:33: policies[0].threshold: a list is not a threshold; write 20Gi or 90% of limit"
    ),
    "emergency below the threshold": Broken(
        "policies: [{name: a, threshold: 90% of limit, emergency: 89.5% of limit}]\n",
        "1:58: policies[0].emergency: 89.5% of limit is not higher than the threshold of policy a, "
        "which is 90% of limit; write a higher one, or remove the line",
    ),
    "emergency at the threshold, in other words": Broken(
        policy("emergency: 1024Mi"),
        "4:16: policies[0].emergency: 1024Mi is not higher than the threshold of policy a, which is 1Gi; "
        "write a higher one, or remove the line",
    ),
    "emergency of the defaults below a threshold": Broken(
        "defaults: {emergency: 20Gi}\npolicies: [{name: a, threshold: 1Gi}, {name: b, threshold: 30Gi}]\n",
        "1:23: defaults.emergency: 20Gi is not higher than the threshold of policy b, which is 30Gi; "
        "write a higher one, or remove the line",
    ),
    "emergency of nothing known": Broken(
        policy("emergency: soon"),
        "4:16: policies[0].emergency: 'soon' is not a memory quantity; write 20Gi or 90% of limit",
    ),
    "for without a unit": Broken(
        policy("for: 90"), "4:10: policies[0].for: '90' has no unit; write 90s for seconds or 90m for minutes"
    ),
    "for below three sample intervals": Broken(
        policy("for: 89s"),
        "4:10: policies[0].for: 1m29s is shorter than 3 times the sample interval of 30s, "
        "so a gap could not be told from a breach; write 1m30s or more",
    ),
    "for below three sample intervals in defaults": Broken(
        "defaults:\n  for: 1m\npolicies: [{name: a, threshold: 1Gi}, {name: b, threshold: 1Gi}]\n",
        "2:8: defaults.for: 1m is shorter than 3 times the sample interval of 30s, "
        "so a gap could not be told from a breach; write 1m30s or more",
    ),
    "sample age below the interval": Broken(
        policy("maxSampleAge: 20s"),
        "4:19: policies[0].maxSampleAge: 20s is shorter than the sample interval of 30s, "
        "so most samples would be too old; write 1m15s, or remove the line",
    ),
    "sample age of a day": Broken(
        policy("maxSampleAge: 1d"), "4:19: policies[0].maxSampleAge: '1d' is too long; write 1h or less"
    ),
    "every that is none": Broken(policy("every: 0s"), "4:12: policies[0].every: '0s' is too short; write 1s or more"),
    "every that is true": Broken(
        policy("every: true"), "4:12: policies[0].every: true is not a duration; write such as 90s, 2m, 1h30m or 1d"
    ),
    "jitter as long as every": Broken(
        policy("every: 30s\njitter: 30s"),
        "5:13: policies[0].jitter: 30s is not shorter than the `every` of policy a (30s); write 5s",
    ),
    "jitter of the defaults as long as every": Broken(
        "defaults: {jitter: 10s}\npolicies: [{name: a, threshold: 1Gi, every: 4s}]\n",
        "1:20: defaults.jitter: 10s is not shorter than the `every` of policy a (4s); write 2s",
    ),
    "cron and every": Broken(
        policy("every: 1m\ncron: 0 2 * * *"),
        "5:11: policies[0].cron: `every` is here as well (line 4); remove one of them",
    ),
    "cron and every in defaults": Broken(
        "defaults:\n  cron: 0 2 * * *\n  every: 1m\npolicies: [{name: a, threshold: 1Gi, every: 5m}]\n",
        "2:9: defaults.cron: `every` is here as well (line 3); remove one of them",
    ),
    "cron that is a number": Broken(
        policy("cron: 5"), "4:11: policies[0].cron: 5 is not a cron expression; write such as 30 2 * * mon-fri"
    ),
    "cron of too few fields": Broken(
        policy("cron: 0 2 * *"),
        "4:11: policies[0].cron: '0 2 * *' has 4 fields and must have five, minute, hour, day of month, month, "
        "weekday; write such as 30 2 * * mon-fri",
    ),
    "cron with seconds": Broken(
        policy("cron: 0 0 2 * * *"),
        "4:11: policies[0].cron: '0 0 2 * * *' has 6 fields and must have five, minute, hour, day of month, month, "
        "weekday and none for seconds; write such as 30 2 * * mon-fri",
    ),
    "cron by name": Broken(
        policy("cron: '@daily'"), "4:11: policies[0].cron: '@daily' is a name, not an expression; write 0 0 * * *"
    ),
    "cron by an unknown name": Broken(
        policy("cron: '@reboot'"),
        "4:11: policies[0].cron: '@reboot' is a name, not an expression; write 30 2 * * mon-fri",
    ),
    "cron with a time zone": Broken(
        policy("cron: CRON_TZ=UTC 0 2 * * *"),
        "4:11: policies[0].cron: 'CRON_TZ=UTC 0 2 * * *' begins with a time zone; "
        "write it in a line of its own, such as timezone: Europe/Berlin",
    ),
    "cron with numbers for weekdays": Broken(
        policy("cron: 0 2 * * 1-5"),
        "4:11: policies[0].cron: '0 2 * * 1-5' counts weekdays, and crons differ in where a week begins; "
        "write names, such as mon-fri",
    ),
    "cron with a step over weekdays": Broken(
        policy("cron: 0 2 * * */2"),
        "4:11: policies[0].cron: '0 2 * * */2' counts weekdays, and crons differ in where a week begins; "
        "write names, such as mon-fri",
    ),
    "cron with day and weekday": Broken(
        policy("cron: 0 2 1 * mon"),
        "4:11: policies[0].cron: '0 2 1 * mon' has a day of month and a weekday, and some crons want both, "
        "others either; write * for one of them, or two policies",
    ),
    "cron with a question mark": Broken(
        policy("cron: 0 2 ? * mon"), "4:11: policies[0].cron: '0 2 ? * mon' has a ?; write * for every one"
    ),
    "cron at minute 60": Broken(
        policy("cron: 60 2 * * *"),
        "4:11: policies[0].cron: '60' is not a minute from 0 to 59; write such as 30 or */10",
    ),
    "cron at hour 24": Broken(
        policy("cron: 0 24 * * *"), "4:11: policies[0].cron: '24' is not an hour from 0 to 23; write such as 2 or 1-5"
    ),
    "cron on day 0": Broken(
        policy("cron: 0 2 0 * *"),
        "4:11: policies[0].cron: '0' is not a day from 1 to 31; write such as 1, or L for the last one",
    ),
    "cron in no month": Broken(
        policy("cron: 0 2 * smarch *"),
        "4:11: policies[0].cron: 'smarch' is not a month from 1 to 12 or jan to dec; write such as 1-6 or dec",
    ),
    "cron on no weekday": Broken(
        policy("cron: 0 2 * * Monday"),
        "4:11: policies[0].cron: 'Monday' is not a weekday; write such as mon-fri or sat,sun",
    ),
    "cron that steps too far": Broken(
        policy("cron: '*/90 * * * *'"),
        "4:11: policies[0].cron: '*/90' steps over every minute but the first; write such as 30 or */10",
    ),
    "cron that never comes": Broken(
        policy("cron: 0 2 30 2 *"),
        "4:11: policies[0].cron: '0 2 30 2 *' never comes: no such month has that day; write such as 30 2 * * mon-fri",
    ),
    "cron without quotes": Broken(
        policy("cron: */5 * * * *"), "4:12: text that begins with * or & must stand in quotes"
    ),
    "cron of a novel": Broken(
        policy("cron: " + "0," * 150 + "0 * * * *"),
        "4:11: policies[0].cron: '0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0...' has 309 characters; "
        "at most 200 are taken: write several policies",
    ),
    "jitter longer than the cron's pause": Broken(
        policy("cron: 0,10 1-5 * * *\njitter: 10m"),
        "5:13: policies[0].jitter: 10m is not shorter than the shortest pause in the `cron` of policy a (10m); "
        "write 5s",
    ),
    "time zone by its city": Broken(
        policy("cron: 0 2 * * *\ntimezone: new york"),
        "5:15: policies[0].timezone: 'new york' is not the IANA name of a time zone; write America/New_York",
    ),
    "time zone that is none": Broken(
        policy("cron: 0 2 * * *\ntimezone: GMT+8"),
        "5:15: policies[0].timezone: 'GMT+8' is not the IANA name of a time zone; write such as Europe/Berlin",
    ),
    "time zone of the machine": Broken(
        policy("cron: 0 2 * * *\ntimezone: localtime"),
        "5:15: policies[0].timezone: 'localtime' is not the IANA name of a time zone; write such as Europe/Berlin",
    ),
    "time zone that is a number": Broken(
        policy("cron: 0 2 * * *\ntimezone: 8"), '5:15: policies[0].timezone: 8 must be text; write "8" in quotes'
    ),
    "time zone without cron": Broken(
        policy("timezone: Europe/Berlin"),
        "4:15: policies[0].timezone: `timezone` is that of `cron` and `windows`, and policy a has neither; remove it",
    ),
    "windows of none": Broken(
        policy("windows: []"),
        "4:14: policies[0].windows: an empty list would never open; "
        'write such as [{days: mon-fri, from: "01:00", to: "05:00"}], or from 00:00 to 24:00 for always',
    ),
    "windows as a mapping": Broken(
        policy("windows: {from: 01:00, to: 05:00}"),
        "4:14: policies[0].windows: a mapping is not a list of windows; "
        'write such as [{days: mon-fri, from: "01:00", to: "05:00"}], or from 00:00 to 24:00 for always',
    ),
    "window that is text": Broken(
        policy("windows: [01:00-05:00]"),
        "4:15: policies[0].windows[0]: '01:00-05:00' is one value and must be a mapping; "
        "write `key: value` lines, indented below it",
    ),
    "window without an end": Broken(
        policy("windows: [{days: mon-fri, from: 01:00}]"),
        '4:15: policies[0].windows[0]: the window has no to; write such as {days: mon-fri, from: "01:00", to: "05:00"}',
    ),
    "window of the defaults without times": Broken(
        POLICY + "defaults: {windows: [{days: mon-fri}]}\n",
        "2:22: defaults.windows[0]: the window has no from and no to; "
        'write such as {days: mon-fri, from: "01:00", to: "05:00"}',
    ),
    "window with an end that is nothing": Broken(
        policy("windows: [{from: 01:00, to: }]"),
        "4:33: policies[0].windows[0].to: there is no value here; write one, or remove the line",
    ),
    "window that never opens": Broken(
        policy("windows:\n- {from: 01:00, to: 05:00}\n- {from: 01:00, to: 01:00}"),
        "6:7: policies[0].windows[1]: a window that ends when it begins never opens; "
        "write from 00:00 to 24:00 for the whole day",
    ),
    "window from the end of the day": Broken(
        policy("windows: [{from: 24:00, to: 01:00}]"),
        "4:15: policies[0].windows[0]: a window that ends when it begins never opens; "
        "write from 00:00 to 24:00 for the whole day",
    ),
    "window at a number": Broken(
        policy("windows: [{from: 1, to: 05:00}]"),
        "4:22: policies[0].windows[0].from: 1 is not a time of day; write 01:00",
    ),
    "window at a time of one digit": Broken(
        policy("windows: [{from: 01:00, to: '5:30'}]"),
        "4:33: policies[0].windows[0].to: '5:30' is not a time of day; write 05:30",
    ),
    "window at a quarter past 24": Broken(
        policy("windows: [{from: 01:00, to: 24:15}]"),
        "4:33: policies[0].windows[0].to: '24:15' is not a time of day; write such as 01:00",
    ),
    "window in the afternoon": Broken(
        policy("windows: [{from: 01:00, to: 5pm}]"),
        "4:33: policies[0].windows[0].to: '5pm' is not a time of day; write such as 01:00",
    ),
    "window on numbered days": Broken(
        policy("windows: [{days: 1-5, from: 01:00, to: 05:00}]"),
        "4:22: policies[0].windows[0].days: '1-5' is not a weekday or several; write names, such as mon-fri",
    ),
    "window on a number": Broken(
        policy("windows: [{days: [mon, 2], from: 01:00, to: 05:00}]"),
        "4:22: policies[0].windows[0].days: 2 is not a weekday; write names, such as mon-fri",
    ),
    "window on a whole word": Broken(
        policy("windows: [{days: monday, from: 01:00, to: 05:00}]"),
        "4:22: policies[0].windows[0].days: 'monday' is not a weekday or several; write mon",
    ),
    "window on no days": Broken(
        policy("windows: [{days: [], from: 01:00, to: 05:00}]"),
        "4:22: policies[0].windows[0].days: an empty list of days would never open; "
        "write such as mon-fri, or remove the line for every day",
    ),
    "window in no time zone": Broken(
        policy("windows: [{from: 01:00, to: 05:00, timezone: CET+1}]"),
        "4:50: policies[0].windows[0].timezone: 'CET+1' is not the IANA name of a time zone; "
        "write such as Europe/Berlin",
    ),
    "window with a slip": Broken(
        policy("windows: [{form: 01:00, from: 01:00, to: 05:00}]"),
        "4:16: policies[0].windows[0].form: there is no such key here; write from",
    ),
    "window's key in a policy": Broken(
        policy("days: mon-fri"), "4:5: policies[0].days: there is no such key here; it belongs in each of `windows`"
    ),
    "cooldown of more than a day": Broken(
        policy("cooldown: 25h"), "4:15: policies[0].cooldown: '25h' is too long; write 1d or less"
    ),
    "ready timeout of none": Broken(
        policy("readyTimeout: 0s"), "4:19: policies[0].readyTimeout: '0s' is too short; write 1s or more"
    ),
    "grace period of none": Broken(
        policy("gracePeriod: 0s"),
        "4:18: policies[0].gracePeriod: '0s' is a force deletion: Kubernetes forgets the pod before its "
        "processes have ended, and two of them may write at once; write 1s or more",
    ),
    "grace period of 0": Broken(
        policy("gracePeriod: 0"),
        "4:18: policies[0].gracePeriod: 0 is a force deletion: Kubernetes forgets the pod before its "
        "processes have ended, and two of them may write at once; write 1s or more",
    ),
    "action that is none": Broken(
        policy("action: restart"),
        "4:13: policies[0].action: 'restart' is not an action; write evict, surge, delete or notify",
    ),
    "fallback that is none": Broken(
        policy("action: surge\nfallback: delete"),
        "5:15: policies[0].fallback: 'delete' is not what a surge can do instead; write evict or notify",
    ),
    "fallback of nothing": Broken(
        policy("fallback: notify"),
        "4:15: policies[0].fallback: `fallback` is what `action: surge` does where it can't, which policy a has not; "
        "remove it",
    ),
    "no actions on a workload": Broken(
        policy("maxPerWorkload: {actions: 0}"),
        "4:31: policies[0].maxPerWorkload.actions: 0 would forbid every action; write 1 or more, or `enabled: false`",
    ),
    "actions on a workload in quotes": Broken(
        policy("maxPerWorkload: {actions: '6'}"),
        "4:31: policies[0].maxPerWorkload.actions: '6' is text; write 6 without quotes",
    ),
    "actions on a workload within more than a day": Broken(
        policy("maxPerWorkload: {per: 25h}"),
        "4:27: policies[0].maxPerWorkload.per: '25h' is too long; write 1d or less",
    ),
    "actions on a workload within no time": Broken(
        policy("maxPerWorkload: {per: 0s}"), "4:27: policies[0].maxPerWorkload.per: '0s' is too short; write 1s or more"
    ),
    "age without a unit": Broken(
        policy("minAge: 5"), "4:13: policies[0].minAge: '5' has no unit; write 5s for seconds or 5m for minutes"
    ),
    "age of no unit": Broken(
        policy("minAge: 0"), "4:13: policies[0].minAge: '0' has no unit; write 0s for seconds or 0m for minutes"
    ),
    "age of two years": Broken(
        policy("minAge: 800d"),
        "4:13: policies[0].minAge: '800d' is longer than a year; write a shorter one, such as 1h",
    ),
    "dry run in quotes": Broken(
        policy("dryRun: 'true'"),
        "4:13: policies[0].dryRun: 'true' is neither true nor false; write true without quotes",
    ),
    "nobody may be unavailable": Broken(
        policy("maxUnavailable: 0"),
        "4:21: policies[0].maxUnavailable: 0 would forbid every action; write 1, or `enabled: false`",
    ),
    "negative number unavailable": Broken(
        policy("maxUnavailable: -1"),
        "4:21: policies[0].maxUnavailable: -1 is not a whole number from 1 to 10000; write such as 3",
    ),
    "half a pod unavailable": Broken(
        policy("maxUnavailable: 1.5"),
        "4:21: policies[0].maxUnavailable: 1.5 is not a whole number from 1 to 10000; write such as 3",
    ),
    "quoted number unavailable": Broken(
        policy("maxUnavailable: '2'"), "4:21: policies[0].maxUnavailable: '2' is text; write 2 without quotes"
    ),
    "too large a share unavailable": Broken(
        policy("maxUnavailable: 101%"),
        "4:21: policies[0].maxUnavailable: '101%' is not from 1% to 100%; write such as 25%",
    ),
    "word unavailable": Broken(
        policy("maxUnavailable: half"),
        "4:21: policies[0].maxUnavailable: 'half' is neither a number of pods nor a percentage; write such as 1 or 25%",
    ),
    "enabled yes": Broken(
        policy("enabled: yes"), "4:14: policies[0].enabled: 'yes' is neither true nor false; write true"
    ),
    "enabled in quotes": Broken(
        policy("enabled: 'false'"),
        "4:14: policies[0].enabled: 'false' is neither true nor false; write false without quotes",
    ),
    "enabled 1": Broken(
        policy("enabled: 1"), "4:14: policies[0].enabled: 1 is neither true nor false; write true or false"
    ),
    "signal that is none": Broken(
        policy("signal: memory"), "4:13: policies[0].signal: 'memory' is not a signal; write working_set, rss or usage"
    ),
    "signal in other letters": Broken(
        policy("signal: Working-Set"), "4:13: policies[0].signal: 'Working-Set' is not a signal; write working_set"
    ),
    "signal that is a number": Broken(
        policy("signal: 5"), "4:13: policies[0].signal: 5 is not a signal; write working_set, rss or usage"
    ),
    "expression that is none": Broken(
        policy("match: {pods: ['a', '(b']}"),
        "4:25: policies[0].match.pods[1]: '(b' is not a regular expression for RE2 (missing ): (b); "
        "close every bracket, or write \\( and \\[ for the characters themselves",
    ),
    "shell pattern": Broken(
        policy("match: {namespaces: team-*}"),
        "4:25: policies[0].match.namespaces: 'team-*' is a shell pattern; write team-.* for all names that begin so",
    ),
    "number as expression": Broken(
        policy("match: {containers: [7]}"), '4:26: policies[0].match.containers[0]: 7 must be text; write "7" in quotes'
    ),
    "no expressions": Broken(
        policy("match: {namespaces: []}"),
        "4:25: policies[0].match.namespaces: an empty list would match nothing; remove the line to match everything",
    ),
    "mapping of expressions": Broken(
        policy("match: {namespaces: {a: b}}"),
        "4:25: policies[0].match.namespaces: this is a mapping and must be a list; write such as [team-a, team-b]",
    ),
    "workload without a kind": Broken(
        policy("match: {workload: iot-server}"),
        "4:23: policies[0].match.workload: 'iot-server' is not Kind/name; write Deployment/iot-server",
    ),
    "workload without a name": Broken(
        policy("match: {workload: Deployment/}"),
        "4:23: policies[0].match.workload: 'Deployment/' is not Kind/name; write Deployment/.*",
    ),
    "kind as kubectl takes it": Broken(
        policy("match: {workload: deployments/web}"),
        "4:23: policies[0].match.workload: 'deployments' is not a kind as Kubernetes writes it; write Deployment/web",
    ),
    "workload that is a pod": Broken(
        policy("match: {workload: Pod/web-0}"),
        "4:23: policies[0].match.workload: 'Pod/web-0' matches no pod: "
        "a pod is not a workload; write match.pods instead",
    ),
    "workload that is a cron job": Broken(
        policy("match: {workload: CronJob/backup}"),
        "4:23: policies[0].match.workload: 'CronJob/backup' matches no pod: "
        "the workload of a CronJob's pods is their Job; write Job/backup-.*",
    ),
    "workload with a bad expression": Broken(
        policy("match: {workload: Deployment/web-*}"),
        "4:23: policies[0].match.workload: 'web-*' is a shell pattern; write web-.* for all names that begin so",
    ),
    "selector that is none": Broken(
        policy("match: {selector: tier in web}"),
        "4:23: policies[0].match.selector: 'tier in web' is not a label requirement; "
        "write tier=web, tier in (web, worker), tier or !tier",
    ),
    "selector as an object": Broken(
        policy("match: {selector: {matchLabels: {a: b}}}"),
        '4:23: policies[0].match.selector: this is a mapping and must be text; write such as "tier in (web, worker)"',
    ),
    "selector of nothing": Broken(
        policy("match: {selector: ' '}"),
        "4:23: policies[0].match.selector: an empty selector selects every pod; remove the line if that is meant",
    ),
    "selector of a novel": Broken(
        policy("match: {selector: '" + "," * 500_000 + "'}"),
        "4:23: policies[0].match.selector: a selector has 2000 characters at most; "
        "write a simpler one, or several policies",
    ),
    "no actions in the budget": Broken(
        POLICY + "safety: {budget: {actions: 0}}\n",
        "2:28: safety.budget.actions: 0 would forbid every action; write 1 or more, or `safety.paused: true`",
    ),
    "budget of two days": Broken(
        POLICY + "safety: {budget: {per: 2d}}\n", "2:24: safety.budget.per: '2d' is too long; write 1d or less"
    ),
    "nothing concurrent": Broken(
        POLICY + "safety: {maxConcurrent: 0}\n",
        "2:25: safety.maxConcurrent: 0 would forbid every action; write 1 or more, or `paused: true`",
    ),
    "too much concurrent": Broken(
        POLICY + "safety: {maxConcurrent: 1001}\n",
        "2:25: safety.maxConcurrent: 1001 is not a whole number from 1 to 1000; write such as 3",
    ),
    "excluded namespace that is no expression": Broken(
        POLICY + "safety: {namespaces: {exclude: [kube-*]}}\n",
        "2:33: safety.namespaces.exclude[0]: 'kube-*' is a shell pattern; write kube-.* for all names that begin so",
    ),
    "breaching share without a unit": Broken(
        POLICY + "safety: {maxBreaching: 50}\n", "2:24: safety.maxBreaching: 50 has no unit; write 50%"
    ),
    "breaching share of none": Broken(
        POLICY + "safety: {maxBreaching: 0%}\n",
        "2:24: safety.maxBreaching: '0%' is not from 1% to 100%; write such as 50%",
    ),
    "breaching share of more than all": Broken(
        POLICY + "safety: {maxBreaching: 101%}\n",
        "2:24: safety.maxBreaching: '101%' is not from 1% to 100%; write such as 50%",
    ),
    "breaching share that is not whole": Broken(
        POLICY + "safety: {maxBreaching: 12.5%}\n",
        "2:24: safety.maxBreaching: '12.5%' is not a whole percentage; write such as 50%",
    ),
    "breaching number": Broken(
        POLICY + "safety: {maxBreaching: 500}\n",
        "2:24: safety.maxBreaching: 500 is not a whole percentage; write such as 50%",
    ),
    "hold that is no PromQL": Broken(
        POLICY + "safety:\n  holdWhen:\n  - up\n  - sum(\n",
        "5:5: safety.holdWhen[1]: 'sum(' is not PromQL (unclosed left parenthesis); "
        'write such as ALERTS{alertname="KubeAPIDown", alertstate="firing"}',
    ),
    "hold that is a number": Broken(
        POLICY + "safety: {holdWhen: [time()]}\n",
        "2:21: safety.holdWhen[0]: 'time()' is a number, and must give series; "
        'write such as ALERTS{alertname="KubeAPIDown", alertstate="firing"}',
    ),
    "hold over a time": Broken(
        POLICY + "safety: {holdWhen: 'up[5m]'}\n",
        "2:20: safety.holdWhen: 'up[5m]' gives samples over a time, and must give series; "
        'write such as ALERTS{alertname="KubeAPIDown", alertstate="firing"}',
    ),
    "hold of nothing": Broken(
        POLICY + "safety: {holdWhen: ['']}\n",
        "2:21: safety.holdWhen[0]: an empty expression asks for nothing; "
        'write such as ALERTS{alertname="KubeAPIDown", alertstate="firing"}',
    ),
    "hold that is true": Broken(
        POLICY + "safety: {holdWhen: [true]}\n", '2:21: safety.holdWhen[0]: true must be text; write "true" in quotes'
    ),
    "hold of a novel": Broken(
        POLICY + "safety: {holdWhen: [" + "up+" * 400 + "up]}\n",
        "2:21: safety.holdWhen[0]: 'up+up+up+up+up+up+up+up+up+up+up+up+up+up+up+up+up+up+up+...' has 1202 characters; "
        "at most 1000 are taken: write several",
    ),
    "holds as a mapping": Broken(
        POLICY + "safety: {holdWhen: {a: up}}\n",
        "2:20: safety.holdWhen: this is a mapping and must be a list of PromQL expressions; "
        "begin each of them with `- `",
    ),
    "too many holds": Broken(
        POLICY + "safety: {holdWhen: [" + "up," * 21 + "]}\n",
        "2:20: safety.holdWhen: 21 expressions, each of which is asked at every evaluation; write 20 at most",
    ),
    "foreign marks no": Broken(
        POLICY + "safety: {foreignMarks: no}\n",
        "2:24: safety.foreignMarks: 'no' is neither true nor false; write false",
    ),
    "annotations on": Broken(
        POLICY + "safety: {annotations: on}\n", "2:23: safety.annotations: 'on' is neither true nor false; write true"
    ),
    "named group": Broken(
        policy("match: {namespaces: ['a(?P<x>b)', 'c(?P<x>d)']}"),
        "4:26: policies[0].match.namespaces[0]: 'a(?P<x>b)' names a group, which has no use here; remove ?P<x>\n"
        "policy.yaml:4:39: policies[0].match.namespaces[1]: 'c(?P<x>d)' names a group, which has no use here; "
        "remove ?P<x>",
    ),
    "too many expressions": Broken(
        policy("match: {pods: [" + "a, " * 2001 + "]}"),
        "2:3: policies: more than 2000 expressions in all; write fewer, wider ones",
    ),
}
NOT_KNOWN = "there is no such key here"
HOOKS = {
    "hooks that are no list": Broken(
        policy("before: {http: {port: 1, path: /}}"),
        "4:13: policies[0].before: this is a mapping and must be a list; begin each hook with `- http: ` or `- exec: `",
    ),
    "hook that is a word": Broken(
        policy("before: [drain]"),
        "4:14: policies[0].before[0]: 'drain' is one value and must be a mapping; "
        "write `key: value` lines, indented below it",
    ),
    "too many hooks": Broken(
        policy(f"before: [{', '.join(['{http: {port: 1, path: /}}'] * 11)}]"),
        "4:13: policies[0].before: 11 hooks are too many; write 10 at most, or one that does what they do",
    ),
    "hook that calls nothing": Broken(
        policy("before: [{timeout: 5s}]"),
        "4:14: policies[0].before[0]: the hook has neither `http` nor `exec`; "
        "write one of them, and another item for another one",
    ),
    "hook that calls two": Broken(
        policy("before:\n- http: {port: 1, path: /}\n- http: {port: 1, path: /}\n  exec: {container: a, command: [b]}"),
        "6:7: policies[0].before[1]: the hook has `http` and `exec`; "
        "write one of them, and another item for another one",
    ),
    "unknown key in a hook": Broken(
        policy("before: [{htpp: {port: 1, path: /}}]"), f"4:15: policies[0].before[0].htpp: {NOT_KNOWN}; write http"
    ),
    "unknown key in a call": Broken(
        policy("before: [{http: {Port: 1, path: /}}]"),
        f"4:22: policies[0].before[0].http.Port: {NOT_KNOWN}; write port",
    ),
    "headers": Broken(
        policy("before: [{http: {port: 1, path: /, headers: {a: b}}}]"),
        f"4:40: policies[0].before[0].http.headers: {NOT_KNOWN}; the keys here are body, method, path, port, scheme",
    ),
    "hook's key in a policy": Broken(
        policy("onFailure: abort"), f"4:5: policies[0].onFailure: {NOT_KNOWN}; it belongs in a hook of `before`"
    ),
    "port that is missing": Broken(
        policy("before: [{http: {path: /}}]"),
        "4:21: policies[0].before[0].http.port: the hook has no port; write such as port: 8080",
    ),
    "path that is missing": Broken(
        policy("before: [{http: {port: 80}}]"),
        "4:21: policies[0].before[0].http.path: the hook has no path; write such as path: /drain",
    ),
    "container that is missing": Broken(
        policy("before: [{exec: {command: [a]}}]"),
        "4:21: policies[0].before[0].exec.container: the hook has no container; write such as container: app",
    ),
    "command that is missing": Broken(
        policy("before: [{exec: {container: a}}]"),
        "4:21: policies[0].before[0].exec.command: the hook has no command; write such as command: [/bin/drain, --now]",
    ),
    "port of a name": Broken(
        policy("before: [{http: {port: web, path: /}}]"),
        "4:28: policies[0].before[0].http.port: 'web' is not the number of a port; write such as 8080",
    ),
    "port in quotes": Broken(
        policy("before: [{http: {port: '8080', path: /}}]"),
        "4:28: policies[0].before[0].http.port: '8080' is text; write 8080 without quotes",
    ),
    "port of none": Broken(
        policy("before: [{http: {port: 0, path: /}}]"),
        "4:28: policies[0].before[0].http.port: 0 is not a port from 1 to 65535; write such as 8080",
    ),
    "path without a slash": Broken(
        policy("before: [{http: {port: 1, path: drain}}]"),
        "4:37: policies[0].before[0].http.path: 'drain' does not begin with a slash; write /drain",
    ),
    "path that is a URL": Broken(
        policy("before: [{http: {port: 1, path: 'http://web/drain'}}]"),
        "4:37: policies[0].before[0].http.path: 'http://web/drain' does not begin with a slash; write such as /drain",
    ),
    "path with a space": Broken(
        policy("before: [{http: {port: 1, path: /a b}}]"),
        "4:37: policies[0].before[0].http.path: '/a b' is too long, or has a space, a # or what is not ASCII in it; "
        "write that as %20",
    ),
    "method in small letters": Broken(
        policy("before: [{http: {port: 1, path: /, method: post}}]"),
        "4:48: policies[0].before[0].http.method: 'post' is not known here; write POST",
    ),
    "method that is not offered": Broken(
        policy("before: [{http: {port: 1, path: /, method: BREW}}]"),
        "4:48: policies[0].before[0].http.method: 'BREW' is not known here; write POST, PUT or GET",
    ),
    "scheme that is none": Broken(
        policy("before: [{http: {port: 1, path: /, scheme: tcp}}]"),
        "4:48: policies[0].before[0].http.scheme: 'tcp' is not known here; write http or https",
    ),
    "body of a GET": Broken(
        policy("before: [{http: {port: 1, path: /, method: GET, body: x}}]"),
        "4:59: policies[0].before[0].http.body: a GET has no body; write method: POST, or remove the line",
    ),
    "body of a number": Broken(
        policy("before: [{http: {port: 1, path: /, body: 5}}]"),
        '4:46: policies[0].before[0].http.body: 5 must be text; write "5" in quotes',
    ),
    "body that JSON can't hold": Broken(
        policy("before: [{http: {port: 1, path: /, body: [.nan]}}]"),
        "4:46: policies[0].before[0].http.body: this can't be sent, because a number or a character in it has no "
        "standard form; write another one",
    ),
    "body that is long": Broken(
        policy(f"before: [{{http: {{port: 1, path: /, body: {'x' * 10_001}}}}}]"),
        "4:46: policies[0].before[0].http.body: this has more than 10,000 bytes; write a shorter one",
    ),
    "command of one text": Broken(
        policy("before: [{exec: {container: a, command: /bin/drain --now}}]"),
        "4:45: policies[0].before[0].exec.command: '/bin/drain --now' is text and no shell reads it; "
        "write [/bin/drain, --now]",
    ),
    "command of nothing": Broken(
        policy("before: [{exec: {container: a, command: []}}]"),
        "4:45: policies[0].before[0].exec.command: an empty list is no command; write such as [/bin/drain, --now]",
    ),
    "command with a number": Broken(
        policy("before: [{exec: {container: a, command: [sleep, 5]}}]"),
        '4:53: policies[0].before[0].exec.command[1]: 5 must be text; write "5" in quotes',
    ),
    "command that is long": Broken(
        policy(f"before: [{{exec: {{container: a, command: [sh, {'x' * 10_000}]}}}}]"),
        "4:45: policies[0].before[0].exec.command: this has more than 10,000 characters; "
        "put a script into the image, and name that",
    ),
    "container that is no name": Broken(
        policy("before: [{exec: {container: My App, command: [a]}}]"),
        "4:33: policies[0].before[0].exec.container: 'My App' is not a name of 1 to 63 small letters, digits and "
        "inner hyphens; write my-app",
    ),
    "time-out without a unit": Broken(
        policy("before: [{http: {port: 1, path: /}, timeout: 5}]"),
        "4:50: policies[0].before[0].timeout: '5' has no unit; write 5s for seconds or 5m for minutes",
    ),
    "time-out of hours": Broken(
        policy("before: [{http: {port: 1, path: /}, timeout: 2h}]"),
        "4:50: policies[0].before[0].timeout: '2h' is too long; write 1h or less",
    ),
    "onFailure that is none": Broken(
        policy("before: [{http: {port: 1, path: /}, onFailure: ignore}]"),
        "4:52: policies[0].before[0].onFailure: 'ignore' is not known here; write abort or continue",
    ),
    "hook in the defaults": Broken(
        "defaults: {before: [{exec: {container: a}}]}\npolicies: [{name: a, threshold: 1Gi}]\n",
        "1:28: defaults.before[0].exec.command: the hook has no command; write such as command: [/bin/drain, --now]",
    ),
}
NOT_BUILT = {
    **{
        f"{section} {key}": Broken(text, f"{at} `{key}` is not supported by this version of remediator yet; remove it")
        for key in sorted(unsupported.POLICY_FIELDS)
        for section, text, at in (
            ("policy's", policy(f"{key}: x"), f"4:5: policies[0].{key}:"),
            ("defaults'", POLICY + f"defaults: {{{key}: x}}\n", f"2:12: defaults.{key}:"),
        )
    },
    "query": Broken(
        policy("signal: {query: up, unit: none}"),
        "4:13: policies[0].signal: a query of one's own as signal is not supported by this version of remediator "
        "yet; write working_set, rss or usage",
    ),
    **{
        f"plain number {number}": Broken(
            threshold(number),
            f"1:33: policies[0].threshold: {shown} has no unit, and a plain number as threshold is not supported "
            "by this version of remediator yet; write 20Gi or 90% of limit",
        )
        for number, shown in (
            ("21474836480", "21474836480"),
            ("'21474836480'", "'21474836480'"),
            ("0.9", "0.9"),
            ("'2e10'", "'2e10'"),
            ("-1", "-1"),
            (".nan", ".nan"),
        )
    },
}
TABLE = {**NOT_YAML, **STRUCTURE, **VALUES, **HOOKS, **NOT_BUILT}


@pytest.mark.parametrize("broken", TABLE.values(), ids=TABLE.keys())
def test_says_where_it_is_and_what_to_write(broken: Broken) -> None:
    """A file with one fault is refused with one line: file, line, column, path, fault and fix."""
    with pytest.raises(PolicyError) as refused:
        parse(broken.text, sample_interval=30)
    assert str(refused.value) == f"policy.yaml:{broken.said}"


def test_everything_is_said_at_once_in_the_order_of_the_file() -> None:
    """Faults of every kind, in every section, come together: structure, keys, values, what doesn't go together."""
    text = """\
defaults:
  redyTimeout: 1m
  for: 45s
safety:
  paused: yes
  holdWhen: [up, "sum("]
policies:
  - name: a
    threshold: 20G i
    jitter: 2m
    cooldown: 5m
    cooldown: 6m
  - {}
  - name: a
    threshold: &x 1Gi
    match: {namespaces: ["(", ok, "team-*"], labels: {a: b}}
colour: red
"""
    with pytest.raises(PolicyError) as refused:
        parse(text, sample_interval=30)
    said = [(problem.line, problem.column, problem.path) for problem in refused.value.problems]
    assert said == [
        (2, 3, "defaults.redyTimeout"),
        (3, 8, "defaults.for"),
        (5, 11, "safety.paused"),
        (6, 18, "safety.holdWhen[1]"),
        (9, 16, "policies[0].threshold"),
        (10, 13, "policies[0].jitter"),
        (12, 5, "policies[0].cooldown"),
        (13, 5, "policies[1].name"),
        (13, 5, "policies[1].threshold"),
        (14, 11, "policies[2].name"),
        (15, 16, "policies[2].threshold"),
        (16, 26, "policies[2].match.namespaces[0]"),
        (16, 35, "policies[2].match.namespaces[2]"),
        (16, 46, "policies[2].match.labels"),
        (17, 1, "colour"),
    ]


def test_a_broken_value_is_not_called_missing_as_well() -> None:
    """A threshold or name that is there and wrong, here or in the defaults, is one problem, not two."""
    text = "defaults: {threshold: lots, for: 1}\npolicies: [{name: [a]}, {name: }, {name: c, for: 5m}]\n"
    with pytest.raises(PolicyError) as refused:
        parse(text, sample_interval=30)
    assert [problem.path for problem in refused.value.problems] == [
        "defaults.threshold",
        "defaults.for",
        "policies[0].name",
        "policies[1].name",
    ]


def test_a_flood_of_problems_is_cut() -> None:
    """After 500 problems the rest is counted, so that one wrong file does not flood the log."""
    with pytest.raises(PolicyError) as refused:
        parse("".join(f"key{number}: x\n" for number in range(3000)), sample_interval=30)
    assert len(refused.value.problems) == 501
    assert str(refused.value.problems[-1]) == (
        "policy.yaml:500:1: 2501 more problems from here on; mend those above first"
    )


def test_files_that_can_not_be_read_say_what_to_do(tmp_path: Path) -> None:
    """A file that is missing, a directory, a device or below a file is a problem of the file, with a way out."""
    (tmp_path / "file").write_text(POLICY)
    expected = {
        tmp_path / "missing.yaml": "there is no such file; name another one, or mount the policy's ConfigMap there",
        tmp_path: "this is a directory; name the file in it, such as policy.yaml",
        Path("/dev/zero"): "the file can't be read (it is a device or socket); name a regular file",
        tmp_path / "file" / "x": "a part of the path is a file, not a directory; name another path",
    }
    for path, sentence in expected.items():
        with pytest.raises(PolicyError) as refused:
            load(path, sample_interval=30)
        assert str(refused.value) == f"{path}:1:1: {sentence}"


def test_a_file_without_permission_says_who_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission is refused with the user's number and the setting that a ConfigMap volume has for it."""
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("remediator.policy.loader.os.open", refuse)  # root may read everything
    monkeypatch.setattr("remediator.policy.loader.os.getuid", lambda: 65532)
    with pytest.raises(PolicyError, match=r"user 65532 may not read the file; mend its mode .*defaultMode"):
        load(path, sample_interval=30)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """A file of a gibibyte is refused after its first mebibyte."""
    path = tmp_path / "policy.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(PolicyError, match="larger than 1024 KiB"):
        load(path, sample_interval=30)


def test_every_hook_is_looked_at_at_once() -> None:
    """What is wrong with one hook does not hide what another one lacks."""
    text = policy(
        "before:\n- http: {port: none, path: /}\n- http: {path: /}\n- exec: {container: a, command: [5, b]}\n- {}"
    )
    with pytest.raises(PolicyError) as refused:
        parse(text, sample_interval=30)
    assert [problem.path for problem in refused.value.problems] == [
        "policies[0].before[0].http.port",
        "policies[0].before[1].http.port",
        "policies[0].before[2].exec.command[0]",
        "policies[0].before[3]",
    ]
