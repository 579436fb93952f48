"""Each command on the how-to pages is run in ``flow/`` or says why it cannot be."""

from __future__ import annotations

import pytest
from tests.how_to_pages import PAGES, PUBLISHING, blocks_of, read_blocks

HELD = (*PAGES, PUBLISHING)


@pytest.mark.parametrize("page", HELD)
def test_every_block_of_commands_says_how_it_is_tested(page: str) -> None:
    blocks = blocks_of(page)
    assert blocks
    assert [f"{page}:{block.line}" for block in blocks if block.marked is None] == []


@pytest.mark.parametrize("page", HELD)
def test_what_is_run_is_a_shells(page: str) -> None:
    assert [
        f"{page}:{block.line}" for block in blocks_of(page) if block.run_here and block.language not in ("", "sh")
    ] == []


def test_every_page_runs_something() -> None:
    assert [page for page in HELD if not any(block.run_here for block in blocks_of(page))] == []


def test_a_block_without_a_mark_would_be_found() -> None:
    indented = "a\n\n<!-- run here -->\n\n    one\n\n    two\n\nb\n\n    three\n\n"
    text = indented + "```yaml\n- run: four\n```\n\n```toml\nx = 1\n```\n"
    blocks = list(read_blocks(text, "a page"))
    assert [(block.text, block.run_here) for block in blocks] == [
        ("one\n\ntwo\n", True),
        ("three\n", False),
        ("- run: four\n", False),
    ]
    assert [block.line for block in blocks if block.marked is None] == [11, 13]
    reasonless = list(read_blocks("<!-- not testable here:  -->\n\n    x\n", "a page"))
    assert reasonless[0].marked is None
