package gateway

import "time"

// SetTimeout gives each gateway that long for a block.
func SetTimeout(c *Client, d time.Duration) { c.timeout = d }
