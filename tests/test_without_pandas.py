"""What needs no pandas does not import it: that takes longer than many a small job, and than a run that goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
import streamframe as sf
frame = sf.read(sys.argv[1])
{work}
print("pandas" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [
        'frame.to_parquet("out.parquet")',
        'frame.to_parquet("out/", resume=True)',
        'frame.filter(sf.col("alt") > 1_000).to_parquet("out.parquet")',
        'frame.to_parquet("out/", partition_by="name")',
        'frame.to_csv("out.csv"); frame.to_csv("quoted.csv", quotechar="\'", formula_guard=True)',
        'frame.to_ndjson("out.ndjson"); sf.read("out.ndjson").to_csv("out.csv.gz")',
        'frame.to_ipc("out.arrow"); list(sf.read("out.arrow").shuffle(10, seed=1).sample(0.5, seed=1))',
        'list(frame.group_by("name").agg(n=sf.count(), top=("alt", "max"), mean=("lat", "mean")))',
        'list(frame.with_columns(row=sf.source("row")).rebatch(rows=1))',
        'frame.to_csv("out/", partition_by=["name", "day"]); list(sf.read_csv("out").with_columns(path=sf.source()))',
        'list(sf.read_csv(sys.argv[1], date_format="%d.%m.%Y", dtype={"day": "string"}))',
    ],
)
def test_plain_work_imports_no_pandas(tmp_path, work):
    (tmp_path / "rows.csv").write_text(
        "name,alt,lat,at,day\nx,1200,2.5,2020-01-01T00:00:00Z,2020-01-01\ny,,1.0,2020-01-01T00:00:01Z,2020-01-01\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(work=work), "rows.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "False\n"
