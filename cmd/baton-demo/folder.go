package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of a folder.
const (
	maxDocumentBytes = 1 << 20
	maxDocuments     = 5000
)

// document is a file of the folder, as far as a look at the directory tells.
type document struct {
	path    string // below the folder, with slashes
	size    int64
	changed int64 // Unix nanoseconds
}

// scanFolder lists the documents of a folder, .md and .txt, and says what it
// left out.
func scanFolder(folder string) (documents []document, skipped []string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error { //nolint:gosec // the folder the user named
		if err != nil {
			if path == folder {
				return err
			}
			skipped = append(skipped, fmt.Sprintf("%s: %v", path, err))
			return nil
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if relative != "." && skipDirectory(entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || !isDocument(relative) {
			return nil
		}
		info, err := entry.Info()
		switch {
		case err != nil:
			skipped = append(skipped, fmt.Sprintf("%s: %v", relative, err))
		case info.Size() > maxDocumentBytes:
			skipped = append(skipped, fmt.Sprintf("%s: %d bytes, more than %d", relative, info.Size(), maxDocumentBytes))
		case len(documents) == maxDocuments:
			skipped = append(skipped, fmt.Sprintf("%s: more than %d documents", relative, maxDocuments))
		default:
			documents = append(documents, document{filepath.ToSlash(relative), info.Size(), info.ModTime().UnixNano()})
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the folder: %w", err)
	}
	slices.SortFunc(documents, func(a, b document) int { return strings.Compare(a.path, b.path) })
	return documents, skipped, nil
}

func skipDirectory(name string) bool {
	return strings.HasPrefix(name, ".") || name == "node_modules" || name == "vendor" || name == "bin" || name == "testdata"
}

func isDocument(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".md", ".txt", ".markdown":
		return true
	default:
		return false
	}
}

// readDocument returns a document's text; ok is false where it is not text.
func readDocument(folder, path string) (text string, ok bool, err error) {
	content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(path))) //nolint:gosec // found in the folder the user named
	if err != nil {
		return "", false, fmt.Errorf("reading a document: %w", err)
	}
	if bytes.IndexByte(content, 0) >= 0 || !utf8.Valid(content) {
		return "", false, nil
	}
	return string(content), true, nil
}
