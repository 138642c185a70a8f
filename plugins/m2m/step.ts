import { type Forward, type Gradients, type Model, type RunInfo, rowsOf, tf } from 'tailmix';
import { isConvincing, type Judges, type TranslateOptions, translate } from './translate.ts';

export const NAME = 'm2m';

/** Values of the variant `m2m`. */
export const OFF = 'off';
export const ON = 'on';

export const SEEDS = `${NAME}/seeds`;
export const FROM = `${NAME}/from`;
export const TAKE = `${NAME}/take`;
export const NOISE = `${NAME}/noise`;

/**
 * Gradients of a batch in which rows that take a translated image, and whose image convinces the classifier, have it. Figure `m2m`: their share.
 *
 * @param forward - f, with the weights of the step, as if in prediction
 * @param classifier - g, of the run's state
 */
export const withTranslated =
  (
    gradients: Gradients,
    forward: Forward,
    classifier: Pick<Model, 'forward'>,
    { mean, std }: Pick<RunInfo, 'mean' | 'std'>,
    { confidence, ...how }: TranslateOptions & { confidence: number },
  ): Gradients =>
  (weights, pass) => {
    const give = (share: tf.Tensor, images: tf.Tensor): ReturnType<Gradients> => {
      const found = gradients(weights, { ...pass, inputs: { ...pass.inputs, images } });
      return { ...found, figures: { ...found.figures, [NAME]: share } };
    };
    const { images, labels, [SEEDS]: seeds, [FROM]: from, [TAKE]: take, [NOISE]: noise } = pass.inputs;
    if (pass.variants[NAME] !== ON) return give(tf.scalar(0), images!);

    const [size, pool] = [labels!.shape[0]!, images!.shape[0]!];
    const rows = rowsOf(images!, 0, size);
    const normalised = (x: tf.Tensor): tf.Tensor => x.sub(tf.tensor1d([...mean])).div(tf.tensor1d([...std]));
    const inPixels = (x: tf.Tensor): tf.Tensor => x.mul(tf.tensor1d([...std])).add(tf.tensor1d([...mean]));
    const alone = { training: false, inputs: pass.inputs, variants: {}, atStage: (_: string, x: tf.Tensor) => x };
    const logitsBy = (judge: Forward) => (x: tf.Tensor) => judge(weights, normalised(x), alone).logits;
    const judges: Judges = { classifier: logitsBy(classifier.forward), network: logitsBy(forward) };
    const begin = inPixels(rows.gather(seeds!)).add(noise!).clipByValue(0, 1);
    const moved = translate(begin, { to: labels!, from: from! }, judges, how);
    const taken = take!.mul(isConvincing(judges.classifier(moved), labels!, confidence));
    const isTaken = taken.reshape([size, 1, 1, 1]);
    const translated = normalised(moved)
      .mul(isTaken)
      .add(rows.mul(tf.sub(1, isTaken)));
    return give(
      taken.mean(),
      pool > size ? tf.concat([translated, rowsOf(images!, size, pool - size)], 0) : translated,
    );
  };
