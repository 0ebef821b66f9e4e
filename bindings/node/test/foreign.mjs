// A foreign server: its address belongs to no session.
import { once } from 'node:events';
import { createServer } from 'node:http';

export class Foreign {
  #server;
  /** What arrived: `method`, `url`, `headers`. */
  requests = [];

  static async start() {
    const foreign = new Foreign();
    foreign.#server = createServer((request, response) => {
      const { method, url, headers } = request;
      foreign.requests.push({ method, url, headers });
      // What an API says to a token that it does not want.
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"', Connection: 'close' }).end('not here');
    }).listen(0, '127.0.0.2');
    await once(foreign.#server, 'listening');
    foreign.url = `http://127.0.0.2:${foreign.#server.address().port}/elsewhere`;
    return foreign;
  }

  async stop() {
    this.#server.close();
    await once(this.#server, 'close');
  }
}
