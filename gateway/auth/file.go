package auth

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// fileCheckInterval is how often a file is looked at for changes, at most.
	fileCheckInterval = time.Second
	// MinSecretBytes is how long a shared secret must be: as many bytes as the hash of
	// HS256 has.
	MinSecretBytes = 32
	// MaxFileBytes bounds a file of secrets or keys.
	MaxFileBytes = 1 << 20
)

// watchedFile is a file's content, parsed, and parsed anew when the file changes, or
// another one that belongs to it. A file that cannot be used any more leaves what
// there was in force.
type watchedFile[T any] struct {
	path   string
	beside string // empty for none
	parse  func([]byte) (T, error)
	now    func() time.Time
	logger *slog.Logger

	mu      sync.Mutex // guards the rest
	parsed  T
	checked time.Time
	stamp   [2]fileStamp
}

// fileStamp tells one state of a file from another.
type fileStamp struct {
	modified time.Time
	size     int64
}

func watchFile[T any](path string, parse func([]byte) (T, error), config *Config) (*watchedFile[T], error) {
	return watchFiles(path, "", parse, config)
}

func watchFiles[T any](path, beside string, parse func([]byte) (T, error), config *Config) (*watchedFile[T], error) {
	f := &watchedFile[T]{path: path, beside: beside, parse: parse, now: config.Now, logger: config.Logger}
	stamp, err := f.stampNow()
	if err != nil {
		return nil, err
	}
	if err := f.read(stamp); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *watchedFile[T]) stampNow() (both [2]fileStamp, err error) {
	if both[0], err = stampOf(f.path); err == nil && f.beside != "" {
		both[1], err = stampOf(f.beside)
	}
	return both, err
}

func stampOf(path string) (fileStamp, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fileStamp{}, err
	case info.Size() > MaxFileBytes:
		return fileStamp{}, fmt.Errorf("%s is longer than %d bytes", path, MaxFileBytes)
	}
	return fileStamp{info.ModTime(), info.Size()}, nil
}

func (f *watchedFile[T]) read(stamp [2]fileStamp) error {
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	parsed, err := f.parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.parsed, f.stamp, f.checked = parsed, stamp, f.now()
	return nil
}

// value is the content, as the file has it now or lately.
func (f *watchedFile[T]) value() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.checked) < fileCheckInterval {
		return f.parsed
	}
	f.checked = now
	stamp, err := f.stampNow()
	if err == nil && stamp == f.stamp {
		return f.parsed
	}
	if err == nil {
		f.stamp = stamp // Or one that is broken would be read, and told of, again and again.
		err = f.read(stamp)
	}
	if err != nil {
		f.logger.Warn("a file of credentials cannot be read: what it said before stays in force", "file", f.path, "error", err)
	} else {
		f.logger.Info("a file of credentials was read anew", "file", f.path)
	}
	return f.parsed
}

var errShortSecret = errors.New("the secret is too short: give at least 32 random bytes")

func parseSecret(text []byte) ([]byte, error) {
	secret := bytes.TrimSpace(text)
	if len(secret) < MinSecretBytes {
		return nil, errShortSecret
	}
	return secret, nil
}

// parseAdminKey keeps the hash alone.
func parseAdminKey(text []byte) ([]byte, error) {
	secret, err := parseSecret(text)
	if err != nil {
		return nil, err
	}
	return hashOf(secret), nil
}
