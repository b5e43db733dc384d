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
    ],
)
def test_a_plain_export_to_parquet_imports_no_pandas(tmp_path, work):
    (tmp_path / "rows.csv").write_text("name,alt,lat\nx,1200,2.5\ny,10,1.0\n")
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(work=work), "rows.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "False\n"
