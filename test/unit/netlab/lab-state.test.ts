import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { isLabName, macAddressOf, underlayAddressOf } from '../../../netlab/host-plan.ts';
import { labDown } from '../../../netlab/lab-commands.ts';
import { type LabState, labDir, parseLabState, RUNTIME_ROOT, readLabState } from '../../../netlab/lab-state.ts';
import { PERFECT_LINK } from '../../../netlab/link-shape.ts';
import { parseWireRequest } from '../../../netlab/wire-control.ts';

const state: LabState = {
  version: 1,
  name: 'demo',
  status: 'up',
  startedAtMs: 1,
  driver: 'wire',
  seed: 1,
  distDir: '/somewhere/dist',
  hosts: [{ name: 'a', transit: true, powered: true }],
  links: { 'a>core': PERFECT_LINK },
  processes: [{ role: 'wire', host: 'net', pid: 77, startTicks: 12345 }],
  core: { probeIntervalMs: 100, listen: ['x'] },
  agent: {},
};

describe('parseLabState', () => {
  test('reads what was written', () => {
    expect(parseLabState(JSON.stringify(state))).toEqual({ ok: true, value: state });
  });

  test('cut short anywhere, it is refused and not read half', () => {
    const text = JSON.stringify(state);
    for (let length = 0; length < text.length; length++) expect(parseLabState(text.slice(0, length)).ok).toBe(false);
  });

  test.each([
    ['another version', { ...state, version: 2 }],
    ['an unknown key', { ...state, extra: 1 }],
    ['a process id that would signal a group or init', { ...state, processes: [{ ...state.processes[0], pid: 0 }] }],
    ['a negative process id', { ...state, processes: [{ ...state.processes[0], pid: -5 }] }],
    ['a link that is no shape', { ...state, links: { 'a>core': { cut: 'yes' } } }],
  ])('refuses %s', (_name, value) => {
    expect(parseLabState(JSON.stringify(value)).ok).toBe(false);
  });

  test('arbitrary input never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(typeof parseLabState(text).ok).toBe('boolean');
        expect(typeof parseWireRequest(text).ok).toBe('boolean');
      }),
    );
  });
});

describe('another user than root', () => {
  test('removes nothing, also where no lab is seen', async () => {
    const uid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
    try {
      for (const options of [{ name: 'nowhere' }, { all: true } as const]) {
        await expect(labDown(options)).rejects.toMatchObject({
          code: 'missing_privilege',
          nextStep: 'run it with sudo',
        });
      }
    } finally {
      uid.mockRestore();
    }
  });

  test('does not take a lab of root for the remains of a crash', ({ skip }) => {
    if (process.getuid?.() !== 0 || process.seteuid === undefined) skip('not root: another user is NOT tried');
    const name = `unit-${process.pid}`;
    mkdirSync(labDir(name), { recursive: true, mode: 0o700 });
    process.seteuid?.(65_534);
    try {
      expect(() => readLabState(name)).toThrow(expect.objectContaining({ code: 'missing_privilege' }));
    } finally {
      process.seteuid?.(0);
      rmSync(labDir(name), { recursive: true });
    }
    expect(readLabState(name)).toEqual({ ok: false, reason: 'no state file' });
    try {
      rmdirSync(RUNTIME_ROOT);
    } catch {
      // Labs are up.
    }
  });
});

describe('parseWireRequest', () => {
  test('takes what the lab sends', () => {
    const request = { kind: 'setLinks', links: [{ from: 1, to: 2, shape: PERFECT_LINK }] };
    expect(parseWireRequest(JSON.stringify(request))).toEqual({ ok: true, value: request });
  });

  test.each([
    { kind: 'setLinks', links: [{ from: 0, to: 2, shape: PERFECT_LINK }] },
    { kind: 'setLinks', links: [{ from: 1, to: 2, shape: { ...PERFECT_LINK, lossPpm: -1 } }] },
    { kind: 'setLinks', links: [{ from: 1, to: 2, shape: { ...PERFECT_LINK, oneWayDelayUs: null } }] },
    { kind: 'explode' },
    {},
  ])('refuses %j', (request) => {
    expect(parseWireRequest(JSON.stringify(request)).ok).toBe(false);
  });
});

test('addresses follow from the number', () => {
  expect([underlayAddressOf(1), underlayAddressOf(256), macAddressOf(1), macAddressOf(258)]).toEqual([
    '198.18.0.1',
    '198.18.1.0',
    '02:54:57:00:00:01',
    '02:54:57:00:01:02',
  ]);
});

test('lab names', () => {
  expect(['a', 'core-away', 'x1'].every(isLabName)).toBe(true);
  expect(['', '-a', 'a-', 'A', 'a/b', '..', 'a.b', 'x'.repeat(25)].some(isLabName)).toBe(false);
});
