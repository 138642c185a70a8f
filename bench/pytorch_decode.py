"""Pillow and torchvision for bench/decode.mjs: answers each line with what a pass over the files took.

Modes: `crop` decodes and draws a RandomResizedCrop(224), as torchvision's ImageFolder does; `full` and `scaled` only decode, in
full and at the smallest of 1/2, 1/4 and 1/8 of the size that covers 256 x 256 (libjpeg-turbo's scaled decoding, Pillow's
`draft`); `draft` draws the crop from that.
"""
import argparse
import json
import sys
import time

import PIL
import torch
import torchvision
from PIL import Image, features
from torchvision import transforms

parser = argparse.ArgumentParser()
parser.add_argument('--mode', choices=['crop', 'full', 'scaled', 'draft'], required=True)
parser.add_argument('--files', required=True)
parser.add_argument('--seconds', type=float, required=True, help='that passes are repeated for')
options = parser.parse_args()
torch.set_num_threads(1)
with open(options.files) as file:
    files = [photo['path'] for photo in json.load(file)]

transform = transforms.Compose([transforms.RandomResizedCrop(224), transforms.PILToTensor()])


def decode(path):
    with open(path, 'rb') as file:
        image = Image.open(file)
        if options.mode in ('scaled', 'draft'):
            image.draft('RGB', (256, 256))
        return image.convert('RGB')


turbo = f"libjpeg-turbo {features.version('libjpeg_turbo')}"
version = f'torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}, {turbo}'
print(json.dumps({'version': version}), flush=True)
for line in sys.stdin:
    if line.strip() == 'quit':
        break
    start, cpu = time.perf_counter(), time.process_time()
    passes = 0
    while passes == 0 or time.perf_counter() - start < options.seconds:
        for path in files:
            image = decode(path)
            if options.mode in ('crop', 'draft'):
                assert tuple(transform(image).shape) == (3, 224, 224)
        passes += 1
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({'seconds': seconds / passes, 'cpuSeconds': cpu_seconds / passes}), flush=True)
