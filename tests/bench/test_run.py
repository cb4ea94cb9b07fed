from functools import partial

import pytest

from gsnn_edges.bench import Row, run, run_bench
from gsnn_edges.bench.group import MISSING, Settings


def one_row(name, settings):
    return [Row(name, "N=1", settings.budget)]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(run, "quick_cases", lambda device: [partial(one_row, "quick")])
    names = "first", "second"
    monkeypatch.setattr(run, "full_cases", lambda device: [partial(one_row, n) for n in names])


def test_rows_come_in_the_order_of_the_cases(capsys):
    rows = run_bench(verbose=False)
    assert [row.what for row in rows] == ["first", "second"]
    assert capsys.readouterr().out == ""


def test_table_is_printed_when_verbose(capsys):
    rows = run_bench(quick=True)
    assert rows == [Row("quick", "N=1", run.QUICK_BUDGET)]
    printed = capsys.readouterr()
    assert "processor" in printed.out
    assert "| quick " in printed.out
    assert "benchmark" in printed.err


def test_unknown_device():
    with pytest.raises(ValueError, match="device must be one of 'cpu', 'cuda'; got 'tpu'"):
        run_bench(device="tpu")


def test_device_that_is_not_there():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    for full in (False, True):
        with pytest.raises(ValueError, match="finds no CUDA device"):
            run_bench(device="cuda", full=full)


def test_fit_without_torch_says_so(monkeypatch):
    monkeypatch.setattr(run, "installed", lambda device: {})
    (row,) = run.fit_of_gsnn(Settings())
    assert row.note == MISSING


def test_fit_has_the_size_of_the_goals(monkeypatch):
    pytest.importorskip("torch")
    asked = []
    monkeypatch.setattr("gsnn_edges.bench.fitting.fitting", lambda *a: asked.append(a[:2]))
    run.fit_of_gsnn(Settings())
    assert asked == [(1000, 500)]


def test_peers_run_on_a_cpu_alone():
    assert [case.args[0] for case in run.peers("cpu")] == ["scipy", "pandas"]
    assert run.peers("cuda") == []


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        ({"quick": True, "full": True}, "quick and full are two tables"),
        ({"full": True, "scale": 0}, "scale must be above 0 and at most 1; got 0"),
        ({"full": True, "scale": 1.5}, "scale must be above 0 and at most 1; got 1.5"),
        ({"scale": 0.5}, "scale is for full=True alone"),
    ],
)
def test_options_that_do_not_go_together(options, phrase):
    with pytest.raises(ValueError, match=phrase):
        run_bench(**options)


def test_full_makes_the_table_of_a_gpu(monkeypatch, capsys):
    pytest.importorskip("torch")
    row = Row("ours", "N=1", 1.0, rate=2e12, unit="flop/s", share=0.5, paper_ms=0.25)
    asked = []

    def table(device, scale, *, verbose, each):
        asked.append((device, scale, verbose))
        each([row])
        return [row]

    monkeypatch.setattr("gsnn_edges.bench.device_table.device_table", table)
    kept = []
    made = run_bench(full=True, scale=0.1, each=lambda *given: kept.append(given))
    assert made == [row]
    assert asked == [("cpu", 0.1, True)]
    ((environment, rows),) = kept
    assert (rows, "processor" in environment) == ([row], True)
    assert "2 Tflop/s" in capsys.readouterr().out


def test_full_needs_torch(monkeypatch):
    monkeypatch.setattr(run.backends, "available", lambda: ("numpy",))
    for device in ("cpu", "cuda"):
        with pytest.raises(ImportError, match="full=True needs torch"):
            run_bench(device=device, full=True)


def test_rows_are_handed_on_at_the_end():
    kept = []
    rows = run_bench(verbose=False, each=lambda made, rows: kept.append((list(made), rows)))
    assert [found for _, found in kept] == [rows]
    assert "date" in kept[0][0]
