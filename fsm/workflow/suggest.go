package workflow

import (
	"slices"
	"strings"
)

// maxDistance is how many letters may be wrong for a suggestion.
const maxDistance = 3

// nearest is the candidate most like a name, empty where none is like it. Of those that
// are equally like it, it is the first.
func nearest(name string, candidates []string) string {
	allowed := min(maxDistance, (len(name)+1)/3)
	found := ""
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate), allowed); d <= allowed {
			if d == 0 {
				return candidate
			}
			found, allowed = candidate, d-1
		}
	}
	return found
}

// distance is how many letters have to be put in, left out, changed or swapped with their
// neighbor (optimal string alignment), or more than most if it is more. It looks only at
// the cells that can lead to so few, since names come from strangers and may be many.
func distance(a, b string, most int) int {
	if most < 0 || len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row, above, second := rows[i%3], rows[(i+2)%3], rows[(i+1)%3]
		from, to := max(1, i-most), min(len(b), i+most)
		row[from-1] = most + 1
		if from == 1 {
			row[0] = i
		}
		if to < len(b) {
			row[to+1] = most + 1
		}
		for j := from; j <= to; j++ {
			changed := 1
			if a[i-1] == b[j-1] {
				changed = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+changed)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], second[j-2]+1)
			}
		}
		if slices.Min(row[from-1:to+1]) > most {
			return most + 1
		}
	}
	return rows[len(a)%3][len(b)]
}
