/** `40 seconds`, `90 minutes`, `3 days`: the largest unit of which there are at least two. For messages. */
export function describeDuration(ms: number): string {
  const units: readonly (readonly [number, string])[] = [
    [86_400_000, 'days'],
    [3_600_000, 'hours'],
    [60_000, 'minutes'],
  ];
  const [size, unit] = units.find(([unitMs]) => ms >= 2 * unitMs) ?? [1000, 'seconds'];
  return `${Math.round(ms / size)} ${unit}`;
}
