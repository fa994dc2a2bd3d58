"""Model references: what each form names, and one clear line for what names nothing."""

import json
from pathlib import Path

import pytest

from blocks.endpoint import ModelEndpoint
from blocks.errors import QuotaExhausted, UsageError
from blocks.records import Message, Request
from tasks.models.complete import complete
from tasks.models.recorded import serve
from tasks.models.recording import load
from tasks.models.references import Model, grown, open_model, resolve

REQUEST = Request(messages=(Message(role="user", content="?"),))
KEY = "sk-secret-0123456789"
VARIABLES = ("OPENAI_API_BASE", "OPENAI_API_BASE_2", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    path = tmp_path / "replies.jsonl"
    lines = [{"content": "of a", "model": "org/a"}, {"content": "of b", "model": "b"}]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def endpoint_of(model: Model) -> ModelEndpoint:
    assert model.endpoint is not None
    return model.endpoint


# Recorded replies


async def test_a_file_of_recorded_replies(replies: Path):
    model = await resolve(f"recorded:{replies}")
    assert (model.name, model.endpoint, model.recorded_model) == ("replies", None, None)
    assert model.pool == f"recorded:{replies}@{load(replies).digest}"
    async with open_model(model) as endpoint:
        assert endpoint.recorded
        assert (await complete(endpoint, REQUEST)).text == "of a"
        assert await endpoint.models() == ["org/a", "b"]


async def test_one_model_of_the_file(replies: Path):
    for name, short in (("org/a", "a"), ("b", "b")):
        model = await resolve(f"recorded:{replies}#{name}")
        assert (model.name, model.recorded_model) == (short, name)
        async with open_model(model) as endpoint:
            reply = await complete(endpoint, REQUEST)
            assert (reply.text, reply.model, reply.endpoint) == (f"of {short}", name, short)
            assert await endpoint.models() == [name]


async def test_a_file_that_changes_is_another_pool(replies: Path):
    before = await resolve(f"recorded:{replies}")
    replies.write_text(replies.read_text() + '\n{"content": "more"}')
    assert (await resolve(f"recorded:{replies}")).pool != before.pool


@pytest.mark.parametrize("provider", ["dashscope", "openai"])
async def test_a_recorded_quota_ends_as_its_provider_says(tmp_path: Path, provider: str):
    path = tmp_path / "quota.jsonl"
    path.write_text(f'{{"quota": {{"m": 1}}, "provider": "{provider}"}}\n{{"content": "hi", "model": "m"}}')
    async with open_model(await resolve(f"recorded:{path}#m")) as endpoint:
        assert (await complete(endpoint, REQUEST)).text == "hi"
        with pytest.raises(QuotaExhausted):
            await complete(endpoint, REQUEST)


# Servers


async def test_a_model_behind_a_url(replies: Path):
    async with serve(load(replies)) as server:
        model = await resolve(f"{server.url}/#org/b")
        assert (model.name, model.pool) == ("b", f"{server.url}#org/b")
        async with open_model(model) as endpoint:
            assert not endpoint.recorded
            await endpoint.models()
            assert endpoint.recorded, "a recorded server is known by what it says, however it is named"
            assert (await complete(endpoint, REQUEST)).text == "of a"


async def test_the_key_and_the_provider_of_a_url(monkeypatch: pytest.MonkeyPatch):
    assert endpoint_of(await resolve("http://h/v1#m")).key == "EMPTY"
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = await resolve("https://dashscope.aliyuncs.com/compatible-mode/v1#qwen3-coder-plus")
    assert endpoint_of(model).key == KEY
    assert endpoint_of(model).spoken_provider == "dashscope"
    assert endpoint_of(await resolve("http://h/v1#m", provider="gemini")).spoken_provider == "gemini"
    assert KEY not in repr(model)
    assert KEY not in model.pool


@pytest.mark.parametrize("reference", ["/path/to/model", "Qwen/Qwen2.5-Coder-0.5B-Instruct", "GPT_4", "a b"])
async def test_any_other_text_is_a_model_at_openai_api_base(monkeypatch: pytest.MonkeyPatch, reference: str):
    monkeypatch.setenv("OPENAI_API_BASE", "http://one:8000/v1/")
    for number in (1, 2):
        model = await resolve(reference, number=number)
        assert endpoint_of(model).base_url == "http://one:8000/v1"
        assert endpoint_of(model).model == reference
        assert model.name == reference.rpartition("/")[2]
        assert model.pool == f"http://one:8000/v1#{reference}"
    monkeypatch.setenv("OPENAI_API_BASE_2", "http://two:8000/v1")
    assert endpoint_of(await resolve(reference, number=1)).base_url == "http://one:8000/v1"
    assert endpoint_of(await resolve(reference, number=2)).base_url == "http://two:8000/v1"
    monkeypatch.setenv("OPENAI_API_BASE_2", "")
    assert endpoint_of(await resolve(reference, number=2)).base_url == "http://one:8000/v1"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("p=failover(a=u#a, b=u#b)", "p=failover(a=u#a, b=u#b)", True),
        ("p=failover(a=u#a, b=u#b)", "p=failover(a=u#a, c=u#c(1), b=u#b)", True),
        ("p=failover(a=u#a, b=u#b)", "p=failover(a=u#a)", False),
        ("p=failover(a=u#a)", "p=failover(a=u#x, b=u#b)", False),
        ("p=failover(a=u#a)", "p=round_robin(a=u#a, b=u#b)", False),
        ("p=failover(a=u#a)", "q=failover(a=u#a, b=u#b)", False),
        ("a=u#a", "a=u#a, b", False),
        ("recorded:a@1", "recorded:a@2", False),
    ],
)
def test_a_pool_that_has_grown_is_no_other(old: str, new: str, same: bool):
    assert grown(old, new) is same


async def test_model_2_may_have_the_only_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_BASE_2", "http://two/v1")
    assert endpoint_of(await resolve("/m", number=2)).base_url == "http://two/v1"
    with pytest.raises(UsageError, match="OPENAI_API_BASE is not set"):
        await resolve("/m", number=1)


# What names nothing


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("recorded:missing.jsonl", "there is no file 'missing.jsonl'"),
        ("recorded:missing.jsonl#m", "there is no file 'missing.jsonl'"),
        ("recorded:", "there is no file ''"),
        ("recorded:/", "there is no file '/'"),
        ("recorded:{replies}#c", "has no replies of 'c'; it has org/a, b"),
        ("recorded:{broken}", "broken.jsonl, line 2: no JSON"),
        ("recorded:{empty}", "holds no reply"),
        ("http://h/v1", "as in http://h/v1#MODEL"),
        ("http://h/v1#", "as in http://h/v1#MODEL"),
        ("https://#m", "is not an http(s) URL"),
        ("http://me:hunter2@h/v1#m", "give the key as api_key"),
        ("/path/to/model", "OPENAI_API_BASE is not set"),
        ("ftp://h/v1#m", "is no http(s) URL"),
        ("localhost:8000#m", "write http://HOST:PORT/v1#MODEL"),
    ],
)
async def test_what_names_nothing_is_one_line(replies: Path, reference: str, named: str):
    broken, empty = replies.with_name("broken.jsonl"), replies.with_name("empty.jsonl")
    broken.write_text('{"content": "hi"}\n{"content": ')
    empty.write_text("\n\n")
    with pytest.raises(UsageError) as caught:
        await resolve(reference.format(replies=replies, broken=broken, empty=empty))
    message = str(caught.value)
    assert named in message
    assert len(message.splitlines()) == 1
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("variables", "provider", "named"),
    [
        ({"OPENAI_API_BASE": "localhost:8000"}, "auto", "'localhost:8000' is not an http(s) URL"),
        ({"OPENAI_API_BASE": "http://h/v1", "OPENAI_API_KEY": "sk-ключ"}, "auto", "api_key holds characters"),
        ({"OPENAI_API_BASE": "http://h/v1"}, "acme", "provider: Input should be"),
    ],
)
async def test_an_environment_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], provider: str, named: str
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        await resolve("/m", provider=provider)
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert "ключ" not in str(caught.value)
