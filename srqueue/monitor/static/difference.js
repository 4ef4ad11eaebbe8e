/** How far a picture is from the original, pixel by pixel. */

function pixels(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** PSNR in dB over all channels of two loaded pictures of one size; null where they are the same or differ in size. */
export function psnr(image, original) {
  const [a, b] = [pixels(image), pixels(original)];
  if (a.data.length !== b.data.length) return null;
  let sum = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    for (let channel = 0; channel < 3; channel += 1) sum += (a.data[at + channel] - b.data[at + channel]) ** 2;
  }
  const mean = sum / ((a.data.length / 4) * 3);
  return mean > 0 ? 10 * Math.log10(255 ** 2 / mean) : null;
}

/** Draws |image - original| times `gain` into a canvas; returns the mean difference, in levels of 255. */
export function drawDifference(canvas, image, original, gain) {
  const [a, b] = [pixels(image), pixels(original)];
  [canvas.width, canvas.height] = [a.width, a.height];
  let sum = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    for (let channel = 0; channel < 3; channel += 1) {
      const difference = Math.abs(a.data[at + channel] - b.data[at + channel]);
      sum += difference;
      a.data[at + channel] = Math.min(255, gain * difference);
    }
    a.data[at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(a, 0, 0);
  return sum / ((a.data.length / 4) * 3);
}
