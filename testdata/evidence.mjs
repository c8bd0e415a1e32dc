// Verifies evidence of a breach offline: section 11 of docs/receipt-v1.md, written from that page alone, with the
// readers, hashes and proofs of verify.mjs, which runs it. V1 to V13 are the section's checks.
import { hexlify, keccak256 } from "ethers";
import { H, inclusionRoot, isBytes, MAX_FILE, need, parseJSON, parseRLP, pass, promiseDigest, proveAnchor, readers, readHeader, recover, show, skip,
  trieLookup, trieValue, trustedLog, U64, unknown, VERDICTS, when, word } from "./verify.mjs";

const EMPTY_TRIE = keccak256("0x80");
const NO_CODE = keccak256("0x");
const { object, list, optional, constant, field, base64, u64, h32, CHAIN, PROMISE_FIELDS, BATCH, FROZEN } = readers;
const nodes = (min) => list(min, 64, base64(1, MAX_FILE));
const ANCHORED = { batch: BATCH, anchor: FROZEN };
/** What each breach has beside format, breach, chain, promise and hints. */
const BREACHES = {
  conflict: { second: object({ leaf: h32, ...PROMISE_FIELDS }) },
  substitution: { leaf: h32, inclusion: list(0, 32, h32), ...ANCHORED },
  missed: { head: object({ blockNumber: u64, blockHash: h32, header: base64(1, 16384), account: nodes(1), storage: nodes(0) }) },
  late: ANCHORED,
  withheld: ANCHORED,
};

/** Whether a file says that it is evidence. */
export function isEvidence(bytes) {
  try { return parseJSON(bytes).get("format") === "hansard-evidence/1"; } catch { return false; }
}

/** V1: the typed evidence in a file, or an error that says what and where. */
export function parseEvidence(bytes) {
  need(bytes.length <= MAX_FILE, `the file has more than ${MAX_FILE} bytes`);
  const root = parseJSON(bytes);
  const breach = root.get("breach");
  need(typeof breach === "string" && Object.hasOwn(BREACHES, breach), "breach is missing or unknown");
  const e = object({
    format: constant("hansard-evidence/1"), breach: constant(breach), chain: object(CHAIN),
    promise: object({ index: u64, leaf: h32, ...PROMISE_FIELDS }), hints: optional(field((v) => v instanceof Map, "an object")), ...BREACHES[breach],
  })(root, "evidence");
  need(!e.batch || (e.batch.size > 0n && e.batch.first + e.batch.size < U64), "the batch's size is zero or first + size too large");
  return e;
}

const number = (item) => BigInt(item.length ? hexlify(item) : 0);

/** V7 of missed: the time of the block, and how many messages the log held after it. */
export function proveHead({ chain, head }) {
  const header = readHeader(head);
  need(header[11].length <= 8 && header[11][0] !== 0, "the header's time is malformed");
  need(isBytes(header[3], 32), "the header's state root is malformed");
  const account = parseRLP(trieValue(hexlify(header[3]), keccak256(chain.anchorLog), head.account));
  need(Array.isArray(account) && account.length === 4 && account.every((f) => isBytes(f)), "the account is malformed");
  const [nonce, balance, storageRoot, code] = account;
  need(nonce.length <= 8 && nonce[0] !== 0 && balance.length <= 32 && isBytes(storageRoot, 32) && isBytes(code, 32), "the account is malformed");
  need(hexlify(code) !== NO_CODE, "there is no contract");
  return { time: number(header[11]), messages: headWord(hexlify(storageRoot), keccak256(H(chain.log, word(0))), head.storage) >> 192n };
}

/** The word of a slot under a storage root, zero where it is absent. */
function headWord(root, key, storage) {
  if (root === EMPTY_TRIE && storage.length === 0) return 0n;
  const value = trieLookup(root, key, storage);
  if (!value) return 0n;
  const item = parseRLP(value);
  need(isBytes(item) && item.length >= 1 && item.length <= 32 && item[0] !== 0, "the slot's word is malformed");
  return number(item);
}

const noBlock = skip("a conflict needs no block");
const noMessage = () => skip("evidence of a breach holds no message");
const CHECKS = {
  "V1 format": ({ breach }) => pass(`hansard-evidence/1, ${breach}`),
  "V2 content": noMessage, "V3 author": noMessage, "V4 gate": noMessage,
  "V5 inclusion": ({ breach, promise: { index, leaf: promised }, batch, leaf, inclusion }) => {
    if (!batch) return skip("what stands at the index plays no part");
    need(index >= batch.first && index - batch.first < batch.size, `index ${index} is not in batch ${batch.number}`);
    if (breach !== "substitution") return pass(`index ${index} is in batch ${batch.number}`);
    need(inclusionRoot(leaf, index - batch.first, batch.size, inclusion) === batch.root, "leaf and siblings do not give batch.root");
    need(leaf !== promised, "the promised leaf stands there");
    return pass(`${leaf} stands at index ${index}`);
  },
  "V6 order": noMessage,
  "V7 anchor": (e, _, done) => {
    if (e.breach === "conflict") return noBlock;
    if (e.breach !== "missed") {
      proveAnchor(e);
      return pass(`log ${e.anchor.logIndex} of transaction ${e.anchor.txIndex} in block ${e.anchor.blockNumber}`);
    }
    done.held = proveHead(e);
    return pass(`the log holds ${done.held.messages} messages at ${when(done.held.time)}`);
  },
  "V8 block": ({ anchor, head }, { blockHash }) => {
    if (!anchor && !head) return noBlock;
    const hash = keccak256((anchor ?? head).header);
    if (!blockHash) return unknown(`no block hash was given; block ${(anchor ?? head).blockNumber} must have ${hash}`);
    need(hash === blockHash, `the block is ${hash}, not the one given`);
    return pass("the block's hash is the one given");
  },
  "V9 trusted": (e, input) => {
    if (!input.trust) return unknown("no trust file was given");
    need(trustedLog(e, input), "the trust file does not name this log");
    return pass(`${show(trustedLog(e, input).name)} in the trust file`);
  },
  "V10 finality": ({ breach }, _, done) => {
    if (breach === "conflict") return noBlock;
    return done.V8.status === "pass" ? pass("you vouch for the block whose hash you gave") : unknown("nobody vouched for the block");
  },
  "V11 payload": noMessage,
  "V12 promise": checkPromise,
  "V13 fold": noMessage,
};

function checkPromise(e, input, done) {
  const { breach, promise, second, batch } = e;
  const log = trustedLog(e, input);
  for (const p of second ? [promise, { ...second, index: promise.index }] : [promise]) {
    const signer = recover(promiseDigest(e.chain, p), p.signature);
    need(!log || log.promiseKeys.includes(signer), `${signer} is not a promise key of the log`);
  }
  if (done.V5.status === "fail" || !["pass", "skip"].includes(done.V7.status)) return unknown("V5 and V7 must hold to tell");
  need(breach !== "conflict" || promise.leaf !== second.leaf, "no breach: both promise the same leaf");
  need(breach !== "missed" || done.held.time > promise.deadline, "no breach: the deadline was not over");
  need(breach !== "missed" || done.held.messages <= promise.index, "no breach: the log had reached the index");
  need(breach !== "late" || batch.time > promise.deadline, "no breach: the batch is in time");
  need(breach !== "withheld" || batch.time <= promise.deadline, "no breach of this kind: the batch is late");
  if (!log) return unknown("no trusted log says whether the key counts");
  if (breach === "withheld") return unknown("nobody can show that data is not there: challenge it");
  return { status: "fail", detail: `broken: ${breach}`, broken: true };
}

function exitOf(done, expected) {
  const any = (status, ...ids) => ids.some((id) => done[id].status === status);
  if (any("fail", "V1", "V5", "V7", "V8") || (any("fail", "V12") && !done.V12.broken)) return 10;
  if (any("fail", "V9")) return 13;
  return any("unknown", "V8", "V9", "V10", "V12") || expected.length > 0 ? 12 : 14;
}

/** Section 11 for the bytes of one file, as verify in verify.mjs for section 10. */
export function verifyEvidence(bytes, input = {}) {
  let [evidence, done] = [undefined, {}];
  const checks = Object.entries(CHECKS).map(([title, check]) => {
    const [id, name] = title.split(" ");
    try {
      if (id === "V1") evidence = parseEvidence(bytes);
      done[id] = evidence ? check(evidence, input, done) : skip("the file is malformed");
    } catch (err) {
      done[id] = { status: "fail", detail: show(err.message) };
    }
    return { id, name, status: done[id].status, detail: done[id].detail };
  });
  const wanted = evidence ? [["author", input.expectAuthor], ["room", input.expectRoom], ["fold", input.foldBlockHash]].filter(([, want]) => want) : [];
  const expected = wanted.map(([name, want]) => ({ id: "--", name, status: "unknown", detail: `expected ${show(want)}; evidence names none` }));
  const exit = exitOf(done, expected);
  return { verdict: VERDICTS.get(exit), exit, breach: evidence?.breach ?? "", checks, expected, ending: [] };
}
