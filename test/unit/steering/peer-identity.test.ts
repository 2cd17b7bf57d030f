/** Whose certificate opens a session, at which time: dates by an injected clock, everything else real. */
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NodeId } from '../../../protocol/identifier.ts';
import { CertificateAuthority } from '../../../steering/identity/certificate-authority.ts';
import type { NodeRegistry } from '../../../steering/registry/node-registry.ts';
import { identifyPeer } from '../../../steering/session/peer-identity.ts';
import type { NodeRecord } from '../../../steering/store/store.ts';

const NOW_MS = Date.UTC(2030, 0, 2, 3, 4, 5);
const HOUR_MS = 3_600_000;
const NODE_ID = 'n-aaaaaaaaaaaaaaaaaaaa' as NodeId;

let stateDir: string;
let authority: CertificateAuthority;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'thalweg-peer-'));
  authority = CertificateAuthority.open(stateDir, NOW_MS);
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

/** What the core says to a node whose certificate is `ageMs` old, of a life of 24 hours, with a grace of 48. */
function atAge(ageMs: number) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issued = authority.issueNodeCertificate(NODE_ID, publicKey, NOW_MS, 24 * HOUR_MS);
  const node = { id: NODE_ID, name: 'a', serial: issued.serial, previousSerial: null };
  const registry = { byId: () => node as NodeRecord, wasRemoved: () => false } as unknown as NodeRegistry;
  return identifyPeer(new X509Certificate(issued.der), { authority, registry }, NOW_MS + ageMs, 48 * HOUR_MS);
}

it('takes a certificate in force, one that has expired within the grace, and says since when one beyond it has', () => {
  expect(atAge(0).kind).toBe('node');
  expect(atAge(24 * HOUR_MS + 1000).kind).toBe('node');
  expect(atAge(72 * HOUR_MS).kind).toBe('node');
  expect(atAge(72 * HOUR_MS + 1000)).toMatchObject({
    kind: 'refused',
    error: {
      code: 'certificate_invalid',
      message: 'the certificate of node a expired 2 days ago',
      nextStep: 'join the device again with a new token',
    },
  });
});

it('takes the certificate before the last one, so that a node that never got the new one is not locked out', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issued = authority.issueNodeCertificate(NODE_ID, publicKey, NOW_MS, 24 * HOUR_MS);
  const open = (serial: string, previousSerial: string | null) => {
    const node = { id: NODE_ID, name: 'a', serial, previousSerial } as NodeRecord;
    const registry = { byId: () => node, wasRemoved: () => false } as unknown as NodeRegistry;
    return identifyPeer(new X509Certificate(issued.der), { authority, registry }, NOW_MS, 0);
  };
  expect(open('newer', issued.serial).kind).toBe('node');
  expect(open('newest', 'newer')).toMatchObject({ kind: 'refused', error: { code: 'certificate_invalid' } });
});
