import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Link, LinkedList } from '../../../src/collections/linked-list.ts';

interface Item extends Link<Item> {
  readonly name: string;
}
const item = (name: string): Item => ({ name, previous: undefined, next: undefined });
const names = (list: LinkedList<Item>) => list.toArray().map(({ name }) => name);

describe('a linked list', () => {
  it('keeps items in order of arrival, whichever are removed', () => {
    const list = new LinkedList<Item>();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(item) as [Item, Item, Item, Item];
    assert.equal(list.first, undefined);
    for (const each of [a, b, c, d]) list.add(each);
    assert.deepEqual([names(list), list.size], [['a', 'b', 'c', 'd'], 4]);
    list.remove(c);
    list.remove(a);
    assert.deepEqual([names(list), list.first], [['b', 'd'], b]);
    list.remove(d);
    list.add(a);
    assert.deepEqual(names(list), ['b', 'a']);
    list.remove(b);
    list.remove(a);
    assert.deepEqual([names(list), list.size, list.first], [[], 0, undefined]);
  });

  it('leaves no link in a removed item', () => {
    const list = new LinkedList<Item>();
    const [a, b, c] = ['a', 'b', 'c'].map(item) as [Item, Item, Item];
    for (const each of [a, b, c]) list.add(each);
    list.remove(b);
    assert.deepEqual([b.previous, b.next], [undefined, undefined]);
    assert.deepEqual([a.next, c.previous], [c, a]);
  });
});
