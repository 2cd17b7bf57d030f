/**
 * The library that makes signing requests, with what it needs to load: it wires its parts with decorators that throw
 * without `Reflect.getMetadata`. Everybody imports it from here, so that the order of the two imports cannot go wrong.
 * Costs about 18 MB of memory; a program that seldom needs it imports this dynamically.
 */
import 'reflect-metadata';

export { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';
