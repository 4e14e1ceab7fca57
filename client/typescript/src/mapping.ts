// A row of /proc/PID/maps.

import { inspect } from "node:util";
import type { Vma } from "./gen/faultline/v1/inspect_pb.js";

/** A row of /proc/PID/maps: a struct vm_area_struct. Printed as Linux does. */
export class Mapping {
  /** First byte. */
  readonly start: bigint;
  /** The byte after the last. */
  readonly end: bigint;
  /** For example `"rw-p"`. */
  readonly permissions: string;
  /** Of the first byte in its file, in bytes. */
  readonly offset: bigint;
  /** Of the mapped file; 0n: none. */
  readonly inode: bigint;
  /** The file, `"[heap]"`, `"[stack]"`, `"[anon:…]"` or empty. */
  readonly name: string;
  /** VM_*. */
  readonly flags: bigint;

  constructor(vma: Vma) {
    this.start = vma.start;
    this.end = vma.end;
    this.permissions = vma.permissions;
    this.offset = vma.offset;
    this.inode = vma.inode;
    this.name = vma.name;
    this.flags = vma.flags;
  }

  /** In bytes. */
  get size(): bigint {
    return this.end - this.start;
  }

  /** `7ffff7ffb000-7ffff7ffd000 rw-p 8 kB [heap]` */
  toString(): string {
    const range = `${this.start.toString(16)}-${this.end.toString(16)}`;
    const size = `${this.size / 1024n} kB`;
    return `${range} ${this.permissions} ${size} ${this.name}`.trimEnd();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
