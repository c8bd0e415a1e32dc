package storage

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// A batch's tree is stored in tiles, so that a proof reads a few values and hashes nothing. Layer L
// holds levels 6L to 6L+5; its tile at position p holds what lies there below the node p of level
// 6L+6: 64, 32, 16, 8, 4 and 2 hashes, level by level, 4,032 bytes. The top layer's one tile is
// narrower where the tree ends below level 6L+6. All siblings of one path in a layer stand in one
// tile. Nodes over padding are stored like the others.
const tileHeight = 6

// tileWidth returns the log2 of the hashes in the lowest row of a tile, and so its count of levels.
func tileWidth(height, layer int) int { return min(tileHeight, height-tileHeight*layer) }

func tileKey(number uint64, layer int, at uint64) []byte {
	k := append(key('n', number), byte(layer))
	return binary.BigEndian.AppendUint64(k, at)
}

// writeTiles writes the tree of a batch. It is not one transaction: until the batch itself is
// stored nobody reads a tile, and a second attempt overwrites the first.
func (db *DB) writeTiles(number uint64, t proofs.Tree) error {
	wb := db.badger.NewWriteBatch()
	defer wb.Cancel()
	if err := tiles(number, t, wb.Set); err != nil {
		return err
	}
	return wb.Flush()
}

// tiles calls set with each tile of the tree of a batch and its key.
func tiles(number uint64, t proofs.Tree, set func(key, tile []byte) error) error {
	height := len(t) - 1
	for layer := 0; layer*tileHeight < height; layer++ {
		width := tileWidth(height, layer)
		base := layer * tileHeight
		count := (len(t[base]) + 1<<width - 1) >> width
		for at := range count {
			tile := make([]byte, 0, 32*(2<<width-2))
			for k := range width {
				from := at << (width - k)
				for i := from; i < from+1<<(width-k); i++ {
					h := proofs.PaddingRoot(base + k)
					if i < len(t[base+k]) {
						h = t[base+k][i]
					}
					tile = append(tile, h[:]...)
				}
			}
			if err := set(tileKey(number, layer, uint64(at)), tile); err != nil {
				return err
			}
		}
	}
	return nil
}

// Prove returns the inclusion proof of the position in the batch, read from its tiles.
func (db *DB) Prove(_ context.Context, b proofs.Batch, position uint64) ([]proofs.Hash, error) {
	if position >= b.Size {
		return nil, fmt.Errorf("prove position %d of batch %d: it has %d", position, b.Number, b.Size)
	}
	height := proofs.TreeHeight(b.Size)
	proof := make([]proofs.Hash, 0, height)
	err := db.badger.View(func(tx *badger.Txn) error {
		for layer := 0; layer*tileHeight < height; layer++ {
			width := tileWidth(height, layer)
			item, err := tx.Get(tileKey(b.Number, layer, position>>(layer*tileHeight+width)))
			if err != nil {
				return fmt.Errorf("%w: tile of layer %d: %v", errDamaged, layer, err)
			}
			err = item.Value(func(tile []byte) error {
				if len(tile) != 32*(2<<width-2) {
					return fmt.Errorf("%w: tile of layer %d has %d bytes", errDamaged, layer, len(tile))
				}
				proof = appendSiblings(proof, tile, width, position>>(layer*tileHeight))
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return proof, wrap(err, "prove position %d of batch %d", position, b.Number)
}

// appendSiblings appends the siblings of a path in a tile; position counts in the tile's lowest level.
func appendSiblings(proof []proofs.Hash, tile []byte, width int, position uint64) []proofs.Hash {
	for k := range width {
		row := 1 << (width - k)
		sibling := position>>k&uint64(row-1) ^ 1
		proof = append(proof, proofs.Hash(tile[32*sibling:][:32]))
		tile = tile[32*row:]
	}
	return proof
}
