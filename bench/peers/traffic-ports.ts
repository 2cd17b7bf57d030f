/** UDP ports of flows in a lab: 9000 and the flow's number (see netlab/scenario/flow-run.ts). */
export const TRAFFIC_PORTS = { first: 9_000, last: 9_099 };
