/** Changes an RGB image of `pixels` pixels in place, from byte `at` on. */
export type ColourOperation = (image: Uint8Array, at: number, pixels: number) => void;

const clamp = (value: number): number => (value <= 0 ? 0 : value >= 255 ? 255 : Math.floor(value));

/** Luma of Rec. 601, whole. */
const grey = (image: Uint8Array, i: number): number =>
  Math.floor(0.2989 * image[i]! + 0.587 * image[i + 1]! + 0.114 * image[i + 2]!);

/** Multiplies all values; 1 leaves the image as it is. */
export const brighten =
  (factor: number): ColourOperation =>
  (image, at, pixels) => {
    for (let i = at; i < at + 3 * pixels; i++) image[i] = clamp(factor * image[i]!);
  };

/** Multiplies the distance from the mean grey of the image. */
export const contrast =
  (factor: number): ColourOperation =>
  (image, at, pixels) => {
    let sum = 0;
    for (let i = at; i < at + 3 * pixels; i += 3) sum += grey(image, i);
    const rest = (1 - factor) * (sum / pixels);
    for (let i = at; i < at + 3 * pixels; i++) image[i] = clamp(factor * image[i]! + rest);
  };

/** Multiplies the distance of each pixel from its own grey. */
export const saturate =
  (factor: number): ColourOperation =>
  (image, at, pixels) => {
    for (let i = at; i < at + 3 * pixels; i += 3) {
      const rest = (1 - factor) * grey(image, i);
      for (let c = i; c < i + 3; c++) image[c] = clamp(factor * image[c]! + rest);
    }
  };

/** Turns the hue of HSV, in turns. */
export const turnHue =
  (turn: number): ColourOperation =>
  (image, at, pixels) => {
    for (let i = at; i < at + 3 * pixels; i += 3) {
      const [r, g, b] = [image[i]!, image[i + 1]!, image[i + 2]!];
      const value = Math.max(r, g, b);
      const chroma = value - Math.min(r, g, b);
      if (chroma === 0) continue;
      const sector = value === r ? (g - b) / chroma : value === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
      const hue = (((sector + 6 * turn) % 6) + 6) % 6;
      const channel = (n: number): number => {
        const k = (n + hue) % 6;
        return Math.round(value - chroma * Math.max(0, Math.min(k, 4 - k, 1)));
      };
      image[i] = channel(5);
      image[i + 1] = channel(3);
      image[i + 2] = channel(1);
    }
  };

/** Adds a colour, of values in 0…1. */
export const addColour =
  (colour: readonly [number, number, number]): ColourOperation =>
  (image, at, pixels) => {
    for (let c = 0; c < 3; c++) {
      const shift = 255 * colour[c]! + 0.5;
      for (let i = at + c; i < at + 3 * pixels; i += 3) image[i] = clamp(image[i]! + shift);
    }
  };

/** Principal components of the colours of ImageNet's training images, in 0…1 (Krizhevsky et al. 2012): eigenvalue, vector. */
const COMPONENTS = [
  [0.2175, [-0.5675, -0.5808, -0.5836]],
  [0.0188, [0.7192, -0.0045, -0.6948]],
  [0.0045, [0.4009, -0.814, 0.4203]],
] as const;

/** Sum of the components times eigenvalue times coefficient: what lighting adds to every pixel. */
export function lightingColour(coefficients: readonly [number, number, number]): [number, number, number] {
  const at = (c: 0 | 1 | 2): number =>
    COMPONENTS.reduce((sum, [value, vector], k) => sum + vector[c] * value * coefficients[k]!, 0);
  return [at(0), at(1), at(2)];
}
