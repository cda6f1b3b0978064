import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { createQuestions } from '../../../src/pool/questions.ts';

describe('a question to the supervisor', () => {
  it('is answered by its id, in any order; what answers nothing is dropped', async () => {
    const sent: number[] = [];
    const questions = createQuestions<string>((id) => void sent.push(id));
    const [first, second] = [questions.ask(), questions.ask()];
    const [a = 0, b = 0] = sent;
    questions.answered(b, 'second');
    questions.answered(99, 'nothing');
    questions.answered(a, 'first');
    questions.answered(a, 'again');
    assert.deepEqual(await Promise.all([first, second]), ['first', 'second']);
  });

  it('fails when there is no answer within 5 s', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const questions = createQuestions<string>(() => {});
    const asked = questions.ask();
    mock.timers.tick(5000);
    await assert.rejects(asked, /did not answer within 5000 ms/);
  });
});
