package node

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
)

// identityFile holds the node's name and incarnation, a line each.
const identityFile = "identity"

// identity is who a data directory is: a directory that is wiped comes back as
// somebody else, whatever its name.
type identity struct {
	name        string
	incarnation uint64
}

// id is the member id: the name, a dot, and the incarnation in hexadecimal.
func (i identity) id() string { return fmt.Sprintf("%s.%016x", i.name, i.incarnation) }

// readIdentity reads the directory's identity, or makes one. name is what the
// configuration says, empty for whatever is kept.
func readIdentity(dir, name string) (identity, error) {
	path := filepath.Join(dir, identityFile)
	data, err := os.ReadFile(path) //nolint:gosec // The operator names the data directory.
	if errors.Is(err, os.ErrNotExist) {
		return makeIdentity(path, name)
	}
	if err != nil {
		return identity{}, fmt.Errorf("read the node's identity: %w", err)
	}
	var kept identity
	if _, err := fmt.Sscanf(string(data), "%s\n%016x\n", &kept.name, &kept.incarnation); err != nil {
		return identity{}, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	if name != "" && name != kept.name {
		return identity{}, &ConfigError{
			"node", fmt.Sprintf("the data directory %s belongs to node %q, not %q", dir, kept.name, name),
			"give the node its own --data directory, or its own name",
		}
	}
	return kept, nil
}

func makeIdentity(path, name string) (identity, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return identity{}, fmt.Errorf("draw an incarnation: %w", err)
	}
	made := identity{name: name, incarnation: binary.BigEndian.Uint64(random[:])}
	if made.name == "" {
		made.name = hostName() + "-" + hex.EncodeToString(random[:2])
	}
	text := fmt.Sprintf("%s\n%016x\n", made.name, made.incarnation)
	if err := writeSynced(path, []byte(text)); err != nil {
		return identity{}, fmt.Errorf("write the node's identity: %w", err)
	}
	return made, nil
}

// writeSynced makes a file whole or not at all, whenever the power fails: a
// directory whose identity is torn would be nobody's.
func writeSynced(path string, data []byte) error {
	temporary := path + ".tmp"
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // The operator names the data directory.
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(dir string) error {
	directory, err := os.Open(dir) //nolint:gosec // The operator names the data directory.
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// hostName is the host's name as far as it may stand in a node's name.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return "node"
	}
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return -1
	}, strings.SplitN(host, ".", 2)[0])
	return clean[:min(len(clean), maxNameBytes-8)]
}

// claim checks that the stores belong to the directory's identity: three copies
// of one number, so that parts of two nodes are never put together.
func claim(store *storage.Store, incarnation uint64) error {
	kept, found, err := store.Incarnation()
	if err != nil {
		return err
	}
	if !found {
		return store.SetIncarnation(incarnation)
	}
	if kept != incarnation {
		return fmt.Errorf("the log belongs to incarnation %016x, the directory to %016x: "+
			"parts of two data directories were mixed; restore the directory whole, or start with an empty one", kept, incarnation)
	}
	return nil
}

// openStores opens the node's two stores.
func openStores(dir string, who identity, options storage.Options) (*storage.Store, *raftlog.Stable, error) {
	store, err := storage.Open(filepath.Join(dir, "store"), options)
	if err != nil {
		return nil, nil, fmt.Errorf("open the store: %w", err)
	}
	if err = claim(store, who.incarnation); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	stable, err := raftlog.OpenStable(filepath.Join(dir, "votes.db"), who.incarnation)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the votes: %w", err), store.Close())
	}
	return store, stable, nil
}
