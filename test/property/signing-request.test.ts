/** Whatever is sent as a signing request: it is refused, or it is for the key that signed it. */
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAX_SIGNING_REQUEST_BYTES, parseSigningRequest } from '../../steering/identity/signing-request.ts';
import { makeSigningRequest } from '../fake/test-agent.ts';

const key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keyDer = key.publicKey.export({ format: 'der', type: 'spki' });
let valid: Uint8Array;
beforeAll(async () => {
  valid = await makeSigningRequest(key.publicKey, key.privateKey);
});

/** Refused, or for the one key whose signature it carries. */
function expectRefusedOrOurs(bytes: Uint8Array): void {
  const parsed = parseSigningRequest(bytes);
  if (parsed.ok) expect(Buffer.from(parsed.value.publicKeyDer).equals(keyDer)).toBe(true);
}

describe('a signing request', () => {
  it('is accepted as it was made', () => {
    expect(parseSigningRequest(valid)).toMatchObject({ ok: true });
  });

  it('of arbitrary bytes is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: MAX_SIGNING_REQUEST_BYTES + 10 }), (bytes) => {
        expect(parseSigningRequest(bytes).ok).toBe(false);
        expect(parseSigningRequest(Uint8Array.of(0x30, 0x82, bytes.length >> 8, bytes.length & 255, ...bytes)).ok).toBe(
          false,
        );
      }),
    );
  });

  it('that was cut short anywhere is refused', () => {
    for (let length = 0; length < valid.length; length++) {
      expect(parseSigningRequest(valid.subarray(0, length)).ok, `${length} bytes`).toBe(false);
    }
  });

  it('with bytes changed, put in or taken out never throws and never gives another key', () => {
    const edit = fc.record({
      at: fc.nat(400),
      remove: fc.nat(3),
      insert: fc.uint8Array({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const bytes = [...valid];
        for (const { at, remove, insert } of edits) bytes.splice(at % bytes.length, remove, ...insert);
        expectRefusedOrOurs(Uint8Array.from(bytes));
      }),
      { numRuns: 500 },
    );
  });

  it('with any one byte of what is signed changed is refused', () => {
    // The info of a request of this size: a header of 3 bytes, then a sequence that says its length in its third byte.
    const signedFrom = 3;
    const signedTo = signedFrom + 3 + (valid[signedFrom + 2] ?? 0);
    expect([...valid.subarray(signedFrom, signedFrom + 2)]).toEqual([0x30, 0x81]);
    fc.assert(
      fc.property(fc.integer({ min: signedFrom, max: signedTo - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Uint8Array.from(valid);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        expect(parseSigningRequest(bytes).ok).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('nested as deep as fits is refused', () => {
    const deep = new Uint8Array(MAX_SIGNING_REQUEST_BYTES);
    for (let i = 0; i < deep.length; i += 2) deep.set([0x30, 0x80], i);
    expect(parseSigningRequest(deep).ok).toBe(false);
  });
});
