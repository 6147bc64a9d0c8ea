// One request at a time.

/** Runs `work` for one request at a time; of those that come meanwhile, only for the newest. */
export class Latest {
  #work;
  #waiting = [];
  #busy = false;

  /** `work` is an async function that deals with its own errors. */
  constructor(work) {
    this.#work = work;
  }

  ask(request) {
    this.#waiting = [request];
    if (!this.#busy) this.#run();
  }

  async #run() {
    this.#busy = true;
    while (this.#waiting.length) {
      await this.#work(this.#waiting.pop());
    }
    this.#busy = false;
  }
}

/** `work`, once nobody has called for `milliseconds`. */
export function settled(milliseconds, work) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}
