package sim

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	// seedFlag runs one episode alone, and tells what was done to it.
	seedFlag = flag.Uint64("sim.seed", 0, "run the episode of this seed alone, and log its faults; 0 for the usual ones")
	// episodesFlag is for longer runs than the usual one.
	episodesFlag = flag.Uint64("sim.episodes", 0, "how many episodes; 0 for the usual number")
	firstFlag    = flag.Uint64("sim.first", 1, "the first episode's seed; the others follow")
	repeatFlag   = flag.Int("sim.repeat", 1, "with sim.seed: how often to run it")
)

// The usual numbers of episodes.
const (
	usualEpisodes = 200
	shortEpisodes = 20
)

// TestMain also checks that no goroutine outlives its episode.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
