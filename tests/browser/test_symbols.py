"""The meaning of a symbol shows where a chapter first uses it: by mouse, by keyboard, by touch."""

from tests.browser.helpers import DESKTOP, PHONE

PAGE = "notebooks/03_lsoftmax.html"


def symbol(page, tex):
    """The place of a symbol on the page, and its meaning."""
    page.locator(".symbol").first.wait_for()
    meaning = page.locator(f'.symbol > [data-symbol="{tex}"]')
    return meaning.locator(".."), meaning


def test_a_symbol_has_its_meaning_under_the_mouse_and_for_the_keyboard(visit):
    with visit(PAGE, **DESKTOP) as seen:
        place, meaning = symbol(seen.page, "m")
        height = seen.page.evaluate("document.documentElement.scrollHeight")
        assert not meaning.is_visible()
        place.hover()
        assert "the margin of a loss that has just one" in meaning.inner_text()
        meaning.hover()  # it stays, to be read or copied
        assert meaning.is_visible()
        seen.page.keyboard.press("Escape")
        assert not meaning.is_visible()
        formula = place.locator(":scope > .math > mjx-container")
        formula.focus()
        assert meaning.is_visible()
        assert formula.get_attribute("aria-describedby") == meaning.get_attribute("id")
        seen.page.keyboard.press("Tab")
        assert not meaning.is_visible()
        assert seen.page.evaluate("document.documentElement.scrollHeight") == height


def test_it_is_the_first_use_in_the_text(visit):
    with visit(PAGE, **DESKTOP) as seen:
        place, _ = symbol(seen.page, r"\\psi")
        assert place.count() == 1
        first = place.evaluate("""place => [...MathJax.startup.document.math]
            .find(formula => formula.math === "\\\\psi" && !formula.display
                && !formula.typesetRoot.closest(".symbol-meaning, h1, h2, h3, a"))
            .typesetRoot.closest(".symbol") === place""")
        assert first
        assert seen.page.locator(":is(h1, h2, h3, a) .symbol").count() == 0


def test_on_a_phone_a_tap_shows_it_within_the_window(visit):
    with visit(PAGE, **PHONE) as seen:
        place, meaning = symbol(seen.page, r"\\theta_j")
        place.tap()
        box = meaning.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["viewport"]["width"]
        assert "in radians" in meaning.inner_text()
        seen.page.locator(".bd-article h1").tap()
        assert not meaning.is_visible()
