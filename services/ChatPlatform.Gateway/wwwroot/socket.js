import { reconnectDelay } from './log.js';

// The WebSocket edge, contracts §4: one connection that comes back by itself and resumes every room from the last seq seen.

const FATAL = 4401;

/**
 * Handlers: state(name), entry(entry), resumed(roomId), reset(roomId), read(frame), typing(frame), signedOut().
 * resume() gives {roomId: seq} at the moment of connecting.
 */
export class ChatSocket {
  constructor(token, resume, handlers) {
    this.token = token;
    this.resume = resume;
    this.handlers = handlers;
    this.attempt = 0;
    this.stopped = false;
    this.heartbeat = null;
  }

  start() {
    if (this.stopped) return;
    this.handlers.state('connecting');
    const url = new URL('/v1/ws', location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('access_token', this.token);
    const socket = new WebSocket(url, 'chat.v1.json');
    this.socket = socket;
    socket.onopen = () => this.send({ type: 'hello', resume: this.resume() });
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (this.socket === socket) this.closed(event.code);
    };
  }

  stop() {
    this.stopped = true;
    clearInterval(this.heartbeat);
    clearTimeout(this.timer);
    this.socket?.close(1000);
  }

  /** Sends a frame if the connection is up; a lost read or typing frame does no harm. */
  send(frame) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  receive(frame) {
    switch (frame.type) {
      case 'welcome':
        this.attempt = 0;
        this.handlers.state('online');
        clearInterval(this.heartbeat);
        this.heartbeat = setInterval(() => this.send({ type: 'ping' }), (frame.heartbeatSeconds || 25) * 900);
        break;
      case 'entry': this.handlers.entry(frame.entry); break;
      case 'resumed': this.handlers.resumed(frame.roomId); break;
      case 'reset': this.handlers.reset(frame.roomId); break;
      case 'read': this.handlers.read(frame); break;
      case 'typing': this.handlers.typing(frame); break;
      case 'draining':
        this.again(frame.retryAfterMs ?? 0);
        break;
      default: break;
    }
  }

  closed(code) {
    clearInterval(this.heartbeat);
    if (this.stopped) return;
    this.handlers.state('offline');
    if (code === FATAL) {
      this.stopped = true;
      this.handlers.signedOut();
      return;
    }
    this.again(reconnectDelay(this.attempt++));
  }

  /** Leaves the present connection, if any, and opens another after the delay. */
  again(delay) {
    clearTimeout(this.timer);
    const old = this.socket;
    this.timer = setTimeout(() => {
      this.start();
      old?.close(1000);
    }, delay);
  }
}
