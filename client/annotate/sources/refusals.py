"""What a place that answered means by its error: a path's own fault, or the whole place's.

Each cloud's library has errors of its own; all of them tell the status of HTTP somewhere.
"""

from __future__ import annotations

#: Statuses that are about the place or the moment: who asks is unknown, too much was asked.
_OF_THE_PLACE = (401, 408, 409, 425, 429)

#: Codes of 400 and 403 that are about who asks, and from where, whatever is asked for.
_CREDENTIALS = (
    "AuthenticationFailed",
    "AuthorizationFailure",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidAuthenticationInfo",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
)


def refused(error: BaseException) -> str:
    """Why a path was refused for its own sake; "" for what may be gone later."""
    status = _status(error)
    if is_unknown(error) or not 400 <= status < 500 or status in _OF_THE_PLACE:
        return ""
    if status == 404:
        return "there is no such file"
    return "permission denied" if status == 403 else _first_line(error)


def is_unknown(error: BaseException) -> bool:
    """Whether the credentials are refused, and not this path: another one would be, too."""
    code = getattr(error, "error_code", None)  # azure.core's
    answer = getattr(error.__cause__, "response", None)  # botocore's, behind s3fs's OSError
    if isinstance(answer, dict):
        code = answer.get("Error", {}).get("Code")
    return _status(error) == 401 or str(getattr(code, "value", code)) in _CREDENTIALS


def _status(error: BaseException) -> int:
    """The status that an error tells: azure.core's `status_code`, gcsfs's `code`; 0 for none."""
    for name in ("status_code", "code"):
        value = str(getattr(error, name, ""))
        if value.isascii() and value.isdigit():
            return int(value)
    # gcsfs has the type of a file's error for it, and no more.
    return 403 if isinstance(error, OSError) and str(error).startswith("Forbidden: ") else 0


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
