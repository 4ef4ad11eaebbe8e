/** The debiased exponential mean: weight 0 changes nothing, 0.99 looks back over a hundred points. */
export function smoothed(values, weight) {
  if (weight <= 0) return values;
  let sum = 0;
  let left = 1; // weight ** n: the share that the zero at the beginning still has
  return values.map((value) => {
    sum = weight * sum + (1 - weight) * value;
    left *= weight;
    return sum / (1 - left);
  });
}
