/** The public key that belongs to the private key in a file. The private key stays in this function. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ThalwegError } from '../../protocol/error.ts';
import { type PublicKey, parsePublicKey, publicKeyFromBytes } from '../../protocol/identifier.ts';

/** PKCS #8 wrapping of a raw X25519 key (RFC 8410 section 7). */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** Reads a file as `wg genkey` writes it. Throws invalid_argument when it holds no key, or cannot be read. */
export async function publicKeyOfFile(path: string): Promise<PublicKey> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new ThalwegError('invalid_argument', `the WireGuard key file ${path} cannot be read`, {
      fields: { path },
      cause,
    });
  }
  // A private key has the same text form as a public one.
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text) || Buffer.from(text, 'base64').length !== 32) {
    throw new ThalwegError('invalid_argument', `the file ${path} holds no WireGuard key`, {
      fields: { path },
      nextStep: 'restore the file, or join the mesh again',
    });
  }
  const der = Buffer.concat([PKCS8_X25519, Buffer.from(text, 'base64')]);
  const publicKey = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  const parsed = publicKeyFromBytes(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  if (!parsed.ok || !parsePublicKey(parsed.value).ok)
    throw new ThalwegError('internal', 'no public key from a private one');
  return parsed.value;
}
