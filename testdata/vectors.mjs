// Holds verify.mjs to the golden vectors: node testdata/verify.mjs --vectors DIR. Manifests are decoded by
// @ipld/dag-cbor and named by multiformats; everything in them is derived again from the records.
import { readFileSync, readdirSync } from "node:fs";
import * as dagCBOR from "@ipld/dag-cbor";
import { concat, getBytes, hexlify, keccak256, sha256, toBeHex } from "ethers";
import { CID } from "multiformats/cid";
import { create as digestOf } from "multiformats/hashes/digest";
import { verifyEvidence } from "./evidence.mjs";
import * as v from "./verify.mjs";

const ZERO = toBeHex(0, 32);
const MAX_CHUNK = 262144;
const ENTRY_TYPEHASH = keccak256(new TextEncoder().encode("Entry(bytes32 log,uint64 index,bytes32 room,uint64 roomIndex,bytes32 roomPrev,bytes32 message,bytes32 author,uint8 vouch,bytes32 evidence,uint64 receivedAt)"));
const need = (holds, otherwise) => { if (!holds) throw new Error(otherwise); };
const utf8 = (s) => new TextEncoder().encode(s);
const unbase64 = (s) => new Uint8Array(Buffer.from(s, "base64"));
const word = (n) => toBeHex(BigInt(n), 32);

/** A row of a vector that must be refused: f throws if it is. A TypeError would be a fault of ours. */
function refused(why, f) {
  try { f(); } catch (err) { return [`bad: ${why}`, err.name, err.name === "SyntaxError" ? err.name : "Error"]; }
  return [`bad: ${why}`, "accepted", "refused"];
}
const some = (list, what) => { need(list?.length > 0, `no ${what}`); return list; };
const readMessage = (json) => v.readMessage(v.parseJSON(utf8(JSON.stringify(json))), "message");

/** Section 4: the entry in leafData; throws unless that is 11 words of the right type and widths. */
export function parseLeafData(hex) {
  need(/^0x[0-9a-f]{704}$/.test(hex), "leafData is not 352 bytes");
  const words = hex.slice(2).match(/.{64}/g).map((w) => `0x${w}`);
  need(words[0] === ENTRY_TYPEHASH, "leafData is of another type");
  const uint = (i, bits) => { need(BigInt(words[i]) >> bits === 0n, `word ${i} of leafData is too large`); return BigInt(words[i]); };
  const [, log, , room, , roomPrev, message, author, , evidence] = words;
  return { log, index: uint(2, 64n), room, roomIndex: uint(4, 64n), roomPrev, message, author, vouch: Number(uint(8, 8n)), evidence, receivedAt: uint(10, 64n) };
}

function messages({ cases, bad, badEvidence }) {
  const signer = ({ id, author, scheme, evidence }) => {
    need(scheme !== "none" || evidence === "", "evidence of nobody");
    if (scheme === "none") return "";
    const got = v.recover({ eip712: id, eip191: v.personalDigest(id) }[scheme], unbase64(evidence));
    need(got === author, "the signature is not the author's");
    return got;
  };
  return [
    ...some(cases, "messages").map(({ chain, message, scheme, evidence, ...want }, i) => {
      const m = readMessage(message);
      const id = v.messageId(chain, m);
      return [`case ${i}`, [id, v.roomTag(m.room), v.authorCommitment(m.salt, m.author), signer({ id, author: m.author, scheme, evidence })],
        [want.id, want.roomTag, want.authorCommitment, want.signer]];
    }),
    ...some(bad, "bad messages").map(({ why, message }) => refused(why, () => readMessage(message))),
    ...some(badEvidence, "bad evidence").map(({ why, ...b }) => refused(why, () => signer(b)))];
}

function tree({ trees, large, bad }) {
  const holds = ({ leaf, position, size, root, proof }) => need(v.inclusionRoot(leaf, position, size, proof) === root, "not the root");
  return [
    ...some(trees, "trees").flatMap(({ size, leafHashes, root, proofs }) => [
      [`size ${size}`, [leafHashes.length, proofs.length, v.rootOf(leafHashes)], [Number(size), Number(size), root]],
      ...proofs.map((proof, i) => [`leaf ${i} of ${size}`, v.inclusionRoot(leafHashes[i], i, size, proof), root])]),
    ...some(large, "large trees").map((l) => [`leaf ${l.position} of ${l.size}`, v.inclusionRoot(l.leaf, l.position, l.size, l.proof), l.root]),
    ...some(bad, "bad proofs").map((b) => refused(`${b.why}, ${b.position} of ${b.size}`, () => holds(b)))];
}

function range({ batches, peaks, paths, bad }) {
  const row = (count) => v.rangePeaks(batches.slice(0, count).map(v.batchHash));
  const holds = ({ hash, number, count, peaks, path }) =>
    need(v.rangePeak(hash, number, count, path) === peaks[v.rangeHeight(number, count)], "not the peak");
  return [
    ...some(batches, "batches").map((b) => [`batch ${b.number}`, v.batchHash(b), b.hash]),
    ...some(peaks, "peaks").map((want, count) => [`peaks of ${count}`, row(count), want]),
    ...some(paths, "paths").map(({ count, number, path }) => [`path of ${number} in ${count}`,
      v.rangePeak(v.batchHash(batches[number]), number, count, path), row(count)[v.rangeHeight(number, count)]]),
    ...some(bad, "bad paths").flatMap((b) => [
      [`bad: peaks of ${b.count}`, row(Number(b.count)), b.peaks],
      refused(`${b.why}, ${b.number} of ${b.count}`, () => holds(b))])];
}

function promises({ cases, bad }) {
  const rows = ({ chain, digest, signature, signer, why, ...promise }, i) => [
    [`case ${i}`, v.promiseDigest(chain, promise), digest],
    why === undefined ? [`case ${i}`, v.recover(digest, signature), signer]
      : refused(why, () => need(v.recover(digest, signature) === signer, "another signer"))];
  return [...some(cases, "promises"), ...some(bad, "bad promises")].flatMap(rows);
}

const cidOf = (block) => CID.createV1(dagCBOR.code, digestOf(0x12, getBytes(sha256(block))));

/** Section 7: a block by another decoder, which must write the same bytes again. */
function decode(block) {
  const value = dagCBOR.decode(block);
  need(Buffer.from(dagCBOR.encode(value)).equals(block), "the block is not the one encoding of its value");
  return value;
}

/** The message of a record with its bytes as hex. */
const plain = (message) => Object.fromEntries(Object.entries(message).map(([key, f]) => [key, f instanceof Uint8Array ? hexlify(f) : f]));

/** Section 2 and 4: what the entry says of the message and the evidence of its record. */
function checkRecord(chain, { leaf, message, scheme, evidence }) {
  const entry = parseLeafData(hexlify(leaf));
  need((message === null) === (evidence === null), "message and evidence are not null together");
  need(typeof scheme === "string" && hexlify(leaf) === v.leafData(entry), "the record is malformed");
  if (message) {
    const m = plain(message);
    readMessage({ ...m, sentAt: String(m.sentAt) });
    need(m.log === chain.log && entry.log === chain.log, "the log is another");
    need(v.messageId(chain, m) === entry.message, "the message is not the entry's");
    need(v.roomTag(m.room) === entry.room && v.authorCommitment(m.salt, m.author) === entry.author, "room or author is not the entry's");
    need(sha256(evidence) === entry.evidence, "the evidence is not the entry's");
  }
  return entry;
}

/** The room heads of entries in index order, sorted by tag. */
function headsOf(entries) {
  const heads = new Map();
  for (const e of entries) {
    const head = heads.get(e.room) ?? { room: e.room, first: e.roomIndex, count: 0n };
    need(e.roomIndex === head.first + head.count, "a room index is left out");
    need(head.head === undefined || e.roomPrev === head.head, "roomPrev is not the leaf before");
    heads.set(e.room, { ...head, count: head.count + 1n, head: v.leafOf(e) });
  }
  return [...heads.values()].sort((a, b) => (a.room < b.room ? -1 : 1));
}

function manifest({ cases }) {
  return some(cases, "manifests").flatMap((c, i) => {
    const [block, chunks] = [unbase64(c.manifest), c.chunks.map(unbase64)];
    const m = decode(block);
    const records = chunks.map(decode);
    const entries = records.flat().map((r) => checkRecord(c.chain, r));
    const heads = headsOf(entries);
    const roomRoot = v.rootOf(heads.map((h) => keccak256(concat(["0x00", h.room, word(h.first), word(h.count), h.head]))));
    const first = records.map((chunk) => dagCBOR.encode(chunk[0]).length);
    const flat = (hs) => hs.map((h) => [h.room, h.first, h.count, h.head].map((f) => (f instanceof Uint8Array ? hexlify(f) : String(f))));
    return [
      [`case ${i}: CIDs`, [cidOf(block), m.chunks, m.prev], [c.cid, chunks.map(cidOf), c.prev]],
      [`case ${i}: numbers`, [m.v, m.number, m.first, m.size, hexlify(m.log)], [1, c.number, c.first, c.size, c.chain.log]],
      [`case ${i}: indexes`, entries.map((e) => e.index), Array.from({ length: Number(c.size) }, (_, k) => BigInt(c.first) + BigInt(k))],
      [`case ${i}: root`, [v.rootOf(entries.map(v.leafOf)), hexlify(m.root)], [c.root, c.root]],
      [`case ${i}: rooms`, [roomRoot, hexlify(m.rooms.root), flat(m.rooms.heads)], [c.roomRoot, c.roomRoot, flat(heads)]],
      [`case ${i}: chunks are full`, chunks.map((b, k) => b.length <= MAX_CHUNK && (k === chunks.length - 1 || b.length + first[k + 1] > MAX_CHUNK)), chunks.map(() => true)],
    ];
  }).concat([
    ["batch 1 follows batch 0", [cases[1].prev, cases[1].first], [cases[0].cid, cases[0].size]],
    ["a batch of several chunks", cases.some((c) => c.chunks.length > 1), true],
    ["an erased payload", cases.some((c) => c.chunks.some((b) => dagCBOR.decode(unbase64(b)).some((r) => r.message === null))), true]]);
}

function heads({ cases }) {
  return some(cases, "heads").flatMap(({ leafData, leaf, block, cid, ...head }) => {
    const [bytes, chain] = [unbase64(block), head];
    const { v: version, peaks, ...fields } = decode(bytes);
    const { peaks: want, ...flat } = head;
    const text = (f) => (f instanceof Uint8Array ? hexlify(f) : String(f));
    return [[`leaf of ${head.batches}`, [v.headData(chain, head), v.headLeaf(chain, head)], [leafData, leaf]],
      [`block of ${head.batches}`, [cidOf(bytes), version, ...peaks.map(text)], [cid, 1, ...want]],
      [`fields of ${head.batches}`, Object.keys(flat).map((key) => text(fields[key])).concat(Object.keys(fields).length), Object.values(flat).concat(Object.keys(flat).length)]];
  });
}

function trust({ cases, bad }) {
  const bytes = ({ text, item, times }) => utf8(item ? text.replace("*", () => Array(times).fill(item).join(",")) : text);
  return [
    ...some(cases, "trust files").map((c, i) => {
      const { logs } = v.parseTrust(bytes(c));
      return [`case ${i}`, [logs.length, logs.at(-1)?.promiseKeys.length ?? 0], [c.logs, c.keys]];
    }),
    ...some(bad, "bad trust files").map((b) => refused(b.why, () => v.parseTrust(bytes(b))))];
}

/** Files in a folder, and what every verifier must say of them. */
const judged = (folder, judge) => ({ cases }, dir) => some(cases, folder).map(({ name, file, trust, checks, verdict, exit, ...input }) => {
  const read = (path) => readFileSync(`${dir}/../${folder}/${path}`);
  const got = judge(read(file), { ...input, trust: trust ? v.parseTrust(read(trust)) : null });
  const status = Object.fromEntries(got.checks.map((c) => [c.id, c.status]));
  return [name, [got.verdict, got.exit, ...Object.keys(checks).map((id) => `${id} ${status[id]}`)],
    [verdict, exit, ...Object.entries(checks).map((pair) => pair.join(" "))]];
});

/** Rows [name, got, want] of each file. */
const VECTORS = {
  "tree.json": tree, "range.json": range, "messages.json": messages, "promises.json": promises, "manifest.json": manifest, "heads.json": heads, "trust.json": trust,
  "entries.json": ({ cases, bad }) => [
    ...some(cases, "entries").map(({ entry, ...want }, i) => [`case ${i}`, [v.leafData(entry), v.leafOf(entry), v.leafData(parseLeafData(want.leafData))],
      [want.leafData, want.leaf, want.leafData]]),
    ...some(bad, "bad leafData").map(({ why, leafData }) => refused(why, () => parseLeafData(leafData)))],
  "receipts.json": judged("receipts", v.verify),
  "evidence.json": judged("evidence", verifyEvidence),
};

/** Compares the vectors of one file; returns their number, or throws at the first that differs. */
export function compare(file, vectors, dir) {
  const compared = VECTORS[file](vectors, dir);
  for (const [name, got, want] of compared) need(`${got}` === `${want}`, `${file}: ${name}: got ${got}, want ${want}`);
  return compared.length;
}

/** Compares every vector in the directory. */
export function run(dir) {
  let count = 0;
  for (const file of Object.keys(VECTORS)) {
    const agree = compare(file, JSON.parse(readFileSync(`${dir}/${file}`, "utf8")), dir);
    console.log(`${file}: ${agree} agree`);
    count += agree;
  }
  const other = readdirSync(dir).filter((file) => file.endsWith(".json") && !VECTORS[file]);
  console.log(`${count} vectors agree; not for this verifier: ${other.join(", ") || "none"}`);
}
