/** What a worker asks its supervisor: each question has an id, which its answer bears, too. */

export interface Questions<Answer> {
  /** Rejects when there is no answer in time. */
  readonly ask: () => Promise<Answer>;
  /** A late answer, and one to nothing, is dropped. */
  readonly answered: (id: number, answer: Answer) => void;
}

const answerMs = 5000;

export function createQuestions<Answer>(send: (id: number) => void): Questions<Answer> {
  const open = new Map<number, (answer: Answer) => void>();
  let nextId = 1;
  return {
    ask() {
      const id = nextId;
      nextId += 1;
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          open.delete(id);
          reject(new Error(`the supervisor did not answer within ${answerMs} ms`));
        }, answerMs);
        open.set(id, (answer) => {
          clearTimeout(timer);
          open.delete(id);
          resolve(answer);
        });
        send(id);
      });
    },
    answered(id, answer) {
      open.get(id)?.(answer);
    },
  };
}
