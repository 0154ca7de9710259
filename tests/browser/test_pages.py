"""The built book as a reader meets it: every page, on a desktop and on a phone, light and dark.

Each page is opened once on a desktop and once on a phone, and everything is asked of it there.
Screenshots of all of them go to _build/screenshots, for a person to look at.
"""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.helpers import DESKTOP, HTML, PHONE, ROOT, SCREENSHOTS
from tests.helpers.reader_code import nan_cells
from tools import toc

PAGES = toc.pages()
PLAIN, MOVING = 1_000_000, 2_500_000  # bytes a page may weigh, compressed


@pytest.fixture(scope="module", params=PAGES)
def desktop(request, visit):
    with visit(f"{request.param}.html", **DESKTOP) as seen:
        yield seen


@pytest.fixture(scope="module", params=PAGES)
def phone(request, visit):
    with visit(f"{request.param}.html", **PHONE) as seen:
        yield seen


def test_a_page_loads_whole_and_from_the_book_alone(desktop):
    assert desktop.status == 200
    assert desktop.failures == []
    assert desktop.outside == [], "the page asks the network for these"
    assert desktop.console == []


def test_a_page_is_light(desktop):
    moves = (
        desktop.page.locator("article")
        .locator(".lossbook-widget:not(.lossbook-quiz), canvas, img[src$='.gif']")
        .count()
    )
    assert desktop.weight() <= (MOVING if moves else PLAIN)


def test_a_page_stays_where_it_is_while_it_loads(desktop):
    """Cumulative layout shift; 0.25 counts as poor, and 0.1 is a line of text that wraps anew."""
    assert desktop.shifted < 0.2


def test_a_page_that_moves_is_seen(visit):
    with visit("book/references.html", **DESKTOP) as seen:
        seen.page.evaluate("""() => { const box = document.createElement("div");
            box.style.height = "400px"; document.querySelector("article").prepend(box); }""")
        seen.page.wait_for_function("window.shifted > 0.1")


def test_a_page_that_was_read_has_a_tick(visit):
    with visit("notebooks/13_imperfect_data.html", **DESKTOP) as seen:
        ticked = seen.page.locator(".bd-links .was-read")
        assert ticked.count() == 0
        seen.page.locator(".prev-next-footer").scroll_into_view_if_needed()
        ticked.wait_for()
        assert "Imperfect data" in ticked.inner_text()
        seen.page.goto(f"{seen.site}/book/index.html")
        seen.page.locator("a.card-of-page .was-read").wait_for()


def test_a_page_says_what_it_is_about(desktop):
    assert desktop.page.locator("html").get_attribute("lang") == "en"
    said = dict(
        desktop.page.locator("meta[content]").evaluate_all(
            "tags => tags.map(tag => [tag.name || tag.getAttribute('property'), tag.content])"
        )
    )
    about = toc.description(desktop.path.removesuffix(".html"))
    assert said["description"] == said["og:description"] == about
    assert said["og:title"] in desktop.page.title()
    address = desktop.page.locator("link[rel=canonical]").get_attribute("href")
    assert (
        said["og:url"] == address
        and address.startswith("https://")
        and address.endswith(f"/{desktop.path}")
    )
    picture = said["og:image"].removeprefix(address.removesuffix(desktop.path))
    assert (HTML / picture).is_file() and described(said["og:image:alt"])


@pytest.mark.parametrize("page", PAGES)
def test_a_missing_number_in_a_table_is_not_nan(page):
    html = (HTML / f"{page}.html").read_text(encoding="utf-8")
    assert nan_cells(html) == []


def test_no_id_stands_twice_on_a_page(desktop):
    ids = desktop.page.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert [one for one in set(ids) if ids.count(one) > 1] == []


def test_mathjax_comes_only_with_formulas(desktop):
    needed = desktop.page.locator("article .math").count() > 0
    assert any("mathjax" in response.url for response in desktop.responses) == needed


def test_no_two_pages_are_about_the_same():
    assert len({toc.description(page) for page in PAGES}) == len(PAGES)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_desktop_page_is_accessible(desktop, scheme):
    assert serious(desktop, scheme) == []


def test_a_phone_page_is_accessible(phone):
    assert serious(phone, "light") == []


def serious(seen, scheme):
    """What axe finds wrong on a page and calls serious or critical: (rule, element, what to do)."""
    turn(seen.page, scheme)
    return [
        (broken["id"], node["html"], node["failureSummary"])
        for broken in Axe().run(seen.page).response["violations"]
        if broken["impact"] in ("serious", "critical")
        for node in broken["nodes"]
    ]


def test_serious_sees_a_nameless_button(visit):
    with visit("book/references.html", **DESKTOP) as seen:
        seen.page.evaluate(
            "document.querySelector('article').append(document.createElement('button'))"
        )
        assert [rule for rule, *_ in serious(seen, "light")] == ["button-name"]


def test_formulas_are_set_without_errors(desktop):
    formulas = desktop.page.locator("article .math")
    assert formulas.count() == desktop.page.locator("article .math mjx-container").count()
    assert (
        desktop.page.locator("article [data-mjx-error]").evaluate_all(
            "errors => errors.map(error => error.dataset.mjxError)"
        )
        == []
    )


def test_a_formula_fits_a_desktop_page(desktop):
    assert wide_formulas(desktop.page) == []


def test_a_formula_fits_a_phone(phone):
    assert wide_formulas(phone.page) == []


def wide_formulas(page):
    """The displayed formulas that are wider than their place, with every closed box opened."""
    page.evaluate("""() => {
        document.querySelectorAll("details").forEach(box => box.open = true);
        document.querySelectorAll(".toggle-hidden").forEach(
            box => box.classList.remove("toggle-hidden")); }""")
    page.wait_for_timeout(300)
    return page.locator('mjx-container[display="true"]').evaluate_all(
        """formulas => formulas
            .filter(formula => formula.scrollWidth > formula.clientWidth + 1)
            .map(formula => formula.parentElement.id)"""
    )


def test_a_wide_formula_is_seen(visit):
    with visit("notebooks/15_one_softmax.html", **PHONE) as seen:
        assert wide_formulas(seen.page) == []
        seen.page.add_style_tag(content="mjx-math { width: 900px !important }")
        assert len(wide_formulas(seen.page)) > 5


def test_headings_are_smaller_the_deeper_they_stand(desktop):
    sizes = desktop.page.evaluate("""() => ["h1", "h2", "h3"]
        .map(level => document.querySelector(`.bd-article ${level}`))
        .filter(heading => heading)
        .map(heading => getComputedStyle(heading))
        .map(style => [parseFloat(style.fontSize), parseFloat(style.fontWeight)])""")
    for (larger, bolder), (smaller, lighter) in zip(sizes, sizes[1:], strict=False):
        assert larger > 1.2 * smaller and bolder >= lighter


def test_pictures_are_there_and_described(desktop):
    pictures = desktop.page.locator("article img").evaluate_all(
        """async images => {
            images.forEach(image => image.loading = "eager");
            await Promise.allSettled(images.map(image => image.decode()));
            return images.map(image =>
                ({alt: image.alt, width: image.naturalWidth, source: image.src})); }"""
    )
    assert [picture for picture in pictures if picture["width"] == 0] == [], "not loaded"
    assert [picture for picture in pictures if not described(picture["alt"])] == [], (
        "no alt text: mystnb: image: alt in the cell's metadata"
    )


def described(alt):
    return len(alt) >= 20 and " " in alt and not re.search(r"[0-9a-f]{32}", alt)


def test_described_tells_words_from_a_file_name():
    assert described("Test embeddings in the plane, ten classes as ten rays")
    assert not described("")
    assert not described("figure")
    assert not described("../_images/" + "0f" * 32 + ".png")


def test_a_phone_page_does_not_scroll_sideways(phone):
    excess, wide = phone.page.evaluate("""() => {
        const width = document.documentElement.clientWidth;
        const boxed = e => e && e.tagName !== "ARTICLE" &&
            (getComputedStyle(e).overflowX !== "visible" || boxed(e.parentElement));
        const wide = [...document.querySelectorAll("article *")].filter(
            e => e.getBoundingClientRect().right > width + 1 && !boxed(e.parentElement));
        const shown = wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120));
        return [document.documentElement.scrollWidth - width, shown]; }""")
    assert excess <= 0, f"the page is {excess} px too wide; sticking out: {wide}"


def test_a_desktop_page_follows_the_reader_into_the_dark(desktop):
    photograph(desktop, "desktop")


def test_a_phone_page_follows_the_reader_into_the_dark(phone):
    photograph(phone, "phone")


def photograph(seen, window):
    name = seen.path.removesuffix(".html").replace("/", "-")
    for scheme in ("light", "dark"):
        turn(seen.page, scheme)
        seen.page.screenshot(path=SCREENSHOTS / f"{name}-{window}-{scheme}.png", full_page=True)


def turn(page, scheme):
    """Let the reader's system turn light or dark, and wait until the page has followed."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(
        "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
    )
    page.wait_for_function(
        "() => document.getAnimations().every(one => one.playState !== 'running')"
    )


def test_the_theme_switch_turns_a_page_dark(visit):
    with visit(f"{PAGES[0]}.html", color_scheme="light", **DESKTOP) as seen:
        for _ in range(3):  # it goes round: auto, light, dark
            if seen.page.locator("html").get_attribute("data-theme") == "dark":
                break
            seen.page.locator("button.theme-switch-button").first.click()
        assert seen.page.locator("html").get_attribute("data-theme") == "dark"
        assert brightness(seen.page, "backgroundColor") < 64


def test_a_dark_page_is_printed_dark_on_white(visit):
    with visit("notebooks/01_softmax.html", color_scheme="dark", **DESKTOP) as seen:
        assert brightness(seen.page, "backgroundColor") < 64 < 128 < brightness(seen.page, "color")
        seen.page.emulate_media(media="print")
        seen.page.wait_for_function("() => document.documentElement.dataset.theme === 'light'")
        assert brightness(seen.page, "color") < 96
        seen.page.emulate_media(media="screen")
        seen.page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")


def brightness(page, color):
    return max(
        page.evaluate(
            """color => getComputedStyle(document.body)[color]
                .match(/\\d+/g).slice(0, 3).map(Number)""",
            color,
        )
    )


def test_the_root_leads_to_the_front_page(visit):
    with visit("index.html", **DESKTOP) as seen:
        seen.page.wait_for_url(f"**/{PAGES[0]}.html")


def test_the_address_of_the_explorer_holds_its_setting(visit):
    with visit("book/explorer.html?m2=0.5&scale=32&C=20&nonsense=1", **DESKTOP) as seen:
        sliders = seen.page.locator("[data-setting]")
        values = sliders.evaluate_all("all => all.map(one => [one.dataset.setting, +one.value])")
        shown = {"m1": 1, "m2": 0.5, "m3": 0, "scale": 32, "C": 20, "d": 2}
        assert dict(values).items() >= shown.items()
        seen.page.locator('[data-setting="m2"]').press("ArrowRight")
        assert "m2=0.51" in seen.page.url and "scale=32" in seen.page.url


def test_search_finds_arcface(visit):
    with visit("search.html?q=ArcFace", **DESKTOP) as seen:
        results = seen.page.locator("#search-results li a")
        results.first.wait_for()
        seen.page.wait_for_timeout(1000)
        assert results.count() >= 2
        assert "notebooks/06_arcface.html" in results.first.get_attribute("href")
        said = seen.page.locator("#search-results").inner_text()
        assert "a margin in the angle" in said and "\\(" not in said and ".pdf" not in said


@pytest.mark.parametrize("page", toc.chapters())
def test_a_phone_gets_figures_for_its_width_and_nothing_moves_or_is_stretched(page, visit):
    with visit(f"{page}.html", **PHONE) as phone, visit(f"{page}.html", **DESKTOP) as desktop:
        shown = "img[width]:not(.lb-still)"  # a panel that runs hides its still picture
        figures = f"""() => [...document.querySelectorAll(".cell_output {shown}")]
            .map(image => ({{
                path: image.currentSrc, wide: image.getAttribute("src"),
                reserved: image.getBoundingClientRect().height,
            }}))"""
        load = f"""async () => {{
            const figures = [...document.querySelectorAll(".cell_output {shown}")];
            figures.forEach(figure => figure.loading = "eager");
            await Promise.all(figures.map(figure => figure.decode()));
            return figures.map(figure =>
                figure.naturalWidth / figure.naturalHeight
                * figure.clientHeight / figure.clientWidth);
        }}"""
        unfold = """() => document.querySelectorAll("details").forEach(
            details => details.open = true)"""
        for seen in (phone, desktop):
            seen.page.evaluate(unfold)
            before = seen.page.evaluate(figures)
            stretched = seen.page.evaluate(load)
            assert stretched == pytest.approx([1] * len(stretched), rel=0.01)
            after = seen.page.evaluate(figures)
            assert before and [one["reserved"] for one in before] == pytest.approx(
                [one["reserved"] for one in after], abs=1
            )
            narrow = ["/narrow-" in one["path"] for one in after]
            assert any(narrow) == (seen is phone)


def test_a_figure_opens_large_and_closes(visit):
    with visit("notebooks/01_softmax.html", **PHONE) as seen:
        figure = seen.page.locator(".figure-opener").first
        small = figure.locator("img").bounding_box()["width"]
        figure.click()
        large = seen.page.locator(".lightbox img")
        assert large.bounding_box()["width"] > 1.5 * small
        assert described(large.get_attribute("alt"))
        seen.page.keyboard.press("Escape")
        assert large.count() == 0 and not seen.page.locator(".lightbox").is_visible()


# What has a number: as the page shows it, as the notebook does, and the least number of them.
NUMBERED = {
    "equations": (r'class="eqno">\(([\d.]+)\)', r"\\\\tag\{([\d.]+)\}", 1),
    "figures": (r'class="caption-number">Fig\. ([\d.]+)', r'"\*\*Fig\. ([\d.]+)\.\*\*', 1),
    "exercises": (r'class="caption-number">Exercise ([\d.]+)', r"\*\*Exercise ([\d.]+)\*\*", 4),
}


@pytest.mark.parametrize("kind", NUMBERED)
@pytest.mark.parametrize("page", toc.chapters())
def test_a_notebook_numbers_what_it_shows_as_the_page_does(page, kind):
    on_page, in_notebook, least = NUMBERED[kind]
    html = (HTML / f"{page}.html").read_text(encoding="utf-8")
    notebook = (ROOT / f"{page}.ipynb").read_text(encoding="utf-8")
    numbers = re.findall(on_page, html)
    assert len(numbers) >= least and re.findall(in_notebook, notebook) == numbers
    if kind == "exercises":
        solved = re.findall(r"Solution to Exercise ([\d.]+)", notebook)
        assert list(dict.fromkeys(solved)) == numbers


@pytest.mark.parametrize("page", toc.chapters())
def test_a_solution_is_folded_until_the_reader_opens_it(page, visit):
    with visit(f"{page}.html", **DESKTOP) as seen:
        solutions = seen.page.locator(".solution")
        inside = solutions.first.locator("section")
        assert solutions.count() >= 4 and not inside.is_visible()
        solutions.first.locator(".admonition-title").click()
        inside.wait_for(state="visible")


@pytest.mark.parametrize("page", toc.chapters())
def test_a_chapter_opens_in_colab_and_binder_downloads_as_a_notebook_and_can_be_edited(page):
    html = (HTML / f"{page}.html").read_text(encoding="utf-8")
    assert re.search(
        rf'href="https://colab\.research\.google\.com/github/[^"]*/{page}\.ipynb"', html
    )
    assert re.search(
        rf'href="https://mybinder\.org/v2/gh/[^"]*\?urlpath=lab/tree/{page}\.ipynb"', html
    )
    assert re.search(rf'href="https://github\.com/[^"]*/edit/[^"]*/{page}\.md"', html)
    assert f'href="../_sources/{page}.ipynb"' in html
    assert (HTML / f"_sources/{page}.ipynb").read_bytes() == (ROOT / f"{page}.ipynb").read_bytes()
