package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// manifest says which passages each document of a share has: path to the
// name of a file in the store.
type manifest map[string]string

// store keeps passages and manifests in a directory, each under the digest of
// its content. Nothing in it ever changes, so workers share it without a lock.
type store struct{ directory string }

func (s store) put(value any) (name string, err error) {
	content, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("storing: %w", err)
	}
	sum := sha256.Sum256(content)
	name = hex.EncodeToString(sum[:16]) + ".json"
	path := filepath.Join(s.directory, name)
	if _, err = os.Stat(path); err == nil {
		return name, nil
	}
	// Written aside and renamed: nobody ever reads half a file.
	temporary, err := os.CreateTemp(s.directory, "new-*")
	if err != nil {
		return "", fmt.Errorf("storing: %w", err)
	}
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
		return "", fmt.Errorf("storing: %w", err)
	}
	return name, nil
}

func (s store) get(name string, value any) error {
	if strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q is no name of the store", name)
	}
	content, err := os.ReadFile(filepath.Join(s.directory, name)) //nolint:gosec // checked above
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	return json.Unmarshal(content, value)
}

// library is what a split worker remembers of the folder, so that only what
// changed is read again.
type library struct {
	folder string
	store  store

	mu   sync.Mutex // guards the rest; held while the folder is read
	seen map[string]seenDocument
}

type seenDocument struct {
	document

	passages string // its file in the store; empty where it is not text
}

func newLibrary(folder, directory string) *library {
	return &library{folder: folder, store: store{directory}, seen: make(map[string]seenDocument)}
}

// shareCount is into how many shares the folder is cut, which are searched side by side.
const shareCount = 4

// shareOf is the share that a document is in, which does not change.
func shareOf(path string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(path))
	return int(h.Sum32() % shareCount)
}

// refresh splits what changed, and returns the names of the manifests, one for each share,
// and how many documents were read.
func (l *library) refresh() (names []string, changed int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	documents, _, err := scanFolder(l.folder)
	if err != nil {
		return nil, 0, err
	}
	present := make(map[string]bool, len(documents))
	for _, d := range documents {
		present[d.path] = true
		if old, ok := l.seen[d.path]; ok && old.document == d {
			continue
		}
		passages, splitErr := l.split(d)
		if errors.Is(splitErr, fs.ErrNotExist) {
			present[d.path] = false // deleted since the directory was read
			continue
		}
		if splitErr != nil {
			return nil, changed, splitErr
		}
		l.seen[d.path] = seenDocument{d, passages}
		changed++
	}
	maps.DeleteFunc(l.seen, func(path string, _ seenDocument) bool { return !present[path] })
	var manifests [shareCount]manifest
	for i := range manifests {
		manifests[i] = make(manifest)
	}
	for path, d := range l.seen {
		if d.passages != "" {
			manifests[shareOf(path)][path] = d.passages
		}
	}
	for _, m := range manifests {
		name, putErr := l.store.put(m)
		if putErr != nil {
			return nil, changed, putErr
		}
		names = append(names, name)
	}
	return names, changed, nil
}

func (l *library) split(d document) (passages string, err error) {
	text, ok, err := readDocument(l.folder, d.path)
	if err != nil || !ok {
		return "", err
	}
	return l.store.put(splitDocument(d.path, text))
}
