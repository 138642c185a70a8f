/** Results that are kept in the repository. */
export const sets = {
  digits: {
    sweep: 'results/digits/sweep.yaml',
    title: 'Every method, on digits',
    text: `Long-tailed digits (exponential profile, ratio 100: 1,985 training images, 801 down to 8 a class), \`small-cnn\`, 40 epochs,
seeds 0 to 9, each method with the hyper-parameters of its paper or of its authors' code for ten classes and nothing tuned here.
cRT and LWS have ten further epochs. Ten classes of small digits rank methods for small digits, not for photographs.`,
  },
  'cifar10-lt': {
    sweep: 'configs/paper/neutral-200.yaml',
    title: 'Seven methods on CIFAR-10-LT in 200 epochs',
    text: `CIFAR-10, exponential profile, ratio 100 (12,406 training images, 5,000 down to 50 a class; 10,000 test images), ResNet-32, the 200
epochs of Cao et al. 2019. **The images are CIFAR-10's re-encoded as JPEG**: compare the methods with each other, not with figures from the
original files.`,
  },
} satisfies Record<string, { sweep: string; title: string; text: string }>;

/** The command for a set. */
export const commandFor = (name: keyof typeof sets): string =>
  `npm run results -- ${name}${name === 'digits' ? '' : ' --data-root DIR'}`;
