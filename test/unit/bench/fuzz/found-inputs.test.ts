/** Inputs that the fuzzer found, or that follow from one: each of them once threw where an answer is due. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseIdentity } from '../../../../agent/identity.ts';
import { checkCertificate } from '../../../../agent/join.ts';
import { parseStoredState } from '../../../../agent/table-store.ts';
import { makeCertificateSeeds } from '../../../../bench/fuzz/certificate-seeds.ts';
import { parseNftTable } from '../../../../overlay/nft/nft-json.ts';
import { parseRemembered } from '../../../../overlay/sysctl/host-settings.ts';

/** JSON of an object that `String` and `Number` throw for. */
const NO_PRIMITIVE = '{"toString":1,"valueOf":1}';

describe('what the fuzzer found', () => {
  it('nft: names and priorities that are objects', () => {
    for (const item of [
      `{"rule":{"chain":${NO_PRIMITIVE}}}`,
      `{"chain":{"prio":${NO_PRIMITIVE}}}`,
      `{"set":{"name":${NO_PRIMITIVE}}}`,
    ]) {
      expect(parseNftTable(`{"nftables":[${item}]}`)).toHaveProperty('ok', true);
    }
  });

  it('nft: elements of the sets of origins that no such set has', () => {
    const pair = `{"concat":[${NO_PRIMITIVE},${NO_PRIMITIVE}]}`;
    for (const element of [
      NO_PRIMITIVE,
      '{"concat":["a",1.5]}',
      '{"concat":["a",-1]}',
      '{"concat":["a",1e99]}',
      pair,
    ]) {
      const text = `{"nftables":[{"set":{"name":"own4","elem":[${element}]}}]}`;
      expect(parseNftTable(text)).toHaveProperty('ok', true);
    }
  });

  it('remembered settings: a key that is an object', () => {
    expect(parseRemembered(`[{"key":${NO_PRIMITIVE},"previous":"0","set":"1"}]`)).toEqual([]);
  });

  it('identity.json and table.json: names and versions that are objects', () => {
    expect(parseIdentity(`{"nodeId":${NO_PRIMITIVE}}`)).toHaveProperty('ok', false);
    expect(parseIdentity(`{"nodeId":"n","name":${NO_PRIMITIVE}}`)).toHaveProperty('ok', false);
    expect(parseStoredState(`{"version":${NO_PRIMITIVE}}`)).toHaveProperty('ok', false);
  });

  it('a certificate whose key is no point of its curve', async () => {
    const seeds = await makeCertificateSeeds();
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const header = publicKey.export({ format: 'der', type: 'spki' }).subarray(0, 27);
    const broken = Buffer.from(seeds.certificateDer);
    const at = broken.indexOf(header);
    expect(at).toBeGreaterThan(0);
    broken.fill(0xff, at + header.length, at + header.length + 64);
    expect(() => checkCertificate(broken, seeds.caPem, seeds.tlsKeyPem)).toThrow(
      expect.objectContaining({ code: 'certificate_invalid' }),
    );
  });
});
