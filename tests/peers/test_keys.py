"""Others' clients, unchanged, with our API keys where they put their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from wherry.api.access.keys import make, toml_entry
from wherry.ops.stack import Stack

from ..support.models import model
from .conftest import Environment
from .test_openai import PACKAGE

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

MODELS = model("embedding")

ACME = make(tenant="acme", scopes=["submit", "read"])
BETA = make(tenant="beta", scopes=["submit", "read"])
READER = make(tenant="acme", scopes=["read"])

OPENAI = """
import json, sys
import openai

url, acme, beta, reader = sys.argv[1:]


def client(key):
    return openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)


def refusal(call):
    try:
        call()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.code, error.body["message"]]


def embed(key):
    return client(key).embeddings.create(model="embedding", input="one")


file = client(acme).files.create(file=("a.jsonl", b"{}\\n"), purpose="batch")
print(json.dumps({
    "vectors": len(embed(acme).data),
    "models": [model.id for model in client(reader).models.list()],
    "none": refusal(lambda: embed("EMPTY")),
    "reader": refusal(lambda: embed(reader)),
    "others": refusal(lambda: client(beta).files.retrieve(file.id)),
    "mine": client(reader).files.retrieve(file.id).id == file.id,
    "theirs": [one.id for one in client(beta).files.list()],
}))
"""


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("keyed")
    models, keys = folder / "models.toml", folder / "keys.toml"
    models.write_text(MODELS)
    keys.write_text("\n".join(toml_entry(made.key) for made in (ACME, BETA, READER)))
    env = {"WHERRY_API_KEYS": str(keys)}
    with Stack(models=models, data_dir=folder, flower=False, env=env) as stack:
        yield stack


def test_openais_client_gets_by_with_a_key(keyed: Stack, environment: Environment) -> None:
    python = environment("openai", PACKAGE)
    tokens = [made.token for made in (ACME, BETA, READER)]
    done = subprocess.run(
        [python, "-c", OPENAI, keyed.url, *tokens], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    saw = json.loads(done.stdout)
    assert (saw["vectors"], saw["models"]) == (1, ["embedding"])
    assert saw["none"][:2] == ["AuthenticationError", "unauthorized"]
    assert saw["reader"][:2] == ["PermissionDeniedError", "forbidden"]
    assert "scope 'submit'" in saw["reader"][2]
    assert saw["others"][0] == "NotFoundError"
    assert (saw["mine"], saw["theirs"]) == (True, [])
