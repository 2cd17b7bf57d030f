/**
 * Protocol versions. Both sides state the range they speak; the highest common one is used. A new version is added
 * when a message changes meaning; adding optional fields does not need one (protobuf keeps unknown fields harmless).
 */
export const PROTOCOL_MIN = 1;
export const PROTOCOL_MAX = 1;

/** Written into Hello, Welcome, `--version` and the build-info metric. */
export const SOFTWARE_VERSION = '0.1.0';

/** WebSocket subprotocol of the agent stream. */
export const WEBSOCKET_SUBPROTOCOL = 'thalweg.v1';

/** Highest version in both ranges, or undefined when they do not meet. Ranges are inclusive. */
export function negotiateVersion(
  theirMin: number,
  theirMax: number,
  ourMin: number = PROTOCOL_MIN,
  ourMax: number = PROTOCOL_MAX,
): number | undefined {
  const highest = Math.min(theirMax, ourMax);
  return theirMin <= theirMax && highest >= Math.max(theirMin, ourMin) ? highest : undefined;
}
