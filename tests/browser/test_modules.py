"""The console's modules where the API is slow, away, or answers what JavaScript would change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from wherry.api.console import routes
from wherry.ops.stack import Stack

from ..support.models import model

Show = Callable[[str], Page]

#: Instead of the network: each call waits in `asked` for its answer.
WAITING = """
    const asked = [];
    window.fetch = (url, {signal} = {}) => new Promise((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason));
        asked.push({
            url: String(url),
            answer: (body) => resolve(new Response(
                body instanceof ReadableStream || typeof body === "string" ? body
                    : JSON.stringify(body),
            )),
        });
    });
    const until = async (holds) => {
        while (!holds()) await new Promise((go) => setTimeout(go, 10));
    };
"""


@pytest.fixture(scope="module")
def fleet_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A fleet of one stub."""
    folder = tmp_path_factory.mktemp("one")
    (folder / "models.toml").write_text(model("embedding"))
    with Stack(models=folder / "models.toml", data_dir=folder, flower=False) as stack:
        yield stack.url


@pytest.fixture
def run(show: Show) -> Callable[[str], Any]:
    """Run a body of JavaScript on a page of no name, before a network that waits."""
    page = show("#/nowhere")
    return lambda body: page.evaluate(f"async () => {{ {WAITING} {body} }}")


@pytest.mark.parametrize(
    ("address", "heading"),
    [
        ("#/models/100%", "100%"),
        ("#/jobs?span=between&since=yesterday&until=99999999999999999", "Jobs"),
        ("#/fleet?by=toString&sort=constructor", "Fleet"),
        ("#/constructor", "No such page"),
    ],
)
def test_no_address_takes_the_page_away(
    show: Show, heard: list[str], address: str, heading: str
) -> None:
    page = show(address)
    expect(page.locator("main h1")).to_have_text(heading)
    expect(page.get_by_role("link", name="Models", exact=True).first).to_be_visible()
    page.goto("about:blank")
    assert all("status of 40" in line for line in heard), heard  # a model, a time that is none
    heard.clear()


def test_links_to_jobs_name_the_filters_that_the_list_has() -> None:
    folder = Path(routes.__file__).parent / "static"
    files = [file for file in folder.rglob("*.js") if "vendor" not in file.parts]
    named = {name for file in files for name in re.findall(r"#/jobs\?(\w+)=", file.read_text())}
    (known,) = re.findall(r"const FILTERS = \[(.*)\]", (folder / "pages/jobs.js").read_text())
    assert named
    assert named <= set(re.findall(r"\w+", known))


def test_an_integer_that_no_number_keeps_is_shown_digit_by_digit(
    run: Callable[[str], Any],
) -> None:
    assert run("""
        const { callJson } = await import("./lib/http.js");
        const got = callJson("v2/x");
        const numbers = "[9007199254740993,-9223372036854775808,7]";
        asked[0].answer(`{"datatype":"INT64","data":${numbers},"a":1.5}`);
        return (await got).data;
    """) == ["9007199254740993", "-9223372036854775808", 7]


@pytest.mark.parametrize(
    ("cell", "sent"), [("12", 12), ("1.5", 1.5), ("9007199254740993", "9007199254740993")]
)
def test_a_cell_is_sent_as_it_was_written(
    run: Callable[[str], Any], cell: str, sent: object
) -> None:
    assert (
        run(f"""
        const {{ RecordControl }} = await import("./widgets/controls/record.js");
        const control = new RecordControl({{ name: "row", content: "json", datatype: "BYTES" }});
        control.cells = [{{ column: "id", cell: "{cell}" }}];
        return JSON.parse(control.tensors()[0].data[0]).id;
    """)
        == sent
    )


def test_an_answer_that_comes_too_late_is_not_taken(run: Callable[[str], Any]) -> None:
    assert run("""
        const { Source } = await import("./lib/source.js");
        const { useKey } = await import("./lib/http.js");
        const source = new Source(() => ({ path: "v2/x" }));
        const both = [source.refresh(), source.refresh()];
        asked[1].answer(2);
        asked[0].answer(1);
        await Promise.all(both);
        const seen = [source.value];
        const last = source.refresh();
        useKey("another", false);
        asked[2].answer(3);
        await last;
        return [...seen, source.value];
    """) == [2, None]


LIST = """
    const { JobList } = await import("./lib/job_list.js");
    const job = (n) =>
        ({ id: `j${n}`, created_at: `t${String(n).padStart(2, "0")}`, status: "queued" });
    const jobs = (from, to) => Array.from({ length: from - to + 1 }, (_, at) => job(from - at));
    const list = new JobList(new URLSearchParams(), () => true);
    const end = new AbortController();
    void list.keep(end.signal);
    let events;
    asked[0].answer(new ReadableStream({ start: (controller) => { events = controller; } }));
    const say = (told) => events.enqueue(
        new TextEncoder().encode(`event: jobs\\ndata: ${JSON.stringify(told)}\\n\\n`),
    );
    say({ jobs: [], missed: 0 });
    await until(() => asked.length === 2);
    asked[1].answer({ jobs: jobs(9, 5), next: "5" });
    await until(() => list.read && !list.loading);
"""


def test_an_older_page_that_comes_after_a_newer_head_leaves_no_hole(
    run: Callable[[str], Any],
) -> None:
    assert run(f"""{LIST}
        const older = list.more();
        say({{ jobs: [], missed: 7 }});
        await until(() => asked.length === 4);
        asked[3].answer({{ jobs: jobs(30, 26), next: "26" }});
        await until(() => !list.loading);
        asked[2].answer({{ jobs: jobs(4, 1), next: null }});
        await older;
        end.abort();
        return [list.jobs.map((job) => job.id), list.next];
    """) == [["j30", "j29", "j28", "j27", "j26"], "26"]


def test_jobs_that_redis_has_lost_leave_the_list(run: Callable[[str], Any]) -> None:
    assert run(f"""{LIST}
        say({{ jobs: [], missed: 1 }});
        await until(() => asked.length === 3);
        say({{ jobs: jobs(11, 11), missed: 0 }});
        await until(() => list.jobs.length === 6);
        asked[2].answer({{ jobs: [], next: null }});
        await until(() => !list.loading);
        end.abort();
        return list.jobs.map((job) => job.id);
    """) == ["j11"]


@pytest.mark.parametrize("name", ["Camera", "Microphone"])
def test_what_is_allowed_after_its_page_was_left_is_let_go(
    run: Callable[[str], Any], name: str
) -> None:
    assert run(f"""
        const {{ {name} }} = await import("./widgets/controls/{name.lower()}.js");
        let allow, stopped = 0;
        const asking = new Promise((resolve) => {{ allow = resolve; }});
        navigator.mediaDevices.getUserMedia = () => asking;
        const device = new {name}(() => undefined);
        const opened = device.open();
        device.close();
        allow({{ getTracks: () => [{{ stop: () => {{ stopped += 1; }} }}] }});
        await opened;
        return [stopped, device.stream];
    """) == [1, None]


def test_a_browser_that_keeps_nothing_shows_the_page(page: Page, fleet_url: str) -> None:
    page.add_init_script("""for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, {
            get() { throw new DOMException("no", "SecurityError"); },
        });
    """)
    page.goto(f"{fleet_url}/console/#/nowhere")
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def failing(times: int) -> Callable[[Route], None]:
    """Answer that the service is away so often, then let through."""
    left = [times]

    def handle(route: Route) -> None:
        left[0] -= 1
        if left[0] < 0:
            route.continue_()
        else:
            route.fulfill(status=503, json={"error": "away", "error_type": "unavailable"})

    return handle


def test_who_asks_is_known_once_the_api_is_back(
    page: Page, fleet_url: str, heard: list[str]
) -> None:
    page.route("**/v2/caller", failing(1))
    page.goto(f"{fleet_url}/console/#/nowhere")
    expect(page.get_by_role("link", name="Access")).to_be_visible()
    assert len(heard) == 1
    heard.clear()


def test_a_models_page_goes_on_once_the_api_is_back(
    page: Page, fleet_url: str, heard: list[str]
) -> None:
    page.route("**/v2/models/embedding", failing(2))  # the card's, and the widget's
    page.goto(f"{fleet_url}/console/#/models/embedding")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible(timeout=20_000)
    expect(page.get_by_role("heading", name="What it is")).to_be_visible()
    heard.clear()


@pytest.fixture
def ended(fleet_url: str) -> str:
    """The id of a job that has ended."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["é"]}
    with httpx.Client(base_url=fleet_url, timeout=30) as http:
        job = http.post("/v2/models/embedding/jobs", json={"inputs": [tensor]}).json()
        assert http.get(f"{job['status_url']}?wait=20").json()["status"] == "succeeded"
    return str(job["id"])


def test_an_answer_that_could_not_be_read_is_read_again(
    page: Page, fleet_url: str, heard: list[str], ended: str
) -> None:
    page.route("**/result", failing(1))
    page.goto(f"{fleet_url}/console/#/jobs/{ended}")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".answer")).to_be_visible()
    heard.clear()


def test_a_job_is_run_again_byte_for_byte(show: Show, fleet_url: str, ended: str) -> None:
    page = show(f"#/jobs/{ended}")
    stored = httpx.get(f"{fleet_url}/v2/jobs/{ended}/request?binary=true")
    with page.expect_request(lambda request: request.method == "POST") as sent:
        page.get_by_role("button", name="Run again as a new job").click()
    assert sent.value.post_data_buffer == stored.content
    expect(page.locator("h1")).not_to_have_text(ended)
    expect(page.get_by_text("succeeded").first).to_be_visible()


def test_an_answer_with_numbers_that_are_none_is_read_in_binary(
    run: Callable[[str], Any],
) -> None:
    assert run("""
        const { unpacked } = await import("./lib/exact_answer.js");
        const { number } = await import("./lib/format.js");
        const tensor = (datatype, size, shape) =>
            ({ name: datatype, datatype, shape, parameters: { binary_data_size: size } });
        const told = JSON.stringify({ outputs: [
            tensor("FP32", 12, [1, 3]), tensor("BYTES", 7, [1]), tensor("FP16", 6, [1, 3]),
            tensor("INT64", 8, [1]),
        ] });
        const head = new TextEncoder().encode(told);
        const raw = new DataView(new ArrayBuffer(33));
        [1.5, NaN, -Infinity].forEach((value, at) => raw.setFloat32(4 * at, value, true));
        raw.setUint32(12, 3, true);
        new Uint8Array(raw.buffer).set(new TextEncoder().encode("€"), 16);
        [0x3c00, 0x7e00, 0x0001].forEach((bits, at) => raw.setUint16(19 + 2 * at, bits, true));
        raw.setBigInt64(25, 9007199254740993n, true);
        const body = await new Blob([head, raw]).arrayBuffer();
        const { outputs, parameters } = unpacked(body, head.length);
        const shown = outputs[0].data.map(number);
        const rest = [outputs[1].data[0], String(outputs[2].data), outputs[3].data[0]];
        return [shown, rest, parameters.warning];
    """) == [
        ["1.5", "–", "−∞"],
        ["€", "1,NaN,5.960464477539063e-8", "9007199254740993"],
        "It holds numbers that are none (NaN) or infinite.",
    ]


def test_names_in_help_texts_are_drawn_as_code(run: Callable[[str], Any]) -> None:
    assert run("""
        const { render } = await import("./vendor/lit-html/lit-html.js");
        const { coded } = await import("./lib/code_words.js");
        const drawn = (text) => {
            const root = document.createElement("p");
            render(coded(text), root);
            return root.innerHTML.replace(/<!--.*?-->/g, "");
        };
        return [drawn("logits as `mask_logits` <b>"), drawn("a ` alone"), drawn(undefined)];
    """) == ["logits as <code>mask_logits</code> &lt;b&gt;", "a ` alone", ""]


PAGES = """
    const { RowPages } = await import("./lib/row_pages.js");
    const rows = new RowPages(({ after, limit }) => `v2/x?after=${after}&limit=${limit}`);
    const page = (from, count) => ({
        rows: Array.from({ length: count }, (_, at) => ({ index: from + at })),
        after: String(from + count),
    });
    const read = async () => {
        const more = rows.more();
        const { url, answer } = asked.at(-1);
        answer(page(Number(new URL(url).searchParams.get("after") || 0), 100));
        await more;
    };
"""


def test_pages_that_were_let_go_are_read_anew_when_they_come_into_sight(
    run: Callable[[str], Any],
) -> None:
    assert run(f"""{PAGES}
        for (let at = 0; at < 40; at++) await read();
        const [newest, gone] = [rows.at(3999).index, rows.at(5)];
        const {{ url, answer }} = asked.at(-1);
        answer(page(0, 100));
        await until(() => rows.at(5));
        return [rows.length, newest, gone ?? null, new URL(url).search, rows.at(5).index];
    """) == [4000, 3999, None, "?after=&limit=100", 5]


def test_a_sheet_goes_on_where_its_last_page_ended(run: Callable[[str], Any]) -> None:
    assert run(f"""{PAGES}
        await read();
        const last = rows.more();
        asked.at(-1).answer({{ ...page(100, 20), after: null }});
        await last;
        const before = [rows.length, rows.ended];
        const more = rows.goOn();
        const {{ url, answer }} = asked.at(-1);
        answer({{ ...page(100, 60), after: null }});
        await more;
        return [...before, new URL(url).search, rows.length, rows.at(159).index];
    """) == [120, True, "?after=100&limit=100", 160, 159]
