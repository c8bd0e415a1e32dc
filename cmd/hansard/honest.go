//go:build !faulty

package main

import (
	"net/http"

	"github.com/hansard-dao/hansard/api"
)

// newServer returns the server of the node's API. The build with the tag faulty has another one, that breaks
// promises for the tests of tools/scenarios.
func newServer(_ *node, _ nodeConfig, c api.Config) *http.Server { return api.NewServer(c) }
