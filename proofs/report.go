package proofs

// Interval says when the message must have come to be, in what the chain proves and nobody's clock.
type Interval struct {
	NotBefore Hash   // the message is younger than this block; zero: no lower bound is proven
	NotAfter  uint64 // seconds: the time of the block with the anchor; 0: no upper bound is proven
}

// Interval returns the proven interval of the report's receipt. Evidence of a breach has none.
func (r *Report) Interval() Interval {
	var i Interval
	if r.Receipt != nil && r.Receipt.Message != nil && r.Checks[V2].Status == Pass {
		i.NotBefore = r.Receipt.Message.NotBefore
	}
	if r.Receipt != nil && r.Header != nil {
		i.NotAfter = r.Header.Time
	}
	return i
}

// Relied lists in words what the verdict rests on, for the report's trust line.
func (r *Report) Relied() []string {
	var lines []string
	if r.Checks[V8].Status == Pass {
		lines = append(lines, "the block hash that you supplied")
	}
	if r.Checks[V9].Status == Pass {
		lines = append(lines, "your trust file")
	}
	if r.Checks[V13].Status == Pass {
		lines = append(lines, "the hash of the fold's block that you supplied")
	}
	if len(lines) == 0 {
		lines = append(lines, "nothing but the file itself")
	}
	return lines
}

// NotChecked lists the ids of the checks that were skipped or could not be made.
func (r *Report) NotChecked() []string {
	var ids []string
	for _, c := range r.Checks {
		if c.Status == Skip || c.Status == Unknown {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
