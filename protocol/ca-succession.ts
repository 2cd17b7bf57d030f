/** The words of a CA that makes way for another, and signs that: no signature over anything else can be taken for one. */
const SUCCESSION = Buffer.from('thalweg ca succession\0', 'latin1');

/** What the predecessor's key signs: the words, then the successor's certificate in DER. */
export function successionText(successorDer: Uint8Array): Buffer {
  return Buffer.concat([SUCCESSION, successorDer]);
}
