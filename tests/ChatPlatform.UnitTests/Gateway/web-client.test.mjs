import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomLog, applyEntry, oneLine, reconnectDelay, roomName } from '../../../services/ChatPlatform.Gateway/wwwroot/log.js';

const entry = (seq, rest = {}) => ({ roomId: 'r', seq, type: 'message.created', at: 't', ...rest });
const seqs = (entries) => entries.map((e) => e.seq);

test('an entry is taken once and in order', () => {
  const log = new RoomLog();
  assert.deepEqual(seqs(log.take(entry(1))), [1]);
  assert.deepEqual(seqs(log.take(entry(1))), []);
  assert.deepEqual(seqs(log.take(entry(2))), [2]);
});

test('what arrives ahead of a hole waits until the hole is filled', () => {
  const log = new RoomLog(4);
  assert.deepEqual(seqs(log.take(entry(7))), []);
  assert.deepEqual(seqs(log.take(entry(6))), []);
  assert.equal(log.hasHole, true);
  assert.deepEqual(seqs(log.take(entry(5))), [5, 6, 7]);
  assert.equal(log.hasHole, false);
  assert.equal(log.seq, 7);
});

test('a reset jumps over what the page will reload', () => {
  const log = new RoomLog(1);
  log.take(entry(1500));
  log.jumpTo(2000);
  assert.equal(log.hasHole, false);
  assert.deepEqual(seqs(log.take(entry(2001))), [2001]);
});

test('an edit and a delete change the message they target', () => {
  const messages = new Map();
  applyEntry(messages, entry(1, { message: { seq: 1, text: 'a' } }));
  assert.equal(applyEntry(messages, { type: 'message.edited', seq: 2, targetSeq: 1, text: 'b', at: 'e' }).text, 'b');
  const deleted = applyEntry(messages, { type: 'message.deleted', seq: 3, targetSeq: 1, at: 'd' });
  assert.equal(deleted.deletedAt, 'd');
  assert.equal(deleted.text, undefined);
  assert.equal(applyEntry(messages, { type: 'message.deleted', seq: 4, targetSeq: 99, at: 'd' }), undefined);
});

test('the pause before a reconnect grows, stays bounded and never agrees', () => {
  assert.equal(reconnectDelay(0, () => 0), 250);
  assert.equal(reconnectDelay(0, () => 1), 500);
  assert.equal(reconnectDelay(50, () => 1), 15_000);
});

test('a preview cuts between characters and shows no control character', () => {
  assert.equal(oneLine('a\r\nb\tc'), 'a b c');
  assert.equal(oneLine('🥕'.repeat(100), 3), '🥕🥕🥕…');
  assert.equal(oneLine(undefined), '');
});

test('a direct room is named after the other member', () => {
  assert.equal(roomName({ roomId: 'r', members: [{ userId: 'me' }, { userId: 'u2' }], articleId: 'a1' }, 'me'), 'u2 · a1');
  assert.equal(roomName({ roomId: 'r', title: '중고 자전거' }, 'me'), '중고 자전거');
});
