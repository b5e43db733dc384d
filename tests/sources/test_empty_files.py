"""Files of text without a record, among others: wherever they stand, the others tell the columns."""

import itertools

import pytest

import streamframe as sf
from streamframe.errors import EmptyFileError, SchemaError
from streamframe.testing import serve, with_length

SCHEMAS = ["first", "union", "strict"]
READ = {"csv": sf.read_csv, "ndjson": sf.read_ndjson}
TEXTS = {"csv": ["a,b\n1,x\n", "a,b\n2,y\n"], "ndjson": ['{"a":1,"b":"x"}\n', '{"a":2,"b":"y"}\n']}
EMPTY = {"csv": ["", "\n\n", "\ufeff"], "ndjson": ["", "\n \n", "[]"]}
BOTH = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]

pytestmark = pytest.mark.filterwarnings("ignore:.* is empty. it adds no rows")


def written(folder, texts, kind):
    for n, text in enumerate(texts):
        (folder / f"{n}.{kind}").write_text(text)
    return READ[kind], folder / f"*.{kind}"


def rows(frame):
    return list(frame.iter_rows())


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize(("kind", "empty"), [(kind, empty) for kind in READ for empty in EMPTY[kind]])
def test_an_empty_file_adds_no_rows_wherever_it_stands(tmp_path, kind, empty, schema):
    for place in itertools.product([0, 1, 2], repeat=2):
        texts = list(TEXTS[kind])
        for at in place:
            texts.insert(at, empty)
        read, paths = written(tmp_path, texts, kind)
        frame = read(paths, schema=schema)
        assert rows(frame) == BOTH, place
        assert rows(frame) == BOTH, f"{place} again"


@pytest.mark.parametrize("kind", READ)
def test_the_types_of_the_first_file_that_is_not_empty_hold(tmp_path, kind):
    read, paths = written(tmp_path, ["", *TEXTS[kind]], kind)
    assert read(paths).schema == read(tmp_path / f"1.{kind}").schema
    assert sf.infer_schema(tmp_path / f"1.{kind}") == sf.infer_schema(paths)


def test_a_given_type_does_not_make_an_empty_file_tell_the_columns(tmp_path):
    read, paths = written(tmp_path, ["", *TEXTS["ndjson"]], "ndjson")
    assert rows(read(paths, dtype={"a": "string"})) == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("kind", READ)
def test_files_that_are_all_empty_are_an_error_that_says_so(tmp_path, kind, schema):
    read, paths = written(tmp_path, ["", "", ""], kind)
    with pytest.raises(EmptyFileError, match=rf"0\.{kind} is empty: .*; so are all 3 files"):
        read(paths, schema=schema).to_pandas()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_columns_that_the_user_names_are_enough_for_files_that_are_all_empty(tmp_path, schema):
    for texts in ([""], ["", ""]):
        read, paths = written(tmp_path, texts, "ndjson")
        table = read(paths, schema=schema, dtype={"b": "date", "a": "int32"}).to_arrow()
        assert (table.num_rows, table.column_names) == (0, ["b", "a"])
        read, paths = written(tmp_path, texts, "csv")
        assert read(paths, schema=schema, names=["b", "a"], header=False).to_arrow().column_names == ["b", "a"]


def test_strict_compares_with_the_first_file_that_has_columns(tmp_path):
    read, paths = written(tmp_path, ["", "a,b\n1,x\n", "b,a\ny,2\n"], "csv")
    with pytest.raises(SchemaError, match=r"the columns of .*2\.csv stand in another order: .* where .*1\.csv has 'a'"):
        read(paths, schema="strict").to_pandas()


@pytest.mark.parametrize("kind", READ)
def test_an_empty_file_is_told_where_a_header_is_missing_only(tmp_path, kind, recwarn):
    read, paths = written(tmp_path, [TEXTS[kind][0], "", TEXTS[kind][1]], kind)
    assert rows(read(paths)) == BOTH
    told = [str(one.message) for one in recwarn]
    assert [text.endswith("1.csv is empty: it adds no rows") for text in told] == ([True] if kind == "csv" else [])


def test_an_export_of_which_the_first_files_are_empty_continues(tmp_path):
    read, paths = written(tmp_path, ["", "", *TEXTS["csv"], ""], "csv")
    batches = read(paths).rebatch(rows=1).iter_batches()
    assert next(batches).to_pylist() == BOTH[:1]
    mark = batches.checkpoint()
    batches.close()
    assert [batch.to_pylist() for batch in read(paths).rebatch(rows=1).iter_batches(resume=mark)] == [BOTH[1:]]


def test_empty_files_over_http_are_passed_over():
    pages = {f"/{n}.csv": text.encode() for n, text in enumerate(["", *TEXTS["csv"]])}
    with serve(lambda request: with_length(pages[request.path])(request)) as url:
        urls = [url + path for path in pages]
        for schema in SCHEMAS:
            assert rows(sf.read_csv(urls, schema=schema)) == BOTH


def test_widening_looks_at_the_files_behind_an_empty_one(tmp_path):
    read, paths = written(tmp_path, ["", "a\n1\n", "a\nx\n", ""], "csv")
    assert rows(read(paths, on_widen="string")) == [{"a": "1"}, {"a": "x"}]
