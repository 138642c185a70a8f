// Classifies photos with an exported ONNX model; tailmix is not needed: node classify.mjs EXPORT PHOTO…
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';

const [folder, ...photos] = process.argv.slice(2);
const readJson = async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'));
const { preprocess } = await import(pathToFileURL(resolve(folder, 'preprocess.mjs')).href);
const recipe = await readJson('preprocessing.json');
const { classes } = await readJson('classes.json');
const session = await InferenceSession.create(join(folder, 'model.onnx'));

for (const photo of photos) {
  const { data, info } = await sharp(photo, { autoOrient: recipe.exif === 'honour' })
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const pixels = preprocess({ data, width: info.width, height: info.height, channels: 3 }, recipe);
  const images = new Tensor('uint8', pixels, [1, ...recipe.shape]);
  const { probabilities } = await session.run({ images });
  const best = probabilities.data.indexOf(Math.max(...probabilities.data));
  console.log(`${photo}  ${classes[best]} ${(100 * probabilities.data[best]).toFixed(2)} %`);
}
