"""The loader of a classifier that tailmix exported as a model of MLflow. ONNX Runtime computes, Pillow decodes."""

import base64
import io
import json
import os

import numpy as np
import onnxruntime
import pandas as pd
from mlflow.exceptions import MlflowException
from PIL import Image, ImageCms, ImageOps

BATCH = 32


def _load_pyfunc(path):
    """What mlflow.pyfunc.load_model calls."""
    return Classifier(path)


class Classifier:
    """`predict` takes a table with a column `image`, JPEG or PNG files as bytes or in base64; where images are not photos,
    an array `[n, height, width, channels]` of numbers 0 to 255."""

    def __init__(self, folder):
        def record(name):
            path = os.path.join(folder, name)
            return json.load(open(path, encoding="utf-8")) if os.path.exists(path) else None

        def session(name):
            path = os.path.join(folder, name)
            providers = onnxruntime.get_available_providers()
            return onnxruntime.InferenceSession(path, providers=providers) if os.path.exists(path) else None

        self.classes = record("classes.json")["classes"]
        self.recipe = record("preprocessing.json")
        self.photo = session("photo.onnx")
        self.model = session("model.onnx")

    def predict(self, model_input, params=None):
        """A row an image: `class` and `probability` of the likeliest, and `probabilities` of all, as `classes.json` orders them."""
        images = self._images(model_input)
        parts = [
            self.model.run(["probabilities"], {"images": np.concatenate(images[i : i + BATCH])})[0]
            for i in range(0, len(images), BATCH)
        ]
        rows = np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, len(self.classes)))
        top = rows.argmax(1)
        return pd.DataFrame(
            {
                "class": [self.classes[label] for label in top],
                "probability": rows[np.arange(len(rows)), top],
                "probabilities": list(rows),
            }
        )

    def _images(self, model_input):
        if self.photo is None:
            return list(np.asarray(model_input, np.uint8)[:, None])
        return [self._image(number, content) for number, content in enumerate(model_input["image"])]

    def _image(self, number, content):
        try:
            photo = self._decoded(base64.b64decode(content) if isinstance(content, str) else bytes(content))
        except Exception as error:
            message = f"image {number}: expected a JPEG or PNG file, as bytes or in base64; {error}"
            raise MlflowException.invalid_parameter_value(message) from error
        channels = self.recipe["shape"][2]
        if channels == 1 and (photo != photo[:, :, :1]).any():
            raise MlflowException.invalid_parameter_value(f"image {number}: expected a grey image; got colours")
        return self.photo.run(["images"], {"photo": photo[:, :, :channels]})[0]

    def _decoded(self, data):
        """`[height, width, 3]`: upright, in sRGB, without transparency."""
        photo = Image.open(io.BytesIO(data))
        if self.recipe["exif"] == "honour":
            photo = ImageOps.exif_transpose(photo)
        profile = photo.info.get("icc_profile")
        if photo.mode != "CMYK" or not profile:
            photo = photo.convert("RGB")
        if profile:
            srgb = ImageCms.createProfile("sRGB")
            photo = ImageCms.profileToProfile(photo, io.BytesIO(profile), srgb, outputMode="RGB")
        return np.asarray(photo)
