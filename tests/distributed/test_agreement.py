"""Processes that do not ask for the same are told what differs."""

import pytest
from jobs import SETTINGS

from gsnn_edges.scale.agreement import check_alike, gathered, versions


def test_one_process_agrees_with_itself():
    facts = SETTINGS | {"versions": versions()}
    assert gathered(facts) == [facts]
    check_alike(gathered(facts))


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ({"method": "pearson"}, "to process 2 method was 'spearman' and is 'pearson'"),
        ({"observations": "1"}, "observations was '0' and is '1'"),
        ({"versions": {"jax": "1"}}, r"versions was .* and is \{'jax': '1'\}"),
    ],
)
def test_what_differs_is_named(change, phrase):
    facts = SETTINGS | {"versions": versions()}
    with pytest.raises(ValueError, match=phrase):
        check_alike([facts, facts, facts | change])
