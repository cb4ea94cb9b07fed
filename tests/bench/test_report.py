import json

import pytest

from gsnn_edges.bench.report import (
    NOT_MEASURED,
    Row,
    cells,
    counted_cells,
    line,
    render,
    write_json,
)

ENVIRONMENT = {"date": "today", "processor": "abacus"}
ROWS = [
    Row("ours", "N=2", 1234.5, ratio=1.25, reference="limit", at_most=2.0, peak_mb=7.4),
    Row("theirs", "N=2", 9.87, ratio=3.0, reference="ours", at_least=4.0),
    Row("others", "N=2", note="not installed"),
]


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("", "", 1.0, ratio=2.0), None),
        (Row("", "", 1.0, at_most=2.0), None),
        (Row("", "", 1.0, ratio=2.0, at_most=2.0), True),
        (Row("", "", 1.0, ratio=2.1, at_most=2.0), False),
        (Row("", "", 1.0, ratio=7.0, at_least=7.0), True),
        (Row("", "", 1.0, ratio=6.9, at_least=7.0), False),
        (Row("", "", 9.0, at_most_ms=9.0), True),
        (Row("", "", 9.1, at_most_ms=9.0), False),
        (Row("", "", 1.0, peak_mb=7.0, at_most_mb=8.0), True),
        (Row("", "", 1.0, peak_mb=9.0, at_most_mb=8.0), False),
        (Row("", "", 1.0, at_most_ms=9.0, at_most_mb=8.0), None),
        (Row("", "", 9.1, at_most_ms=9.0, at_most_mb=8.0), False),
        (Row("", "", 1.0, ratio=2.0, at_most=2.0, peak_mb=9.0, at_most_mb=8.0), False),
    ],
)
def test_goal_is_met_or_not(row, met):
    assert row.met is met


def test_cells():
    assert [cells(row) for row in ROWS] == [
        ("ours", "N=2", "1,234", "1.25", "limit", "<= 2", "7"),
        ("theirs", "N=2", "9.9", "3.00", "ours", ">= 4, missed", NOT_MEASURED),
        ("others", "N=2", "", "", "not installed", "", ""),
    ]


def test_each_goal_is_judged():
    row = Row("a", "", 3500.0, ratio=2.0, at_most=3.0, at_most_ms=3000.0, at_most_mb=14_000.0)
    assert cells(row)[5] == "<= 3; <= 3,000 ms, missed; <= 14,000 MB, not measured"


def test_a_line_has_what_there_is():
    row = Row("a", "N=1", 2.0, ratio=1.5, reference="b", rate=7.1e9, unit="flop/s", peak_mb=3.0)
    assert line(row) == "a | N=1 | 2.0 | 1.50 | b | 3 | 7.1 Gflop/s"
    assert line(Row("a", "N=1", note="not reached")) == "a | N=1 | not reached"


COUNTED = [
    Row("a", "", 1.0, rate=4.56e12, unit="B/s", share=0.957, paper_ms=1234.5),
    Row("b", "", 1.0, rate=7.1e9, unit="flop/s", paper_ms=0.123),
    Row("c", "", 1.0),
    Row("d", "", 1.0, rate=1234.0, unit="B/s"),
    Row("e", "", 1.0, rate=0.5, unit="B/s"),
]


def test_counted_cells():
    assert [counted_cells(row) for row in COUNTED] == [
        ("4.56 TB/s", "0.96", "1,234"),
        ("7.1 Gflop/s", "", "0.12"),
        ("", "", ""),
        ("1.23 kB/s", "", ""),
        ("0.5 B/s", "", ""),
    ]


def test_rates_have_columns_where_something_was_counted():
    heads = [render(ENVIRONMENT, rows).splitlines()[3] for rows in (ROWS, COUNTED)]
    assert ["paper ms" in head for head in heads] == [False, True]


def test_table_has_a_head_and_a_line_for_each_row():
    lines = render(ENVIRONMENT, ROWS).splitlines()
    assert [line.split() for line in lines[:3]] == [["date", "today"], ["processor", "abacus"], []]
    assert lines[3].replace(" ", "") == "|what|size|ms|ratio|over|goal|peakMB|"
    assert [line.split()[1] for line in lines[5:]] == ["ours", "theirs", "others"]


def test_json_holds_everything(tmp_path):
    file = tmp_path / "bench.json"
    file.write_text("older")
    write_json(file, ENVIRONMENT, ROWS)
    report = json.loads(file.read_text())
    assert report["environment"] == ENVIRONMENT
    assert [row["what"] for row in report["rows"]] == ["ours", "theirs", "others"]
    assert [row["met"] for row in report["rows"]] == [True, False, None]
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]


def test_json_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*paths):
        raise OSError("disk full")

    file = tmp_path / "bench.json"
    file.write_text("older")
    monkeypatch.setattr("gsnn_edges.bench.report.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json(file, ENVIRONMENT, ROWS)
    assert file.read_text() == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
