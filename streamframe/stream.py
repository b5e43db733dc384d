"""`StreamFrame`: what the user holds. An immutable, lazy, replayable plan with verbs on it.

Rule: a verb checks its arguments, adds a node and returns a new frame; bodies are a line or
two. Building a plan does no I/O. What a verb does to the data is written in the file of its node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Literal, Never, NoReturn, ParamSpec, TypeVar

import pyarrow as pa

from streamframe.display.html import plan_html
from streamframe.display.text import explain_text, plan_text
from streamframe.engines.iteration import Iteration
from streamframe.engines.local import optimized_plan, peek_schema
from streamframe.engines.steps import scans_of
from streamframe.errors import PlanError, did_you_mean
from streamframe.exports import Exports
from streamframe.exports.base import require_quarantine
from streamframe.expr import Expr, as_column, as_expr
from streamframe.expr.patterns import as_pattern
from streamframe.foreign import other_name
from streamframe.grouped import GroupedFrame
from streamframe.options import parse_bytes
from streamframe.pandas_frame import DtypeBackend, checked_backend, outside_python, to_chunk, to_frame
from streamframe.plan.arguments import checked_schema
from streamframe.plan.checkpoint import Checkpoint, as_checkpoint
from streamframe.plan.node import Node, Scan
from streamframe.plan.sink import Sink
from streamframe.plan.source import REJECTS, fact_column
from streamframe.plan.telling import facts_of, telling, with_facts
from streamframe.schema import parse_dtype
from streamframe.sinks.by_suffix import file_sink
from streamframe.transforms.cast import Cast
from streamframe.transforms.concat import Concat
from streamframe.transforms.extract import Extract, Unmatched
from streamframe.transforms.filter import Filter
from streamframe.transforms.map_batches import MapBatches, MapPandas
from streamframe.transforms.rebatch import Rebatch
from streamframe.transforms.rejects import Rejects
from streamframe.transforms.sample import Sample
from streamframe.transforms.select import Drop, Rename, Select
from streamframe.transforms.shuffle import Shuffle
from streamframe.transforms.slice import Slice
from streamframe.transforms.tee import Tee
from streamframe.transforms.with_columns import WithColumns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.compute as pc

P = ParamSpec("P")
R = TypeVar("R")
# A dict costs about a kilobyte a row, so rows are unfolded a few at a time.
_UNFOLDED_ROWS = 1024
# More rows than anybody has; Arrow counts in 64 bits, with room left to add two such numbers.
_MAX_ROWS = 2**62


class StreamFrame(Exports):
    """A lazy stream of rows with named, typed columns.

    Made by `streamframe.read` and its kin. Verbs return new frames and read nothing; iterating,
    looking (`head`, `count`) and exporting (`to_...`) run the plan, each time from the start.

    Examples
    --------
    >>> import streamframe as sf
    >>> flights = sf.from_arrow({"dest": ["ATL", "BOS"], "delay": [12, -3]})
    >>> flights.filter(sf.col("delay") > 0).to_pandas()
      dest  delay
    0  ATL     12
    """

    __slots__ = ("_known", "_plan")

    def __init__(self, plan: Node, known: pa.Schema | None = None) -> None:
        self._plan = plan
        # The schema, as soon as it is known without I/O; from then on it is frozen.
        self._known = known

    # ---------------------------------------------------------------- look

    @property
    def schema(self) -> pa.Schema:
        """The columns and their types.

        Reads as much of the source as it takes to know them, once; then they are frozen.
        """
        if self._known is None:
            self._known = peek_schema(self._plan)
        return self._known

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order; reads what `schema` reads."""
        return list(self.schema.names)

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first `n` rows; reads no more blocks than they are in.

        Parameters
        ----------
        n
            Rows. Default 5, as in pandas.
        """
        return self.limit(n).to_pandas()

    def count(self) -> int:
        """Return the number of rows. Reads everything, but converts as few columns as it can.

        Where records that cannot be read are left out, it converts all: a bad value in any column leaves out its row.
        """
        leaves_out = any(scan.source.leaves_out for scan in scans_of(self._plan))
        with Iteration(self._plan if leaves_out else Select(self._plan, ()), _whole) as batches:
            return sum(batch.num_rows for batch in batches)

    def explain(self) -> str:
        """Return the plan as written and as it will run. Reads nothing."""
        return Explanation(explain_text(self._plan, optimized_plan(self._plan)))

    def __repr__(self) -> str:
        return plan_text(self._plan, self._known)

    def _repr_html_(self) -> str:
        return plan_html(self._plan, self._known)

    # ------------------------------------------------------------- rowwise

    def select(self, *columns: str | Expr | pc.Expression | Sequence[str | Expr]) -> StreamFrame:
        """Keep these columns, in this order; an expression makes a new one, named by `alias`.

        Examples
        --------
        >>> import streamframe as sf
        >>> sf.from_arrow({"a": [1], "b": [2]}).select("b", (sf.col("a") * 10).alias("ten")).to_pandas()
           b  ten
        0  2   10
        """
        exprs = tuple(as_column(column) for column in _flat(columns))
        return self._asking(exprs, lambda plan: Select(plan, exprs))

    def drop(self, *columns: str | Sequence[str]) -> StreamFrame:
        """Leave these columns out."""
        return self._with(Drop(self._plan, tuple(_names(_flat(columns), "drop"))))

    def rename(self, columns: Mapping[str, str]) -> StreamFrame:
        """Give columns new names: ``{"old": "new"}``. Order and types stay."""
        if not isinstance(columns, Mapping):
            raise PlanError(f"rename needs a mapping from old to new names, got {type(columns).__name__}")
        _names([*columns, *columns.values()], "rename")
        return self._with(Rename(self._plan, tuple(columns.items())))

    def cast(self, dtypes: Mapping[str, Any]) -> StreamFrame:
        """Change types: ``{"fare": "float64"}``, in pandas', numpy's, Arrow's or Python's words.

        A value that does not fit its new type is a `DecodeError`: nothing is rounded or lost.
        """
        if not isinstance(dtypes, Mapping):
            raise PlanError('cast needs a mapping from columns to types, such as {"fare": "float64"}')
        return self._with(Cast(self._plan, tuple((name, parse_dtype(dtype)) for name, dtype in dtypes.items())))

    def filter(self, *predicates: Expr | pc.Expression) -> StreamFrame:
        """Keep the rows for which every predicate is true; null counts as false.

        A filter moves down into the scan where it can, and there spares Parquet row groups.
        """
        if not predicates:
            raise PlanError("filter needs a condition", hint="such as filter(sf.col('fare') > 10).")
        frame = self
        for predicate in predicates:
            frame = frame._with(Filter(frame._plan, _condition(predicate)))
        return frame

    def with_columns(self, /, *unnamed: Never, **exprs: Expr | pc.Expression | Any) -> StreamFrame:
        """Add columns, or replace those of the same name; a plain value is repeated in every row.

        All expressions see the columns as they were before this step.

        Examples
        --------
        >>> import streamframe as sf
        >>> sf.from_arrow({"km": [1.5]}).with_columns(m=sf.col("km") * 1000).to_pandas()
            km       m
        0  1.5  1500.0
        """
        if unnamed:
            raise PlanError(
                "with_columns needs a name for each column", hint="write with_columns(m=sf.col('km') * 1000)."
            )
        pairs = tuple((name, as_expr(expr)) for name, expr in exprs.items())
        frame, spent = self._telling([expr for _, expr in pairs])
        return frame._with(WithColumns(frame._plan, pairs, spent))

    def map_batches(
        self,
        fn: Callable[[pa.RecordBatch], pa.RecordBatch | pa.Table | Mapping[str, Any]],
        *,
        schema: pa.Schema | None = None,
        parallel: bool = False,
        name: str | None = None,
    ) -> StreamFrame:
        """Replace every batch by what `fn` makes of it.

        Nothing is known of what `fn` does: filters and columns are not moved across it.

        Parameters
        ----------
        fn
            Takes a `pyarrow.RecordBatch`; returns one, a `pyarrow.Table` or a dict of columns.
            Where batches are cut is not defined; use `rebatch` before it if that matters.
        schema
            What `fn` returns. Default: that of its first result, which then holds for all. Where no row comes at
            all, `fn` is called once with a batch of none, to learn its columns.
        parallel
            Call `fn` in the decode pool, on several batches at once; it must be thread-safe, and
            needs `schema`. Default False, since most functions of users are not.
        name
            What the step is called. A run can be resumed across a function only if it has one, since a
            checkpoint cannot look inside: change the name when the function changes.
        """
        checked_schema(schema, "map_batches")
        return self._with(
            MapBatches(self._plan, _function(fn, "map_batches"), schema, _parallel(parallel, schema), name)
        )

    def map_pandas(
        self,
        fn: Callable[[pd.DataFrame], pd.DataFrame],
        *,
        schema: pa.Schema | None = None,
        parallel: bool = False,
        name: str | None = None,
    ) -> StreamFrame:
        """Replace every batch by what `fn` makes of it as a DataFrame.

        The chunks have the dtypes of `iter_pandas`; an index that `fn` returns is dropped. The
        parameters are those of `map_batches`.
        """
        checked_schema(schema, "map_pandas")
        return self._with(MapPandas(self._plan, _function(fn, "map_pandas"), schema, _parallel(parallel, schema), name))

    # ------------------------------------------------------------- ordered

    def limit(self, n: int) -> StreamFrame:
        """Keep the first `n` rows, and stop reading behind them."""
        return self._with(Slice(self._plan, 0, _whole_number(n, "limit(n)", "n")))

    def slice(self, offset: int, n: int | None = None) -> StreamFrame:
        """Skip `offset` rows, then keep `n`, or all that follow."""
        offset = _whole_number(offset, "slice(offset, n)", "offset")
        length = None if n is None else _whole_number(n, "slice(offset, n)", "n")
        return self._with(Slice(self._plan, offset, length))

    def rebatch(self, *, rows: int | None = None, nbytes: int | str | None = None) -> StreamFrame:
        """Cut the stream into batches of `rows` rows, or of about `nbytes` bytes; rows keep their order.

        Holds one batch.
        """
        if (rows is None) == (nbytes is None):
            raise PlanError("rebatch needs either rows= or nbytes=")
        if nbytes is not None:
            return self._with(Rebatch(self._plan, None, parse_bytes(nbytes, name="nbytes")))
        return self._with(Rebatch(self._plan, _whole_number(rows, "rebatch(rows=)", "rows", least=1), None))

    def sample(self, fraction: float, *, seed: int = 0) -> StreamFrame:
        """Keep each row with the probability `fraction`, such as 0.01; rows keep their order.

        All rows are read, and none is held. Which are kept depends on `seed` and on the number of the row alone.

        Parameters
        ----------
        fraction
            From 0 to 1.
        seed
            Another one keeps other rows. Default: 0, so that every run, and one that is resumed, keeps the same.

        Examples
        --------
        >>> import streamframe as sf
        >>> 400 < sf.from_arrow({"n": range(1000)}).sample(0.5).count() < 600
        True
        """
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 <= fraction <= 1:
            raise PlanError(f"sample(fraction) needs a number from 0 to 1, got {fraction!r}", hint="such as 0.01.")
        return self._with(Sample(self._plan, float(fraction), _whole_number(seed, "sample(seed=)", "seed")))

    def shuffle(self, buffer_rows: int = 100_000, *, seed: int = 0) -> StreamFrame:
        """Put the rows into a random order, `buffer_rows` at a time.

        Rows change places with those of the same window of the input only. Holds two windows.

        Parameters
        ----------
        buffer_rows
            How many rows change places with each other; as many as fit a third of the option `memory`. Default:
            100,000, some 10 MB of an ordinary table.
        seed
            Another one gives another order. Default: 0, so that every run, and one that is resumed, gives the same.

        Raises
        ------
        BudgetError
            In the run, if a window does not fit.

        Examples
        --------
        >>> import streamframe as sf
        >>> shuffled = sf.from_arrow({"n": range(1000)}).shuffle()
        >>> numbers = [row["n"] for row in shuffled.iter_rows()]
        >>> numbers == sorted(numbers), sorted(numbers) == list(range(1000))
        (False, True)
        """
        rows = _whole_number(buffer_rows, "shuffle(buffer_rows)", "buffer_rows", least=1)
        return self._with(Shuffle(self._plan, rows, _whole_number(seed, "shuffle(seed=)", "seed")))

    def tee(self, sink: Any, *, storage_options: Mapping[str, Any] | None = None) -> StreamFrame:
        """Write the rows that pass here, and hand them on: one pass for two targets.

        The target is new and whole when all rows have passed. If the run ends before, by an error, a ``break`` or a
        `limit` above, it is what it was: put the limit below. Each run of the frame writes anew. `head` and the like
        stop early, so they change nothing. Such a frame has no checkpoints.

        Parameters
        ----------
        sink
            A path whose suffix names the format (Parquet, Arrow, NDJSON or CSV), or a `Sink` of your own.
        storage_options
            What fsspec takes for the scheme of a path.

        Examples
        --------
        >>> import tempfile
        >>> import streamframe as sf
        >>> frame = sf.from_arrow({"fare": [1, 2, 3]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dear = frame.tee(f"{folder}/all.csv").filter(sf.col("fare") > 2).to_arrow()
        ...     dear.num_rows, sf.read(f"{folder}/all.csv").count()
        (1, 3)
        """
        if not isinstance(sink, Sink):
            sink = file_sink(sink, "tee", storage_options)
        return self._with(Tee(self._plan, sink))

    def pipe(self, fn: Callable[Concatenate[StreamFrame, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return ``fn(self, *args, **kwargs)``, so that functions on frames chain like verbs."""
        return _function(fn, "pipe")(self, *args, **kwargs)  # type: ignore[no-any-return]

    # ------------------------------------------------------------ blocking

    def group_by(self, *keys: str | Expr | pc.Expression | Sequence[str | Expr]) -> GroupedFrame:
        """Group the rows that are equal in these columns, or computed keys; what follows is `agg`.

        Parameters
        ----------
        *keys
            Without any, all rows are one group, even if there are none. `sf.source()` groups by file.

        Examples
        --------
        >>> import streamframe as sf
        >>> flights = sf.from_arrow({"dest": ["ATL", "BOS", "ATL"], "delay": [12, -3, 8]})
        >>> flights.group_by("dest").agg(n=sf.count(), mean=("delay", "mean")).to_pandas()
          dest  n  mean
        0  ATL  2  10.0
        1  BOS  1  -3.0
        """
        exprs = tuple(as_column(key) for key in _flat(keys))
        self._telling(exprs)  # a source that cannot tell is named here, not behind `agg`
        return GroupedFrame(exprs, self._asking)

    # ------------------------------------------------------------- iterate

    def __iter__(self) -> Iteration[pa.RecordBatch]:
        return self.iter_batches()

    def iter_batches(
        self, batch_size: int | None = None, resume: Checkpoint | str | Mapping[str, Any] | None = None
    ) -> Iteration[pa.RecordBatch]:
        """Iterate over `pyarrow.RecordBatch` es; reads ahead within the option `memory`.

        Parameters
        ----------
        batch_size
            Rows of every batch but the last. Default: as they come from the source, which copies nothing.
        resume
            What `Iteration.checkpoint` of another run has returned, or its JSON, read or not: go on behind the last
            batch that it had handed over. Local text files are not read again before that place, nor are row groups of
            Parquet; other input is read and dropped.

        Raises
        ------
        ResumeError
            When it runs, if the plan or what has been read of the source is no longer the same; names the difference.

        Examples
        --------
        >>> import streamframe as sf
        >>> numbers = sf.from_arrow({"n": [1, 2, 3, 4, 5]})
        >>> with numbers.iter_batches(2) as batches:
        ...     first = next(batches)
        ...     checkpoint = batches.checkpoint()
        >>> [batch["n"].to_pylist() for batch in numbers.iter_batches(2, resume=checkpoint)]
        [[3, 4], [5]]
        """
        start = None if resume is None else as_checkpoint(resume)
        return Iteration(self._sized(batch_size, "batch_size")._plan, _whole, resume=start)

    def iter_pandas(
        self, chunksize: int | None = None, *, dtype_backend: DtypeBackend = "numpy"
    ) -> Iteration[pd.DataFrame]:
        """Iterate over DataFrames with the same dtypes in every chunk.

        Parameters
        ----------
        chunksize
            Rows of every chunk but the last. Default: as they come from the source.
        dtype_backend
            ``"numpy"``: pandas' default dtypes, but its nullable ones for integers and booleans
            (``Int64``), since a null may come in any later chunk. ``"pyarrow"``: Arrow dtypes.
        """
        backend = checked_backend(dtype_backend)
        # Rows are put together anyway: they become pandas' without another copy.
        owned = chunksize is not None
        frame = self._sized(chunksize, "chunksize", copied=owned)
        return Iteration(frame._plan, lambda batch: (to_chunk(batch, backend, owned=owned),))

    def iter_rows(self) -> Iteration[dict[str, Any]]:
        """Iterate over rows as dicts of Python values. Convenient, and slow: about 1 us a value."""
        return Iteration(self._plan, _rows, by_row=True)

    def extract(self, pattern: Any, column: str = "line", unmatched: Unmatched | None = None) -> StreamFrame:
        r"""Take a text apart: the named groups of a pattern take the place of the column.

        Parameters
        ----------
        pattern
            In RE2's syntax, or a ready one: `streamframe.patterns.COMMON_LOG` and ``COMBINED_LOG``, for the access
            logs of web servers, with times and numbers in their types. It may match anywhere; bind it
            with ``^`` and ``$``. Each group has a name: ``(?P<ip>\S+)``.
        column
            The text. ``"line"`` is what `read_lines` makes.
        unmatched
            What a text does that the pattern does not match: ``"raise"``, ``"null"`` in all groups, or ``"skip"``
            the row. A null matches nothing; with ``"raise"`` it stays null. Default: what `read_lines` was told of
            records that cannot be read by its `errors`, right behind it; else ``"raise"``.

        Raises
        ------
        PlanError
            If the pattern is none, or has groups without a name.
        DecodeError
            When it runs, if a text does not match.

        Examples
        --------
        >>> import streamframe as sf
        >>> frame = sf.from_arrow({"line": ["ATL 12", "BOS -3"]})
        >>> frame.extract(r"(?P<dest>\w+) (?P<delay>\S+)").cast({"delay": "int64"}).to_pandas()
          dest  delay
        0  ATL     12
        1  BOS     -3
        """
        if unmatched not in (None, "raise", "null", "skip"):
            raise PlanError(
                f'unmatched needs "raise", "null" or "skip", got {unmatched!r}',
                hint='leave it out, and pass errors="quarantine" to read_lines, to keep such lines aside.',
            )
        known, scan = as_pattern(pattern), self._plan.scan
        source = scan.source.taking_apart(column, known) if scan is not None and unmatched is None else None
        if source is not None:
            return self._with(Extract(Scan(source), column, known, "raise", taken=True))
        return self._with(Extract(self._plan, column, known, unmatched or "raise"))

    def rejects(self) -> StreamFrame:
        r"""Return the records that a run of this frame leaves out, since they cannot be read.

        For frames read with ``errors="quarantine"``. It is a plan of its own, which reads the source again: only
        the columns that this frame needs are looked at. To write both in one pass, give `rejects=` to
        the verb that exports.

        Returns
        -------
        StreamFrame
            Columns ``source`` and ``row`` (from 1), ``byte_offset`` (where the record starts, in the text as
            it is decompressed), ``column`` (the first that cannot be read; null if the record as a whole
            cannot), ``reason``, and ``record``: its bytes, as they stand in the file, without the end of the line.
            With `encoding=`, offset and bytes are those of the text in UTF-8.

        Raises
        ------
        PlanError
            If nothing in this plan is read with ``errors="quarantine"``.

        Examples
        --------
        >>> import io
        >>> import streamframe as sf
        >>> file = io.BytesIO(b"flight,delay\n1,12\n2,late\n3,4\n")
        >>> flights = sf.read_csv(file, dtype={"delay": "int64"}, errors="quarantine")
        >>> flights.rejects().select("row", "reason", "record").to_pandas()
           row                                    reason   record
        0    2  column 'delay': cannot read 'late' as int64  b'2,late'
        """
        require_quarantine(self._plan)
        return StreamFrame(Rejects(self._plan), REJECTS)

    # ------------------------------------------------------------ hand over

    def to_arrow(self) -> pa.Table:
        """Return all rows as a `pyarrow.Table`: the result has to fit in memory."""
        with self.iter_batches() as batches:
            schema = batches.schema
            return pa.Table.from_batches(list(batches), schema=schema)

    def to_pandas(self, *, dtype_backend: DtypeBackend = "numpy") -> pd.DataFrame:
        """Return all rows as a DataFrame: the result has to fit in memory.

        Parameters
        ----------
        dtype_backend
            ``"numpy"``: as `pyarrow.Table.to_pandas` does it. ``"pyarrow"``: Arrow dtypes.
        """
        return to_frame(self.to_arrow(), checked_backend(dtype_backend))

    def to_reader(self) -> pa.RecordBatchReader:
        """Return a `pyarrow.RecordBatchReader` that runs the plan as it is read."""
        batches = self.iter_batches()
        return pa.RecordBatchReader.from_batches(batches.schema, batches)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    # -------------------------------------------------------------- helpers

    def _with(self, node: Node) -> StreamFrame:
        # Where the schema is known already, a typo is told at the verb it stands in.
        return StreamFrame(node, None if self._known is None else node.produces(self._known))

    def _asking(self, exprs: Sequence[Expr], make: Callable[[Node], Node]) -> StreamFrame:
        """Return a frame with a step more, for which `make` gets a plan that tells what these expressions ask."""
        frame, _ = self._telling(exprs)
        return frame._with(make(frame._plan))

    def _telling(self, exprs: Sequence[Expr]) -> tuple[StreamFrame, tuple[str, ...]]:
        """Return a frame that hands on what the expressions ask of the source, and in which columns."""
        facts = facts_of(exprs)
        if not facts:
            return self, ()
        frame = StreamFrame(telling(self._plan, facts), with_facts(self._known, facts))
        return frame, tuple(fact_column(fact) for fact in facts)

    def _sized(self, rows: int | None, name: str, *, copied: bool = False) -> StreamFrame:
        if rows is None:
            return self
        return self._with(Rebatch(self._plan, _whole_number(rows, name, name, least=1), None, copied))

    if not TYPE_CHECKING:  # a checker would take every misspelled verb for a known one

        def __getattr__(self, name: str) -> NoReturn:
            hint = other_name(name) or (None if name.startswith("_") else did_you_mean(name, _public(type(self))))
            raise AttributeError(f"StreamFrame has no {name!r}" + (f"; {hint}" if hint else ""))


def _public(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_")]


class Explanation(str):
    """A text that shows itself as it is, without quotes, at the end of a notebook cell."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def concat(frames: Sequence[StreamFrame], how: Literal["vertical"] = "vertical") -> StreamFrame:
    """Put frames one behind another; they run one at a time, in order.

    Parameters
    ----------
    frames
        At least one. All must have the same columns and types.
    how
        ``"vertical"``: all rows of the first, then all of the second, and so on.

    Raises
    ------
    SchemaError
        If columns or types differ: here where they are known, otherwise when the plan runs.
    """
    frames = list(frames)
    if not frames or not all(isinstance(frame, StreamFrame) for frame in frames):
        raise PlanError("concat needs a list of at least one StreamFrame")
    if how != "vertical":
        raise PlanError.not_available(f"concat(how={how!r})", 'use how="vertical".')
    node = Concat(tuple(frame._plan for frame in frames))
    known = [frame._known for frame in frames if frame._known is not None]
    return StreamFrame(node, node.produces(*known) if len(known) == len(frames) else None)


def _whole(batch: pa.RecordBatch) -> tuple[pa.RecordBatch]:
    return (batch,)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    for start in range(0, batch.num_rows, _UNFOLDED_ROWS):
        piece = batch.slice(start, _UNFOLDED_ROWS)
        try:
            rows = piece.to_pylist()
        except (ValueError, OverflowError) as error:
            raise outside_python(piece, error) from error
        yield from rows


def _flat(columns: Sequence[Any]) -> list[Any]:
    """Accept ``f("a", "b")`` and ``f(["a", "b"])`` alike."""
    if len(columns) == 1 and isinstance(columns[0], (list, tuple)):
        return list(columns[0])
    return list(columns)


def _names(names: Sequence[Any], verb: str) -> list[str]:
    for name in names:
        if not isinstance(name, str):
            raise PlanError(f"{verb} needs column names, got {name!r}")
    return list(names)


def _condition(predicate: Any) -> Expr:
    if predicate is None or isinstance(predicate, str):
        raise PlanError(f"filter needs an expression, got {predicate!r}", hint="write filter(sf.col('fare') > 10).")
    condition = as_expr(predicate)
    if facts_of([condition]):
        raise PlanError(
            f"filter cannot ask for {condition.text} itself",
            hint="make it a column first: .with_columns(file=sf.source()).filter(sf.col('file') == ...).",
        )
    return condition


def _function(fn: Any, verb: str) -> Callable[..., Any]:
    if not callable(fn):
        raise PlanError(f"{verb} needs a function, got {type(fn).__name__}")
    return fn  # type: ignore[no-any-return]


def _parallel(parallel: bool, schema: pa.Schema | None) -> bool:
    if parallel and schema is None:
        raise PlanError("parallel=True needs schema=", hint="batches are made out of turn, so none can set the schema.")
    return parallel


def _whole_number(value: Any, call: str, name: str, least: int = 0) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise PlanError(f"{call} needs a whole number, got {value!r}")
    number = int(value.__index__())
    if number < least:
        raise PlanError(f"{call} needs {name} >= {least}, got {number}")
    return min(number, _MAX_ROWS)
