package cluster

import "testing"

// TestLogEntries: small entries are counted, large ones weighed, and some stay in
// any case.
func TestLogEntries(t *testing.T) {
	tuning := Tuning{SnapshotEntries: 1000, TrailingEntries: 2000, LogBytes: 1 << 20}
	for _, test := range []struct{ mean, grow, stay uint64 }{
		{0, 1000, 2000}, {100, 1000, 2000}, {1 << 10, 1000, 1024}, {2 << 10, 512, 512}, {1 << 20, minLogEntries, minLogEntries},
	} {
		if grow, stay := tuning.logEntries(test.mean); grow != test.grow || stay != test.stay {
			t.Errorf("of %d bytes: %d and %d, want %d and %d", test.mean, grow, stay, test.grow, test.stay)
		}
	}
	if near(100, 200) || near(200, 100) || !near(100, 105) || !near(105, 100) || !near(0, 0) {
		t.Error("near is not within an eighth")
	}
}
