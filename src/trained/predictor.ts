import { decodeInput } from '../data/packed/decode.ts';
import { TailmixError } from '../errors.ts';
import { concatenate } from '../util/concatenate.ts';
import { countWrong, predictorDisposed } from './errors.ts';
import { encoded, type ImageInput } from './image-input.ts';
import type { Network, NetworkOutputs } from './network.ts';
import { BATCH, type Guess, rowsOf, softmax, topClasses } from './predict.ts';

/** What a predictor says of an image. */
export interface Prediction {
  /** The likeliest classes, the likeliest first. */
  top: Guess[];
  /** `[C]`, in label order; their sum is 1. */
  probabilities: Float64Array;
  /** `[C]`. */
  logits: Float32Array;
  /** `[D]`: what the classifier takes, to compare images by. */
  features: Float32Array;
}

/** How to predict. */
export interface PredictOptions {
  /** How many classes of each image. Default 3. */
  top?: number;
  /** Images of one call of the network. Default 64. */
  batchSize?: number;
}

/** An image of a stream, with what was said of it or why it could not be read. */
export type Answer<Image extends ImageInput = ImageInput> =
  | { image: Image; prediction: Prediction; error?: never }
  | { image: Image; prediction?: never; error: TailmixError };

/** A trained classifier in memory. */
export interface Predictor<About = unknown> {
  /** In label order. */
  readonly classes: readonly string[];
  /** `[height, width, channels]` of the network's input; images of any size are scaled to cover it and cropped. */
  readonly imageShape: readonly [number, number, number];
  /** What it was loaded from. */
  readonly from: About;
  /**
   * The classes of an image, or of several.
   *
   * @throws {TailmixError} IMAGE_UNREADABLE, IMAGE_CHANNELS for the first image that cannot be read; PREDICT_IMAGE,
   *   PREDICT_PIXELS, PREDICT_OPTION, PREDICTOR_DISPOSED.
   */
  predict(image: ImageInput, options?: PredictOptions): Promise<Prediction>;
  predict(images: readonly ImageInput[], options?: PredictOptions): Promise<Prediction[]>;
  /** The same of many images, in order, a batch in memory at a time; one that cannot be read ends nothing. */
  stream<Image extends ImageInput>(
    images: Iterable<Image> | AsyncIterable<Image>,
    options?: PredictOptions,
  ): AsyncGenerator<Answer<Image>, void, undefined>;
  /** Frees its memory and its backend. Twice does no harm. */
  dispose(): Promise<void>;
}

/** Files that are decoded at once. */
const IN_FLIGHT = 16;

/** Predicts with a network, which the predictor then owns. */
export function createPredictor<About>(
  network: Network,
  from: About,
  onDispose: () => void = () => {},
): Predictor<About> {
  const { classes, imageShape, packShape, interpolation, exif } = network;
  let isDisposed = false;
  const inFlight = new Set<Promise<unknown>>();

  /** Memory of a run in flight is not freed under it. */
  const run = async (images: Uint8Array, count: number): Promise<NetworkOutputs> => {
    if (isDisposed) throw predictorDisposed();
    const outputs = Promise.resolve(network.run(images, count));
    inFlight.add(outputs);
    return outputs.finally(() => inFlight.delete(outputs));
  };

  const decoded = async (image: ImageInput, name: string): Promise<Uint8Array | TailmixError> => {
    try {
      return await decodeInput(await encoded(image, name), imageShape, { packShape, interpolation, exif });
    } catch (error) {
      if (error instanceof TailmixError) return error;
      throw error;
    }
  };

  async function* answer<Image extends ImageInput>(
    images: readonly Image[],
    before: number,
    top: number,
  ): AsyncGenerator<Answer<Image>, void, undefined> {
    const pixels: (Uint8Array | TailmixError)[] = [];
    for (let at = 0; at < images.length; at += IN_FLIGHT) {
      const part = images.slice(at, at + IN_FLIGHT);
      pixels.push(...(await Promise.all(part.map((image, i) => decoded(image, `image ${before + at + i + 1}`)))));
    }
    const rows = pixels.filter((one) => one instanceof Uint8Array);
    const outputs = rows.length > 0 ? await run(concatenate(Uint8Array, rows), rows.length) : null;
    const logits = outputs ? rowsOf(outputs.logits, rows.length) : [];
    const features = outputs ? rowsOf(outputs.features, rows.length) : [];
    let row = 0;
    for (const [i, image] of images.entries()) {
      const one = pixels[i]!;
      if (one instanceof TailmixError) yield { image, error: one };
      else {
        const probabilities = softmax(logits[row]!);
        const prediction = {
          top: topClasses(probabilities, classes, top),
          probabilities,
          logits: logits[row]!,
          features: features[row]!,
        };
        row++;
        yield { image, prediction };
      }
    }
  }

  async function* stream<Image extends ImageInput>(
    images: Iterable<Image> | AsyncIterable<Image>,
    { top = 3, batchSize = BATCH }: PredictOptions = {},
  ): AsyncGenerator<Answer<Image>, void, undefined> {
    if (isDisposed) throw predictorDisposed();
    checkCount('top', top);
    checkCount('batchSize', batchSize);
    let before = 0;
    let batch: Image[] = [];
    for await (const image of images) {
      batch.push(image);
      if (batch.length < batchSize) continue;
      yield* answer(batch, before, top);
      before += batch.length;
      batch = [];
    }
    if (batch.length > 0) yield* answer(batch, before, top);
  }

  async function predict(image: ImageInput, options?: PredictOptions): Promise<Prediction>;
  async function predict(images: readonly ImageInput[], options?: PredictOptions): Promise<Prediction[]>;
  async function predict(
    given: ImageInput | readonly ImageInput[],
    options?: PredictOptions,
  ): Promise<Prediction | Prediction[]> {
    const predictions: Prediction[] = [];
    for await (const { prediction, error } of stream(isList(given) ? given : [given], options)) {
      if (error) throw error;
      predictions.push(prediction);
    }
    return isList(given) ? predictions : predictions[0]!;
  }

  return {
    classes,
    imageShape,
    from,
    predict,
    stream,
    async dispose() {
      if (isDisposed) return;
      isDisposed = true;
      await Promise.allSettled(inFlight);
      await network.dispose();
      onDispose();
    },
  };
}

const isList = (given: ImageInput | readonly ImageInput[]): given is readonly ImageInput[] => Array.isArray(given);

function checkCount(option: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) throw countWrong(option, value);
}
