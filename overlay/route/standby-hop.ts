/** Which of a route's next hops is in use while some neighbours are down. Pure. */
import type { OverlayNextHop, Standby } from '../overlay-state.ts';

/** The first that is up; where none is, the primary: a route that may come back beats no route. */
export function standbyHop({ primary, backups }: Standby, isDown: (neighbour: string) => boolean): OverlayNextHop {
  if (!isDown(primary.neighbour)) return primary.hop;
  return backups.find(({ neighbour }) => !isDown(neighbour))?.hop ?? primary.hop;
}

/** Equal for standbys that may share one next-hop object of a family. Weights mean nothing to a single next hop. */
export function standbyKey({ primary, backups }: Standby): string {
  return [primary, ...backups]
    .map(({ neighbour, hop }) => (hop.kind === 'direct' ? neighbour : `${hop.plane}>${hop.via}`))
    .join(' ');
}
