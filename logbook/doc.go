// Package logbook holds a log's batches as the chain proves them.
//
// Events are leads and no facts: any node may invent one or leave one out. What a [Book] holds was put into a
// mountain range whose peaks are those of the contract, read at one block from enough nodes. So every field of
// every batch is the contract's word, its time too, whoever named it.
//
//	book, err := logbook.New(logbook.Config{Nodes: q, Log: chain, FromBlock: opened})
//	err = book.Refresh(ctx)                    // to the newest block
//	b, ok := book.BatchOf(index)               // the batch over an entry
//	path := book.Path(b.Number)                // for AnchorLog's contains and includes, at book.Head()
//	anchor, err := book.Freeze(ctx, b.Number)  // header and receipt proof
//
// Only Tx and Block of an [Anchored] are leads still: Freeze proves them. TestFollow holds every path against
// the contract; TestLies and TestReorg disturb the nodes and the chain.
package logbook
