package cluster

// partPage is a partition's page: more means that it may have more behind the items.
type partPage[T any] struct {
	items []T
	more  bool
}

// placeIn is an item of one of several pages.
type placeIn struct{ page, item int }

// mergePages takes the first items of all partitions' pages, in order. It ends where it
// does not know what comes next in some partition, so that the order holds from page to
// page. taken is how many it took of each; more means that there may be others behind.
func mergePages[T any](pages []partPage[T], limit int, before func(a, b *T) bool) (order []placeIn, taken []int, more bool) {
	taken = make([]int, len(pages))
	for len(order) < limit {
		first := firstOf(pages, taken, before)
		if first < 0 {
			break
		}
		order = append(order, placeIn{first, taken[first]})
		taken[first]++
	}
	for i := range pages {
		more = more || pages[i].more || taken[i] < len(pages[i].items)
	}
	return order, taken, more
}

// firstOf is the page with the first item that was not taken; below 0 where there is none,
// or it cannot be known.
func firstOf[T any](pages []partPage[T], taken []int, before func(a, b *T) bool) int {
	first := -1
	for i := range pages {
		switch {
		case taken[i] == len(pages[i].items):
			if pages[i].more {
				return -1
			}
		case first < 0 || before(&pages[i].items[taken[i]], &pages[first].items[taken[first]]):
			first = i
		}
	}
	return first
}
