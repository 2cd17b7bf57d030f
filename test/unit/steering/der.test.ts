import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { der, derTime, readDer, TAG, unsignedInteger } from '../../../steering/identity/der.ts';
import { readP256Key } from '../../../steering/identity/p256-key.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const read = (text: string, most = 4) => readDer(Buffer.from(text, 'hex'), most)?.map(({ content }) => hex(content));

describe('DER', () => {
  it('has lengths in their shortest form', () => {
    for (const [length, header] of [
      [0, '0400'],
      [127, '047f'],
      [128, '048180'],
      [255, '0481ff'],
      [256, '04820100'],
    ] as const) {
      const value = der(TAG.octetString, new Uint8Array(length));
      expect(hex(value)).toBe(header + '00'.repeat(length));
      expect(readDer(value, 1)?.[0]?.content.length).toBe(length);
    }
  });

  it('keeps an integer positive', () => {
    expect(hex(unsignedInteger(Uint8Array.of(0x7f)))).toBe('02017f');
    expect(hex(unsignedInteger(Uint8Array.of(0x80)))).toBe('02020080');
  });

  it('writes years to 2049 with two digits', () => {
    expect(Buffer.from(derTime(Date.UTC(2049, 11, 31, 23, 59, 59))).toString('latin1')).toBe('\x17\x0d491231235959Z');
    expect(Buffer.from(derTime(Date.UTC(2050, 0, 1))).toString('latin1')).toBe('\x18\x0f20500101000000Z');
  });

  it('is read value by value', () => {
    expect(read('0201050401ff')).toEqual(['05', 'ff']);
    expect(read('')).toEqual([]);
  });

  it.each([
    ['cut in its header', '02'],
    ['cut in its content', '020205'],
    ['of indefinite length', '30800000'],
    ['with a length that is longer than it must be', '04810105'],
    ['with a length of two bytes that fits into one', `04820080${'00'.repeat(128)}`],
    ['with a length of three bytes', '0483000001ff'],
    ['with a tag of several bytes', '1f8101'],
    ['of more values than are asked for', '0500050005000500050005'],
  ])('%s is not read', (_what, text) => {
    expect(read(text)).toBeUndefined();
  });
});

describe('a key on P-256', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const info = publicKey.export({ format: 'der', type: 'spki' });

  it('is read from its usual form, and from one with a compressed point, and keeps its form', () => {
    const y = info[info.length - 1] ?? 0;
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Uint8Array.of(2 + (y & 1)),
      info.subarray(27, 59),
    ]);
    expect(createPublicKey({ key: compressed, format: 'der', type: 'spki' }).asymmetricKeyType).toBe('ec');
    for (const form of [info, compressed]) {
      const read = readP256Key(form);
      expect(read?.key.equals(publicKey)).toBe(true);
      expect(hex(read?.der ?? new Uint8Array())).toBe(hex(form));
    }
  });

  it('is refused when its point is not on the curve, on another curve, or with something behind it', () => {
    const beside = Buffer.from(info);
    beside.writeUInt8((info[info.length - 1] ?? 0) ^ 1, info.length - 1);
    const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'der', type: 'spki' });
    for (const bytes of [beside, other, info.subarray(0, -1), Buffer.alloc(91), Buffer.alloc(0)]) {
      expect(readP256Key(bytes)).toBeUndefined();
    }
  });
});
