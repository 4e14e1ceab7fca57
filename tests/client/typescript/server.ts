// `faultline serve` as a process of its own, on a port of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Where the programs are that these tests are about. */
export const BIN = process.env.FAULTLINE_BIN ?? "build/dev/bin";

export class Server {
  #process: ChildProcess | undefined;
  #data: string | undefined;

  private constructor(
    /** host:port; the same after a restart. */
    public address: string,
  ) {}

  /** Starts one that keeps its sessions in memory, or in a directory. */
  static async start({ durable = false } = {}): Promise<Server> {
    const server = new Server("127.0.0.1:0");
    if (durable) server.#data = mkdtempSync(join(tmpdir(), "faultline-node-"));
    await server.#listen();
    return server;
  }

  async #listen(): Promise<void> {
    const data = this.#data ? join(this.#data, "data") : ":memory:";
    const child = spawn(
      join(BIN, "faultline"),
      ["serve", "--listen", this.address, "--data", data],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#process = child;
    let errors = "";
    child.stderr.on("data", (text) => (errors += text));
    for await (const line of createInterface(child.stdout)) {
      const address = /^listening on (.*)$/.exec(line)?.[1];
      if (address === undefined) continue;
      this.address = address;
      child.stdout.resume();
      return;
    }
    throw new Error(`the server does not listen: ${errors}`);
  }

  /** SIGKILL; over when it resolves. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  /** Kills it and starts it again on the same address and data. */
  async restart(): Promise<void> {
    await this.kill();
    await this.#listen();
  }

  /** Ends it and removes what it has kept. */
  async stop(): Promise<void> {
    await this.kill();
    if (this.#data) rmSync(this.#data, { recursive: true });
  }
}
