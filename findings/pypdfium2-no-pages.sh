#!/usr/bin/env bash
# pypdfium2 5.15.2 cannot open a PDF without pages, and gives as its reason "Success".
#
# `PdfDocument.new()` has no pages yet, and `save` writes it. Seen: opening that file raises PdfiumError
# ("Failed to load document (PDFium: Success)"). PDFium reports no reason of its own here, so what is
# told is that of the load before: after a file that is no PDF it is "Data format error". Who shows the
# reason to people may show that of another file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pypdfium2==5.15.2
"$folder/venv/bin/python" - <<'PY'
import io

import pypdfium2


def saved(pages: int) -> bytes:
    """A document of so many blank pages, as pypdfium2 writes it."""
    document, file = pypdfium2.PdfDocument.new(), io.BytesIO()
    for _ in range(pages):
        document.new_page(100, 100)
    document.save(file)
    return file.getvalue()


def opened(content: bytes) -> str:
    """How many pages it has, or the error."""
    try:
        return str(len(pypdfium2.PdfDocument(content)))
    except pypdfium2.PdfiumError as error:
        return str(error)


one, none = saved(1), saved(0)
first, fine, again = opened(none), opened(one), opened(none)
other, after = opened(b"a text and no PDF"), opened(none)
print("no pages:", first, "| one page:", fine)
print("no PDF:", other, "| no pages after it:", after)
assert fine == "1"
assert first == again == "Failed to load document (PDFium: Success)."
assert other == after == "Failed to load document (PDFium: Data format error)."
PY
echo "as before: a PDF without pages fails with another's reason"
