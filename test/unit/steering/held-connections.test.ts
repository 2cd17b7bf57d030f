import { describe, expect, it } from 'vitest';
import { HeldConnections } from '../../../steering/cluster/held-connections.ts';
import { TurnedClock } from '../../fake/turned-clock.ts';

function held() {
  const clock = new TurnedClock();
  const said: string[] = [];
  const connection = (name: string) => ({
    begin: () => void said.push(`${name} begins`),
    sendOn: () => void said.push(`${name} is sent on`),
  });
  return { clock, said, connection, door: new HeldConnections(clock) };
}

describe('connections at a core where no session may begin', () => {
  it('begin where sessions may', () => {
    const { door, said, connection } = held();
    door.begin();
    door.take(connection('a'));
    expect(said).toEqual(['a begins']);
  });

  it('are sent on once that is said after they came, not on what was said before', () => {
    const { door, said, connection } = held();
    door.sendOn();
    door.take(connection('a'));
    expect(said).toEqual([]);
    door.sendOn();
    door.sendOn();
    expect(said).toEqual(['a is sent on']);
  });

  it('wait while nobody is heard of, and begin where this core takes over', () => {
    const { clock, door, said, connection } = held();
    for (const name of ['a', 'b']) door.take(connection(name));
    clock.turn(2000);
    expect(said).toEqual([]);
    door.begin();
    clock.turn(60_000);
    expect(said).toEqual(['a begins', 'b begins']);
  });

  it('are sent on when nobody steers for long, and forgotten when they go', () => {
    const { clock, door, said, connection } = held();
    const [a, b] = [connection('a'), connection('b')];
    door.take(a);
    door.take(b);
    door.drop(a);
    clock.turn(10_000);
    door.begin();
    expect(said).toEqual(['b is sent on']);
  });

  it('wait while that is in doubt, and begin when it is not', () => {
    const { door, said, connection } = held();
    door.begin();
    door.doubt();
    door.take(connection('a'));
    expect(said).toEqual([]);
    door.begin();
    expect(said).toEqual(['a begins']);
  });

  it('are not kept without bound', () => {
    const { door, said, connection } = held();
    for (let i = 0; i < 3000; i++) door.take(connection('x'));
    expect(said).toHaveLength(1000);
  });
});
