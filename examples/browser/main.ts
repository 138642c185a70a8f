import { loadClassifier } from './classifier.ts';

const find = <E extends Element>(selector: string): E => document.querySelector<E>(selector)!;
const input = find<HTMLInputElement>('#photo');
const button = find<HTMLButtonElement>('#camera');
const video = find<HTMLVideoElement>('#video');
const canvas = find<HTMLCanvasElement>('#canvas');
const result = find<HTMLOListElement>('#result');
const status = find<HTMLParagraphElement>('#status');

const say = (text: string): void => {
  status.textContent = text;
};
const sayError = (error: unknown): void => say(error instanceof Error ? error.message : String(error));

const classify = await loadClassifier(new URL('model/', document.baseURI)).catch((error: unknown) => {
  sayError(error);
  throw error;
});
say('Ready.');

/** Draws what is to be classified, in its own size: browsers turn a photo by its EXIF orientation. */
async function show(image: CanvasImageSource, width: number, height: number): Promise<void> {
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  context.drawImage(image, 0, 0);
  const guesses = await classify(context.getImageData(0, 0, width, height), 3);
  const lines = guesses.map(({ name, probability }) => {
    const line = document.createElement('li');
    line.textContent = `${name} ${(100 * probability).toFixed(2)} %`;
    return line;
  });
  result.replaceChildren(...lines);
}

input.addEventListener('change', async () => {
  const [file] = input.files ?? [];
  if (file === undefined) return;
  stopCamera();
  try {
    const photo = await createImageBitmap(file);
    canvas.hidden = false;
    await show(photo, photo.width, photo.height);
    photo.close();
    say(file.name);
  } catch (error) {
    result.replaceChildren();
    sayError(error);
  }
});

button.addEventListener('click', async () => {
  stopCamera();
  try {
    const stream = await openCamera();
    video.srcObject = stream;
    await video.play();
    [video.hidden, canvas.hidden] = [false, true];
    say('Camera.');
    while (video.srcObject === stream) {
      await show(video, video.videoWidth, video.videoHeight);
      await new Promise((later) => setTimeout(later, 200));
    }
  } catch (error) {
    stopCamera();
    sayError(error);
  }
});

/** A second click while the browser asks for permission would open a second stream. */
async function openCamera(): Promise<MediaStream> {
  button.disabled = true;
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  } finally {
    button.disabled = false;
  }
}

function stopCamera(): void {
  for (const track of (video.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  video.hidden = true;
}
