"""Tables of a run, put into a page."""

import pytest

from tests.architecture.figures import filled

PAGE = "# Page\n\n<!-- gains -->\nold\n<!-- /gains -->\nrest\n"


def test_a_section_is_replaced_and_nothing_else() -> None:
    once = filled(PAGE, "gains", "\n| new |\n\n")
    assert once == "# Page\n\n<!-- gains -->\n| new |\n<!-- /gains -->\nrest\n"
    assert filled(once, "gains", "old") == PAGE


def test_a_page_without_the_section_is_refused() -> None:
    for page in ("# Page\n", "<!-- gains -->\nopen\n"):
        with pytest.raises(ValueError, match="no section 'gains'"):
            filled(page, "gains", "new")
