"""An old address of a page, opened in a browser, ends at the same place in the new one."""

import pytest

from tools.book.redirects import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_leads_to_the_new_page(site, chromium, old):
    page, _, fragment = old.partition("#")
    new, _, new_fragment = MOVED[old].partition("#")
    with chromium.new_context() as context:
        window = context.new_page()
        # Every chapter has a section Summary, and the front page one for its downloads.
        anchor = new_fragment or ("downloads" if old == "index" else "summary")
        window.goto(f"{site}/{page}.html#{fragment or anchor}")
        window.wait_for_url(f"{site}/{new}.html#{anchor}")
        assert window.locator(f'[id="{anchor}"]').is_visible()


def test_without_scripts_it_leads_there_too(site, chromium):
    with chromium.new_context(java_script_enabled=False) as context:
        window = context.new_page()
        window.goto(f"{site}/notebooks/12_nan.html")
        window.wait_for_url(f"{site}/notebooks/08_nan.html")
