import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatApiKey, parseApiKey } from '../../protocol/api-key.ts';
import { addressFromBytes, addressToBytes, formatEndpoint, parseEndpoint } from '../../protocol/endpoint.ts';
import {
  decodeAgentFrame,
  decodeCoreFrame,
  encodeAgentFrame,
  encodeCoreFrame,
  routeDeltaFromMessage,
  routeDeltaToMessage,
} from '../../protocol/frame-codec.ts';
import { parseNodeIndex, parseNodeName, parsePublicKey, publicKeyFromBytes } from '../../protocol/identifier.ts';
import { formatJoinToken, parseJoinToken } from '../../protocol/join-token.ts';
import { applyPolicyUpdate, NO_POLICY } from '../../protocol/node-policy.ts';
import { policyUpdateFromMessage, policyUpdateToMessage } from '../../protocol/policy-message.ts';
import { checksumOf, deltaFrom, type RouteRow, RouteTable, rowKeyText } from '../../protocol/route-table.ts';
import { mergeServices } from '../../protocol/service.ts';
import { arbitraryPolicy } from '../oracle/policy-oracle.ts';

const index = fc.integer({ min: 1, max: 4000 });
const rowArbitrary: fc.Arbitrary<RouteRow> = fc
  .record({
    table: fc.constantFrom('source' as const, 'transitA' as const, 'transitB' as const),
    destination: fc.integer({ min: 1, max: 30 }),
    plane: fc.constantFrom('a' as const, 'b' as const),
    neighbours: fc.uniqueArray(index, { minLength: 1, maxLength: 4 }),
    weight: fc.integer({ min: 1, max: 256 }),
    backups: fc.array(index, { maxLength: 2 }),
  })
  .map(({ table, destination, plane, neighbours, weight, backups }) => ({
    table,
    destination,
    blockBits: 0,
    plane: table === 'source' ? plane : null,
    nextHops: neighbours.sort((a, b) => a - b).map((neighbour) => ({ neighbour, weight })),
    backups,
  }));
const rowsArbitrary = fc.uniqueArray(rowArbitrary, { selector: rowKeyText, maxLength: 40 });

describe('decoders of untrusted bytes', () => {
  it('never throw, whatever arrives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.string({ maxLength: 200 }), (bytes, text) => {
        decodeAgentFrame(bytes);
        decodeCoreFrame(bytes);
        addressFromBytes(bytes);
        publicKeyFromBytes(bytes);
        parseJoinToken(text);
        parseJoinToken(`tw1.${text}`);
        parseApiKey(text);
        parseApiKey(`twk1.abcdefghijkl.${text}`);
        parseEndpoint(text);
        parseNodeName(text);
        parsePublicKey(text);
        parseNodeIndex(bytes[0] ?? 0);
      }),
      { numRuns: 2000 },
    );
  });

  it('survive a valid frame with any one byte changed, and any truncation', () => {
    const frame = encodeCoreFrame(7n, {
      case: 'routeDelta',
      value: routeDeltaToMessage(deltaFrom(new RouteTable(), 3n, [], [])),
    });
    fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.nat(255), fc.nat(frame.length), (at, value, length) => {
        const changed = frame.slice();
        changed[at] = value;
        const decoded = decodeCoreFrame(changed.subarray(0, length));
        if (decoded.ok && decoded.value.body.case === 'routeDelta') routeDeltaFromMessage(decoded.value.body.value);
      }),
    );
  });
});

describe('round trips', () => {
  it('of policies through the wire, also with any one byte changed', () => {
    const update = fc.record({
      generation: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      baseGeneration: fc.bigInt({ min: 0n, max: 9n }),
      full: fc.boolean(),
      active: fc.boolean(),
      rules: arbitraryPolicy.map(({ rules }) =>
        rules.map(({ services }, i) => ({ set: i === 0 ? null : BigInt(i), services: mergeServices(services) })),
      ),
      sets: fc.array(
        fc.record({
          id: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
          reset: fc.boolean(),
          add: fc.array(index),
          remove: fc.array(index),
        }),
        { maxLength: 3 },
      ),
      checksum: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    });
    fc.assert(
      fc.property(update, fc.nat(), fc.nat(255), (value, at, byte) => {
        const bytes = encodeCoreFrame(1n, { case: 'policyUpdate', value: policyUpdateToMessage(value) });
        const frame = decodeCoreFrame(bytes);
        if (!frame.ok || frame.value.body.case !== 'policyUpdate') throw new Error('not decoded');
        expect(policyUpdateFromMessage(frame.value.body.value)).toEqual({ ok: true, value });
        bytes[at % bytes.length] = byte;
        const changed = decodeCoreFrame(bytes);
        if (!changed.ok || changed.value.body.case !== 'policyUpdate') return;
        const parsed = policyUpdateFromMessage(changed.value.body.value);
        if (parsed.ok) applyPolicyUpdate(NO_POLICY, parsed.value);
      }),
    );
  });

  it('of deltas through the wire', () => {
    fc.assert(
      fc.property(rowsArbitrary, rowsArbitrary, (first, second) => {
        const table = new RouteTable();
        table.apply(deltaFrom(table, 1n, first, []));
        const delta = deltaFrom(table, 2n, second, first.slice(0, 0));
        const bytes = encodeCoreFrame(1n, { case: 'routeDelta', value: routeDeltaToMessage(delta) });
        const frame = decodeCoreFrame(bytes);
        if (!frame.ok || frame.value.body.case !== 'routeDelta') throw new Error('not decoded');
        expect(routeDeltaFromMessage(frame.value.body.value)).toEqual({ ok: true, value: delta });
      }),
    );
  });

  it('of demands and sequence numbers', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n }), index, (seq, peerIndex) => {
        const body = { case: 'demandReport' as const, value: { demands: [{ peerIndex, bytesPerSecond: seq }] } };
        const frame = decodeAgentFrame(encodeAgentFrame(seq, body));
        if (!frame.ok || frame.value.body.case !== 'demandReport') throw new Error('not decoded');
        expect([frame.value.seq, frame.value.body.value.demands[0]?.bytesPerSecond]).toEqual([seq, seq]);
      }),
    );
  });

  it('of endpoints, tokens and API keys', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
        fc.integer({ min: 1, max: 65_535 }),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (bytes, port, secret) => {
          const address = addressFromBytes(bytes);
          if (!address.ok) throw new Error(address.reason);
          expect([...addressToBytes(address.value)]).toEqual([...bytes]);
          const endpoint = { address: address.value, port };
          expect(parseEndpoint(formatEndpoint(endpoint))).toEqual({ ok: true, value: endpoint });
          const token = { addresses: ['core:1'], caFingerprint: '0'.repeat(64), id: 'a'.repeat(12), secret };
          expect(parseJoinToken(formatJoinToken(token))).toEqual({ ok: true, value: token });
          const key = { id: token.id, secret };
          expect(parseApiKey(formatApiKey(key))).toEqual({ ok: true, value: key });
        },
      ),
    );
  });
});

describe('tables', () => {
  it('reach the same checksum by deltas as at once, in any order', () => {
    fc.assert(
      fc.property(fc.array(rowsArbitrary, { maxLength: 6 }), (batches) => {
        const table = new RouteTable();
        const wanted = new Map<string, RouteRow>();
        let generation = 1n;
        for (const batch of batches) {
          const [gone] = wanted.keys();
          const removed = gone === undefined ? undefined : wanted.get(gone);
          const remove = removed === undefined || batch.some((r) => rowKeyText(r) === gone) ? [] : [removed];
          for (const key of remove) wanted.delete(rowKeyText(key));
          for (const row of batch) wanted.set(rowKeyText(row), row);
          expect(table.apply(deltaFrom(table, generation++, batch, remove)).ok).toBe(true);
        }
        expect(table.checksum).toBe(checksumOf([...wanted.values()].reverse()));
        const copy = new RouteTable();
        expect(copy.apply(table.toFullDelta()).ok).toBe(true);
        expect(copy.rows()).toEqual(table.rows());
      }),
    );
  });
});
