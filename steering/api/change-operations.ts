/** Operations that change something, and those that show who did. Every change is written into the audit. */
import { z } from 'zod';
import type { AuditView } from '../../protocol/api.ts';
import type { Clock } from '../../protocol/clock.ts';
import type { ApiKeys } from '../identity/api-keys.ts';
import type { JoinTokens } from '../identity/join-tokens.ts';
import type { CaRotation } from '../session/ca-rotation.ts';
import type { LoadLoop } from '../session/load-loop.ts';
import type { SessionHub } from '../session/session-hub.ts';
import { type Actor, NO_SUBJECT, type NodeRecord, type Store } from '../store/store.ts';
import {
  auditAnswer,
  caAnswer,
  doneAnswer,
  keyAnswer,
  keyCreatedAnswer,
  loadAnswer,
  nodeAnswer,
  tokenAnswer,
  tokenCreatedAnswer,
} from './api-answers.ts';
import {
  auditQuery,
  caInput,
  idParams,
  keyCreateInput,
  loadInput,
  nameParams,
  nodeInput,
  tokenCreateInput,
} from './api-inputs.ts';
import type { CoreViews } from './core-views.ts';
import { ADMIN, OPERATOR, type Operation, operation, VIEWER } from './operation.ts';

export interface ChangeDeps {
  readonly views: CoreViews;
  readonly tokens: JoinTokens;
  readonly keys: ApiKeys;
  readonly hub: SessionHub;
  readonly ca: CaRotation;
  readonly load: LoadLoop;
  readonly store: Pick<Store, 'audit' | 'noteAudit'>;
  readonly clock: Clock;
}

export function changeOperations({ views, tokens, keys, hub, ca, load, store, clock }: ChangeDeps): Operation[] {
  /** Joins, removals, tokens and keys are written with the change itself, in one commit. */
  const note = (by: Actor, kind: AuditView['kind'], node?: NodeRecord): void => {
    const subject = node === undefined ? NO_SUBJECT : { ...NO_SUBJECT, nodeId: node.id, name: node.name };
    store.noteAudit({ atMs: clock.nowMs(), kind, ...subject, by });
  };
  return [
    operation({
      method: 'POST',
      path: '/v1/nodes/:name',
      summary:
        "Drains a node (moves others' paths off it and keeps them off), or takes that back; sets labels and takes them away",
      answer: nodeAnswer,
      need: OPERATOR,
      params: nameParams,
      body: nodeInput,
      handle: ({ params, body, by }) => {
        const { drained, labels } = body;
        const found = views.find(params.name);
        const node = labels === undefined ? found : hub.policy.label(found, labels, by);
        if (drained !== undefined) {
          hub.drained.drain(node, drained);
          note(by, drained ? 'node_drained' : 'node_resumed', node);
        }
        return views.node(node);
      },
    }),
    operation({
      method: 'POST',
      path: '/v1/nodes/:name/key',
      summary: 'Asks a node that is online for another WireGuard key, which it turns to without losing packets',
      answer: nodeAnswer,
      need: OPERATOR,
      params: nameParams,
      handle: ({ params, by }) => {
        const node = views.find(params.name);
        const live = hub.live(node.index);
        hub.keys.rotate(node, live?.session, live?.turnsKey === true, () => note(by, 'node_key_asked', node));
        return views.node(node);
      },
    }),
    operation({
      method: 'DELETE',
      path: '/v1/nodes/:name',
      summary: 'Removes a node: its certificate is refused from now on, and its key leaves every peer',
      answer: doneAnswer,
      need: ADMIN,
      params: nameParams,
      handle: ({ params, by }) => {
        hub.remove(views.find(params.name), by);
        return {};
      },
    }),
    operation({
      method: 'POST',
      path: '/v1/load',
      summary: 'Switches load-aware steering on or off, until the core starts anew',
      answer: loadAnswer,
      need: OPERATOR,
      body: loadInput,
      handle: ({ body, by }) => {
        // First the audit: what it cannot take is not done.
        note(by, body.aware ? 'load_on' : 'load_off');
        load.setAware(body.aware);
        return load.view;
      },
    }),
    operation({
      method: 'GET',
      path: '/v1/audit',
      summary: 'What operators and devices changed, and who did it, newest first',
      answer: z.array(auditAnswer),
      need: VIEWER,
      query: auditQuery,
      handle: ({ query }): AuditView[] => store.audit(query.limit),
    }),
    operation({
      method: 'GET',
      path: '/v1/tokens',
      summary: 'Every join token, without its secret',
      answer: z.array(tokenAnswer),
      need: VIEWER,
      handle: () => tokens.list(),
    }),
    operation({
      method: 'POST',
      path: '/v1/tokens',
      summary: 'Makes a join token; the answer is the only place where it is shown',
      answer: tokenCreatedAnswer,
      need: OPERATOR,
      body: tokenCreateInput,
      status: 201,
      handle: ({ body, by }) => tokens.create(definedOnly(body), by),
    }),
    operation({
      method: 'DELETE',
      path: '/v1/tokens/:id',
      summary: 'Revokes a join token; nodes that joined with it stay',
      answer: doneAnswer,
      need: OPERATOR,
      params: idParams,
      handle: ({ params, by }) => {
        tokens.revoke(params.id, by);
        return {};
      },
    }),
    operation({
      method: 'GET',
      path: '/v1/ca',
      summary: 'The CA, and how many nodes its rotation still waits for',
      answer: caAnswer,
      need: VIEWER,
      handle: () => ca.view(),
    }),
    operation({
      method: 'POST',
      path: '/v1/ca',
      summary: 'Begins a rotation of the CA, in which both are trusted, or ends it',
      answer: caAnswer,
      need: ADMIN,
      body: caInput,
      handle: ({ body, by }) => (body.action === 'rotate' ? ca.rotate(by) : ca.finish(body.force, by)),
    }),
    operation({
      method: 'GET',
      path: '/v1/keys',
      summary: 'Every API key, without its secret',
      answer: z.array(keyAnswer),
      need: ADMIN,
      handle: () => keys.list(),
    }),
    operation({
      method: 'POST',
      path: '/v1/keys',
      summary: 'Makes an API key; the answer is the only place where it is shown',
      answer: keyCreatedAnswer,
      need: ADMIN,
      body: keyCreateInput,
      status: 201,
      handle: ({ body, by }) => keys.create(definedOnly(body), by),
    }),
    operation({
      method: 'DELETE',
      path: '/v1/keys/:id',
      summary: 'Revokes an API key: no request is taken with it any more',
      answer: doneAnswer,
      need: ADMIN,
      params: idParams,
      handle: ({ params, by }) => {
        keys.revoke(params.id, by);
        return {};
      },
    }),
  ];
}

/** Without keys whose value is undefined. */
function definedOnly<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}
