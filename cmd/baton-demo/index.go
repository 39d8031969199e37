package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/index/scorch"
	"github.com/blevesearch/bleve/v2/index/upsidedown/store/gtreap"
	"github.com/blevesearch/bleve/v2/mapping"
)

// bestPassages is how many passages a question gets.
const bestPassages = 5

// index finds passages by BM25. It lives in memory and follows the manifest it
// is asked for.
type index struct {
	store store

	mu       sync.Mutex // guards the rest; held while the index is searched
	search   bleve.Index
	current  manifest
	passages map[string][]passage // by document
}

// shares are the indexes of a search worker, one for each share of the folder.
type shares struct {
	directory string

	mu       sync.Mutex // guards the rest
	byNumber map[int]*index
}

func newShares(directory string) *shares {
	return &shares{directory: directory, byNumber: make(map[int]*index)}
}

// find returns the best passages for a question in the documents of a share, which its
// manifest names.
func (s *shares) find(number int, manifest, text string) ([]foundPassage, error) {
	x, err := s.index(number)
	if err != nil {
		return nil, err
	}
	return x.find(manifest, text)
}

func (s *shares) index(number int) (*index, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.byNumber[number]; x != nil {
		return x, nil
	}
	x, err := newIndex(s.directory)
	if err == nil {
		s.byNumber[number] = x
	}
	return x, err
}

func newIndex(directory string) (*index, error) {
	search, err := bleve.NewUsing("", passageMapping(), scorch.Name, gtreap.Name, nil)
	if err != nil {
		return nil, fmt.Errorf("making the index: %w", err)
	}
	return &index{store: store{directory}, search: search, current: manifest{}, passages: make(map[string][]passage)}, nil
}

// passageMapping indexes English text; what counts is BM25.
func passageMapping() *mapping.IndexMappingImpl {
	m := bleve.NewIndexMapping()
	m.DefaultAnalyzer = en.AnalyzerName
	m.ScoringModel = "bm25"
	return m
}

// find returns the best passages for a question in the documents of a manifest.
func (x *index) find(name, text string) ([]foundPassage, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var wanted manifest
	if err := x.store.get(name, &wanted); err != nil {
		return nil, err
	}
	if err := x.follow(wanted); err != nil {
		return nil, err
	}
	inText := bleve.NewMatchQuery(text)
	inText.SetField("text")
	inHeading := bleve.NewMatchQuery(text)
	inHeading.SetField("heading")
	request := bleve.NewSearchRequestOptions(bleve.NewDisjunctionQuery(inText, inHeading), bestPassages, 0, false)
	result, err := x.search.Search(request)
	if err != nil {
		return nil, fmt.Errorf("searching: %w", err)
	}
	found := make([]foundPassage, 0, len(result.Hits))
	for _, hit := range result.Hits {
		number, path := cutID(hit.ID)
		if list := x.passages[path]; number < len(list) {
			found = append(found, foundPassage{list[number], hit.Score})
		}
	}
	return found, nil
}

// follow brings the index from one manifest to another, document by document.
func (x *index) follow(wanted manifest) error {
	batch := x.search.NewBatch()
	for path := range x.current {
		if wanted[path] != x.current[path] {
			for i := range x.passages[path] {
				batch.Delete(passageID(i, path))
			}
		}
	}
	fresh := make(map[string][]passage)
	for path, name := range wanted {
		if x.current[path] == name {
			continue
		}
		var list []passage
		if err := x.store.get(name, &list); err != nil {
			return err
		}
		fresh[path] = list
		for i := range list {
			if err := batch.Index(passageID(i, path), list[i]); err != nil {
				return fmt.Errorf("indexing %s: %w", path, err)
			}
		}
	}
	if batch.Size() > 0 {
		if err := x.search.Batch(batch); err != nil {
			return fmt.Errorf("indexing: %w", err)
		}
	}
	for path := range x.current {
		if wanted[path] == "" {
			delete(x.passages, path)
		}
	}
	for path, list := range fresh {
		x.passages[path] = slices.Clip(list)
	}
	x.current = wanted
	return nil
}

func passageID(number int, path string) string { return strconv.Itoa(number) + " " + path }

func cutID(id string) (number int, path string) {
	for i := range len(id) {
		if id[i] == ' ' {
			number, _ = strconv.Atoi(id[:i])
			return number, id[i+1:]
		}
	}
	return 0, id
}
