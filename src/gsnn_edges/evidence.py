"""W with the names of its nodes and how it was made: tables, graphs, files, and combinations."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from html import escape
from importlib.metadata import version
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gsnn_edges import __version__, _io, _validation, backends
from gsnn_edges._tables import as_edges, as_square
from gsnn_edges._typing import Array, Device
from gsnn_edges.evaluation import evaluate_edges
from gsnn_edges.evaluation.candidates import candidate_pool, top_k
from gsnn_edges.evaluation.results import RankingsByKind
from gsnn_edges.options import BACKENDS
from gsnn_edges.ranks import rankdata
from gsnn_edges.resampling import Moments
from gsnn_edges.significance.analytic import adjust_pvalues

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Edges in a line of text, and in the table of a notebook.
_SHOWN, _SHOWN_HTML = 3, 10
# What a file holds beside the arrays.
_ATTRIBUTES = ("node_names", "method", "counts", "settings", "versions")


class ScoredEdge(NamedTuple):
    """A pair of nodes with its score.

    Attributes
    ----------
    source, target : int
        Indices of the nodes.
    source_name, target_name : str or None
        Their names, where there are names.
    score : float
    rank : int
        Place in the list, from 1.
    """

    source: int
    target: int
    source_name: str | None
    target_name: str | None
    score: float
    rank: int

    @property
    def ends(self) -> tuple[Any, Any]:
        """Names of source and target, or their indices where there are no names."""
        if self.source_name is None:
            return self.source, self.target
        return self.source_name, self.target_name


@dataclass(frozen=True, eq=False, repr=False)
class EdgeEvidence:
    """A matrix of evidence for edges, with names and provenance.

    ``W[i, j]`` is the evidence for an edge i -> j: the larger, the stronger. Methods compute on
    the host; ``W`` itself stays where it is.

    Parameters
    ----------
    W : array of shape (N, N)
        Finite real numbers; NumPy, torch, JAX or another Array API array; or a DataFrame, whose
        columns are the names of the nodes.
    node_names : sequence of str, optional
        A name for each node, all different.
    method : str
        How W was made, as "spearman".
    counts : mapping of str to int
        What W was made from: ``samples``, ``layers``, ``observations``.
    settings : mapping
        Options that W was made with; what JSON can hold.
    versions : mapping of str to str, optional
        Of this package and the library of W; left out, those that are installed.
    std : array of shape (N, N), optional
        Standard deviation of each score: over the draws of ``estimate``, or over the members of
        `mean`. It is no standard error of W: see `standard_error`.
    known_edges : array-like of whole numbers, shape (2, E), optional
        Edges that are known already, sources above targets.

    Raises
    ------
    TypeError, ValueError
        For a W that is no square matrix of finite real numbers, names that are not N different
        strings, or edges outside of W.

    Examples
    --------
    >>> import numpy as np
    >>> evidence = EdgeEvidence(np.array([[0.9, 0.5], [0.2, 0.9]]), ["a", "b"])
    >>> evidence
    EdgeEvidence of 2 nodes, spearman, numpy float64; best: a -> b 0.500, b -> a 0.200
    >>> evidence.top(1)[0].target_name
    'b'
    """

    W: Array
    node_names: list[str] | None = None
    _: KW_ONLY
    method: str = "spearman"
    counts: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] | None = None
    std: Array | None = None
    known_edges: Indices | None = None

    def __post_init__(self) -> None:
        W, names = as_square("W", self.W, self.node_names)
        object.__setattr__(self, "W", W)
        nodes = _validation.square("W", self.W)
        _validation.finite("W", self.W)
        if self.std is not None:
            if _validation.square("std", self.std) != nodes:
                raise ValueError(
                    f"std must have the shape of W, {tuple(self.W.shape)}; got "
                    f"{tuple(self.std.shape)}"
                )
            _validation.finite("std", self.std)
        if not isinstance(self.method, str):
            raise TypeError(f"method must be a string, as 'spearman'; got {self.method!r}")
        known = self.known_edges
        if known is not None:
            known = as_edges("known_edges", known, names)
            known = _validation.edge_index("known_edges", known, (nodes, nodes))
        checked = {
            "node_names": _validation.node_names(names, nodes),
            "counts": _checked_counts(self.counts),
            "settings": _as_json("settings", self.settings),
            "versions": _as_json("versions", self.versions or _installed_versions(self.W)),
            "known_edges": known,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def standard_error(self) -> Array | None:
        """Standard error of each score, an array like W made anew at each access, or None.

        ``std * sqrt(n / B)``: the standard deviation of draws of n samples
        (``estimate_n_samples``) is that of W from n samples, and W is from B. None without
        ``estimate``, and for combined evidence, whose deviation is one between models.
        """
        settings, samples = self.settings, self.counts.get("samples")
        rows = settings.get("estimate_n_samples")
        one_model = settings.get("estimate") and "combined" not in settings
        if not (one_model and rows and samples) or self.std is None:
            return None
        return _like(self.std, np.sqrt(rows / samples) * _on_host(self.std).astype(np.float64))

    def interval(self, confidence: float = 0.95) -> tuple[Array, Array]:
        """Confidence interval of each correlation, by the deviation of its draws.

        Parameters
        ----------
        confidence : float in (0, 1)

        Returns
        -------
        low, high : arrays like W
            On the scale of Fisher's z: ``tanh(atanh(W) -+ t e / (1 - W^2))``, with e the
            `standard_error` and t the quantile of Student's t with ``estimate_iters - 1`` degrees
            of freedom, as e was estimated from so many draws [1]_. A pair with a constant column
            has [0, 0].

        Raises
        ------
        ValueError
            For evidence without a standard error, as that without ``estimate`` or combined; for
            W that is no correlation: the score of channels, a penalty, a scale; for a confidence
            outside (0, 1).
        ImportError
            Without SciPy, which comes with the extra "stats".

        Notes
        -----
        The interval speaks of the choice of samples, which should be independent, not of
        another training. Ten draws determine e to about a quarter; ``estimate_iters`` draws more.
        Peak memory: some float64 copies of W on the host.

        References
        ----------
        .. [1] B. Efron, R. J. Tibshirani (1993). An introduction to the bootstrap. Chapman &
           Hall, chapter 12.
        """
        confidence = _validation.level("confidence", confidence)
        _check_correlations(self.settings)
        if self.standard_error is None:
            raise ValueError(
                f"interval({confidence}) needs a W with a standard error, of one model and more "
                "than one draw: call infer with estimate=True, and interval before members are "
                "combined"
            )
        special = _validation.imported("scipy.special", "intervals need SciPy", "stats")
        W, error = (_on_host(x).astype(np.float64) for x in (self.W, self.standard_error))
        # Rounding may leave W at 1, where z is infinite.
        W = np.clip(W, -1 + 1e-12, 1 - 1e-12)
        quantile = special.stdtrit(self.settings["estimate_iters"] - 1, (1 + confidence) / 2)
        z, step = np.arctanh(W), quantile * error / (1 - W**2)
        return _like(self.W, np.tanh(z - step)), _like(self.W, np.tanh(z + step))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(_on_host(self.W), dtype, copy=copy)

    def __getitem__(self, pair: tuple[Any, Any]) -> float:
        """Score of a pair of nodes, by their names or by their indices."""
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"a score has a source and a target; got {_validation.shown(pair)}")
        index = self._edge_index("pair", [pair]) if _are_names(pair) else np.array([pair]).T
        source, target = _validation.edge_index("pair", index, self.W.shape)
        return float(_on_host(self.W)[source[0], target[0]])

    def edges(
        self,
        *,
        exclude_self: bool = True,
        exclude_known: bool | None = None,
        candidates: Any = None,
    ) -> Iterator[ScoredEdge]:
        """Iterate over all pairs, the strongest first; arguments are those of `top`.

        Examples
        --------
        >>> import numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> evidence = EdgeEvidence(np.array([[0.0, 0.9], [0.2, 0.0]]), ["a", "b"])
        >>> [edge.ends for edge in evidence.edges()], evidence["a", "b"]
        ([('a', 'b'), ('b', 'a')], 0.9)
        """
        pool = self._pool(exclude_self, exclude_known, candidates)
        return self._edges(*self._strongest(max(pool.size, 1), pool))

    def overlap(self, other: "EdgeEvidence", k: int, **options: Any) -> float:
        """Share of the k strongest pairs that two matrices of the same nodes have in common.

        Parameters
        ----------
        other : EdgeEvidence
            Of the same nodes, in the same order.
        k : int
        **options
            ``exclude_self``, ``exclude_known`` and ``candidates``, as for `top`.

        Returns
        -------
        float in [0, 1]
            For unrelated scores about k divided by the number of pairs to choose from.

        Raises
        ------
        TypeError, ValueError
            As for `top`, and for another kind of object or other nodes.

        Examples
        --------
        >>> import numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> one, other = (EdgeEvidence(np.random.default_rng(s).random((9, 9))) for s in (0, 1))
        >>> one.overlap(one, 5), one.overlap(other, 72)
        (1.0, 1.0)
        """
        if not isinstance(other, EdgeEvidence):
            raise TypeError(f"other must be an EdgeEvidence; got {type(other).__name__}")
        if (other.W.shape, other.node_names) != (self.W.shape, self.node_names):
            raise ValueError(
                "other must be of the same nodes in the same order; got "
                f"{_validation.shown(other.node_names or other.W.shape)}"
            )
        first, second = ({*zip(*e.to_edge_index(k, **options), strict=True)} for e in (self, other))
        return len(first & second) / max(len(first), 1)

    def top(
        self,
        k: int,
        *,
        exclude_self: bool = True,
        exclude_known: bool | None = None,
        candidates: Any = None,
    ) -> list[ScoredEdge]:
        """List the k strongest pairs, best first.

        Parameters
        ----------
        k : int
            At least 1; all pairs are listed where there are fewer.
        exclude_self : bool
            Leave out pairs (i, i).
        exclude_known : bool, optional
            Leave out ``known_edges``; by default where there are any.
        candidates : bool array-like of shape (N, N), str, or list of str, optional
            The pairs that may be listed: those marked, or those that a rule over node names
            matches, such as ``"PROTEIN__* -> RNA__*"``; as in `gsnn_edges.evaluate_edges`.

        Returns
        -------
        list of ScoredEdge
            ``(source, target, source_name, target_name, score, rank)``, ``rank`` from 1. Equal
            scores stand by source, then by target.

        Raises
        ------
        TypeError, ValueError
            For a ``k`` below 1, candidates of another shape or without a node that matches, or
            ``exclude_known=True`` without known edges.

        Notes
        -----
        A partition finds the k-th score, and only what reaches it is sorted. Peak memory: a copy
        of W on the host, one more where W lies elsewhere, and two masks of a byte for each pair.

        Examples
        --------
        >>> import numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> W = np.array([[0.0, 0.9, 0.1], [0.2, 0.0, 0.8], [0.3, 0.1, 0.0]])
        >>> evidence = EdgeEvidence(W, ["a", "b", "c"], known_edges=[[0], [1]])
        >>> [(edge.rank, edge.source_name, edge.target_name) for edge in evidence.top(2)]
        [(1, 'b', 'c'), (2, 'c', 'a')]
        """
        pool = self._pool(exclude_self, exclude_known, candidates)
        return list(self._edges(*self._strongest(k, pool)))

    def to_frame(
        self,
        k: int | None = None,
        *,
        exclude_self: bool = True,
        exclude_known: bool = False,
        candidates: Any = None,
        held_out: Any = None,
        degrees: bool = False,
        pvalues: Any = None,
    ) -> Any:
        """Make a pandas frame of the k strongest pairs, best first, or of all.

        Parameters
        ----------
        k : int, optional
            Left out, all pairs are given as they lie in W, by source, then by target: to sort
            millions of pairs takes far longer than to list them.
        exclude_self, exclude_known, candidates
            As for `top`, but known edges are left out only where that is asked for.
        held_out : edges, as for `evaluate`, optional
            Adds a column ``held_out`` (bool).
        degrees : bool
            Add ``out_degree`` of the source and ``in_degree`` of the target among known edges.
        pvalues : array of shape (N, N), optional
            As of `permutation_test`; adds ``p``, and ``p_adjusted`` for the pairs to choose from,
            by the method of Benjamini and Hochberg.

        Returns
        -------
        pandas.DataFrame
            ``rank`` (with ``k``), ``source`` and ``target`` (names as categories, or else
            indices), ``score``, and, where this evidence has them, ``std`` and ``known`` (bool).

        Raises
        ------
        ImportError
            Without pandas, which comes with the extra "frames".
        TypeError, ValueError
            As for `top`.

        Notes
        -----
        Peak memory: about 35 bytes for each pair.
        """
        pandas = _validation.imported("pandas", "to_frame needs pandas", "frames")
        pool = self._pool(exclude_self, exclude_known, candidates)
        ends: Any = np.nonzero(pool) if k is None else self._strongest(k, pool)
        # A mask is quicker than indices.
        here = pool if k is None else ends
        columns = {"score": _on_host(self.W)[here]}
        if self.std is not None:
            columns["std"] = _on_host(self.std)[here]
        known = self.known_edges
        for name, edges in (("known", known), ("held_out", held_out)):
            if edges is not None:
                mask = np.zeros(pool.shape, bool)
                mask[tuple(self._edge_index(name, edges))] = True
                columns[name] = mask[here]
        if _validation.flag("degrees", degrees):
            if known is None:
                raise ValueError("degrees=True needs known edges, and this evidence has none")
            for name, side in (("out_degree", 0), ("in_degree", 1)):
                columns[name] = np.bincount(known[side], minlength=len(pool))[ends[side]]
        if pvalues is not None:
            p = _on_host(pvalues)
            adjusted = _on_host(adjust_pvalues(pvalues, candidates=pool))
            columns |= {"p": p[here], "p_adjusted": adjusted[here]}
        if self.node_names is not None:
            # pandas keeps codes in the smallest integer that will do, and would convert int64 ones.
            codes = np.min_scalar_type(-max(len(pool), 1))
            names = pandas.CategoricalDtype(self.node_names)
            ends = [pandas.Categorical.from_codes(end.astype(codes), dtype=names) for end in ends]
        rank = {} if k is None else {"rank": np.arange(1, len(ends[0]) + 1)}
        columns = {**rank, "source": ends[0], "target": ends[1], **columns}
        return pandas.DataFrame(columns, copy=False)

    def to_edge_index(
        self,
        k: int,
        *,
        exclude_self: bool = True,
        exclude_known: bool | None = None,
        candidates: Any = None,
    ) -> Indices:
        """The k strongest pairs as an int64 array of shape (2, k), sources above targets.

        Arguments, order and errors are those of `top`.
        """
        pool = self._pool(exclude_self, exclude_known, candidates)
        return np.stack(self._strongest(k, pool))

    def to_networkx(
        self,
        k: int | None = None,
        *,
        threshold: float | None = None,
        exclude_self: bool = True,
        exclude_known: bool | None = None,
        candidates: Any = None,
    ) -> Any:
        """Make a networkx graph of the k strongest pairs, or of those that reach a threshold.

        Parameters
        ----------
        k : int, optional
        threshold : float, optional
            The least score of an edge. Either this or ``k`` is given.
        exclude_self, exclude_known, candidates
            As for `top`.

        Returns
        -------
        networkx.DiGraph
            Of all N nodes, by name or else by index; each edge has its score as ``weight``.

        Raises
        ------
        ImportError
            Without networkx, which comes with the extra "frames".
        TypeError, ValueError
            As for `top`, and when not exactly one of ``k`` and ``threshold`` is given.
        """
        if (k is None) == (threshold is None):
            raise ValueError(
                f"k or threshold must be given, and not both; got k={k!r}, threshold={threshold!r}"
            )
        graph = _validation.imported("networkx", "to_networkx needs networkx", "frames").DiGraph()
        pool = self._pool(exclude_self, exclude_known, candidates)
        if threshold is not None:
            pool &= _on_host(self.W) >= _checked_threshold(threshold)
        graph.add_nodes_from(range(len(pool)) if self.node_names is None else self.node_names)
        k = max(1, pool.size) if k is None else k
        for edge in self._edges(*self._strongest(k, pool)):
            graph.add_edge(*edge.ends, weight=edge.score)
        return graph

    def write_graph(self, path: str | PathLike[str], k: int | None = None, **options: Any) -> None:
        """Write the strongest pairs as a graph for Cytoscape and the like.

        Parameters
        ----------
        path : str or path
            ``.graphml``, with the scores as ``weight``; or ``.sif``, a line
            ``source proposed target`` for each pair, separated by tabs.
        k, **options
            Arguments of `to_networkx`.

        Raises
        ------
        ImportError, TypeError, ValueError, OSError
            As for `to_networkx`; for another ending; where nothing can be written.
        """
        path = _io.new_path("path", _io.check_ending("path", path, (".graphml", ".sif")))
        graph = self.to_networkx(k, **options)
        with _io.whole(path) as unfinished:
            if path.suffix == ".graphml":
                _validation.imported("networkx", "graphs need networkx", "frames").write_graphml(
                    graph, unfinished
                )
            else:
                lines = (f"{source}\tproposed\t{target}\n" for source, target in graph.edges)
                unfinished.write_text("".join(lines), encoding="utf-8")

    def to_anndata(self) -> Any:
        """An AnnData of the nodes as variables, with W in ``varp["W"]`` and settings in ``uns``.

        Raises
        ------
        ImportError
            Without anndata.
        """
        anndata = _validation.imported("anndata", "to_anndata needs anndata")
        pandas = _validation.imported("pandas", "to_anndata needs pandas", "frames")
        # anndata does not write the strings of pandas 3.
        names = self.node_names or [str(node) for node in range(self.W.shape[0])]
        obs, var = (pandas.DataFrame(index=pandas.Index(n, dtype=object)) for n in ([], names))
        made = {"method": self.method, "settings": json.dumps(self.settings)}
        varp = {"W": _on_host(self.W)}
        return anndata.AnnData(np.zeros((0, len(names)), np.float32), obs, var, made, varp=varp)

    def evaluate(
        self, edge_index: Any, all_true_edges: Any = None, *, by: Any = None, **options: Any
    ) -> Any:
        """How well W ranks edges that were held out, by `gsnn_edges.evaluate_edges`.

        Parameters
        ----------
        edge_index : array-like of whole numbers, shape (2, E), or list of (source, target) names
            Edges to be found.
        all_true_edges : the same, optional
            Edges that never compete with them; left out, these and ``known_edges``.
        by : str, or sequence of N str, optional
            Evaluate each kind of edge by itself: a kind has the prefixes of the names of source
            and target, up to this separator, as ``"PROTEIN -> RNA"`` for ``by="__"``; or these
            labels of the nodes.
        **options
            Further arguments of `gsnn_edges.evaluate_edges`, such as ``direction``, ``ks``,
            ``candidates`` and ``exclude_self``; ``node_names`` are this evidence's.

        Returns
        -------
        LinkRanking, or with ``by`` a RankingsByKind
            As `gsnn_edges.evaluate_edges` gives it, with the same errors and warnings; a mapping
            of kind to LinkRanking, the most frequent kind first, that prints as a table.

        Examples
        --------
        >>> import numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> W = np.array([[0.0, 0.9, 0.1], [0.2, 0.0, 0.8], [0.3, 0.1, 0.0]])
        >>> evidence = EdgeEvidence(W, ["a", "b", "c"], known_edges=[[0], [1]])
        >>> evidence.evaluate([("b", "c")], n_resamples=None).mrr
        1.0
        """
        queries = self._edge_index("edge_index", edge_index)
        if all_true_edges is not None:
            all_true_edges = self._edge_index("all_true_edges", all_true_edges)
        elif self.known_edges is not None:
            all_true_edges = np.concatenate([self.known_edges, queries], axis=1)
        options.setdefault("node_names", self.node_names)
        if by is None:
            return evaluate_edges(self.W, queries, all_true_edges, **options)
        truths = queries if all_true_edges is None else all_true_edges
        labels = np.array(self._labels(by))
        kinds = [" -> ".join(ends) for ends in labels[queries].T]
        return RankingsByKind(
            {
                kind: evaluate_edges(
                    self.W, queries[:, [one == kind for one in kinds]], truths, **options
                )
                for kind, _ in Counter(kinds).most_common()
            }
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write all of this to one npz file, without pickle, whole or not at all.

        Parameters
        ----------
        path : str or path
            An existing file is replaced, once the new one is complete.

        Raises
        ------
        ValueError
            For another ending than ``.npz``.
        OSError
            Where nothing can be written.

        Notes
        -----
        Arrays are written as NumPy's, bit for bit; bfloat16 as float32, which holds its values.
        Peak memory: a copy of the largest array.

        Examples
        --------
        >>> import tempfile, numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> folder = tempfile.TemporaryDirectory()
        >>> EdgeEvidence(np.eye(2), ["a", "b"]).save(f"{folder.name}/evidence.npz")
        >>> EdgeEvidence.load(f"{folder.name}/evidence.npz").node_names
        ['a', 'b']
        >>> folder.cleanup()
        """
        arrays = {"W": self.W, "std": self.std, "known_edges": self.known_edges}
        _io.write_arrays(
            _io.new_path("path", _io.check_ending("path", path, (".npz",))),
            "evidence",
            {name: getattr(self, name) for name in _ATTRIBUTES},
            {name: _on_host(array) for name, array in arrays.items() if array is not None},
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "EdgeEvidence":
        """Read what `save` wrote, with NumPy arrays; no other library is needed.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        EdgeEvidence

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is broken, of another kind, or of a newer format.

        Examples
        --------
        >>> import tempfile, numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> folder = tempfile.TemporaryDirectory()
        >>> EdgeEvidence(np.eye(2), settings={"score": "magnitude"}).save(f"{folder.name}/e.npz")
        >>> EdgeEvidence.load(f"{folder.name}/e.npz").settings
        {'score': 'magnitude'}
        >>> folder.cleanup()
        """
        saved, arrays = _io.read_arrays(_io.as_path("path", path), "evidence")
        try:
            attributes: dict[str, Any] = {name: saved[name] for name in _ATTRIBUTES}
            return cls(**(attributes | arrays))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                "path must be a whole file that EdgeEvidence.save wrote; the contents of "
                f"{str(path)!r} do not fit each other ({error}): save it again"
            ) from error

    def to(self, backend: str, device: Device = None) -> "EdgeEvidence":
        """The same evidence with ``W`` and ``std`` as arrays of a backend.

        Parameters
        ----------
        backend : {"numpy", "torch", "jax"}
        device : optional
            A device of that backend, or its name.

        Raises
        ------
        ValueError, ImportError
            As for `gsnn_edges.backends.load`.
        """
        _validation.choice("backend", backend, BACKENDS)
        ops = backends.load(backend, device)
        std = None if self.std is None else backends.move(self.std, ops)
        return replace(self, W=backends.move(self.W, ops), std=std)

    @classmethod
    def mean(cls, members: Sequence["EdgeEvidence"]) -> "EdgeEvidence":
        """Average the scores of several, as of models trained from different seeds.

        Parameters
        ----------
        members : sequence of EdgeEvidence
            Of the same nodes, in the same order, by the same method and, where their settings
            say it, by the same score.

        Returns
        -------
        EdgeEvidence
            ``W`` the mean; ``std`` the sample standard deviation (ddof = 1), or None for one
            member. Arrays are of the first member's library, device and dtype (whole numbers
            become float64); ``counts`` and ``settings`` are those that all have alike, with
            ``combined`` and ``members`` added; known is an edge that any of them knows.

        Raises
        ------
        TypeError, ValueError
            For no member, something else than evidence, or members that differ.

        Notes
        -----
        Summed in float64 on the host; peak memory is five such matrices.
        """
        return cls._combined(members, "mean", lambda matrix: matrix)

    @classmethod
    def rank_mean(cls, members: Sequence["EdgeEvidence"]) -> "EdgeEvidence":
        """Average the ranks of several: the Borda count.

        Each member ranks all N² pairs of its matrix, and not each row by itself: one member then
        keeps its order of all pairs, so that `top` and every ranking metric stay what they were.
        It suits members whose scores are on different scales.

        Parameters
        ----------
        members : sequence of EdgeEvidence
            As for `mean`, but of any score.

        Returns
        -------
        EdgeEvidence
            ``W`` is the mean over the members of ``(rank - 1) / (N² - 1)``: 1 where all of them
            rank a pair strongest, 0 where weakest. Equal scores share the mean of their ranks.
            All else is as for `mean`.

        Raises
        ------
        TypeError, ValueError
            As for `mean`.

        Notes
        -----
        Peak memory: a dozen float64 matrices. The count is that of Borda, Mémoire sur les
        élections au scrutin (1781); for inferred networks see Marbach et al., Nature Methods 9
        (2012), 796-804, where the mean rank of many methods did as well as the best of them.
        """
        return cls._combined(members, "rank_mean", _scaled_ranks)

    @classmethod
    def fuse(cls, members: Sequence["EdgeEvidence"], *, constant: float = 60.0) -> "EdgeEvidence":
        """Fuse the rankings of several by reciprocal ranks, as of a network and another score.

        Parameters
        ----------
        members : sequence of EdgeEvidence
            Of the same nodes, in the same order, by any method and score.
        constant : float
            0 or more; the larger, the less the first ranks outweigh the others.

        Returns
        -------
        EdgeEvidence
            ``W`` is the mean over the members of ``1 / (constant + rank)``, with 1 the rank of the
            strongest of all N² pairs; equal scores share the mean of their ranks. ``method`` is
            that of all, joined by " + " where they differ. All else is as for `mean`.

        Raises
        ------
        TypeError, ValueError
            As for `rank_mean`, but for other methods; for a negative constant.

        Notes
        -----
        Unlike in `rank_mean`, a pair that one member ranks among its first is among the first of
        all. The default is that of G. V. Cormack, C. L. A. Clarke, S. Büttcher (2009), Reciprocal
        rank fusion outperforms Condorcet and individual rank learning methods, SIGIR 32, 758-759.

        Examples
        --------
        >>> import numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> first, second = np.array([[0.0, 3.0], [2.0, 1.0]]), np.array([[0.0, 0.3], [0.5, 0.1]])
        >>> of_network = EdgeEvidence(first, ["a", "b"])
        >>> fused = EdgeEvidence.fuse([of_network, EdgeEvidence(second, ["a", "b"])], constant=0)
        >>> fused.W
        array([[0.25      , 0.75      ],
               [0.75      , 0.33333333]])
        """
        constant = float(constant)
        if not 0 <= constant < np.inf:
            raise ValueError(f"constant must be a number from 0 on; got {constant}")
        return cls._combined(
            members, "fuse", lambda matrix: 1 / (constant + 1 + matrix.size - _ranks(matrix))
        )

    @staticmethod
    def top_frequency(
        members: Sequence["EdgeEvidence"], k: int, **options: Any
    ) -> NDArray[np.float64]:
        """How often each pair is among the k strongest of several, as of models of other seeds.

        Parameters
        ----------
        members : sequence of EdgeEvidence
            As for `rank_mean`.
        k : int
        **options
            Of `top`, such as ``candidates``.

        Returns
        -------
        float64 array of shape (N, N)
            Share of the members that have the pair in their ``top(k)``, in [0, 1].

        Raises
        ------
        TypeError, ValueError
            As for `rank_mean` and `top`.

        Examples
        --------
        >>> import numpy as np
        >>> from gsnn_edges import EdgeEvidence
        >>> members = [EdgeEvidence(np.eye(3, k=1)), EdgeEvidence(np.eye(3, k=2))]
        >>> EdgeEvidence.top_frequency(members, 1)
        array([[0. , 0.5, 0.5],
               [0. , 0. , 0. ],
               [0. , 0. , 0. ]])
        """
        members = _checked_members(members)
        counts = np.zeros(tuple(members[0].W.shape))
        for member in members:
            for edge in member.top(k, **options):
                counts[edge.source, edge.target] += 1
        return counts / len(members)

    @classmethod
    def _combined(
        cls, members: Any, how: str, transform: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> "EdgeEvidence":
        members = _checked_members(members, score=how == "mean", method=how != "fuse")
        first, *rest = members
        moments = Moments(np.array(transform(_on_host(first.W)), np.float64))
        for member in rest:
            moments.add(transform(_on_host(member.W)))
        known = [member.known_edges for member in members if member.known_edges is not None]
        settings = _shared([member.settings for member in members])
        return cls(
            _like(first.W, moments.mean),
            first.node_names,
            method=" + ".join(dict.fromkeys(member.method for member in members)),
            counts=_shared([member.counts for member in members]),
            settings={**settings, "combined": how, "members": len(members)},
            std=None if moments.variance is None else _like(first.W, np.sqrt(moments.variance)),
            known_edges=np.unique(np.concatenate(known, axis=1), axis=1) if known else None,
        )

    def _edge_index(self, name: str, edges: Any) -> Indices:
        """Edges as (2, E) indices, also where they are pairs of names."""
        shape = (int(self.W.shape[0]),) * 2
        edges = as_edges(name, edges, self.node_names)
        pairs = list(edges) if isinstance(edges, list | tuple) else []
        if not pairs or not all(_are_names(pair) for pair in pairs):
            return _validation.edge_index(name, edges, shape)
        place = {node: index for index, node in enumerate(self.node_names or ())}
        unknown = list(dict.fromkeys(repr(e) for pair in pairs for e in pair if e not in place))
        if unknown:
            raise ValueError(
                f"{name} must hold names of nodes; got {_validation.listing(unknown)}, which "
                f"{'are not among them' if place else 'no node has: give node_names'}"
            )
        return np.array([[place[end] for end in pair] for pair in pairs], np.int64).T

    def _labels(self, by: Any) -> list[str]:
        """Label of each node: the prefix of its name, or as they come."""
        if not isinstance(by, str):
            labels = [str(label) for label in by]
            if len(labels) != self.W.shape[0]:
                raise ValueError(
                    f"by must have a label for each of the {self.W.shape[0]} nodes; got "
                    f"{len(labels)}"
                )
            return labels
        if self.node_names is None or not by:
            raise ValueError(
                f"by={by!r} separates the prefix of a name from the rest, and needs node_names: "
                "give a label for each node instead"
            )
        return [name.split(by)[0] for name in self.node_names]

    def _pool(self, exclude_self: bool, exclude_known: bool | None, candidates: Any) -> Mask:
        """Pairs to choose from, (N, N), by the options of `top`."""
        if exclude_known is not None:
            exclude_known = _validation.flag("exclude_known", exclude_known)
        if exclude_known and self.known_edges is None:
            raise ValueError(
                "exclude_known=True needs known edges, and this evidence has none: give it "
                "known_edges=, or leave exclude_known out"
            )
        nodes, names = int(self.W.shape[0]), self.node_names
        pool = candidate_pool(candidates, nodes, exclude_self=exclude_self, node_names=names)
        mask: Mask = pool.rows(np.arange(nodes))
        if self.known_edges is not None and exclude_known is not False:
            mask[tuple(self.known_edges)] = False
        return mask

    def _strongest(self, k: int, pool: Mask) -> tuple[Indices, Indices]:
        """Sources and targets of the k best pairs of the pool."""
        k = _validation.whole_number("k", k, least=1)
        cells = top_k(_on_host(self.W).reshape(1, -1), k, pool.reshape(1, -1))[1]
        return np.divmod(cells, max(len(pool), 1))

    def _edges(self, sources: Indices, targets: Indices) -> Iterator[ScoredEdge]:
        scores = _on_host(self.W)[sources, targets].tolist()
        names: Any = self.node_names or [None] * self.W.shape[0]
        pairs = zip(sources.tolist(), targets.tolist(), scores, strict=True)
        for rank, (source, target, score) in enumerate(pairs, 1):
            yield ScoredEdge(source, target, names[source], names[target], float(score), rank)

    def _headline(self) -> str:
        counts = "".join(f", {count} {name}" for name, count in self.counts.items())
        library = f"{backends.of(self.W).name} {_validation.dtype_name(self.W)}"
        return f"EdgeEvidence of {self.W.shape[0]} nodes, {self.method}{counts}, {library}"

    def __repr__(self) -> str:
        best = ", ".join(
            "{} -> {} {:.3f}".format(*edge.ends, edge.score) for edge in self.top(_SHOWN)
        )
        return f"{self._headline()}; best: {best}" if best else self._headline()

    def _repr_html_(self) -> str:
        lines = ["<th>rank</th><th>source</th><th>target</th><th>score</th>"]
        for edge in self.top(_SHOWN_HTML):
            cells = (edge.rank, *edge.ends, f"{edge.score:.3f}")
            lines.append("".join(f"<td>{escape(str(cell))}</td>" for cell in cells))
        table = "".join(f"<tr>{line}</tr>" for line in lines)
        return f"<table><caption>{escape(self._headline())}</caption>{table}</table>"


def _are_names(pair: Any) -> bool:
    """Whether this is a pair of names."""
    return (
        isinstance(pair, list | tuple)
        and len(pair) == 2
        and all(isinstance(end, str) for end in pair)
    )


def _on_host(x: Array) -> NDArray[Any]:
    """Values of an array as NumPy's; without a copy where the memory can be shared."""
    host: NDArray[Any] = backends.of(x).to_numpy(x)
    return host


@_validation.underflow_is_zero
def _like(x: Array, values: NDArray[np.float64]) -> Array:
    """Float64 values in the library, on the device and of the floating dtype of an array."""
    dtype = _on_host(x[:0, :]).dtype
    dtype = dtype if dtype.kind == "f" else np.dtype("float64")
    return backends.move(values.astype(dtype), backends.of(x))


def _scaled_ranks(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks of all cells of a matrix: 0 for the weakest, 1 for the strongest, ties share a mean."""
    return (_ranks(matrix) - 1) / max(matrix.size - 1, 1)


def _ranks(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks of all cells of a matrix, from 1 for the least."""
    return np.asarray(rankdata(matrix.reshape(-1, 1)), np.float64).reshape(matrix.shape)


def _shared(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Entries that all mappings have alike."""
    first, *rest = mappings
    return {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in rest)
    }


def _installed_versions(W: Array) -> dict[str, str]:
    """Versions of this package and of the library of W."""
    library = backends.BACKENDS[backends.of(W).name][1]
    return {"gsnn-edges": __version__, library: version(library)}


def _checked_counts(counts: Any) -> dict[str, int]:
    if not isinstance(counts, Mapping):
        raise TypeError(
            "counts must be a mapping of names to whole numbers; got "
            f"{_validation.shown(counts)}: pass a dict such as {{'samples': 500}}"
        )
    return {
        str(name): _validation.whole_number(f"counts[{name!r}]", count, least=0)
        for name, count in counts.items()
    }


def _as_json(name: str, mapping: Any) -> dict[str, Any]:
    """A mapping as JSON would return it, so that a saved one is equal."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(mapping), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} must be a mapping of what JSON can hold, as numbers, strings and lists; got "
            f"{_validation.shown(mapping)} ({error}): write the rest as strings"
        ) from None
    return copy


def _checked_threshold(threshold: Any) -> float:
    try:
        number = float(threshold)
    except (TypeError, ValueError):
        raise TypeError(f"threshold must be a number; got {threshold!r}") from None
    if np.isnan(number):
        raise ValueError("threshold must be a number; got nan, which no score reaches")
    return number


def _check_correlations(settings: Mapping[str, Any]) -> None:
    """Reject settings by which W is no correlation in [-1, 1]."""
    right = {
        "score": settings.get("score", "magnitude") == "magnitude",
        "penalty_factor": not settings.get("penalty_factor"),
        "scale_by_act_mean": not settings.get("scale_by_act_mean"),
    }
    wrong = [f"{name}={settings[name]!r}" for name in right if not right[name]]
    if wrong:
        raise ValueError(
            "interval needs a W of correlations in [-1, 1], of score='magnitude' without penalty "
            f"and scaling; got settings with {', '.join(wrong)}: use standard_error, or "
            "bootstrap_interval of the observations"
        )


def _checked_members(
    members: Any, *, score: bool = False, method: bool = True
) -> list[EdgeEvidence]:
    """At least one piece of evidence, all of the same nodes, and of one method and score."""
    if not isinstance(members, EdgeEvidence | Iterable):
        raise TypeError(
            f"members must be a sequence of EdgeEvidence; got {type(members).__name__}: pass a list"
        )
    checked = [members] if isinstance(members, EdgeEvidence) else list(members)
    if not checked:
        raise ValueError("members must hold at least one EdgeEvidence; got none")
    for member in checked:
        if not isinstance(member, EdgeEvidence):
            raise TypeError(
                f"members must be EdgeEvidence; got {type(member).__name__}: make "
                "EdgeEvidence(W, node_names) of a matrix first"
            )
    values: dict[str, list[Any]] = {
        "shape": [tuple(member.W.shape) for member in checked],
        "node_names": [member.node_names for member in checked],
    }
    if method:
        values["method"] = [member.method for member in checked]
    if score:  # of those that know theirs: each is on a scale of its own
        values["score"] = [m.settings["score"] for m in checked if "score" in m.settings]
    different = []
    for name, each in values.items():
        distinct = [value for place, value in enumerate(each) if value not in each[:place]]
        if len(distinct) > 1:
            different.append(f"{name}: {', '.join(map(_validation.shown, distinct))}")
    if different:
        raise ValueError(
            "members must be of the same nodes and method; they differ in "
            f"{'; '.join(different)}: combine those that agree"
        )
    return checked
