/** Results that are kept in the repository. */
export const sets = {
  digits: {
    sweep: 'results/digits/sweep.yaml',
    title: 'Every method, on digits',
    text: `Long-tailed digits (exponential profile, ratio 100: 1,985 training images, 801 down to 8 a class), \`small-cnn\`, 40 epochs,
seeds 0 to 9, each method with the hyper-parameters of its paper or of its authors' code for ten classes and nothing tuned here but
the rates of NCL, which diverged, and of GLMC, which stayed at chance.
cRT and LWS have ten further epochs. Ten classes of small digits rank methods for small digits, not for photographs.
Runs that fell to chance at this learning rate are counted as they are: five of RW's ten and one of PaCo's are at 10 %. Label over-smoothing (LOS)
has the factor 0.98 of its paper's second phase. m2m and distill need another run, and are not here.`,
  },
  remix: {
    sweep: 'results/remix/sweep.yaml',
    title: 'What the Remix paper leaves open, on digits',
    text: `Long-tailed digits (exponential profile, ratio 100), \`small-cnn\`, 40 epochs, seeds 0 to 9; Remix is κ 3, τ 0.5, one λ a batch, on Mixup
with α 1, and every other row changes one thing of it. CM: on CutMix, MM: on Manifold Mixup. "Averaged label factor" is the mistake of two
public implementations ([examples/averaged-label-weight.ts](../../examples/averaged-label-weight.ts)). A weighted mean and a plain one
differ only where classes have weights, so that question is asked of Remix-DRW.`,
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
  `npm run results -- ${name}${name === 'cifar10-lt' ? ' --data-root DIR' : ''}`;
