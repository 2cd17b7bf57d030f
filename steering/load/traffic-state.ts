/** What the engine knows of load: who sends how much to whom, and what links and accesses carry. */
import { CapacityBook } from '../capacity/capacity-book.ts';
import { DemandMatrix } from '../demand/demand-matrix.ts';

/** Written by the engine alone; read with a monotonic time. */
export class TrafficState {
  readonly demand = new DemandMatrix();
  readonly capacity = new CapacityBook();

  removeNode(index: number): void {
    this.demand.removeNode(index);
    this.capacity.removeNode(index);
  }
}
