/** The figures of a worker that has no fleet around it, as samples: for tests, and for programs that embed bunlb. */
import type { Samples } from "../../observe/snapshot.ts"
import type { Worker } from "../../worker/types.ts"
import { backendFamilies } from "./backend-families.ts"
import { BackendTable, type BackendTotals } from "./backend-table.ts"

export class WorkerFigures {
  readonly #worker: Worker
  readonly #table = new BackendTable()

  constructor(worker: Worker) {
    this.#worker = worker
  }

  /** The backends as they are now, in one go. */
  backends(): readonly BackendTotals[] {
    const { backends } = this.#worker
    backends.begin()
    for (let chunk = backends.next(); chunk !== null; chunk = backends.next()) {
      this.#table.apply(0, chunk)
    }
    return this.#table.all
  }

  samples(): Samples {
    const { samples } = this.#worker.report()
    const put = (sample: string, labels: string, value: number): void => {
      ;(samples[sample] ??= {})[labels] = value
    }
    for (const totals of this.backends()) {
      const healthy = totals.views.some(({ facts }) => facts.healthy)
      for (const write of backendFamilies.values()) {
        write({ totals, state: null, weight: 0, healthy }, put)
      }
    }
    return samples
  }
}
