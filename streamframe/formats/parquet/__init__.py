"""Parquet: row groups in, batches out; batches in, row groups out."""

from streamframe.formats.parquet.encoding import ParquetEncoding
from streamframe.formats.parquet.options import parquet_options
from streamframe.formats.parquet.reader import ParquetFormat

__all__ = ["ParquetEncoding", "ParquetFormat", "parquet_options"]
