/** The instances in a folder: every `NAME.graph` with each of its `NAME.*.demands` or `.demands.gz`. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ThalwegError } from '../../protocol/error.ts';
import {
  type NamedDemand,
  type RepetitaGraph,
  readRepetitaDemands,
  readRepetitaGraph,
} from '../../steering/traffic-engineering/repetita-graph.ts';

export interface TrafficInstance {
  /** `Abilene.0000` */
  readonly name: string;
  readonly graph: RepetitaGraph;
  readonly demand: NamedDemand;
}

/** All instances in `folder` and the folders in it, by name. Throws `invalid_argument` when there is none. */
export function* trafficInstances(folder: string): Generator<TrafficInstance> {
  const files = filesUnder(folder);
  let found = false;
  for (const path of files.filter((file) => file.endsWith('.graph'))) {
    const prefix = path.slice(0, -'graph'.length);
    const graph = readRepetitaGraph(readFileSync(path, 'utf8'), basename(path));
    for (const file of files.filter((each) => each.startsWith(prefix) && /\.demands(\.gz)?$/.test(each))) {
      found = true;
      const bytes = readFileSync(file);
      const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
      const demand = readRepetitaDemands(text, basename(file), graph.labels.length);
      yield { name: basename(file).replace(/\.demands(\.gz)?$/, ''), graph, demand };
    }
  }
  if (found) return;
  throw new ThalwegError('invalid_argument', `${folder} holds no .graph file with .demands beside it`, {
    nextStep: 'give a folder of REPETITA instances with --data',
  });
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder)
    .toSorted()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? filesUnder(path) : [path];
    });
}
