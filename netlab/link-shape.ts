/** What one direction of one underlay link does to the frames it carries. */
import * as z from 'zod';

/** Directed: from one host to another. The reverse direction has a shape of its own. */
export interface LinkShape {
  /** Fixed one-way delay, microseconds. */
  readonly oneWayDelayUs: number;
  /** Extra delay, drawn evenly from 0 to this for each frame; frames of one link are never reordered by it. */
  readonly jitterUs: number;
  /** Chance of losing a frame, parts per million. */
  readonly lossPpm: number;
  /** Bits per second of Ethernet frames; null: as fast as the machine is. */
  readonly rateBps: number | null;
  /** Nothing passes. */
  readonly cut: boolean;
}

/** A link that does nothing to its frames. */
export const PERFECT_LINK: LinkShape = { oneWayDelayUs: 0, jitterUs: 0, lossPpm: 0, rateBps: null, cut: false };

/** One minute each way: longer than any path on this planet, short enough for the wire's buffers. */
const MAX_DELAY_US = 60_000_000;

export const linkShapeSchema = z.strictObject({
  oneWayDelayUs: z.number().min(0).max(MAX_DELAY_US),
  jitterUs: z.number().min(0).max(MAX_DELAY_US),
  lossPpm: z.number().min(0).max(1_000_000),
  rateBps: z.number().min(8_000).max(1e12).nullable(),
  cut: z.boolean(),
});

/** True when this shape asks for something that only netem or the wire can do. */
export function needsDelay(shape: LinkShape): boolean {
  return shape.oneWayDelayUs > 0 || shape.jitterUs > 0;
}
