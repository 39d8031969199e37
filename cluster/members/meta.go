package members

import (
	"errors"
	"fmt"

	"github.com/hashicorp/memberlist"

	"github.com/batonmq/baton/fsm/command"
)

const (
	metaVersion  = 1
	maxClusterID = 32
	// flagLeaving: the node says good-bye; its end is no failure.
	flagLeaving = 1
)

// meta is what a node says of itself in gossip. memberlist carries its ID as the
// node's name, and its gossip address.
//
//	version byte (1) | flags byte | expect | cluster id | peer address | client url | version
type meta struct {
	leaving     bool
	expect      int
	clusterID   string
	peerAddress string
	clientURL   string
	version     string
}

func (t *meta) encode() []byte {
	flags := byte(0)
	if t.leaving {
		flags |= flagLeaving
	}
	dst := command.AppendUint([]byte{metaVersion, flags}, uint64(t.expect)) //nolint:gosec // 0 to MaxExpect.
	dst = command.AppendString(command.AppendString(dst, t.clusterID), t.peerAddress)
	return command.AppendString(command.AppendString(dst, t.clientURL), t.version)
}

func decodeMeta(record []byte) (meta, error) {
	if len(record) == 0 || len(record) > memberlist.MetaMaxSize {
		return meta{}, ErrMalformed
	}
	if record[0] != metaVersion {
		return meta{}, fmt.Errorf("%w: %d", ErrVersion, record[0])
	}
	r := command.NewReader(record[1:])
	t := meta{leaving: r.Byte()&flagLeaving != 0}
	expect := r.Uint()
	if expect > MaxExpect {
		return meta{}, ErrMalformed
	}
	t.expect = int(expect)
	t.clusterID, t.peerAddress, t.clientURL, t.version = r.String(), r.String(), r.String(), r.String()
	if len(t.clusterID) > maxClusterID {
		return meta{}, ErrMalformed
	}
	return t, readerError(&r)
}

// checkMeta refuses a configuration whose node could not be described in gossip.
func checkMeta(c *Config) error {
	t := metaOf(c, string(make([]byte, maxClusterID)))
	if size := len(t.encode()); size > memberlist.MetaMaxSize {
		return errors.New("members: peer address, client URL and version are too long for gossip: " +
			fmt.Sprintf("%d bytes of %d", size, memberlist.MetaMaxSize))
	}
	return nil
}

func metaOf(c *Config, clusterID string) meta {
	return meta{
		expect: c.Expect, clusterID: clusterID, peerAddress: c.Self.PeerAddress,
		clientURL: c.Self.ClientURL, version: c.Self.Version,
	}
}
