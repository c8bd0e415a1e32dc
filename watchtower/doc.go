// Package watchtower watches over promises for those who hold them: it follows the logs that the promises are of, decides
// about each, keeps what batches hold for the case that the operator hides it later, and reports each breach as a file
// of evidence.
//
//	w, err := watchtower.New(watchtower.Config{Dir: "promises", Evidence: "evidence", Cache: "leaves", Nodes: q, Blocks: gateways})
//	summary := w.Round(ctx)         // once
//	err = w.Run(ctx)                // until ctx ends
//
// A round reads what is new in Dir, follows the logs to the newest block, fetches the batches that it does not hold,
// decides about the promises that something changed for, and acts as far as Config allows it to: it answers
// challenges whose proof it has, challenges what nobody shows, slashes, concludes. By default it does none of that.
//
// # What is believed
//
// Nothing that a file or its name says beyond the promise's signature; of nodes what a quorum agrees on (package nodes)
// and what the contract proves (package logbook); of gateways nothing.
//
// # After a crash
//
// What matters is the files and the chain: promises are read again, findings are made again, evidence that is there is
// left as it is. The cache is a file for each batch, whole or absent, and held against the batch's root when it is
// read. A transaction that was sent is seen on the chain. Forgotten is only since when a batch was asked for in vain.
package watchtower
