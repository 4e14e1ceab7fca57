import * as fl from "faultline";

const lab = await fl.connect(process.argv[2]).createSession();
const { address } = await lab.mmap({
  length: 4 * fl.PAGE_SIZE,
  prot: fl.PROT_READ | fl.PROT_WRITE,
  flags: fl.MAP_PRIVATE | fl.MAP_ANONYMOUS,
});
await lab.store(address, 7);
const child = Number((await lab.fork()).value);
const { events } = await lab.store(address, 9, { pid: child });
for (const { text } of events) console.log(text);
console.log(fl.hex(address), "holds", String(await lab.load(address)));
console.log(await lab.maps({ pid: child }));
