import { Api, ApiError } from './api.js';
import { RoomLog, applyEntry, oneLine, roomName } from './log.js';
import { ChatSocket } from './socket.js';

// The page. Everything a user wrote reaches the document through textContent only.

const $ = (id) => document.getElementById(id);
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

const api = new Api();
let me = null;
let socket = null;
let open = null;
/** roomId → { room, log: RoomLog, messages: Map(seq → message), pending: Map(clientMessageId → {text, state}), loaded } */
const rooms = new Map();

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function notice(error) {
  $('notice').textContent = error ? `${error.message}${error.code ? ` (${error.code})` : ''}` : '';
}

function keep(room) {
  const known = rooms.get(room.roomId);
  if (known) {
    Object.assign(known.room, room);
    return known;
  }
  const made = { room, log: new RoomLog(room.lastSeq ?? 0), messages: new Map(), pending: new Map(), loaded: false };
  rooms.set(room.roomId, made);
  return made;
}

// ---- signing in

async function signIn(userId, name) {
  const answer = await api.signIn(userId, name);
  begin(userId, name, answer.accessToken);
}

async function begin(userId, name, token) {
  api.token = token;
  me = userId;
  sessionStorage.setItem('chat', JSON.stringify({ userId, name, token }));
  $('me').textContent = name || userId;
  $('login').hidden = true;
  $('chat').hidden = false;
  try {
    await loadRooms();
  } catch (error) {
    if (error.status === 401) return signOut();
    notice(error);
  }
  socket = new ChatSocket(token, () => Object.fromEntries([...rooms].map(([id, r]) => [id, r.log.seq])), {
    state: showConnection,
    entry: onEntry,
    resumed: (roomId) => rooms.get(roomId)?.log.hasHole && fillHole(roomId),
    reset: onReset,
    read: () => {},
    typing: onTyping,
    signedOut: signOut,
  });
  socket.start();
}

function signOut() {
  sessionStorage.removeItem('chat');
  socket?.stop();
  location.reload();
}

function showConnection(state) {
  $('connection').dataset.state = state;
  $('connection').textContent = state;
}

// ---- rooms

async function loadRooms() {
  let cursor;
  do {
    const page = await api.rooms(cursor);
    for (const room of page.items) keep(room);
    cursor = page.nextCursor;
  } while (cursor);
  drawRooms();
  // A list names no members, and a direct room is called after the other one.
  const nameless = [...rooms.values()].filter(({ room }) => !room.title && !room.members);
  await Promise.allSettled(nameless.map(async ({ room }) => Object.assign(room, { members: (await api.room(room.roomId)).members })));
  drawRooms();
}

function drawRooms() {
  const list = [...rooms.values()].sort((a, b) => String(b.room.activeAt ?? b.room.lastMessage?.createdAt ?? '').localeCompare(String(a.room.activeAt ?? a.room.lastMessage?.createdAt ?? '')));
  $('room-list').replaceChildren(...list.map(({ room }) => {
    const button = element('button');
    button.type = 'button';
    button.setAttribute('aria-current', String(room.roomId === open));
    button.append(element('span', 'name', roomName(room, me)), element('span', 'last', room.lastMessage?.deletedAt ? '삭제된 메시지' : oneLine(room.lastMessage?.text)));
    if (room.unreadCount > 0) button.append(element('span', 'unread', room.unreadCount > 99 ? '99+' : String(room.unreadCount)));
    button.onclick = () => openRoom(room.roomId);
    const item = element('li');
    item.append(button);
    return item;
  }));
}

async function openRoom(roomId) {
  open = roomId;
  $('chat').classList.add('open');
  const kept = rooms.get(roomId);
  $('room-title').textContent = roomName(kept.room, me);
  $('text').disabled = $('send-form').querySelector('button').disabled = false;
  notice();
  try {
    if (!kept.loaded) {
      kept.loaded = true;
      const page = await api.messages(roomId);
      for (const message of page.items) if (!kept.messages.has(message.seq)) kept.messages.set(message.seq, message);
    }
  } catch (error) {
    kept.loaded = false;
    notice(error);
  }
  drawMessages();
  markRead(kept);
  $('text').focus();
}

// ---- entries

function onEntry(entry) {
  let kept = rooms.get(entry.roomId);
  if (!kept) {
    // A room I was just added to: its log is read from the start over REST.
    kept = keep({ roomId: entry.roomId, lastSeq: 0, unreadCount: 0 });
    api.room(entry.roomId).then((room) => { Object.assign(kept.room, room); drawRooms(); }, notice);
  }
  for (const next of kept.log.take(entry)) apply(kept, next);
  if (kept.log.hasHole) fillHole(entry.roomId);
}

function apply(kept, entry) {
  const message = applyEntry(kept.messages, entry);
  if (entry.type === 'room.updated' && entry.title !== undefined) kept.room.title = entry.title;
  if (entry.type === 'message.created') {
    if (message.senderId === me) kept.pending.delete(message.clientMessageId);
    kept.room.lastMessage = message;
    kept.room.activeAt = entry.at;
    if (message.senderId !== me && entry.roomId !== open) kept.room.unreadCount = (kept.room.unreadCount ?? 0) + 1;
  }
  drawRooms();
  if (entry.roomId === open) {
    drawMessages();
    markRead(kept);
  }
}

async function fillHole(roomId) {
  const kept = rooms.get(roomId);
  if (kept.filling) return;
  kept.filling = true;
  try {
    for (;;) {
      const page = await api.log(roomId, kept.log.seq);
      for (const entry of page.items) for (const next of kept.log.take(entry)) apply(kept, next);
      if (!kept.log.hasHole || page.items.length === 0) break;
    }
  } catch (error) {
    notice(error);
  } finally {
    kept.filling = false;
  }
}

async function onReset(roomId) {
  const kept = rooms.get(roomId);
  if (!kept) return;
  try {
    const room = await api.room(roomId);
    kept.messages.clear();
    kept.log.jumpTo(room.lastSeq);
    kept.loaded = false;
    if (roomId === open) await openRoom(roomId);
  } catch (error) {
    notice(error);
  }
}

let typingTimer;
function onTyping({ roomId, userId }) {
  if (roomId !== open || userId === me) return;
  $('typing').textContent = `${userId} …`;
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => { $('typing').textContent = ''; }, 3000);
}

function markRead(kept) {
  if (document.hidden) return;
  kept.room.unreadCount = 0;
  const last = Math.max(0, ...kept.messages.keys());
  if (last > (kept.room.lastReadSeq ?? 0)) {
    kept.room.lastReadSeq = last;
    api.read(kept.room.roomId, last).catch((error) => { kept.room.lastReadSeq = 0; notice(error); });
  }
  drawRooms();
}

// ---- messages

function drawMessages() {
  const kept = rooms.get(open);
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const items = [...kept.messages.values()].sort((a, b) => a.seq - b.seq).map((message) => {
    const item = element('li', message.senderId === me ? 'mine' : message.kind === 'system' ? 'event' : '');
    if (message.deletedAt) item.classList.add('deleted');
    if (message.senderId !== me) item.append(element('span', 'from', message.senderId));
    const text = element('span', 'text', message.deletedAt ? '삭제된 메시지예요 · deleted' : message.text ?? `[${message.kind}]`);
    text.dir = 'auto';
    item.append(text, element('time', 'when', `${time.format(new Date(message.createdAt))}${message.editedAt ? ' · edited' : ''}`));
    return item;
  });
  for (const [id, waiting] of kept.pending) {
    const item = element('li', `mine ${waiting.state}`);
    const text = element('span', 'text', waiting.text);
    text.dir = 'auto';
    item.append(text, element('span', 'when', waiting.state === 'failed' ? waiting.reason : '…'));
    if (waiting.state === 'failed') {
      const again = element('button', 'quiet', 'Retry');
      again.type = 'button';
      again.onclick = () => deliver(kept, id);
      item.append(again);
    }
    items.push(item);
  }
  list.replaceChildren(...items);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** Sends until it is stored or refused. The same clientMessageId makes a retry harmless. */
async function deliver(kept, id) {
  const waiting = kept.pending.get(id);
  waiting.state = 'pending';
  for (let attempt = 0; kept.pending.has(id); attempt++) {
    try {
      const message = await api.send(kept.room.roomId, id, waiting.text);
      kept.pending.delete(id);
      if (!kept.messages.has(message.seq)) kept.messages.set(message.seq, message);
      break;
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing || attempt >= 5) {
        waiting.state = 'failed';
        waiting.reason = error.message;
        break;
      }
      await new Promise((resolve) => { setTimeout(resolve, error.retryAfterMs || 500 * 2 ** attempt); });
    }
  }
  if (open === kept.room.roomId) drawMessages();
}

// ---- forms

$('login-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('login-error').textContent = '';
  try {
    await signIn($('user-id').value.trim(), $('user-name').value.trim());
  } catch (error) {
    $('login-error').textContent = error.message;
  }
});

$('sign-out').addEventListener('click', signOut);
$('back').addEventListener('click', () => { $('chat').classList.remove('open'); });

$('room-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const memberIds = $('members').value.split(',').map((id) => id.trim()).filter(Boolean);
  const title = $('title').value.trim();
  const articleId = $('article').value.trim();
  try {
    const room = await api.openRoom(title || memberIds.length > 1
      ? { kind: 'group', title: title || memberIds.join(', '), memberIds }
      : { kind: 'direct', memberIds, articleId: articleId || undefined });
    keep(room);
    event.target.reset();
    $('new-room').open = false;
    drawRooms();
    await openRoom(room.roomId);
  } catch (error) {
    notice(error);
  }
});

const typingEvery = 2000;
let typedAt = 0;
$('text').addEventListener('input', () => {
  const area = $('text');
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
  if (open && Date.now() - typedAt > typingEvery) {
    typedAt = Date.now();
    socket?.send({ type: 'typing', roomId: open });
  }
});

$('text').addEventListener('keydown', (event) => {
  // While a Korean syllable is being composed, Enter belongs to the input method.
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $('send-form').requestSubmit();
  }
});

$('send-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('text').value;
  if (!open || text.trim() === '') return;
  const kept = rooms.get(open);
  const id = crypto.randomUUID?.() ?? `w-${Date.now()}-${Math.random().toString(36).slice(2)}`;
  kept.pending.set(id, { text, state: 'pending' });
  $('text').value = '';
  $('text').style.height = 'auto';
  drawMessages();
  $('messages').scrollTop = $('messages').scrollHeight;
  deliver(kept, id);
});

document.addEventListener('visibilitychange', () => {
  if (open) markRead(rooms.get(open));
});

const saved = JSON.parse(sessionStorage.getItem('chat') ?? 'null');
if (saved) begin(saved.userId, saved.name, saved.token);
