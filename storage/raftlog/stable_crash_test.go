package raftlog

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// voteSets is how many terms and votes TestCrashPointsOfVotes writes.
const voteSets = 40

// TestCrashPointsOfVotes loses power at every step of writing a term or a vote
// into the bolt file: before its pages are synced, with any part of them written,
// before and after its meta page is, and when the call has returned. The row is
// the one before or the one after, whole; the one after once the call returned.
func TestCrashPointsOfVotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "votes.db")
	s := must(OpenStable(path, 7))
	random := rand.New(rand.NewPCG(1, 0))
	rows := map[uint32]map[string]string{1: {}, 2: {}, 3: {}}
	points, kept := 0, map[string]int{}
	for i := range voteSets {
		before := must(os.ReadFile(path))
		group, key, value := 1+random.Uint32N(3), keyCurrentTerm, string(be(uint64(i)))
		was := maps.Clone(rows[group])
		if random.IntN(2) == 0 {
			// The term of a vote waits for its candidate.
			check(t, s.Group(group).SetUint64([]byte(keyLastVoteTerm), uint64(i)))
			rows[group][keyLastVoteTerm] = value
			key, value = keyLastVoteCand, fmt.Sprintf("node-%d", random.IntN(3))
		}
		check(t, s.Group(group).Set([]byte(key), []byte(value)))
		rows[group][key] = value
		for _, image := range imagesOf(before, must(os.ReadFile(path)), random) {
			got := rowsIn(t, image.file, group)
			if !maps.Equal(got, rows[group]) && (image.promised || !maps.Equal(got, was)) {
				t.Fatalf("write %d, %s: the row is %q, it was %q and became %q", i, image.what, got, was, rows[group])
			}
			points++
			kept[image.what]++
		}
	}
	check(t, s.Close())
	t.Logf("%d crash points: %v", points, kept)
}

// image is the bolt file as a crash left it.
type image struct {
	what     string
	file     []byte
	promised bool
}

const (
	sector   = 512
	metaEnds = 2 // The first two pages are meta pages.
)

// imagesOf are what a crash can leave of a write that bolt does in two steps: the
// pages and a sync, then a meta page and a sync.
func imagesOf(before, after []byte, random *rand.Rand) []image {
	page := os.Getpagesize()
	whole := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	images := []image{{"nothing written", before, false}}
	for _, keep := range []int{0, 30, 70, 100} {
		torn := bytes.Clone(whole)
		for at := metaEnds * page; at < len(after); at += sector {
			if random.IntN(100) < keep {
				copy(torn[at:at+sector], after[at:])
			}
		}
		images = append(images, image{fmt.Sprintf("%d%% of the pages", keep), torn, false})
	}
	synced := append(bytes.Clone(whole[:metaEnds*page]), after[metaEnds*page:]...)
	torn := bytes.Clone(synced)
	for at := 0; at < metaEnds*page; at += page { // The first half of what is in a meta page.
		copy(torn[at:at+40], after[at:])
	}
	return append(images, image{"all pages, no meta page", synced, false}, image{"a torn meta page", torn, false}, image{"all", after, true})
}

// rowsIn are a group's rows in a file.
func rowsIn(t *testing.T, file []byte, group uint32) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "votes.db")
	check(t, os.WriteFile(path, file, 0o600))
	s := must(OpenStable(path, 7))
	defer func() { check(t, s.Close()) }()
	rows := map[string]string{}
	for _, key := range []string{keyCurrentTerm, keyLastVoteTerm, keyLastVoteCand} {
		value, err := s.Group(group).Get([]byte(key))
		if err == nil {
			rows[key] = string(value)
		} else if !missing(err) {
			t.Fatal(err)
		}
	}
	return rows
}
