package devchain

import "time"

// Step is one turn of Run.
func (c *Chain) Step() (time.Duration, error) { return c.step() }
