#!/usr/bin/env bash
# Celery 5.7.0: `app.worker_main` ends with status 0 where the `celery` command ends with another.
#
# A receiver of `celeryd_after_setup` that raises SystemExit(3) is how a worker says that it cannot
# start. Seen: the command line ends with 3; the same worker by `app.worker_main` ends with 0, so
# that a supervisor takes a worker that never started for one that was told to stop.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet celery==5.7.0
cd "$folder"
cat >fleet.py <<'PY'
from celery import Celery, signals

app = Celery("fleet", broker="memory://")


@signals.celeryd_after_setup.connect
def refuse(**_: object) -> None:
    raise SystemExit(3)


if __name__ == "__main__":
    app.worker_main(["worker", "--pool=solo", "--loglevel=ERROR"])
PY
status=0
venv/bin/python -W ignore -m celery -A fleet worker --pool=solo --loglevel=ERROR || status=$?
main=0
venv/bin/python -W ignore fleet.py || main=$?
echo "celery worker: $status, app.worker_main: $main"
[ "$status" = 3 ] && [ "$main" = 0 ]
echo "as before: worker_main drops the status"
