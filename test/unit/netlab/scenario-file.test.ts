import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { pairKey } from '../../../netlab/scenario/scenario.ts';
import { parseScenario, readScenario } from '../../../netlab/scenario/scenario-file.ts';
import { ThalwegError } from '../../../protocol/error.ts';

const HEAD = 'name: x\nhosts: [aws, onprem, azure]\nduration: 20s\n'; // lines 1 to 3

function fault(text: string): { line: unknown; field: unknown; message: string; nextStep: string | undefined } {
  try {
    parseScenario('f.yaml', text);
  } catch (error) {
    if (!(error instanceof ThalwegError)) throw error;
    expect(error.code).toBe('invalid_scenario');
    const { line, field } = error.fields;
    return { line, field, message: error.message, nextStep: error.nextStep };
  }
  throw new Error('accepted');
}

describe('mistakes in a scenario file, each with its line', () => {
  it.each([
    ['an unknown key', 'evnts: []\n', 4, /evnts.*did you mean "events"/],
    ['an unknown key inside an event', 'events:\n  - at: 1s\n    degrad: {}\n', 6, /degrad.*did you mean "degrade"/],
    ['an unknown host', 'events:\n  - at: 1s\n    kill: azzure\n', 6, /azzure.*did you mean "azure"/],
    ['an unknown host in a link', 'underlay:\n  links:\n    - between: [aws, onprm]\n', 6, /did you mean "onprem"/],
    ['a duration without a unit', 'settle: 5\n', 4, /5 has no unit/],
    ['an unknown unit', 'settle: 5parsec\n', 4, /is not a duration|unknown unit/],
    ['loss over 100 %', 'underlay: { default: { loss: 101% } }\n', 4, /more than 100%/],
    ['an event after the end', 'events:\n  - at: 21s\n    kill: aws\n', 5, /after the end/],
    ['two things in one event', 'events:\n  - at: 1s\n    kill: aws\n    leave: aws\n', 5, /exactly one/],
    ['an event without anything', 'events:\n  - at: 1s\n', 5, /exactly one/],
    ['start of an agent that runs', 'events:\n  - at: 1s\n    start-agent: aws\n', 6, /runs/],
    ['rtt and delay at once', 'underlay: { default: { rtt: 5ms, delay: 2ms } }\n', 4, /not both/],
    ['an expectation on no flow', 'expect:\n  - lost: { flow: a, at-most: 0 }\n', 5, /no flow "a"/],
    ['an expectation on no ping', 'expect:\n  - rtt: { ping: a, at-most: 5ms }\n', 5, /no ping "a"/],
    ['an event that is not there', 'expect:\n  - converged: { by: 1s after event 2 }\n', 5, /no event 2/],
    ['a duplicate key', 'name: y\n', 4, /unique/i],
    ['an alias', 'traffic: &a []\npings: *a\n', 4, /aliases/],
    ['a flow to itself', 'traffic:\n  - { name: f, from: aws, to: aws, rate: 5 }\n', 5, /two different/],
    ['two flows of a name', `traffic:\n${'  - { name: f, from: aws, to: azure, rate: 5 }\n'.repeat(2)}`, 6, /twice/],
    [
      'a matrix that is not square',
      'underlay:\n  rtt-matrix:\n    hosts: [aws, onprem, azure]\n    rows: [[0, 1, 2]]\n',
      7,
      /square/,
    ],
    [
      'a host in two groups',
      'events:\n  - at: 1s\n    partition: { groups: [[aws], [aws, azure]] }\n',
      6,
      /two groups/,
    ],
  ])('%s', (_, text, line, message) => {
    const seen = fault(HEAD + text);
    expect(seen.message).toMatch(message);
    expect(seen.line).toBe(line);
    expect(seen.message.startsWith(`f.yaml:${line}:`)).toBe(true);
    expect(seen.nextStep).toContain(`line ${line}`);
  });

  it.each([
    ['nothing', '', /f.yaml:1: the file holds nothing: a scenario is a map of keys/],
    ['comments only', '# later\n', /f.yaml:1: the file holds nothing/],
    ['a word', 'detour\n', /f.yaml:1: this is no scenario: a scenario is a map of keys/],
    ['a list', '- a\n- b\n', /f.yaml:1: this is no scenario/],
    ['bytes', '\u007fELF\u0002\u0001\u0000', /f.yaml:1: the file is not text/],
    ['what is no UTF-8', 'name: \ufffd\ufffd\n', /f.yaml:1: the file is not text/],
    ['a tab', 'name: x\nhosts:\n\t- a\n', /f.yaml:3: tabs are not allowed/i],
  ])('a file that holds %s', (_, text, message) => {
    expect(fault(text).message).toMatch(message);
  });

  it('says why a file cannot be read', async () => {
    await expect(readScenario('/nowhere.yaml')).rejects.toMatchObject({ message: expect.stringContaining('ENOENT') });
    await expect(readScenario('/')).rejects.toMatchObject({ message: expect.stringContaining('it is a folder') });
  });

  it('names what is missing', () => {
    expect(fault('hosts: [a, b]\n').message).toMatch(/name: is missing.*duration: is missing/);
  });

  it('refuses a host twice and the names of the lab itself', () => {
    expect(fault('name: x\nhosts: [a, a]\nduration: 5s\n').message).toMatch(/twice/);
    expect(fault('name: x\nhosts: [a, core]\nduration: 5s\n').message).toMatch(/the lab's own/);
  });

  it('refuses giant files and deep nests without working on them', () => {
    expect(fault(' '.repeat(2 ** 21)).message).toMatch(/at most 1 MiB/);
    expect(fault('['.repeat(200_000)).line).toBe(1);
  });

  it('gives not_found for a file that is not there', async () => {
    await expect(readScenario('/nowhere.yaml')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a right scenario', () => {
  it('splits an RTT over both directions and keeps what an event does not name', () => {
    const scenario = parseScenario(
      'f.yaml',
      `${HEAD}underlay:
  default: { rtt: 20ms, loss: 1% }
  links: [{ from: aws, to: azure, delay: 3ms }]
events:
  - { at: 2s, name: bad, degrade: { between: [aws, onprem], rtt: 100ms } }
expect:
  - path: { path: [aws, onprem], by: 3s after event bad, until: end }
  - path: { path: [aws, onprem], at: 3s after event 1, both-ways: true }
`,
    );
    expect(scenario.shapes.get(pairKey('aws', 'azure'))).toMatchObject({ oneWayDelayUs: 3_000, lossPpm: 10_000 });
    expect(scenario.shapes.get(pairKey('azure', 'aws'))).toMatchObject({ oneWayDelayUs: 10_000 });
    expect(scenario.shapes.get(pairKey('aws', 'core'))).toMatchObject({ oneWayDelayUs: 0, lossPpm: 0 });
    expect(scenario.events[0]?.action).toEqual({
      kind: 'degrade',
      links: [
        { from: 'aws', to: 'onprem' },
        { from: 'onprem', to: 'aws' },
      ],
      change: { oneWayDelayUs: 50_000 },
    });
    expect(scenario.expectations).toMatchObject([
      { kind: 'path', from: 'aws', to: 'onprem', byMs: 5_000, untilMs: 20_000 },
      { kind: 'path', from: 'aws', byMs: 5_000, untilMs: 5_000 },
      { kind: 'path', from: 'onprem', byMs: 5_000, untilMs: 5_000 },
    ]);
  });

  it('partitions only between groups', () => {
    const { events } = parseScenario('f', `${HEAD}events: [{ at: 1s, partition: { groups: [[aws], [azure]] } }]\n`);
    expect(events[0]?.action).toMatchObject({
      links: [
        { from: 'aws', to: 'azure' },
        { from: 'azure', to: 'aws' },
      ],
    });
  });

  const folder = fileURLToPath(new URL('../../../netlab/scenarios', import.meta.url));
  it.each(readdirSync(folder).filter((name) => name.endsWith('.yaml')))('%s that ships is valid', async (name) => {
    const scenario = await readScenario(`${folder}/${name}`);
    expect(`${scenario.name}.yaml`).toBe(name);
    expect(scenario.expectations.length).toBeGreaterThan(0);
  });
});
