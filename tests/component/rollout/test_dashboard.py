"""The page of `kubectl viridian dashboard` in a real browser: a rollout, and what a person does to it."""

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect, sync_playwright
from tests.bench.page.stand_in import change, model, serving
from tests.component.harness.binaries import REPOSITORY
from tests.component.harness.shell import Shell
from tests.component.harness.stage import LONG, Stage
from tests.waiting import DEADLINE, eventually

PICTURES = REPOSITORY / "build" / "dashboard"
PATIENT = DEADLINE * 1000
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "these tests need chromium: run `make test-component`, which installs it"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 1400})
    opened = context.new_page()
    opened.set_default_timeout(PATIENT)
    expect.set_options(timeout=PATIENT)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    context.close()
    assert problems == []


def address_of(process: Any) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
    assert found
    return found.group()


def picture(page: Page, name: str) -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"{name}.png"
    page.screenshot(path=file, full_page=True)
    return file


def figure(page: Page, title: str) -> Locator:
    return page.locator("figure").filter(has=page.locator("figcaption").filter(has_text=re.compile(f"^{title}")))


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    serious = [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in SERIOUS
    ]
    assert serious == []


def test_a_rollout_is_watched_and_steered(stage: Stage, shell: Shell, page: Page) -> None:
    # given the page, beside a model that serves
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    command = ("kubectl", "viridian", "dashboard", "-n", stage.namespace, "--no-browser", "--allow-actions")
    with shell.running(*command, "--prometheus", stage.prometheus.url) as process:
        page.goto(address_of(process))
        expect(page.get_by_role("heading", name="Models")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="1 model")).to_be_visible()
        line = page.get_by_role("row").filter(has_text="iris")
        expect(line).to_contain_text("Stable")
        assert "token" not in page.url

        # when a version is applied, the list shows it without being loaded again
        stage.apply("v2.0.0", rollout=LONG)
        expect(line).to_contain_text("Progressing")
        expect(line).to_contain_text("20 %")
        assert_accessible(page)
        picture(page, "models")

        # when the model is opened
        page.get_by_role("link", name="iris").click()
        expect(page.get_by_role("heading", name="iris")).to_be_visible()
        expect(page.locator(".lane.green")).to_contain_text("candidate v2.0.0 (iris-2)")
        expect(page.locator(".lane.green")).to_contain_text("20 %")
        expect(figure(page, "Evidence")).to_be_visible()
        expect(figure(page, "Requests")).to_contain_text("iris-1 (stable)")
        assert_accessible(page)

        # when a person begins an action and leaves it, nothing happens
        page.get_by_role("button", name="Abort").click()
        page.get_by_role("button", name="Keep it as it is").click()
        assert "viridian.dev/command" not in stage.model["metadata"].get("annotations", {})
        # and when it is confirmed, the operator obeys
        page.get_by_role("button", name="Pause").click()
        assert_accessible(page)
        page.get_by_role("dialog").get_by_role("button", name="Pause").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        picture(page, "model")

        # when it is taken back
        page.get_by_role("button", name="Abort").click()
        page.get_by_role("dialog").get_by_role("button", name="Abort").click()
        expect(page.locator(".head")).to_contain_text("RolledBack")
        expect(page.locator("#part-history")).to_contain_text("v2.0.0 (iris-2)")

        # then it is of use on a phone and in the dark too
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert_accessible(page)
        picture(page, "phone")


def test_disagreements_with_stable_are_shown(stage: Stage, shell: Shell, page: Page) -> None:
    # given a candidate that gets copies of stable's requests, and answers some of them otherwise
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    results = itertools.cycle(["agreed"] * 7 + ["disagreed"] * 2 + ["dropped"])
    stage.users.mirrored = lambda _: next(results)
    stage.apply("v2.0.0", rollout={**LONG, "steps": [{"shadow": "50%", "hold": "10m"}, *LONG["steps"]]})
    copies = "sum by (result) (viridian_shadow_total) >= 5"
    eventually(lambda: len(stage.prometheus.query(copies)) == 3, "copies of each kind to be scraped")

    # when its model is opened
    command = ("kubectl", "viridian", "dashboard", "-n", stage.namespace, "--no-browser")
    with shell.running(*command, "--prometheus", stage.prometheus.url) as process:
        page.goto(address_of(process))
        page.get_by_role("link", name="iris").click()

        # then it says how many there are of which kind, and where to read them
        answers = page.get_by_role("region", name="Answers beside stable's")
        expect(answers).to_contain_text(re.compile(r"iris-2 got copies of \d+ requests that stable answered"))
        for kind, words in (
            ("agreed", "answered as stable did"),
            ("disagreed", "answered something else, or refused what stable takes"),
            ("dropped", "were not sent, because too many were under way"),
        ):
            line = answers.get_by_role("listitem").filter(has=page.get_by_text(kind, exact=True))
            expect(line).to_have_text(re.compile(rf"^{kind} \d+ \([\d.]+ %\) {words}$"))
        expect(answers).to_contain_text("With spec.serving.log, the prediction log has each disagreement")
        expect(page.locator(".lane.green")).to_contain_text("0 %")
        assert_accessible(page)
        picture(page, "disagreements")


def test_what_the_operator_refuses_is_said_in_its_own_words(stage: Stage, shell: Shell, page: Page) -> None:
    # given a page on which a rollout may be aborted, and a rollout that ends meanwhile
    stage.apply("v1.0.0")
    stage.reaches("Stable", "v1.0.0")
    stage.apply("v2.0.0", rollout=LONG)
    stage.reaches("Progressing")
    with shell.running(
        "kubectl", "viridian", "dashboard", "-n", stage.namespace, "--no-browser", "--allow-actions"
    ) as process:
        page.goto(address_of(process))
        page.get_by_role("link", name="iris").click()
        page.get_by_role("button", name="Pause").click()
        stage.apply("v1.0.0")
        stage.reaches("Stable", "v1.0.0")

        # when it is confirmed
        page.get_by_role("dialog").get_by_role("button", name="Pause").click()

        # then the dialog says that there is nothing to do any more
        expect(page.get_by_role("alert")).to_contain_text("there is nothing to pause")


def test_a_long_list_is_shown_in_parts_and_searched_as_a_whole(page: Page, tmp_path: Path) -> None:
    # given more models than are drawn at once
    with serving(tmp_path, (model(number, 1, 5) for number in range(450))) as (_, address):
        page.goto(address)
        lines = page.locator("table.models tbody tr")
        expect(page.get_by_role("status").filter(has_text="450 models")).to_be_visible()
        expect(lines).to_have_count(200)
        assert_accessible(page)
        # when more are asked for, they follow, and the keyboard is at the first of them
        page.get_by_role("button", name="Show 200 more of 450").press("Enter")
        expect(lines).to_have_count(400)
        expect(page.locator("table.models tbody tr:nth-child(201) a")).to_be_focused()
        page.get_by_role("button", name="Show 50 more of 450").click()
        expect(lines).to_have_count(450)
        expect(page.locator("#more")).to_be_hidden()
        # when one is searched that is not drawn, it is found
        page.reload()
        page.get_by_label("Search").fill("model-00449")
        expect(lines).to_have_count(1)
        expect(page.get_by_role("status").filter(has_text="1 of 450 models")).to_be_visible()
        # and it is drawn anew when it changes
        change(tmp_path, [model(449, 2, 25)])
        expect(lines.first).to_contain_text("25 %")
