import os, pytest
if os.environ.get("LARGE_URL"):
    import tests.benchmarks.test_pages_at_scale as m
    @pytest.fixture(scope="module")
    def large():
        return os.environ["LARGE_URL"]
    m.large = large
