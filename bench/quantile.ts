/** The least value that at least a share of the values does not exceed (nearest rank); `none` where there is none. */
export function quantile(values: readonly number[], share: number, none = 0): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? none;
}
