package raftlog

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// TestStableAgreesWithAMap sets what raft sets, in its order, and crashes between
// any two calls: term and candidate of a vote stand or fall together.
func TestStableAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewMemoryStable()
		durable := map[string]string{}
		pending := map[uint32]string{}
		id := func(group uint32, key string) string { return fmt.Sprint(group, key) }
		group := func(t *rapid.T) uint32 { return rapid.Uint32Range(1, 3).Draw(t, "group") }
		t.Repeat(map[string]func(*rapid.T){
			"term": func(t *rapid.T) {
				g, term := group(t), rapid.Uint64Range(1, 9).Draw(t, "term")
				check2(t, s.Group(g).SetUint64([]byte(keyCurrentTerm), term))
				durable[id(g, keyCurrentTerm)] = string(be(term))
			},
			"vote term": func(t *rapid.T) {
				g, term := group(t), rapid.Uint64Range(1, 9).Draw(t, "term")
				check2(t, s.Group(g).SetUint64([]byte(keyLastVoteTerm), term))
				pending[g] = string(be(term))
			},
			"vote candidate": func(t *rapid.T) {
				g, candidate := group(t), rapid.StringMatching(`[a-c]`).Draw(t, "candidate")
				check2(t, s.Group(g).Set([]byte(keyLastVoteCand), []byte(candidate)))
				durable[id(g, keyLastVoteCand)] = candidate
				if term, found := pending[g]; found {
					durable[id(g, keyLastVoteTerm)] = term
					delete(pending, g)
				}
			},
			"other": func(t *rapid.T) {
				g := group(t)
				check2(t, s.Group(g).Set([]byte("other"), nil))
				durable[id(g, "other")] = ""
			},
			"crash": func(*rapid.T) {
				s = s.CrashClone()
				clear(pending)
			},
			"": func(t *rapid.T) {
				for g := uint32(1); g <= 3; g++ {
					for _, key := range []string{keyCurrentTerm, keyLastVoteTerm, keyLastVoteCand, "other"} {
						want, found := durable[id(g, key)]
						if term, waiting := pending[g]; waiting && key == keyLastVoteTerm {
							want, found = term, true
						}
						got, err := s.Group(g).Get([]byte(key))
						if found != (err == nil) || string(got) != want {
							t.Fatalf("group %d %s: %q %v, the model has %q %v", g, key, got, err, want, found)
						}
						if err != nil && err.Error() != "not found" {
							t.Fatalf("raft does not know the error %q", err)
						}
					}
				}
			},
		})
	})
}

func check2(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func be(n uint64) []byte {
	return []byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

// TestStableOnBolt keeps votes and incarnation in the file.
func TestStableOnBolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stable.bolt")
	s := must(OpenStable(path, 0))
	if _, found, err := s.Incarnation(); found || err != nil {
		t.Fatalf("a new file has an incarnation: %v %v", found, err)
	}
	check(t, s.Close())

	s = must(OpenStable(path, 77))
	g := s.Group(3)
	check(t, g.SetUint64([]byte(keyCurrentTerm), 5))
	check(t, g.SetUint64([]byte(keyLastVoteTerm), 5))
	check(t, g.Set([]byte(keyLastVoteCand), []byte("node-2")))
	check(t, g.SetUint64([]byte(keyLastVoteTerm), 6)) // The candidate never comes.
	check(t, s.Close())

	if _, err := OpenStable(path, 78); !errors.Is(err, ErrIncarnation) {
		t.Fatalf("another incarnation opens it: %v", err)
	}
	s = must(OpenStable(path, 77))
	defer func() { check(t, s.Close()) }()
	g = s.Group(3)
	term, vote := must(g.GetUint64([]byte(keyCurrentTerm))), must(g.GetUint64([]byte(keyLastVoteTerm)))
	if candidate := string(must(g.Get([]byte(keyLastVoteCand)))); term != 5 || vote != 5 || candidate != "node-2" {
		t.Fatalf("term %d, vote %d for %q", term, vote, candidate)
	}
	if _, err := s.Group(4).GetUint64([]byte(keyCurrentTerm)); err == nil || err.Error() != "not found" {
		t.Fatalf("another group: %v", err)
	}
	check(t, s.DropGroup(3))
	if _, err := s.Group(3).Get([]byte(keyLastVoteCand)); err == nil {
		t.Fatal("a dropped group has a vote")
	}
	if number, found, err := s.Incarnation(); number != 77 || !found || err != nil {
		t.Fatalf("incarnation %d %v %v", number, found, err)
	}
}

// brokenRows fails every write.
type brokenRows struct{ memoryRows }

func (*brokenRows) Set(_, _ []byte) error { return errors.New("input/output error") }

// TestStableStopsAfterAFailedWrite never lets a vote through whose sync failed.
func TestStableStopsAfterAFailedWrite(t *testing.T) {
	s := newStable(&brokenRows{memoryRows{byKey: map[string][]byte{}}})
	g := s.Group(1)
	for range 2 {
		if err := g.SetUint64([]byte(keyCurrentTerm), 1); !errors.Is(err, ErrStableFailed) {
			t.Fatalf("got %v", err)
		}
	}
	if err := g.SetUint64([]byte(keyLastVoteTerm), 1); !errors.Is(err, ErrStableFailed) {
		t.Fatalf("a vote's term: %v", err)
	}
	if _, err := g.GetUint64([]byte(keyCurrentTerm)); err == nil {
		t.Fatal("a term whose write failed is read")
	}
}

// TestDamagedStableRowIsNotAnEmptyOne must never look like a node that has not voted.
func TestDamagedStableRowIsNotAnEmptyOne(t *testing.T) {
	s := NewMemoryStable()
	check(t, s.Group(1).SetUint64([]byte(keyCurrentTerm), 4))
	rows := maps.Clone(s.rows.(*memoryRows).byKey)
	rows[string(stableKey(1))][0] = 99
	damaged := newStable(&memoryRows{byKey: rows}).Group(1)
	if _, err := damaged.GetUint64([]byte(keyCurrentTerm)); !errors.Is(err, ErrBadStable) {
		t.Fatalf("got %v", err)
	}
	if err := damaged.SetUint64([]byte(keyCurrentTerm), 1); !errors.Is(err, ErrBadStable) {
		t.Fatalf("it is overwritten: %v", err)
	}
}

var _ raft.StableStore = (*groupStable)(nil)

// failingRows refuses every write.
type failingRows struct{ rowStore }

func (failingRows) Set([]byte, []byte) error { return errors.New("no disk") }

// TestFailedVoteIsFatalOnce tells the owner of the first failed write only, and
// refuses what comes after.
func TestFailedVoteIsFatalOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStable(failingRows{&memoryRows{byKey: map[string][]byte{}}})
		var told atomic.Int32
		s.OnFatal(func(err error) {
			if !errors.Is(err, ErrStableFailed) {
				t.Errorf("told %v", err)
			}
			told.Add(1)
		})
		for range 2 {
			if err := s.Group(1).SetUint64([]byte(keyCurrentTerm), 1); !errors.Is(err, ErrStableFailed) {
				t.Fatalf("a vote that was not written: %v", err)
			}
		}
		synctest.Wait()
		if told.Load() != 1 {
			t.Errorf("told %d times", told.Load())
		}
	})
}
