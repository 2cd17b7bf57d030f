/** Configuration of `thalweg core`: types, defaults, ranges and descriptions. Unknown keys are refused. */
import { z } from 'zod';
import { DEFAULT_ADDRESS_PLAN } from '../protocol/address-plan.ts';
import { DEFAULT_COST_OPTIONS } from './link-state/link-cost.ts';
import { DEFAULT_LINK_FILTER_OPTIONS } from './link-state/link-filter.ts';
import { DEFAULT_INCUMBENCY_OPTIONS } from './rib/incumbency.ts';
import { DEFAULT_ROLLOUT_OPTIONS } from './rollout/rollout-options.ts';

const hostPort = z
  .string()
  .regex(
    /^(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9.-]{1,253}):\d{1,5}$/,
    'must be host:port, with IPv6 addresses in brackets',
  );

/** Defaults and reasons stand beside the stages of the engine that use them. */
const steering = z.strictObject({
  marginUs: z
    .number()
    .min(0)
    .max(1e6)
    .default(DEFAULT_INCUMBENCY_OPTIONS.marginUs)
    .describe('a better path must win by this many microseconds'),
  marginRatio: z
    .number()
    .min(0)
    .max(1)
    .default(DEFAULT_INCUMBENCY_OPTIONS.marginRatio)
    .describe('and by this part of the present cost'),
  holdMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(DEFAULT_INCUMBENCY_OPTIONS.holdMs)
    .describe('for this long before traffic moves'),
  fastHoldMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(DEFAULT_INCUMBENCY_OPTIONS.fastHoldMs)
    .describe('or this long, when it costs less than half'),
  recoverHoldMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(DEFAULT_LINK_FILTER_OPTIONS.recoverHoldMs)
    .describe('how long a degraded or dead link must be good before it is used again'),
  drainMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(DEFAULT_ROLLOUT_OPTIONS.drainMs)
    .describe('how long packets on their way may use the old plane after a move, at most'),
  transitHopUs: z
    .number()
    .min(0)
    .max(1e6)
    .default(DEFAULT_COST_OPTIONS.transitHopUs)
    .describe('price of each transit node of a path, in microseconds'),
  lossSlopeUs: z
    .number()
    .min(0)
    .max(1e9)
    .default(DEFAULT_COST_OPTIONS.lossSlopeUs)
    .describe('price of one unit of -ln(1 - loss), in microseconds'),
  jitterFactor: z
    .number()
    .min(0)
    .max(100)
    .default(DEFAULT_COST_OPTIONS.jitterFactor)
    .describe('price of one microsecond of delay variation, in microseconds'),
  spfMinIntervalMs: z.int().min(0).max(60_000).default(100).describe('least time between two shortest-path runs'),
  loadAware: z.boolean().default(true).describe('spread traffic over several paths where links or accesses get full'),
  loadIntervalMs: z.int().min(1_000).max(600_000).default(5_000).describe('time between two looks at load'),
  warmUpMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(10_000)
    .describe('longest wait after a restart for known nodes to come back before anything is changed'),
});

const nats = z.strictObject({
  mesh: z
    .string()
    .default('mesh')
    .describe('name of the mesh in NATS: cores with the same one share all that they store'),
  region: z.string().default('main').describe('part of the mesh in NATS; stands in every subject'),
  replicas: z
    .int()
    .min(0)
    .max(5)
    .default(0)
    .describe('NATS servers that keep a copy; 0: 3 where three or more are named with --store, else 1'),
  credentials: z.string().optional().describe('file with a NATS .creds, an nkey seed, or user:password'),
  ca: z.string().optional().describe("PEM file of the CA of the servers' certificates; asks for TLS"),
  certificate: z.string().optional().describe('PEM file of a certificate of this core, where servers ask for one'),
  key: z.string().optional().describe('PEM file of the key of that certificate'),
  allowPlain: z.boolean().default(false).describe('speak without TLS to NATS on other hosts'),
});

const sessionPlan = z.strictObject({
  maxPeers: z
    .int()
    .min(4)
    .max(1000)
    .default(24)
    .describe('most planned sessions of a node; in meshes where nobody would have more, every pair holds one'),
  explorePeers: z
    .int()
    .min(0)
    .max(64)
    .default(4)
    .describe('sessions that a node holds beyond that for a round, to measure pairs that nobody has measured; 0: none'),
  roundMs: z.int().min(8000).max(3_600_000).default(20_000).describe('longest time that explored pairs are probed for'),
  restMs: z
    .int()
    .min(10_000)
    .max(86_400_000)
    .default(600_000)
    .describe('longest pause between rounds once they find nothing better'),
});

export const coreConfigSchema = z.strictObject({
  engine: z
    .enum(['mesh', 'fleet'])
    .default('mesh')
    .describe(
      'mesh: every node has sessions with every other. fleet: a node that does not transit is a leaf of one that does',
    ),
  stateDir: z.string().min(1).default('/var/lib/thalweg-core').describe('directory of the store and the CA key'),
  store: z
    .array(z.union([z.literal('sqlite'), z.string().regex(/^(nats|tls):\/\//, 'must be sqlite, nats://… or tls://…')]))
    .min(1)
    .max(16)
    .default(['sqlite'])
    .describe('where the core keeps what must last: sqlite in stateDir, or NATS servers as nats://host:port'),
  nats: nats.prefault({}).describe('how NATS is used, with --store nats://…'),
  listen: hostPort.default('0.0.0.0:8470').describe('address and port for agents: joining and sessions (TLS)'),
  advertise: z
    .array(hostPort)
    .max(16)
    .default([])
    .describe('host:port of this core as join tokens name it; default: every address of this host'),
  api: z
    .union([z.literal('none'), hostPort])
    .default('127.0.0.1:8471')
    .describe(
      'address and port of the HTTP API and metrics; beyond loopback only with apiTlsCert; "none": only the local socket',
    ),
  apiTlsCert: z
    .string()
    .default('')
    .describe('PEM file with the certificate of the HTTP API and its chain; read again when it changes'),
  apiTlsKey: z.string().default('').describe('PEM file with the private key of apiTlsCert'),
  apiKeyless: z
    .boolean()
    .default(true)
    .describe('whoever is on this host may look at nodes, links, paths and metrics over loopback without an API key'),
  apiRequestsPerMinute: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1200)
    .describe('requests over TCP that one API key, or one address without a key, may make within a minute'),
  apiSocket: z
    .string()
    .min(1)
    .max(100)
    .default('/run/thalweg/core.sock')
    .describe('path of the local socket of the HTTP API, with full rights (mode 0600)'),
  tunnelRange: z.string().default(DEFAULT_ADDRESS_PLAN.tunnel).describe('IPv4 prefix of tunnel addresses'),
  node4Range: z.string().default(DEFAULT_ADDRESS_PLAN.node4).describe('IPv4 prefix of node addresses'),
  node6Range: z.string().default(DEFAULT_ADDRESS_PLAN.node6).describe('IPv6 prefix of node addresses'),
  probeIntervalMs: z.int().min(20).max(60_000).default(250).describe('time between probes of a link'),
  deadAfterMs: z.int().min(100).max(300_000).default(1000).describe('a link without replies for this long is down'),
  heartbeatMs: z
    .int()
    .min(100)
    .max(60_000)
    .default(5000)
    .describe('time between heartbeats of a session; three missed ones end it'),
  reportIntervalMs: z
    .int()
    .min(200)
    .max(60_000)
    .default(5000)
    .describe('time between reports of all links of a node; changes are reported at once'),
  demandIntervalMs: z.int().min(500).max(600_000).default(5000).describe('time between demand reports of a node'),
  nodeCertificateHours: z.number().min(0.01).max(8760).default(24).describe('lifetime of node certificates'),
  certificateGraceHours: z
    .number()
    .min(0)
    .max(87_600)
    .default(720)
    .describe('how long an expired node certificate still opens a session, in which the node renews it'),
  maxConcurrentJoins: z.int().min(1).max(10_000).default(50).describe('joins worked on at the same time'),
  maxLinkMetricNodes: z
    .int()
    .min(0)
    .max(1000)
    .default(64)
    .describe('meshes of up to this many nodes have metrics for each link'),
  sessionPlan: sessionPlan.prefault({}).describe('who holds a session with whom in meshes too big for all pairs'),
  steering: steering.prefault({}).describe('when traffic moves, and what it is moved for'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('least level that is logged'),
});

export type CoreConfig = z.output<typeof coreConfigSchema>;
