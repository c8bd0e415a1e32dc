// Package scenarios holds the tests of what a broken promise costs. It has no code of its own.
//
// Each test runs the real program against anvil. An operator, who is the build with the tag faulty (cmd/hansard/faulty.go),
// breaks a promise; a user, who has nothing but the promise's file, a key and a node, finds it with hansard promise
// check, proves it with hansard verify and takes the bond with hansard promise slash. Each is run again with the
// program as it is shipped, told to do the same: then there is nothing to find, and slashing is refused.
// TestAttacks turns it round: an honest operator, and everybody against it.
//
// docs/reliability.md lists what was tried and what was seen.
package scenarios
