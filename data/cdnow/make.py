"""Make transactions.csv from the data files in the PyPI wheel of lifetimes 0.11.3.

pip download lifetimes==0.11.3 --no-deps && python data/cdnow/make.py Lifetimes-0.11.3-py3-none-any.whl
"""

import sys
import zipfile
from pathlib import Path

import pandas as pd

with zipfile.ZipFile(sys.argv[1]) as wheel:
    with wheel.open("lifetimes/datasets/CDNOW_master.txt") as file:
        log = pd.read_csv(file, sep=r"\s+", skiprows=1, names=["customer_id", "date", "quantity", "amount"], dtype=str)
    with wheel.open("lifetimes/datasets/CDNOW_sample.txt") as file:
        sample = pd.read_csv(file, sep=r"\s+", header=None, usecols=[0], names=["customer_id"], dtype=str)

log["date"] = pd.to_datetime(log["date"], format="%Y%m%d").dt.date
log["in_published_sample"] = log["customer_id"].isin(sample["customer_id"]).astype(int)
log = log[["customer_id", "date", "amount", "quantity", "in_published_sample"]]
log.to_csv(Path(__file__).with_name("transactions.csv"), index=False, lineterminator="\n")
