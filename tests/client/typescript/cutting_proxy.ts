// Stands between a client and a server and cuts every connection after some
// bytes: each a different number of them, the same for a seed.

import { type AddressInfo, connect, createServer, type Socket } from "node:net";

// Enough for the greetings of HTTP/2, and sometimes for nothing more.
const BYTES_MIN = 300;
const BYTES_SPREAD = 6000;

export class CuttingProxy {
  readonly #server = createServer((client) => this.#join(client));
  readonly #open = new Set<Socket>();
  readonly #target: { host: string; port: number };
  #random: number;
  /** How many connections were cut. */
  cuts = 0;

  constructor(target: string, seed: number) {
    const [host, port] = target.split(":");
    this.#target = { host: host!, port: Number(port) };
    this.#random = seed;
  }

  /** host:port. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) =>
      this.#server.listen(0, "127.0.0.1", resolve),
    );
    return this;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
  }

  #join(client: Socket): void {
    const server = connect(this.#target);
    const end = () => {
      client.destroy();
      server.destroy();
      this.#open.delete(client);
      this.#open.delete(server);
    };
    for (const socket of [client, server]) {
      this.#open.add(socket);
      socket.on("error", end).on("close", end);
    }
    this.#random = (this.#random * 48271) % 2147483647;
    let left = BYTES_MIN + (this.#random % BYTES_SPREAD);
    client.pipe(server);
    server.on("data", (bytes: Buffer) => {
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left > 0) return;
      this.cuts += 1;
      end();
    });
  }
}
