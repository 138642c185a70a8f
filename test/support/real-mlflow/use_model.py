"""Loads the newest model of an experiment in the ways that MLflow has, and prints what each says of photos, as JSON.

python use_model.py SERVER EXPERIMENT PHOTO…
"""

import base64
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import mlflow
import pandas as pd
from mlflow.tracking import MlflowClient


def answers(predictions):
    return [[row["class"], row["probability"], list(row["probabilities"])] for row in predictions]


def loaded(uri, contents):
    model = mlflow.pyfunc.load_model(uri)
    return answers(model.predict(pd.DataFrame({"image": contents})).to_dict("records"))


def post(port, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request))


def refusal(call):
    try:
        call()
    except urllib.error.HTTPError as error:
        return json.load(error)["message"]
    except Exception as error:
        return str(error)
    return None


def served(uri, contents):
    """By `mlflow models serve`."""
    port = __import__("socket").create_server(("127.0.0.1", 0)).getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        limit = time.time() + 200
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping")
                break
            except OSError:
                assert server.poll() is None and time.time() < limit, "mlflow models serve did not start"
                time.sleep(0.2)
        encoded = [[base64.b64encode(content).decode()] for content in contents]
        found = answers(post(port, {"dataframe_split": {"columns": ["image"], "data": encoded}})["predictions"])
        folder = mlflow.artifacts.download_artifacts(artifact_uri=uri)
        example = open(f"{folder}/serving_input_example.json").read()
        refused = refusal(lambda: post(port, {"inputs": {"image": ["aGVsbG8="]}}))
        return {"found": found, "example": len(post(port, json.loads(example))["predictions"]), "refused": refused}
    finally:
        server.terminate()
        server.wait()


def main(server, name, *photos):
    mlflow.set_tracking_uri(server)
    client = MlflowClient()
    experiment = client.get_experiment_by_name(name)
    model = client.search_logged_models([experiment.experiment_id])[0]
    uri = f"models:/{model.model_id}"
    contents = [open(photo, "rb").read() for photo in photos]
    version = mlflow.register_model(uri, "photos")
    pyfunc = mlflow.pyfunc.load_model(uri)
    json.dump(
        {
            "logged": loaded(uri, contents),
            "registered": loaded(f"models:/photos/{version.version}", contents),
            "served": served(uri, contents),
            "onnx": [output.name for output in mlflow.onnx.load_model(uri).graph.output],
            "classes": pyfunc.metadata.metadata["classes"],
            "signature": str(pyfunc.metadata.signature.inputs),
            "refused": refusal(lambda: pyfunc.predict(pd.DataFrame({"image": [b"hello"]}))),
            "metrics": sorted({(m.dataset_name, len(m.dataset_digest or "")) for m in model.metrics}),
        },
        sys.stdout,
    )


main(*sys.argv[1:])
