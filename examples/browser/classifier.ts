import * as tf from '@tensorflow/tfjs';

/** A class of an image. */
export interface Guess {
  name: string;
  probability: number;
}

/** What `preprocess.mjs` of an export has. */
interface Preprocess {
  preprocess(image: ImageData, recipe: Recipe): Uint8Array;
}

/** `preprocessing.json` of an export, as far as it is used here. */
interface Recipe {
  /** `[height, width, channels]`. */
  shape: [number, number, number];
}

/** Loads a folder that `tailmix export --format tfjs` wrote, from the web server. */
export async function loadClassifier(folder: URL): Promise<(image: ImageData, top: number) => Promise<Guess[]>> {
  const file = (name: string): string => new URL(name, folder).href;
  await tf.ready();
  const [model, { preprocess }, recipe] = await Promise.all([
    tf.loadGraphModel(file('model.json')),
    import(/* @vite-ignore */ file('preprocess.mjs')) as Promise<Preprocess>,
    fetch(file('preprocessing.json')).then((answer) => answer.json() as Promise<Recipe>),
  ]);
  const { classes } = model.metadata as { classes: string[] };

  return async (image, top) => {
    const probabilities = tf.tidy(() => {
      const images = tf.tensor(preprocess(image, recipe), [1, ...recipe.shape], 'int32');
      return model.execute({ images }, 'probabilities') as tf.Tensor;
    });
    const values = await probabilities.data();
    probabilities.dispose();
    return classes
      .map((name, label) => ({ name, probability: values[label]! }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, top);
  };
}
