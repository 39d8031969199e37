package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Pages of the ledger.
const (
	pageCharged   = "charged"
	pagePublished = "published"
	pageEnded     = "ended"
)

// ledger is where steps have their effects outside of Baton: an entry on a page for each
// run. An attempt that runs twice writes the same entry twice.
type ledger struct{ directory string }

func (l ledger) path(page, run string) (string, error) {
	if run == "" || strings.ContainsAny(run, `/\.`) {
		return "", fmt.Errorf("%q is no id of a run", run)
	}
	return filepath.Join(l.directory, page, run+".json"), nil
}

func (l ledger) put(page, run string, entry any) error {
	path, err := l.path(page, run)
	if err != nil {
		return err
	}
	content, err := json.Marshal(entry)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o750)
	}
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return nil
}

// remove takes an entry back; one that is not there is no error.
func (l ledger) remove(page, run string) error {
	path, err := l.path(page, run)
	if err != nil {
		return err
	}
	if err = os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return nil
}

// count is how many entries a page has.
func (l ledger) count(page string) int {
	entries, err := os.ReadDir(filepath.Join(l.directory, page))
	if err != nil {
		return 0 // Nothing was written yet.
	}
	return len(entries)
}
