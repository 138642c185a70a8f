"""PyTorch's DataLoader with torchvision transforms, for bench/loader.mjs: answers each line with an epoch's rate."""
import argparse
import json
import sys
import time

import numpy
import PIL
import torch
import torchvision
from torchvision import transforms

parser = argparse.ArgumentParser()
parser.add_argument('--file', required=True)
parser.add_argument('--workers', type=int, required=True)
parser.add_argument('--batch', type=int, required=True)
parser.add_argument('--uint8', action='store_true')
options = parser.parse_args()


class Images(torch.utils.data.Dataset):
    """As torchvision.datasets.CIFAR10: an array in memory, an image made of each row."""

    def __init__(self):
        self.data = numpy.fromfile(options.file, numpy.uint8).reshape(-1, 32, 32, 3)
        last = [transforms.PILToTensor()] if options.uint8 else [
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
        ]
        crop = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        self.transform = transforms.Compose(crop + last)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.transform(PIL.Image.fromarray(self.data[index])), index % 10


if __name__ == '__main__':
    images = Images()
    loader = torch.utils.data.DataLoader(
        images, batch_size=options.batch, shuffle=True, num_workers=options.workers, persistent_workers=True
    )
    print(json.dumps({'version': f'torch {torch.__version__}, torchvision {torchvision.__version__}'}), flush=True)
    for line in sys.stdin:
        if line.strip() == 'quit':
            break
        # The first batch is waited for before the clock starts: both sides' workers are up.
        batches = iter(loader)
        seen = -len(next(batches)[0])
        start = time.perf_counter()
        seen = 0
        for batch, _ in batches:
            seen += len(batch)
        print(json.dumps({'imagesPerSecond': seen / (time.perf_counter() - start)}), flush=True)
