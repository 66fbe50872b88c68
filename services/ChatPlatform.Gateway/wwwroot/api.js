// The REST edge, contracts §3: everything is same-origin, errors are problem+json.

export class ApiError extends Error {
  constructor(status, code, title, retryAfterMs) {
    super(title || code || `HTTP ${status}`);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** True when the same request may succeed a moment later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export class Api {
  constructor(token = null) {
    this.token = token;
  }

  signIn(userId, name) {
    return this.call('POST', '/dev/token', { userId, name: name || userId });
  }

  rooms(cursor) {
    return this.call('GET', `/v1/rooms?limit=50${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
  }

  room(roomId) {
    return this.call('GET', `/v1/rooms/${encodeURIComponent(roomId)}`);
  }

  openRoom(room) {
    return this.call('POST', '/v1/rooms', room);
  }

  messages(roomId, before) {
    return this.call('GET', `/v1/rooms/${encodeURIComponent(roomId)}/messages?limit=50${before ? `&before=${before}` : ''}`);
  }

  log(roomId, after) {
    return this.call('GET', `/v1/rooms/${encodeURIComponent(roomId)}/log?after=${after}&limit=100`);
  }

  send(roomId, clientMessageId, text) {
    return this.call('POST', `/v1/rooms/${encodeURIComponent(roomId)}/messages`, { clientMessageId, kind: 'text', text });
  }

  read(roomId, seq) {
    return this.call('PUT', `/v1/rooms/${encodeURIComponent(roomId)}/read`, { seq });
  }

  async call(method, path, body) {
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(15_000) });
    } catch (error) {
      throw new ApiError(0, 'offline', error.message);
    }
    const json = answer.headers.get('content-type')?.includes('json') ? await answer.json() : undefined;
    if (!answer.ok) throw new ApiError(answer.status, json?.code, json?.title, 1000 * Number(answer.headers.get('retry-after') || 0));
    return json;
  }
}
