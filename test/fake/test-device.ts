/** What an agent has of certificates, keys and sessions, without a data plane: real TLS, real files. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CertificateKeeper } from '../../agent/certificate-keeper.ts';
import { CoreConnection } from '../../agent/core-connection.ts';
import { openCoreStream } from '../../agent/core-stream.ts';
import { IdentityStore } from '../../agent/identity.ts';
import { joinNode } from '../../agent/join.ts';
import { KeyRotation, type KeyRotationDeps } from '../../agent/key-rotation.ts';
import { readBundle } from '../../agent/trust-bundle.ts';
import { wireGuardPublicKey } from '../../agent/wireguard-key.ts';
import { systemClock } from '../../protocol/clock.ts';
import { type PublicKey, publicKeyToBytes } from '../../protocol/identifier.ts';
import { silentLogger } from '../../protocol/log.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from '../../protocol/version.ts';
import { eventually } from './test-core.ts';

export class TestDevice {
  readonly store: IdentityStore;
  readonly keeper: CertificateKeeper;
  /** Since the last `connect`. */
  keys: KeyRotation | undefined;
  /** The key that the kernel would have. */
  kernelKey: PublicKey | undefined;
  /** In the place of the kernel taking the key: throws, to be killed there. */
  apply: KeyRotationDeps['apply'] = async () => {
    this.kernelKey = this.fileKey;
  };
  lifetimeMs = 0;
  #connection: CoreConnection | undefined;
  ended: Promise<string> = Promise.resolve('never began');

  constructor(stateDir: string) {
    this.store = new IdentityStore(stateDir);
    this.keeper = new CertificateKeeper({
      clock: systemClock,
      log: silentLogger,
      identityStore: this.store,
      random: () => 0,
      sendRenewRequest: (signingRequestDer) =>
        this.#connection?.send({ case: 'renewRequest', value: { signingRequestDer } }),
      sendTrustReport: (value) => this.#connection?.send({ case: 'trustReport', value }),
    });
  }

  async join(token: string, name: string): Promise<this> {
    await joinNode({ token, stateDir: this.store.stateDir, name });
    return this;
  }

  async connect(): Promise<this> {
    await this.keeper.load();
    const publicKey = wireGuardPublicKey(readFileSync(this.store.path('wireguard.key'), 'utf8'));
    this.kernelKey = publicKey;
    const keys = new KeyRotation(
      {
        clock: systemClock,
        log: silentLogger,
        identityStore: this.store,
        random: () => 0,
        send: (frame) => this.#connection?.send(frame),
        apply: () => this.apply(),
      },
      { publicKey, lifetimeMs: this.lifetimeMs },
    );
    this.keys = keys;
    const { coreAddresses } = await this.store.loadJoined();
    const connection = new CoreConnection(
      {
        clock: systemClock,
        log: silentLogger,
        random: () => 0.01,
        open: openCoreStream,
        credentials: () => this.store.loadCredentials(),
        hello: async () => ({
          protocolMin: PROTOCOL_MIN,
          protocolMax: PROTOCOL_MAX,
          publicKey: publicKeyToBytes(keys.publicKey),
          turnsKey: true,
          listenPort: 51_820,
          underlayMtuBytes: 1500,
          transit: true,
          stampPort: 862,
          clockUnixMs: BigInt(Date.now()),
          ...(this.keeper.report && { trust: this.keeper.report }),
        }),
        listener: {
          onWelcome: () => keys.sessionBegan(),
          onPeerUpdate: () => {},
          onRouteDelta: () => {},
          onPolicyUpdate: () => {},
          onProbePlan: () => {},
          onCoreClock: (unixMs) => {
            void this.keeper.heardCore(unixMs);
            keys.heardCore();
          },
          onCertificate: (der) => void this.keeper.accept(der),
          onTrust: (trust) => void this.keeper.trust(trust),
          onKeyTurn: (turn) => keys.turn(turn),
        },
        onState: () => {},
        onReconnect: () => {},
      },
      { addresses: coreAddresses, reconnect: { baseMs: 20, capMs: 50 } },
    );
    this.#connection = connection;
    this.ended = connection.start().then(
      () => 'stopped',
      (error: { code?: string }) => String(error.code),
    );
    await eventually('a session', () => connection.established);
    return this;
  }

  async stop(): Promise<void> {
    await this.#connection?.stop();
    await this.keys?.stop();
  }

  get fileKey(): PublicKey {
    return wireGuardPublicKey(readFileSync(this.store.path('wireguard.key'), 'utf8'));
  }

  get trusted(): readonly string[] {
    return readBundle(readFileSync(this.store.path('ca.crt'), 'utf8')).map(({ fingerprint }) =>
      Buffer.from(fingerprint).toString('hex'),
    );
  }

  get certificate(): X509Certificate {
    return new X509Certificate(readFileSync(this.store.path('tls.crt')));
  }
}
