"""Every relative link and anchor in README.md and docs/ leads somewhere."""

import re

import pytest

from tests.docs.commands import PAGES, ROOT


def prose(text):
    """Leaves out what stands in blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    """Gives the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
            for heading in headings}


def broken(page, text):
    """Lists the links of a page's text that lead nowhere."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(text))
    return [target for target in targets if not leads_somewhere(page, text, target)]


def leads_somewhere(page, text, target):
    path, _, anchor = target.partition("#")
    if re.match(r"https?://", target):
        return True
    found = page.parent / path if path else page
    if not found.exists():
        return False
    return not anchor or anchor in anchors(text if found == page else found.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert broken(page, page.read_text(encoding="utf-8")) == []


def linked_from(page):
    """Lists the pages that one links to."""
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    found = {(page.parent / target.partition("#")[0]).resolve() for target in targets}
    return found.intersection(PAGES)


def test_every_page_is_reached_from_the_readme():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        new = set().union(*map(linked_from, new)) - reached
    assert reached == set(PAGES)


def test_every_page_but_records_of_results_is_linked_from_the_readme():
    records = (ROOT / "docs" / "results").glob("*/*.md")
    pages = set(PAGES) - {*records, ROOT / "README.md"}
    assert linked_from(ROOT / "README.md") >= pages


@pytest.mark.parametrize("link, leads", [
    ("docs/method.md", True),
    ("docs/method.md#options-for-each-idea", True),
    ("#a-heading-of-it", True),
    ("https://arxiv.org/abs/1711.07607", True),
    ("docs/methods.md", False),
    ("docs/method.md#nothing", False),
    ("#nothing", False),
])
def test_broken_links_are_seen(link, leads):
    text = f"## A `heading` of it\n\nSee [this]({link}).\n\n```\n# no heading [x](nowhere)\n```\n"
    assert broken(ROOT / "README.md", text) == ([] if leads else [link])
