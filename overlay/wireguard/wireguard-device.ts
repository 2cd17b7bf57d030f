/**
 * The WireGuard device, driven with `wg` (which speaks netlink to the kernel and the UAPI socket to wireguard-go).
 * Kernel WireGuard where the kernel has it, else wireguard-go, which goes on when the process that started it ends.
 */
import { ThalwegError } from '../../protocol/error.ts';
import type { Logger } from '../../protocol/log.ts';
import { type CommandRunner, commandFailure, runChecked } from '../command-runner.ts';
import { TUNNEL_DEVICE } from '../overlay-names.ts';
import type { OverlayPeer } from '../overlay-state.ts';
import { publicKeyOfFile } from './key-file.ts';
import { computePeerDiff } from './peer-diff.ts';
import { widenReceiveBuffers } from './receive-buffers.ts';
import { parseWgDump, type WgDevice } from './wg-dump.ts';

/** It stands where the kernel would: packets do not wait for programs, ours included. */
export const DATA_PLANE_NICENESS = -10;

export type WireGuardBackend = 'kernel' | 'wireguard-go';

export interface WireGuardOptions {
  /** As `wg genkey` writes it, mode 0600. */
  readonly privateKeyFile: string;
}

export class WireGuardDevice {
  readonly #runner: CommandRunner;
  readonly #keyFile: string;
  readonly #log: Logger;
  /** wireguard-go may have opened sockets since their buffers were widened. */
  #hasNewSockets = true;

  constructor(deps: { readonly runner: CommandRunner; readonly log: Logger }, options: WireGuardOptions) {
    this.#runner = deps.runner;
    this.#keyFile = options.privateKeyFile;
    this.#log = deps.log;
  }

  /** Null: there is no such device, or nobody answers for it. */
  async read(): Promise<WgDevice | null> {
    const argv = ['wg', 'show', TUNNEL_DEVICE, 'dump'];
    const result = await this.#runner.run(argv);
    if (result.exitCode !== 0) {
      // `Protocol error`: wireguard-go ended while it was being asked.
      if (
        /No such device|Protocol (not supported|error)|Connection (refused|reset)|No such file/i.test(result.stderr)
      ) {
        return null;
      }
      throw commandFailure(argv, result);
    }
    const parsed = parseWgDump(result.stdout);
    if (parsed.ok) return parsed.value;
    throw new ThalwegError('command_failed', `wg: output not understood: ${parsed.reason}`, {
      fields: { program: 'wg' },
    });
  }

  /** Makes the device, without address, MTU or peers. `replace`: one of that name stands there and does not answer. */
  async create(replace: boolean): Promise<WireGuardBackend> {
    if (replace) await this.#runner.run(['ip', 'link', 'del', TUNNEL_DEVICE]);
    const added = await this.#runner.run(['ip', 'link', 'add', TUNNEL_DEVICE, 'type', 'wireguard']);
    if (added.exitCode === 0) return 'kernel';
    if (!saysUnknownType(added.stderr)) throw commandFailure(['ip'], added);
    await runChecked(this.#runner, ['wireguard-go', TUNNEL_DEVICE], {
      daemon: true,
      env: { LOG_LEVEL: 'silent' },
      niceness: DATA_PLANE_NICENESS,
    });
    this.socketsOpened();
    return 'wireguard-go';
  }

  /** Throws command_failed, also where there is no device. */
  async takeKey(): Promise<void> {
    await runChecked(this.#runner, ['wg', 'set', TUNNEL_DEVICE, 'private-key', this.#keyFile]);
  }

  /** Makes key, port and peers agree. Returns one line per change. */
  async apply(
    wanted: { readonly listenPort: number; readonly peers: readonly OverlayPeer[] },
    held: WgDevice,
  ): Promise<readonly string[]> {
    const changes: string[] = [];
    const device: string[] = [];
    if ((await publicKeyOfFile(this.#keyFile)) !== held.publicKey) {
      device.push('private-key', this.#keyFile);
      changes.push('wireguard private key');
    }
    if (held.listenPort !== wanted.listenPort) {
      device.push('listen-port', String(wanted.listenPort));
      changes.push(`wireguard listen port ${wanted.listenPort}`);
    }
    const diff = computePeerDiff(wanted.peers, held.peers);
    const [firstCall, ...calls] = diff.calls;
    for (const call of [[...device, ...(firstCall ?? [])], ...calls]) {
      if (call.length > 0) await runChecked(this.#runner, ['wg', 'set', TUNNEL_DEVICE, ...call]);
    }
    if (held.listenPort !== wanted.listenPort) this.socketsOpened();
    return [...changes, ...diff.changes];
  }

  /** The device went up, or got another port: wireguard-go has sockets with the kernel's default buffers. */
  socketsOpened(): void {
    this.#hasNewSockets = true;
  }

  /** Of wireguard-go, whose device is up. Returns one line per change; where it cannot be done, that is said once in the log. */
  async widenBuffers(): Promise<readonly string[]> {
    if (!this.#hasNewSockets) return [];
    this.#hasNewSockets = false;
    const outcome = await widenReceiveBuffers(this.#runner, TUNNEL_DEVICE);
    if ('changes' in outcome) return outcome.changes;
    this.#log.warn("wireguard-go's receive buffers stay small: bursts of thousands of packets may be lost", outcome);
    return [];
  }
}

/** True when `ip link add` failed because the kernel does not know the type of device. */
export function saysUnknownType(stderr: string): boolean {
  return /Unknown device type|Operation not supported|Not supported/i.test(stderr);
}
