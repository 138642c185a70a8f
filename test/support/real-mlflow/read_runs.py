"""Prints runs as JSON, as MLflow's own client reads them.

python read_runs.py SERVER EXPERIMENT

SERVER is a tracking URI. What JSON lacks (NaN, infinities) is a text. Artifacts are downloaded, and shown as their
SHA-256.
"""

import hashlib
import json
import math
import os
import sys
import tempfile

import mlflow
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient


def number(value):
    return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]


def hashes(download):
    with tempfile.TemporaryDirectory() as folder:
        root = download(folder)
        files = [os.path.join(parent, name) for parent, _, names in os.walk(root) for name in names]
        # The client puts this one there itself.
        files = [file for file in files if os.path.basename(file) != "registered_model_meta"]
        return {os.path.relpath(file, root): hashlib.sha256(open(file, "rb").read()).hexdigest() for file in sorted(files)}


def history(client, run_id, key):
    points = client.get_metric_history(run_id, key)
    return sorted(([p.step, number(p.value), p.timestamp] for p in points), key=lambda point: (point[0], point[2]))


def show_run(client, run):
    info = run.info
    return {
        "runId": info.run_id,
        "name": info.run_name,
        "status": info.status,
        "startTime": info.start_time,
        "endTime": info.end_time,
        "metrics": {key: history(client, info.run_id, key) for key in run.data.metrics},
        "latest": {key: number(value) for key, value in run.data.metrics.items()},
        "params": run.data.params,
        "tags": run.data.tags,
        "datasets": [
            {
                "name": dataset.dataset.name,
                "digest": dataset.dataset.digest,
                "sourceType": dataset.dataset.source_type,
                "source": dataset.dataset.source,
                "schema": dataset.dataset.schema,
                "profile": dataset.dataset.profile,
                "context": next((tag.value for tag in dataset.tags if tag.key == "mlflow.data.context"), None),
            }
            for dataset in run.inputs.dataset_inputs
        ],
        "models": [
            show_model(client.get_logged_model(output.model_id), output.step)
            for output in (run.outputs.model_outputs if run.outputs else [])
        ],
        "artifacts": hashes(lambda folder: mlflow.artifacts.download_artifacts(run_id=info.run_id, dst_path=folder))
        if client.list_artifacts(info.run_id)
        else {},
    }


def show_model(model, step):
    uri = f"models:/{model.model_id}"
    return {
        "name": model.name,
        "step": step,
        "status": str(model.status),
        "type": model.model_type,
        "params": model.params,
        "tags": model.tags,
        "metrics": sorted([m.key, m.step, number(m.value)] for m in model.metrics or []),
        "artifacts": hashes(lambda folder: mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)),
    }


def main(server, name):
    mlflow.set_tracking_uri(server)
    client = MlflowClient()
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ACTIVE_ONLY, order_by=["start_time ASC"])
    json.dump(
        {"experiment": {"id": experiment.experiment_id, "tags": experiment.tags}, "runs": [show_run(client, run) for run in runs]},
        sys.stdout,
        allow_nan=False,
    )


main(*sys.argv[1:])
