package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/urfave/cli/v2"
)

var ansi = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// go-ethereum's internal/flags, which the development chain brings in, replaces the library's global
// help style by geth's in its own init, with colours on a terminal.
func init() {
	cli.AppHelpTemplate = ansi.ReplaceAllString(cli.AppHelpTemplate, "")
	cli.FlagStringer = flagText
	cli.HelpFlag.(*cli.BoolFlag).Category = ""
}

var placeholder = regexp.MustCompile("`([^`]*)`")

// flagText is a flag in --help: its names, the placeholder that its usage has in backquotes, and its
// usage with the default and the environment variables.
func flagText(f cli.Flag) string {
	d := f.(cli.DocGenerationFlag)
	usage, value := d.GetUsage(), ""
	if d.TakesValue() {
		value = "VALUE"
		if found := placeholder.FindStringSubmatch(usage); found != nil {
			value = found[1]
		}
		if text := d.GetDefaultText(); text != "" {
			usage += " (default: " + strings.ReplaceAll(text, `"`, "") + ")"
		}
	}
	for _, name := range d.GetEnvVars() {
		usage += " [$" + name + "]"
	}
	return fmt.Sprintf("%s\t%s", cli.FlagNamePrefixer(d.Names(), value), placeholder.ReplaceAllString(usage, "$1"))
}
