// Package faulttest holds the tests of what anchoring survives. It has no code of its own.
//
// Each fault is a test with its name, run against anvil and against go-ethereum's simulated chain, with real nodes behind
// proxies that disturb them (package faultrpc), a real log on disk, and where the fault is a kill, a real process. After
// each, check holds what was accepted against the log and the chain: every message in exactly one batch, every batch
// anchored exactly once with the index and time of the canonical chain, every receipt finalized and verifying, no batch
// stuck, and no more spent than the caps allow.
//
// A test reports the attributes fault, chain, tried and lost; make faults prints them as a table. docs/reliability.md
// says what was measured. The variables that the tests read:
//
//	HANSARD_SEED    seed of TestCampaign, as a run logs it; default: another each time
//	HANSARD_FAULTS  how many faults TestCampaign makes, or for how long: "10000", "1m"; default: 8
//	HANSARD_MOUNT   "required": fails where no small disk can be mounted, instead of saying so
package faulttest
