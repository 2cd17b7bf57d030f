/** What a load test measured, for people. */
import type { LoadResult } from '../../netlab/loadtest/load-result.ts';
import type { SampleSummary } from '../../netlab/traffic/percentile.ts';

export function loadtestPage(result: LoadResult): string {
  const { agents, join, memory, steady, changes, coreKilled, cluster } = result;
  const lines = [
    `agents       ${agents}, ${result.transit} of them transit, in ${result.processes} processes`,
    `joined       in ${seconds(join.allMs)}: ${join.joinsPerS}/s; core ${percent(join.coreCpu)}, agents ${percent(join.agentsCpu)}`,
    `one join     ${spread(join.joinMs)}; put off ${join.deferred} times`,
    `memory       ${kib(memory.perAgentBytes)} per agent; ${mib(memory.emptyBytes)} empty, ${mib(memory.steadyBytes)} steady, ${mib(memory.peakBytes)} at most`,
  ];
  if (steady !== null) {
    lines.push(
      `steady       core ${percent(steady.coreCpu)} with ${steady.reportsPerS} reports/s and ${steady.heartbeatsPerS} heartbeats/s; agents ${percent(steady.agentsCpu)}`,
    );
  }
  if (cluster !== null) {
    lines.push(
      `cluster      ${cluster.cores} cores, of which one steers and is "core" here; ${cluster.natsServers} NATS servers`,
      `joining      holders ${percent(join.holdersCpu)}, NATS ${percent(join.natsCpu)}; ${kib(cluster.holderBytesPerAgent)} per agent at holders`,
    );
    if (steady !== null)
      lines.push(`steady       holders ${percent(steady.holdersCpu)}, NATS ${percent(steady.natsCpu)}`);
  }
  for (const { kind, movedMs, firstDeltaMs, without } of changes) {
    lines.push(
      `${kind.padEnd(18)} first delta ${spread(firstDeltaMs)}; moved ${spread(movedMs)}; ${movedMs.count} of ${movedMs.count + without}`,
    );
  }
  if (coreKilled !== null) {
    const { startMs, waitedMs, back, peakBytes, tablesChanged } = coreKilled;
    const who = back === agents ? 'all' : `${back} of ${agents}`;
    lines.push(
      `core killed  answers after ${seconds(startMs)}, ${who} back after ${seconds(waitedMs)}; ${mib(peakBytes)} at most; ${tablesChanged} tables changed`,
    );
  }
  for (const [reason, count] of Object.entries(result.failures)) lines.push(`failures     ${reason}: ${count}`);
  return `${lines.join('\n')}\n`;
}

function spread({ p50, p99, max }: SampleSummary): string {
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, most ${ms(max)}`;
}

function ms(value: number | null): string {
  return value === null ? '-' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

function seconds(value: number): string {
  return `${(value / 1000).toFixed(1)} s`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} % of a CPU`;
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
