package main

import (
	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/api"
)

// public are the reasons whose details are an error's text, with paths and hosts: these stay in the log.
var public = map[string]string{
	anchor.NodesOff: "too few nodes of the chain answer, or agree",
	anchor.SignOff:  "the signer does not sign transactions",
	anchor.Stopped:  "anchoring stopped, and its operator has to act",
	pinsMissing:     "copies of the messages are not yet in as many places as the operator wants",
	anchor.StoreOff: "what has to be written before a transaction is sent cannot be written",
}

// publicDelay returns the delay as the API tells it to anybody.
func publicDelay(d *anchor.Delay) *api.Delay {
	if d == nil {
		return nil
	}
	detail, ok := public[d.Code]
	if !ok {
		detail = d.Detail
	}
	return &api.Delay{Code: d.Code, Detail: detail, Since: d.Since, Next: d.Next}
}
