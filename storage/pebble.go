package storage

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// pebbleFormat is the on-disk format of new stores: the newest that Pebble
// v2.1 calls stable. It is named rather than FormatNewest, so that an upgrade
// of the library alone never writes a format the previous release cannot open.
const pebbleFormat = pebble.FormatValueSeparation

const (
	// walBytesPerSync lets the kernel write back in small steps while a snapshot
	// is staged. Without it one group's next fsync would carry another group's
	// tens of megabytes.
	walBytesPerSync = 512 << 10

	// memTableStop times MemTableBytes of unflushed rows stop all writers. Two, the
	// default, stops them whenever a flush meets a second full memtable; four
	// bound the memory at 128 MiB and ride out one slow flush.
	memTableStop = 4

	// l0Compaction starts compacting at this read amplification. A queue deletes
	// most of what it writes soon after, so letting a few flushes pile up lets rows
	// and their tombstones meet in one compaction instead of two.
	l0Compaction = 4

	// l0Stop is far above l0Compaction: on two cores a stall of all groups costs
	// more than slower reads for a while.
	l0Stop = 32

	// bloomBitsPerKey gives about one false positive in a hundred. Most look-ups of
	// the state are for keys that are not there (deduplication), so every level
	// has filters, the last one included.
	bloomBitsPerKey = 10

	// maxFileBytes caps the files of the lower levels, which would double up to
	// 128 MiB. A file has one filter block, read and checked as a whole on a cache
	// miss; of rows of 100 bytes a file of this size makes one of 400 KiB.
	maxFileBytes = 32 << 20

	// maxCompactions is small since the cores are shared with Raft and the gateway;
	// the second one starts only when compaction falls behind.
	maxCompactions = 2
)

// pebbleOptions argues every setting that is not the library's own.
func pebbleOptions(o Options, s *Store) *pebble.Options {
	memTable := max(o.MemTableBytes, 64<<10)
	options := &pebble.Options{
		// Pebble takes the memtables out of the cache's size. With 64 MiB for both,
		// two memtables of 32 MiB left nothing for blocks, and 3 in 100 reads hit.
		CacheSize:                   o.CacheBytes + memTableStop*memTable,
		MemTableSize:                uint64(memTable),
		MemTableStopWritesThreshold: memTableStop,
		L0CompactionThreshold:       l0Compaction,
		L0StopWritesThreshold:       l0Stop,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, maxCompactions },
		WALBytesPerSync:             walBytesPerSync,
		FormatMajorVersion:          pebbleFormat,
		Logger:                      engineLogger{store: s, logger: o.Logger},
		EventListener:               newListener(s, o.Logger),
		FS:                          o.FS,
	}
	// Zstandard at the bottom, Pebble's default, costs more processor time than
	// two shared cores have to give for rows that are mostly deleted again.
	options.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	size := int64(2 << 20) // Pebble's own for level 0.
	for level := range options.Levels {
		options.TargetFileSizes[level] = size
		size = min(2*size, maxFileBytes)
		options.Levels[level].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	}
	if o.FS == nil {
		// The disk gets Pebble's health checks, which report a hung operation as
		// DiskSlow. A test's file system has no disk that could hang.
		options.WithFSDefaults()
	}
	options.FS = watchWAL(options.FS, s)
	return options
}
