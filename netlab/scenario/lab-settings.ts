/** What a scenario asks of a lab, the same for `lab up` and `lab run`. */
import type { LabSpec } from '../lab-spec.ts';
import { needsDelay, PERFECT_LINK } from '../link-shape.ts';
import { pairKey, type Scenario } from './scenario.ts';

export function labSettings(scenario: Scenario): Pick<LabSpec, 'links' | 'driver' | 'delaysLater' | 'core' | 'agent'> {
  return {
    links: (from, to) => scenario.shapes.get(pairKey(from, to)) ?? PERFECT_LINK,
    // A link that only an event delays needs a driver that can, from the start.
    delaysLater: scenario.events.some(
      ({ action }) => action.kind === 'degrade' && needsDelay({ ...PERFECT_LINK, ...action.change }),
    ),
    agent: scenario.detect === null ? {} : { detect: scenario.detect },
    core: scenario.probes === null ? {} : { ...scenario.probes },
    ...(scenario.driver === 'auto' ? {} : { driver: scenario.driver }),
  };
}
