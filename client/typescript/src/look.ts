// Looks into a machine: its /proc, its mappings, its pages. They change nothing
// and leave no trace in its history.

import type { MessageShape } from "@bufbuild/protobuf";
import { build, toInt64 } from "./arguments.js";
import type { Connection, RpcSettings } from "./connection.js";
import { makeError } from "./errors.js";
import type { Chunk, Heap } from "./gen/faultline/v1/heap_pb.js";
import {
  type FreeAreas,
  GetFreeAreasRequestSchema,
  GetMmRequestSchema,
  GetPageCacheRequestSchema,
  GetPageRequestSchema,
  GetVmaTreeRequestSchema,
  InspectService,
  ListChunksRequestSchema,
  ListVmasRequestSchema,
  ListZonesRequestSchema,
  type Page,
  ReadProcRequestSchema,
  VerifyMachineRequestSchema,
  WalkPageTableRequestSchema,
  type Zone,
} from "./gen/faultline/v1/inspect_pb.js";
import type {
  MmStruct,
  VmaNode,
  VmaTree,
} from "./gen/faultline/v1/mm_struct_pb.js";
import type { AddressSpace, CachedPage } from "./gen/faultline/v1/page_cache_pb.js";
import {
  GetLruRequestSchema,
  ListSwapsRequestSchema,
  type LruList,
  type LruPage,
  type SwapArea,
} from "./gen/faultline/v1/reclaim_pb.js";
import {
  ListSlabsRequestSchema,
  type SlabCache,
} from "./gen/faultline/v1/slab_pb.js";
import type { Integer } from "./integers.js";
import { Mapping } from "./mapping.js";
import { errnoName } from "./outcome.js";
import { atOneRevision, pages } from "./paging.js";

const { method } = InspectService;

// In bytes: what the server gives at a time.
const PART_MAX = 1 << 20;
// And of a file that is read without a length: /proc/1/pagemap has 256 GiB.
const WHOLE_MAX = 256n << 20n;

/** Which process is looked at. */
export interface ProcessSettings extends RpcSettings {
  /** Default: 1, the first process. */
  readonly pid?: number | undefined;
}

/** Which part of a /proc file. */
export interface PartSettings extends RpcSettings {
  /** Where to start, in bytes; default: 0. */
  readonly offset?: Integer | undefined;
  /** How many bytes at most; default: all that follow. */
  readonly length?: Integer | undefined;
}

/** The machine of a session, as it is or as it was at a revision. */
export class Look {
  constructor(
    protected readonly connection: Connection,
    /** Of the session: `"sessions/lab-1"`. */
    readonly name: string,
    /** Undefined: as it is now. */
    readonly atRevision?: bigint,
  ) {}

  /**
   * The text of a /proc file, all of it at one revision.
   * @throws NotFoundError when the simulated kernel has none of that name.
   */
  async readProc(path: string, rpc: RpcSettings = {}): Promise<string> {
    const bytes = await this.readProcBytes(path, rpc);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      const message = `${path} is not text: read it with readProcBytes`;
      throw makeError("INVALID_ARGUMENT", message);
    }
  }

  /**
   * The bytes of a /proc file, or a part of them: /proc/1/pagemap has 8 bytes
   * for each page that an address can name, 256 GiB in all.
   * @throws NotFoundError when the simulated kernel has none of that name.
   * @throws InvalidRequestError when it has more than 256 MiB and no length
   * was given.
   */
  async readProcBytes(
    path: string,
    { offset = 0n, length, ...rpc }: PartSettings = {},
  ): Promise<Uint8Array> {
    const start = toInt64(offset, "offset");
    const end =
      length === undefined ? undefined : start + toInt64(length, "length");
    return atOneRevision(() => this.#readParts(path, start, end, rpc));
  }

  async #readParts(
    path: string,
    start: bigint,
    end: bigint | undefined,
    rpc: RpcSettings,
  ): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let offset = start;
    let expectedRevision: bigint | undefined;
    while (end === undefined || offset < end) {
      const length =
        end === undefined ? PART_MAX : upTo(PART_MAX, end - offset);
      const part = await this.connection.unary(
        method.readProc,
        build(ReadProcRequestSchema, {
          ...this.#when(expectedRevision),
          path,
          offset,
          length,
        }),
        rpc,
      );
      const errno = errnoName(part.error);
      if (errno !== undefined) throw noFile(path, errno);
      parts.push(bytesOf(part.content.value));
      if (part.nextOffset === 0n) break;
      offset = part.nextOffset;
      if (end === undefined && offset - start > WHOLE_MAX) {
        const message = `${path} has more than 256 MiB: read a part of it`;
        throw makeError("INVALID_ARGUMENT", message);
      }
      expectedRevision = part.revision;
    }
    return Buffer.concat(parts);
  }

  /** The rows of /proc/PID/maps in the order of their addresses. */
  maps({ pid = 1, ...rpc }: ProcessSettings = {}): Promise<Mapping[]> {
    return atOneRevision(async () => {
      const rows: Mapping[] = [];
      let expectedRevision: bigint | undefined;
      const all = pages((pageToken) =>
        this.connection.unary(
          method.listVmas,
          build(ListVmasRequestSchema, {
            ...this.#when(expectedRevision),
            pid,
            pageToken,
          }),
          rpc,
        ),
      );
      for await (const { revision, vmas } of all) {
        rows.push(...vmas.map((vma) => new Mapping(vma)));
        expectedRevision = revision;
      }
      return rows;
    });
  }

  /** The mm_struct of a process: every field that 2.6.32 had. */
  async mm({ pid = 1, ...rpc }: ProcessSettings = {}): Promise<MmStruct> {
    const request = build(GetMmRequestSchema, { ...this.#when(), pid });
    const { mm } = await this.connection.unary(method.getMm, request, rpc);
    return mm!;
  }

  /** The red-black tree of VMAs, and its nodes by address. */
  vmaTree({ pid = 1, ...rpc }: ProcessSettings = {}): Promise<{
    tree: VmaTree;
    nodes: VmaNode[];
  }> {
    return atOneRevision(async () => {
      const nodes: VmaNode[] = [];
      let tree: VmaTree | undefined;
      let expectedRevision: bigint | undefined;
      const all = pages((pageToken) =>
        this.connection.unary(
          method.getVmaTree,
          build(GetVmaTreeRequestSchema, {
            ...this.#when(expectedRevision),
            pid,
            pageToken,
          }),
          rpc,
        ),
      );
      for await (const part of all) {
        tree = part.tree;
        nodes.push(...part.nodes);
        expectedRevision = part.revision;
      }
      return { tree: tree!, nodes };
    });
  }

  /** The heap of a process, and its chunks by address. */
  chunks({ pid = 1, ...rpc }: ProcessSettings = {}): Promise<{
    heap: Heap;
    chunks: Chunk[];
  }> {
    return atOneRevision(async () => {
      const chunks: Chunk[] = [];
      let heap: Heap | undefined;
      let expectedRevision: bigint | undefined;
      const all = pages((pageToken) =>
        this.connection.unary(
          method.listChunks,
          build(ListChunksRequestSchema, {
            ...this.#when(expectedRevision),
            pid,
            pageToken,
          }),
          rpc,
        ),
      );
      for await (const part of all) {
        heap = part.heap;
        chunks.push(...part.chunks);
        expectedRevision = part.revision;
      }
      return { heap: heap!, chunks };
    });
  }

  /**
   * The page cache of a file, by its name or its inode number, and its cached
   * pages in the order of the file.
   * @throws NotFoundError when there is no such file.
   */
  pageCache(
    file: string | Integer,
    rpc?: RpcSettings,
  ): Promise<{ mapping: AddressSpace; pages: CachedPage[] }> {
    return atOneRevision(async () => {
      const cached: CachedPage[] = [];
      let mapping: AddressSpace | undefined;
      let expectedRevision: bigint | undefined;
      const all = pages((pageToken) =>
        this.connection.unary(
          method.getPageCache,
          build(GetPageCacheRequestSchema, {
            ...this.#when(expectedRevision),
            ...(typeof file === "string" ? { path: file } : { inode: file }),
            pageToken,
          }),
          rpc,
        ),
      );
      for await (const part of all) {
        mapping = part.mapping;
        cached.push(...part.pages);
        expectedRevision = part.revision;
      }
      return { mapping: mapping!, pages: cached };
    });
  }

  /** Follows an address through the page tables; takes no fault. */
  walk(
    address: Integer,
    { pid = 1, ...rpc }: ProcessSettings = {},
  ): Promise<MessageShape<typeof method.walkPageTable.output>> {
    const request = { ...this.#when(), pid, address };
    return this.connection.unary(
      method.walkPageTable,
      build(WalkPageTableRequestSchema, request),
      rpc,
    );
  }

  /**
   * The struct page of a page frame.
   * @throws NotFoundError when there is no such frame.
   */
  async page(pfn: Integer, rpc?: RpcSettings): Promise<Page> {
    const request = build(GetPageRequestSchema, { ...this.#when(), pfn });
    const { page } = await this.connection.unary(method.getPage, request, rpc);
    return page!;
  }

  /** The zones with their sizes and watermarks, in pages. */
  async zones(rpc?: RpcSettings): Promise<Zone[]> {
    const request = build(ListZonesRequestSchema, this.#when());
    return (await this.connection.unary(method.listZones, request, rpc)).zones;
  }

  /** The caches of the slab allocator, the newest first. */
  slabs(rpc: RpcSettings = {}): Promise<SlabCache[]> {
    return atOneRevision(async () => {
      const found: SlabCache[] = [];
      let expectedRevision: bigint | undefined;
      const all = pages((pageToken) =>
        this.connection.unary(
          method.listSlabs,
          build(ListSlabsRequestSchema, {
            ...this.#when(expectedRevision),
            pageToken,
          }),
          rpc,
        ),
      );
      for await (const { revision, caches } of all) {
        found.push(...caches);
        expectedRevision = revision;
      }
      return found;
    });
  }

  /** The free blocks of each zone by order, as in /proc/buddyinfo. */
  async freeAreas(rpc?: RpcSettings): Promise<FreeAreas[]> {
    const request = build(GetFreeAreasRequestSchema, this.#when());
    const { zones } = await this.connection.unary(
      method.getFreeAreas,
      request,
      rpc,
    );
    return zones;
  }

  /**
   * The LRU lists, and the pages of one of them, for example "inactive_anon",
   * from its tail on.
   */
  lru(
    lru = "",
    rpc?: RpcSettings,
  ): Promise<{ lists: LruList[]; pages: LruPage[] }> {
    return atOneRevision(async () => {
      const found: LruPage[] = [];
      let lists: LruList[] = [];
      let expectedRevision: bigint | undefined;
      const all = pages((pageToken) =>
        this.connection.unary(
          method.getLru,
          build(GetLruRequestSchema, {
            ...this.#when(expectedRevision),
            lru,
            pageToken,
          }),
          rpc,
        ),
      );
      for await (const part of all) {
        lists = part.lists;
        found.push(...part.pages);
        expectedRevision = part.revision;
      }
      return { lists, pages: found };
    });
  }

  /** The swap areas, as /proc/swaps has them. */
  async swaps(rpc?: RpcSettings): Promise<SwapArea[]> {
    const request = build(ListSwapsRequestSchema, this.#when());
    return (await this.connection.unary(method.listSwaps, request, rpc)).areas;
  }

  /** Checks the machine's invariants: the first that is broken, or "". */
  async verifyMachine(rpc?: RpcSettings): Promise<string> {
    const request = build(VerifyMachineRequestSchema, this.#when());
    const { problem } = await this.connection.unary(
      method.verifyMachine,
      request,
      rpc,
    );
    return problem;
  }

  /** A look at the past needs no other promise to be of one moment. */
  #when(expectedRevision?: bigint) {
    const { name: session, atRevision } = this;
    return atRevision === undefined
      ? { session, expectedRevision }
      : { session, atRevision };
  }
}

function upTo(most: number, value: bigint): number {
  return value < BigInt(most) ? Number(value) : most;
}

function bytesOf(content: string | Uint8Array | undefined): Uint8Array {
  return typeof content === "string"
    ? new TextEncoder().encode(content)
    : (content ?? new Uint8Array());
}

function noFile(path: string, errno: string) {
  return makeError(
    "NOT_FOUND",
    `${path}: ${errno} (the simulated kernel has no such file or process)`,
    { reason: errno, metadata: { path } },
  );
}
