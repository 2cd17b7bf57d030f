/**
 * The library that reads and makes X.509, with what it needs to load: it wires its parts with decorators that throw
 * without `Reflect.getMetadata`. Everybody imports it from here, so that the order of the two imports cannot go wrong.
 * Costs about 18 MB of memory; a program that seldom needs it imports this dynamically.
 */
import 'reflect-metadata';

export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
} from '@peculiar/x509';
