package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// options are what the demo can be told.
type options struct {
	folder string
	baton  string
	lease  time.Duration
	listen string
	once   bool
	quiet  bool
	out    io.Writer
}

// say prints a line for whoever watches.
func (o *options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.out, format+"\n", args...)
}

const usage = `baton-demo [flags] [FOLDER]

Answers questions about the .md and .txt files of FOLDER (default: the current
directory) with a workflow over a cluster of three nodes and eight workers, each a
process of its own, and a web page to ask on. With OPENAI_BASE_URL set (and OPENAI_API_KEY,
OPENAI_MODEL) that model writes the answers; without, they are quotations.

`

func parseOptions(args []string) (*options, error) {
	o := &options{out: os.Stdout}
	flags := flag.NewFlagSet("baton-demo", flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.once, "once", false, "ask a fixed set of questions without a browser, decide reviews, kill a worker and a node on the way, check, exit")
	flags.StringVar(&o.baton, "baton", "", "the baton binary (default: the one beside this one)")
	flags.DurationVar(&o.lease, "lease", 2*time.Second, "how long a job may be without a sign of life of its worker")
	flags.StringVar(&o.listen, "listen", "127.0.0.1:7780", "where the web page is served; another port is taken when it is not free")
	flags.BoolVar(&o.quiet, "no-browser", false, "do not open a browser")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() > 1 {
		return nil, fmt.Errorf("%w: one folder, not %d", errUsage, flags.NArg())
	}
	return o, o.complete(flags.Arg(0))
}

// complete finds the folder and the binary.
func (o *options) complete(folder string) error {
	if folder == "" {
		folder = "."
	}
	var err error
	if o.folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	if info, err := os.Stat(o.folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%w: %s is not a folder", errUsage, folder)
	}
	if o.baton == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.baton = filepath.Join(filepath.Dir(self), "baton")
	}
	if _, err := os.Stat(o.baton); err != nil {
		return fmt.Errorf("%w: there is no baton binary at %s: build it (make build) or name it with --baton", errUsage, o.baton)
	}
	return nil
}

// demoCommand is baton-demo without a verb.
func demoCommand(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if err = o.describeFolder(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	f, err := startFleet(ctx, o)
	if err != nil {
		return err
	}
	defer f.stop()
	if o.once {
		if err = runOnce(ctx, o, f); err != nil {
			return errors.Join(err, f.explain())
		}
		o.say("done in %v", time.Since(begin).Round(time.Millisecond))
		return nil
	}
	return runPage(ctx, o, f)
}

func (o *options) describeFolder() error {
	documents, skipped, err := scanFolder(o.folder)
	if err != nil {
		return err
	}
	for _, line := range skipped {
		o.say("left out: %s", line)
	}
	if len(documents) == 0 {
		return fmt.Errorf("%w: there is no .md or .txt file in %s", errUsage, o.folder)
	}
	o.say("%d documents in %s", len(documents), o.folder)
	if m := modelFromEnvironment(); m != nil {
		o.say("answers are written by %s at %s", m.name, m.url)
	} else {
		o.say("answers are quotations; set OPENAI_BASE_URL to have a model write them")
	}
	return nil
}
