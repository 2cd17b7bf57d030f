/** Everything that the HTTP API does, the description of itself included. */
import { z } from 'zod';
import { type ChangeDeps, changeOperations } from './change-operations.ts';
import { type LookDeps, lookOperations } from './look-operations.ts';
import { openApiDocument } from './open-api.ts';
import { LOOK, type Operation, operation } from './operation.ts';
import { policyOperations } from './policy-operations.ts';

export interface OperationDeps extends LookDeps, ChangeDeps {}

export function apiOperations(deps: OperationDeps): Operation[] {
  let document: string | undefined;
  const all: Operation[] = [...lookOperations(deps), ...changeOperations(deps), ...policyOperations(deps)];
  all.push(
    operation({
      method: 'GET',
      path: '/v1/openapi.json',
      summary: 'This description of the API (OpenAPI 3.1)',
      need: LOOK,
      answer: z.looseObject({ openapi: z.string() }),
      handle: ({ reply }): string => {
        // Made once, when somebody asks: it is as fixed as the program.
        document ??= JSON.stringify(openApiDocument(all));
        reply.type('application/json');
        return document;
      },
    }),
  );
  return all;
}
