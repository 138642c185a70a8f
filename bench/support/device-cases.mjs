// Networks that are measured on a device: those of the mission's runs on CIFAR and iNaturalist.
export const DEVICE_CASES = [
  { name: 'resnet32-fp32', model: 'resnet32', batch: 128, size: 32, precision: 'fp32' },
  { name: 'resnet18-fp32', model: 'resnet18-cifar', batch: 128, size: 32, precision: 'fp32' },
  { name: 'resnet18-1024-fp32', model: 'resnet18-cifar', batch: 1024, size: 32, precision: 'fp32' },
  { name: 'resnet50-bf16', model: 'resnet50', batch: 256, size: 224, precision: 'bf16' },
];

/** The step that is taken thousands of times, to see that memory stays as it is. */
export const STEADY_CASE = { name: 'small-cnn-fp32', model: 'small-cnn', batch: 64, size: 32, precision: 'fp32' };

/** What is trained: arguments of `tailmix train`. */
export const TRAINING = ['configs/digits/remix-drw.yaml', '--set', 'train.epochs=6'];
