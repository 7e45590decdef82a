"""What a report tells of rows beside their answers: why some failed, which look alike, how another
run answered them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .markup import count, cut, data_uri, escaped, number

#: Letters of a row's name below its picture.
_LONG = 60


def failures(told: Sequence[Mapping[str, Any]]) -> str:
    """Why rows failed, the commonest reason first."""
    rows = "".join(
        f"<tr><th scope=row>{count(each['rows'])}</th><td>{escaped(each['reason'])}"
        f"<br><small>{escaped(each['error_type'])}; "
        f"{', '.join(escaped(cut(name, _LONG)) for name in each['examples'])}</small></td></tr>"
        for each in told
    )
    return f"<table class=facts><tbody>{rows}</tbody></table>"


def near_duplicates(told: Mapping[str, Any], pictures: Mapping[int, bytes]) -> str:
    """Groups of pictures that look alike."""
    looked = f"of {count(told['pictures'])} pictures that were looked at"
    blank = f"; {count(told['blank'])} show nothing at all" if told["blank"] else ""
    if not told["duplicates"]:
        return f"<p class=note>None {looked}{blank}.</p>"
    listed = told["listed"]
    more = told["groups"] - len(listed)
    note = (
        f"{count(told['duplicates'])} {looked} look like one before them, in "
        f"{count(told['groups'])} groups{blank}. Files that are equal byte by byte are counted as "
        f"reused, not here."
    )
    groups = "".join(_group(group, pictures) for group in listed)
    rest = f"<p class=note>and {count(more)} more groups</p>" if more else ""
    return f"<p class=note>{note}</p><ul class=groups>{groups}</ul>{rest}"


def _group(group: Mapping[str, Any], pictures: Mapping[int, bytes]) -> str:
    rows = group["rows"]
    more = group["count"] - len(rows)
    shown = "".join(_small(row, pictures.get(row["index"], b"")) for row in rows)
    return f"<li>{shown}{f'<span>and {count(more)} more</span>' if more else ''}</li>"


def _small(row: Mapping[str, Any], picture: bytes) -> str:
    name = escaped(cut(row["id"], _LONG))
    image = f'<img src="{data_uri(picture)}" alt="">' if picture else ""
    return f"<figure>{image}<figcaption>{name}</figcaption></figure>"


def compared(told: Mapping[str, Any], pictures: Mapping[int, bytes]) -> str:
    """How far another run agrees, where it does not, and the rows on which it does least."""
    if told["agreement"] is None:
        return f"<p class=note>{escaped(told['run'])}: no row was answered by both.</p>"
    facts = {
        "agreement": f"{told['agreement']:.1%}",
        "same first label": f"{told['same_first_label']:.1%}",
        "rows compared": f"{count(told['counted'])} of {count(told['of'])}",
    }
    head = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return (
        f"<p class=note>With {escaped(told['run'])}, {escaped(told['model'])}.</p>"
        f'<dl class="figures">{head}</dl>{_confusion(told["confusion"])}'
        f"{_least(told['least'], pictures)}"
    )


def _confusion(told: Mapping[str, Any]) -> str:
    """First labels: a row for each of this run's, a column for each of the other's."""
    labels, counts = told["labels"], told["counts"]
    if len(labels) < 2:
        return ""
    names = [escaped(cut(label or "no label", _LONG)) for label in labels]
    if any(counts[-1]) or any(row[-1] for row in counts):
        names.append("others")
    heads = "".join(f"<th scope=col>{name}</th>" for name in names)
    body = []
    for name, row in zip(names, counts, strict=False):
        most = sum(row) or 1
        cells = "".join(_cell(found, found / most) for found in row[: len(names)])
        body.append(f"<tr><th scope=row>{name}</th>{cells}</tr>")
    return (
        "<h3>First labels: down this run's, across the other's</h3><div class=scroll>"
        f"<table class=confusion><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(found: int, share: float) -> str:
    return f'<td style="--s:{number(100 * share)}%">{count(found) if found else ""}</td>'


def _least(told: Sequence[Mapping[str, Any]], pictures: Mapping[int, bytes]) -> str:
    if not told:
        return ""
    tiles = "".join(
        f"<figure>{_picture(pictures.get(row['index'], b''))}<figcaption>"
        f"<h3>{escaped(cut(row['id'], _LONG))}</h3>"
        f"<p>{_said(row['a'])}</p><p>other: {_said(row['b'])}</p></figcaption></figure>"
        for row in told
    )
    return f"<h3>Where they agree least</h3><div class=sheet>{tiles}</div>"


def _picture(picture: bytes) -> str:
    return f'<img class=picture src="{data_uri(picture)}" alt="">' if picture else ""


def _said(labels: Sequence[str] | None) -> str:
    if labels is None:
        return "failed"
    return escaped(", ".join(labels)) if labels else "nothing with a label"
