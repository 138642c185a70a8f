"""Prints the probabilities of photos by a model in a folder, as JSON.

python load_folder.py FOLDER PHOTO…
"""

import json
import sys

import mlflow
import pandas as pd

folder, *photos = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
rows = model.predict(pd.DataFrame({"image": [open(photo, "rb").read() for photo in photos]}))
json.dump([list(row) for row in rows["probabilities"]], sys.stdout)
