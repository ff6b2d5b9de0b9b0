import pytest
from jinja2 import UndefinedError

from app.dashboard.templating import environment


@pytest.mark.parametrize(
    "source", ["{{ nobody }}", "{% if nobody %}{% endif %}", "{{ given.nobody }}"]
)
def test_a_template_that_reads_what_nobody_gave_is_an_error(source: str) -> None:
    template = environment().from_string(source)
    with pytest.raises(UndefinedError, match="nobody"):
        template.render(given={})
