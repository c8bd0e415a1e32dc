// Verifies Hansard receipts offline: a second implementation, written from docs/receipt-v1.md alone. Evidence of a
// breach, section 11, is for evidence.mjs.
// It shares nothing with the Go code; hashes and curve arithmetic come from ethers. "Section" means a
// section of that page, V1 to V13 its checks. Hashes, addresses and keys are lower-case 0x hex,
// integers BigInt (exported functions take decimal strings too), other bytes Uint8Array.
// Usage: node testdata/verify.mjs --vectors DIR, or
//   node testdata/verify.mjs FILE... [--trust FILE] [--block-hash H] [--fold-block-hash H] [--expect-author A] [--expect-room R] [--json]
// Exit codes are the verdicts of section 10; 2 is a usage error or an unreadable input, 1 a vector that differs.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { concat, encodeRlp, hexlify, keccak256, recoverAddress, sha256, toBeArray, toBeHex, toUtf8Bytes, zeroPadValue } from "ethers";

const ZERO = toBeHex(0, 32);
export const [MAX_FILE, MAX_DEPTH, U32, U64] = [1 << 20, 32, 1n << 32n, 1n << 64n];
const CURVE_N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
export const need = (holds, otherwise) => { if (!holds) throw new Error(otherwise); };
export const H = (...parts) => keccak256(concat(parts));
const hashText = (s) => keccak256(toUtf8Bytes(s));
export const word = (n) => toBeHex(BigInt(n), 32);
/** Text of a file made safe for a terminal: all but printable ASCII is escaped. */
export const show = (s) => s.slice(0, 300).replace(/[^ -~]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);

/** Sections 2, 4 and 8: what is hashed and signed. */
const MESSAGE_TYPE = "Message(bytes32 log,string room,string author,uint64 sentAt,string kind,string body,string[] attachments,string source,bytes32 replyTo,bytes32 replaces,bytes32 seen,bytes32 notBefore,bytes32 salt)";
const ENTRY_TYPE = "Entry(bytes32 log,uint64 index,bytes32 room,uint64 roomIndex,bytes32 roomPrev,bytes32 message,bytes32 author,uint8 vouch,bytes32 evidence,uint64 receivedAt)";
const PROMISE_TYPE = "Promise(bytes32 log,uint256 index,bytes32 leaf,uint256 deadline,address beneficiary)";
const HEAD_TYPE = "Head(uint256 chainId,address anchorLog,bytes32 log,uint256 batches,uint256 messages,bytes32 peaks,uint256 blockNumber,bytes32 blockHash)";
const DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const ANCHORED = hashText("Anchored(bytes32,uint256,bytes32,uint256,uint256,bytes32)");
const typedDigest = (chainId, contract, structHash) => H("0x1901",
  H(hashText(DOMAIN_TYPE), hashText("Hansard"), hashText("1"), word(chainId), zeroPadValue(contract, 32)), structHash);
/** The id of a message in the domain of chain {chainId, anchorLog}. */
export const messageId = (chain, m) => typedDigest(chain.chainId, chain.anchorLog, H(
  hashText(MESSAGE_TYPE), m.log, hashText(m.room), hashText(m.author), word(m.sentAt), hashText(m.kind), hashText(m.body),
  H(...m.attachments.map(hashText)), hashText(m.source), m.replyTo, m.replaces, m.seen, m.notBefore, m.salt));
/** The digest of a promise {index, leaf, deadline, beneficiary} for chain {chainId, promiseBond, log}. */
export const promiseDigest = (chain, p) => typedDigest(chain.chainId, chain.promiseBond, H(
  hashText(PROMISE_TYPE), chain.log, word(p.index), p.leaf, word(p.deadline), zeroPadValue(p.beneficiary, 32)));
/** What an entry says of a message's room and author. */
export const roomTag = hashText;
export const authorCommitment = (salt, author) => H(salt, toUtf8Bytes(author));
/** Section 4: the 352 bytes under an entry's leaf, and the leaf. */
export const leafData = (e) => concat([hashText(ENTRY_TYPE), e.log, word(e.index), e.room, word(e.roomIndex),
  e.roomPrev, e.message, e.author, word(e.vouch), e.evidence, word(e.receivedAt)]);
export const leafOf = (e) => H("0x00", leafData(e));
/** The digest that personal_sign signs for a message id: its text is always 74 bytes. */
export const personalDigest = (id) => hashText(`\x19Ethereum Signed Message:\n74hansard:${id}`);

/** Section 3: the lower-case address that signed digest; throws unless signature is 65 bytes of plain low-s ECDSA. */
export function recover(digest, signature) {
  const hex = hexlify(signature);
  need(hex.length === 2 + 2 * 65, "the signature is not 65 bytes");
  const [r, s, v] = [hex.slice(0, 66), "0x" + hex.slice(66, 130), parseInt(hex.slice(130), 16)];
  need(v === 27 || v === 28, "the signature's v is not 27 or 28");
  need(BigInt(r) > 0n && BigInt(r) < CURVE_N, "the signature's r is zero or not below n");
  need(BigInt(s) > 0n && BigInt(s) <= CURVE_N / 2n, "the signature's s is zero or above n/2");
  return recoverAddress(digest, { r, s, v }).toLowerCase();
}

const node = (left, right) => H("0x01", left, right);
const bitLength = (n) => (n === 0n ? 0 : n.toString(2).length);
const hasBit = (n, k) => ((BigInt(n) >> BigInt(k)) & 1n) === 1n;
function climb(hash, index, siblings, height) {
  need(siblings.length === height, `${siblings.length} siblings, not ${height}`);
  return siblings.reduce((at, sibling, k) => (hasBit(index, k) ? node(sibling, at) : node(at, sibling)), hash);
}

/** Section 5: the root over one or more leaf hashes; the lowest row is padded with zero hashes to a power of two. */
export function rootOf(leafHashes) {
  need(leafHashes.length > 0, "a tree has at least one leaf");
  let row = [...leafHashes];
  while (row.length & (row.length - 1)) row.push(ZERO);
  while (row.length > 1) row = row.flatMap((left, i) => (i % 2 ? [] : [node(left, row[i + 1])]));
  return row[0];
}

/** Root that a leaf hash at index of a tree of size leaves gives with its siblings, lowest first. */
export function inclusionRoot(leafHash, index, size, siblings) {
  need(BigInt(size) < U32, `a tree of ${size} leaves is too large`);
  need(BigInt(index) >= 0n && BigInt(index) < BigInt(size), `position ${index} is outside a tree of ${size}`);
  return climb(leafHash, index, siblings, bitLength(BigInt(size) - 1n));
}

/** Section 6: the hash of a batch {number, root, first, size, time, cid}. */
export const batchHash = (b) => H("0x00", word(b.number), b.root, word(b.first), word(b.size), word(b.time), b.cid);
/** Height of the peak over batch number after count batches. */
export function rangeHeight(number, count) {
  need(BigInt(number) >= 0n && BigInt(number) < BigInt(count), `batch ${number} is not among ${count}`);
  return bitLength(BigInt(number) ^ BigInt(count)) - 1;
}
/** Peak that a batch hash gives with its path; to be compared with the peak at rangeHeight(number, count). */
export const rangePeak = (hash, number, count, path) => climb(hash, number, path, rangeHeight(number, count));
/** Peaks by height over n batch hashes: where bit h of n is set, a tree of 2^h; else the zero hash. */
export const rangePeaks = (hashes) => Array.from({ length: bitLength(BigInt(hashes.length)) }, (_, h) => {
  const end = (hashes.length >> h) << h;
  return hasBit(hashes.length, h) ? rootOf(hashes.slice(end - 2 ** h, end)) : ZERO;
});

const setBits = (n) => BigInt(n).toString(2).replaceAll("0", "").length;
/** Section 6: the 288 bytes under the leaf of a head {batches, messages, peaks, blockNumber, blockHash} of chain {chainId, anchorLog, log}. */
export const headData = (chain, head) => concat([hashText(HEAD_TYPE), word(chain.chainId), zeroPadValue(chain.anchorLog, 32), chain.log,
  word(head.batches), word(head.messages), H(...head.peaks), word(head.blockNumber), head.blockHash]);
export const headLeaf = (chain, head) => H("0x00", headData(chain, head));

/** Section 9, rules 1 to 3: one JSON object from bytes; an object becomes a Map, a number {token}, so that no spelling is lost. */
export function parseJSON(bytes) {
  const source = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  need(/^\{[^]*\}\n?$/.test(source), "the file is not an object and at most one line feed");
  let at = 0;
  const next = (sticky, what) => {
    sticky.lastIndex = at;
    const token = sticky.exec(source)?.[0] ?? "";
    need(token || !what, `character ${at}: expected ${what}`);
    for (at += token.length; " \t\n\r".includes(source[at] ?? "end"); at++);
    return token;
  };
  const string = () => {
    const s = JSON.parse(next(/"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*"/y, "a string"));
    need(s.isWellFormed(), `character ${at}: half a surrogate pair before it`);
    return s;
  };
  const value = (depth) => {
    const open = next(/[[{]/y);
    need(!open || depth <= MAX_DEPTH, `character ${at}: nested more than ${MAX_DEPTH} deep`);
    if (open === "[") {
      const items = [];
      if (!next(/\]/y)) do items.push(value(depth + 1)); while (next(/[,\]]/y, ", or ]") === ",");
      return items;
    }
    if (open === "{") {
      const members = new Map();
      if (!next(/\}/y)) do {
        const key = string();
        need(!members.has(key), `character ${at}: repeated key ${key}`);
        next(/:/y, ":");
        members.set(key, value(depth + 1));
      } while (next(/[,}]/y, ", or }") === ",");
      return members;
    }
    if (source[at] === '"') return string();
    const token = next(/true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y, "a value");
    return /[tfn]/.test(token[0]) ? JSON.parse(token) : { token };
  };
  const root = value(1);
  need(at === source.length, `character ${at}: more than one object`);
  return root;
}

/** A reader of section 9: turns a parsed value into a typed one or throws; `at` is its path for the message. */
const field = (fits, what, typed = (v) => v) => (v, at) => {
  need(fits(v), `${at} is missing or not ${what}`);
  return typed(v);
};
const string = (fits, what, typed) => field((v) => typeof v === "string" && fits(v), what, typed);
const constant = (only) => string((s) => s === only, `"${only}"`);
const hex = (n) => string((s) => s.length === 2 + 2 * n && /^0x[0-9a-f]*$/.test(s), `${n} bytes of lower-case hex`);
const uint = (limit) => string((s) => /^(0|[1-9][0-9]{0,19})$/.test(s) && BigInt(s) < limit, `a decimal string below ${limit}`, BigInt);
const number = (limit) => field((v) => /^(0|[1-9][0-9]{0,9})$/.test(v?.token) && v.token < limit, `a plain number below ${limit}`, (v) => Number(v.token));
const unbase64 = (s) => new Uint8Array(Buffer.from(s, "base64"));
const base64 = (min, max) => string((s) => Buffer.from(s, "base64").toString("base64") === s
  && unbase64(s).length >= min && unbase64(s).length <= max, `canonical base64 of ${min} to ${max} bytes`, unbase64);
const nullable = (read) => (v, at) => (v === null ? null : read(v, at));
const optional = (read) => (v, at) => (v === undefined ? undefined : read(v, at));
const list = (min, max, read) => (v, at) => field((l) => Array.isArray(l) && l.length >= min && l.length <= max,
  `a list of ${min} to ${max}`)(v, at).map((item, i) => read(item, `${at}[${i}]`));
const object = (fields) => (v, at) => {
  need(v instanceof Map, `${at} is missing or not an object`);
  for (const key of v.keys()) need(Object.hasOwn(fields, key), `${at} has an unknown key ${key}`);
  return Object.fromEntries(Object.entries(fields).map(([key, read]) => [key, read(v.get(key), `${at}.${key}`)]));
};
const upTo = (max) => (s) => Buffer.byteLength(s) <= max;

/** Section 1: a CIDv1; base32 without spare characters or bits, shortest varints, exact digest length. */
export function isCID(s) {
  if (s.length > 128 || !/^b[a-z2-7]+$/.test(s)) return false;
  const bits = Array.from(s.slice(1), (c) => "abcdefghijklmnopqrstuvwxyz234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  if (!/^([01]{8})+0{0,4}$/.test(bits)) return false;
  const bytes = bits.match(/[01]{8}/g).map((b) => parseInt(b, 2));
  const varint = () => {
    const length = bytes.findIndex((b) => b < 0x80) + 1;
    if (length === 0 || length > 9 || (length > 1 && bytes[length - 1] === 0)) return -1n;
    return bytes.splice(0, length).reduceRight((n, b) => (n << 7n) | BigInt(b & 0x7f), 0n);
  };
  const [version, codec, hash, digest] = [varint(), varint(), varint(), varint()];
  return version === 1n && codec >= 0n && hash >= 0n && digest === BigInt(bytes.length);
}

const KNOWN_KIND = /^(governance\.proposal|tx\.confirmation|nft\.transfer|defi\.alert|call\.receipt|edit|retract)$/;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;
const LEVELS = ["promised", "included", "finalized"];
const [h20, h32, u64, indexInBlock] = [hex(20), hex(32), uint(U64), number(2 ** 32)];
const CHAIN = { chainId: u64, anchorLog: h20, promiseBond: h20, log: h32 };
/** Sections 1 and 2: the typed message in a parsed object, or an error. */
export const readMessage = object({
  log: h32, sentAt: u64, replyTo: h32, replaces: h32, seen: h32, notBefore: h32, salt: h32,
  room: string((s) => /^[a-z0-9._/-]{1,128}$/.test(s), "a room"),
  author: string((s) => upTo(256)(s) && /^(0x[0-9a-f]{40}$|[a-z][a-z0-9+.-]*:.)/s.test(s), "an author"),
  kind: string((s) => upTo(128)(s) && (KNOWN_KIND.test(s) || MEDIA_TYPE.test(s)), "a kind"),
  body: string(upTo(65536), "text of at most 65536 bytes"),
  attachments: list(0, 64, string(isCID, "a CID")),
  source: string((s) => s === "" || (upTo(2048)(s) && /^[a-z][a-z0-9+.-]*:/.test(s)), "empty or a URI"),
});
const AUTHORSHIP = object({ evidence: base64(0, 65536), block: optional(object({ number: u64, hash: h32 })),
  scheme: string((s) => /^[a-z0-9:._-]{1,64}$/.test(s), "a scheme") });
const CLASS = field((v) => /^[1-6]$/.test(v?.token), "a class from 1 to 6", (v) => Number(v.token));
const ENTRY = object({ log: h32, index: u64, room: h32, roomIndex: u64, roomPrev: h32, message: h32, author: h32,
  vouch: CLASS, evidence: h32, receivedAt: u64 });
const PROMISE_FIELDS = { deadline: u64, beneficiary: h20, signature: hex(65) };
const PROMISE = object(PROMISE_FIELDS);
const BATCH = object({ number: uint(U32), root: h32, first: u64, size: uint(U32), time: u64, cid: h32 });
const ANCHOR = { blockNumber: u64, blockHash: h32, txIndex: indexInBlock, logIndex: indexInBlock };
const PROOF = { header: base64(1, 16384), proof: list(1, 64, base64(1, MAX_FILE)) };
const FOLD = object({ chain: object({ chainId: u64, anchorLog: h20, log: h32 }), path: list(0, 31, h32), batch: BATCH, anchor: object({ ...ANCHOR, ...PROOF }),
  head: object({ batches: uint(U32), messages: u64, peaks: list(0, 32, h32), blockNumber: u64, blockHash: h32 }) });

/** The readers of section 9, for evidence.mjs. */
export const readers = { object, list, optional, constant, field, base64, hex, u64, h20, h32, CHAIN, PROMISE_FIELDS, BATCH, FROZEN: object({ ...ANCHOR, ...PROOF }) };

/** V1: the typed receipt in a file, or an error that says what and where. */
export function parseReceipt(bytes) {
  need(bytes.length <= MAX_FILE, `the file has more than ${MAX_FILE} bytes`);
  const root = parseJSON(bytes);
  const level = LEVELS.indexOf(root.get("level"));
  need(level >= 0, "level is missing or unknown");
  const r = object({
    format: constant("hansard-receipt/1"), level: constant(LEVELS[level]), chain: object(CHAIN),
    message: nullable(readMessage), authorship: nullable(AUTHORSHIP), entry: ENTRY,
    promise: level > 0 ? optional(PROMISE) : PROMISE, hints: optional(field((v) => v instanceof Map, "an object")),
    ...(level > 0 && { batch: BATCH, inclusion: list(0, 32, h32), anchor: object({ ...ANCHOR, ...(level > 1 && PROOF) }) }),
    ...(level > 1 && { fold: optional(FOLD) }),
  })(root, "receipt");
  need((r.message === null) === (r.authorship === null), "message and authorship are not null together");
  need([r.entry, r.message ?? r.entry].every(({ log }) => log === r.chain.log), "the logs of chain, message and entry differ");
  need(!r.authorship?.block || /^(eip1271|erc6492)$/.test(r.authorship.scheme), "authorship.block stands with a scheme that has none");
  for (const b of [r.batch, r.fold?.batch]) need(!b || (b.size > 0n && b.first + b.size < U64), "a batch's size is zero or first + size too large");
  return r;
}

/** The trust file {format, logs} in bytes, or an error. */
export function parseTrust(bytes) {
  need(bytes.length <= MAX_FILE, `the trust file has more than ${MAX_FILE} bytes`);
  return object({
    format: constant("hansard-trust/1"),
    logs: list(0, 1024, object({ name: string(() => true, "text"), ...CHAIN, promiseKeys: list(0, 1024, h20) })),
  })(parseJSON(bytes), "trust");
}

/** V7: the one canonical RLP item that bytes are; a Uint8Array, or an Array with its length when encoded. */
export function parseRLP(bytes) {
  const item = (start, depth) => {
    need(start < bytes.length, "RLP ends early");
    if (bytes[start] < 0x80) return [bytes.subarray(start, start + 1), start + 1];
    const isList = bytes[start] >= 0xc0;
    let [at, length] = [start + 1, bytes[start] - (isList ? 0xc0 : 0x80)];
    if (length > 55) {
      const digits = bytes.subarray(at, (at += length - 55));
      length = digits.reduce((n, d) => n * 256 + d, 0);
      need(digits[0] !== 0 && length > 55, "an RLP length is not the shortest");
    }
    const end = at + length;
    need(isList || length !== 1 || bytes[at] >= 0x80, "an RLP byte is not the shortest");
    if (!isList) return [bytes.subarray(at, end), end];
    need(depth <= MAX_DEPTH, "RLP is nested too deep");
    const items = Object.assign([], { encoded: end - start });
    while (at < end) [items[items.length], at] = item(at, depth + 1);
    need(at === end, "an RLP item ends after its list");
    return [items, end];
  };
  const [value, end] = item(0, 1);
  need(end === bytes.length, "bytes after the RLP item");
  return value;
}

export const isBytes = (item, length = item.length) => !Array.isArray(item) && item.length === length;
const isChild = (item) => (Array.isArray(item) ? item.encoded < 32 : item.length === 32);
const isInteger = (item, n) => item.length <= 8 && item[0] !== 0 && BigInt(item.length && hexlify(item)) === n;

/** V7.3: the value under a hex key of the trie with this root; the nodes serve strictly in order, all of them. */
export function trieValue(root, key, proof) {
  const value = trieLookup(root, key, proof);
  need(value, "the key is absent");
  return value;
}

/** The same, or null where the nodes show that a trie, whose keys have one length, does not hold the key. */
export function trieLookup(root, key, proof) {
  let [used, path] = [0, key.slice(2)];
  const load = (hash) => {
    need(used < proof.length, "the proof ends early");
    need(keccak256(proof[used]) === hash, `proof node ${used} is not the one asked for`);
    need(used === 0 || proof[used].length >= 32, `proof node ${used} should be embedded`);
    return parseRLP(proof[used++]);
  };
  const value = (found) => {
    need(isBytes(found) && found.length > 0 && used === proof.length, "the key is absent or the proof has surplus nodes");
    return found;
  };
  const absent = () => {
    need(used === proof.length, "the proof has surplus nodes");
    return null;
  };
  for (let at = load(root), child; ; at = Array.isArray(child) ? child : load(hexlify(child))) {
    need(Array.isArray(at) && (at.length === 17 || at.length === 2), "a trie node has neither 17 items nor two");
    if (at.length === 17) {
      need(at.slice(0, 16).every((c) => isChild(c) || isBytes(c, 0)) && isBytes(at[16]), "a branch is malformed");
      if (path === "") return value(at[16]);
      [child, path] = [at[parseInt(path[0], 16)], path.slice(1)];
      if (isBytes(child, 0)) return absent();
    } else {
      const [, even, odd, nibbles] = /^0x(?:([02])0|([13]))([0-9a-f]*)$/.exec(isBytes(at[0]) ? hexlify(at[0]) : "") ?? [];
      need(nibbles !== undefined, "a hex-prefix path is malformed");
      const isLeaf = (even ?? odd) > 1;
      need(isLeaf ? nibbles.length === path.length : nibbles.length <= path.length, "the key is absent, and of another length");
      need(isLeaf ? isBytes(at[1]) && at[1].length > 0 : nibbles !== "" && isChild(at[1]), "a leaf or an extension is malformed");
      if (!path.startsWith(nibbles)) return absent();
      if (isLeaf) return value(at[1]);
      [child, path] = [at[1], path.slice(nibbles.length)];
    }
  }
}

/** V7.1 and V7.2: the fields of a header {header, blockHash, blockNumber}, or an error. */
export function readHeader({ header: raw, blockHash, blockNumber }) {
  need(keccak256(raw) === blockHash, "the header does not hash to blockHash");
  const header = parseRLP(raw);
  need(Array.isArray(header) && header.length >= 15 && header.length <= 64 && header.every((f) => isBytes(f)) && isBytes(header[5], 32), "the header is malformed");
  need(isInteger(header[8], blockNumber), "the header's number is not blockNumber");
  return header;
}

/** V7 at "finalized": the batch's event stands in the block of the header, or an error. */
export function proveAnchor({ chain, batch, anchor }) {
  const header = readHeader(anchor);
  need(isInteger(header[11], batch.time), "the header's time is not batch.time");
  const value = trieValue(hexlify(header[5]), encodeRlp(toBeArray(anchor.txIndex)), anchor.proof);
  const txReceipt = parseRLP(value[0] < 0x80 ? value.subarray(1) : value);
  need(Array.isArray(txReceipt) && txReceipt.length === 4, "the transaction receipt is not a list of four");
  const [status, gas, bloom, logs] = txReceipt;
  need(isBytes(status) && isBytes(gas) && isBytes(bloom, 256) && Array.isArray(logs) && logs.length <= 65536, "the transaction receipt is malformed");
  need(hexlify(status) === "0x01", "the transaction did not succeed");
  need(Array.isArray(logs[anchor.logIndex]) && logs[anchor.logIndex].length === 3, "the transaction receipt has no such log");
  const [address, topics, data] = logs[anchor.logIndex];
  const equals = (item, want) => isBytes(item) && hexlify(item) === want;
  const wanted = [ANCHORED, chain.log, word(batch.number)];
  need(equals(address, chain.anchorLog), "the log is not of chain.anchorLog");
  need(Array.isArray(topics) && topics.length === 3 && wanted.every((want, i) => equals(topics[i], want)), "the log's topics are not this batch's");
  need(equals(data, concat([batch.root, word(batch.first), word(batch.size), batch.cid])), "the log's data is not this batch's");
}

/** V13: the other log named a head that holds the receipt's batch; what is open there leaves the first anchor as it is. */
function checkFold({ chain, batch, anchor, fold }, { trust, foldBlockHash }) {
  if (!fold) return skip("the receipt carries none");
  const { head, path } = fold;
  need(head.batches > 0n && head.messages >= head.batches, "the head's counts contradict each other");
  need(head.peaks.length === setBits(head.batches), `the head has ${head.peaks.length} peaks, not ${setBits(head.batches)}`);
  need(fold.chain.chainId !== chain.chainId, "the fold is on the log's own chain");
  const height = rangeHeight(batch.number, head.batches);
  const [later, rest] = [head.batches - 1n - batch.number, head.messages - batch.first - batch.size];
  need(later <= rest && rest <= later * (U32 - 1n), "the head's counts do not fit the batch");
  need(anchor.blockNumber < head.blockNumber || (anchor.blockNumber === head.blockNumber && anchor.blockHash === head.blockHash), "the batch's block is not at or below the head's");
  need(fold.batch.size === 1n && fold.batch.root === headLeaf(chain, head), "the fold's batch is not the head");
  const peak = head.peaks[setBits(head.batches >> BigInt(height + 1))];
  need(rangePeak(batchHash(batch), batch.number, head.batches, path) === peak, "batch and path do not give a peak of the head");
  proveAnchor(fold);
  const [hash, number] = [fold.anchor.blockHash, fold.anchor.blockNumber];
  need(!foldBlockHash || foldBlockHash === hash, `the fold's block is ${hash}, not the one given`);
  const says = `the batch is among ${head.batches} that log ${fold.chain.log} of chain ${fold.chain.chainId} named`;
  if (!trust) return unknown(`${says}; no trust file was given`);
  if (!trust.logs.some((log) => Object.keys(fold.chain).every((key) => log[key] === fold.chain[key]))) return unknown(`${says}; the trust file does not name that log`);
  if (!foldBlockHash) return unknown(`${says}; no hash of the fold's block was given: block ${number} must have ${hash}`);
  return pass(`${says} no later than ${when(fold.batch.time)}, in block ${number}, whose hash you gave`);
}

/** A check of section 10 returns pass, skip or unknown with the reason, and fails by throwing it. */
export const [pass, skip, unknown] = ["pass", "skip", "unknown"].map((status) => (detail) => ({ status, detail }));
const VOUCH = new Map(Object.entries({ eip712: [1], eip191: [1], session: [2], eip1271: [3], erc6492: [3], "webhook:": [5], none: [6],
  atproto: [1, 2, 4], farcaster: [1, 2, 4], nostr: [1, 2, 4], matrix: [1, 2, 4] }));
export const when = (seconds) => (seconds < 1n << 37n ? new Date(Number(seconds) * 1000).toISOString() : `${seconds} s`);
export const trustedLog = ({ chain }, { trust }) => trust?.logs.find((log) => Object.keys(CHAIN).every((key) => log[key] === chain[key]));
const CHECKS = {
  "V1 format": ({ level }) => pass(`hansard-receipt/1, ${level}`),
  "V2 content": ({ chain, message, entry }) => {
    if (!message) return skip("not disclosed");
    need(messageId(chain, message) === entry.message, "the message is not the one of the entry");
    need(roomTag(message.room) === entry.room, "the room is not the one of the entry");
    need(authorCommitment(message.salt, message.author) === entry.author, "the author is not the one of the entry");
    return pass(entry.message);
  },
  "V3 author": ({ message, authorship, entry }) => {
    if (!authorship) return skip("not disclosed");
    const { scheme, evidence } = authorship;
    need(sha256(evidence) === entry.evidence, "the evidence is not the one of the entry");
    const classes = VOUCH.get(scheme.replace(/^webhook:.*/, "webhook:")) ?? [1, 2, 3, 4, 5, 6];
    need(classes.includes(entry.vouch), `vouch ${entry.vouch} is impossible for ${scheme}`);
    need(scheme !== "none" || evidence.length === 0, "scheme none has evidence");
    if (scheme === "none") return pass("class 6: recorded as seen, nobody vouches for the author");
    if (scheme !== "eip712" && scheme !== "eip191") return unknown(`scheme ${scheme} is not checked by this verifier`);
    const signed = scheme === "eip712" ? entry.message : personalDigest(entry.message);
    need(recover(signed, evidence) === message.author, "the signature is not the author's");
    return pass(`class 1, ${scheme} signature of ${message.author}`);
  },
  "V4 gate": () => skip("version 1 receipts name no gate"),
  "V5 inclusion": ({ level, entry, batch, inclusion }) => {
    if (level === "promised") return skip("not in a batch yet");
    const position = entry.index - batch.first;
    need(inclusionRoot(leafOf(entry), position, batch.size, inclusion) === batch.root, "leaf and siblings do not give batch.root");
    return pass(`leaf ${position} of ${batch.size} in batch ${batch.number}, ${inclusion.length} siblings`);
  },
  "V6 order": ({ entry }) => {
    need((entry.roomPrev === ZERO) === (entry.roomIndex === 0n), "roomPrev and roomIndex disagree on the room's first entry");
    need(entry.roomIndex <= entry.index, "roomIndex is above index");
    return skip("no neighbour was given to compare with");
  },
  "V7 anchor": (r) => {
    if (r.level === "promised") return skip("not anchored yet");
    if (r.level === "included") return unknown("the file holds no proof before finality");
    proveAnchor(r);
    const { txIndex, logIndex, blockNumber, proof } = r.anchor;
    return pass(`log ${logIndex} of transaction ${txIndex} in block ${blockNumber}, ${proof.length} proof nodes`);
  },
  "V8 block": ({ level, anchor }, { blockHash }) => {
    if (level === "promised") return skip("not anchored yet");
    const hash = level === "finalized" ? keccak256(anchor.header) : anchor.blockHash;
    if (!blockHash) return unknown(`no block hash was given; block ${anchor.blockNumber} must have ${hash}`);
    need(hash === blockHash, `the block is ${hash}, not the one given`);
    return pass("the block's hash is the one given");
  },
  "V9 trusted": (r, input) => {
    if (!input.trust) return unknown("no trust file was given");
    need(trustedLog(r, input), "the trust file does not name this log");
    return pass(`${show(trustedLog(r, input).name)} in the trust file`);
  },
  "V10 finality": ({ level }, _, done) => (level === "finalized" && done.V8.status === "pass"
    ? pass("you vouch for the block whose hash you gave") : unknown("nobody vouched for the block")),
  "V11 payload": () => skip("no payload was given"),
  "V12 promise": (r, input, done) => {
    if (!r.promise) return skip("the file holds no promise");
    const signer = recover(promiseDigest(r.chain, { ...r.promise, index: r.entry.index, leaf: leafOf(r.entry) }), r.promise.signature);
    const log = trustedLog(r, input);
    if (!log) return unknown(`signed by ${signer}; no trusted log says whether that key counts`);
    need(log.promiseKeys.includes(signer), `${signer} is not a promise key of the log`);
    if (r.level !== "finalized") return pass(`open until ${when(r.promise.deadline)}`);
    if (done.V7.status !== "pass") return unknown("genuine; without an anchor nobody can say whether it was kept");
    const spare = r.promise.deadline - r.batch.time;
    return spare < 0n ? { status: "fail", detail: `broken, ${-spare} s late`, broken: true } : pass(`kept, ${spare} s to spare`);
  },
  "V13 fold": checkFold,
};
const WORDS = { pass: "PASS", fail: "FAIL", skip: "SKIP", unknown: "????" };
/** The verdicts by exit code, the worst first. */
export const VERDICTS = new Map([[10, "INVALID"], [13, "MISMATCH"], [12, "UNDETERMINED"], [11, "NOT FINAL"], [14, "PROMISE BROKEN"], [0, "VALID"]]);

/** The expectations as checks of their own. The tag tells a room even where nothing is disclosed. */
function checkExpected({ message, entry }, { expectAuthor, expectRoom, foldBlockHash }, { V13 }) {
  const author = /^0x[0-9a-f]{40}$/i.test(expectAuthor) ? expectAuthor.toLowerCase() : expectAuthor;
  const row = (name, want, status) => (want ? [{ id: "--", name, status, detail: `expected ${show(want)}` }] : []);
  return [...row("author", author, !message ? "unknown" : message.author !== author ? "fail" : entry.vouch >= 5 ? "unknown" : "pass"),
    ...row("room", expectRoom, entry.room === roomTag(expectRoom ?? "") ? "pass" : "fail"),
    ...row("fold", foldBlockHash, V13.status === "skip" ? "fail" : V13.status)];
}

function exitOf(level, done, expected) {
  const any = (status, ...ids) => ids.some((id) => done[id].status === status);
  const wanted = (status) => expected.some((check) => check.status === status);
  if (any("fail", "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V10", "V11", "V13", done.V12.broken ? "V1" : "V12")) return 10;
  if (any("fail", "V9") || wanted("fail")) return 13;
  if (level !== "finalized") return 11;
  if (any("unknown", "V3", "V7", "V8", "V9", "V10") || wanted("unknown")) return 12;
  return done.V12.broken ? 14 : 0;
}

/** The interval that was proven and the trust it rests on, one line each. */
function ending(r, done) {
  const passed = (...ids) => ids.every((id) => done[id].status === "pass");
  const after = passed("V2") && r.message.notBefore !== ZERO && `younger than block ${r.message.notBefore}`;
  const before = passed("V5", "V7") && `no later than ${when(r.batch.time)}, the time of block ${r.anchor.blockNumber}`;
  const basis = [passed("V8") && "the block hash you gave", passed("V9") && "your trust file", passed("V13") && "the hash of the fold's block you gave"].filter(Boolean);
  const open = Object.keys(done).filter((id) => done[id].status === "skip" || done[id].status === "unknown");
  return [`Proven interval: ${[after, before].filter(Boolean).join("; ") || "none"}.`,
    `Relied on: ${basis.join("; ") || "nothing but the file"}. Not checked: ${open.join(", ")}.`];
}

/** Section 10 for the bytes of one file; input holds, each optional, trust (parseTrust), blockHash, foldBlockHash, expectAuthor, expectRoom. */
export function verify(bytes, input = {}) {
  let [receipt, done] = [undefined, {}];
  const checks = Object.entries(CHECKS).map(([title, check]) => {
    const [id, name] = title.split(" ");
    try {
      if (id === "V1") receipt = parseReceipt(bytes);
      done[id] = receipt ? check(receipt, input, done) : skip("the file is malformed");
    } catch (err) {
      done[id] = { status: "fail", detail: show(err.message) };
    }
    return { id, name, status: done[id].status, detail: done[id].detail };
  });
  const expected = receipt ? checkExpected(receipt, input, done) : [];
  const exit = exitOf(receipt?.level, done, expected);
  return { verdict: VERDICTS.get(exit), exit, level: receipt?.level ?? "", checks, expected, ending: ending(receipt, done) };
}

async function main() {
  const [text, flag] = [{ type: "string" }, { type: "boolean" }];
  const { values, positionals: files } = parseArgs({ allowPositionals: true, options:
    { trust: text, "block-hash": text, "fold-block-hash": text, "expect-author": text, "expect-room": text, vectors: text, json: flag } });
  need(!Object.values(values).includes(""), "an option is empty");
  need(!values.vectors === files.length > 0, "give receipt files, or --vectors DIR and none");
  if (values.vectors) return (await import("./vectors.mjs")).run(values.vectors);
  const [blockHash, foldBlockHash] = ["block-hash", "fold-block-hash"].map((name) => {
    need(values[name] === undefined || /^0x[0-9a-f]{64}$/i.test(values[name]), `--${name} is not 32 bytes of hex`);
    return values[name]?.toLowerCase();
  });
  const trust = values.trust && parseTrust(readFileSync(values.trust));
  const { isEvidence, verifyEvidence } = await import("./evidence.mjs");
  const exits = files.map((file) => {
    const bytes = statSync(file).size > MAX_FILE ? new Uint8Array(MAX_FILE + 1) : readFileSync(file);
    const { expected, ending, ...result } = (isEvidence(bytes) ? verifyEvidence : verify)(bytes, { trust, blockHash, foldBlockHash, expectAuthor: values["expect-author"], expectRoom: values["expect-room"] });
    const lines = [...result.checks, ...expected].map((c) => `${c.id.padEnd(3)} ${c.name.padEnd(9)} ${WORDS[c.status]} ${c.detail}`);
    console.log(values.json ? JSON.stringify({ file, ...result })
      : [show(file), ...lines, `${result.verdict} (exit ${result.exit})`, ...ending].join("\n"));
    return result.exit;
  });
  return [...VERDICTS.keys()].find((exit) => exits.includes(exit));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().then((exit) => { process.exitCode = exit; }, (err) => {
    process.exitCode = process.argv.includes("--vectors") ? 1 : 2;
    console.error(show(err.message));
  });
}
