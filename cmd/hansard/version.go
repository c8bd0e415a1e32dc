package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:   "version",
		Usage:  "print the version, the formats and the contract's address",
		Action: runVersion,
	}
}

// version returns the module's version as the Go toolchain stamped it.
func version() string { return buildOf().Version }

// versionLine is hansard.version/1.
type versionLine struct {
	Schema        string         `json:"schema"`
	Version       string         `json:"version"`
	Revision      string         `json:"revision,omitempty"`
	Modified      bool           `json:"modified"` // built from files that differ from the revision
	Go            string         `json:"go"`
	Platform      string         `json:"platform"`
	ReceiptFormat string         `json:"receiptFormat"`
	AnchorLog     proofs.Address `json:"anchorLog"`
	PromiseBond   proofs.Address `json:"promiseBond"`  // of that AnchorLog
	CgoSecp256k1  bool           `json:"cgoSecp256k1"` // signatures are checked by libsecp256k1
}

func buildOf() versionLine {
	l := versionLine{
		Schema: "hansard.version/1", Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		ReceiptFormat: proofs.MediaType, AnchorLog: anchor.ContractAddress(), PromiseBond: bond.Address(anchor.ContractAddress()),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return l
	}
	l.Version = cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			l.Revision = s.Value
		case "vcs.modified":
			l.Modified = s.Value == "true"
		case "CGO_ENABLED":
			l.CgoSecp256k1 = s.Value == "1"
		}
	}
	return l
}

func runVersion(c *cli.Context) error {
	if c.Args().Present() {
		return usage("version takes no argument")
	}
	l, w := buildOf(), c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, l)
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(w, l.Version)
		return err
	}
	secp := "pure Go"
	if l.CgoSecp256k1 {
		secp = "libsecp256k1 (cgo)"
	}
	revision := cmp.Or(l.Revision, "unknown")
	if l.Modified {
		revision += ", modified"
	}
	fmt.Fprintf(w, "hansard %s\n", l.Version)
	for _, f := range [][2]string{
		{"revision", revision}, {"go", l.Go + " " + l.Platform}, {"receipts", l.ReceiptFormat},
		{"contract", l.AnchorLog.String() + " (AnchorLog, on every chain)"},
		{"bond", l.PromiseBond.String() + " (PromiseBond, on every chain)"}, {"secp256k1", secp},
	} {
		if _, err := fmt.Fprintf(w, "  %-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}
