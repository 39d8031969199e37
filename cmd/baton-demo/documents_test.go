package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSplitDocument cuts at headings and keeps code together.
func TestSplitDocument(t *testing.T) {
	text := "# Title\n\nOne.\n\nTwo.\n\n## Part\n```\n# no heading\n```\n" + strings.Repeat("word ", 400) + "\n"
	got := splitDocument("a.md", text)
	if len(got) != 4 {
		t.Fatalf("%d passages: %+v", len(got), got)
	}
	if p := got[0]; p.Heading != "Title" || p.Line != 3 || p.Text != "One.\n\nTwo." {
		t.Errorf("the first passage is %+v", p)
	}
	if p := got[1]; p.Heading != "Part" || !strings.Contains(p.Text, "# no heading") {
		t.Errorf("the second passage is %+v", p)
	}
	for _, p := range got {
		if len(p.Text) > maxPassageBytes {
			t.Errorf("a passage has %d bytes", len(p.Text))
		}
	}
}

// TestSplitDocumentKeepsUTF8Whole cuts long lines between characters.
func TestSplitDocumentKeepsUTF8Whole(t *testing.T) {
	text := strings.Repeat("äöü", maxPassageBytes)
	var got strings.Builder
	for _, p := range splitDocument("a.txt", text) {
		got.WriteString(p.Text)
	}
	if got.String() != text {
		t.Error("a long line lost something when it was cut")
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFolderToPassages: the pipeline's first two steps follow a folder that changes, reading again
// only what did.
func TestFolderToPassages(t *testing.T) {
	folder, passages := t.TempDir(), t.TempDir()
	write(t, folder, "sky.md", "# Sky\nThe sky is blue because air scatters short waves.\n")
	write(t, folder, "deep/sea.txt", "The sea is salty because rivers bring minerals.\n")
	write(t, folder, "picture.md", "\x00\x01")
	write(t, folder, "bin/left.md", "The sky in a directory that is left out.")
	write(t, folder, "huge.txt", strings.Repeat("sky ", maxDocumentBytes))
	l := newLibrary(folder, passages)
	s := newShares(passages)
	find := func(text string, changed int) []passage {
		t.Helper()
		manifests, n, err := l.refresh()
		if err != nil {
			t.Fatal(err)
		}
		if n != changed {
			t.Errorf("%d documents were read, not %d", n, changed)
		}
		var found [][]foundPassage
		for number, manifest := range manifests {
			of, err := s.find(number, manifest, text)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, of)
		}
		return bestOf(found)
	}
	if got := find("Why is the sky blue?", 3); len(got) == 0 || got[0].File != "sky.md" || got[0].Line != 2 {
		t.Fatalf("found %+v", got)
	}
	if got := find("salty minerals", 0); len(got) != 1 || got[0].File != "deep/sea.txt" {
		t.Fatalf("found %+v", got)
	}
	write(t, folder, "sky.md", "# Sky\nAt dusk the sky turns red over the rivers of this land.\n")
	if got := find("blue", 1); len(got) != 0 {
		t.Errorf("what was changed is still found: %+v", got)
	}
	if err := os.Remove(filepath.Join(folder, "deep", "sea.txt")); err != nil {
		t.Fatal(err)
	}
	if got := find("rivers", 0); len(got) != 1 || got[0].File != "sky.md" {
		t.Errorf("after a document was deleted, found %+v", got)
	}
}

// TestScanFolderSaysWhatItLeavesOut names documents that are too large.
func TestScanFolderSaysWhatItLeavesOut(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.md", "text")
	write(t, folder, "b.txt", strings.Repeat("x", maxDocumentBytes+1))
	write(t, folder, "c.go", "package c")
	documents, skipped, err := scanFolder(folder)
	if err != nil || len(documents) != 1 || len(skipped) != 1 || !strings.Contains(skipped[0], "b.txt") {
		t.Errorf("%v, %v, %v", documents, skipped, err)
	}
}

// TestStoreRefusesPaths keeps names of the store inside it.
func TestStoreRefusesPaths(t *testing.T) {
	var m manifest
	if err := (store{t.TempDir()}).get("../x", &m); err == nil {
		t.Error("a path was taken for a name")
	}
}
