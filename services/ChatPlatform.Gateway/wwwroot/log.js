// What the page knows of its rooms. No DOM here, so that it runs under node as well.

/** Orders one room's entries by seq: each is taken once, in order, and what arrives ahead of a hole waits for it. */
export class RoomLog {
  constructor(seq = 0) {
    /** The last seq taken: everything up to it has been seen. */
    this.seq = seq;
    this.waiting = new Map();
  }

  /** Takes an entry; gives the entries that became next in order, often one, none when it is old or ahead of a hole. */
  take(entry) {
    if (entry.seq <= this.seq) return [];
    this.waiting.set(entry.seq, entry);
    const next = [];
    while (this.waiting.has(this.seq + 1)) {
      this.seq += 1;
      next.push(this.waiting.get(this.seq));
      this.waiting.delete(this.seq);
    }
    return next;
  }

  /** True while something waits behind a hole: ask the log for what lies after seq. */
  get hasHole() {
    return this.waiting.size > 0;
  }

  /** Starts over at seq, forgetting what waited up to it. */
  jumpTo(seq) {
    this.seq = Math.max(this.seq, seq);
    for (const waiting of this.waiting.keys()) if (waiting <= this.seq) this.waiting.delete(waiting);
  }
}

/** Milliseconds before the given reconnect (0 is the first): doubles from half a second to 15 s, with jitter so that a relay's users do not come back as one. */
export function reconnectDelay(attempt, random = Math.random) {
  const most = Math.min(15_000, 500 * 2 ** Math.min(attempt, 10));
  return Math.round(most / 2 + random() * (most / 2));
}

/** Applies an entry to the list of messages (a Map by seq); gives the message that changed, if any. */
export function applyEntry(messages, entry) {
  switch (entry.type) {
    case 'message.created': {
      const message = { ...entry.message, seq: entry.message?.seq ?? entry.seq };
      messages.set(message.seq, message);
      return message;
    }
    case 'message.edited':
    case 'message.deleted': {
      const old = messages.get(entry.targetSeq);
      if (!old) return undefined;
      const message = entry.type === 'message.edited' ? { ...old, text: entry.text, editedAt: entry.at } : { ...old, text: undefined, deletedAt: entry.at };
      messages.set(old.seq, message);
      return message;
    }
    default:
      return undefined;
  }
}

/** The words shown for a room: its title, else the other members, else the article. */
export function roomName(room, me) {
  if (room.title) return room.title;
  const others = (room.members ?? []).map((member) => member.userId).filter((id) => id !== me);
  const name = others.length ? others.join(', ') : room.roomId;
  return room.articleId ? `${name} · ${room.articleId}` : name;
}

/** One line of a text for the room list: control characters and line breaks become spaces. */
export function oneLine(text, most = 80) {
  const line = (text ?? '').replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim();
  const letters = [...line];
  return letters.length > most ? `${letters.slice(0, most).join('')}…` : line;
}
