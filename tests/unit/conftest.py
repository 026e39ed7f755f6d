import hypothesis
import pytest
import yaml
from download_server import SHA256, SIZE, serving

from g2lstm.data import download
from g2lstm.data.fetch import fetch

# The same examples on every machine and in every run.
hypothesis.settings.register_profile("stable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("stable")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "FIRST_WAIT", 0.01)
    with serving() as running:
        yield running


@pytest.fixture
def fetched(server, tmp_path):
    def call(*pages, size=SIZE, sha256=SHA256, also=(), **options):
        registry = tmp_path / "datasets.yaml"
        entry = {
            "name": "toy.txt",
            "bytes": size,
            "sha256": sha256,
            "also": [*also],
            "mirror": "toy/toy.txt",
            "urls": [f"http://127.0.0.1:{server.server_port}/{page}" for page in pages],
        }
        registry.write_text(yaml.safe_dump({"toy": {"files": [entry]}}))
        (path,) = fetch("toy", tmp_path / "raw", registry, **options)
        return path

    return call


@pytest.fixture
def paths(tmp_path):
    """Gate records of all variants."""
    # Here and below: matplotlib is not for every test to import.
    from paper_figure_records import SHAPES, gate_record

    return [gate_record(tmp_path, variant) for variant in SHAPES]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a test draws, instead of files."""
    from paper_figure_records import kept_figures

    with kept_figures(monkeypatch) as figures:
        yield figures


@pytest.fixture
def own_choice(monkeypatch):
    """Let a test choose kernels and precision anew."""
    from g2lstm import precision
    from g2lstm.cells import kernels, native

    native.library.cache_clear()
    kernels.want("auto")
    yield
    monkeypatch.undo()
    native.library.cache_clear()
    precision.use("float32", "cpu")
    kernels.want("auto")


@pytest.fixture
def empty_cache(own_choice, monkeypatch, tmp_path):
    """Let a test compile anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
