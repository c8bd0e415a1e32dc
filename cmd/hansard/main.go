// Command hansard gives communities verifiable receipts for what was said.
//
// stdout carries the answer, as text or, with --json, as one JSON object a line; everything else goes
// to stderr. Flags may stand before and after arguments. Exit codes are in exit.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	done := make(chan int, 1)
	go func() { done <- run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr) }()
	select {
	case code := <-done:
		os.Exit(code)
	case <-ctx.Done():
	}
	select {
	case code := <-done:
		os.Exit(code)
	case <-time.After(grace):
		os.Exit(exitInterrupted) // something reads and does not look up
	}
}

// grace is how long a command may take to end after a signal: requests are drained, databases closed.
const grace = drain + 20*time.Second

// run is the whole program: it returns the exit code and touches no global state.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr)
	args, err := reorder(app, args)
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	return report(ctx, err, stderr)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:      "hansard",
		Usage:     "verifiable receipts for what was said",
		Reader:    stdin,
		Writer:    stdout,
		ErrWriter: stderr,
		// Errors are reported and turned into exit codes by run alone.
		ExitErrHandler:         func(*cli.Context, error) {},
		OnUsageError:           usageError,
		CommandNotFound:        func(*cli.Context, string) {},
		HideVersion:            true,
		HideHelpCommand:        true,
		UseShortOptionHandling: false,
		EnableBashCompletion:   true,
		Flags:                  []cli.Flag{&cli.BoolFlag{Name: "version", Usage: "print the version"}},
		Commands: []*cli.Command{
			demoCommand(), serveCommand(), sendCommand(), statusCommand(), watchCommand(), getCommand(),
			verifyCommand(), inspectCommand(), batchCommand(), importCommand(), keysCommand(), benchCommand(),
			contractsCommand(), bondCommand(), promiseCommand(), watchtowerCommand(), costCommand(), doctorCommand(),
			payloadCommand(), exportCommand(), backupCommand(), restoreCommand(), recoverCommand(), versionCommand(),
		},
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				_, err := fmt.Fprintln(c.App.Writer, "hansard", version())
				return err
			}
			if name := c.Args().First(); name != "" && name != "help" {
				return usage("unknown command %q; hansard --help lists them", name)
			}
			return cli.ShowAppHelp(c)
		},
	}
	for _, c := range app.Commands {
		finish(c)
	}
	return app
}

// finish gives a command and its subcommands what all of them share.
func finish(c *cli.Command) {
	c.OnUsageError, c.HideHelpCommand = usageError, true
	if len(c.Subcommands) == 0 || c.Action != nil {
		c.Flags = append(c.Flags,
			&cli.BoolFlag{Name: "json", Usage: "print JSON, one object a line"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print only the primary value"},
			&cli.BoolFlag{Name: "no-color", Usage: "accepted and without effect: nothing is coloured", Hidden: true},
			&cli.BoolFlag{Name: "no-input", Usage: "never ask; fail where an answer is missing"},
		)
	}
	name := c.Name
	if c.Action == nil {
		c.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("unknown command %q; hansard %s --help lists them", name+" "+c.Args().First(), name)
			}
			return cli.ShowSubcommandHelp(c)
		}
	}
	for _, sub := range c.Subcommands {
		finish(sub)
	}
}

func usageError(_ *cli.Context, err error, _ bool) error { return usage("%w", err) }

// reorder puts flags before arguments, where urfave/cli v2 looks for them: it silently drops the
// others. What follows -- stays an argument.
func reorder(app *cli.App, args []string) ([]string, error) {
	var path, flags, rest []string
	commands, takesValue := app.Commands, valueFlags(app.Commands)
	for i := 1; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case len(arg) > 1 && arg[0] == '-':
			flags = append(flags, arg)
			name := strings.TrimLeft(arg, "-")
			if !strings.Contains(name, "=") && takesValue[name] {
				if i++; i == len(args) {
					return nil, usage("flag %s needs a value", arg)
				}
				flags = append(flags, args[i])
			}
		default:
			if c := find(commands, arg); c != nil && len(rest) == 0 {
				path, commands = append(path, arg), c.Subcommands
				continue
			}
			rest = append(rest, arg)
		}
	}
	for _, f := range flags {
		if f == "-h" || f == "--help" {
			rest = nil // help is about the command, whatever it was called with
		}
	}
	out := append(append([]string{args[0]}, path...), flags...)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out, nil
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// valueFlags returns the names of all flags that take a value. A name means the same kind of flag in
// every command, which TestFlagsAgree checks.
func valueFlags(commands []*cli.Command) map[string]bool {
	names := map[string]bool{}
	for _, c := range commands {
		for _, f := range c.Flags {
			if _, isBool := f.(*cli.BoolFlag); !isBool {
				for _, n := range f.Names() {
					names[n] = true
				}
			}
		}
		for n := range valueFlags(c.Subcommands) {
			names[n] = true
		}
	}
	return names
}

// report prints the error and returns the exit code.
func report(ctx context.Context, err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "hansard: interrupted; what was acknowledged is safe")
		return exitInterrupted
	}
	var quiet *silentError
	if !errors.As(err, &quiet) {
		fmt.Fprintf(stderr, "hansard: %s\n", visible(err.Error()))
	}
	return exitCode(err)
}
